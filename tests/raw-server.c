/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "raw-server.h"

#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "vt-codec-binary-private.h"

struct _RawServer {
  GSocket *socket;              /* owned */
  GTlsCertificate *certificate; /* owned, nullable */
};

struct _RawLink {
  GSocket *socket;   /* owned */
  GIOStream *stream; /* owned */
  GByteArray *input; /* owned, what came and was not taken */
  guint64 counted;
  gboolean ended;
};

#define OPCODE_TEXT 1
#define OPCODE_BINARY 2
#define OPCODE_CLOSE 8
#define OPCODE_PING 9
#define OPCODE_PONG 10

static gboolean
tick_cb (gpointer user_data)
{
  return G_SOURCE_CONTINUE;
}

void
raw_turn (void)
{
  g_autoptr(GSource) tick = g_timeout_source_new (2);

  g_source_set_callback (tick, tick_cb, NULL, NULL);
  g_source_attach (tick, NULL);
  g_main_context_iteration (NULL, TRUE);
  g_source_destroy (tick);
}

void
raw_settle (void)
{
  unsigned int idle = 0;

  /* TLS closes in a thread of GIO's, which takes a moment. */
  while (idle < 5)
    {
      if (!g_main_context_iteration (NULL, FALSE))
        idle++;
      raw_turn ();
    }
}

unsigned int
raw_count_descriptors (void)
{
  g_autoptr(GDir) dir = g_dir_open ("/proc/self/fd", 0, NULL);
  unsigned int count = 0;

  while (g_dir_read_name (dir) != NULL)
    count++;
  return count;
}

RawServer *
raw_server_new (GTlsCertificate *certificate)
{
  g_autoptr(GInetAddress) loopback = g_inet_address_new_loopback (G_SOCKET_FAMILY_IPV4);
  g_autoptr(GSocketAddress) address = g_inet_socket_address_new (loopback, 0);
  g_autoptr(GError) error = NULL;
  RawServer *self = g_new0 (RawServer, 1);

  g_set_object (&self->certificate, certificate);
  self->socket =
      g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, &error);
  g_assert_no_error (error);
  g_socket_set_blocking (self->socket, FALSE);
  g_socket_bind (self->socket, address, FALSE, &error);
  g_assert_no_error (error);
  g_socket_listen (self->socket, &error);
  g_assert_no_error (error);
  return self;
}

void
raw_server_free (RawServer *self)
{
  g_socket_close (self->socket, NULL);
  g_object_unref (self->socket);
  g_clear_object (&self->certificate);
  g_free (self);
}

guint16
raw_server_get_port (RawServer *self)
{
  g_autoptr(GSocketAddress) address = g_socket_get_local_address (self->socket, NULL);

  return g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (address));
}

char *
raw_server_get_uri (RawServer *self, const char *scheme)
{
  return g_strdup_printf ("%s://127.0.0.1:%u/", scheme, raw_server_get_port (self));
}

RawLink *
raw_server_wait_link (RawServer *self)
{
  g_autoptr(GError) error = NULL;
  RawLink *link = g_new0 (RawLink, 1);

  RAW_WAIT (g_socket_condition_check (self->socket, G_IO_IN) != 0);
  link->socket = g_socket_accept (self->socket, NULL, &error);
  g_assert_no_error (error);
  g_socket_set_blocking (link->socket, FALSE);
  link->input = g_byte_array_new ();
  link->stream = G_IO_STREAM (g_socket_connection_factory_create_connection (link->socket));
  if (self->certificate != NULL)
    raw_link_start_tls (link, self->certificate);
  return link;
}

void
raw_link_start_tls (RawLink *self, GTlsCertificate *certificate)
{
  g_autoptr(GIOStream) base = g_steal_pointer (&self->stream);
  g_autoptr(GError) error = NULL;

  self->stream = g_tls_server_connection_new (base, certificate, &error);
  g_assert_no_error (error);
}

void
raw_link_free (RawLink *self)
{
  g_socket_close (self->socket, NULL);
  g_object_unref (self->socket);
  g_object_unref (self->stream);
  g_byte_array_unref (self->input);
  g_free (self);
}

void
raw_link_reset (RawLink *self)
{
  const struct linger linger = { .l_onoff = 1, .l_linger = 0 };

  setsockopt (g_socket_get_fd (self->socket), SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
  g_socket_close (self->socket, NULL);
}

void
raw_link_send (RawLink *self, const void *data, size_t length)
{
  GPollableOutputStream *output =
      G_POLLABLE_OUTPUT_STREAM (g_io_stream_get_output_stream (self->stream));
  const char *at = data;
  gint64 deadline = g_get_monotonic_time () + 20 * G_USEC_PER_SEC;

  while (length > 0)
    {
      g_autoptr(GError) error = NULL;
      gssize n_bytes =
          g_pollable_output_stream_write_nonblocking (output, at, length, NULL, &error);

      if (n_bytes > 0)
        {
          at += n_bytes;
          length -= n_bytes;
          continue;
        }
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK);
      g_assert_cmpint (g_get_monotonic_time (), <, deadline);
      raw_turn ();
    }
}

/* Takes what is there. */
static void
fill (RawLink *self)
{
  GPollableInputStream *input =
      G_POLLABLE_INPUT_STREAM (g_io_stream_get_input_stream (self->stream));
  g_autoptr(GError) error = NULL;
  char buffer[4096];
  gssize n_bytes;

  while (!self->ended)
    {
      n_bytes =
          g_pollable_input_stream_read_nonblocking (input, buffer, sizeof buffer, NULL, &error);
      if (n_bytes > 0)
        g_byte_array_append (self->input, (uint8_t *) buffer, n_bytes);
      else if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK))
        break;
      else
        self->ended = TRUE;
    }
}

gboolean
raw_link_is_ended (RawLink *self)
{
  fill (self);
  return self->ended;
}

static gboolean
has_head (RawLink *self)
{
  fill (self);
  return self->input->len > 0
         && g_strstr_len ((char *) self->input->data, self->input->len, "\r\n\r\n") != NULL;
}

char *
raw_link_read_head (RawLink *self)
{
  size_t length;
  char *head;

  RAW_WAIT (has_head (self));
  length = g_strstr_len ((char *) self->input->data, self->input->len, "\r\n\r\n") + 4
           - (char *) self->input->data;
  head = g_strndup ((char *) self->input->data, length);
  g_byte_array_remove_range (self->input, 0, length);
  return head;
}

static char *
compute_accept (const char *head)
{
  const char *field = strstr (head, "Sec-WebSocket-Key: ");
  g_autoptr(GChecksum) checksum = g_checksum_new (G_CHECKSUM_SHA1);
  g_autofree char *key = NULL;
  uint8_t digest[20];
  size_t length = sizeof digest;

  g_assert_nonnull (field);
  field += strlen ("Sec-WebSocket-Key: ");
  key = g_strndup (field, strcspn (field, "\r"));
  g_checksum_update (checksum, (uint8_t *) key, -1);
  g_checksum_update (checksum, (const uint8_t *) "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", -1);
  g_checksum_get_digest (checksum, digest, &length);
  return g_base64_encode (digest, length);
}

void
raw_link_upgrade (RawLink *self, const char *head, GBytes *tail)
{
  raw_link_upgrade_to (self, head, NULL, tail);
}

void
raw_link_upgrade_to (RawLink *self, const char *head, const char *subprotocol, GBytes *tail)
{
  g_autofree char *accept = compute_accept (head);
  g_autoptr(GByteArray) answer = g_byte_array_new ();
  g_autofree char *text =
      g_strdup_printf ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                       "Connection: Upgrade\r\nSec-WebSocket-Accept: %s%s%s\r\n\r\n",
                       accept, subprotocol != NULL ? "\r\nSec-WebSocket-Protocol: " : "",
                       subprotocol != NULL ? subprotocol : "");

  g_byte_array_append (answer, (uint8_t *) text, strlen (text));
  if (tail != NULL)
    g_byte_array_append (answer, g_bytes_get_data (tail, NULL), g_bytes_get_size (tail));
  raw_link_send (self, answer->data, answer->len);
}

RawLink *
raw_server_wait_upgrade (RawServer *self)
{
  RawLink *link = raw_server_wait_link (self);
  g_autofree char *head = raw_link_read_head (link);

  raw_link_upgrade (link, head, NULL);
  return link;
}

GBytes *
raw_frame_new (unsigned int opcode, const void *data, size_t length)
{
  GByteArray *frame = g_byte_array_new ();
  uint8_t header[4] = { 0x80 | opcode, length < 126 ? length : 126, length >> 8, length & 0xff };

  g_assert_cmpuint (length, <, 65536);
  g_byte_array_append (frame, header, length < 126 ? 2 : 4);
  g_byte_array_append (frame, data, length);
  return g_byte_array_free_to_bytes (frame);
}

static void
send_frame (RawLink *self, unsigned int opcode, const void *data, size_t length)
{
  g_autoptr(GBytes) frame = raw_frame_new (opcode, data, length);

  raw_link_send (self, g_bytes_get_data (frame, NULL), g_bytes_get_size (frame));
}

void
raw_link_send_text (RawLink *self, const char *text)
{
  send_frame (self, OPCODE_TEXT, text, strlen (text));
}

void
raw_link_send_binary (RawLink *self, const void *data, size_t length)
{
  send_frame (self, OPCODE_BINARY, data, length);
}

void
raw_link_send_close (RawLink *self, unsigned int code, const char *reason)
{
  g_autofree char *payload = g_strdup_printf ("%c%c%s", code >> 8, code & 0xff, reason);

  send_frame (self, OPCODE_CLOSE, payload, 2 + strlen (reason));
}

/* Takes one frame, if it is whole, and gives its payload, with a NUL behind it. */
static char *
take_frame (RawLink *self, unsigned int *opcode, size_t *length)
{
  const uint8_t *at;
  size_t header = 2;
  char *payload;

  fill (self);
  at = self->input->data;
  if (self->input->len < 6)
    return NULL;
  g_assert_true (at[0] & 0x80);
  g_assert_true (at[1] & 0x80);
  *opcode = at[0] & 0x0f;
  *length = at[1] & 0x7f;
  g_assert_cmpuint (*length, <, 127);
  if (*length == 126)
    {
      *length = at[2] << 8 | at[3];
      header = 4;
    }
  if (self->input->len < header + 4 + *length)
    return NULL;
  payload = g_malloc0 (*length + 1);
  for (size_t i = 0; i < *length; i++)
    payload[i] = at[header + 4 + i] ^ at[header + i % 4];
  g_byte_array_remove_range (self->input, 0, header + 4 + *length);
  return payload;
}

/* In v2 both sides send pings of their own, which measure. */
static gboolean
is_ping (const char *payload)
{
  return g_str_has_prefix (payload, "{\"type\":\"ping\",\"t\":");
}

static gboolean
is_counted (unsigned int opcode, const char *payload)
{
  if (opcode == OPCODE_BINARY)
    return *payload != VT_BINARY_ACK;
  return opcode == OPCODE_TEXT && !is_ping (payload)
         && !g_str_has_prefix (payload, "{\"type\":\"hello\",");
}

/* Skips what comes in between, and messages of the other kind. */
static char *
wait_frame (RawLink *self, unsigned int skipped, unsigned int *opcode, size_t *length)
{
  char *payload = NULL;
  gboolean is_aside;

  do
    {
      g_free (payload);
      payload = NULL;
      RAW_WAIT ((payload = take_frame (self, opcode, length)) != NULL || self->ended);
      if (payload == NULL)
        break;
      is_aside = *opcode == OPCODE_PING || *opcode == OPCODE_PONG || *opcode == skipped
                 || (*opcode == OPCODE_TEXT && is_ping (payload));
      self->counted += is_counted (*opcode, payload);
    }
  while (is_aside);
  return payload;
}

guint64
raw_link_get_counted (RawLink *self)
{
  return self->counted;
}

GBytes *
raw_link_read_binary (RawLink *self)
{
  unsigned int opcode = 0;
  size_t length = 0;
  char *payload = wait_frame (self, OPCODE_TEXT, &opcode, &length);

  g_assert_nonnull (payload);
  g_assert_cmpuint (opcode, ==, OPCODE_BINARY);
  return g_bytes_new_take (payload, length);
}

char *
raw_link_read_text (RawLink *self)
{
  unsigned int opcode = 0;
  size_t length = 0;
  char *payload = wait_frame (self, OPCODE_BINARY, &opcode, &length);

  if (payload != NULL && opcode != OPCODE_TEXT)
    g_clear_pointer (&payload, g_free);
  return payload;
}

void
raw_link_expect_text (RawLink *self, const char *text)
{
  g_autofree char *message = raw_link_read_text (self);

  g_assert_cmpstr (message, ==, text);
}

unsigned int
raw_link_read_close (RawLink *self)
{
  unsigned int opcode = 0;
  size_t length = 0;
  g_autofree char *payload = wait_frame (self, OPCODE_BINARY, &opcode, &length);

  g_assert_nonnull (payload);
  g_assert_cmpuint (opcode, ==, OPCODE_CLOSE);
  send_frame (self, OPCODE_CLOSE, payload, length);
  return length < 2 ? 0 : (uint8_t) payload[0] << 8 | (uint8_t) payload[1];
}
