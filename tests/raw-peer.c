/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "raw-peer.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <glib-unix.h>

#define DEADLINE_SECONDS 20

enum {
  TEXT = RAW_TEXT,
  BINARY = RAW_BINARY,
  CLOSE = RAW_CLOSE,
  PING = RAW_PING,
  PONG = RAW_PONG,
};

static gboolean
late_cb (void *user_data)
{
  g_error ("What the test waits for does not come");
  return G_SOURCE_REMOVE;
}

void
raw_wait (RawCondition condition, void *user_data)
{
  g_autoptr(GSource) deadline = g_timeout_source_new_seconds (DEADLINE_SECONDS);

  g_source_set_callback (deadline, late_cb, NULL, NULL);
  g_source_attach (deadline, NULL);
  while (!condition (user_data))
    g_main_context_iteration (NULL, TRUE);
  g_source_destroy (deadline);
}

void
raw_settle (void)
{
  while (g_main_context_iteration (NULL, FALSE))
    ;
}

unsigned int
raw_count_descriptors (void)
{
  g_autoptr(GDir) dir = g_dir_open ("/proc/self/fd", 0, NULL);
  unsigned int n = 0;

  g_assert_nonnull (dir);
  while (g_dir_read_name (dir) != NULL)
    n++;
  return n;
}

static gboolean
readable_cb (int fd, GIOCondition condition, void *user_data)
{
  RawPeer *self = user_data;
  guint8 buffer[65536];
  ssize_t n = recv (fd, buffer, self->piece, MSG_DONTWAIT);

  if (n < 0 && errno == EAGAIN)
    return G_SOURCE_CONTINUE;
  if (n <= 0)
    {
      self->ended = TRUE;
      self->reset = n < 0;
      return G_SOURCE_REMOVE;
    }
  g_byte_array_append (self->input, buffer, n);
  return G_SOURCE_CONTINUE;
}

RawPeer *
raw_peer_new (guint16 port)
{
  struct sockaddr_in address = {
    .sin_family = AF_INET,
    .sin_port = htons (port),
    .sin_addr = { htonl (INADDR_LOOPBACK) },
  };
  RawPeer *self = g_new0 (RawPeer, 1);

  self->fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  g_assert_cmpint (self->fd, >=, 0);
  g_assert_no_errno (connect (self->fd, (struct sockaddr *) &address, sizeof address));
  self->input = g_byte_array_new ();
  self->piece = 65536;
  self->source = g_unix_fd_source_new (self->fd, G_IO_IN);
  g_source_set_callback (self->source, G_SOURCE_FUNC (readable_cb), self, NULL);
  g_source_attach (self->source, NULL);
  return self;
}

void
raw_peer_free (RawPeer *self)
{
  g_source_destroy (self->source);
  g_source_unref (self->source);
  close (self->fd);
  g_byte_array_unref (self->input);
  g_free (self);
}

void
raw_peer_send (RawPeer *self, const void *data, size_t length)
{
  const guint8 *bytes = data;

  while (length > 0)
    {
      ssize_t n = send (self->fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);

      if (n < 0 && errno == EAGAIN)
        {
          g_main_context_iteration (NULL, FALSE);
          continue;
        }
      /* The other side may have had enough already; what it answered is what counts. */
      if (n < 0)
        return;
      bytes += n;
      length -= n;
    }
}

void
raw_peer_send_text (RawPeer *self, const char *text)
{
  raw_peer_send (self, text, strlen (text));
}

void
raw_peer_shutdown (RawPeer *self)
{
  shutdown (self->fd, SHUT_WR);
}

static const char *
input_text (RawPeer *self)
{
  g_byte_array_append (self->input, (const guint8 *) "", 1);
  self->input->len--;
  return (const char *) self->input->data;
}

static gboolean
has_ended (void *user_data)
{
  return ((RawPeer *) user_data)->ended;
}

const char *
raw_peer_wait_end (RawPeer *self)
{
  raw_wait (has_ended, self);
  return input_text (self);
}

typedef struct {
  RawPeer *peer;
  size_t length;
} Wanted;

static gboolean
has_input (void *user_data)
{
  Wanted *wanted = user_data;

  return wanted->peer->input->len >= wanted->length || wanted->peer->ended;
}

const char *
raw_peer_wait_input (RawPeer *self, size_t length)
{
  Wanted wanted = { self, length };

  raw_wait (has_input, &wanted);
  return input_text (self);
}

static gboolean
has_head (void *user_data)
{
  RawPeer *self = user_data;

  return self->ended || strstr (input_text (self), "\r\n\r\n") != NULL;
}

char *
raw_peer_ask_for_upgrade (RawPeer *self, const char *path, const char *lines)
{
  g_autofree char *request = g_strdup_printf ("GET %s HTTP/1.1\r\n"
                                              "Host: localhost\r\n"
                                              "Connection: Upgrade\r\n"
                                              "Upgrade: websocket\r\n"
                                              "Sec-WebSocket-Version: 13\r\n"
                                              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                                              "%s\r\n",
                                              path, lines);
  const char *head;
  size_t length;
  char *answer;

  raw_peer_send_text (self, request);
  raw_wait (has_head, self);
  head = input_text (self);
  length = strstr (head, "\r\n\r\n") + 4 - head;
  answer = g_strndup (head, length);
  g_byte_array_remove_range (self->input, 0, length);
  return answer;
}

void
raw_peer_upgrade (RawPeer *self, const char *path)
{
  g_autofree char *answer = raw_peer_ask_for_upgrade (self, path, "");

  g_assert_true (g_str_has_prefix (answer, "HTTP/1.1 101 "));
}

RawPeer *
raw_peer_new_websocket (guint16 port, const char *path)
{
  RawPeer *self = raw_peer_new (port);

  raw_peer_upgrade (self, path);
  return self;
}

void
raw_peer_send_frame (RawPeer *self, int kind, const void *payload, size_t length)
{
  g_autoptr(GByteArray) frame = g_byte_array_new ();
  const guint8 mask[4] = { 0 };

  g_assert_cmpuint (length, <=, G_MAXUINT16);
  g_byte_array_append (frame, (const guint8[]){ 0x80 | kind }, 1);
  if (length < 126)
    g_byte_array_append (frame, (const guint8[]){ 0x80 | length }, 1);
  else
    g_byte_array_append (frame, (const guint8[]){ 0x80 | 126, length >> 8, length & 0xff }, 3);
  g_byte_array_append (frame, mask, sizeof mask);
  g_byte_array_append (frame, payload, length);
  raw_peer_send (self, frame->data, frame->len);
}

void
raw_peer_send_message (RawPeer *self, const char *text)
{
  raw_peer_send_frame (self, TEXT, text, strlen (text));
}

/* The server never fragments. */
int
raw_peer_read_frame (RawPeer *self, GString *payload)
{
  size_t header = 2;
  size_t length;
  int kind;

  raw_peer_wait_input (self, header);
  if (self->input->len < header)
    return 0;
  kind = self->input->data[0] & 0x0f;
  length = self->input->data[1] & 0x7f;
  g_assert_cmpuint (self->input->data[1] & 0x80, ==, 0);
  if (length == 126)
    {
      header = 4;
      raw_peer_wait_input (self, header);
      length = (size_t) self->input->data[2] << 8 | self->input->data[3];
    }
  raw_peer_wait_input (self, header + length);
  if (self->input->len < header + length)
    return 0;
  g_string_truncate (payload, 0);
  g_string_append_len (payload, (const char *) self->input->data + header, length);
  g_byte_array_remove_range (self->input, 0, header + length);
  return kind;
}

char *
raw_peer_read_message (RawPeer *self)
{
  g_autoptr(GString) payload = g_string_new (NULL);
  int kind;

  do
    kind = raw_peer_read_frame (self, payload);
  while (kind == PING || kind == PONG);
  if (kind == 0 || kind == CLOSE)
    return NULL;
  return g_string_free (g_steal_pointer (&payload), FALSE);
}

char *
raw_peer_read_text (RawPeer *self)
{
  g_autoptr(GString) payload = g_string_new (NULL);
  int kind;

  do
    kind = raw_peer_read_frame (self, payload);
  while (kind == PING || kind == PONG || kind == BINARY
         || (kind == TEXT && g_str_has_prefix (payload->str, "{\"type\":\"ping\",\"t\":")));
  if (kind == 0 || kind == CLOSE)
    return NULL;
  return g_string_free (g_steal_pointer (&payload), FALSE);
}

GBytes *
raw_peer_read_binary (RawPeer *self)
{
  g_autoptr(GString) payload = g_string_new (NULL);
  const int ack = 7;
  int kind;

  do
    kind = raw_peer_read_frame (self, payload);
  while (kind != 0 && kind != CLOSE && (kind != BINARY || payload->str[0] == ack));
  g_assert_cmpint (kind, ==, BINARY);
  return g_string_free_to_bytes (g_steal_pointer (&payload));
}

unsigned int
raw_peer_read_close (RawPeer *self)
{
  g_autoptr(GString) payload = g_string_new (NULL);
  int kind;

  do
    kind = raw_peer_read_frame (self, payload);
  while (kind != 0 && kind != CLOSE);
  g_assert_cmpint (kind, ==, CLOSE);
  g_assert_cmpuint (payload->len, >=, 2);
  return (guint8) payload->str[0] << 8 | (guint8) payload->str[1];
}

void
raw_peer_expect_message (RawPeer *self, const char *text)
{
  g_autofree char *message = raw_peer_read_message (self);

  g_assert_cmpstr (message, ==, text);
}
