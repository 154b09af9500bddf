/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-client-hello-private.h"

#include <string.h>

#define N_RECORD_HEADER 5
#define MAX_RECORD 16384
#define N_MESSAGE_HEADER 4
#define TYPE_CLIENT_HELLO 1
#define MAX_HELLO (64 * 1024)

#define EXTENSION_SERVER_NAME 0
#define NAME_TYPE_HOST 0

/* Bytes that are still to be read. What is not there any more is read as nothing, and noted. */
typedef struct {
  const uint8_t *at;
  size_t left;
  gboolean failed;
} Reader;

static const uint8_t *
take (Reader *self, size_t length)
{
  const uint8_t *taken = self->at;

  if (self->failed || length > self->left)
    {
      self->failed = TRUE;
      return NULL;
    }
  self->at += length;
  self->left -= length;
  return taken;
}

static size_t
take_number (Reader *self, unsigned int n_bytes)
{
  const uint8_t *bytes = take (self, n_bytes);
  size_t number = 0;

  for (unsigned int i = 0; bytes != NULL && i < n_bytes; i++)
    number = number << 8 | bytes[i];
  return number;
}

/* What has its length in front of it. */
static Reader
take_vector (Reader *self, unsigned int n_bytes)
{
  size_t length = take_number (self, n_bytes);
  const uint8_t *bytes = take (self, length);

  return (Reader){ bytes, bytes != NULL ? length : 0, bytes == NULL };
}

/* One name of a host; more are not allowed, and no other types of names are in use. */
static VtClientHelloStep
read_names (Reader extension, char **name)
{
  Reader list = take_vector (&extension, 2);
  size_t type = take_number (&list, 1);
  Reader host = take_vector (&list, 2);

  if (host.failed || type != NAME_TYPE_HOST || host.left == 0 || list.left > 0 || extension.left > 0
      || memchr (host.at, '\0', host.left) != NULL)
    return VT_CLIENT_HELLO_BROKEN;
  *name = g_ascii_strdown ((const char *) host.at, (gssize) host.left);
  return VT_CLIENT_HELLO_NAMED;
}

static VtClientHelloStep
read_extensions (Reader extensions, char **name)
{
  gboolean found = FALSE;
  Reader names = { 0 };

  while (extensions.left > 0 && !extensions.failed)
    {
      size_t type = take_number (&extensions, 2);
      Reader extension = take_vector (&extensions, 2);

      if (extension.failed || (type == EXTENSION_SERVER_NAME && found))
        return VT_CLIENT_HELLO_BROKEN;
      if (type != EXTENSION_SERVER_NAME)
        continue;
      found = TRUE;
      names = extension;
    }
  if (extensions.failed)
    return VT_CLIENT_HELLO_BROKEN;
  return found ? read_names (names, name) : VT_CLIENT_HELLO_UNNAMED;
}

static VtClientHelloStep
read_body (Reader body, char **name)
{
  take (&body, 2 + 32);   /* version, random */
  take_vector (&body, 1); /* session */
  take_vector (&body, 2); /* ciphers */
  take_vector (&body, 1); /* compression */
  if (!body.failed && body.left == 0)
    return VT_CLIENT_HELLO_UNNAMED;
  return read_extensions (take_vector (&body, 2), name);
}

/* The message itself, as far as it is there. */
static VtClientHelloStep
read_message (const GByteArray *message, char **name)
{
  Reader reader = { message->data, message->len, FALSE };
  size_t type = take_number (&reader, 1);
  size_t length = take_number (&reader, 3);

  if (message->len > 0 && message->data[0] != TYPE_CLIENT_HELLO)
    return VT_CLIENT_HELLO_BROKEN;
  if (reader.failed)
    return VT_CLIENT_HELLO_MORE;
  if (type != TYPE_CLIENT_HELLO || length > MAX_HELLO)
    return VT_CLIENT_HELLO_BROKEN;
  if (length > reader.left)
    return VT_CLIENT_HELLO_MORE;
  return read_body ((Reader){ reader.at, length, FALSE }, name);
}

/* Whether these can be the first bytes of a record of the handshake. */
static gboolean
may_be_record (const uint8_t *data, size_t length)
{
  return (length < 1 || data[0] == VT_CLIENT_HELLO_FIRST) && (length < 2 || data[1] == 3);
}

VtClientHelloStep
vt_client_hello_read (const uint8_t *data, size_t length, char **name)
{
  g_autoptr(GByteArray) message = g_byte_array_new ();
  VtClientHelloStep step = VT_CLIENT_HELLO_MORE;

  *name = NULL;
  while (step == VT_CLIENT_HELLO_MORE && length > 0)
    {
      Reader record = { data, length, FALSE };
      size_t n_payload;

      if (!may_be_record (data, length))
        return VT_CLIENT_HELLO_BROKEN;
      if (take (&record, 3) == NULL)
        return VT_CLIENT_HELLO_MORE;
      n_payload = take_number (&record, 2);
      if (record.failed)
        return VT_CLIENT_HELLO_MORE;
      if (n_payload == 0 || n_payload > MAX_RECORD)
        return VT_CLIENT_HELLO_BROKEN;
      g_byte_array_append (message, record.at, (unsigned int) MIN (n_payload, record.left));
      step = read_message (message, name);
      if (record.left < n_payload)
        break;
      data = record.at + n_payload;
      length = record.left - n_payload;
    }
  return step;
}
