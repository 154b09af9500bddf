/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include <string.h>

#include <vtunnel/vtunnel.h>

#include "raw-peer.h"
#include "soup-port.h"
#include "vt-negotiation-private.h"

#define HELLO                                                                                      \
  "{\"type\":\"hello\",\"agent\":\"test\",\"window\":16384,\"max_frame\":65536,"                   \
  "\"max_message\":262144}"
#define OFFER "Sec-WebSocket-Protocol: vtunnel.v2\r\n"
#define SELECTED "\r\nSec-WebSocket-Protocol: vtunnel.v2\r\n"

typedef struct {
  VtServer *server; /* owned */
  guint16 port;
  GString *log; /* owned: + and - for sessions that were told of */
} Fixture;

static void
session_opened_cb (VtServer *server, VtSession *session, gpointer user_data)
{
  Fixture *self = user_data;

  g_assert_cmpuint (g_list_model_get_n_items (vt_server_get_sessions (server)), ==, 1);
  g_string_append_printf (self->log, "+%u", vt_session_get_protocol (session));
}

static void
session_closed_cb (VtServer *server, VtSession *session, const GError *error, gpointer user_data)
{
  Fixture *self = user_data;

  g_string_append_c (self->log, '-');
}

static void
set_up (Fixture *self, const void *data)
{
  g_autoptr(GError) error = NULL;
  g_autofree guint16 *ports = NULL;

  self->log = g_string_new (NULL);
  self->server = vt_server_new ();
  vt_server_set_max_protocol (self->server, 2);
  /* Who is gone is gone, here. */
  vt_server_set_resume_timeout (self->server, 0);
  vt_server_listen (self->server, "127.0.0.1", 0, &error);
  g_assert_no_error (error);
  ports = vt_server_get_ports (self->server, NULL);
  self->port = ports[0];
  g_signal_connect (self->server, "session-opened", G_CALLBACK (session_opened_cb), self);
  g_signal_connect (self->server, "session-closed", G_CALLBACK (session_closed_cb), self);
}

static void
tear_down (Fixture *self, const void *data)
{
  g_object_add_weak_pointer (G_OBJECT (self->server), (void **) &self->server);
  g_object_unref (self->server);
  raw_settle ();
  g_assert_null (self->server);
  g_string_free (self->log, TRUE);
}

static unsigned int
count_sessions (Fixture *self)
{
  return g_list_model_get_n_items (vt_server_get_sessions (self->server));
}

/* A client that has not said hello. */
static RawPeer *
arrive_at (guint16 port, const char *path)
{
  RawPeer *client = raw_peer_new (port);
  g_autofree char *answer = raw_peer_ask_for_upgrade (client, path, OFFER);

  g_assert_nonnull (strstr (answer, SELECTED));
  return client;
}

static void
expect_start (RawPeer *client, const char *start)
{
  g_autofree char *message = raw_peer_read_text (client);

  g_assert_nonnull (message);
  if (!g_str_has_prefix (message, start))
    g_error ("Expected “%s…”, got “%s”", start, message);
}

static void
greet (RawPeer *client)
{
  raw_peer_send_message (client, HELLO);
  expect_start (client, "{\"type\":\"welcome\",\"session\":\"");
}

static RawPeer *
enter (Fixture *self)
{
  RawPeer *client = arrive_at (self->port, "/");

  greet (client);
  return client;
}

static gboolean
has_gone (void *user_data)
{
  Fixture *self = user_data;

  return g_str_has_suffix (self->log->str, "-");
}

/* What is answered to a client that offers something and then goes: no subprotocol. */
static void
expect_not_selected (guint16 port, const char *path, const char *offer)
{
  g_autoptr(RawPeer) client = raw_peer_new (port);
  g_autofree char *lines = g_strdup_printf ("Sec-WebSocket-Protocol: %s\r\n", offer);
  g_autofree char *answer = raw_peer_ask_for_upgrade (client, path, lines);

  g_assert_true (g_str_has_prefix (answer, "HTTP/1.1 101 "));
  g_assert_null (strstr (answer, "Sec-WebSocket-Protocol"));
}

/* A client that offers what nobody here knows is let in as ever. */
static void
test_offer (void)
{
  g_autoptr(SoupServer) soup = soup_server_new (NULL, NULL);
  g_autoptr(VtServer) server = vt_server_new ();
  g_autofree guint16 *ports = NULL;
  guint16 attached = soup_port_open (soup);

  vt_server_listen (server, NULL, 0, NULL);
  ports = vt_server_get_ports (server, NULL);
  vt_server_attach (server, soup, "/tunnel");
  vt_server_set_max_protocol (server, 2);
  expect_not_selected (ports[0], "/", "chat");
  expect_not_selected (attached, "/tunnel", "chat");
  g_setenv ("VT_PROTOCOL", "1", TRUE);
  expect_not_selected (ports[0], "/", "vtunnel.v2");
  g_unsetenv ("VT_PROTOCOL");
  vt_server_set_max_protocol (server, 1);
  expect_not_selected (ports[0], "/", "vtunnel.v2");
  expect_not_selected (attached, "/tunnel", "vtunnel.v2");
  raw_settle ();
  soup_server_disconnect (soup);
}

static void
test_session (Fixture *self, const void *data)
{
  RawPeer *client = arrive_at (self->port, "/");

  raw_settle ();
  g_assert_cmpuint (count_sessions (self), ==, 0);
  g_assert_cmpstr (self->log->str, ==, "");
  greet (client);
  g_assert_cmpuint (count_sessions (self), ==, 1);
  g_assert_cmpstr (self->log->str, ==, "+2");
  raw_peer_free (client);
  raw_wait (has_gone, self);
  g_assert_cmpstr (self->log->str, ==, "+2-");
}

/* Only one may come at a time: so whoever is let in comes after another is gone. */
static void
test_unready_counts (Fixture *self, const void *data)
{
  RawPeer *unready;
  RawPeer *second;
  g_autofree char *answer = NULL;

  vt_server_set_max_sessions (self->server, 1);
  unready = arrive_at (self->port, "/");
  second = raw_peer_new (self->port);
  answer = raw_peer_ask_for_upgrade (second, "/", OFFER);
  g_assert_true (g_str_has_prefix (answer, "HTTP/1.1 503 "));
  raw_peer_free (second);
  greet (unready);
  raw_peer_free (unready);
  raw_wait (has_gone, self);
  raw_peer_free (enter (self));
  raw_wait (has_gone, self);
}

static gboolean
has_room (void *user_data)
{
  Fixture *self = user_data;
  g_autoptr(RawPeer) peer = raw_peer_new (self->port);
  g_autofree char *answer = raw_peer_ask_for_upgrade (peer, "/", "");

  return g_str_has_prefix (answer, "HTTP/1.1 101 ");
}

/* `data` is what is sent instead of a greeting, NULL for nothing. */
static void
test_no_greeting (Fixture *self, const void *data)
{
  RawPeer *client;

  vt_server_set_max_sessions (self->server, 1);
  client = arrive_at (self->port, "/");
  if (data != NULL)
    {
      raw_peer_send_message (client, data);
      g_assert_cmpuint (raw_peer_read_close (client), ==, 1002);
    }
  raw_peer_free (client);
  raw_wait (has_room, self);
  g_assert_null (strchr (self->log->str, '2'));
}

static void
closed_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  gboolean *closed = user_data;
  g_autoptr(GError) error = NULL;

  vt_server_close_finish (VT_SERVER (source), result, &error);
  g_assert_no_error (error);
  *closed = TRUE;
}

static gboolean
is_true (void *user_data)
{
  return *(gboolean *) user_data;
}

static void
test_close (Fixture *self, const void *data)
{
  RawPeer *client = arrive_at (self->port, "/");
  gboolean closed = FALSE;

  vt_server_close_async (self->server, NULL, closed_cb, &closed);
  g_assert_cmpuint (raw_peer_read_close (client), ==, 1001);
  raw_peer_free (client);
  raw_wait (is_true, &closed);
  g_assert_cmpstr (self->log->str, ==, "");
}

/* Nothing is left of it, and nothing is told. */
static void
test_dispose (Fixture *self, const void *data)
{
  RawPeer *client = arrive_at (self->port, "/");

  g_object_run_dispose (G_OBJECT (self->server));
  raw_peer_wait_end (client);
  g_assert_cmpstr (self->log->str, ==, "");
  raw_peer_free (client);
}

typedef struct {
  const char *name;
  const char *bind_address;
  const char *listen;
  const char *answer; /* how it begins */
  const char *part;   /* nullable */
} Request;

#define LISTEN(more) "{\"type\":\"listen\",\"id\":7," more "}"
#define AT(address) LISTEN ("\"kind\":\"tcp\",\"address\":\"" address "\",\"port\":0")
#define OK "{\"type\":\"listen_ok\",\"id\":7,\"address\":"
#define ERR(word) "{\"type\":\"listen_err\",\"id\":7,\"code\":\"" word "\","

static const Request requests[] = {
  { "kind/tcp", "localhost", LISTEN ("\"kind\":\"tcp\",\"port\":0"), OK, "127.0.0.1" },
  { "kind/none-said", "localhost", LISTEN ("\"port\":0"), OK, "127.0.0.1" },
  { "kind/http", "localhost", LISTEN ("\"kind\":\"http\",\"names\":[\"a\"]"), ERR ("invalid"),
    "host names" },
  { "kind/none", "localhost", LISTEN ("\"kind\":\"none\""), ERR ("invalid"), "application" },
  { "kind/unknown", "localhost", LISTEN ("\"kind\":\"udp\""), ERR ("invalid"), "kind" },

  { "address/literal", "localhost", AT ("127.0.0.1"), OK, "127.0.0.1" },
  { "address/same", "127.0.0.1", AT ("127.0.0.1"), OK, "127.0.0.1" },
  { "address/any-of-loopback", "localhost", AT ("127.0.0.9"), OK, "127.0.0.9" },
  { "address/other-loopback", "127.0.0.1", AT ("127.0.0.9"), ERR ("permission-denied"),
    "leaves out" },
  { "address/all", "localhost", AT ("*"), ERR ("permission-denied"), "leaves out" },
  { "address/all-v4", "localhost", AT ("0.0.0.0"), ERR ("permission-denied"), "leaves out" },
  { "address/mapped", "localhost", AT ("::ffff:0.0.0.0"), ERR ("permission-denied"), NULL },
  { "address/name", "localhost", AT ("example.com"), ERR ("permission-denied"), NULL },
  { "address/all-of-all", "*", AT ("*"), OK, "0.0.0.0" },
  { "address/one-of-all", "*", AT ("127.0.0.1"), OK, "127.0.0.1" },
  { "address/one-of-all-v4", "0.0.0.0", AT ("127.0.0.1"), OK, "127.0.0.1" },
  { "address/localhost-of-all-v4", "0.0.0.0", AT ("localhost"), ERR ("permission-denied"), NULL },
  { "address/v6-of-all-v4", "0.0.0.0", AT ("::1"), ERR ("permission-denied"), NULL },
  { "address/bad-one-of-all", "*", AT ("no address"), ERR ("invalid"), NULL },
};

/* Whoever may connect, may not open more than the server would open by itself. */
static void
test_request (Fixture *self, const void *data)
{
  const Request *request = data;
  g_autofree char *message = NULL;
  RawPeer *client;

  vt_server_set_allow_anonymous (self->server, TRUE);
  vt_server_set_bind_address (self->server, request->bind_address);
  client = enter (self);
  raw_peer_send_message (client, request->listen);
  message = raw_peer_read_text (client);
  if (!g_str_has_prefix (message, request->answer)
      || (request->part != NULL && strstr (message, request->part) == NULL))
    g_error ("Expected “%s…%s”, got “%s”", request->answer, request->part, message);
  raw_peer_free (client);
  raw_wait (has_gone, self);
}

/* Without anonymous access it stays on loopback, whatever the server opens ports at. */
static void
test_request_beyond_loopback (Fixture *self, const void *data)
{
  RawPeer *client;

  vt_server_set_bind_address (self->server, "*");
  client = enter (self);
  raw_peer_send_message (client, AT ("0.0.0.0"));
  expect_start (client, ERR ("permission-denied"));
  raw_peer_send_message (client,
                         "{\"type\":\"listen\",\"id\":8,\"address\":\"127.0.0.1\",\"port\":0}");
  expect_start (client, "{\"type\":\"listen_ok\",\"id\":8,\"address\":\"127.0.0.1\",");
  raw_peer_free (client);
  raw_wait (has_gone, self);
}

/* The frame OPEN tells where the user comes from, and what it came to: `data` is where the port
 * is opened. */
static void
test_local_address (Fixture *self, const void *data)
{
  g_autofree char *message = NULL;
  g_autoptr(GBytes) open = NULL;
  const guint8 *at;
  size_t length;
  guint16 port;
  RawPeer *client;
  RawPeer *user;

  vt_server_set_allow_anonymous (self->server, TRUE);
  vt_server_set_bind_address (self->server, data);
  client = enter (self);
  raw_peer_send_message (client, LISTEN ("\"port\":0"));
  message = raw_peer_read_text (client);
  port =
      (guint16) g_ascii_strtoull (strstr (message, "\"port\":") + strlen ("\"port\":"), NULL, 10);
  user = raw_peer_new (port);
  open = raw_peer_read_binary (client);
  at = g_bytes_get_data (open, &length);

  /* The header, the id of the listen, the user, and then what it came to. */
  g_assert_cmpuint (length, >=, 12 + 4 + 7 + 7);
  g_assert_cmpuint (at[0], ==, 1);
  g_assert_cmpmem (at + 12, 4, "\0\0\0\7", 4);
  at += 16;
  g_assert_cmpmem (at + 3, 4, "\177\0\0\1", 4);
  at += 7;
  g_assert_cmpuint (at[0], ==, 4);
  g_assert_cmpuint (at[1] << 8 | at[2], ==, port);
  g_assert_cmpmem (at + 3, 4, "\177\0\0\1", 4);
  raw_peer_free (user);
  raw_peer_free (client);
  raw_wait (has_gone, self);
}

static void
websocket_cb (SoupServer *soup,
              SoupServerMessage *message,
              const char *path,
              SoupWebsocketConnection *connection,
              void *user_data)
{
  vt_server_handle_connection (user_data, connection);
}

/* The other ways in. With a connection that the application accepted, the application decides. */
static void
test_entries (Fixture *self, const void *data)
{
  static const char *const protocols[] = { "vtunnel.v2", NULL };
  g_autoptr(SoupServer) soup = soup_server_new (NULL, NULL);
  guint16 port = soup_port_open (soup);
  RawPeer *client;

  vt_server_attach (self->server, soup, "/attached");
  soup_server_add_websocket_handler (soup, "/handled", NULL, (char **) protocols, websocket_cb,
                                     self->server, NULL);

  client = arrive_at (port, "/attached");
  greet (client);
  raw_peer_free (client);
  raw_wait (has_gone, self);
  vt_server_set_max_protocol (self->server, 1);
  client = arrive_at (port, "/handled");
  greet (client);
  raw_peer_free (client);
  g_string_truncate (self->log, 0);
  raw_wait (has_gone, self);
  client = raw_peer_new_websocket (port, "/handled");
  raw_peer_send_message (client, "{\"type\":\"ping\"}");
  raw_peer_expect_message (client, "{\"type\":\"pong\"}");
  raw_peer_free (client);
  g_string_truncate (self->log, 0);
  raw_wait (has_gone, self);
  soup_server_disconnect (soup);
}

#define ADD(path, data, func) g_test_add (path, Fixture, data, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/server/v2/offer", test_offer);
  /* Nobody speaks it yet. */
  if (VT_NEGOTIATION_DEFAULT_MAX < 2)
    return g_test_run ();
  ADD ("/server/v2/session", NULL, test_session);
  ADD ("/server/v2/unready/counts", NULL, test_unready_counts);
  ADD ("/server/v2/unready/vanishes", NULL, test_no_greeting);
  ADD ("/server/v2/unready/v1", "{\"type\":\"listen\",\"port\":9000}", test_no_greeting);
  ADD ("/server/v2/unready/close", NULL, test_close);
  ADD ("/server/v2/unready/dispose", NULL, test_dispose);
  for (size_t i = 0; i < G_N_ELEMENTS (requests); i++)
    {
      g_autofree char *path = g_strdup_printf ("/server/v2/listen/%s", requests[i].name);

      ADD (path, &requests[i], test_request);
    }
  ADD ("/server/v2/listen/address/beyond-loopback", NULL, test_request_beyond_loopback);
  ADD ("/server/v2/local-address/one", "localhost", test_local_address);
  ADD ("/server/v2/local-address/of-all", "*", test_local_address);
  ADD ("/server/v2/entries", NULL, test_entries);
  return g_test_run ();
}
