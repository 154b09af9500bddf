/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "opened-streams.h"

/* What becomes of them when something else ends, or pauses. */

/* Whatever ends the session ends the asking; `data` is the code of the client's goodbye. */
static void
test_session_ends (ServerFixture *fixture, const void *data)
{
  unsigned int code = GPOINTER_TO_UINT (data);
  g_autoptr(V2Peer) client = NULL;
  Opening opening = { 0 };

  vt_server_set_resume_timeout (fixture->server, 0);
  client = enter (fixture);
  begin (fixture, client, NULL, &opening);
  if (code != 0)
    v2_peer_close (client, code);
  else
    v2_peer_break (client);
  raw_wait (is_done, &opening);
  g_assert_true (opening.error->domain == VT_ERROR);
  if (code != 0)
    g_assert_cmpint (opening.error->code, ==, VT_ERROR_CANCELLED);
  opening_clear (&opening);
  server_fixture_expect (fixture, code != 0 ? "-stream1! -session " : "-stream1! -session!0 ");
}

static void
test_over (ServerFixture *fixture, const void *data)
{
  g_autoptr(V2Peer) client = enter (fixture);
  g_autoptr(VtForward) forward = g_object_ref (get_forward (fixture));
  Opening opening = { 0 };

  vt_session_close (fixture->session);
  vt_session_open_stream_async (fixture->session, forward, NULL, NULL, opened_cb, &opening);
  expect_failed (&opening, VT_ERROR, VT_ERROR_CANCELLED);
  g_assert_cmpuint (v2_peer_wait_close (client), ==, 1000);
  v2_peer_close (client, 1000);
  server_fixture_expect (fixture, "-session ");
  vt_session_open_stream_async (fixture->session, forward, NULL, NULL, opened_cb, &opening);
  g_assert_false (opening.done);
  expect_failed (&opening, VT_ERROR, VT_ERROR_CANCELLED);
}

/* The client may be away when it is asked, and when it answers. */
static void
test_resume (ServerFixture *fixture, const void *data)
{
  g_autoptr(V2Peer) client = enter (fixture);
  Opening opening = { 0 };

  v2_peer_break (client);
  server_fixture_expect (fixture, "lost ");
  ask (fixture, NULL, &opening);
  server_fixture_expect (fixture, "+stream1 ");
  v2_peer_return (client, fixture->port, 1);
  g_assert_true (client->resumed);
  expect_frame (client, V2_OPEN);
  g_string_truncate (fixture->log, 0);
  v2_peer_send (client, V2_OPENED, 1, "");
  raw_wait (is_done, &opening);
  g_assert_no_error (opening.error);

  v2_peer_break (client);
  server_fixture_expect (fixture, "lost ");
  write_text (&opening, "meanwhile");
  v2_peer_return (client, fixture->port, 2);
  expect_data (client, "meanwhile");
  v2_peer_send (client, V2_DATA, 1, "there");
  expect_text (&opening, "there");
  g_string_truncate (fixture->log, 0);
  opening_clear (&opening);
  server_fixture_expect (fixture, "-stream1! ");
}

static void
drained_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr(GError) error = NULL;

  vt_server_drain_finish (VT_SERVER (source), result, &error);
  g_assert_no_error (error);
  *(gboolean *) user_data = TRUE;
}

static gboolean
is_true (void *user_data)
{
  return *(gboolean *) user_data;
}

/* What was written before the end still arrives, though the object is gone. */
static void
test_drain (ServerFixture *fixture, const void *data)
{
  g_autoptr(V2Peer) client = enter (fixture);
  g_autoptr(VtForward) forward = g_object_ref (get_forward (fixture));
  Opening opening = { 0 }, late = { 0 };
  gboolean drained = FALSE;

  open_stream (fixture, client, &opening);
  vt_server_drain_async (fixture->server, 60, NULL, drained_cb, &drained);
  vt_session_open_stream_async (fixture->session, forward, NULL, NULL, opened_cb, &late);
  expect_failed (&late, VT_ERROR, VT_ERROR_SHUTTING_DOWN);
  write_text (&opening, "last words");
  g_assert_true (g_io_stream_close (G_IO_STREAM (opening.stream), NULL, NULL));
  opening_clear (&opening);
  server_fixture_expect (fixture, "-stream1 ");
  expect_data (client, "last words");
  expect_frame (client, V2_EOF);
  g_assert_false (drained);
  v2_peer_send (client, V2_EOF, 1, "");
  g_assert_cmpuint (v2_peer_wait_close (client), ==, 1001);
  v2_peer_close (client, 1001);
  raw_wait (is_true, &drained);
}

static void
drop_server_cb (VtServer *server, VtSession *session, VtStream *stream, gpointer user_data)
{
  ServerFixture *fixture = user_data;

  g_clear_object (&fixture->server);
}

static void
close_session_cb (VtServer *server, VtSession *session, VtStream *stream, gpointer user_data)
{
  vt_session_close (session);
}

static void
dispose_stream_cb (VtServer *server, VtSession *session, VtStream *stream, gpointer user_data)
{
  g_object_run_dispose (G_OBJECT (stream));
}

/* Whoever hears that a stream is opened may do anything. */
static void
test_in_opened (ServerFixture *fixture, const void *data)
{
  g_autoptr(V2Peer) client = enter (fixture);
  Opening opening = { 0 };

  g_signal_connect (fixture->server, "stream-opened", (GCallback) data, fixture);
  ask (fixture, NULL, &opening);
  raw_wait (is_done, &opening);
  g_assert_null (opening.stream);
  g_assert_true (opening.error->domain == VT_ERROR);
  g_assert_cmpuint (count_streams (fixture), ==, 0);
  opening_clear (&opening);
}

static void
items_changed_cb (GListModel *list,
                  unsigned int position,
                  unsigned int removed,
                  unsigned int added,
                  gpointer user_data)
{
  g_autoptr(GObject) stream = g_list_model_get_item (list, position);

  if (added > 0)
    g_object_run_dispose (stream);
}

/* So may whoever watches the list, and then it is no news that it was opened. */
static void
test_in_list (ServerFixture *fixture, const void *data)
{
  g_autoptr(V2Peer) client = enter (fixture);
  Opening opening = { 0 };

  g_signal_connect (vt_session_get_streams (fixture->session), "items-changed",
                    G_CALLBACK (items_changed_cb), NULL);
  ask (fixture, NULL, &opening);
  expect_failed (&opening, VT_ERROR, VT_ERROR_CANCELLED);
  server_fixture_expect (fixture, "-stream1! ");
}

/* What is held for a client that is away is looked through for a port, which it does not have. */
static void
test_held (ServerFixture *fixture, const void *data)
{
  g_autoptr(V2Peer) client = enter (fixture);
  g_autoptr(V2Peer) other = NULL;
  g_autofree char *listen =
      g_strdup_printf ("{\"type\":\"listen\",\"id\":3,\"port\":%u}", fixture->port);

  v2_peer_break (client);
  server_fixture_expect (fixture, "lost ");
  other = v2_peer_enter (fixture->port);
  v2_peer_send_text (other, listen);
  g_free (
      v2_peer_wait_text (other, "{\"type\":\"listen_err\",\"id\":3,\"code\":\"address-in-use\","));
}

/* The server goes while one stream is asked for, and another is in use. */
static void
test_dispose (ServerFixture *fixture, const void *data)
{
  g_autoptr(V2Peer) client = enter (fixture);
  g_autoptr(GError) error = NULL;
  Opening opening = { 0 }, waiting = { 0 };

  open_stream (fixture, client, &opening);
  ask (fixture, NULL, &waiting);
  server_fixture_expect (fixture, "+stream2 ");
  g_clear_object (&fixture->server);
  expect_failed (&waiting, VT_ERROR, VT_ERROR_SHUTTING_DOWN);
  g_assert_error (vt_stream_get_error (opening.stream), VT_ERROR, VT_ERROR_SHUTTING_DOWN);
  g_assert_cmpint (g_output_stream_write (output_of (&opening), "x", 1, NULL, &error), ==, -1);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED);
  opening_clear (&opening);
}

#define ADD(path, func, data)                                                                      \
  g_test_add ("/server/streams-end/" path, ServerFixture, data, server_fixture_set_up, func,       \
              server_fixture_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  ADD ("session-ends/in-order", test_session_ends, GUINT_TO_POINTER (1000));
  ADD ("session-ends/broken", test_session_ends, NULL);
  ADD ("over", test_over, NULL);
  ADD ("resume", test_resume, NULL);
  ADD ("drain", test_drain, NULL);
  ADD ("in-opened/drop-server", test_in_opened, drop_server_cb);
  ADD ("in-opened/close-session", test_in_opened, close_session_cb);
  ADD ("in-opened/dispose-stream", test_in_opened, dispose_stream_cb);
  ADD ("in-list", test_in_list, NULL);
  ADD ("held", test_held, NULL);
  ADD ("dispose", test_dispose, NULL);
  return g_test_run ();
}
