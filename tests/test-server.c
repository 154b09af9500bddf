/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include <stdio.h>
#include <string.h>

#include <vtunnel/vtunnel.h>

#include "free-port.h"
#include "raw-peer.h"
#include "vt-ready-set-private.h"

typedef struct {
  VtServer *server; /* owned */
  guint16 port;
  GString *log;       /* owned: what the server told, in order */
  VtSession *session; /* owned: the last one that was opened */
  VtStream *stream;   /* owned: the last one that was opened */
  gboolean deny;
  unsigned int n_descriptors;
} Fixture;

static void
session_opened_cb (VtServer *server, VtSession *session, void *user_data)
{
  Fixture *fixture = user_data;

  g_set_object (&fixture->session, session);
  g_string_append (fixture->log, "+session ");
}

static void
session_closed_cb (VtServer *server, VtSession *session, const GError *error, void *user_data)
{
  Fixture *fixture = user_data;

  g_assert_cmpuint (g_list_model_get_n_items (vt_session_get_forwards (session)), ==, 0);
  g_assert_cmpuint (g_list_model_get_n_items (vt_session_get_streams (session)), ==, 0);
  g_string_append_printf (fixture->log, "-session%s ", error != NULL ? "!" : "");
}

static gboolean
listen_requested_cb (VtServer *server, VtSession *session, VtForward *forward, void *user_data)
{
  Fixture *fixture = user_data;

  g_assert_cmpint (vt_forward_get_state (forward), ==, VT_FORWARD_STATE_PENDING);
  g_string_append (fixture->log, "listen ");
  return !fixture->deny;
}

static void
stream_opened_cb (VtServer *server, VtSession *session, VtStream *stream, void *user_data)
{
  Fixture *fixture = user_data;

  g_assert_true (session == fixture->session);
  g_set_object (&fixture->stream, stream);
  g_string_append_printf (fixture->log, "+stream%u ", vt_stream_get_id (stream));
}

static void
stream_closed_cb (VtServer *server,
                  VtSession *session,
                  VtStream *stream,
                  const GError *error,
                  void *user_data)
{
  Fixture *fixture = user_data;

  g_string_append_printf (fixture->log, "-stream%u%s ", vt_stream_get_id (stream),
                          error != NULL ? "!" : "");
}

static void
set_up (Fixture *fixture)
{
  g_autoptr(GError) error = NULL;
  g_autofree guint16 *ports = NULL;
  size_t n_ports;

  raw_settle ();
  vt_ready_set_prepare ();
  fixture->n_descriptors = raw_count_descriptors ();
  fixture->log = g_string_new (NULL);
  fixture->server = vt_server_new ();
  g_signal_connect (fixture->server, "session-opened", G_CALLBACK (session_opened_cb), fixture);
  g_signal_connect (fixture->server, "session-closed", G_CALLBACK (session_closed_cb), fixture);
  g_signal_connect (fixture->server, "listen-requested", G_CALLBACK (listen_requested_cb), fixture);
  g_signal_connect (fixture->server, "stream-opened", G_CALLBACK (stream_opened_cb), fixture);
  g_signal_connect (fixture->server, "stream-closed", G_CALLBACK (stream_closed_cb), fixture);
  vt_server_listen (fixture->server, "127.0.0.1", 0, &error);
  g_assert_no_error (error);
  ports = vt_server_get_ports (fixture->server, &n_ports);
  g_assert_cmpuint (n_ports, ==, 1);
  fixture->port = ports[0];
}

static gboolean
descriptors_are_back (void *user_data)
{
  return raw_count_descriptors () <= ((Fixture *) user_data)->n_descriptors;
}

/* Whatever a test did, no descriptor stays, and nobody keeps the server. */
static void
tear_down (Fixture *fixture)
{
  gpointer server = fixture->server;

  g_clear_object (&fixture->session);
  g_clear_object (&fixture->stream);
  if (server != NULL)
    {
      g_object_add_weak_pointer (G_OBJECT (server), &server);
      g_object_unref (fixture->server);
      raw_settle ();
      g_assert_null (server);
    }
  raw_wait (descriptors_are_back, fixture);
  g_string_free (fixture->log, TRUE);
}

static gboolean
log_matches (void *user_data)
{
  void **arguments = user_data;

  return strstr (((GString *) arguments[0])->str, arguments[1]) != NULL;
}

static void
wait_for_log (Fixture *fixture, const char *text)
{
  void *arguments[] = { fixture->log, (void *) text };

  raw_wait (log_matches, arguments);
}

/* Asks for a port, and gives what was opened. */
static guint16
listen_on (RawPeer *client, guint16 port)
{
  g_autofree char *request = port != 0 ? g_strdup_printf ("{\"type\":\"listen\",\"port\":%u}", port)
                                       : g_strdup ("{\"type\":\"listen\"}");
  g_autofree char *answer = NULL;
  unsigned int bound = 0;

  raw_peer_send_message (client, request);
  answer = raw_peer_read_message (client);
  g_assert_nonnull (answer);
  if (sscanf (answer, "{\"type\":\"listen_ok\",\"port\":%u}", &bound) != 1)
    g_error ("%s", answer);
  return bound;
}

static void
expect_refusal (RawPeer *client, guint16 port)
{
  g_autofree char *request = g_strdup_printf ("{\"type\":\"listen\",\"port\":%u}", port);
  g_autofree char *start =
      g_strdup_printf ("{\"type\":\"listen_err\",\"port\":%u,\"error\":\"", port);
  g_autofree char *answer = NULL;

  raw_peer_send_message (client, request);
  answer = raw_peer_read_message (client);
  if (!g_str_has_prefix (answer, start))
    g_error ("%s", answer);
}

static void
expect_connect (RawPeer *client, guint16 port, unsigned int id)
{
  g_autofree char *message =
      g_strdup_printf ("{\"type\":\"connect\",\"port\":%u,\"stream_id\":%u}", port, id);

  raw_peer_expect_message (client, message);
}

static gboolean
can_connect (guint16 port)
{
  g_autoptr(GSocketAddress) address = g_inet_socket_address_new_from_string ("127.0.0.1", port);
  g_autoptr(GSocket) socket =
      g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, NULL);

  return g_socket_connect (socket, address, NULL, NULL);
}

static void
test_stream (void)
{
  Fixture fixture = { 0 };
  RawPeer *client, *user;
  guint16 port;

  set_up (&fixture);
  client = raw_peer_new_websocket (fixture.port, "/");
  port = listen_on (client, find_free_port ());
  user = raw_peer_new (port);
  expect_connect (client, port, 1);

  raw_peer_send_text (user, "hello");
  raw_peer_expect_message (client, "{\"type\":\"data\",\"stream_id\":1,\"data\":\"aGVsbG8=\"}");
  raw_peer_send_message (client, "{\"type\":\"data\",\"stream_id\":1,\"data\":\"d29ybGQ=\"}");
  raw_peer_send_message (client, "{\"type\":\"close\",\"stream_id\":1}");
  g_assert_cmpstr (raw_peer_wait_end (user), ==, "world");
  g_assert_false (user->reset);
  raw_peer_free (user);
  raw_peer_expect_message (client, "{\"type\":\"close\",\"stream_id\":1}");
  wait_for_log (&fixture, "-stream");
  g_assert_cmpuint (vt_stream_get_bytes_sent (fixture.stream), ==, 5);
  g_assert_cmpuint (vt_stream_get_bytes_received (fixture.stream), ==, 5);

  raw_peer_free (client);
  wait_for_log (&fixture, "-session");
  g_assert_true (g_str_has_prefix (fixture.log->str, "+session listen +stream1 -stream1 -session"));
  tear_down (&fixture);
}

static void
test_user_closes (void)
{
  Fixture fixture = { 0 };
  RawPeer *client, *user;
  guint16 port;

  set_up (&fixture);
  client = raw_peer_new_websocket (fixture.port, "/");
  port = listen_on (client, 0);
  user = raw_peer_new (port);
  expect_connect (client, port, 1);
  raw_peer_send_text (user, "hello");
  raw_peer_free (user);
  raw_peer_expect_message (client, "{\"type\":\"data\",\"stream_id\":1,\"data\":\"aGVsbG8=\"}");
  raw_peer_expect_message (client, "{\"type\":\"close\",\"stream_id\":1}");
  wait_for_log (&fixture, "-stream1 ");
  raw_peer_free (client);
  tear_down (&fixture);
}

static void
test_lists (void)
{
  Fixture fixture = { 0 };
  RawPeer *client, *user;
  guint16 port;
  g_autoptr(VtForward) forward = NULL;
  g_autoptr(GSocketAddress) user_address = NULL;
  GListModel *sessions;

  set_up (&fixture);
  sessions = vt_server_get_sessions (fixture.server);
  g_assert_cmpuint (g_list_model_get_n_items (sessions), ==, 0);
  client = raw_peer_new_websocket (fixture.port, "/");
  port = listen_on (client, 0);
  user = raw_peer_new (port);
  expect_connect (client, port, 1);

  g_assert_cmpuint (g_list_model_get_n_items (sessions), ==, 1);
  g_assert_cmpuint (strlen (vt_session_get_id (fixture.session)), ==, 32);
  g_assert_null (vt_session_get_user (fixture.session));
  g_assert_cmpuint (vt_session_get_protocol (fixture.session), ==, 1);
  g_assert_true (G_IS_INET_SOCKET_ADDRESS (vt_session_get_client_address (fixture.session)));
  g_assert_cmpuint (g_list_model_get_n_items (vt_session_get_streams (fixture.session)), ==, 1);
  g_assert_cmpuint (g_list_model_get_n_items (vt_session_get_forwards (fixture.session)), ==, 1);
  forward = g_list_model_get_item (vt_session_get_forwards (fixture.session), 0);
  g_assert_cmpint (vt_forward_get_state (forward), ==, VT_FORWARD_STATE_LISTENING);
  g_assert_cmpuint (vt_forward_get_bound_port (forward), ==, port);
  g_assert_cmpuint (vt_forward_get_listen_port (forward), ==, 0);
  g_assert_cmpuint (vt_forward_get_n_streams (forward), ==, 1);
  g_assert_true (vt_stream_get_forward (fixture.stream) == forward);
  g_assert_true (G_IS_INET_SOCKET_ADDRESS (vt_stream_get_user_address (fixture.stream)));

  raw_peer_free (user);
  wait_for_log (&fixture, "-stream1 ");
  g_assert_cmpuint (g_list_model_get_n_items (vt_session_get_streams (fixture.session)), ==, 0);
  g_assert_cmpuint (vt_forward_get_n_streams (forward), ==, 0);
  raw_peer_free (client);
  wait_for_log (&fixture, "-session");
  g_assert_cmpuint (g_list_model_get_n_items (sessions), ==, 0);
  g_assert_cmpint (vt_forward_get_state (forward), ==, VT_FORWARD_STATE_IDLE);
  g_assert_cmpuint (vt_forward_get_bound_port (forward), ==, 0);
  tear_down (&fixture);
}

static void
test_refused_ports (void)
{
  Fixture fixture = { 0 };
  RawPeer *client;
  g_autoptr(GError) error = NULL;
  guint16 port = find_free_port ();
  g_autofree char *only = g_strdup_printf ("%u", port);

  set_up (&fixture);
  client = raw_peer_new_websocket (fixture.port, "/");
  expect_refusal (client, 1023);
  expect_refusal (client, fixture.port);
  g_assert_true (vt_server_set_allowed_ports (fixture.server, only, &error));
  expect_refusal (client, port - 1);
  g_assert_cmpuint (listen_on (client, port), ==, port);
  expect_refusal (client, port);
  g_assert_cmpuint (listen_on (client, 0), !=, 0);

  fixture.deny = TRUE;
  raw_peer_send_message (client, "{\"type\":\"listen\"}");
  raw_peer_expect_message (client, "{\"type\":\"listen_err\",\"error\":"
                                   "\"This forward is not allowed by the server\"}");
  g_assert_cmpuint (g_list_model_get_n_items (vt_session_get_forwards (fixture.session)), ==, 2);
  raw_peer_free (client);
  tear_down (&fixture);
}

static void
test_max_forwards (void)
{
  Fixture fixture = { 0 };
  RawPeer *client;

  set_up (&fixture);
  vt_server_set_max_forwards (fixture.server, 2);
  client = raw_peer_new_websocket (fixture.port, "/");
  listen_on (client, 0);
  listen_on (client, 0);
  expect_refusal (client, find_free_port ());
  raw_peer_free (client);
  tear_down (&fixture);
}

static void
test_max_streams (void)
{
  Fixture fixture = { 0 };
  RawPeer *client;
  RawPeer *first;
  RawPeer *second;
  guint16 port;

  set_up (&fixture);
  vt_server_set_max_streams (fixture.server, 1);
  client = raw_peer_new_websocket (fixture.port, "/");
  port = listen_on (client, 0);
  first = raw_peer_new (port);
  expect_connect (client, port, 1);
  second = raw_peer_new (port);
  raw_peer_wait_end (second);
  g_assert_true (second->reset);
  raw_peer_free (first);
  raw_peer_free (second);
  raw_peer_free (client);
  tear_down (&fixture);
}

static void
test_max_sessions (void)
{
  Fixture fixture = { 0 };
  RawPeer *client;
  RawPeer *second;

  set_up (&fixture);
  vt_server_set_max_sessions (fixture.server, 1);
  client = raw_peer_new_websocket (fixture.port, "/");
  second = raw_peer_new (fixture.port);
  raw_peer_send_text (second, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"
                              "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
  g_assert_true (g_str_has_prefix (raw_peer_wait_end (second), "HTTP/1.1 503 "));
  raw_peer_free (client);
  raw_peer_free (second);
  wait_for_log (&fixture, "-session");
  client = raw_peer_new_websocket (fixture.port, "/");
  raw_peer_free (client);
  tear_down (&fixture);
}

static void
test_beyond_loopback (void)
{
  Fixture fixture = { 0 };
  RawPeer *client;
  g_autoptr(GError) error = NULL;

  set_up (&fixture);
  g_assert_false (vt_server_listen (fixture.server, "*", 0, &error));
  g_assert_error (error, VT_ERROR, VT_ERROR_PERMISSION_DENIED);
  vt_server_set_bind_address (fixture.server, "0.0.0.0");
  client = raw_peer_new_websocket (fixture.port, "/");
  expect_refusal (client, find_free_port ());
  vt_server_set_allow_anonymous (fixture.server, TRUE);
  listen_on (client, 0);
  raw_peer_free (client);
  tear_down (&fixture);
}

static void
test_unlisten (void)
{
  Fixture fixture = { 0 };
  RawPeer *client, *user;
  guint16 port = find_free_port ();
  g_autofree char *unlisten = g_strdup_printf ("{\"type\":\"unlisten\",\"port\":%u}", port);

  set_up (&fixture);
  client = raw_peer_new_websocket (fixture.port, "/");
  listen_on (client, port);
  user = raw_peer_new (port);
  expect_connect (client, port, 1);
  raw_peer_send_message (client, unlisten);
  raw_peer_send_message (client, "{\"type\":\"data\",\"stream_id\":1,\"data\":\"d29ybGQ=\"}");
  g_assert_cmpstr (raw_peer_wait_input (user, 5), ==, "world");
  g_assert_false (can_connect (port));
  g_assert_cmpuint (g_list_model_get_n_items (vt_session_get_forwards (fixture.session)), ==, 0);
  g_assert_cmpuint (g_list_model_get_n_items (vt_session_get_streams (fixture.session)), ==, 1);
  listen_on (client, port);
  raw_peer_free (user);
  raw_peer_free (client);
  tear_down (&fixture);
}

static void
test_two_clients (void)
{
  Fixture fixture = { 0 };
  RawPeer *clients[2];
  RawPeer *users[2][2];
  guint16 ports[2][2];

  set_up (&fixture);
  for (int i = 0; i < 2; i++)
    {
      clients[i] = raw_peer_new_websocket (fixture.port, "/");
      for (int j = 0; j < 2; j++)
        {
          ports[i][j] = listen_on (clients[i], find_free_port ());
          users[i][j] = raw_peer_new (ports[i][j]);
          expect_connect (clients[i], ports[i][j], j + 1);
        }
    }
  for (int i = 0; i < 2; i++)
    for (int j = 0; j < 2; j++)
      {
        g_autofree char *data =
            g_strdup_printf ("{\"type\":\"data\",\"stream_id\":%d,\"data\":\"%c%c==\"}", j + 1,
                             'A' + i, 'A' + 16 * j);

        raw_peer_send_message (clients[i], data);
        raw_peer_wait_input (users[i][j], 1);
        g_assert_cmpuint (users[i][j]->input->data[0], ==, 4 * i + j);
      }

  /* The other one loses nothing when one goes. */
  raw_peer_free (clients[0]);
  raw_peer_wait_end (users[0][0]);
  raw_peer_wait_end (users[0][1]);
  g_assert_false (can_connect (ports[0][0]));
  g_assert_true (can_connect (ports[1][0]));
  raw_peer_send_message (clients[1], "{\"type\":\"data\",\"stream_id\":2,\"data\":\"QQ==\"}");
  raw_peer_wait_input (users[1][1], 2);
  for (int i = 0; i < 2; i++)
    for (int j = 0; j < 2; j++)
      raw_peer_free (users[i][j]);
  raw_peer_free (clients[1]);
  tear_down (&fixture);
}

static void
test_vanishes (void)
{
  Fixture fixture = { 0 };
  RawPeer *client, *user;
  guint16 port;

  set_up (&fixture);
  client = raw_peer_new_websocket (fixture.port, "/");
  port = listen_on (client, 0);
  user = raw_peer_new (port);
  expect_connect (client, port, 1);
  raw_peer_free (client);
  raw_peer_wait_end (user);
  g_assert_true (user->reset);
  wait_for_log (&fixture, "-stream1! -session!");
  g_assert_false (can_connect (port));
  raw_peer_free (user);
  tear_down (&fixture);
}

static void
test_session_close (void)
{
  Fixture fixture = { 0 };
  RawPeer *client, *user;
  guint16 port;

  set_up (&fixture);
  client = raw_peer_new_websocket (fixture.port, "/");
  port = listen_on (client, 0);
  user = raw_peer_new (port);
  expect_connect (client, port, 1);
  vt_session_close (fixture.session);
  g_assert_cmpuint (raw_peer_read_close (client), ==, 1000);
  /* Masked, as a client's frames are. */
  raw_peer_send (client, "\x88\x82\0\0\0\0\x03\xe8", 8);
  wait_for_log (&fixture, "-stream1! -session ");
  vt_session_close (fixture.session);
  raw_peer_free (user);
  raw_peer_free (client);
  tear_down (&fixture);
}

static void
closed_cb (GObject *source, GAsyncResult *result, void *user_data)
{
  gboolean *closed = user_data;
  g_autoptr(GError) error = NULL;

  *closed = vt_server_close_finish (VT_SERVER (source), result, &error);
  g_assert_no_error (error);
}

static gboolean
is_true (void *user_data)
{
  return *(gboolean *) user_data;
}

static void
test_close (void)
{
  Fixture fixture = { 0 };
  RawPeer *client;
  RawPeer *silent;
  g_autoptr(GError) error = NULL;
  gboolean closed = FALSE;
  guint16 port;

  set_up (&fixture);
  vt_server_close_async (fixture.server, NULL, closed_cb, &closed);
  g_assert_false (closed);
  raw_wait (is_true, &closed);
  closed = FALSE;
  vt_server_listen (fixture.server, NULL, fixture.port, &error);
  g_assert_no_error (error);

  client = raw_peer_new_websocket (fixture.port, "/");
  silent = raw_peer_new_websocket (fixture.port, "/");
  port = listen_on (client, 0);
  vt_server_close_async (fixture.server, NULL, closed_cb, &closed);
  g_assert_false (vt_server_listen (fixture.server, NULL, 0, &error));
  g_assert_error (error, VT_ERROR, VT_ERROR_SHUTTING_DOWN);
  g_assert_false (can_connect (fixture.port));
  g_assert_cmpuint (raw_peer_read_close (client), ==, 1001);
  raw_peer_send (client, "\x88\x82\0\0\0\0\x03\xe9", 8);
  raw_peer_free (client);
  /* One that does not answer is cut off. */
  raw_wait (is_true, &closed);
  g_assert_cmpuint (g_list_model_get_n_items (vt_server_get_sessions (fixture.server)), ==, 0);
  g_assert_false (can_connect (port));
  raw_peer_free (silent);

  /* It can start over. */
  g_clear_error (&error);
  g_assert_true (vt_server_listen (fixture.server, NULL, fixture.port, &error));
  g_assert_no_error (error);
  client = raw_peer_new_websocket (fixture.port, "/");
  raw_peer_free (client);
  tear_down (&fixture);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  /* GIO opens a descriptor of its own with its first task, and keeps it. */
  g_type_ensure (G_TYPE_TASK);
  g_test_add_func ("/server/stream/both-ways", test_stream);
  g_test_add_func ("/server/stream/user-closes", test_user_closes);
  g_test_add_func ("/server/lists", test_lists);
  g_test_add_func ("/server/listen/refused", test_refused_ports);
  g_test_add_func ("/server/listen/beyond-loopback", test_beyond_loopback);
  g_test_add_func ("/server/listen/unlisten", test_unlisten);
  g_test_add_func ("/server/limit/forwards", test_max_forwards);
  g_test_add_func ("/server/limit/streams", test_max_streams);
  g_test_add_func ("/server/limit/sessions", test_max_sessions);
  g_test_add_func ("/server/session/two", test_two_clients);
  g_test_add_func ("/server/session/vanishes", test_vanishes);
  g_test_add_func ("/server/session/close", test_session_close);
  g_test_add_func ("/server/close/in-order", test_close);
  return g_test_run ();
}
