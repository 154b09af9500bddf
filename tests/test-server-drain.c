/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include <string.h>

#include "server-fixture.h"
#include "time-skip.h"

#define GRACE 20

static void
drained_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  unsigned int *n_drained = user_data;
  g_autoptr(GError) error = NULL;

  g_assert_true (vt_server_drain_finish (VT_SERVER (source), result, &error));
  g_assert_no_error (error);
  ++*n_drained;
}

static void
closed_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  unsigned int *n_closed = user_data;
  g_autoptr(GError) error = NULL;

  g_assert_true (vt_server_close_finish (VT_SERVER (source), result, &error));
  g_assert_no_error (error);
  ++*n_closed;
}

static void
cancelled_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  unsigned int *n_cancelled = user_data;
  g_autoptr(GError) error = NULL;

  g_assert_false (vt_server_drain_finish (VT_SERVER (source), result, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  ++*n_cancelled;
}

static gboolean
is_set (void *user_data)
{
  return *(unsigned int *) user_data > 0;
}

static void
let_pass (gint64 seconds)
{
  time_skip (seconds * G_TIME_SPAN_SECOND);
  raw_settle ();
}

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
  self->port = v2_peer_listen (self->client, 7, 0);
  self->user = raw_peer_new (self->port);
  open = v2_peer_wait (self->client, V2_OPEN, 1);
  v2_peer_send (self->client, V2_OPENED, 1, "");
  server_fixture_expect (fixture, "+session +stream1 ");
}

static void
end (Visit *self)
{
  raw_peer_free (self->user);
  v2_peer_free (self->client);
}

/* Both sides of stream 1 end in order, each after a last word. */
static void
finish_stream (Visit *self)
{
  g_autofree char *last = NULL;
  g_autofree char *eof = NULL;

  raw_peer_send_text (self->user, "last");
  raw_peer_shutdown (self->user);
  last = v2_peer_wait (self->client, V2_DATA, 1);
  g_assert_cmpstr (last, ==, "last");
  eof = v2_peer_wait (self->client, V2_EOF, 1);
  v2_peer_send (self->client, V2_DATA, 1, "answer");
  v2_peer_send (self->client, V2_EOF, 1, "");
  g_assert_cmpstr (raw_peer_wait_end (self->user), ==, "answer");
  g_assert_false (self->user->reset);
}

static void
expect_goaway (V2Peer *client)
{
  g_autofree char *goaway = v2_peer_wait_text (client, "{\"type\":\"goaway\",");

  g_assert_cmpstr (goaway, ==, "{\"type\":\"goaway\",\"reason\":\"shutting down\",\"timeout\":20}");
}

static void
expect_turned_away (guint16 port, const char *lines)
{
  g_autoptr(RawPeer) peer = raw_peer_new (port);
  g_autofree char *answer = raw_peer_ask_for_upgrade (peer, "/", lines);

  if (g_str_has_prefix (answer, "HTTP/1.1 503 "))
    {
      g_assert_nonnull (strstr (raw_peer_wait_end (peer), "shutting down"));
      return;
    }
  if (*lines != '\0')
    raw_peer_send_message (peer, "{\"type\":\"hello\",\"window\":16384,\"max_frame\":65536,"
                                 "\"max_message\":262144}");
  g_assert_cmpuint (raw_peer_read_close (peer), ==, 1001);
}

#define OFFER "Sec-WebSocket-Protocol: vtunnel.v2\r\n"

static void
test_nothing (ServerFixture *fixture, const void *data)
{
  g_autoptr(GError) error = NULL;
  unsigned int n_drained = 0;

  vt_server_drain_async (fixture->server, GRACE, NULL, drained_cb, &n_drained);
  g_assert_cmpuint (n_drained, ==, 0);
  raw_wait (is_set, &n_drained);
  g_assert_false (server_fixture_is_open (fixture->port));
  vt_server_listen (fixture->server, "127.0.0.1", fixture->port, &error);
  g_assert_no_error (error);
  v2_peer_free (v2_peer_enter (fixture->port));
}

/* One that has no streams can go at once. */
static void
test_idle (ServerFixture *fixture, const void *data)
{
  g_autoptr(V2Peer) client = v2_peer_enter (fixture->port);
  guint16 port = v2_peer_listen (client, 1, 0);
  unsigned int n_drained = 0;

  vt_server_drain_async (fixture->server, GRACE, NULL, drained_cb, &n_drained);
  expect_goaway (client);
  g_assert_cmpuint (v2_peer_wait_close (client), ==, 1001);
  g_assert_false (server_fixture_is_open (port));
  g_assert_cmpuint (n_drained, ==, 0);
  v2_peer_close (client, 1001);
  raw_wait (is_set, &n_drained);
  server_fixture_expect (fixture, "+session -session!10 ");
}

static void
test_stream_finishes (ServerFixture *fixture, const void *data)
{
  g_autoptr(V2Peer) idle = NULL;
  Visit visit = { 0 };
  unsigned int n_drained = 0;

  begin (&visit, fixture);
  vt_server_drain_async (fixture->server, GRACE, NULL, drained_cb, &n_drained);
  expect_goaway (visit.client);
  let_pass (GRACE - 2);
  g_assert_cmpuint (n_drained, ==, 0);
  server_fixture_expect_silence (fixture);
  finish_stream (&visit);
  g_assert_cmpuint (v2_peer_wait_close (visit.client), ==, 1001);
  v2_peer_close (visit.client, 1001);
  raw_wait (is_set, &n_drained);
  server_fixture_expect (fixture, "-stream1 -session!10 ");
  end (&visit);
}

static void
test_stream_goes_on (ServerFixture *fixture, const void *data)
{
  Visit visit = { 0 };
  unsigned int n_drained = 0;

  begin (&visit, fixture);
  vt_server_drain_async (fixture->server, GRACE, NULL, drained_cb, &n_drained);
  expect_goaway (visit.client);
  let_pass (GRACE + 1);
  raw_peer_wait_end (visit.user);
  g_assert_true (visit.user->reset);
  g_assert_cmpuint (v2_peer_wait_close (visit.client), ==, 1001);
  v2_peer_close (visit.client, 1001);
  raw_wait (is_set, &n_drained);
  server_fixture_expect (fixture, "-stream1! -session!10 ");
  end (&visit);
}

/* Whoever comes new, on whichever side. */
static void
test_newcomers (ServerFixture *fixture, const void *data)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *refusal = NULL;
  Visit visit = { 0 };
  unsigned int n_drained = 0;

  begin (&visit, fixture);
  vt_server_drain_async (fixture->server, GRACE, NULL, drained_cb, &n_drained);
  expect_goaway (visit.client);
  g_assert_false (server_fixture_is_open (visit.port));
  g_assert_cmpuint (g_list_model_get_n_items (vt_session_get_forwards (fixture->session)), ==, 0);
  expect_turned_away (fixture->port, OFFER);
  expect_turned_away (fixture->port, "");
  v2_peer_send_text (visit.client, "{\"type\":\"listen\",\"id\":8,\"port\":0}");
  refusal = v2_peer_wait_text (visit.client, "{\"type\":\"listen_err\",\"id\":8,");
  g_assert_nonnull (strstr (refusal, "shutting-down"));
  g_assert_false (vt_server_listen (fixture->server, NULL, 0, &error));
  g_assert_error (error, VT_ERROR, VT_ERROR_SHUTTING_DOWN);
  server_fixture_expect_silence (fixture);
  finish_stream (&visit);
  g_assert_cmpuint (v2_peer_wait_close (visit.client), ==, 1001);
  end (&visit);
  raw_wait (is_set, &n_drained);
}

/* Whoever has not greeted when it begins. */
static void
test_arrivals (ServerFixture *fixture, const void *data)
{
  g_autoptr(V2Peer) first = v2_peer_arrive (fixture->port, "/");
  g_autoptr(V2Peer) second = v2_peer_arrive (fixture->port, "/");
  g_autoptr(GString) farewell = g_string_new (NULL);
  Visit visit = { 0 };
  unsigned int n_drained = 0;

  begin (&visit, fixture);
  vt_server_drain_async (fixture->server, GRACE, NULL, drained_cb, &n_drained);
  raw_peer_send_message (first->raw, "{\"type\":\"hello\",\"window\":16384,\"max_frame\":65536,"
                                     "\"max_message\":262144}");
  g_assert_cmpuint (v2_peer_wait_close (first), ==, 1001);
  finish_stream (&visit);
  g_assert_cmpuint (v2_peer_wait_close (visit.client), ==, 1001);
  v2_peer_break (visit.client);
  raw_wait (is_set, &n_drained);
  while (raw_peer_read_frame (second->raw, farewell) != RAW_CLOSE)
    ;
  g_assert_cmpstr (farewell->str, ==, "\x03\xe9shutting down");
  end (&visit);
}

/* One that is away when it begins may come back, and is told then. */
static void
test_comes_back (ServerFixture *fixture, const void *data)
{
  Visit visit = { 0 };
  unsigned int n_drained = 0;

  begin (&visit, fixture);
  v2_peer_break (visit.client);
  server_fixture_expect (fixture, "lost ");
  vt_server_drain_async (fixture->server, GRACE, NULL, drained_cb, &n_drained);
  raw_settle ();
  expect_turned_away (fixture->port, OFFER);
  v2_peer_return (visit.client, fixture->port, 0);
  g_assert_true (visit.client->resumed);
  expect_goaway (visit.client);
  finish_stream (&visit);
  g_assert_cmpuint (v2_peer_wait_close (visit.client), ==, 1001);
  v2_peer_close (visit.client, 1001);
  raw_wait (is_set, &n_drained);
  g_assert_true (g_str_has_suffix (fixture->log->str, "-stream1 -session!10 "));
  end (&visit);
}

/* There is no time to find out that a connection is dead. */
static void
test_comes_back_before_it_is_missed (ServerFixture *fixture, const void *data)
{
  Visit visit = { 0 };
  RawPeer *old;
  unsigned int n_drained = 0;

  begin (&visit, fixture);
  vt_server_drain_async (fixture->server, GRACE, NULL, drained_cb, &n_drained);
  expect_goaway (visit.client);
  old = g_steal_pointer (&visit.client->raw);
  v2_peer_return (visit.client, fixture->port, 0);
  g_assert_true (visit.client->resumed);
  finish_stream (&visit);
  raw_peer_free (old);
  v2_peer_break (visit.client);
  raw_wait (is_set, &n_drained);
  end (&visit);
}

static void
test_stays_away (ServerFixture *fixture, const void *data)
{
  Visit visit = { 0 };
  unsigned int n_drained = 0;

  begin (&visit, fixture);
  v2_peer_break (visit.client);
  server_fixture_expect (fixture, "lost ");
  vt_server_drain_async (fixture->server, GRACE, NULL, drained_cb, &n_drained);
  let_pass (GRACE - 2);
  g_assert_cmpuint (n_drained, ==, 0);
  let_pass (3);
  raw_wait (is_set, &n_drained);
  server_fixture_expect (fixture, "-stream1! -session!10 ");
  end (&visit);
}

/* One that is away, and has nothing to come back for. */
static void
test_idle_and_away (ServerFixture *fixture, const void *data)
{
  g_autoptr(V2Peer) client = v2_peer_enter (fixture->port);
  unsigned int n_drained = 0;

  v2_peer_listen (client, 1, 0);
  v2_peer_break (client);
  server_fixture_expect (fixture, "+session lost ");
  vt_server_drain_async (fixture->server, GRACE, NULL, drained_cb, &n_drained);
  raw_wait (is_set, &n_drained);
  server_fixture_expect (fixture, "-session!10 ");
}

/* The sooner end counts, and whoever waits is told. `data` is whether the second is sooner. */
static void
test_twice (ServerFixture *fixture, const void *data)
{
  gboolean sooner = data != NULL;
  Visit visit = { 0 };
  unsigned int n_drained = 0;

  begin (&visit, fixture);
  vt_server_drain_async (fixture->server, GRACE, NULL, drained_cb, &n_drained);
  expect_goaway (visit.client);
  vt_server_drain_async (fixture->server, sooner ? 5 : 100, NULL, drained_cb, &n_drained);
  let_pass (6);
  g_assert_cmpuint (fixture->log->len > 0, ==, sooner);
  let_pass (GRACE - 5);
  g_assert_cmpuint (v2_peer_wait_close (visit.client), ==, 1001);
  v2_peer_break (visit.client);
  raw_wait (is_set, &n_drained);
  raw_settle ();
  g_assert_cmpuint (n_drained, ==, 2);
  end (&visit);
}

static void
test_close_meanwhile (ServerFixture *fixture, const void *data)
{
  Visit visit = { 0 };
  unsigned int n_drained = 0;
  unsigned int n_closed = 0;

  begin (&visit, fixture);
  vt_server_drain_async (fixture->server, GRACE, NULL, drained_cb, &n_drained);
  expect_goaway (visit.client);
  vt_server_close_async (fixture->server, NULL, closed_cb, &n_closed);
  vt_server_drain_async (fixture->server, GRACE, NULL, drained_cb, &n_drained);
  g_assert_cmpuint (v2_peer_wait_close (visit.client), ==, 1001);
  v2_peer_close (visit.client, 1001);
  raw_wait (is_set, &n_closed);
  raw_settle ();
  g_assert_cmpuint (n_drained, ==, 2);
  server_fixture_expect (fixture, "-stream1! -session!10 ");
  end (&visit);
}

/* It goes on all the same, and so nobody new is let in. */
static void
test_cancelled (ServerFixture *fixture, const void *data)
{
  g_autoptr(GCancellable) cancellable = g_cancellable_new ();
  Visit visit = { 0 };
  unsigned int n_cancelled = 0;

  begin (&visit, fixture);
  vt_server_drain_async (fixture->server, GRACE, cancellable, cancelled_cb, &n_cancelled);
  expect_goaway (visit.client);
  g_cancellable_cancel (cancellable);
  raw_wait (is_set, &n_cancelled);
  expect_turned_away (fixture->port, OFFER);
  let_pass (GRACE + 1);
  g_assert_cmpuint (v2_peer_wait_close (visit.client), ==, 1001);
  v2_peer_close (visit.client, 1001);
  server_fixture_expect (fixture, "-stream1! -session!10 ");
  raw_settle ();
  g_assert_false (server_fixture_is_open (fixture->port));
  g_assert_cmpuint (n_cancelled, ==, 1);
  end (&visit);
}

static guint16
listen_in_v1 (RawPeer *client)
{
  g_autofree char *answer = NULL;

  raw_peer_send_message (client, "{\"type\":\"listen\"}");
  answer = raw_peer_read_message (client);
  return (guint16) g_ascii_strtoull (strstr (answer, "\"port\":") + strlen ("\"port\":"), NULL, 10);
}

/* v1 has no word for it, but its streams may finish as well. */
static void
test_v1 (ServerFixture *fixture, const void *data)
{
  RawPeer *client = raw_peer_new_websocket (fixture->port, "/");
  guint16 port = listen_in_v1 (client);
  RawPeer *user = raw_peer_new (port);
  unsigned int n_drained = 0;

  g_free (raw_peer_read_message (client));
  vt_server_drain_async (fixture->server, GRACE, NULL, drained_cb, &n_drained);
  raw_settle ();
  g_assert_false (server_fixture_is_open (port));
  expect_turned_away (fixture->port, "");
  raw_peer_send_text (user, "hello");
  raw_peer_expect_message (client, "{\"type\":\"data\",\"stream_id\":1,\"data\":\"aGVsbG8=\"}");
  raw_peer_send_message (client, "{\"type\":\"data\",\"stream_id\":1,\"data\":\"d29ybGQ=\"}");
  raw_peer_send_message (client, "{\"type\":\"close\",\"stream_id\":1}");
  g_assert_cmpstr (raw_peer_wait_end (user), ==, "world");
  raw_peer_free (user);
  raw_peer_expect_message (client, "{\"type\":\"close\",\"stream_id\":1}");
  g_assert_cmpuint (raw_peer_read_close (client), ==, 1001);
  raw_peer_send_frame (client, RAW_CLOSE, "\x03\xe9", 2);
  raw_wait (is_set, &n_drained);
  raw_peer_free (client);
  server_fixture_expect (fixture, "+session +stream1 -stream1 -session!10 ");
}

/* Whoever sees the first port go may let go of everything. */
static void
forward_gone_cb (GListModel *model,
                 unsigned int position,
                 unsigned int removed,
                 unsigned int added,
                 gpointer user_data)
{
  ServerFixture *fixture = user_data;

  if (removed > 0)
    g_object_run_dispose (G_OBJECT (fixture->server));
}

static void
test_dispose_within (ServerFixture *fixture, const void *data)
{
  Visit visits[2] = { 0 };
  GListModel *forwards[2] = { NULL };
  g_autoptr(GCancellable) cancellable = g_cancellable_new ();
  unsigned int n_cancelled = 0;

  for (size_t i = 0; i < G_N_ELEMENTS (visits); i++)
    {
      begin (&visits[i], fixture);
      g_set_object (&forwards[i], vt_session_get_forwards (fixture->session));
      g_signal_connect (forwards[i], "items-changed", G_CALLBACK (forward_gone_cb), fixture);
    }
  vt_server_drain_async (fixture->server, GRACE, cancellable, cancelled_cb, &n_cancelled);
  for (size_t i = 0; i < G_N_ELEMENTS (visits); i++)
    {
      raw_peer_wait_end (visits[i].user);
      end (&visits[i]);
      g_signal_handlers_disconnect_by_data (forwards[i], fixture);
      g_object_unref (forwards[i]);
    }
  g_cancellable_cancel (cancellable);
  raw_wait (is_set, &n_cancelled);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  SERVER_TEST ("/server/drain/nothing", test_nothing);
  SERVER_TEST ("/server/drain/idle", test_idle);
  SERVER_TEST ("/server/drain/stream/finishes", test_stream_finishes);
  SERVER_TEST ("/server/drain/stream/goes-on", test_stream_goes_on);
  SERVER_TEST ("/server/drain/newcomers", test_newcomers);
  SERVER_TEST ("/server/drain/arrivals", test_arrivals);
  SERVER_TEST ("/server/drain/away/comes-back", test_comes_back);
  SERVER_TEST ("/server/drain/away/comes-back-early", test_comes_back_before_it_is_missed);
  SERVER_TEST ("/server/drain/away/stays", test_stays_away);
  SERVER_TEST ("/server/drain/away/idle", test_idle_and_away);
  SERVER_TEST ("/server/drain/twice/later", test_twice);
  g_test_add ("/server/drain/twice/sooner", ServerFixture, "sooner", server_fixture_set_up,
              test_twice, server_fixture_tear_down);
  SERVER_TEST ("/server/drain/close-meanwhile", test_close_meanwhile);
  SERVER_TEST ("/server/drain/cancelled", test_cancelled);
  SERVER_TEST ("/server/drain/v1", test_v1);
  SERVER_TEST ("/server/drain/dispose-within", test_dispose_within);
  return g_test_run ();
}
