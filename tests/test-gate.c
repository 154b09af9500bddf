/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "ws-pair.h"

#include <fcntl.h>
#include <gio/gunixinputstream.h>
#include <gio/gunixoutputstream.h>

static const VtFrameLimits limits = { .max_message = 1024 * 1024, .max_control_rate = 1000 };

/* What one gate's events and one WebSocket's messages said. */
typedef struct {
  unsigned int n_alive;
  unsigned int n_drained;
  unsigned int close_code;
  unsigned int n_violations;
  unsigned int n_messages;
  guint64 n_bytes;
  gboolean closed;
  GChecksum *checksum;
} Heard;

static void
alive_cb (void *user_data)
{
  ((Heard *) user_data)->n_alive++;
}

static void
drained_cb (void *user_data)
{
  ((Heard *) user_data)->n_drained++;
}

static void
violated_cb (unsigned int close_code, const char *reason, void *user_data)
{
  Heard *heard = user_data;

  g_assert_nonnull (reason);
  heard->close_code = close_code;
  heard->n_violations++;
}

static const VtGateHandlers handlers = {
  .alive = alive_cb,
  .drained = drained_cb,
  .violated = violated_cb,
};

static void
message_cb (SoupWebsocketConnection *connection, int type, GBytes *message, void *user_data)
{
  Heard *heard = user_data;
  size_t size = 0;
  const void *data = g_bytes_get_data (message, &size);

  heard->n_messages++;
  heard->n_bytes += size;
  if (heard->checksum != NULL)
    {
      g_checksum_update (heard->checksum, (const uint8_t *) &size, sizeof size);
      g_checksum_update (heard->checksum, data, size);
    }
}

static void
closed_cb (SoupWebsocketConnection *connection, void *user_data)
{
  ((Heard *) user_data)->closed = TRUE;
}

static SoupWebsocketConnection *
websocket_over (VtGate *gate, gboolean server, Heard *heard)
{
  SoupWebsocketConnection *connection = ws_new (G_IO_STREAM (gate), server);

  soup_websocket_connection_set_max_incoming_payload_size (connection, limits.max_message);
  vt_gate_begin_websocket (gate, &limits, &handlers, heard);
  g_signal_connect (connection, "message", G_CALLBACK (message_cb), heard);
  g_signal_connect (connection, "closed", G_CALLBACK (closed_cb), heard);
  return connection;
}

/* Nothing may be left, neither of the one nor of the other. */
static void
finish (SoupWebsocketConnection **connection, VtGate **gate)
{
  GObject *last_connection = G_OBJECT (*connection);
  GObject *last_gate = G_OBJECT (*gate);

  g_signal_handlers_disconnect_matched (*connection, G_SIGNAL_MATCH_FUNC, 0, 0, NULL, message_cb,
                                        NULL);
  g_signal_handlers_disconnect_matched (*connection, G_SIGNAL_MATCH_FUNC, 0, 0, NULL, closed_cb,
                                        NULL);
  g_object_add_weak_pointer (last_connection, (void **) &last_connection);
  g_object_add_weak_pointer (last_gate, (void **) &last_gate);
  vt_gate_forget_handlers (*gate);
  vt_gate_abort (*gate, FALSE);
  g_clear_object (connection);
  g_clear_object (gate);
  ws_wait (last_connection == NULL && last_gate == NULL);
}

static const size_t sizes[] = { 0, 1, 125, 126, 127, 1023, 1024, 16384, 65535, 65536, 250 * 1024 };

/* Sends messages of all sizes from one to the other, and compares what arrives. */
static void
exchange (SoupWebsocketConnection *from, VtGate *gate, Heard *heard, unsigned int rounds)
{
  g_autoptr(GChecksum) sent = g_checksum_new (G_CHECKSUM_SHA1);
  gboolean masked =
      soup_websocket_connection_get_connection_type (from) == SOUP_WEBSOCKET_CONNECTION_CLIENT;
  guint64 passed = vt_gate_get_data_passed (gate);
  unsigned int n_sent = 0;

  heard->checksum = g_checksum_new (G_CHECKSUM_SHA1);
  heard->n_messages = 0;
  for (unsigned int round = 0; round < rounds; round++)
    for (size_t i = 0; i < G_N_ELEMENTS (sizes); i++)
      {
        size_t size = sizes[i];
        g_autofree uint8_t *data = g_malloc (size + 1);

        for (size_t j = 0; j < size; j++)
          data[j] = g_test_rand_int_range (0, 256);
        soup_websocket_connection_send_binary (from, data, size);
        g_checksum_update (sent, (const uint8_t *) &size, sizeof size);
        g_checksum_update (sent, data, size);
        passed += size + 2 + (size >= 65536 ? 8 : size >= 126 ? 2 : 0) + (masked ? 4 : 0);
        n_sent++;
      }
  ws_wait (heard->n_messages == n_sent);
  g_assert_cmpstr (g_checksum_get_string (heard->checksum), ==, g_checksum_get_string (sent));
  g_assert_cmpuint (vt_gate_get_data_passed (gate), ==, passed);
  g_clear_pointer (&heard->checksum, g_checksum_free);
}

static void
exchange_over (GIOStream *client_base, GIOStream *server_base)
{
  Heard at_client = { 0 }, at_server = { 0 };
  VtGate *client_gate = vt_gate_new (client_base);
  VtGate *server_gate = vt_gate_new (server_base);
  SoupWebsocketConnection *client = websocket_over (client_gate, FALSE, &at_client);
  SoupWebsocketConnection *server = websocket_over (server_gate, TRUE, &at_server);

  exchange (client, client_gate, &at_server, 3);
  exchange (server, server_gate, &at_client, 3);
  g_assert_cmpuint (at_server.n_alive, >, 0);
  g_assert_cmpuint (at_client.n_drained, >, 0);

  soup_websocket_connection_close (client, 1000, "done");
  ws_wait (at_server.closed);
  g_assert_cmpint (soup_websocket_connection_get_close_code (server), ==, 1000);
  ws_wait (at_client.closed);
  g_assert_cmpint (soup_websocket_connection_get_close_code (client), ==, 1000);
  finish (&client, &client_gate);
  finish (&server, &server_gate);
}

static void
test_exchange_sockets (void)
{
  g_autoptr(GIOStream) client = NULL;
  g_autoptr(GIOStream) server = NULL;
  int fd = -1;

  client = ws_stream_to_fd (&fd);
  server = ws_stream_for_fd (fd);
  exchange_over (client, server);
}

static GIOStream *
stream_over_pipes (int in, int out)
{
  g_autoptr(GInputStream) input = g_unix_input_stream_new (in, TRUE);
  g_autoptr(GOutputStream) output = g_unix_output_stream_new (out, TRUE);

  return g_simple_io_stream_new (input, output);
}

/* A base that is no socket: its own pollable sources are used. */
static void
test_exchange_pipes (void)
{
  g_autoptr(GIOStream) client = NULL;
  g_autoptr(GIOStream) server = NULL;
  int up[2], down[2];

  g_assert_cmpint (pipe2 (up, O_NONBLOCK | O_CLOEXEC), ==, 0);
  g_assert_cmpint (pipe2 (down, O_NONBLOCK | O_CLOEXEC), ==, 0);
  client = stream_over_pipes (down[0], up[1]);
  server = stream_over_pipes (up[0], down[1]);
  exchange_over (client, server);
}

/* Control frames are not counted, and frames of one dispatch leave in one piece. */
static void
test_gather (void)
{
  Heard heard = { 0 };
  int fd = -1;
  g_autoptr(GIOStream) base = ws_stream_to_fd (&fd);
  g_autoptr(GByteArray) ping = g_byte_array_new ();
  g_autoptr(GByteArray) got = g_byte_array_new ();
  VtGate *gate = vt_gate_new (base);
  SoupWebsocketConnection *server = websocket_over (gate, TRUE, &heard);

  for (unsigned int i = 0; i < 100; i++)
    soup_websocket_connection_send_text (server, "hello");
  g_assert_cmpuint (vt_gate_get_data_passed (gate), ==, 0);
  ws_wait (heard.n_drained > 0);
  g_assert_cmpuint (heard.n_drained, ==, 1);
  g_assert_cmpuint (vt_gate_get_data_passed (gate), ==, 700);

  ws_add_frame (ping, 0x89, "who?", 4);
  ws_write_all (fd, ping->data, ping->len);
  while (got->len < 706)
    {
      g_assert_true (ws_read_some (fd, got));
      g_main_context_iteration (NULL, FALSE);
    }
  g_assert_cmpmem (got->data + 693, 13, "\x81\x05hello\x8a\x04who?", 13);
  g_assert_cmpuint (vt_gate_get_data_passed (gate), ==, 700);
  finish (&server, &gate);
  close (fd);
}

/* While it is paused, the peer soon cannot write any more; then nothing is missing. */
static void
test_pause (void)
{
  Heard heard = { 0 };
  int fd = -1;
  g_autoptr(GIOStream) base = ws_stream_to_fd (&fd);
  g_autoptr(GByteArray) frame = g_byte_array_new ();
  g_autofree char *payload = g_strnfill (1000, 'x');
  VtGate *gate = vt_gate_new (base);
  SoupWebsocketConnection *server = websocket_over (gate, TRUE, &heard);
  unsigned int n_sent = 0;
  gint64 written = 0;

  ws_add_frame (frame, 0x81, payload, 1000);
  ws_write_all (fd, frame->data, frame->len);
  ws_wait (heard.n_messages == 1);
  vt_gate_set_paused (gate, TRUE);
  n_sent = heard.n_messages;
  for (unsigned int idle = 0; idle < 100;)
    {
      ssize_t n_bytes = send (fd, frame->data + written, frame->len - written, MSG_NOSIGNAL);

      idle = n_bytes < 0 ? idle + 1 : 0;
      written += MAX (n_bytes, 0);
      if (written == frame->len)
        {
          written = 0;
          n_sent++;
        }
      g_main_context_iteration (NULL, FALSE);
    }
  g_assert_cmpuint (heard.n_messages, ==, 1);
  g_assert_cmpuint (n_sent, <, 2000);

  vt_gate_set_paused (gate, FALSE);
  ws_write_all (fd, frame->data + written, frame->len - written);
  n_sent++;
  ws_wait (heard.n_messages == n_sent);
  g_assert_cmpuint (heard.n_bytes, ==, (guint64) n_sent * 1000);
  finish (&server, &gate);
  close (fd);
}

static void
slow_message_cb (SoupWebsocketConnection *connection, int type, GBytes *message, void *user_data)
{
  gint64 end = g_get_monotonic_time () + G_TIME_SPAN_MILLISECOND;

  while (g_get_monotonic_time () < end)
    continue;
}

/* What was read in one piece is handed on in several turns, if it makes work. */
static void
test_turn (void)
{
  Heard heard = { 0 };
  int fd = -1;
  g_autoptr(GIOStream) base = ws_stream_to_fd (&fd);
  g_autoptr(GByteArray) frames = g_byte_array_new ();
  g_autofree char *payload = g_strnfill (9000, 'x');
  VtGate *gate = vt_gate_new (base);
  SoupWebsocketConnection *server = websocket_over (gate, TRUE, &heard);

  g_signal_connect (server, "message", G_CALLBACK (slow_message_cb), NULL);
  for (unsigned int i = 0; i < 20; i++)
    ws_add_frame (frames, 0x81, payload, 9000);
  g_assert_cmpint (send (fd, frames->data, frames->len, MSG_NOSIGNAL), ==, frames->len);
  while (heard.n_messages < 20)
    {
      unsigned int before = heard.n_messages;

      g_main_context_iteration (NULL, TRUE);
      g_assert_cmpuint (heard.n_messages - before, <=, 4);
    }
  g_assert_cmpuint (heard.n_alive, ==, 1);
  finish (&server, &gate);
  close (fd);
}

#define FLOOD_TEXT "something"
/* Two bytes of a header, four of a mask. */
#define FLOOD_FRAME_SIZE (2 + 4 + strlen (FLOOD_TEXT))

static void *
flood_thread (void *data)
{
  int fd = GPOINTER_TO_INT (data);
  g_autoptr(GByteArray) frames = g_byte_array_new ();

  for (unsigned int i = 0; i < 10000; i++)
    ws_add_frame (frames, 0x81, FLOOD_TEXT, strlen (FLOOD_TEXT));
  while (TRUE)
    {
      ssize_t n_bytes = 0;

      /* It begins anew with whole frames. */
      for (size_t sent = 0; sent < frames->len; sent += n_bytes)
        {
          n_bytes = send (fd, frames->data + sent, frames->len - sent, MSG_NOSIGNAL);
          if (n_bytes <= 0)
            return NULL;
        }
    }
}

/* A peer that never stops does not hold the main loop. */
static void
test_budget (void)
{
  Heard heard = { 0 };
  int fd = -1;
  g_autoptr(GIOStream) base = ws_stream_to_fd (&fd);
  VtGate *gate = vt_gate_new (base);
  SoupWebsocketConnection *server = websocket_over (gate, TRUE, &heard);
  GThread *thread = NULL;
  fcntl (fd, F_SETFL, 0);
  thread = g_thread_new ("flood", flood_thread, GINT_TO_POINTER (fd));
  ws_wait (heard.n_messages > 0);
  while (heard.n_messages < 500000)
    {
      unsigned int before = heard.n_messages;

      g_main_context_iteration (NULL, TRUE);
      /* 1 MiB holds no more of them, and the time is over earlier. */
      g_assert_cmpuint (heard.n_messages - before, <=, 1024 * 1024 / FLOOD_FRAME_SIZE + 1);
    }
  finish (&server, &gate);
  g_thread_join (thread);
  close (fd);
}

/* A violation is told once, not from within the read; what came before it arrives. */
static void
expect_violation (const GByteArray *frames, unsigned int close_code, unsigned int n_messages)
{
  Heard heard = { 0 };
  int fd = -1;
  g_autoptr(GIOStream) base = ws_stream_to_fd (&fd);
  VtGate *gate = vt_gate_new (base);
  SoupWebsocketConnection *server = websocket_over (gate, TRUE, &heard);
  size_t sent = 0;

  while (heard.n_violations == 0)
    {
      ssize_t n_bytes = send (fd, frames->data + sent, frames->len - sent, MSG_NOSIGNAL);

      sent += MAX (n_bytes, 0);
      g_main_context_iteration (NULL, FALSE);
    }
  g_assert_cmpuint (heard.close_code, ==, close_code);
  g_assert_cmpuint (heard.n_messages, ==, n_messages);
  while (send (fd, "abc", 3, MSG_NOSIGNAL) > 0)
    ws_turn (10);
  ws_turn (100);
  g_assert_cmpuint (heard.n_violations, ==, 1);
  g_assert_cmpuint (heard.n_messages, ==, n_messages);
  finish (&server, &gate);
  close (fd);
}

static void
test_pings (void)
{
  g_autoptr(GByteArray) frames = g_byte_array_new ();
  g_autofree char *payload = g_strnfill (125, 'p');

  ws_add_frame (frames, 0x81, "hello", 5);
  for (unsigned int i = 0; i < 200000; i++)
    ws_add_frame (frames, 0x89, payload, 125);
  expect_violation (frames, 1008, 1);
}

static void
test_fragments (void)
{
  g_autoptr(GByteArray) frames = g_byte_array_new ();
  g_autofree char *payload = g_malloc0 (4000);

  ws_add_frame (frames, 0x81, "hello", 5);
  ws_add_frame (frames, 0x01, "begin", 5);
  for (unsigned int i = 0; i < 1000; i++)
    ws_add_frame (frames, 0x00, payload, 4000);
  expect_violation (frames, 1009, 1);
}

/* A peer that pings and does not read: within the rate, but its answers must not pile up. */
static void
test_owed_pongs (void)
{
  Heard heard = { 0 };
  int fd = -1;
  int small = 4096;
  /* So many answers fill what is there, however they are put together. */
  char payload[100] = { 0 };
  g_autoptr(GIOStream) base = ws_stream_to_fd (&fd);
  g_autoptr(GSocket) socket = vt_gate_find_socket (base);
  g_autoptr(GByteArray) pings = g_byte_array_new ();
  g_autoptr(GByteArray) hello = g_byte_array_new ();
  g_autoptr(GByteArray) got = g_byte_array_new ();
  VtGate *gate = vt_gate_new (base);
  SoupWebsocketConnection *server = websocket_over (gate, TRUE, &heard);

  setsockopt (g_socket_get_fd (socket), SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
  for (unsigned int i = 0; i < 50; i++)
    ws_add_frame (pings, 0x89, payload, sizeof payload);
  ws_add_frame (hello, 0x81, "hello", 5);
  for (unsigned int i = 0; i < 18; i++)
    ws_write_all (fd, pings->data, pings->len);
  ws_write_all (fd, hello->data, hello->len);
  ws_turn (1000);
  g_assert_cmpuint (heard.n_messages, ==, 0);

  while (got->len < 900 * (2 + sizeof payload))
    {
      g_assert_true (ws_read_some (fd, got));
      g_main_context_iteration (NULL, FALSE);
    }
  ws_wait (heard.n_messages == 1);
  g_assert_cmpuint (heard.n_violations, ==, 0);
  finish (&server, &gate);
  close (fd);
}

/* The peer sees a reset, not an end. */
static void
test_abort (void)
{
  g_autoptr(GSocketListener) listener = g_socket_listener_new ();
  g_autoptr(GSocketClient) client = g_socket_client_new ();
  g_autoptr(GSocketConnection) near = NULL;
  g_autoptr(GSocketConnection) far = NULL;
  g_autoptr(GError) error = NULL;
  uint16_t port = g_socket_listener_add_any_inet_port (listener, NULL, NULL);
  Heard heard = { 0 };
  SoupWebsocketConnection *server = NULL;
  VtGate *gate = NULL;
  char byte = 0;

  g_socket_client_set_enable_proxy (client, FALSE);
  far = g_socket_client_connect_to_host (client, "127.0.0.1", port, NULL, &error);
  g_assert_no_error (error);
  near = g_socket_listener_accept (listener, NULL, NULL, &error);
  g_assert_no_error (error);

  gate = vt_gate_new (G_IO_STREAM (near));
  server = websocket_over (gate, TRUE, &heard);
  vt_gate_abort (gate, TRUE);
  vt_gate_abort (gate, FALSE);
  ws_wait (heard.closed);
  g_assert_cmpint (g_socket_receive (g_socket_connection_get_socket (far), &byte, 1, NULL, &error),
                   ==, -1);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED);
  finish (&server, &gate);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ws_quiet ();
  g_test_add_func ("/gate/exchange/sockets", test_exchange_sockets);
  g_test_add_func ("/gate/exchange/pipes", test_exchange_pipes);
  g_test_add_func ("/gate/output/gather", test_gather);
  g_test_add_func ("/gate/input/pause", test_pause);
  g_test_add_func ("/gate/input/turn", test_turn);
  g_test_add_func ("/gate/input/budget", test_budget);
  g_test_add_func ("/gate/guard/pings", test_pings);
  g_test_add_func ("/gate/guard/fragments", test_fragments);
  g_test_add_func ("/gate/guard/owed-pongs", test_owed_pongs);
  g_test_add_func ("/gate/abort/reset", test_abort);
  return g_test_run ();
}
