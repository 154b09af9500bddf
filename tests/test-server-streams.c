/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "opened-streams.h"

/* The whole life of one, each direction ended by itself. */
static void
test_life (ServerFixture *fixture, const void *data)
{
  g_autoptr(V2Peer) client = enter (fixture);
  VtForward *forward = get_forward (fixture);
  Opening opening = { 0 };

  g_assert_cmpint (vt_forward_get_listen_kind (forward), ==, VT_LISTEN_KIND_NONE);
  g_assert_cmpstr (vt_forward_get_name (forward), ==, "files");
  g_assert_cmpint (vt_forward_get_state (forward), ==, VT_FORWARD_STATE_LISTENING);
  g_assert_cmpuint (vt_forward_get_bound_port (forward), ==, 0);
  g_assert_null (vt_forward_get_listen_address (forward));

  open_stream (fixture, client, &opening);
  g_assert_true (vt_stream_get_forward (opening.stream) == forward);
  g_assert_null (vt_stream_get_user_address (opening.stream));
  g_assert_cmpuint (vt_forward_get_n_streams (forward), ==, 1);
  write_text (&opening, "one");
  expect_data (client, "one");
  v2_peer_send (client, V2_DATA, 1, "eins");
  expect_text (&opening, "eins");
  g_output_stream_close (output_of (&opening), NULL, NULL);
  expect_frame (client, V2_EOF);
  v2_peer_send (client, V2_DATA, 1, "zwei");
  v2_peer_send (client, V2_EOF, 1, "");
  expect_text (&opening, "zwei");
  server_fixture_expect (fixture, "-stream1 ");
  g_assert_cmpuint (count_streams (fixture), ==, 0);
  g_assert_cmpuint (vt_forward_get_n_streams (forward), ==, 0);
  g_assert_cmpuint (vt_forward_get_bytes_sent (forward), ==, 3);
  g_assert_cmpuint (vt_forward_get_bytes_received (forward), ==, 8);
  opening_clear (&opening);
  server_fixture_expect_silence (fixture);
}

/* The client is told where it comes from, where that can be said. */
static void
test_user_address (ServerFixture *fixture, const void *data)
{
  g_autoptr(GSocketAddress) address = g_inet_socket_address_new_from_string ("127.1.1.1", 0x0101);
  g_autoptr(V2Peer) client = enter (fixture);
  g_autoptr(GBytes) open = NULL;
  Opening opening = { 0 };

  vt_session_open_stream_async (fixture->session, get_forward (fixture), address, NULL, opened_cb,
                                &opening);
  server_fixture_expect (fixture, "+stream1 ");
  open = raw_peer_read_binary (client->raw);
  /* Behind the header: the id of the listen, the user, and that it came to no address. */
  g_assert_cmpuint (g_bytes_get_size (open), ==, 12 + 14);
  g_assert_cmpmem ((const char *) g_bytes_get_data (open, NULL) + 12, 14,
                   "\0\0\0\7\4\1\1\177\1\1\1\0\0\0", 14);
  v2_peer_send (client, V2_OPENED, 1, "");
  raw_wait (is_done, &opening);
  g_assert_true (vt_stream_get_user_address (opening.stream) == address);
  opening_clear (&opening);
  expect_frame (client, V2_RESET);
}

/* Whatever the client says, the caller hears. */
static void
test_refused (ServerFixture *fixture, const void *data)
{
  g_autoptr(V2Peer) client = enter (fixture);
  Opening opening = { 0 };
  static const guint8 reset[] = { 5, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 6, 0, 0, 0, 7, 'n', 'o' };

  begin (fixture, client, NULL, &opening);
  raw_peer_send_frame (client->raw, RAW_BINARY, reset, sizeof reset);
  raw_wait (is_done, &opening);
  g_assert_cmpstr (opening.error->message, ==, "no");
  expect_failed (&opening, VT_ERROR, VT_ERROR_TARGET_REFUSED);
  server_fixture_expect (fixture, "-stream1! ");
  g_assert_cmpuint (count_streams (fixture), ==, 0);
}

static void
test_cancelled (ServerFixture *fixture, const void *data)
{
  g_autoptr(GCancellable) cancellable = g_cancellable_new ();
  g_autoptr(V2Peer) client = enter (fixture);
  Opening opening = { 0 };

  begin (fixture, client, cancellable, &opening);
  g_cancellable_cancel (cancellable);
  expect_failed (&opening, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  expect_frame (client, V2_RESET);
  server_fixture_expect (fixture, "-stream1! ");

  /* Too late, or too early, it does nothing to anybody. */
  ask (fixture, cancellable, &opening);
  expect_failed (&opening, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  v2_peer_send (client, V2_OPENED, 1, "");
  server_fixture_expect_silence (fixture);
}

/* Cancelling ends the asking, not the stream. */
static void
test_cancelled_late (ServerFixture *fixture, const void *data)
{
  g_autoptr(GCancellable) cancellable = g_cancellable_new ();
  g_autoptr(V2Peer) client = enter (fixture);
  Opening opening = { 0 };

  begin (fixture, client, cancellable, &opening);
  v2_peer_send (client, V2_OPENED, 1, "");
  raw_wait (is_done, &opening);
  g_cancellable_cancel (cancellable);
  server_fixture_expect_silence (fixture);
  write_text (&opening, "still");
  expect_data (client, "still");
  opening_clear (&opening);
}

/* No list keeps it. `data`: dropped by the callback itself. */
static void
test_dropped (ServerFixture *fixture, const void *data)
{
  g_autoptr(V2Peer) client = enter (fixture);
  Opening opening = { .drop = data != NULL };

  open_stream (fixture, client, &opening);
  if (data == NULL)
    g_assert_finalize_object (g_steal_pointer (&opening.stream));
  expect_frame (client, V2_RESET);
  server_fixture_expect (fixture, "-stream1! ");
  g_assert_cmpuint (count_streams (fixture), ==, 0);
}

static void
test_not_listening (ServerFixture *fixture, const void *data)
{
  g_autoptr(VtForward) strange = vt_forward_new (0, NULL);
  g_autoptr(V2Peer) client = enter (fixture);
  g_autoptr(VtForward) forward = g_object_ref (get_forward (fixture));
  Opening opening = { 0 };

  vt_session_open_stream_async (fixture->session, strange, NULL, NULL, opened_cb, &opening);
  g_assert_false (opening.done);
  expect_failed (&opening, VT_ERROR, VT_ERROR_CANCELLED);
  v2_peer_send_text (client, "{\"type\":\"unlisten\",\"id\":7}");
  g_free (v2_peer_wait_text (client, "{\"type\":\"unlisten_ok\",\"id\":7}"));
  g_assert_cmpint (vt_forward_get_state (forward), ==, VT_FORWARD_STATE_IDLE);
  vt_session_open_stream_async (fixture->session, forward, NULL, NULL, opened_cb, &opening);
  expect_failed (&opening, VT_ERROR, VT_ERROR_CANCELLED);
  server_fixture_expect_silence (fixture);
}

/* A forward with a port takes them as well. */
static void
test_with_a_port (ServerFixture *fixture, const void *data)
{
  g_autoptr(V2Peer) client = v2_peer_enter (fixture->port);
  Opening opening = { 0 };

  server_fixture_expect (fixture, "+session ");
  v2_peer_listen (client, 7, 0);
  open_stream (fixture, client, &opening);
  opening_clear (&opening);
  server_fixture_expect (fixture, "-stream1! ");
}

static void
test_limit (ServerFixture *fixture, const void *data)
{
  g_autoptr(V2Peer) client = NULL;
  Opening first = { 0 }, second = { 0 };

  vt_server_set_max_streams (fixture->server, 1);
  client = enter (fixture);
  open_stream (fixture, client, &first);
  ask (fixture, NULL, &second);
  expect_failed (&second, VT_ERROR, VT_ERROR_LIMIT);
  server_fixture_expect_silence (fixture);
  opening_clear (&first);
  server_fixture_expect (fixture, "-stream1! ");
}

static gboolean
deny_cb (VtServer *server, VtSession *session, VtForward *forward, gpointer user_data)
{
  unsigned int *n_asked = user_data;

  g_assert_cmpint (vt_forward_get_listen_kind (forward), ==, VT_LISTEN_KIND_NONE);
  ++*n_asked;
  return FALSE;
}

/* The application's policy counts, and the limit of forwards; what is said of ports does not. */
static void
test_policy (ServerFixture *fixture, const void *data)
{
  g_autoptr(V2Peer) client = NULL;
  unsigned int n_asked = 0;
  unsigned long handler;

  g_assert_true (vt_server_set_allowed_ports (fixture->server, "1", NULL));
  vt_server_set_bind_address (fixture->server, "0.0.0.0");
  vt_server_set_max_forwards (fixture->server, 1);
  client = enter (fixture);
  handler = g_signal_connect (fixture->server, "listen-requested", G_CALLBACK (deny_cb), &n_asked);
  v2_peer_send_text (client, "{\"type\":\"listen\",\"id\":8,\"kind\":\"none\"}");
  g_free (v2_peer_wait_text (client, "{\"type\":\"listen_err\",\"id\":8,\"code\":\"limit\","));
  g_assert_cmpuint (n_asked, ==, 0);
  v2_peer_send_text (client, "{\"type\":\"unlisten\",\"id\":7}");
  v2_peer_send_text (client, "{\"type\":\"listen\",\"id\":9,\"kind\":\"none\"}");
  g_free (v2_peer_wait_text (client,
                             "{\"type\":\"listen_err\",\"id\":9,\"code\":\"permission-denied\","));
  g_assert_cmpuint (n_asked, ==, 1);

  g_signal_handler_disconnect (fixture->server, handler);
  vt_server_set_allow_streams (fixture->server, FALSE);
  v2_peer_send_text (client, "{\"type\":\"listen\",\"id\":10,\"kind\":\"none\"}");
  g_free (v2_peer_wait_text (client, "{\"type\":\"listen_err\",\"id\":10,\"code\":\"invalid\","));
}

#define ADD(path, func, data)                                                                      \
  g_test_add ("/server/streams/" path, ServerFixture, data, server_fixture_set_up, func,           \
              server_fixture_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  ADD ("life", test_life, NULL);
  ADD ("user-address", test_user_address, NULL);
  ADD ("refused", test_refused, NULL);
  ADD ("cancelled", test_cancelled, NULL);
  ADD ("cancelled/late", test_cancelled_late, NULL);
  ADD ("dropped", test_dropped, NULL);
  ADD ("dropped/in-callback", test_dropped, "");
  ADD ("not-listening", test_not_listening, NULL);
  ADD ("with-a-port", test_with_a_port, NULL);
  ADD ("limit", test_limit, NULL);
  ADD ("policy", test_policy, NULL);
  return g_test_run ();
}
