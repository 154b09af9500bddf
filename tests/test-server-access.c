/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include <string.h>

#include "free-port.h"
#include "server-fixture.h"
#include "time-skip.h"

/* A server that asks who its clients are, by what is public of the library. */
typedef struct {
  ServerFixture fixture;
  VtAccess *access; /* owned */
  char *tokens[3];  /* owned: alice's, bob's, and that of one whose time is over */
  char *hashes[3];  /* owned */
  gint64 wall_skipped;
} Access;

enum { ALICE, BOB, LATE };

static const char *const names[] = { "alice", "bob", "late" };

/* What the library asks for the time of day. */
static gint64 wall_skipped;

gint64
g_get_real_time (void)
{
  struct timespec now;

  clock_gettime (CLOCK_REALTIME, &now);
  return now.tv_sec * G_USEC_PER_SEC + now.tv_nsec / 1000 + wall_skipped;
}

/* Any of the three may be NULL: there is no such client. */
static void
set_clients (Access *self, const char *alice, const char *bob, const char *late)
{
  const char *const rests[] = { alice, bob, late };
  g_autoptr(GString) text = g_string_new (NULL);
  g_autoptr(GError) error = NULL;

  for (size_t i = 0; i < G_N_ELEMENTS (rests); i++)
    if (rests[i] != NULL)
      g_string_append_printf (text, "[client %s]\ntoken=%s\n%s\n", names[i], self->hashes[i],
                              rests[i]);
  vt_access_replace (self->access, text->str, -1, &error);
  g_assert_no_error (error);
}

static void
set_up (Access *self, const void *data)
{
  g_autoptr(GError) error = NULL;

  wall_skipped = 0;
  server_fixture_set_up (&self->fixture, data);
  for (size_t i = 0; i < G_N_ELEMENTS (names); i++)
    self->tokens[i] = vt_access_create_token (names[i], &self->hashes[i], &error);
  self->access = vt_access_new_from_data ("", -1, &error);
  g_assert_no_error (error);
  set_clients (self, "", "", "expires=2020-01-01");
  vt_server_set_access (self->fixture.server, self->access);
}

static void
tear_down (Access *self, const void *data)
{
  server_fixture_tear_down (&self->fixture, data);
  g_assert_finalize_object (self->access);
  for (size_t i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_free (self->tokens[i]);
      g_free (self->hashes[i]);
    }
}

static char *
ask (Access *self, const char *lines)
{
  g_autoptr(RawPeer) peer = raw_peer_new (self->fixture.port);

  return raw_peer_ask_for_upgrade (peer, "/", lines);
}

static void
expect_answer (Access *self, const char *lines, const char *status)
{
  g_autofree char *answer = ask (self, lines);

  if (!g_str_has_prefix (answer, "HTTP/1.1 ") || !g_str_has_prefix (answer + 9, status))
    g_error ("Expected %s, got %s", status, answer);
}

/* And nobody is there. */
static void
expect_status (Access *self, const char *lines, const char *status)
{
  expect_answer (self, lines, status);
  g_assert_cmpuint (server_fixture_count_sessions (&self->fixture), ==, 0);
}

static char *
bearer (const char *token)
{
  return g_strdup_printf ("Authorization: Bearer %s\r\n", token);
}

static char *
basic (const char *name, const char *token)
{
  g_autofree char *both = g_strconcat (name, ":", token, NULL);
  g_autofree char *encoded = g_base64_encode ((const guchar *) both, strlen (both));

  return g_strdup_printf ("Authorization: Basic %s\r\n", encoded);
}

static V2Peer *
enter_with (Access *self, const char *lines, unsigned int who)
{
  V2Peer *client = v2_peer_arrive_with (self->fixture.port, "/", lines);

  v2_peer_greet (client);
  server_fixture_expect (&self->fixture, "+session ");
  g_assert_cmpstr (vt_session_get_user (self->fixture.session), ==, names[who]);
  return client;
}

static V2Peer *
enter (Access *self, unsigned int who)
{
  g_autofree char *lines = bearer (self->tokens[who]);

  return enter_with (self, lines, who);
}

static void
test_strangers (Access *self, const void *data)
{
  g_autofree char *expired = bearer (self->tokens[LATE]);
  g_autofree char *unknown = bearer ("vt_carol_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
  g_autofree char *wrong = bearer ("vt_alice_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
  g_autofree char *other_name = basic ("bob", self->tokens[ALICE]);
  g_autofree char *good = bearer (self->tokens[ALICE]);
  g_autofree char *twice = g_strconcat (good, good, NULL);
  const char *const headers[] = { expired, unknown, wrong, other_name, twice, "" };
  g_autofree char *first = NULL;

  for (size_t i = 0; i < G_N_ELEMENTS (headers); i++)
    {
      g_autofree char *answer = ask (self, headers[i]);
      char *date = strstr (answer, "Date: ");

      g_assert_true (g_str_has_prefix (answer, "HTTP/1.1 401 Unauthorized\r\n"));
      g_assert_nonnull (strstr (answer, "WWW-Authenticate: Bearer realm=\"vtunnel\"\r\n"));
      g_assert_nonnull (strstr (answer, "WWW-Authenticate: Basic realm=\"vtunnel\"\r\n"));
      /* None of them learns more than the others. */
      memset (date, '-', strcspn (date, "\r"));
      if (first == NULL)
        first = g_steal_pointer (&answer);
      else
        g_assert_cmpstr (answer, ==, first);
      time_skip (G_TIME_SPAN_MINUTE);
    }
  server_fixture_expect_silence (&self->fixture);
}

static void
test_known (Access *self, const void *data)
{
  g_autofree char *named = basic ("bob", self->tokens[BOB]);
  g_autofree char *token = bearer (self->tokens[ALICE]);
  g_autofree char *elsewhere = g_strconcat (token, "X-Team: blue\r\n", NULL);
  g_autoptr(V2Peer) alice = enter_with (self, elsewhere, ALICE);
  g_autoptr(V2Peer) bob = enter_with (self, named, BOB);

  g_assert_cmpuint (server_fixture_count_sessions (&self->fixture), ==, 2);
}

/* The first protocol too. */
static void
test_known_v1 (Access *self, const void *data)
{
  g_autofree char *lines = bearer (self->tokens[ALICE]);
  g_autoptr(RawPeer) peer = raw_peer_new (self->fixture.port);
  g_autofree char *answer = raw_peer_ask_for_upgrade (peer, "/", lines);

  g_assert_true (g_str_has_prefix (answer, "HTTP/1.1 101 "));
  server_fixture_expect (&self->fixture, "+session ");
  g_assert_cmpstr (vt_session_get_user (self->fixture.session), ==, "alice");
}

/* The one line that is written when an address has to wait. */
static unsigned int n_messages;

static GLogWriterOutput
count_messages_cb (GLogLevelFlags level, const GLogField *fields, size_t n_fields, void *user_data)
{
  for (size_t i = 0; i < n_fields; i++)
    if (g_str_equal (fields[i].key, "MESSAGE"))
      n_messages += g_str_has_prefix (fields[i].value, "Several wrong tokens came from 127.0.0.1");
  return g_log_writer_default (level, fields, n_fields, NULL);
}

static void
test_penalty (Access *self, const void *data)
{
  g_autofree char *good = bearer (self->tokens[ALICE]);
  g_autofree char *answer = NULL;

  n_messages = 0;
  for (unsigned int i = 0; i < 20; i++)
    expect_status (self, "", "401");
  for (unsigned int i = 0; i < 5; i++)
    expect_status (self, "Authorization: Bearer junk\r\n", "401");
  answer = ask (self, good);
  g_assert_true (g_str_has_prefix (answer, "HTTP/1.1 429 Too Many Requests\r\n"));
  g_assert_nonnull (strstr (answer, "\r\nRetry-After: 1\r\n"));
  time_skip (G_TIME_SPAN_SECOND);
  expect_status (self, "Authorization: Bearer junk\r\n", "401");
  g_free (answer);
  answer = ask (self, good);
  g_assert_nonnull (strstr (answer, "\r\nRetry-After: 2\r\n"));
  time_skip (2 * G_TIME_SPAN_SECOND);
  v2_peer_free (enter (self, ALICE));
  g_assert_cmpuint (n_messages, ==, 1);
}

static void
test_proxies (Access *self, const void *data)
{
  static const char *const proxies[] = { "127.0.0.0/8", "10.0.0.0/8", NULL };
  g_autofree char *good = bearer (self->tokens[ALICE]);
  g_autofree char *forwarded = g_strconcat (good, "X-Forwarded-For: 192.0.2.1\r\n", NULL);
  g_autofree char *chain = g_strconcat (good,
                                        "Forwarded: for=192.0.2.7, for=192.0.2.1\r\nVia: a\r\n"
                                        "Forwarded: for=10.0.0.1\r\n",
                                        NULL);
  g_autofree char *conflict = g_strconcat (forwarded, "Forwarded: for=192.0.2.9\r\n", NULL);
  g_autofree char *text = NULL;
  g_autoptr(V2Peer) client = NULL;
  g_autoptr(GError) error = NULL;
  GSocketAddress *address;

  expect_status (self, forwarded, "403");
  g_assert_true (vt_server_set_trusted_proxies (self->fixture.server, proxies, &error));
  g_assert_no_error (error);
  g_assert_true (g_strv_equal (vt_server_get_trusted_proxies (self->fixture.server), proxies));
  expect_status (self, conflict, "403");
  client = enter_with (self, chain, ALICE);
  address = vt_session_get_client_address (self->fixture.session);
  text = g_inet_address_to_string (
      g_inet_socket_address_get_address (G_INET_SOCKET_ADDRESS (address)));
  g_assert_cmpstr (text, ==, "192.0.2.1");
}

/* It is the client's address that is slowed down, never the proxy's. */
static void
test_penalty_behind_proxy (Access *self, const void *data)
{
  static const char *const proxies[] = { "127.0.0.1", NULL };
  const char *junk = "Authorization: Bearer junk\r\n";
  g_autofree char *one = g_strconcat (junk, "X-Forwarded-For: 192.0.2.1\r\n", NULL);
  g_autofree char *other = g_strconcat (junk, "X-Forwarded-For: 192.0.2.2\r\n", NULL);
  g_autofree char *unnamed = g_strconcat (junk, "X-Forwarded-For: unknown\r\n", NULL);

  vt_server_set_trusted_proxies (self->fixture.server, proxies, NULL);
  for (unsigned int i = 0; i < 20; i++)
    {
      expect_status (self, unnamed, "401");
      expect_status (self, junk, "401");
    }
  for (unsigned int i = 0; i < 5; i++)
    expect_status (self, one, "401");
  expect_status (self, one, "429");
  expect_status (self, other, "401");
  expect_status (self, junk, "401");
}

/* Each place counts for itself, and a proxy that names none for nobody. */
static void
test_sessions_per_address (Access *self, const void *data)
{
  static const char *const proxies[] = { "127.0.0.1", NULL };
  g_autofree char *good = bearer (self->tokens[ALICE]);
  g_autofree char *one = g_strconcat (good, "X-Forwarded-For: 2001:db8::1\r\n", NULL);
  g_autofree char *near = g_strconcat (good, "X-Forwarded-For: 2001:db8::2\r\n", NULL);
  g_autofree char *other = g_strconcat (good, "X-Forwarded-For: 2001:db8:0:1::1\r\n", NULL);
  g_autofree char *unnamed = g_strconcat (good, "X-Forwarded-For: unknown\r\n", NULL);
  const char *const welcome[] = { one, near, other, unnamed, unnamed, unnamed };
  V2Peer *clients[G_N_ELEMENTS (welcome)];

  vt_server_set_trusted_proxies (self->fixture.server, proxies, NULL);
  vt_server_set_max_sessions_per_address (self->fixture.server, 2);
  for (size_t i = 0; i < G_N_ELEMENTS (welcome); i++)
    clients[i] = enter_with (self, welcome[i], ALICE);
  expect_answer (self, one, "503");
  vt_server_set_max_sessions_per_address (self->fixture.server, 0);
  v2_peer_free (enter_with (self, one, ALICE));
  for (size_t i = 0; i < G_N_ELEMENTS (welcome); i++)
    v2_peer_free (clients[i]);
}

static void
test_proxy_of_nobody (Access *self, const void *data)
{
  static const char *const bad[] = { "127.0.0.1", "junk", NULL };
  g_autoptr(GError) error = NULL;

  g_assert_false (vt_server_set_trusted_proxies (self->fixture.server, bad, &error));
  g_assert_error (error, VT_ERROR, VT_ERROR_INVALID_ARGUMENT);
  g_assert_null (vt_server_get_trusted_proxies (self->fixture.server));
}

/* A client that was killed and starts again has its port at once. */
static void
test_takeover (Access *self, const void *data)
{
  g_autoptr(V2Peer) first = enter (self, ALICE);
  g_autoptr(V2Peer) other = enter (self, BOB);
  g_autoptr(V2Peer) second = NULL;
  guint16 port = v2_peer_listen (first, 1, 0);
  g_autofree char *listen = g_strdup_printf ("{\"type\":\"listen\",\"id\":1,\"port\":%u}", port);
  g_autofree char *answer = NULL;

  v2_peer_break (first);
  server_fixture_expect (&self->fixture, "lost ");
  v2_peer_send_text (other, listen);
  answer = v2_peer_wait_text (other, "{\"type\":\"listen_err\"");
  g_assert_nonnull (strstr (answer, "retry_after"));
  second = enter (self, ALICE);
  g_assert_cmpuint (v2_peer_listen (second, 1, port), ==, port);
  server_fixture_expect (&self->fixture, "-session!11 ");
}

/* A session is a user's: whoever knows it and comes with another token does not have it. */
static void
test_resume (Access *self, const void *data)
{
  g_autoptr(V2Peer) client = enter (self, ALICE);
  g_autofree char *own = g_strdup (client->lines);

  v2_peer_listen (client, 1, 0);
  v2_peer_break (client);
  server_fixture_expect (&self->fixture, "lost ");
  v2_peer_return (client, self->fixture.port, 0);
  g_assert_true (client->resumed);
  server_fixture_expect (&self->fixture, "back resumed1 moved ");
  v2_peer_break (client);
  server_fixture_expect (&self->fixture, "lost ");
  g_free (client->lines);
  client->lines = g_strdup_printf ("Sec-WebSocket-Protocol: vtunnel.v2\r\n"
                                   "Authorization: Bearer %s\r\n",
                                   self->tokens[BOB]);
  v2_peer_return (client, self->fixture.port, 0);
  g_assert_false (client->resumed);
  server_fixture_expect (&self->fixture, "+session ");
  g_assert_cmpstr (vt_session_get_user (self->fixture.session), ==, "bob");
}

static void
expect_listen (V2Peer *client, const char *wish, const char *answer_begins)
{
  g_autofree char *answer = v2_peer_try_listen (client, wish);

  if (!g_str_has_prefix (answer, answer_begins))
    g_error ("Expected %s, got %s", answer_begins, answer);
}

#define DENIED "{\"type\":\"listen_err\",\"code\":\"permission-denied\""
#define GRANTED "{\"type\":\"listen_ok\","

static void
test_policy (Access *self, const void *data)
{
  guint16 free_port = find_free_port ();
  g_autofree char *ports = g_strdup_printf ("ports=%u\naddresses=0.0.0.0;127.0.0.1\n", free_port);
  g_autofree char *own = g_strdup_printf ("\"port\":%u", free_port);
  g_autofree char *there = g_strdup_printf ("\"address\":\"127.0.0.1\",%s", own);
  g_autofree char *far = g_strdup_printf ("\"address\":\"::\",%s", own);
  g_autofree char *bound =
      g_strdup_printf (GRANTED "\"address\":\"0.0.0.0\",\"port\":%u", free_port);
  g_autoptr(V2Peer) alice = NULL;
  g_autoptr(V2Peer) bob = NULL;
  g_autoptr(V2Peer) two = NULL;

  vt_server_set_bind_address (self->fixture.server, "*");
  vt_server_set_allowed_ports (self->fixture.server, "80,7000-65535", NULL);
  set_clients (self, ports, "", "addresses=127.0.0.1;127.0.0.2\n");
  two = enter (self, LATE);
  alice = enter (self, ALICE);
  bob = enter (self, BOB);
  expect_listen (alice, own, bound);
  expect_listen (alice, there, GRANTED);
  expect_listen (alice, far, DENIED);
  expect_listen (alice, "\"address\":\"*\",\"port\":0", DENIED);
  expect_listen (alice, "\"port\":0", DENIED);
  expect_listen (two, "\"address\":\"127.0.0.2\",\"port\":0", GRANTED);
  expect_listen (two, "\"address\":\"127.0.0.3\",\"port\":0", DENIED);
  expect_listen (bob, "\"port\":0", GRANTED "\"address\":\"127.0.0.1\"");
  expect_listen (bob, "\"port\":80", DENIED);
  expect_listen (bob, "\"port\":6999", DENIED);
  expect_listen (bob, "\"address\":\"0.0.0.0\",\"port\":0", DENIED);
}

/* What is taken away counts at once, for those that are there as well. */
static void
test_policy_changed (Access *self, const void *data)
{
  g_autoptr(V2Peer) alice = enter (self, ALICE);
  guint16 port = find_free_port ();
  g_autofree char *wish = g_strdup_printf ("\"port\":%u", port);

  expect_listen (alice, wish, GRANTED);
  set_clients (self, "ports=1", "", "");
  expect_listen (alice, wish, DENIED);
}

static void
test_limits (Access *self, const void *data)
{
  g_autofree char *lines = bearer (self->tokens[ALICE]);
  g_autoptr(V2Peer) first = NULL;
  g_autoptr(V2Peer) second = NULL;
  g_autoptr(V2Peer) third = NULL;
  g_autoptr(V2Peer) bob = NULL;
  g_autofree char *answer = NULL;
  guint16 port;

  set_clients (self, "max-sessions=1\nmax-forwards=1\n", "", "");
  first = enter (self, ALICE);
  port = v2_peer_listen (first, 1, 0);
  v2_peer_send_text (first, "{\"type\":\"listen\",\"id\":2}");
  answer = v2_peer_wait_text (first, "{\"type\":\"listen_err\",\"id\":2,\"code\":\"limit\"");

  second = v2_peer_arrive_with (self->fixture.port, "/", lines);
  raw_peer_send_message (second->raw, "{\"type\":\"hello\",\"window\":16384,\"max_frame\":65536,"
                                      "\"max_message\":262144}");
  g_assert_cmpuint (v2_peer_wait_close (second), ==, 4002);
  bob = enter (self, BOB);

  /* One that waits for its client makes room for it. */
  v2_peer_break (first);
  server_fixture_expect (&self->fixture, "lost ");
  third = v2_peer_arrive_with (self->fixture.port, "/", lines);
  v2_peer_greet (third);
  server_fixture_expect (&self->fixture, "-session!11 +session ");
  g_assert_cmpuint (v2_peer_listen (third, 1, port), ==, port);
}

/* Whoever has a token can keep nobody else from greeting. */
static void
test_arrivals (Access *self, const void *data)
{
  g_autoptr(GPtrArray) arrivals = g_ptr_array_new_with_free_func ((GDestroyNotify) v2_peer_free);
  g_autofree char *lines = bearer (self->tokens[ALICE]);
  g_autoptr(V2Peer) bob = NULL;

  for (unsigned int i = 0; i < 16; i++)
    g_ptr_array_add (arrivals, v2_peer_arrive_with (self->fixture.port, "/", lines));
  expect_status (self, lines, "503");
  bob = enter (self, BOB);
  g_ptr_array_set_size (arrivals, 0);
  raw_settle ();
  v2_peer_free (enter (self, ALICE));
}

static void
test_entry_goes (Access *self, const void *data)
{
  g_autoptr(V2Peer) alice = enter (self, ALICE);
  g_autoptr(V2Peer) bob = enter (self, BOB);
  g_autoptr(V2Peer) waiting = NULL;
  g_autofree char *lines = bearer (self->tokens[ALICE]);
  guint16 port = v2_peer_listen (bob, 1, 0);

  waiting = v2_peer_arrive_with (self->fixture.port, "/", lines);
  set_clients (self, "", "max-sessions=9", NULL);
  server_fixture_expect_silence (&self->fixture);
  set_clients (self, NULL, "", NULL);
  g_assert_cmpuint (v2_peer_wait_close (alice), ==, 1008);
  raw_peer_send_message (waiting->raw, "{\"type\":\"hello\",\"window\":16384,\"max_frame\":65536,"
                                       "\"max_message\":262144}");
  g_assert_cmpuint (v2_peer_wait_close (waiting), ==, 1008);
  v2_peer_close (alice, 1008);
  server_fixture_expect (&self->fixture, "-session!12 ");
  g_assert_true (server_fixture_is_open (port));
  g_assert_cmpuint (server_fixture_count_sessions (&self->fixture), ==, 1);
}

static void
test_token_goes (Access *self, const void *data)
{
  g_autoptr(V2Peer) alice = enter (self, ALICE);
  g_autofree char *other = NULL;
  g_autofree char *token = self->tokens[ALICE];
  g_autofree char *hash = self->hashes[ALICE];
  g_autofree char *both = NULL;

  self->tokens[ALICE] = vt_access_create_token ("alice", &other, NULL);
  self->hashes[ALICE] = g_strdup_printf ("%s;%s", other, hash);
  set_clients (self, "", "", NULL);
  server_fixture_expect_silence (&self->fixture);
  g_free (self->hashes[ALICE]);
  self->hashes[ALICE] = g_steal_pointer (&other);
  set_clients (self, "", "", NULL);
  g_assert_cmpuint (v2_peer_wait_close (alice), ==, 1008);
}

/* One that has lost its client, and will not be waited for any longer. */
static void
test_entry_goes_suspended (Access *self, const void *data)
{
  g_autoptr(V2Peer) alice = enter (self, ALICE);
  guint16 port = v2_peer_listen (alice, 1, 0);

  v2_peer_break (alice);
  server_fixture_expect (&self->fixture, "lost ");
  set_clients (self, NULL, "", NULL);
  while (server_fixture_count_sessions (&self->fixture) > 0)
    g_main_context_iteration (NULL, TRUE);
  g_assert_false (server_fixture_is_open (port));
}

static void
test_expires (Access *self, const void *data)
{
  g_autoptr(GDateTime) now = g_date_time_new_now_utc ();
  g_autoptr(GDateTime) soon = g_date_time_add_hours (now, 1);
  g_autofree char *text = g_date_time_format_iso8601 (soon);
  g_autofree char *rest = g_strconcat ("expires=", text, "\n", NULL);
  g_autoptr(V2Peer) alice = NULL;
  g_autoptr(V2Peer) bob = NULL;

  set_clients (self, rest, "", NULL);
  alice = enter (self, ALICE);
  bob = enter (self, BOB);
  server_fixture_expect_silence (&self->fixture);
  wall_skipped = G_TIME_SPAN_HOUR;
  /* Half a minute, in which nobody looks. */
  time_skip (31 * G_TIME_SPAN_SECOND);
  raw_settle ();
  g_assert_cmpuint (v2_peer_wait_close (alice), ==, 1008);
}

/* Without a file, all is as it was; and no session needs one that has begun. */
static void
test_property (Access *self, const void *data)
{
  g_autoptr(V2Peer) alice = enter (self, ALICE);
  g_autoptr(V2Peer) anonymous = NULL;
  g_autoptr(VtAccess) access = NULL;
  g_autoptr(GError) error = NULL;

  g_object_get (self->fixture.server, "access", &access, NULL);
  g_assert_true (access == self->access);
  g_assert_true (vt_server_listen (self->fixture.server, "0.0.0.0", 0, &error));
  g_object_set (self->fixture.server, "access", NULL, NULL);
  g_assert_null (vt_server_get_access (self->fixture.server));
  g_assert_false (vt_server_listen (self->fixture.server, "0.0.0.0", 0, &error));
  g_assert_error (error, VT_ERROR, VT_ERROR_PERMISSION_DENIED);
  anonymous = v2_peer_enter (self->fixture.port);
  server_fixture_expect (&self->fixture, "+session ");
  g_assert_null (vt_session_get_user (self->fixture.session));
  g_assert_cmpuint (server_fixture_count_sessions (&self->fixture), ==, 2);
}

#define ADD(path, func) g_test_add (path, Access, NULL, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_log_set_writer_func (count_messages_cb, NULL, NULL);
  ADD ("/server/access/strangers", test_strangers);
  ADD ("/server/access/known", test_known);
  ADD ("/server/access/known-v1", test_known_v1);
  ADD ("/server/access/penalty", test_penalty);
  ADD ("/server/access/penalty-behind-proxy", test_penalty_behind_proxy);
  ADD ("/server/access/sessions-per-address", test_sessions_per_address);
  ADD ("/server/access/proxies", test_proxies);
  ADD ("/server/access/proxies/bad", test_proxy_of_nobody);
  ADD ("/server/access/takeover", test_takeover);
  ADD ("/server/access/resume", test_resume);
  ADD ("/server/access/policy", test_policy);
  ADD ("/server/access/policy/changed", test_policy_changed);
  ADD ("/server/access/limits", test_limits);
  ADD ("/server/access/arrivals", test_arrivals);
  ADD ("/server/access/entry-goes", test_entry_goes);
  ADD ("/server/access/token-goes", test_token_goes);
  ADD ("/server/access/entry-goes/suspended", test_entry_goes_suspended);
  ADD ("/server/access/expires", test_expires);
  ADD ("/server/access/property", test_property);
  return g_test_run ();
}
