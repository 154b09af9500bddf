/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "ws-pair.h"

#define MAX_HEAD 1024
#define MINUTE (60 * G_USEC_PER_SEC)

static const VtFrameLimits limits = { .max_message = 1024 * 1024, .max_control_rate = 1000 };
static const VtGateHandlers no_handlers = { 0 };

/* A SoupServer that takes one connection over a gate, and makes a WebSocket of it under /ws. */
typedef struct {
  SoupServer *server;
  GIOStream *base;
  VtGate *gate;
  SoupWebsocketConnection *websocket;
  int fd;
  GByteArray *got;
  unsigned int n_requests;
  GString *messages;
} Fixture;

static void
request_cb (SoupServer *server,
            SoupServerMessage *message,
            const char *path,
            GHashTable *query,
            void *user_data)
{
  ((Fixture *) user_data)->n_requests++;
  soup_server_message_set_status (message, 200, NULL);
  soup_server_message_set_response (message, "text/plain", SOUP_MEMORY_STATIC, "ok", 2);
}

static void
message_cb (SoupWebsocketConnection *connection, int type, GBytes *message, void *user_data)
{
  g_string_append (((Fixture *) user_data)->messages, g_bytes_get_data (message, NULL));
}

static void
wrote_informational_cb (SoupServerMessage *message, void *user_data)
{
  Fixture *self = user_data;
  g_autoptr(GIOStream) stolen = soup_server_message_steal_connection (message);

  g_assert_nonnull (stolen);
  self->websocket = ws_new (G_IO_STREAM (self->gate), TRUE);
  vt_gate_begin_websocket (self->gate, &limits, &no_handlers, NULL);
  g_signal_connect (self->websocket, "message", G_CALLBACK (message_cb), self);
}

static void
upgrade_cb (SoupServer *server,
            SoupServerMessage *message,
            const char *path,
            GHashTable *query,
            void *user_data)
{
  if (soup_websocket_server_process_handshake (message, NULL, NULL, NULL, NULL))
    g_signal_connect (message, "wrote-informational", G_CALLBACK (wrote_informational_cb),
                      user_data);
}

static void
setup (Fixture *self, const void *data)
{
  g_autoptr(GSocketAddress) address = g_inet_socket_address_new_from_string ("127.0.0.1", 1);
  g_autoptr(GError) error = NULL;
  gint64 deadline = data != NULL ? *(const gint64 *) data : MINUTE;

  self->got = g_byte_array_new ();
  self->messages = g_string_new (NULL);
  self->server = soup_server_new (NULL, NULL);
  soup_server_add_handler (self->server, "/", request_cb, self, NULL);
  soup_server_add_early_handler (self->server, "/ws", upgrade_cb, self, NULL);
  /* A server that listens nowhere keeps no connection alive. */
  soup_server_listen_local (self->server, 0, SOUP_SERVER_LISTEN_IPV4_ONLY, &error);
  g_assert_no_error (error);
  self->base = ws_stream_to_fd (&self->fd);
  self->gate = vt_gate_new (self->base);
  vt_gate_guard_http (self->gate, MAX_HEAD, deadline);
  soup_server_accept_iostream (self->server, G_IO_STREAM (self->gate), address, address, &error);
  g_assert_no_error (error);
}

static void
teardown (Fixture *self, const void *data)
{
  GObject *last = G_OBJECT (self->gate);

  g_object_add_weak_pointer (last, (void **) &last);
  vt_gate_abort (self->gate, FALSE);
  g_clear_object (&self->websocket);
  g_clear_object (&self->gate);
  soup_server_disconnect (self->server);
  g_clear_object (&self->server);
  ws_wait (last == NULL);
  g_clear_object (&self->base);
  g_byte_array_unref (self->got);
  g_string_free (self->messages, TRUE);
  close (self->fd);
}

static void
say (Fixture *self, const char *text)
{
  ws_write_all (self->fd, text, strlen (text));
}

static unsigned int
count_in_answer (Fixture *self, const char *text)
{
  g_autoptr(GString) answer = g_string_new_len ((const char *) self->got->data, self->got->len);
  unsigned int n = 0;

  for (const char *at = answer->str; (at = strstr (at, text)) != NULL; at++)
    n++;
  return n;
}

static gboolean
answered (Fixture *self, unsigned int times)
{
  g_assert_true (ws_read_some (self->fd, self->got));
  return count_in_answer (self, "\r\n\r\nok") == times;
}

static gboolean
is_cut (Fixture *self)
{
  return !ws_read_some (self->fd, self->got);
}

#define GET "GET /health HTTP/1.1\r\nHost: here\r\n\r\n"

static void
test_keep_alive (Fixture *self, const void *data)
{
  say (self, GET);
  ws_wait (answered (self, 1));
  say (self, GET);
  ws_wait (answered (self, 2));
  /* Two in one piece, and the end of a third later. */
  say (self, GET GET "GET / HTTP/1.1\r\n");
  ws_wait (answered (self, 4));
  say (self, "Host: here\n\n");
  ws_wait (answered (self, 5));
  g_assert_cmpuint (self->n_requests, ==, 5);
}

static void
test_body (Fixture *self, const void *data)
{
  say (self, "POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 5\r\n\r\nab");
  say (self, "cde");
  ws_wait (answered (self, 1));
  say (self, "POST / HTTP/1.1\r\nHost: here\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  ws_wait (ws_read_some (self->fd, self->got) && count_in_answer (self, "100 Continue") == 1);
  say (self, "xy");
  ws_wait (answered (self, 2));
  say (self, GET);
  ws_wait (answered (self, 3));
}

static void
test_long_head (Fixture *self, const void *data)
{
  g_autofree char *line = g_strnfill (100, 'x');

  say (self, GET);
  ws_wait (answered (self, 1));
  say (self, "GET / HTTP/1.1\r\n");
  for (unsigned int i = 0; i < 12; i++)
    if (send (self->fd, line, 100, MSG_NOSIGNAL) > 0)
      ws_turn (5);
  ws_wait (is_cut (self));
  g_assert_cmpuint (self->n_requests, ==, 1);
}

static void
test_long_body (Fixture *self, const void *data)
{
  g_autofree char *line = g_strnfill (200, 'x');

  say (self, "POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 100000000\r\n\r\n");
  for (unsigned int i = 0; i < 12; i++)
    if (send (self->fd, line, 200, MSG_NOSIGNAL) > 0)
      ws_turn (5);
  ws_wait (is_cut (self));
  g_assert_cmpuint (self->n_requests, ==, 0);
}

static const gint64 short_deadline = 50 * G_TIME_SPAN_MILLISECOND;

/* Nobody says anything; or keeps saying what is no upgrade. */
static void
test_deadline (Fixture *self, const void *data)
{
  ws_wait (is_cut (self));
}

static void
test_deadline_idle (Fixture *self, const void *data)
{
  say (self, GET);
  ws_wait (is_cut (self));
  g_assert_cmpuint (count_in_answer (self, "\r\n\r\nok"), ==, 1);
}

#define UPGRADE                                                                                    \
  "GET /ws HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"                \
  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

/* Frames that come in one piece with the head are not lost, nor is the guard left out. */
static void
test_upgrade (Fixture *self, const void *data)
{
  g_autoptr(GByteArray) bytes = g_byte_array_new ();

  g_byte_array_append (bytes, (const uint8_t *) UPGRADE, strlen (UPGRADE));
  for (unsigned int i = 0; i < 300; i++)
    ws_add_frame (bytes, 0x81, "early ", 6);
  ws_write_all (self->fd, bytes->data, bytes->len);
  ws_wait (self->messages->len == 1800);
  g_assert_true (g_str_has_prefix (self->messages->str, "early early "));
  g_assert_true (ws_read_some (self->fd, self->got));
  g_assert_cmpuint (count_in_answer (self, "101 Switching"), ==, 1);

  /* The deadline was for the time before. */
  g_byte_array_set_size (bytes, 0);
  ws_add_frame (bytes, 0x81, "late", 4);
  ws_write_all (self->fd, bytes->data, bytes->len);
  ws_wait (g_str_has_suffix (self->messages->str, "late"));
}

static void
test_upgrade_deadline (Fixture *self, const void *data)
{
  g_autoptr(GByteArray) bytes = g_byte_array_new ();
  gint64 end = g_get_monotonic_time () + 2 * short_deadline;

  say (self, UPGRADE);
  ws_wait (self->websocket != NULL);
  ws_wait (g_get_monotonic_time () > end);
  ws_add_frame (bytes, 0x81, "late", 4);
  ws_write_all (self->fd, bytes->data, bytes->len);
  ws_wait (self->messages->len == 4);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ws_quiet ();
#define ADD(path, data, func) g_test_add (path, Fixture, data, setup, func, teardown)
  ADD ("/gate/http/keep-alive", NULL, test_keep_alive);
  ADD ("/gate/http/body", NULL, test_body);
  ADD ("/gate/http/long-head", NULL, test_long_head);
  ADD ("/gate/http/long-body", NULL, test_long_body);
  ADD ("/gate/http/deadline", &short_deadline, test_deadline);
  ADD ("/gate/http/deadline-idle", &short_deadline, test_deadline_idle);
  ADD ("/gate/http/upgrade", NULL, test_upgrade);
  ADD ("/gate/http/upgrade-deadline", &short_deadline, test_upgrade_deadline);
#undef ADD
  return g_test_run ();
}
