/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "time-skip.h"

#include "ws-pair.h"

#define TEXT 0x81
#define BINARY 0x82
#define CARRY_FROM 1024

/* The server's end of a WebSocket whose peer writes frames by hand, and what was told of it: "l" by
 * libsoup, "g" by the gate, then the size and the first letter of the message. */
typedef struct {
  VtGate *gate;
  SoupWebsocketConnection *connection;
  int fd;
  GString *heard;
  GString *messages; /* the same, by whomever */
  unsigned int n_messages;
  GError *error;
  gboolean closed;

  /* What happens within the next message, or, answering or sleeping, within each: at most one. */
  gboolean pauses, aborts, turns, sends, answers, sleeps;
  gboolean acting;
} Fixture;

static gboolean send_size (Fixture *self, guint64 number, size_t size);
static void give_one (Fixture *self);
static void send_and_wait (Fixture *self);

static void
act (Fixture *self)
{
  if (self->pauses)
    vt_gate_set_paused (self->gate, TRUE);
  if (self->aborts)
    vt_gate_abort (self->gate, FALSE);
  if (self->turns)
    {
      give_one (self);
      ws_turn (30);
    }
  if (self->sends)
    send_and_wait (self);
  if (self->answers)
    g_assert_true (send_size (self, self->n_messages, 10));
  if (self->sleeps)
    time_skip (G_TIME_SPAN_MILLISECOND);
  self->pauses = self->aborts = self->turns = self->sends = FALSE;
}

static void
told (Fixture *self, char whom, GBytes *message)
{
  g_autoptr(GBytes) carried = vt_gate_take_payload (self->gate, ++self->n_messages);
  size_t size = 0;
  const char *data = NULL;

  if (carried != NULL)
    g_assert_cmpuint (g_bytes_get_size (message), ==, 0);
  data = g_bytes_get_data (carried != NULL ? carried : message, &size);
  g_string_append_printf (self->heard, "%c%zu%c ", whom, size, size > 0 ? *data : '-');
  g_string_append_printf (self->messages, "%zu%c ", size, size > 0 ? *data : '-');
  g_assert_false (self->acting);
  self->acting = TRUE;
  act (self);
  self->acting = FALSE;
}

static void
soup_message_cb (SoupWebsocketConnection *connection, int type, GBytes *message, void *user_data)
{
  told (user_data, 'l', message);
}

static void
gate_message_cb (GBytes *message, void *user_data)
{
  told (user_data, 'g', message);
}

static void
soup_error_cb (SoupWebsocketConnection *connection, GError *error, void *user_data)
{
  Fixture *self = user_data;

  g_clear_error (&self->error);
  self->error = g_error_copy (error);
}

static void
soup_closed_cb (SoupWebsocketConnection *connection, void *user_data)
{
  ((Fixture *) user_data)->closed = TRUE;
}

static void
nothing_cb (void *user_data)
{
}

static void
violated_cb (unsigned int close_code, const char *reason, void *user_data)
{
}

static void
begin (Fixture *self, GIOStream *base)
{
  const VtFrameLimits limits = {
    .max_message = 1024 * 1024, .max_control_rate = 1000, .carry_from = CARRY_FROM, .masked = TRUE
  };
  const VtGateHandlers handlers = {
    .alive = nothing_cb, .message = gate_message_cb, .drained = nothing_cb, .violated = violated_cb
  };

  self->heard = g_string_new (NULL);
  self->messages = g_string_new (NULL);
  self->gate = vt_gate_new (base);
  self->connection = ws_new (G_IO_STREAM (self->gate), TRUE);
  g_signal_connect (self->connection, "message", G_CALLBACK (soup_message_cb), self);
  g_signal_connect (self->connection, "error", G_CALLBACK (soup_error_cb), self);
  g_signal_connect (self->connection, "closed", G_CALLBACK (soup_closed_cb), self);
  vt_gate_begin_websocket (self->gate, &limits, &handlers, self);
  ws_turn (5);
}

static void
set_up (Fixture *self, const void *data)
{
  g_autoptr(GIOStream) base = ws_stream_to_fd (&self->fd);

  begin (self, base);
}

/* A base that is no socket's, as TLS is none. */
static void
set_up_stream (Fixture *self, const void *data)
{
  g_autoptr(GIOStream) socket = ws_stream_to_fd (&self->fd);
  g_autoptr(GIOStream) base = g_simple_io_stream_new (g_io_stream_get_input_stream (socket),
                                                       g_io_stream_get_output_stream (socket));

  g_object_set_data_full (G_OBJECT (base), "socket", g_object_ref (socket), g_object_unref);
  begin (self, base);
}

static void
tear_down (Fixture *self, const void *data)
{
  GObject *last_connection = G_OBJECT (self->connection);
  GObject *last_gate = G_OBJECT (self->gate);

  g_signal_handlers_disconnect_by_data (self->connection, self);
  g_object_add_weak_pointer (last_connection, (void **) &last_connection);
  g_object_add_weak_pointer (last_gate, (void **) &last_gate);
  vt_gate_forget_handlers (self->gate);
  vt_gate_abort (self->gate, FALSE);
  g_clear_object (&self->connection);
  g_clear_object (&self->gate);
  ws_wait (last_connection == NULL && last_gate == NULL);
  g_string_free (self->heard, TRUE);
  g_string_free (self->messages, TRUE);
  g_clear_error (&self->error);
  close (self->fd);
}

/* One write of several frames: of each its first byte, the letter that it is full of, and how often
 * that comes. */
typedef struct {
  uint8_t first;
  char letter;
  size_t size;
} Frame;

static GByteArray *
new_frames (const Frame *frames)
{
  GByteArray *bytes = g_byte_array_new ();

  for (; frames->letter != 0; frames++)
    {
      g_autofree char *payload = g_strnfill (frames->size, frames->letter);

      ws_add_frame (bytes, frames->first, payload, frames->size);
    }
  return bytes;
}

static void
give (Fixture *self, const Frame *frames)
{
  g_autoptr(GByteArray) bytes = new_frames (frames);

  g_assert_cmpint (send (self->fd, bytes->data, bytes->len, MSG_NOSIGNAL), ==, bytes->len);
}

#define GIVE(self, ...) give (self, (const Frame[]){ __VA_ARGS__, { 0 } })

static void
give_one (Fixture *self)
{
  GIVE (self, { BINARY, 'n', 7 });
}

static void
expect (Fixture *self, const char *what)
{
  ws_wait (strlen (self->heard->str) >= strlen (what));
  ws_turn (20);
  g_assert_cmpstr (self->heard->str, ==, what);
  g_string_truncate (self->heard, 0);
}

/* The dispatch that finds the socket readable is the one in which its message is handed on, and
 * nothing is left to do then. */
static void
test_same_dispatch (Fixture *self, const void *data)
{
  for (unsigned int i = 0; i < 3; i++)
    {
      GIVE (self, { BINARY, 'a', 5 }, { BINARY, 'b', 0 }, { BINARY, 'c', 200 });
      g_assert_true (g_main_context_iteration (NULL, FALSE));
      g_assert_cmpstr (self->heard->str, ==, "g5a g0- g200c ");
      g_assert_false (g_main_context_pending (NULL));
      g_string_truncate (self->heard, 0);
    }
}

/* And what that makes leaves in it. */
static void
test_same_dispatch_answer (Fixture *self, const void *data)
{
  g_autoptr(GByteArray) got = g_byte_array_new ();

  self->answers = TRUE;
  for (unsigned int i = 1; i <= 3; i++)
    {
      GIVE (self, { BINARY, 'a', 5 });
      g_assert_true (g_main_context_iteration (NULL, FALSE));
      g_assert_true (ws_read_some (self->fd, got));
      g_assert_cmpuint (got->len, ==, 12 * i);
    }
  g_assert_cmpstr (self->heard->str, ==, "g5a g5a g5a ");
}

/* As soon as libsoup has something to see, all that follows is libsoup's, until it has seen it. */
static void
test_order (Fixture *self, const void *data)
{
  GIVE (self, { BINARY, 'a', 1 }, { TEXT, 'b', 2 }, { BINARY, 'c', 3 }, { BINARY, 'd', 5000 });
  expect (self, "g1a l2b l3c l5000d ");
  GIVE (self, { BINARY, 'e', 4 }, { 0x89, 'p', 3 }, { BINARY, 'f', 5 });
  expect (self, "g4e l5f ");
  GIVE (self, { BINARY, 'g', 6 });
  expect (self, "g6g ");
}

/* What comes in pieces, cut anywhere, is the same: here a message, and one that is carried. */
static void
test_pieces (Fixture *self, const void *data)
{
  const Frame frames[] = { { BINARY, 'a', 20 }, { BINARY, 'b', 3000 }, { BINARY, 'c', 2 }, { 0 } };
  g_autoptr(GByteArray) bytes = new_frames (frames);

  for (size_t cut = 1; cut < bytes->len; cut += cut < 60 || cut > 3000 ? 1 : 97)
    {
      g_assert_cmpint (send (self->fd, bytes->data, cut, MSG_NOSIGNAL), ==, cut);
      ws_turn (6);
      g_assert_cmpint (send (self->fd, bytes->data + cut, bytes->len - cut, MSG_NOSIGNAL), ==,
                       bytes->len - cut);
      ws_wait (self->messages->len >= strlen ("20a 3000b 2c "));
      g_assert_cmpstr (self->messages->str, ==, "20a 3000b 2c ");
      g_string_truncate (self->heard, 0);
      g_string_truncate (self->messages, 0);
    }
  /* Cut between two frames, or within a payload that is carried, nothing is libsoup's. */
  g_assert_cmpint (send (self->fd, bytes->data, 1000, MSG_NOSIGNAL), ==, 1000);
  ws_turn (6);
  g_assert_cmpint (send (self->fd, bytes->data + 1000, bytes->len - 1000, MSG_NOSIGNAL), ==,
                   bytes->len - 1000);
  expect (self, "g20a g3000b g2c ");
}

static void
test_fragments (Fixture *self, const void *data)
{
  GIVE (self, { 0x02, 'a', 10 });
  ws_turn (10);
  GIVE (self, { 0x00, 'b', 10 });
  ws_turn (10);
  GIVE (self, { 0x80, 'c', 10 });
  expect (self, "l30a ");
  GIVE (self, { BINARY, 'd', 10 });
  expect (self, "g10d ");
  /* One in the middle of another is libsoup's to refuse. */
  GIVE (self, { 0x02, 'e', 10 });
  ws_turn (10);
  GIVE (self, { BINARY, 'f', 10 });
  ws_wait (self->error != NULL);
  g_assert_error (self->error, SOUP_WEBSOCKET_ERROR, SOUP_WEBSOCKET_CLOSE_PROTOCOL_ERROR);
  (void) !send (self->fd, "\x82\x81mask!", 7, MSG_NOSIGNAL);
  ws_turn (20);
  g_assert_cmpstr (self->heard->str, ==, "");
}

/* Frames that are not as they should be are libsoup's to refuse, too. `data`: which. */
static void
test_malformed (Fixture *self, const void *data)
{
  static const struct {
    const char *bytes;
    size_t length;
  } wrong[] = {
    { "\x82\x01x", 3 },             /* without a mask */
    { "\x82\xfe\x00\x01mask!", 9 }, /* a length of a longer form than it needs */
    { "\xc2\x81mask!", 7 },         /* a bit of an extension that nobody has agreed on */
    { "\x83\x81mask!", 7 },         /* an unknown kind */
  };
  size_t which = GPOINTER_TO_SIZE (data);

  GIVE (self, { BINARY, 'a', 1 });
  ws_turn (5);
  g_assert_cmpint (send (self->fd, wrong[which].bytes, wrong[which].length, MSG_NOSIGNAL), ==,
                   wrong[which].length);
  ws_wait (self->error != NULL);
  g_assert_error (self->error, SOUP_WEBSOCKET_ERROR, SOUP_WEBSOCKET_CLOSE_PROTOCOL_ERROR);
  expect (self, "g1a ");
}

/* Nothing counts that comes after a goodbye. */
static void
test_goodbye (Fixture *self, const void *data)
{
  const char goodbye[] = "\x88\x82\0\0\0\0\x03\xe8";

  g_assert_cmpint (send (self->fd, goodbye, sizeof goodbye - 1, MSG_NOSIGNAL), ==,
                   sizeof goodbye - 1);
  ws_turn (10);
  (void) !send (self->fd, "\x82\x81mask!", 7, MSG_NOSIGNAL);
  ws_wait (self->closed);
  g_assert_cmpstr (self->heard->str, ==, "");
  g_assert_no_error (self->error);
}

/* Whoever hears of a message and has enough is told of no more until then. */
static void
test_pause (Fixture *self, const void *data)
{
  self->pauses = TRUE;
  GIVE (self, { BINARY, 'a', 1 }, { BINARY, 'b', 2 }, { BINARY, 'c', 5000 });
  ws_turn (20);
  GIVE (self, { BINARY, 'd', 4 });
  expect (self, "g1a ");
  vt_gate_set_paused (self->gate, FALSE);
  ws_wait (self->n_messages == 4);
  g_assert_cmpstr (self->messages->str, ==, "1a 2b 5000c 4d ");
}

static void
test_abort (Fixture *self, const void *data)
{
  self->aborts = TRUE;
  GIVE (self, { BINARY, 'a', 1 }, { BINARY, 'b', 2 }, { TEXT, 'c', 3 });
  ws_wait (self->closed);
  g_assert_cmpstr (self->heard->str, ==, "g1a ");
}

/* A main loop that runs within a message is told of no other one, neither of those that came with
 * it nor of later ones. */
static void
test_nested (Fixture *self, const void *data)
{
  self->turns = TRUE;
  GIVE (self, { BINARY, 'a', 1 }, { BINARY, 'b', 2 }, { TEXT, 'c', 3 });
  expect (self, "g1a g2b l3c l7n ");
  self->turns = TRUE;
  GIVE (self, { BINARY, 'a', 1 });
  ws_wait (self->n_messages == 6);
  self->turns = TRUE;
  GIVE (self, { TEXT, 'b', 1 }, { BINARY, 'c', 2 });
  ws_wait (self->n_messages == 9);
  g_assert_cmpstr (self->messages->str + strlen ("1a 2b 3c 7n "), ==, "1a 7n 1b 2c 7n ");
}

/* And there, what was sent leaves, though the socket does not take it at once. */
static void
test_nested_send (Fixture *self, const void *data)
{
  self->sends = TRUE;
  GIVE (self, { BINARY, 'a', 1 }, { BINARY, 'b', 2 });
  ws_wait (self->n_messages == 2);
  GIVE (self, { BINARY, 'c', 3 });
  ws_wait (self->n_messages == 3);
  g_assert_cmpstr (self->messages->str, ==, "1a 2b 3c ");
}

/* Work is cut into turns of the main loop, and what is left then remains in order. */
static void
test_turn (Fixture *self, const void *data)
{
  g_autoptr(GByteArray) bytes = g_byte_array_new ();
  g_autofree char *payload = g_strnfill (9000, 'x');

  self->sleeps = TRUE;
  for (unsigned int i = 0; i < 20; i++)
    ws_add_frame (bytes, BINARY, payload, i % 2 == 0 ? 9000 : 1);
  g_assert_cmpint (send (self->fd, bytes->data, bytes->len, MSG_NOSIGNAL), ==, bytes->len);
  while (self->n_messages < 20)
    {
      unsigned int before = self->n_messages;

      g_main_context_iteration (NULL, TRUE);
      g_assert_cmpuint (self->n_messages - before, <=, 2);
    }
}

/* libsoup hears why nothing comes any more, though it did not read itself. */
static void
test_error (Fixture *self, const void *data)
{
  soup_websocket_connection_send_text (self->connection, "never read");
  ws_turn (5);
  g_assert_no_error (self->error);
  close (self->fd);
  self->fd = -1;
  ws_wait (self->closed);
  g_assert_error (self->error, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED);
}

static void
test_end (Fixture *self, const void *data)
{
  GIVE (self, { BINARY, 'a', 1 });
  shutdown (self->fd, SHUT_WR);
  ws_wait (self->closed);
  g_assert_cmpstr (self->heard->str, ==, "g1a ");
}

/* What is sent past libsoup, by somebody who counts the messages. */

static gboolean
send_size (Fixture *self, guint64 number, size_t size)
{
  g_autofree char *payload = g_strnfill (size, 'x');
  g_autoptr(GBytes) message = g_bytes_new (payload, size);

  return vt_gate_send (self->gate, number, message, FALSE);
}

static void
read_until (Fixture *self, size_t length)
{
  g_autoptr(GByteArray) got = g_byte_array_new ();

  while (got->len < length)
    {
      g_assert_true (ws_read_some (self->fd, got));
      g_main_context_iteration (NULL, FALSE);
    }
  g_assert_cmpuint (got->len, ==, length);
}

static void
send_and_wait (Fixture *self)
{
  g_assert_true (send_size (self, 1, 1000 * 1000));
  read_until (self, 10 + 1000 * 1000);
}

/* One that the socket does not take at once leaves, even if nothing else ever happens. */
static void
test_send_alone (Fixture *self, const void *data)
{
  g_assert_true (send_size (self, 1, 1000 * 1000));
  ws_turn (10);
  read_until (self, 10 + 1000 * 1000);
  g_assert_cmpuint (vt_gate_get_n_data_passed (self->gate), ==, 1);
  g_assert_true (send_size (self, 2, 10));
  read_until (self, 12);
}

/* Not before what libsoup still holds. */
static void
test_send_order (Fixture *self, const void *data)
{
  g_autofree char *text = g_strnfill (1000 * 1000, 'x');

  g_assert_true (send_size (self, 1, 10));
  g_assert_false (send_size (self, 3, 10));
  soup_websocket_connection_send_text (self->connection, text);
  g_assert_false (send_size (self, 3, 10));
  soup_websocket_connection_send_text (self->connection, "b");
  g_assert_false (send_size (self, 4, 10));
  read_until (self, 12 + 10 + 1000 * 1000 + 3);
  g_assert_true (send_size (self, 4, 10));
  read_until (self, 12);
  g_assert_cmpuint (vt_gate_get_n_data_passed (self->gate), ==, 4);
}

/* libsoup hears of it, with what it is then given instead. */
static void
test_send_error (Fixture *self, const void *data)
{
  close (self->fd);
  self->fd = -1;
  g_assert_false (send_size (self, 1, 100 * 1000));
  soup_websocket_connection_send_text (self->connection, "instead");
  g_assert_error (self->error, G_IO_ERROR, G_IO_ERROR_BROKEN_PIPE);
  ws_wait (self->closed);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ws_quiet ();
  /* What one dispatch does must not depend on how fast the machine is. */
  time_freeze ();
#define ADD_TO(set_up, path, data, func)                                                           \
  g_test_add ("/gate/messages/" path, Fixture, GSIZE_TO_POINTER (data), set_up, func, tear_down)
#define ADD(path, data, func) ADD_TO (set_up, path, data, func)
  ADD ("same-dispatch", 0, test_same_dispatch);
  ADD ("same-dispatch/answer", 0, test_same_dispatch_answer);
  ADD ("order", 0, test_order);
  ADD ("pieces", 0, test_pieces);
  ADD ("fragments", 0, test_fragments);
  ADD ("malformed/mask", 0, test_malformed);
  ADD ("malformed/length", 1, test_malformed);
  ADD ("malformed/extension", 2, test_malformed);
  ADD ("malformed/kind", 3, test_malformed);
  ADD ("goodbye", 0, test_goodbye);
  ADD ("pause", 0, test_pause);
  ADD ("abort", 0, test_abort);
  ADD ("nested", 0, test_nested);
  ADD ("nested-send", 0, test_nested_send);
  ADD ("turn", 0, test_turn);
  ADD ("error", 0, test_error);
  ADD ("end", 0, test_end);
  ADD ("send/alone", 0, test_send_alone);
  ADD ("send/order", 0, test_send_order);
  ADD ("send/error", 0, test_send_error);
  ADD_TO (set_up_stream, "stream/same-dispatch/answer", 0, test_same_dispatch_answer);
  ADD_TO (set_up_stream, "stream/order", 0, test_order);
  ADD_TO (set_up_stream, "stream/pieces", 0, test_pieces);
  ADD_TO (set_up_stream, "stream/pause", 0, test_pause);
  ADD_TO (set_up_stream, "stream/abort", 0, test_abort);
  ADD_TO (set_up_stream, "stream/nested", 0, test_nested);
  ADD_TO (set_up_stream, "stream/nested-send", 0, test_nested_send);
  ADD_TO (set_up_stream, "stream/turn", 0, test_turn);
  ADD_TO (set_up_stream, "stream/error", 0, test_error);
  ADD_TO (set_up_stream, "stream/send/alone", 0, test_send_alone);
#undef ADD
#undef ADD_TO
  return g_test_run ();
}
