/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include <string.h>

#include <libsoup/soup.h>
#include <vtunnel/vtunnel.h>

#include "raw-peer.h"
#include "soup-port.h"
#include "vt-negotiation-private.h"

static guint16
listen_anywhere (VtServer *server)
{
  g_autoptr(GError) error = NULL;
  g_autofree guint16 *ports = NULL;
  size_t n_ports;

  vt_server_listen (server, NULL, 0, &error);
  g_assert_no_error (error);
  ports = vt_server_get_ports (server, &n_ports);
  return ports[n_ports - 1];
}

/* Asks for any port; the server must open one. */
static guint16
listen_for (RawPeer *client)
{
  g_autofree char *answer = NULL;
  const char *start = "{\"type\":\"listen_ok\",\"port\":";

  raw_peer_send_message (client, "{\"type\":\"listen\"}");
  answer = raw_peer_read_message (client);
  g_assert_true (g_str_has_prefix (answer, start));
  return (guint16) g_ascii_strtoull (answer + strlen (start), NULL, 10);
}

static gboolean
has_no_sessions (void *user_data)
{
  return g_list_model_get_n_items (vt_server_get_sessions (user_data)) == 0;
}

static void
hello_cb (SoupServer *soup,
          SoupServerMessage *message,
          const char *path,
          GHashTable *query,
          void *user_data)
{
  soup_server_message_set_status (message, SOUP_STATUS_OK, NULL);
  soup_server_message_set_response (message, "text/plain", SOUP_MEMORY_STATIC, "hello", 5);
}

static void
expect_answer (guint16 port, const char *request, const char *start)
{
  g_autoptr(RawPeer) peer = raw_peer_new (port);
  const char *answer;

  raw_peer_send_text (peer, request);
  answer = raw_peer_wait_end (peer);
  if (!g_str_has_prefix (answer, start))
    g_error ("%s", answer);
}

static void
test_attach (void)
{
  g_autoptr(SoupServer) soup = soup_server_new (NULL, NULL);
  g_autoptr(VtServer) server = vt_server_new ();
  guint16 port = soup_port_open (soup);
  RawPeer *client;

  soup_server_add_handler (soup, "/", hello_cb, NULL, NULL);
  vt_server_attach (server, soup, "/tunnel");

  client = raw_peer_new_websocket (port, "/tunnel");
  g_assert_cmpuint (listen_for (client), !=, 0);
  g_assert_cmpuint (g_list_model_get_n_items (vt_server_get_sessions (server)), ==, 1);
  raw_peer_free (client);
  raw_wait (has_no_sessions, server);

  /* What is no client's stays with the application. */
  expect_answer (port, "GET /tunnel HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
                 "HTTP/1.1 200 ");
  expect_answer (port, "GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
                 "HTTP/1.1 200 ");
  /* What is a client's is checked. */
  expect_answer (port,
                 "GET /tunnel HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\n"
                 "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                 "HTTP/1.1 403 ");

  g_clear_object (&server);
  expect_answer (port,
                 "GET /tunnel HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, close\r\n"
                 "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                 "HTTP/1.1 200 ");
  soup_server_disconnect (soup);
}

/* Those that the application gave away and that are not gone. */
static unsigned int n_connections;

static void
connection_gone_cb (void *user_data, GObject *connection)
{
  n_connections--;
}

static void
websocket_cb (SoupServer *soup,
              SoupServerMessage *message,
              const char *path,
              SoupWebsocketConnection *connection,
              void *user_data)
{
  g_object_weak_ref (G_OBJECT (connection), connection_gone_cb, NULL);
  n_connections++;
  vt_server_handle_connection (user_data, connection);
}

static gboolean
has_no_connections (void *user_data)
{
  return n_connections == 0;
}

static void
test_handle_connection (void)
{
  g_autoptr(SoupServer) soup = soup_server_new (NULL, NULL);
  g_autoptr(VtServer) server = vt_server_new ();
  guint16 port = soup_port_open (soup);
  RawPeer *client;
  RawPeer *user;
  RawPeer *second;
  g_autofree char *message = NULL;

  soup_server_add_websocket_handler (soup, "/w", NULL, NULL, websocket_cb, server, NULL);
  vt_server_set_max_sessions (server, 1);
  client = raw_peer_new_websocket (port, "/w");
  user = raw_peer_new (listen_for (client));
  message = raw_peer_read_message (client);
  g_assert_nonnull (strstr (message, "connect"));
  raw_peer_send_message (client, "{\"type\":\"data\",\"stream_id\":1,\"data\":\"d29ybGQ=\"}");
  g_assert_cmpstr (raw_peer_wait_input (user, 5), ==, "world");

  second = raw_peer_new_websocket (port, "/w");
  g_assert_cmpuint (raw_peer_read_close (second), ==, 4002);
  raw_peer_free (second);
  raw_peer_free (client);
  raw_peer_wait_end (user);
  raw_peer_free (user);
  raw_wait (has_no_sessions, server);
  raw_wait (has_no_connections, NULL);
  soup_server_disconnect (soup);
}

/* The seconds of an hour and more are more microseconds than 32 bits can count. A silent client of
 * the second server must outlive one of the first. */
static void
test_long_ping_interval (void)
{
  g_autoptr(VtServer) hasty = vt_server_new ();
  g_autoptr(VtServer) patient = vt_server_new ();
  RawPeer *first;
  RawPeer *second;

  vt_server_set_ping_interval (hasty, 1);
  vt_server_set_ping_timeout (hasty, 1);
  vt_server_set_ping_interval (patient, 4295);
  vt_server_set_ping_timeout (patient, 4295);
  second = raw_peer_new_websocket (listen_anywhere (patient), "/");
  first = raw_peer_new_websocket (listen_anywhere (hasty), "/");

  raw_wait (has_no_sessions, hasty);
  g_assert_cmpuint (g_list_model_get_n_items (vt_server_get_sessions (patient)), ==, 1);
  raw_peer_free (first);
  raw_peer_free (second);
  raw_wait (has_no_sessions, patient);
}

static void
got_body_cb (GObject *source, GAsyncResult *result, void *user_data)
{
  GBytes **body = user_data;
  g_autoptr(GError) error = NULL;

  *body = soup_session_send_and_read_finish (SOUP_SESSION (source), result, &error);
  g_assert_no_error (error);
}

static void
got_websocket_cb (GObject *source, GAsyncResult *result, void *user_data)
{
  SoupWebsocketConnection **connection = user_data;
  g_autoptr(GError) error = NULL;

  *connection = soup_session_websocket_connect_finish (SOUP_SESSION (source), result, &error);
  g_assert_no_error (error);
}

static gboolean
is_there (void *user_data)
{
  return *(void **) user_data != NULL;
}

static SoupMessage *
create_request (const char *scheme, guint16 port, const char *path)
{
  g_autofree char *uri = g_strdup_printf ("%s://localhost:%u%s", scheme, port, path);

  return soup_message_new ("GET", uri);
}

/* The test's certificate, which becomes all that the system trusts: GnuTLS reads what it trusts for
 * each connection, and with all of the system's authorities that takes seconds where the sanitizer
 * unwinds the stack of each allocation. */
static GTlsCertificate *
load_certificate (void)
{
  g_autofree char *path = g_test_build_filename (G_TEST_DIST, "data", "localhost.pem", NULL);
  g_autoptr(GError) error = NULL;
  g_autoptr(GTlsDatabase) trusted = g_tls_file_database_new (path, &error);
  GTlsCertificate *certificate;

  g_assert_no_error (error);
  g_tls_backend_set_default_database (g_tls_backend_get_default (), trusted);
  certificate = g_tls_certificate_new_from_file (path, &error);
  g_assert_no_error (error);
  return certificate;
}

static void
test_tls (void)
{
  g_autoptr(GTlsCertificate) certificate = load_certificate ();
  g_autoptr(VtServer) server = vt_server_new ();
  g_autoptr(SoupSession) session = soup_session_new ();
  g_autoptr(SoupMessage) health = NULL;
  g_autoptr(SoupMessage) upgrade = NULL;
  g_autoptr(SoupWebsocketConnection) connection = NULL;
  g_autoptr(GBytes) body = NULL;
  g_autoptr(RawPeer) plain = NULL;
  guint16 port;

  vt_server_set_tls_certificate (server, certificate);
  port = listen_anywhere (server);

  health = create_request ("https", port, "/health");
  soup_session_send_and_read_async (session, health, G_PRIORITY_DEFAULT, NULL, got_body_cb, &body);
  raw_wait (is_there, &body);
  g_assert_cmpmem (g_bytes_get_data (body, NULL), g_bytes_get_size (body), "ok", 2);

  upgrade = create_request ("wss", port, "/");
  soup_session_websocket_connect_async (session, upgrade, NULL, NULL, G_PRIORITY_DEFAULT, NULL,
                                        got_websocket_cb, &connection);
  raw_wait (is_there, &connection);
  g_assert_cmpuint (g_list_model_get_n_items (vt_server_get_sessions (server)), ==, 1);

  plain = raw_peer_new (port);
  raw_peer_send_text (plain, "GET /health HTTP/1.1\r\nHost: a\r\n\r\n");
  g_assert_false (g_str_has_prefix (raw_peer_wait_end (plain), "HTTP"));

  soup_websocket_connection_close (connection, SOUP_WEBSOCKET_CLOSE_NORMAL, NULL);
  raw_wait (has_no_sessions, server);
  g_tls_backend_set_default_database (g_tls_backend_get_default (), NULL);
}

/* The application lets go of its server in whichever handler, in the middle of everything. */
static void
let_go (VtServer *server)
{
  VtServer **held = g_object_get_data (G_OBJECT (server), "held");

  if (*held != NULL)
    g_object_run_dispose (G_OBJECT (server));
  g_clear_object (held);
}

static gboolean
let_go_and_allow (VtServer *server)
{
  let_go (server);
  return TRUE;
}

static gboolean
is_gone (void *user_data)
{
  return *(void **) user_data == NULL;
}

static void
test_dispose_in_handler (const void *data)
{
  const char *signal = data;
  VtServer *server = vt_server_new ();
  void *watched = server;
  guint16 port = listen_anywhere (server);
  RawPeer *client;
  RawPeer *user = NULL;
  gboolean asked = strcmp (signal, "listen-requested") == 0;

  g_object_add_weak_pointer (G_OBJECT (server), &watched);
  g_object_set_data (G_OBJECT (server), "held", &server);
  g_signal_connect (server, signal, asked ? G_CALLBACK (let_go_and_allow) : G_CALLBACK (let_go),
                    NULL);
  client = raw_peer_new (port);
  if (strcmp (signal, "session-opened") != 0)
    raw_peer_upgrade (client, "/");
  else
    raw_peer_send_text (client, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"
                                "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
  if (asked)
    raw_peer_send_message (client, "{\"type\":\"listen\"}");
  else if (strcmp (signal, "session-opened") != 0)
    user = raw_peer_new (listen_for (client));
  if (strcmp (signal, "stream-closed") == 0)
    raw_peer_shutdown (user);
  if (strcmp (signal, "session-closed") == 0)
    raw_peer_shutdown (client);
  raw_peer_wait_end (client);
  raw_wait (is_gone, &watched);
  if (user != NULL)
    raw_peer_wait_end (user);
  g_clear_pointer (&user, raw_peer_free);
  raw_peer_free (client);
  raw_settle ();
}

static void
list_changed_cb (GListModel *list,
                 unsigned int position,
                 unsigned int removed,
                 unsigned int added,
                 void *user_data)
{
  if (added > 0)
    let_go (user_data);
}

static void
watch_forwards_cb (VtServer *server, VtSession *session)
{
  g_signal_connect_object (vt_session_get_forwards (session), "items-changed",
                           G_CALLBACK (list_changed_cb), server, 0);
}

static void
watch_streams_cb (VtServer *server, VtSession *session)
{
  g_signal_connect_object (vt_session_get_streams (session), "items-changed",
                           G_CALLBACK (list_changed_cb), server, 0);
}

static void
n_streams_cb (VtForward *forward, GParamSpec *pspec, void *user_data)
{
  let_go (user_data);
}

static gboolean
watch_forward_cb (VtServer *server, VtSession *session, VtForward *forward)
{
  g_signal_connect_object (forward, "notify::n-streams", G_CALLBACK (n_streams_cb), server, 0);
  return TRUE;
}

/* The same where it watches what has no signal of the server's. */
static void
test_dispose_in_watch (const void *data)
{
  gboolean forwards = g_str_equal (data, "forwards");
  VtServer *server = vt_server_new ();
  void *watched = server;
  RawPeer *client;
  RawPeer *user;

  g_object_add_weak_pointer (G_OBJECT (server), &watched);
  g_object_set_data (G_OBJECT (server), "held", &server);
  if (forwards)
    g_signal_connect (server, "session-opened", G_CALLBACK (watch_forwards_cb), NULL);
  else if (g_str_equal (data, "streams"))
    g_signal_connect (server, "session-opened", G_CALLBACK (watch_streams_cb), NULL);
  else
    g_signal_connect (server, "listen-requested", G_CALLBACK (watch_forward_cb), NULL);

  client = raw_peer_new_websocket (listen_anywhere (server), "/");
  if (forwards)
    raw_peer_send_message (client, "{\"type\":\"listen\"}");
  user = forwards ? NULL : raw_peer_new (listen_for (client));
  raw_peer_wait_end (client);
  raw_wait (is_gone, &watched);
  if (user != NULL)
    raw_peer_wait_end (user);
  g_clear_pointer (&user, raw_peer_free);
  raw_peer_free (client);
  raw_settle ();
}

/* The client said all, and left; a slow user still reads it to the end. */
static void
test_rest_outlives_client (void)
{
  enum { CHUNK = 30 * 1024, N_CHUNKS = 400 };
  g_autoptr(VtServer) server = vt_server_new ();
  RawPeer *client = raw_peer_new_websocket (listen_anywhere (server), "/");
  RawPeer *user = raw_peer_new (listen_for (client));
  g_autofree guint8 *chunk = g_malloc0 (CHUNK);
  g_autofree char *encoded = g_base64_encode (chunk, CHUNK);
  g_autofree char *message =
      g_strdup_printf ("{\"type\":\"data\",\"stream_id\":1,\"data\":\"%s\"}", encoded);
  g_autofree char *opened = raw_peer_read_message (client);

  g_assert_nonnull (strstr (opened, "connect"));
  /* Its turn comes only when the server has nothing to do: else it would read all at once. */
  user->piece = 2048;
  g_source_set_priority (user->source, G_PRIORITY_LOW);
  for (int i = 0; i < N_CHUNKS; i++)
    raw_peer_send_message (client, message);
  raw_peer_send_message (client, "{\"type\":\"close\",\"stream_id\":1}");
  raw_peer_send (client, "\x88\x82\0\0\0\0\x03\xe8", 8);
  raw_wait (has_no_sessions, server);
  raw_peer_free (client);

  g_assert_cmpuint (user->input->len, <, CHUNK * N_CHUNKS);
  user->piece = 65536;
  raw_peer_wait_end (user);
  g_assert_false (user->reset);
  g_assert_cmpuint (user->input->len, ==, CHUNK * N_CHUNKS);
  raw_peer_free (user);
}

static void
test_allowed_ports (void)
{
  static const char *const good[] = { "1", "65535", "1-65535", "80,443,8000-8999", "5-5" };
  static const char *const bad[] = { "",     "0",    "65536", "1-",      "-1",    "2-1",
                                     "1,,2", ",1",   " 1",    "1 ",      "1-2-3", "a",
                                     "+1",   "0x10", "1;2",   "1-65536", "1,2,",  "1 -2" };
  g_autoptr(VtServer) server = vt_server_new ();
  g_autoptr(GError) error = NULL;

  for (size_t i = 0; i < G_N_ELEMENTS (good); i++)
    {
      g_assert_true (vt_server_set_allowed_ports (server, good[i], &error));
      g_assert_no_error (error);
      g_assert_cmpstr (vt_server_get_allowed_ports (server), ==, good[i]);
    }
  for (size_t i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      if (vt_server_set_allowed_ports (server, bad[i], &error))
        g_error ("%s", bad[i]);
      g_assert_error (error, VT_ERROR, VT_ERROR_INVALID_ARGUMENT);
      g_clear_error (&error);
    }
  g_assert_cmpstr (vt_server_get_allowed_ports (server), ==, "5-5");
}

static void
count_cb (GObject *object, GParamSpec *pspec, void *user_data)
{
  (*(unsigned int *) user_data)++;
}

/* Who knows how many there are need not ask. */
static void
test_ports (void)
{
  g_autoptr(VtServer) server = vt_server_new ();
  g_autofree guint16 *ports = NULL;
  guint16 port;

  g_assert_null (vt_server_get_ports (server, NULL));
  port = listen_anywhere (server);
  ports = vt_server_get_ports (server, NULL);
  g_assert_cmpuint (ports[0], ==, port);
}

static void
test_properties (void)
{
  const char *const origins[] = { "https://example.com", NULL };
  g_autoptr(VtServer) server = vt_server_new ();
  g_autofree char *bind_address = NULL;
  unsigned int n_notified = 0;

  g_signal_connect (server, "notify", G_CALLBACK (count_cb), &n_notified);
  g_assert_cmpstr (vt_server_get_path (server), ==, "/");
  g_assert_cmpstr (vt_server_get_bind_address (server), ==, "localhost");
  g_assert_cmpstr (vt_server_get_allowed_ports (server), ==, "1024-65535");
  g_assert_false (vt_server_get_allow_anonymous (server));
  g_assert_null (vt_server_get_allowed_origins (server));
  g_assert_cmpuint (vt_server_get_max_buffer (server), ==, 128 * 1024 * 1024);
  g_assert_cmpuint (vt_server_get_max_sessions_per_address (server), ==, 100);
  g_assert_cmpuint (vt_server_get_max_control_rate (server), ==, 1000);
  g_assert_cmpuint (vt_server_get_max_ping_rate (server), ==, 100);
  g_assert_cmpuint (vt_server_get_max_reset_rate (server), ==, 20000);
  g_assert_cmpuint (vt_server_get_max_protocol (server), ==, VT_NEGOTIATION_DEFAULT_MAX);
  for (int i = 0; i < 2; i++)
    {
      g_object_set (server, "path", "/t", "bind-address", "::1", "allowed-origins", origins,
                    "allow-anonymous", TRUE, "ping-interval", 1, "ping-timeout", 2, "max-sessions",
                    3, "max-forwards", 4, "max-streams", 5, "max-buffer",
                    G_GUINT64_CONSTANT (0x100000000), "max-protocol",
                    3 - VT_NEGOTIATION_DEFAULT_MAX, "max-sessions-per-address", 6,
                    "max-control-rate", 7, "max-ping-rate", 8, "max-reset-rate", 9, NULL);
      g_assert_cmpuint (n_notified, ==, 15);
    }
  vt_server_set_bind_address (server, NULL);
  g_object_get (server, "bind-address", &bind_address, NULL);
  g_assert_cmpstr (bind_address, ==, "localhost");
  g_assert_cmpstrv (vt_server_get_allowed_origins (server), origins);
  g_assert_cmpuint (vt_server_get_max_streams (server), ==, 5);
  g_assert_cmpuint (vt_server_get_max_sessions_per_address (server), ==, 6);
  g_assert_cmpuint (vt_server_get_max_control_rate (server), ==, 7);
  g_assert_cmpuint (vt_server_get_max_ping_rate (server), ==, 8);
  g_assert_cmpuint (vt_server_get_max_reset_rate (server), ==, 9);
  g_assert_cmpuint (vt_server_get_max_buffer (server), ==, G_GUINT64_CONSTANT (0x100000000));
  g_assert_cmpuint (vt_server_get_max_protocol (server), ==, 3 - VT_NEGOTIATION_DEFAULT_MAX);
}

int
main (int argc, char **argv)
{
  static const char *const signals[] = { "session-opened", "listen-requested", "stream-opened",
                                         "stream-closed", "session-closed" };
  static const char *const watches[] = { "forwards", "streams", "n-streams" };

  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/server-entry/attach", test_attach);
  g_test_add_func ("/server-entry/handle-connection", test_handle_connection);
  g_test_add_func ("/server-entry/long-ping-interval", test_long_ping_interval);
  g_test_add_func ("/server-entry/tls", test_tls);
  for (size_t i = 0; i < G_N_ELEMENTS (signals); i++)
    {
      g_autofree char *path = g_strconcat ("/server-entry/dispose-in/", signals[i], NULL);

      g_test_add_data_func (path, signals[i], test_dispose_in_handler);
    }
  for (size_t i = 0; i < G_N_ELEMENTS (watches); i++)
    {
      g_autofree char *path = g_strconcat ("/server-entry/dispose-in-watch/", watches[i], NULL);

      g_test_add_data_func (path, watches[i], test_dispose_in_watch);
    }
  g_test_add_func ("/server-entry/rest-outlives-client", test_rest_outlives_client);
  g_test_add_func ("/server-entry/allowed-ports", test_allowed_ports);
  g_test_add_func ("/server-entry/ports", test_ports);
  g_test_add_func ("/server-entry/properties", test_properties);
  return g_test_run ();
}
