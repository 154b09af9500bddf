/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include <string.h>

#include "server-fixture.h"

#define LISTEN_NONE(more) "{\"type\":\"listen\",\"id\":7,\"kind\":\"none\"" more "}"

/* Streams that the server's application opens to a client, which is written by hand. */
typedef struct {
  VtStream *stream; /* owned, nullable */
  GError *error;    /* owned, nullable */
  gboolean done;
  gboolean drop; /* the stream, at once */
} Opening;

static void
opened_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Opening *self = user_data;

  g_assert_false (self->done);
  self->done = TRUE;
  self->stream = vt_session_open_stream_finish (VT_SESSION (source), result, &self->error);
  g_assert_true ((self->stream != NULL) != (self->error != NULL));
  if (self->drop)
    g_clear_object (&self->stream);
}

static gboolean
is_done (void *user_data)
{
  return ((Opening *) user_data)->done;
}

static void
opening_clear (Opening *self)
{
  g_clear_object (&self->stream);
  g_clear_error (&self->error);
  *self = (Opening){ 0 };
}

static void
expect_failed (Opening *self, GQuark domain, int code)
{
  raw_wait (is_done, self);
  g_assert_error (self->error, domain, code);
  opening_clear (self);
}

/* A client that has a forward without a port. */
static V2Peer *
enter (ServerFixture *fixture)
{
  g_autofree char *answer = NULL;
  V2Peer *client;

  vt_server_set_allow_streams (fixture->server, TRUE);
  client = v2_peer_enter (fixture->port);
  server_fixture_expect (fixture, "+session ");
  v2_peer_send_text (client, LISTEN_NONE (",\"names\":[\"files\",\"more\"]"));
  answer = v2_peer_wait_text (client, "{\"type\":\"listen_ok\",\"id\":7,");
  g_assert_cmpstr (answer, ==, "{\"type\":\"listen_ok\",\"id\":7,\"port\":0}");
  return client;
}

static VtForward *
get_forward (ServerFixture *fixture)
{
  GListModel *forwards = vt_session_get_forwards (fixture->session);
  VtForward *forward = g_list_model_get_item (forwards, 0);

  g_assert_nonnull (forward);
  g_object_unref (forward);
  return forward;
}

static unsigned int
count_streams (ServerFixture *fixture)
{
  return g_list_model_get_n_items (vt_session_get_streams (fixture->session));
}

static void
ask (ServerFixture *fixture, GCancellable *cancellable, Opening *opening)
{
  vt_session_open_stream_async (fixture->session, get_forward (fixture), NULL, cancellable,
                                opened_cb, opening);
}

/* Up to the client's answer. */
static void
begin (ServerFixture *fixture, V2Peer *client, GCancellable *cancellable, Opening *opening)
{
  g_autofree char *open = NULL;

  ask (fixture, cancellable, opening);
  server_fixture_expect (fixture, "+stream1 ");
  open = v2_peer_wait (client, V2_OPEN, 1);
  g_assert_false (opening->done);
  g_assert_cmpuint (count_streams (fixture), ==, 1);
}

static void
open_stream (ServerFixture *fixture, V2Peer *client, Opening *opening)
{
  begin (fixture, client, NULL, opening);
  v2_peer_send (client, V2_OPENED, 1, "");
  raw_wait (is_done, opening);
  g_assert_no_error (opening->error);
}

static GOutputStream *
output_of (Opening *opening)
{
  return g_io_stream_get_output_stream (G_IO_STREAM (opening->stream));
}

static void
write_text (Opening *opening, const char *text)
{
  g_autoptr(GError) error = NULL;

  g_output_stream_write_all (output_of (opening), text, strlen (text), NULL, NULL, &error);
  g_assert_no_error (error);
}

typedef struct {
  Opening *opening;
  GString *text; /* owned */
  size_t length;
} Reading;

static gboolean
has_read (void *user_data)
{
  Reading *self = user_data;
  GInputStream *input = g_io_stream_get_input_stream (G_IO_STREAM (self->opening->stream));
  char block[64];
  gssize n = g_input_stream_read (input, block, sizeof block, NULL, NULL);

  if (n > 0)
    g_string_append_len (self->text, block, n);
  return self->text->len >= self->length;
}

static void
expect_text (Opening *opening, const char *text)
{
  Reading reading = { opening, g_string_new (NULL), strlen (text) };

  raw_wait (has_read, &reading);
  g_assert_cmpstr (reading.text->str, ==, text);
  g_string_free (reading.text, TRUE);
}

static void
expect_data (V2Peer *client, const char *text)
{
  g_autofree char *payload = v2_peer_wait (client, V2_DATA, 1);

  g_assert_cmpstr (payload, ==, text);
}

static void
expect_frame (V2Peer *client, int type)
{
  g_free (v2_peer_wait (client, type, 1));
}

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
  ADD ("session-ends/in-order", test_session_ends, GUINT_TO_POINTER (1000));
  ADD ("session-ends/broken", test_session_ends, NULL);
  ADD ("over", test_over, NULL);
  ADD ("resume", test_resume, NULL);
  ADD ("drain", test_drain, NULL);
  ADD ("in-opened/drop-server", test_in_opened, drop_server_cb);
  ADD ("in-opened/close-session", test_in_opened, close_session_cb);
  ADD ("in-opened/dispose-stream", test_in_opened, dispose_stream_cb);
  ADD ("dispose", test_dispose, NULL);
  return g_test_run ();
}
