/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "stream-pair.h"

static void
test_properties (Fixture *self, gconstpointer user_data)
{
  g_autoptr(GSocketAddress) address = NULL;
  g_autoptr(GDateTime) opened_at = NULL;
  g_autoptr(GDateTime) now = g_date_time_new_now_utc ();
  g_autoptr(VtForward) forward = NULL;
  unsigned int id;

  g_object_get (self->far, "id", &id, "forward", &forward, "user-address", &address, "opened-at",
                &opened_at, NULL);
  g_assert_cmpuint (id, ==, 1);
  g_assert_cmpuint (vt_stream_get_id (self->near), ==, id);
  g_assert_true (forward == self->forward);
  g_assert_cmpuint (g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (address)), ==, 1234);
  g_assert_null (vt_stream_get_user_address (self->near));
  /* It is the time of its beginning, whenever it is asked for. */
  g_assert_cmpint (g_date_time_difference (now, opened_at), >=, 0);
  g_assert_cmpint (g_date_time_difference (now, opened_at), <, 60 * G_TIME_SPAN_SECOND);
  g_assert_null (vt_stream_get_error (self->near));
}

static void
test_read_async (Fixture *self, gconstpointer user_data)
{
  g_autoptr(GAsyncResult) result = NULL;
  g_autoptr(GError) error = NULL;
  char buffer[16];

  g_input_stream_read_async (input_of (self->near), buffer, sizeof buffer, G_PRIORITY_DEFAULT, NULL,
                             keep_result_cb, &result);
  for (unsigned int i = 0; i < 3; i++)
    loopback_iterate ();
  g_assert_null (result);
  write_text (self->far, "hello");
  RUN_UNTIL (result != NULL);
  g_assert_cmpint (g_input_stream_read_finish (input_of (self->near), result, &error), ==, 5);
  g_assert_no_error (error);
  g_assert_cmpmem (buffer, 5, "hello", 5);
  g_assert_cmpuint (vt_stream_get_bytes_received (self->near), ==, 5);
  g_assert_cmpuint (vt_stream_get_bytes_sent (self->far), ==, 5);
}

static void
test_read_cancel (Fixture *self, gconstpointer user_data)
{
  g_autoptr(GCancellable) cancellable = g_cancellable_new ();
  g_autoptr(GAsyncResult) result = NULL;
  g_autoptr(GError) error = NULL;
  char buffer[16];

  g_input_stream_read_async (input_of (self->near), buffer, sizeof buffer, G_PRIORITY_DEFAULT,
                             cancellable, keep_result_cb, &result);
  loopback_iterate ();
  g_cancellable_cancel (cancellable);
  RUN_UNTIL (result != NULL);
  g_assert_cmpint (g_input_stream_read_finish (input_of (self->near), result, &error), ==, -1);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

static void
test_skip_async (Fixture *self, gconstpointer user_data)
{
  g_autoptr(GAsyncResult) result = NULL;
  g_autofree char *rest = NULL;

  write_text (self->far, "skipped, kept");
  g_output_stream_close (output_of (self->far), NULL, NULL);
  g_input_stream_skip_async (input_of (self->near), 9, G_PRIORITY_DEFAULT, NULL, keep_result_cb,
                             &result);
  RUN_UNTIL (result != NULL);
  g_assert_cmpint (g_input_stream_skip_finish (input_of (self->near), result, NULL), ==, 9);
  rest = read_to_end (self->near);
  g_assert_cmpstr (rest, ==, "kept");
}

/* In its own thread a synchronous call must not wait for the main loop that it holds up. */
static void
test_would_block (Fixture *self, gconstpointer user_data)
{
  g_autofree char *block = g_malloc0 (65536);
  g_autoptr(GError) error = NULL;
  char byte;

  g_assert_cmpint (g_input_stream_read (input_of (self->near), &byte, 1, NULL, &error), ==, -1);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK);
  g_clear_error (&error);

  while (g_output_stream_write (output_of (self->near), block, 65536, NULL, &error) > 0)
    continue;
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK);
  g_assert_false (
      g_pollable_output_stream_is_writable (G_POLLABLE_OUTPUT_STREAM (output_of (self->near))));
  /* In v2 somebody has to read. */
  RUN_UNTIL (
      g_input_stream_read (input_of (self->far), block, 65536, NULL, NULL) != 0
      && g_pollable_output_stream_is_writable (G_POLLABLE_OUTPUT_STREAM (output_of (self->near))));
}

static gboolean
count_cb (GObject *stream, gpointer user_data)
{
  ++*(unsigned int *) user_data;
  return G_SOURCE_CONTINUE;
}

static GSource *
watch_input (VtStream *stream, unsigned int *n)
{
  GSource *source =
      g_pollable_input_stream_create_source (G_POLLABLE_INPUT_STREAM (input_of (stream)), NULL);

  g_source_set_callback (source, (GSourceFunc) (void (*) (void)) count_cb, n, NULL);
  g_source_attach (source, NULL);
  return source;
}

static void
test_sources (Fixture *self, gconstpointer user_data)
{
  GPollableInputStream *input = G_POLLABLE_INPUT_STREAM (input_of (self->near));
  unsigned int n_first = 0, n_second = 0;
  g_autoptr(GSource) first = watch_input (self->near, &n_first);
  g_autoptr(GSource) second = watch_input (self->near, &n_second);
  char buffer[16];

  g_assert_true (g_pollable_input_stream_can_poll (input));
  g_assert_false (g_pollable_input_stream_is_readable (input));
  loopback_iterate ();
  g_assert_cmpuint (n_first + n_second, ==, 0);

  /* Level-triggered, all of them. */
  write_text (self->far, "hello");
  RUN_UNTIL (n_first > 1 && n_second > 1);
  g_assert_true (g_pollable_input_stream_is_readable (input));
  g_source_destroy (first);
  g_assert_cmpint (
      g_pollable_input_stream_read_nonblocking (input, buffer, sizeof buffer, NULL, NULL), ==, 5);
  n_first = n_second = 0;
  for (unsigned int i = 0; i < 4; i++)
    loopback_iterate ();
  g_assert_cmpuint (n_first, ==, 0);
  g_assert_cmpuint (n_second, <=, 1);

  n_second = 0;
  write_text (self->far, "again");
  RUN_UNTIL (n_second > 0);
  g_source_destroy (second);
}

static gboolean
closure_func (GObject *stream, gpointer user_data)
{
  *(GObject **) user_data = stream;
  return G_SOURCE_REMOVE;
}

/* As language bindings connect. */
static void
test_source_closure (Fixture *self, gconstpointer user_data)
{
  GInputStream *input = input_of (self->near);
  GObject *seen = NULL;
  g_autoptr(GSource) source =
      g_pollable_input_stream_create_source (G_POLLABLE_INPUT_STREAM (input), NULL);
  GClosure *closure = g_cclosure_new (G_CALLBACK (closure_func), &seen, NULL);

  g_closure_set_marshal (closure, g_cclosure_marshal_generic);
  g_source_set_closure (source, closure);
  g_source_attach (source, NULL);
  write_text (self->far, "x");
  RUN_UNTIL (seen != NULL);
  g_assert_true (seen == G_OBJECT (input));
  g_assert_true (g_source_is_destroyed (source));
}

static char *
make_text (size_t length)
{
  char *text = g_malloc (length + 1);

  for (size_t i = 0; i < length; i++)
    text[i] = 'a' + (i * 7 + i / 251) % 26;
  text[length] = '\0';
  return text;
}

static void
test_splice (Fixture *self, gconstpointer user_data)
{
  const size_t length = 3 * 1024 * 1024 + 17;
  g_autofree char *text = make_text (length);
  g_autoptr(GInputStream) memory = g_memory_input_stream_new_from_data (text, length, NULL);
  g_autoptr(GAsyncResult) result = NULL;
  g_autofree char *received = NULL;
  g_autoptr(GError) error = NULL;

  g_output_stream_splice_async (output_of (self->near), memory, G_OUTPUT_STREAM_SPLICE_CLOSE_TARGET,
                                G_PRIORITY_DEFAULT, NULL, keep_result_cb, &result);
  received = read_to_end (self->far);
  RUN_UNTIL (result != NULL);
  g_assert_cmpint (g_output_stream_splice_finish (output_of (self->near), result, &error), ==,
                   length);
  g_assert_no_error (error);
  g_assert_true (g_str_equal (received, text));
}

static void
test_close (Fixture *self, gconstpointer user_data)
{
  g_autoptr(GAsyncResult) result = NULL;
  g_autofree char *received = NULL;
  g_autoptr(GError) error = NULL;
  char byte;

  write_text (self->near, "goodbye");
  g_io_stream_close_async (G_IO_STREAM (self->near), G_PRIORITY_DEFAULT, NULL, keep_result_cb,
                           &result);
  RUN_UNTIL (result != NULL);
  g_assert_true (g_io_stream_close_finish (G_IO_STREAM (self->near), result, &error));
  g_assert_no_error (error);
  g_assert_cmpint (g_pollable_input_stream_read_nonblocking (
                       G_POLLABLE_INPUT_STREAM (input_of (self->near)), &byte, 1, NULL, &error),
                   ==, -1);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED);

  received = read_to_end (self->far);
  g_assert_cmpstr (received, ==, "goodbye");
  /* In v1 it has ended with the other direction. */
  g_output_stream_close (output_of (self->far), NULL, NULL);
  RUN_UNTIL (self->n_finished == 1);
  g_assert_no_error (self->finished_with);
  g_clear_object (&self->near);
  g_assert_cmpuint (self->n_finished, ==, 1);
}

/* What was accepted for writing is delivered although the object is gone. */
static void
test_close_outlives (Fixture *self, gconstpointer user_data)
{
  g_autofree char *block = make_text (65536);
  g_autofree char *received = NULL;
  size_t sent = 0;
  gssize n;

  self->tunnel->held = TRUE;
  while ((n = g_output_stream_write (output_of (self->near), block, 65536, NULL, NULL)) > 0)
    sent += n;
  g_assert_true (g_io_stream_close (G_IO_STREAM (self->near), NULL, NULL));
  g_clear_object (&self->near);
  g_assert_cmpuint (self->n_finished, ==, 1);
  g_assert_no_error (self->finished_with);

  self->tunnel->held = FALSE;
  received = read_to_end (self->far);
  g_assert_cmpuint (strlen (received), ==, sent);
}

static void
test_dispose (Fixture *self, gconstpointer user_data)
{
  g_autoptr(GAsyncResult) result = NULL;
  g_autoptr(GInputStream) input = g_object_ref (input_of (self->near));
  g_autoptr(GError) error = NULL;
  char byte;

  g_input_stream_read_async (input, &byte, 1, G_PRIORITY_DEFAULT, NULL, keep_result_cb, &result);
  g_clear_object (&self->near);
  g_assert_cmpuint (self->n_finished, ==, 1);
  g_assert_error (self->finished_with, VT_ERROR, VT_ERROR_CANCELLED);
  RUN_UNTIL (result != NULL);
  g_assert_cmpint (g_input_stream_read_finish (input, result, &error), ==, -1);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED);
  /* v1 has but one way to end. */
  if (GPOINTER_TO_UINT (user_data) == 1)
    {
      RUN_UNTIL (g_input_stream_read (input_of (self->far), &byte, 1, NULL, NULL) == 0);
      return;
    }
  RUN_UNTIL (vt_stream_get_error (self->far) != NULL);
  g_assert_error (vt_stream_get_error (self->far), VT_ERROR, VT_ERROR_CANCELLED);
  g_assert_cmpstr (vt_stream_get_error (self->far)->message, ==, self->finished_with->message);
  g_clear_error (&error);
  g_assert_cmpint (g_input_stream_read (input_of (self->far), &byte, 1, NULL, &error), ==, -1);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED);
}

static gpointer
unref_thread (gpointer user_data)
{
  g_object_unref (user_data);
  return NULL;
}

static void
test_dispose_elsewhere (Fixture *self, gconstpointer user_data)
{
  GThread *thread = g_thread_new ("unref", unref_thread, g_steal_pointer (&self->near));

  g_thread_join (thread);
  g_assert_cmpuint (self->n_finished, ==, 0);
  RUN_UNTIL (self->n_finished == 1);
  g_assert_error (self->finished_with, VT_ERROR, VT_ERROR_CANCELLED);
}

static void
test_broken (Fixture *self, gconstpointer user_data)
{
  g_autoptr(GError) lost = g_error_new_literal (VT_ERROR, VT_ERROR_TIMED_OUT, "lost");
  g_autoptr(GError) error = NULL;
  char byte;

  tunnel_break (self->tunnel, lost);
  g_assert_cmpuint (self->n_finished, ==, 1);
  g_assert_error (vt_stream_get_error (self->near), VT_ERROR, VT_ERROR_TIMED_OUT);
  g_assert_cmpint (g_input_stream_read (input_of (self->near), &byte, 1, NULL, &error), ==, -1);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED);
  g_clear_error (&error);
  g_assert_cmpint (g_output_stream_write (output_of (self->near), "x", 1, NULL, &error), ==, -1);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED);
}

static void
test_lent (Fixture *self, gconstpointer user_data)
{
  g_autoptr(VtMuxStream) mux = vt_mux_stream_ref (vt_stream_lend (self->near));
  g_autoptr(GError) failure = g_error_new_literal (VT_ERROR, VT_ERROR_TARGET_REFUSED, "no");
  g_autoptr(GError) error = NULL;
  char byte;

  g_assert_cmpint (g_input_stream_read (input_of (self->near), &byte, 1, NULL, &error), ==, -1);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_BUSY);
  g_clear_error (&error);
  g_assert_cmpint (g_output_stream_write (output_of (self->near), "x", 1, NULL, &error), ==, -1);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_BUSY);
  /* Only whom it is lent to can end it. */
  g_object_run_dispose (G_OBJECT (self->near));
  g_assert_cmpuint (self->n_finished, ==, 0);
  vt_mux_stream_reset (mux, failure);
  vt_stream_finish (self->near, failure);
  vt_stream_finish (self->near, NULL);
  g_assert_cmpuint (self->n_finished, ==, 1);
  g_assert_error (self->finished_with, VT_ERROR, VT_ERROR_TARGET_REFUSED);
}

int
main (int argc, char **argv)
{
  g_autoptr(VtPoller) poller = NULL;

  g_test_init (&argc, &argv, NULL);
  poller = loopback_warm_up ();
#define ADD(path, func)                                                                            \
  G_STMT_START                                                                                     \
  {                                                                                                \
    g_test_add ("/stream/" path, Fixture, GUINT_TO_POINTER (1), set_up, func, tear_down);          \
    g_test_add ("/stream/v2/" path, Fixture, GUINT_TO_POINTER (2), set_up, func, tear_down);       \
  }                                                                                                \
  G_STMT_END
  ADD ("properties", test_properties);
  ADD ("read/async", test_read_async);
  ADD ("read/cancel", test_read_cancel);
  ADD ("read/skip", test_skip_async);
  ADD ("sync/would-block", test_would_block);
  ADD ("pollable/sources", test_sources);
  ADD ("pollable/closure", test_source_closure);
  ADD ("splice", test_splice);
  ADD ("close", test_close);
  ADD ("close/outlives", test_close_outlives);
  ADD ("dispose", test_dispose);
  ADD ("dispose/elsewhere", test_dispose_elsewhere);
  ADD ("broken", test_broken);
  ADD ("lent", test_lent);
#undef ADD
  return g_test_run ();
}
