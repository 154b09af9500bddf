/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "link-end.h"

/* A server's link, and a peer that writes and reads by hand. */
typedef struct {
  GIOStream *base;
  int fd;
  GByteArray *got;
  End end;
} Peer;

static void
setup (Peer *self, const void *data)
{
  self->base = ws_stream_to_fd (&self->fd);
  self->got = g_byte_array_new ();
  end_init (&self->end, self->base, TRUE, data == NULL);
}

static void
teardown (Peer *self, const void *data)
{
  end_clear (&self->end);
  if (self->fd >= 0)
    close (self->fd);
  g_byte_array_unref (self->got);
  g_clear_object (&self->base);
}

static void
say (Peer *self, uint8_t first, const void *payload, size_t size)
{
  g_autoptr(GByteArray) bytes = g_byte_array_new ();

  ws_add_frame (bytes, first, payload, size);
  ws_write_all (self->fd, bytes->data, bytes->len);
}

static gboolean
is_cut (Peer *self)
{
  return !ws_read_some (self->fd, self->got);
}

static void
expect_closed (Peer *self, unsigned int code, int error_code)
{
  ws_wait (self->end.n_closed == 1);
  g_assert_cmpuint (self->end.code, ==, code);
  if (error_code < 0)
    g_assert_no_error (self->end.error);
  else
    g_assert_error (self->end.error, VT_ERROR, error_code);
  ws_wait (is_cut (self));
  ws_turn (50);
}

/* What the peer reads at last is a close frame. */
static void
expect_goodbye (Peer *self, unsigned int code)
{
  const uint8_t *data = self->got->data;
  size_t at = 0;

  while (at + 2 + data[at + 1] < self->got->len)
    at += 2 + data[at + 1];
  g_assert_cmpuint (data[at], ==, 0x88);
  g_assert_cmpuint (data[at + 2] << 8 | data[at + 3], ==, code);
}

/* Nothing that went past libsoup is kept. */
static void
expect_no_cargo (End *end)
{
  for (unsigned int number = 0; number < 10; number++)
    g_assert_null (vt_gate_take_payload (end->gate, number));
}

static void
test_vanish (Peer *self, const void *data)
{
  say (self, 0x81, "hello", 5);
  ws_wait (self->end.n_messages == 1);
  close (self->fd);
  self->fd = -1;
  ws_wait (self->end.n_closed == 1);
  g_assert_error (self->end.error, VT_ERROR, VT_ERROR_FAILED);
  g_assert_cmpuint (self->end.code, ==, 0);
}

static void
test_vanish_in_frame (Peer *self, const void *data)
{
  ws_write_all (self->fd, "\x81\xfe\x01\x00zero", 8);
  shutdown (self->fd, SHUT_WR);
  expect_closed (self, 0, VT_ERROR_FAILED);
}

static void
test_goodbye (Peer *self, const void *data)
{
  say (self, 0x88, "\x03\xe9going", 7);
  expect_closed (self, 1001, -1);
  g_assert_cmpstr (self->end.reason, ==, "going");
  expect_goodbye (self, 1001);
}

/* A code that libsoup does not know, and takes for an error. */
static void
test_goodbye_for_later (Peer *self, const void *data)
{
  say (self, 0x88, "\x03\xf5later", 7);
  expect_closed (self, 1013, -1);
  g_assert_cmpstr (self->end.reason, ==, "later");
}

/* What was gathered in the dispatch of the goodbye arrives before the answer to it, although the
 * kernel takes little at a time. */
static void
test_goodbye_after_much (Peer *self, const void *data)
{
  g_autoptr(GSocket) socket = vt_gate_find_socket (self->base);
  g_autoptr(GByteArray) bytes = g_byte_array_new ();
  int small = 4096;

  setsockopt (g_socket_get_fd (socket), SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
  self->end.echo = 6;
  ws_add_frame (bytes, 0x81, "much", 4);
  ws_add_frame (bytes, 0x88, "\x03\xe8", 2);
  ws_write_all (self->fd, bytes->data, bytes->len);
  ws_wait (is_cut (self));
  g_assert_cmpuint (self->got->len, ==, 6 * 10004 + 4);
  ws_wait (self->end.n_closed == 1);
}

static void
test_goodbye_without_code (Peer *self, const void *data)
{
  say (self, 0x88, "", 0);
  expect_closed (self, 0, -1);
  g_assert_null (self->end.reason);
}

/* As a client, where a server waits for the client to end the connection first. What it says
 * meanwhile is nothing. */
static void
test_goodbye_from_server (void)
{
  g_autofree char *payload = g_malloc0 (5000);
  Peer self = { 0 };

  self.base = ws_stream_to_fd (&self.fd);
  self.got = g_byte_array_new ();
  end_init (&self.end, self.base, FALSE, TRUE);
  ws_write_all (self.fd, "\x88\x02\x03\xe8", 4);
  ws_wait (is_cut (&self));
  g_assert_cmpuint (self.got->data[0], ==, 0x88);
  ws_write_all (self.fd, "\x82\x7e\x13\x88", 4);
  ws_write_all (self.fd, payload, 5000);
  ws_turn (20);
  expect_no_cargo (&self.end);
  g_assert_cmpuint (self.end.n_closed, ==, 0);
  vt_link_set_reading (self.end.link, FALSE);
  close (self.fd);
  self.fd = -1;
  ws_wait (self.end.n_closed == 1);
  g_assert_no_error (self.end.error);
  g_assert_cmpuint (self.end.code, ==, 1000);
  teardown (&self, NULL);
}

/* Nothing comes back: the deadline is ours. */
static void
test_no_answer (Peer *self, const void *data)
{
  vt_link_set_ping_interval (self->end.link, 1);
  close_link (&self->end, 1000, "bye");
  expect_closed (self, 0, VT_ERROR_FAILED);
  expect_goodbye (self, 1000);
}

/* After our goodbye nothing is a message any more. */
static void
test_late_message (Peer *self, const void *data)
{
  say (self, 0x81, "one", 3);
  ws_wait (self->end.n_messages == 1);
  close_link (&self->end, 1000, "bye");
  say (self, 0x81, "two", 3);
  say (self, 0x88, "\x03\xe8", 2);
  expect_closed (self, 1000, -1);
  g_assert_cmpuint (self->end.n_messages, ==, 1);
}

static void
count_cb (SoupWebsocketConnection *connection, int type, GBytes *message, void *user_data)
{
  (*(unsigned int *) user_data)++;
}

static void
say_in_pieces (Peer *self, const GByteArray *bytes)
{
  size_t length = 0;

  for (size_t at = 0; at < bytes->len; at += length)
    {
      length = MIN (1 + at % 199, bytes->len - at);
      ws_write_all (self->fd, bytes->data + at, length);
      ws_turn (1);
    }
}

/* Then libsoup is told of them neither, but for the rest of one that it has begun with; nothing is
 * kept; and the peer's goodbye is still heard. */
static void
test_late_messages (Peer *self, const void *data)
{
  g_autofree char *payload = g_strnfill (5000, 'x');
  g_autoptr(GByteArray) bytes = g_byte_array_new ();
  unsigned int n_heard = 0;

  g_signal_connect (self->end.connection, "message", G_CALLBACK (count_cb), &n_heard);
  ws_add_frame (bytes, 0x81, payload, 500);
  ws_write_all (self->fd, bytes->data, 100);
  ws_turn (20);
  close_link (&self->end, 1008, "bye");
  g_byte_array_remove_range (bytes, 0, 100);
  ws_add_frame (bytes, 0x82, payload, 5000);
  ws_add_frame (bytes, 0x82, payload, 10);
  ws_add_frame (bytes, 0x01, payload, 300);
  ws_add_frame (bytes, 0x89, "ping", 4);
  ws_add_frame (bytes, 0x80, payload, 2000);
  ws_add_frame (bytes, 0x82, payload, 3000);
  ws_add_frame (bytes, 0x88, "\x03\xe8", 2);
  say_in_pieces (self, bytes);
  expect_closed (self, 1000, -1);
  g_assert_cmpuint (n_heard, ==, 1);
  g_assert_cmpuint (self->end.n_messages, ==, 0);
  expect_no_cargo (&self->end);
}

static void
test_large_message (Peer *self, const void *data)
{
  g_autofree char *payload = g_malloc0 (MAX_MESSAGE);

  say (self, 0x81, "one", 3);
  say (self, 0x01, payload, MAX_MESSAGE - 1);
  say (self, 0x80, payload, 2);
  expect_closed (self, 0, VT_ERROR_LIMIT);
  expect_goodbye (self, 1009);
  g_assert_cmpuint (self->end.n_messages, ==, 1);
}

static void
test_pings (Peer *self, const void *data)
{
  g_autoptr(GByteArray) bytes = g_byte_array_new ();

  for (unsigned int i = 0; i < 2000; i++)
    ws_add_frame (bytes, 0x89, "ping", 4);
  while (self->end.n_closed == 0)
    {
      send (self->fd, bytes->data, bytes->len, MSG_NOSIGNAL);
      ws_read_some (self->fd, self->got);
      g_main_context_iteration (NULL, FALSE);
    }
  expect_closed (self, 0, VT_ERROR_LIMIT);
  expect_goodbye (self, 1008);
}

/* An unmasked frame, a lone continuation, text that is none. */
static void
test_protocol_errors (void)
{
  static const struct {
    const char *bytes;
    size_t length;
    unsigned int code;
  } wrong[] = {
    { "\x81\x05hello", 7, 1002 },        { "\x80\x80\0\0\0\0", 6, 1002 },
    { "\x81\x81\0\0\0\0\xff", 7, 1007 }, { "\xc1\x81\0\0\0\0x", 7, 1002 },
    { "\x83\x81\0\0\0\0x", 7, 1002 },
  };

  for (size_t i = 0; i < G_N_ELEMENTS (wrong); i++)
    {
      Peer peer = { 0 };

      setup (&peer, NULL);
      ws_write_all (peer.fd, wrong[i].bytes, wrong[i].length);
      expect_closed (&peer, 0, VT_ERROR_PROTOCOL);
      expect_goodbye (&peer, wrong[i].code);
      teardown (&peer, NULL);
    }
}

/* The same where nothing can be sent: libsoup would tell of it for ever, and never end. */
static void
test_protocol_error_blocked (Peer *self, const void *data)
{
  g_autofree char *payload = g_malloc0 (160000);
  g_autoptr(GByteArray) more = g_byte_array_new ();
  unsigned int turns = 0;

  while (vt_link_get_queued (self->end.link) < 2 * VT_LINK_LOW)
    {
      send_size (&self->end, 'x', 60000, TRUE);
      ws_turn (2);
    }
  ws_write_all (self->fd, "\x81\x05hello", 7);
  ws_add_frame (more, 0x81, payload, 160000);
  g_assert_cmpint (send (self->fd, more->data, more->len, MSG_NOSIGNAL), ==, more->len);
  while (self->end.n_closed == 0)
    {
      g_main_context_iteration (NULL, TRUE);
      turns++;
    }
  g_assert_error (self->end.error, VT_ERROR, VT_ERROR_PROTOCOL);
  g_assert_cmpuint (turns, <, 100);
}

/* libsoup writes what is queued when more is given to it: `writable` must not come within. */
static void
test_writable (Peer *self, const void *data)
{
  for (unsigned int i = 0; i < 10; i++)
    send_size (&self->end, 'x', 60000, TRUE);
  while (self->end.n_writable == 0)
    {
      size_t length = 0;

      do
        {
          length = self->got->len;
          g_assert_true (ws_read_some (self->fd, self->got));
        }
      while (self->got->len > length);
      g_main_context_iteration (NULL, FALSE);
      send_size (&self->end, 'y', 1, TRUE);
    }
}

/* The peer stops reading, and then is gone: no critical, one end. */
static void
test_vanish_blocked (Peer *self, const void *data)
{
  for (unsigned int i = 0; i < 20; i++)
    send_size (&self->end, 'x', 60000, TRUE);
  ws_turn (10);
  close (self->fd);
  self->fd = -1;
  ws_wait (self->end.n_closed == 1);
  g_assert_error (self->end.error, VT_ERROR, VT_ERROR_FAILED);
}

static void
test_free (Peer *self, const void *data)
{
  say (self, 0x81, "one", 3);
  for (unsigned int i = 0; i < 20; i++)
    send_size (&self->end, 'x', 60000, TRUE);
  g_clear_pointer (&self->end.link, vt_link_free);
  ws_wait (is_cut (self));
  g_assert_cmpuint (self->end.n_closed, ==, 0);
}

/* A connection that was over before it became a link. */
static void
test_dead (void)
{
  End end = { 0 };
  int fd = -1;
  g_autoptr(GIOStream) base = ws_stream_to_fd (&fd);
  g_autoptr(SoupWebsocketConnection) connection = ws_new (base, TRUE);

  close (fd);
  ws_wait (soup_websocket_connection_get_state (connection) == SOUP_WEBSOCKET_STATE_CLOSED);
  end.messages = g_string_new (NULL);
  end.connection = g_object_ref (connection);
  end.link = vt_link_new (connection, NULL, MAX_MESSAGE, &handlers, &end);
  g_assert_cmpuint (end.n_closed, ==, 0);
  ws_wait (end.n_closed == 1);
  g_assert_error (end.error, VT_ERROR, VT_ERROR_FAILED);
  g_clear_object (&connection);
  end_clear (&end);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ws_quiet ();
#define ADD(path, data, func) g_test_add (path, Peer, data, setup, func, teardown)
  ADD ("/link/peer/vanish", NULL, test_vanish);
  ADD ("/link/peer/vanish/no-gate", "", test_vanish);
  ADD ("/link/peer/vanish/in-frame", NULL, test_vanish_in_frame);
  ADD ("/link/peer/vanish/blocked", NULL, test_vanish_blocked);
  ADD ("/link/peer/vanish/blocked/no-gate", "", test_vanish_blocked);
  ADD ("/link/peer/goodbye", NULL, test_goodbye);
  ADD ("/link/peer/goodbye/no-gate", "", test_goodbye);
  ADD ("/link/peer/goodbye/after-much", NULL, test_goodbye_after_much);
  ADD ("/link/peer/goodbye/without-code", NULL, test_goodbye_without_code);
  ADD ("/link/peer/goodbye/for-later", NULL, test_goodbye_for_later);
  ADD ("/link/peer/no-answer", NULL, test_no_answer);
  ADD ("/link/peer/no-answer/no-gate", "", test_no_answer);
  ADD ("/link/peer/late-message", NULL, test_late_message);
  ADD ("/link/peer/late-messages", NULL, test_late_messages);
  ADD ("/link/peer/large-message", NULL, test_large_message);
  ADD ("/link/peer/pings", NULL, test_pings);
  ADD ("/link/peer/protocol-error/blocked", NULL, test_protocol_error_blocked);
  ADD ("/link/queue/writable", NULL, test_writable);
  ADD ("/link/free/blocked", NULL, test_free);
  ADD ("/link/free/blocked/no-gate", "", test_free);
#undef ADD
  g_test_add_func ("/link/peer/protocol-error/each", test_protocol_errors);
  g_test_add_func ("/link/peer/goodbye/from-server", test_goodbye_from_server);
  g_test_add_func ("/link/new/dead", test_dead);
  return g_test_run ();
}
