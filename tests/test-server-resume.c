/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include <string.h>
#include <unistd.h>

#include "server-fixture.h"
#include "time-skip.h"

/* A client with an open port, and a user on it whose stream is stream 1. */
typedef struct {
  V2Peer *client; /* owned */
  RawPeer *user;  /* owned */
  guint16 port;
} Visit;

static void
begin (Visit *self, ServerFixture *fixture)
{
  g_autofree char *open = NULL;

  self->client = v2_peer_enter (fixture->port);
  server_fixture_expect (fixture, "+session ");
  self->port = v2_peer_listen (self->client, 7, 0);
  self->user = raw_peer_new (self->port);
  open = v2_peer_wait (self->client, V2_OPEN, 1);
  server_fixture_expect (fixture, "+stream1 ");
  v2_peer_send (self->client, V2_OPENED, 1, "");
}

static void
end (Visit *self)
{
  raw_peer_free (self->user);
  v2_peer_free (self->client);
}

static void
expect_data (Visit *self, const char *text)
{
  g_autofree char *payload = v2_peer_wait (self->client, V2_DATA, 1);

  g_assert_cmpstr (payload, ==, text);
}

/* As if a client had been there for so long. */
static void
let_pass (gint64 seconds)
{
  time_skip (seconds * G_TIME_SPAN_SECOND);
  raw_settle ();
}

static gboolean
listen_requested_cb (VtServer *server, VtSession *session, VtForward *forward, gpointer user_data)
{
  ++*(unsigned int *) user_data;
  return TRUE;
}

static void
test_streams (ServerFixture *fixture, const void *data)
{
  Visit visit = { 0 };
  unsigned int n_requests = 0;
  g_autofree char *session = NULL;
  g_autofree char *secret = NULL;

  g_signal_connect (fixture->server, "listen-requested", G_CALLBACK (listen_requested_cb),
                    &n_requests);
  begin (&visit, fixture);
  session = g_strdup (visit.client->session);
  secret = g_strdup (visit.client->secret);
  g_assert_cmpuint (visit.client->resume_timeout, ==, 60);
  raw_peer_send_text (visit.user, "one");
  expect_data (&visit, "one");
  v2_peer_send (visit.client, V2_DATA, 1, "eins ");
  raw_peer_wait_input (visit.user, 5);

  v2_peer_break (visit.client);
  server_fixture_expect (fixture, "lost ");
  raw_peer_send_text (visit.user, "two");
  raw_settle ();
  v2_peer_return (visit.client, fixture->port, 1);
  g_assert_true (visit.client->resumed);
  g_assert_cmpuint (visit.client->known, ==, visit.client->sent);
  g_assert_cmpstr (visit.client->session, ==, session);
  g_assert_cmpstr (visit.client->secret, ==, secret);
  expect_data (&visit, "two");
  v2_peer_send (visit.client, V2_DATA, 1, "zwei");
  g_assert_cmpstr (raw_peer_wait_input (visit.user, 9), ==, "eins zwei");

  /* All are told together, in no order that anybody should rely on. */
  g_assert_cmpuint (vt_session_get_n_resumed (fixture->session), ==, 1);
  g_assert_true (vt_session_get_connected (fixture->session));
  g_assert_cmpuint (fixture->log->len, ==, strlen ("moved resumed1 back "));
  g_string_truncate (fixture->log, 0);
  g_assert_cmpuint (server_fixture_count_sessions (fixture), ==, 1);
  g_assert_cmpuint (n_requests, ==, 1);
  end (&visit);
}

/* What the server has sent, and the client has not got, comes again, and only that. */
static void
test_lost_messages (ServerFixture *fixture, const void *data)
{
  Visit visit = { 0 };
  guint64 received;

  begin (&visit, fixture);
  raw_peer_send_text (visit.user, "one");
  expect_data (&visit, "one");
  received = visit.client->received;
  raw_peer_send_text (visit.user, "two");
  expect_data (&visit, "two");
  visit.client->received = received;
  v2_peer_break (visit.client);
  server_fixture_expect (fixture, "lost ");
  v2_peer_return (visit.client, fixture->port, 0);
  expect_data (&visit, "two");
  end (&visit);
}

static void
test_new_user (ServerFixture *fixture, const void *data)
{
  Visit visit = { 0 };
  RawPeer *second;
  g_autofree char *open = NULL;
  g_autofree char *payload = NULL;
  GListModel *streams;

  begin (&visit, fixture);
  streams = vt_session_get_streams (fixture->session);
  v2_peer_break (visit.client);
  server_fixture_expect (fixture, "lost ");
  g_assert_cmpuint (g_list_model_get_n_items (streams), ==, 1);
  g_assert_cmpuint (g_list_model_get_n_items (vt_session_get_forwards (fixture->session)), ==, 1);
  second = raw_peer_new (visit.port);
  raw_peer_send_text (second, "hello");
  server_fixture_expect (fixture, "+stream2 ");
  g_assert_cmpuint (g_list_model_get_n_items (streams), ==, 2);
  v2_peer_return (visit.client, fixture->port, 0);
  open = v2_peer_wait (visit.client, V2_OPEN, 2);
  payload = v2_peer_wait (visit.client, V2_DATA, 2);
  g_assert_cmpstr (payload, ==, "hello");
  raw_peer_free (second);
  end (&visit);
}

static gboolean
has_address (VtSession *session, RawPeer *client)
{
  g_autoptr(GSocket) socket = NULL;
  g_autoptr(GSocketAddress) own = NULL;
  GInetSocketAddress *seen = G_INET_SOCKET_ADDRESS (vt_session_get_client_address (session));
  int fd = dup (client->fd);

  socket = g_socket_new_from_fd (fd, NULL);
  own = g_socket_get_local_address (socket, NULL);
  return g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (own))
         == g_inet_socket_address_get_port (seen);
}

/* A client that knows before the server that its connection is dead. */
static void
test_still_alive (ServerFixture *fixture, const void *data)
{
  Visit visit = { 0 };
  RawPeer *old;

  begin (&visit, fixture);
  g_assert_true (has_address (fixture->session, visit.client->raw));
  old = g_steal_pointer (&visit.client->raw);
  v2_peer_return (visit.client, fixture->port, 1);
  g_assert_true (visit.client->resumed);
  g_assert_cmpuint (raw_peer_read_close (old), ==, 4001);
  g_assert_true (has_address (fixture->session, visit.client->raw));
  g_assert_cmpuint (fixture->log->len, ==, strlen ("moved resumed1 "));
  g_string_truncate (fixture->log, 0);
  raw_peer_send_text (visit.user, "one");
  expect_data (&visit, "one");
  raw_peer_free (old);
  server_fixture_expect_silence (fixture);
  end (&visit);
}

static void
expect_too_late (Visit *self, ServerFixture *fixture, guint64 attempt)
{
  g_autoptr(RawPeer) late = v2_peer_ask_to_return (self->client, fixture->port, "/", attempt);

  g_assert_cmpuint (raw_peer_read_close (late), ==, 4001);
  raw_peer_send_text (self->user, "x");
  expect_data (self, "x");
}

/* Attempts overtake each other. */
static void
test_attempts (ServerFixture *fixture, const void *data)
{
  static const guint64 accepted[] = { 5, 0, 6, 0, 7 };
  Visit visit = { 0 };

  begin (&visit, fixture);
  for (size_t i = 0; i < G_N_ELEMENTS (accepted); i++)
    {
      v2_peer_return (visit.client, fixture->port, accepted[i]);
      g_assert_true (visit.client->resumed);
      expect_too_late (&visit, fixture, 4);
      expect_too_late (&visit, fixture, 5);
    }
  g_assert_cmpuint (vt_session_get_n_resumed (fixture->session), ==, G_N_ELEMENTS (accepted));
  end (&visit);
}

/* One who does not know it gets a session of its own, and nothing happens to the other. */
static void
try_in_vain (ServerFixture *fixture, Visit *visit, const char *session, const char *secret)
{
  g_autoptr(V2Peer) stranger = v2_peer_arrive (fixture->port, "/");

  stranger->session = g_strdup (session);
  stranger->secret = g_strdup (secret);
  v2_peer_return (stranger, fixture->port, 0);
  g_assert_false (stranger->resumed);
  g_assert_cmpuint (stranger->known, ==, 0);
  g_assert_cmpstr (stranger->session, !=, visit->client->session);
  g_assert_cmpstr (stranger->secret, !=, visit->client->secret);
  server_fixture_expect (fixture, "+session ");
  v2_peer_break (stranger);
  server_fixture_expect (fixture, "-session!0 ");
}

static void
test_unknown (ServerFixture *fixture, const void *data)
{
  Visit visit = { 0 };
  g_autofree char *nearly = NULL;

  begin (&visit, fixture);
  v2_peer_break (visit.client);
  server_fixture_expect (fixture, "lost ");
  nearly = g_strdup (visit.client->secret);
  nearly[21] = nearly[21] == 'A' ? 'B' : 'A';
  try_in_vain (fixture, &visit, visit.client->session, nearly);
  try_in_vain (fixture, &visit, visit.client->secret, visit.client->session);
  try_in_vain (fixture, &visit, visit.client->secret, visit.client->secret);
  try_in_vain (fixture, &visit, visit.client->session, "A");
  try_in_vain (fixture, &visit, "AAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAA");
  v2_peer_return (visit.client, fixture->port, 0);
  g_assert_true (visit.client->resumed);
  end (&visit);
}

/* Of more than was sent to it. */
static void
test_impossible (ServerFixture *fixture, const void *data)
{
  Visit visit = { 0 };

  begin (&visit, fixture);
  v2_peer_break (visit.client);
  server_fixture_expect (fixture, "lost ");
  visit.client->received += 1000;
  v2_peer_return (visit.client, fixture->port, 0);
  g_assert_cmpuint (v2_peer_wait_close (visit.client), ==, 1002);
  raw_peer_wait_end (visit.user);
  g_assert_true (visit.user->reset);
  v2_peer_close (visit.client, 1002);
  server_fixture_expect (fixture, "-stream1! -session!1 ");
  g_assert_false (server_fixture_is_open (visit.port));
  g_assert_cmpuint (vt_session_get_n_resumed (fixture->session), ==, 0);
  end (&visit);
}

/* Nobody waits for one that was never more than welcome. */
static void
test_silent (ServerFixture *fixture, const void *data)
{
  V2Peer *client = v2_peer_enter (fixture->port);

  server_fixture_expect (fixture, "+session ");
  v2_peer_break (client);
  server_fixture_expect (fixture, "-session!0 ");
  v2_peer_return (client, fixture->port, 0);
  g_assert_false (client->resumed);
  v2_peer_free (client);
}

static void
test_timeout (ServerFixture *fixture, const void *data)
{
  Visit visit = { 0 };

  vt_server_set_resume_timeout (fixture->server, 5);
  begin (&visit, fixture);
  g_assert_cmpuint (visit.client->resume_timeout, ==, 5);
  v2_peer_break (visit.client);
  server_fixture_expect (fixture, "lost ");
  let_pass (4);
  server_fixture_expect_silence (fixture);
  g_assert_true (server_fixture_is_open (visit.port));
  server_fixture_expect (fixture, "+stream2 ");
  let_pass (2);
  raw_peer_wait_end (visit.user);
  g_assert_true (visit.user->reset);
  g_assert_false (server_fixture_is_open (visit.port));
  g_assert_true (g_str_has_suffix (fixture->log->str, "-session!11 "));
  g_string_truncate (fixture->log, 0);
  g_assert_false (vt_session_get_connected (fixture->session));
  g_assert_cmpuint (server_fixture_count_sessions (fixture), ==, 0);
  v2_peer_return (visit.client, fixture->port, 0);
  g_assert_false (visit.client->resumed);
  end (&visit);
}

static void
test_off (ServerFixture *fixture, const void *data)
{
  Visit visit = { 0 };
  RawPeer *old;

  vt_server_set_resume_timeout (fixture->server, 0);
  begin (&visit, fixture);
  g_assert_cmpuint (visit.client->resume_timeout, ==, 0);
  old = g_steal_pointer (&visit.client->raw);
  v2_peer_return (visit.client, fixture->port, 0);
  g_assert_false (visit.client->resumed);
  server_fixture_expect (fixture, "+session ");
  raw_peer_free (old);
  server_fixture_expect (fixture, "-stream1! -session!0 ");
  end (&visit);
}

/* One that takes its leave is not waited for. */
static void
test_clean_close (ServerFixture *fixture, const void *data)
{
  Visit visit = { 0 };

  begin (&visit, fixture);
  v2_peer_close (visit.client, 1000);
  server_fixture_expect (fixture, "-stream1! -session ");
  g_assert_false (server_fixture_is_open (visit.port));
  g_assert_false (vt_session_get_connected (fixture->session));
  end (&visit);
}

static void
test_session_close (ServerFixture *fixture, const void *data)
{
  Visit visit = { 0 };

  begin (&visit, fixture);
  v2_peer_break (visit.client);
  server_fixture_expect (fixture, "lost ");
  vt_session_close (fixture->session);
  v2_peer_return (visit.client, fixture->port, 0);
  g_assert_false (visit.client->resumed);
  server_fixture_expect (fixture, "-stream1! -session +session ");
  g_assert_false (server_fixture_is_open (visit.port));
  end (&visit);
}

static void
closed_cb (GObject *source, GAsyncResult *result, gpointer user_data)
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
test_server_close (ServerFixture *fixture, const void *data)
{
  Visit visit = { 0 };
  gboolean closed = FALSE;

  begin (&visit, fixture);
  v2_peer_break (visit.client);
  server_fixture_expect (fixture, "lost ");
  vt_server_close_async (fixture->server, NULL, closed_cb, &closed);
  raw_wait (is_true, &closed);
  server_fixture_expect (fixture, "-stream1! -session!10 ");
  raw_peer_wait_end (visit.user);
  end (&visit);
}

/* Nothing is told any more, and nothing is left. */
static void
test_dispose (ServerFixture *fixture, const void *data)
{
  Visit visit = { 0 };

  begin (&visit, fixture);
  v2_peer_break (visit.client);
  server_fixture_expect (fixture, "lost ");
  g_clear_object (&fixture->server);
  raw_peer_wait_end (visit.user);
  g_assert_true (visit.user->reset);
  server_fixture_expect_silence (fixture);
  g_assert_false (server_fixture_is_open (visit.port));
  end (&visit);
}

/* The last reference goes where the server tells that a client came back. */
static void
dispose_cb (VtSession *session, GParamSpec *pspec, gpointer user_data)
{
  ServerFixture *fixture = user_data;

  g_signal_handlers_disconnect_by_data (session, fixture);
  g_clear_object (&fixture->server);
}

static void
test_dispose_within (ServerFixture *fixture, const void *data)
{
  Visit visit = { 0 };

  begin (&visit, fixture);
  v2_peer_break (visit.client);
  server_fixture_expect (fixture, "lost ");
  g_signal_connect (fixture->session, "notify::n-resumed", G_CALLBACK (dispose_cb), fixture);
  raw_peer_free (visit.user);
  visit.user = v2_peer_ask_to_return (visit.client, fixture->port, "/", 0);
  raw_peer_wait_end (visit.user);
  g_assert_null (fixture->server);
  end (&visit);
}

static void
count_cb (GObject *object, GParamSpec *pspec, gpointer user_data)
{
  (*(unsigned int *) user_data)++;
}

static void
test_property (void)
{
  g_autoptr(VtServer) server = vt_server_new ();
  unsigned int n_notified = 0;
  unsigned int seconds = 0;

  g_assert_cmpuint (vt_server_get_resume_timeout (server), ==, 60);
  g_signal_connect (server, "notify::resume-timeout", G_CALLBACK (count_cb), &n_notified);
  g_object_set (server, "resume-timeout", 60, NULL);
  g_assert_cmpuint (n_notified, ==, 0);
  g_object_set (server, "resume-timeout", 0, NULL);
  g_assert_cmpuint (n_notified, ==, 1);
  g_assert_cmpuint (vt_server_get_resume_timeout (server), ==, 0);
  vt_server_set_resume_timeout (server, 65535);
  g_object_get (server, "resume-timeout", &seconds, NULL);
  g_assert_cmpuint (seconds, ==, 65535);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  SERVER_TEST ("/server/resume/streams", test_streams);
  SERVER_TEST ("/server/resume/lost-messages", test_lost_messages);
  SERVER_TEST ("/server/resume/new-user", test_new_user);
  SERVER_TEST ("/server/resume/still-alive", test_still_alive);
  SERVER_TEST ("/server/resume/attempts", test_attempts);
  SERVER_TEST ("/server/resume/unknown", test_unknown);
  SERVER_TEST ("/server/resume/impossible", test_impossible);
  SERVER_TEST ("/server/resume/silent", test_silent);
  SERVER_TEST ("/server/resume/timeout", test_timeout);
  SERVER_TEST ("/server/resume/off", test_off);
  SERVER_TEST ("/server/resume/clean-close", test_clean_close);
  SERVER_TEST ("/server/resume/session-close", test_session_close);
  SERVER_TEST ("/server/resume/server-close", test_server_close);
  SERVER_TEST ("/server/resume/dispose", test_dispose);
  SERVER_TEST ("/server/resume/dispose-within", test_dispose_within);
  g_test_add_func ("/server/resume/property", test_property);
  return g_test_run ();
}
