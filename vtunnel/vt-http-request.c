/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-http-request-private.h"

#include <string.h>

#include "vt-host-name-private.h"
#include "vt-http-fields-private.h"
#include "vt-http-head-private.h"

#define STATUS_BAD_REQUEST 400
#define STATUS_NOT_ALLOWED 405
#define STATUS_VERSION 505

#define MAX_METHOD 32

/* The request line. */
typedef struct {
  const char *method; /* in the head, as all below */
  size_t method_length;
  const char *target;
  size_t target_length;
  gboolean is_http_1_0;
} Line;

void
vt_http_request_clear (VtHttpRequest *self)
{
  g_clear_pointer (&self->host, g_free);
}

static gboolean
is_method (const Line *line, const char *method)
{
  return line->method_length == strlen (method)
         && memcmp (line->method, method, line->method_length) == 0;
}

static gboolean
read_method (Line *line, const char **at, const char *end)
{
  line->method = *at;
  while (*at < end && vt_http_is_token_char ((uint8_t) * *at))
    (*at)++;
  line->method_length = *at - line->method;
  return line->method_length > 0 && line->method_length <= MAX_METHOD && *(*at)++ == ' ';
}

static gboolean
read_target (Line *line, const char **at, const char *end)
{
  line->target = *at;
  while (*at < end && (uint8_t) * *at > ' ' && **at != 0x7f)
    (*at)++;
  line->target_length = *at - line->target;
  return line->target_length > 0 && *(*at)++ == ' ';
}

/* Gives the status that follows from it: 0 if all is well. */
static unsigned int
read_version (Line *line, const char **at, const char *end)
{
  const char *version = *at;

  if (end - version < 10 || memcmp (version, "HTTP/", 5) != 0 || !g_ascii_isdigit (version[5])
      || version[6] != '.' || !g_ascii_isdigit (version[7]) || memcmp (version + 8, "\r\n", 2) != 0)
    return STATUS_BAD_REQUEST;
  if (version[5] != '1' || version[7] > '1')
    return STATUS_VERSION;
  line->is_http_1_0 = version[7] == '0';
  *at = version + 10;
  return 0;
}

static unsigned int
read_line (Line *line, const char **at, const char *end)
{
  if (!read_method (line, at, end) || !read_target (line, at, end))
    return STATUS_BAD_REQUEST;
  return read_version (line, at, end);
}

/* The host in "http://host:port/path"; NULL if it is malformed, as it is with a user's name. */
static char *
host_of_url (const char *url, size_t length)
{
  const char *end = url + length;
  const char *host = memchr (url, ':', length);
  const char *host_end;

  if (host == NULL || end - host < 4 || memcmp (host, "://", 3) != 0)
    return NULL;
  if ((host - url != 4 || g_ascii_strncasecmp (url, "http", 4) != 0)
      && (host - url != 5 || g_ascii_strncasecmp (url, "https", 5) != 0))
    return NULL;
  host += 3;
  for (host_end = host; host_end < end && strchr ("/?#", *host_end) == NULL;)
    host_end++;
  return vt_host_name_from_authority (host, host_end - host);
}

/* The four forms of RFC 9112, 3.2, without that of CONNECT. `host` is of the Host field. */
static gboolean
check_target (const Line *line, const char *host)
{
  g_autofree char *other = NULL;

  if (line->target[0] == '/')
    return TRUE;
  if (line->target_length == 1 && line->target[0] == '*')
    return is_method (line, "OPTIONS");
  other = host_of_url (line->target, line->target_length);
  return other != NULL && strcmp (other, host) == 0;
}

/* Exactly one Host, in either version: without, nobody knows whom the request is for. */
static gboolean
read_fields (VtHttpRequest *self, const char *at, const char *end, VtHttpFraming *framing)
{
  VtHttpField field;

  while (end - at > 2)
    {
      if (!vt_http_field_read (&at, end, &field) || !vt_http_framing_add (framing, &field))
        return FALSE;
      if (!vt_http_field_is (&field, "Host"))
        continue;
      if (self->host != NULL)
        return FALSE;
      self->host = vt_host_name_from_authority (field.value, field.value_length);
      if (self->host == NULL)
        return FALSE;
    }
  return self->host != NULL;
}

static unsigned int
parse (VtHttpRequest *self, const char *head, size_t length)
{
  const char *at = head;
  const char *end = head + length;
  VtHttpFraming framing = { 0 };
  Line line = { 0 };
  unsigned int status = read_line (&line, &at, end);

  if (status != 0)
    return status;
  if (!read_fields (self, at, end, &framing) || !check_target (&line, self->host)
      || !vt_http_framing_is_clear (&framing, line.is_http_1_0)
      || (framing.has_coding && !framing.ends_chunked))
    return STATUS_BAD_REQUEST;
  /* Nobody here is a proxy for the rest of the world. */
  if (is_method (&line, "CONNECT"))
    return STATUS_NOT_ALLOWED;
  self->body = (VtHttpBody){ framing.has_coding, framing.length, TRUE };
  self->has_body = framing.has_coding || framing.length > 0;
  self->is_head = is_method (&line, "HEAD");
  self->upgrade = framing.has_upgrade && framing.upgrade && !line.is_http_1_0;
  self->persistent = vt_http_framing_is_persistent (&framing, line.is_http_1_0);
  return 0;
}

void
vt_http_request_parse (VtHttpRequest *self, const uint8_t *head, size_t length)
{
  *self = (VtHttpRequest){ 0 };
  self->status = parse (self, (const char *) head, length);
  if (self->status != 0)
    vt_http_request_clear (self);
}
