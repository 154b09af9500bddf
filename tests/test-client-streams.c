/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "client-fixture.h"

#include <gio/gunixsocketaddress.h>
#include <glib/gstdio.h>

#define CONNECT_1 "{\"type\":\"connect\",\"port\":9000,\"stream_id\":1}"
#define DATA_1 "{\"type\":\"data\",\"stream_id\":1,\"data\":\"aGVsbG8=\"}"
#define CLOSE_1 "{\"type\":\"close\",\"stream_id\":1}"

static unsigned int
count_streams (ClientFixture *self)
{
  return g_list_model_get_n_items (vt_client_get_streams (self->client));
}

static void
test_echo (ClientFixture *self, const void *data)
{
  g_autoptr(VtStream) stream = NULL;

  client_fixture_begin (self);
  /* Data may follow at once, while the target is being dialled. */
  raw_link_send_text (self->link, CONNECT_1);
  raw_link_send_text (self->link, DATA_1);
  raw_link_expect_text (self->link, DATA_1);
  g_assert_cmpuint (count_streams (self), ==, 1);
  g_assert_cmpuint (vt_forward_get_n_streams (self->forward), ==, 1);
  stream = g_list_model_get_item (vt_client_get_streams (self->client), 0);
  g_assert_true (vt_stream_get_forward (stream) == self->forward);
  g_assert_cmpuint (vt_stream_get_bytes_received (stream), ==, 5);
  g_assert_cmpuint (vt_stream_get_bytes_sent (stream), ==, 5);

  raw_link_send_text (self->link, CLOSE_1);
  raw_link_expect_text (self->link, CLOSE_1);
  RAW_WAIT (self->streams->len == 2);
  g_assert_cmpstr (self->streams->str, ==, "+-");
  g_assert_no_error (self->stream_error);
  g_assert_cmpuint (count_streams (self), ==, 0);
  g_assert_cmpuint (vt_forward_get_bytes_received (self->forward), ==, 5);
}

/* Nothing answers where the forward points to. */
static void
test_unreachable (ClientFixture *self, const void *data)
{
  client_fixture_begin (self);
  g_socket_service_stop (self->target);
  g_socket_listener_close (G_SOCKET_LISTENER (self->target));
  raw_link_send_text (self->link, CONNECT_1);
  raw_link_expect_text (self->link, CLOSE_1);
  RAW_WAIT (self->streams->len == 2);
  g_assert_error (self->stream_error, VT_ERROR, VT_ERROR_TARGET_REFUSED);
}

typedef struct {
  char buffer[64];
  gssize length;
  gboolean done;
} Read;

static void
read_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Read *self = user_data;

  self->length = g_input_stream_read_finish (G_INPUT_STREAM (source), result, NULL);
  self->done = TRUE;
}

static gboolean
take_cb (VtForward *forward, VtStream *stream, gpointer user_data)
{
  VtStream **taken = user_data;

  g_assert_null (*taken);
  *taken = g_object_ref (stream);
  return TRUE;
}

static VtStream *
open_taken (ClientFixture *self, VtForward *forward)
{
  VtStream *taken = NULL;

  g_signal_connect (forward, "incoming", G_CALLBACK (take_cb), &taken);
  client_fixture_open (self);
  client_fixture_listen (self, forward);
  raw_link_send_text (self->link, CONNECT_1);
  RAW_WAIT (taken != NULL);
  g_signal_handlers_disconnect_by_data (forward, &taken);
  return taken;
}

static void
test_incoming (ClientFixture *self, const void *data)
{
  g_autoptr(VtForward) forward = vt_forward_new (9000, NULL);
  VtStream *stream = open_taken (self, forward);
  Read read = { 0 };

  raw_link_send_text (self->link, DATA_1);
  g_input_stream_read_async (g_io_stream_get_input_stream (G_IO_STREAM (stream)), read.buffer,
                             sizeof read.buffer, G_PRIORITY_DEFAULT, NULL, read_cb, &read);
  RAW_WAIT (read.done);
  g_assert_cmpint (read.length, ==, 5);
  g_assert_cmpmem (read.buffer, 5, "hello", 5);
  g_output_stream_write_all_async (g_io_stream_get_output_stream (G_IO_STREAM (stream)), "hello", 5,
                                   G_PRIORITY_DEFAULT, NULL, NULL, NULL);
  raw_link_expect_text (self->link, DATA_1);
  g_assert_cmpuint (count_streams (self), ==, 1);
  g_assert_cmpstr (self->streams->str, ==, "+");

  g_io_stream_close (G_IO_STREAM (stream), NULL, NULL);
  raw_link_expect_text (self->link, CLOSE_1);
  raw_link_send_text (self->link, CLOSE_1);
  RAW_WAIT (self->streams->len == 2);
  g_assert_no_error (self->stream_error);
  g_assert_cmpuint (count_streams (self), ==, 0);
  g_object_unref (stream);
}

/* No list keeps an application's stream. */
static void
test_incoming_dropped (ClientFixture *self, const void *data)
{
  g_autoptr(VtForward) forward = vt_forward_new (9000, NULL);
  VtStream *stream = open_taken (self, forward);

  g_object_add_weak_pointer (G_OBJECT (stream), (void **) &stream);
  g_object_unref (stream);
  g_assert_null (stream);
  raw_link_expect_text (self->link, CLOSE_1);
  g_assert_cmpstr (self->streams->str, ==, "+-");
  g_assert_cmpuint (count_streams (self), ==, 0);
  g_assert_cmpuint (vt_forward_get_n_streams (forward), ==, 0);
}

static void
test_incoming_nobody (ClientFixture *self, const void *data)
{
  g_autoptr(VtForward) forward = vt_forward_new (9000, NULL);

  client_fixture_open (self);
  client_fixture_listen (self, forward);
  raw_link_send_text (self->link, CONNECT_1);
  raw_link_expect_text (self->link, CLOSE_1);
  RAW_WAIT (self->streams->len == 2);
  g_assert_error (self->stream_error, VT_ERROR, VT_ERROR_TARGET_REFUSED);
}

/* The server goes; the application still has the stream, and is told. */
static void
test_incoming_vanished (ClientFixture *self, const void *data)
{
  g_autoptr(VtForward) forward = vt_forward_new (9000, NULL);
  g_autoptr(VtStream) stream = open_taken (self, forward);
  Read read = { 0 };

  g_input_stream_read_async (g_io_stream_get_input_stream (G_IO_STREAM (stream)), read.buffer,
                             sizeof read.buffer, G_PRIORITY_DEFAULT, NULL, read_cb, &read);
  raw_link_reset (self->link);
  RAW_WAIT (read.done);
  g_assert_cmpint (read.length, ==, -1);
  RAW_WAIT (self->streams->len == 2);
  g_assert_error (self->stream_error, VT_ERROR, VT_ERROR_FAILED);
  g_assert_error (vt_stream_get_error (stream), VT_ERROR, VT_ERROR_FAILED);
}

static void
test_vanished (ClientFixture *self, const void *data)
{
  client_fixture_begin (self);
  raw_link_send_text (self->link, CONNECT_1);
  raw_link_send_text (self->link, DATA_1);
  raw_link_expect_text (self->link, DATA_1);
  g_assert_cmpuint (self->n_targets, ==, 1);
  raw_link_reset (self->link);
  RAW_WAIT (self->streams->len == 2 && self->n_targets == 0);
  g_assert_error (self->stream_error, VT_ERROR, VT_ERROR_FAILED);
  RAW_WAIT (vt_client_get_state (self->client) == VT_CLIENT_STATE_CLOSED);
}

/* A target whose socket buffers take little. */
static GSocket *
new_slow_target (const char *path, VtForward **forward)
{
  g_autoptr(GSocketAddress) address = g_unix_socket_address_new (path);
  g_autofree char *text = g_strconcat ("unix:", path, NULL);
  g_autoptr(GError) error = NULL;
  g_autoptr(VtTarget) target = vt_target_parse (text, &error);
  GSocket *listener = NULL;

  g_assert_no_error (error);
  *forward = vt_forward_new (9000, target);
  listener = g_socket_new (G_SOCKET_FAMILY_UNIX, G_SOCKET_TYPE_STREAM, 0, &error);
  g_assert_no_error (error);
  g_assert_true (g_socket_bind (listener, address, FALSE, NULL));
  g_assert_true (g_socket_listen (listener, NULL));
  return listener;
}

static size_t
read_all_there_is (GSocket *socket, gboolean *ended)
{
  static char buffer[65536];
  size_t sum = 0;
  gssize n_bytes;

  while ((n_bytes = g_socket_receive (socket, buffer, sizeof buffer, NULL, NULL)) > 0)
    sum += n_bytes;
  *ended = n_bytes == 0;
  return sum;
}

/* A stream that has ended in order is written to its slow target in full, even if the tunnel ends
 * right after it. */
static void
test_tail (ClientFixture *self, const void *data)
{
  const size_t size = 24 * 1024;
  const unsigned int n_messages = 30;
  g_autofree guint8 *bytes = g_malloc0 (size);
  g_autofree char *base64 = g_base64_encode (bytes, size);
  g_autofree char *message =
      g_strdup_printf ("{\"type\":\"data\",\"stream_id\":1,\"data\":\"%s\"}", base64);
  g_autoptr(VtForward) forward = NULL;
  g_autofree char *directory = g_dir_make_tmp ("vtunnel-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (directory, "target", NULL);
  g_autoptr(GSocket) listener = new_slow_target (path, &forward);
  g_autoptr(GSocket) connection = NULL;
  size_t sum = 0;
  gboolean ended = FALSE;

  client_fixture_open (self);
  client_fixture_listen (self, forward);
  raw_link_send_text (self->link, CONNECT_1);
  for (unsigned int i = 0; i < n_messages; i++)
    raw_link_send_text (self->link, message);
  raw_link_send_text (self->link, CLOSE_1);
  raw_link_send_close (self->link, 1000, "");
  raw_link_expect_text (self->link, CLOSE_1);
  g_assert_cmpuint (raw_link_read_close (self->link), ==, 1000);
  g_clear_pointer (&self->link, raw_link_free);
  RAW_WAIT (vt_client_get_state (self->client) == VT_CLIENT_STATE_CLOSED);
  g_assert_cmpuint (count_streams (self), ==, 1);

  connection = g_socket_accept (listener, NULL, NULL);
  g_socket_set_blocking (connection, FALSE);
  while (!ended)
    {
      RAW_WAIT (g_socket_condition_check (connection, G_IO_IN));
      sum += read_all_there_is (connection, &ended);
    }
  g_assert_cmpuint (sum, ==, n_messages * size);
  g_socket_close (connection, NULL);
  RAW_WAIT (self->streams->len == 2);
  g_assert_no_error (self->stream_error);
  g_unlink (path);
  g_rmdir (directory);
}

/* All ends at once, with everything running. */
static void
test_drop (ClientFixture *self, const void *data)
{
  g_autoptr(VtForward) forward = vt_forward_new (9000, NULL);
  VtStream *stream = open_taken (self, forward);
  g_autoptr(VtForward) other = vt_forward_new (9002, NULL);

  vt_client_unlisten_async (self->client, forward, NULL, unlisten_cb, &self->unlisten);
  raw_link_expect_text (self->link, "{\"type\":\"unlisten\",\"port\":9000}");
  client_fixture_listen (self, self->forward);
  raw_link_send_text (self->link, "{\"type\":\"connect\",\"port\":9000,\"stream_id\":2}");
  RAW_WAIT (self->n_targets == 1);
  outcome_clear (&self->listen);
  vt_client_listen_async (self->client, other, NULL, listen_cb, &self->listen);
  RAW_WAIT (self->unlisten.done);

  g_object_add_weak_pointer (G_OBJECT (self->client), (void **) &self->client);
  g_object_unref (self->client);
  RAW_WAIT (raw_link_is_ended (self->link));
  RAW_WAIT (self->listen.done && self->client == NULL && self->n_targets == 0);
  g_assert_error (self->listen.error, VT_ERROR, VT_ERROR_CANCELLED);
  g_assert_cmpint (vt_forward_get_state (self->forward), ==, VT_FORWARD_STATE_IDLE);
  g_assert_cmpuint (vt_forward_get_n_streams (forward), ==, 0);
  RAW_WAIT (vt_stream_get_error (stream) != NULL);
  g_assert_error (vt_stream_get_error (stream), VT_ERROR, VT_ERROR_CANCELLED);
  g_object_unref (stream);
}

static void
drop_on_stream_cb (VtClient *client, VtStream *stream, gpointer user_data)
{
  ClientFixture *self = user_data;

  g_object_unref (self->client);
}

static void
drop_on_stream_closed_cb (VtClient *client,
                          VtStream *stream,
                          const GError *error,
                          gpointer user_data)
{
  drop_on_stream_cb (client, stream, user_data);
}

static void
drop_in (ClientFixture *self, const char *signal, GCallback callback, VtForward *forward)
{
  client_fixture_open (self);
  client_fixture_listen (self, forward);
  g_signal_connect (self->client, signal, callback, self);
  g_object_add_weak_pointer (G_OBJECT (self->client), (void **) &self->client);
  raw_link_send_text (self->link, CONNECT_1);
  raw_link_send_text (self->link, DATA_1);
  raw_link_send_text (self->link, CLOSE_1);
  RAW_WAIT (self->client == NULL);
  RAW_WAIT (raw_link_is_ended (self->link));
}

static void
test_drop_in_opened (ClientFixture *self, const void *data)
{
  drop_in (self, "stream-opened", G_CALLBACK (drop_on_stream_cb), self->forward);
}

static void
test_drop_in_opened_incoming (ClientFixture *self, const void *data)
{
  g_autoptr(VtForward) forward = vt_forward_new (9000, NULL);

  drop_in (self, "stream-opened", G_CALLBACK (drop_on_stream_cb), forward);
}

static void
test_drop_in_closed (ClientFixture *self, const void *data)
{
  drop_in (self, "stream-closed", G_CALLBACK (drop_on_stream_closed_cb), self->forward);
}

static void
test_drop_in_closed_incoming (ClientFixture *self, const void *data)
{
  g_autoptr(VtForward) forward = vt_forward_new (9000, NULL);

  drop_in (self, "stream-closed", G_CALLBACK (drop_on_stream_closed_cb), forward);
}

static void
drop_on_count_cb (VtForward *forward, GParamSpec *pspec, gpointer user_data)
{
  ClientFixture *self = user_data;

  g_signal_handlers_disconnect_by_func (forward, drop_on_count_cb, user_data);
  g_object_unref (self->client);
}

/* Before anybody was told of the stream, which is lost then. */
static void
test_drop_in_count (ClientFixture *self, const void *data)
{
  client_fixture_begin (self);
  g_signal_connect (self->forward, "notify::n-streams", G_CALLBACK (drop_on_count_cb), self);
  g_object_add_weak_pointer (G_OBJECT (self->client), (void **) &self->client);
  raw_link_send_text (self->link, CONNECT_1);
  raw_link_send_text (self->link, DATA_1);
  RAW_WAIT (self->client == NULL);
  RAW_WAIT (raw_link_is_ended (self->link));
  g_assert_cmpuint (vt_forward_get_n_streams (self->forward), ==, 0);
  g_assert_cmpuint (self->streams->len, ==, 0);
}

static void
close_on_stream_cb (VtClient *client, VtStream *stream, gpointer user_data)
{
  ClientFixture *self = user_data;

  vt_client_close_async (client, NULL, close_cb, &self->close);
}

static void
test_close_in_opened (ClientFixture *self, const void *data)
{
  client_fixture_begin (self);
  g_signal_connect (self->client, "stream-opened", G_CALLBACK (close_on_stream_cb), self);
  raw_link_send_text (self->link, CONNECT_1);
  raw_link_send_text (self->link, DATA_1);
  g_assert_cmpuint (raw_link_read_close (self->link), ==, 1000);
  g_clear_pointer (&self->link, raw_link_free);
  RAW_WAIT (self->close.done && self->streams->len == 2);
  g_assert_error (self->stream_error, VT_ERROR, VT_ERROR_CANCELLED);
}

/* What ran and went leaves no descriptor. */
static void
test_descriptors (void)
{
  unsigned int before = 0;

  for (unsigned int i = 0; i < 3; i++)
    {
      ClientFixture fixture = { 0 };

      client_fixture_set_up (&fixture, NULL);
      test_drop (&fixture, NULL);
      client_fixture_tear_down (&fixture, NULL);
      fixture = (ClientFixture){ 0 };
      client_fixture_set_up (&fixture, NULL);
      test_echo (&fixture, NULL);
      client_fixture_tear_down (&fixture, NULL);
      if (i == 0)
        before = raw_count_descriptors ();
    }
  g_assert_cmpuint (raw_count_descriptors (), ==, before);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  ADD_CLIENT_TEST ("/client/streams/echo", test_echo);
  ADD_CLIENT_TEST ("/client/streams/unreachable", test_unreachable);
  ADD_CLIENT_TEST ("/client/streams/vanished", test_vanished);
  ADD_CLIENT_TEST ("/client/streams/tail", test_tail);
  ADD_CLIENT_TEST ("/client/streams/incoming/taken", test_incoming);
  ADD_CLIENT_TEST ("/client/streams/incoming/dropped", test_incoming_dropped);
  ADD_CLIENT_TEST ("/client/streams/incoming/nobody", test_incoming_nobody);
  ADD_CLIENT_TEST ("/client/streams/incoming/vanished", test_incoming_vanished);
  ADD_CLIENT_TEST ("/client/streams/drop/everything", test_drop);
  ADD_CLIENT_TEST ("/client/streams/drop/in-opened", test_drop_in_opened);
  ADD_CLIENT_TEST ("/client/streams/drop/in-opened-incoming", test_drop_in_opened_incoming);
  ADD_CLIENT_TEST ("/client/streams/drop/in-closed", test_drop_in_closed);
  ADD_CLIENT_TEST ("/client/streams/drop/in-closed-incoming", test_drop_in_closed_incoming);
  ADD_CLIENT_TEST ("/client/streams/drop/in-count", test_drop_in_count);
  ADD_CLIENT_TEST ("/client/streams/close-in-opened", test_close_in_opened);
  g_test_add_func ("/client/streams/descriptors", test_descriptors);
  return g_test_run ();
}
