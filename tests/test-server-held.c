/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include <string.h>

#include "free-port.h"
#include "server-fixture.h"
#include "soup-port.h"
#include "time-skip.h"
#include "vt-server-private.h"

/* What is kept for clients that have lost their connection, and from whom: ports, and their place
 * among the sessions. Clients come in here by an entrance of their own, where the path says who
 * they are. */
typedef struct {
  ServerFixture fixture;
  SoupServer *soup; /* owned */
  guint16 entrance;
} Held;

static void
entered_cb (SoupServer *soup,
            SoupServerMessage *message,
            const char *path,
            SoupWebsocketConnection *connection,
            void *user_data)
{
  Held *self = user_data;
  g_autoptr(VtAccessGrant) grant = NULL;

  if (!g_str_equal (path, "/"))
    {
      grant = g_rc_box_new0 (VtAccessGrant);
      grant->entry = vt_access_entry_new (path + 1);
    }
  vt_server_open_session (self->fixture.server, g_object_ref (connection), NULL, NULL, grant);
}

static void
set_up (Held *self, const void *data)
{
  static const char *const protocols[] = { "vtunnel.v2", NULL };

  server_fixture_set_up (&self->fixture, data);
  self->soup = soup_server_new (NULL, NULL);
  soup_server_add_websocket_handler (self->soup, NULL, NULL, (char **) protocols, entered_cb, self,
                                     NULL);
  self->entrance = soup_port_open (self->soup);
}

static void
tear_down (Held *self, const void *data)
{
  soup_server_disconnect (self->soup);
  g_clear_object (&self->soup);
  server_fixture_tear_down (&self->fixture, data);
}

static V2Peer *
enter_as (Held *self, const char *user)
{
  g_autofree char *path = g_strconcat ("/", user, NULL);
  V2Peer *client = v2_peer_arrive (self->entrance, path);

  v2_peer_greet (client);
  server_fixture_expect (&self->fixture, "+session ");
  g_assert_cmpstr (vt_session_get_user (self->fixture.session), ==, user);
  return client;
}

static void
lose (Held *self, V2Peer *client)
{
  v2_peer_break (client);
  server_fixture_expect (&self->fixture, "lost ");
}

/* Of listens: each is above all before, whose session it may be. */
static unsigned int last_id = 9;

static void
ask (V2Peer *client, guint16 port)
{
  g_autofree char *listen =
      g_strdup_printf ("{\"type\":\"listen\",\"id\":%u,\"port\":%u}", ++last_id, port);

  v2_peer_send_text (client, listen);
}

static void
expect_refusal (V2Peer *client, guint16 port, const char *rest)
{
  g_autofree char *start = NULL;
  g_autofree char *answer = NULL;

  ask (client, port);
  start =
      g_strdup_printf ("{\"type\":\"listen_err\",\"id\":%u,\"code\":\"address-in-use\"", last_id);
  answer = v2_peer_wait_text (client, start);
  if (strstr (answer, rest) == NULL)
    g_error ("Expected “%s” in %s", rest, answer);
}

/* For people, and for programs. */
#define HELD(seconds)                                                                              \
  "is held for a client that has lost its connection; it may be free in " seconds                  \
  " s\",\"retry_after\":" seconds "}"

static void
test_retry_after (Held *self, const void *data)
{
  g_autoptr(V2Peer) first = v2_peer_enter (self->fixture.port);
  g_autoptr(V2Peer) second = NULL;
  guint16 port = v2_peer_listen (first, 1, 0);

  server_fixture_expect (&self->fixture, "+session ");
  second = enter_as (self, NULL);
  expect_refusal (second, port, "is already in use\"}");
  lose (self, first);
  expect_refusal (second, port, HELD ("60"));
  time_skip (50 * G_TIME_SPAN_SECOND);
  expect_refusal (second, port, HELD ("10"));
  time_skip (9500 * G_TIME_SPAN_MILLISECOND);
  expect_refusal (second, port, HELD ("1"));
  time_skip (G_TIME_SPAN_SECOND);
  raw_settle ();
  server_fixture_expect (&self->fixture, "-session!11 ");
  g_assert_cmpuint (v2_peer_listen (second, ++last_id, port), ==, port);
}

/* Ports elsewhere, and those of others than the server's clients, have nothing to do with it. */
static void
test_not_held (Held *self, const void *data)
{
  g_autoptr(V2Peer) first = enter_as (self, NULL);
  g_autoptr(V2Peer) second = enter_as (self, NULL);
  g_autofree char *elsewhere = NULL;
  g_autofree char *answer = NULL;
  guint16 port = v2_peer_listen (first, 1, 0);

  lose (self, first);
  expect_refusal (second, self->fixture.port, "is already in use\"}");
  elsewhere =
      g_strdup_printf ("{\"type\":\"listen\",\"id\":99,\"address\":\"127.0.0.7\",\"port\":%u}",
                       port);
  v2_peer_send_text (second, elsewhere);
  answer = v2_peer_wait_text (second, "{\"type\":\"listen_ok\",\"id\":99,");
}

static void
test_takeover (Held *self, const void *data)
{
  g_autoptr(V2Peer) first = enter_as (self, "alice");
  g_autoptr(V2Peer) second = enter_as (self, "alice");
  g_autoptr(RawPeer) user = NULL;
  guint16 port = v2_peer_listen (first, 1, 0);

  expect_refusal (second, port, "is already in use\"}");
  user = raw_peer_new (port);
  server_fixture_expect (&self->fixture, "+stream1 ");
  lose (self, first);
  g_assert_cmpuint (v2_peer_listen (second, ++last_id, port), ==, port);
  server_fixture_expect (&self->fixture, "-stream1! -session!11 ");
  raw_peer_wait_end (user);
  g_assert_true (user->reset);
  g_assert_cmpuint (server_fixture_count_sessions (&self->fixture), ==, 1);
}

static const char *const others[][2] = {
  { "alice", "bob" },
  { "alice", NULL },
  { NULL, "alice" },
  { NULL, NULL },
};

static void
test_no_takeover (Held *self, const void *data)
{
  const char *const *users = data;
  g_autoptr(V2Peer) first = enter_as (self, users[0]);
  g_autoptr(V2Peer) second = enter_as (self, users[1]);
  guint16 port = v2_peer_listen (first, 1, 0);

  lose (self, first);
  expect_refusal (second, port, HELD ("60"));
  server_fixture_expect_silence (&self->fixture);
  g_assert_true (server_fixture_is_open (port));
}

/* What is asked for is in two places, and only one of their holders would make room: so nobody
 * has to. */
static void
test_no_half_takeover (Held *self, const void *data)
{
  g_autoptr(V2Peer) own = enter_as (self, "alice");
  g_autoptr(V2Peer) foreign = enter_as (self, "bob");
  g_autoptr(V2Peer) second = enter_as (self, "alice");
  guint16 port = find_free_port ();
  g_autofree char *v4 =
      g_strdup_printf ("{\"type\":\"listen\",\"id\":3,\"address\":\"127.0.0.1\",\"port\":%u}",
                       port);
  g_autofree char *v6 =
      g_strdup_printf ("{\"type\":\"listen\",\"id\":3,\"address\":\"::1\",\"port\":%u}", port);
  g_autofree char *first_answer = NULL;
  g_autofree char *second_answer = NULL;

  v2_peer_send_text (own, v4);
  first_answer = v2_peer_wait_text (own, "{\"type\":\"listen_");
  v2_peer_send_text (foreign, v6);
  second_answer = v2_peer_wait_text (foreign, "{\"type\":\"listen_");
  if (strstr (second_answer, "listen_ok") == NULL)
    {
      g_test_skip ("No IPv6 here");
      return;
    }
  lose (self, own);
  lose (self, foreign);
  expect_refusal (second, port, HELD ("60"));
  server_fixture_expect_silence (&self->fixture);
}

/* It is not enough to know a session: it is a user's. */
static void
test_other_user (Held *self, const void *data)
{
  const char *const *users = data;
  g_autofree char *path = g_strconcat ("/", users[1], NULL);
  g_autoptr(V2Peer) client = enter_as (self, users[0]);
  gboolean same = g_strcmp0 (users[0], users[1]) == 0;
  RawPeer *raw;

  v2_peer_listen (client, 1, 0);
  lose (self, client);
  raw = v2_peer_ask_to_return (client, self->entrance, path, 0);
  client->raw = raw;
  v2_peer_read_welcome (client);
  g_assert_cmpint (client->resumed, ==, same);
  if (!same)
    server_fixture_expect (&self->fixture, "+session ");
}

#define OFFER "Sec-WebSocket-Protocol: vtunnel.v2\r\n"

static gboolean
is_let_in (guint16 port, const char *offer)
{
  g_autoptr(RawPeer) peer = raw_peer_new (port);
  g_autofree char *answer = raw_peer_ask_for_upgrade (peer, "/", offer);

  return g_str_has_prefix (answer, "HTTP/1.1 101 ");
}

static void
expect_full_for (guint16 port, const char *lines)
{
  g_autoptr(V2Peer) fresh = v2_peer_arrive_with (port, "/", lines);

  raw_peer_send_message (fresh->raw, "{\"type\":\"hello\",\"window\":16384,\"max_frame\":65536,"
                                     "\"max_message\":262144}");
  g_assert_cmpuint (v2_peer_wait_close (fresh), ==, 4002);
  g_assert_false (is_let_in (port, lines));
}

static void
expect_full (guint16 port)
{
  expect_full_for (port, "");
}

/* The place of one that may come back is not given away, but it is let in to take it; also while
 * nobody has missed it. */
static void
test_max_sessions (Held *self, const void *data)
{
  guint16 port = self->fixture.port;
  g_autoptr(V2Peer) client = v2_peer_enter (port);
  RawPeer *old;

  v2_peer_listen (client, 1, 0);
  server_fixture_expect (&self->fixture, "+session ");
  vt_server_set_max_sessions (self->fixture.server, 1);
  expect_full (port);
  lose (self, client);
  expect_full (port);
  v2_peer_return (client, port, 0);
  g_assert_true (client->resumed);
  expect_full (port);

  old = g_steal_pointer (&client->raw);
  v2_peer_return (client, port, 0);
  g_assert_true (client->resumed);
  g_assert_cmpuint (raw_peer_read_close (old), ==, 4001);
  raw_peer_free (old);
  expect_full (port);
  g_assert_cmpuint (server_fixture_count_sessions (&self->fixture), ==, 1);
}

#define FROM(number) "X-Forwarded-For: 192.0.2." number "\r\n"

/* The same of an address that is full: it keeps nobody away who is somewhere else, nor one that
 * comes back to its place. */
static void
test_max_sessions_per_address (Held *self, const void *data)
{
  static const char *const proxies[] = { "127.0.0.1", NULL };
  guint16 port = self->fixture.port;
  g_autoptr(V2Peer) client = NULL;
  g_autoptr(V2Peer) other = NULL;

  vt_server_set_allow_anonymous (self->fixture.server, TRUE);
  vt_server_set_trusted_proxies (self->fixture.server, proxies, NULL);
  vt_server_set_max_sessions_per_address (self->fixture.server, 1);
  client = v2_peer_arrive_with (port, "/", FROM ("1"));
  v2_peer_greet (client);
  server_fixture_expect (&self->fixture, "+session ");
  expect_full_for (port, FROM ("1"));
  other = v2_peer_arrive_with (port, "/", FROM ("2"));
  v2_peer_greet (other);
  server_fixture_expect (&self->fixture, "+session ");

  v2_peer_listen (client, 1, 0);
  lose (self, client);
  expect_full_for (port, FROM ("1"));
  v2_peer_return (client, port, 0);
  g_assert_true (client->resumed);
  expect_full_for (port, FROM ("1"));
  expect_full_for (port, FROM ("2"));
  g_assert_cmpuint (server_fixture_count_sessions (&self->fixture), ==, 2);
}

/* Nobody can come back: so nobody is let in to say that it does. */
static void
test_max_sessions_not_kept (Held *self, const void *data)
{
  g_autoptr(V2Peer) client = NULL;

  vt_server_set_resume_timeout (self->fixture.server, 0);
  client = v2_peer_enter (self->fixture.port);
  server_fixture_expect (&self->fixture, "+session ");
  vt_server_set_max_sessions (self->fixture.server, 1);
  g_assert_false (is_let_in (self->fixture.port, OFFER));
}

/* They cannot be more than those that are waited for, or a few. */
static void
test_max_arrivals (Held *self, const void *data)
{
  guint16 port = self->fixture.port;
  g_autoptr(V2Peer) client = v2_peer_enter (port);
  g_autoptr(GPtrArray) arrivals = g_ptr_array_new_with_free_func ((GDestroyNotify) v2_peer_free);

  v2_peer_listen (client, 1, 0);
  server_fixture_expect (&self->fixture, "+session ");
  vt_server_set_max_sessions (self->fixture.server, 1);
  lose (self, client);
  for (unsigned int i = 0; i < 16; i++)
    g_ptr_array_add (arrivals, v2_peer_arrive (port, "/"));
  g_assert_false (is_let_in (port, OFFER));
  g_ptr_array_set_size (arrivals, 0);
  raw_settle ();
  v2_peer_return (client, port, 0);
  g_assert_true (client->resumed);
}

static void
dispose_cb (VtServer *server, VtSession *session, const GError *error, gpointer user_data)
{
  Held *self = user_data;

  g_signal_handlers_disconnect_by_func (server, dispose_cb, self);
  g_clear_object (&self->fixture.server);
}

/* The last reference to the server goes when it tells of the session that makes room. */
static void
test_dispose_within (Held *self, const void *data)
{
  g_autoptr(V2Peer) first = enter_as (self, "alice");
  g_autoptr(V2Peer) second = enter_as (self, "alice");
  guint16 port = v2_peer_listen (first, 1, 0);

  lose (self, first);
  g_signal_connect (self->fixture.server, "session-closed", G_CALLBACK (dispose_cb), self);
  ask (second, port);
  raw_peer_wait_end (second->raw);
  g_assert_null (self->fixture.server);
  g_assert_false (server_fixture_is_open (port));
}

#define ADD(path, data, func) g_test_add (path, Held, data, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("/server/held/retry-after", NULL, test_retry_after);
  ADD ("/server/held/not", NULL, test_not_held);
  ADD ("/server/held/takeover/same-user", NULL, test_takeover);
  for (size_t i = 0; i < G_N_ELEMENTS (others); i++)
    {
      g_autofree char *takeover = g_strdup_printf ("/server/held/takeover/other/%zu", i);
      g_autofree char *resume = g_strdup_printf ("/server/held/resume/%zu", i);

      ADD (takeover, others[i], test_no_takeover);
      ADD (resume, others[i], test_other_user);
    }
  ADD ("/server/held/takeover/half", NULL, test_no_half_takeover);
  ADD ("/server/held/takeover/dispose-within", NULL, test_dispose_within);
  ADD ("/server/held/sessions", NULL, test_max_sessions);
  ADD ("/server/held/sessions/not-kept", NULL, test_max_sessions_not_kept);
  ADD ("/server/held/sessions/per-address", NULL, test_max_sessions_per_address);
  ADD ("/server/held/arrivals", NULL, test_max_arrivals);
  return g_test_run ();
}
