/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "stream-pair.h"
#include "time-skip.h"
#include "vt-codec-control-private.h"

/* What each direction's own end, and its window, mean to an application. */

#define BLOCK 65536

/* For those that count seconds. */
static void
set_up_frozen (Fixture *self, gconstpointer user_data)
{
  set_up (self, user_data);
  time_freeze ();
}

static void
tear_down_frozen (Fixture *self, gconstpointer user_data)
{
  time_thaw ();
  tear_down (self, user_data);
}

static void
close_output (VtStream *stream)
{
  g_autoptr(GError) error = NULL;

  g_output_stream_close (output_of (stream), NULL, &error);
  g_assert_no_error (error);
}

static void
close_stream (VtStream *stream)
{
  g_autoptr(GError) error = NULL;

  g_assert_true (g_io_stream_close (G_IO_STREAM (stream), NULL, &error));
  g_assert_no_error (error);
}

/* Writes until there is no room; how much that was. */
static size_t
write_all_it_takes (VtStream *stream)
{
  g_autofree char *block = g_strnfill (BLOCK, 'x');
  g_autoptr(GError) error = NULL;
  size_t written = 0;
  gssize n;

  while ((n = g_output_stream_write (output_of (stream), block, BLOCK, NULL, &error)) > 0)
    written += n;
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK);
  return written;
}

/* Reads what is there. */
static size_t
read_some (VtStream *stream)
{
  char block[BLOCK];
  gssize n = g_input_stream_read (input_of (stream), block, sizeof block, NULL, NULL);

  return MAX (n, 0);
}

static gboolean
is_writable (VtStream *stream)
{
  return g_pollable_output_stream_is_writable (G_POLLABLE_OUTPUT_STREAM (output_of (stream)));
}

static void
settle (void)
{
  while (g_main_context_pending (NULL))
    g_main_context_iteration (NULL, FALSE);
}

/* Gives a timer that is due the time to fire. */
static void
skip (gint64 microseconds)
{
  time_skip (microseconds);
  loopback_iterate ();
  settle ();
}

static void
expect_text (VtStream *stream, const char *text)
{
  g_autofree char *buffer = g_malloc0 (strlen (text) + 1);
  size_t length = 0;

  while (length < strlen (text))
    {
      gssize n = -1;

      RUN_UNTIL ((n = g_input_stream_read (input_of (stream), buffer + length,
                                           strlen (text) - length, NULL, NULL))
                 >= 0);
      g_assert_cmpint (n, >, 0);
      length += n;
    }
  g_assert_cmpstr (buffer, ==, text);
}

/* One direction ends, the other goes on, and only the end of both is the end. */
static void
test_half_close (Fixture *self, gconstpointer user_data)
{
  g_autofree char *request = NULL;
  g_autofree char *response = NULL;
  g_autoptr(GError) error = NULL;

  write_text (self->near, "request");
  close_output (self->near);
  request = read_to_end (self->far);
  g_assert_cmpstr (request, ==, "request");
  g_assert_cmpint (g_output_stream_write (output_of (self->near), "x", 1, NULL, &error), ==, -1);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED);

  for (unsigned int i = 0; i < 3; i++)
    {
      write_text (self->far, "part");
      expect_text (self->near, "part");
      g_assert_cmpuint (self->n_finished, ==, 0);
    }
  skip (G_TIME_SPAN_MINUTE / 2);
  g_assert_cmpuint (self->n_finished, ==, 0);
  write_text (self->far, "rest");
  close_output (self->far);
  response = read_to_end (self->near);
  g_assert_cmpstr (response, ==, "rest");
  RUN_UNTIL (self->n_finished == 1);
  g_assert_no_error (self->finished_with);
  g_assert_cmpuint (vt_mux_get_n_streams (self->tunnel->client.mux), ==, 0);
  g_assert_cmpuint (vt_mux_get_n_streams (self->tunnel->server.mux), ==, 0);
}

/* What came before the end is read after it, however late, and writing is still possible. */
static void
test_read_after_end (Fixture *self, gconstpointer user_data)
{
  g_autofree char *text = NULL;
  g_autofree char *rest = NULL;
  char byte;

  write_text (self->far, "said before");
  close_output (self->far);
  settle ();
  write_text (self->near, "still");
  expect_text (self->far, "still");
  text = read_to_end (self->near);
  g_assert_cmpstr (text, ==, "said before");
  g_assert_cmpint (g_input_stream_read (input_of (self->near), &byte, 1, NULL, NULL), ==, 0);
  write_text (self->near, "here");
  close_output (self->near);
  rest = read_to_end (self->far);
  g_assert_cmpstr (rest, ==, "here");
  RUN_UNTIL (self->n_finished == 1);
  g_assert_no_error (self->finished_with);
}

/* Both have ended: what was received before can still be read. */
static void
test_read_after_both_ends (Fixture *self, gconstpointer user_data)
{
  g_autofree char *text = NULL;

  close_output (self->near);
  write_text (self->far, "the last word");
  close_output (self->far);
  RUN_UNTIL (self->n_finished == 1);
  g_assert_no_error (self->finished_with);
  text = read_to_end (self->near);
  g_assert_cmpstr (text, ==, "the last word");
}

static void
expect_far_broken (Fixture *self)
{
  g_autoptr(GError) error = NULL;

  RUN_UNTIL (vt_stream_get_error (self->far) != NULL);
  g_assert_error (vt_stream_get_error (self->far), VT_ERROR, VT_ERROR_CANCELLED);
  g_assert_nonnull (strstr (vt_stream_get_error (self->far)->message, "went on"));
  g_assert_cmpint (g_output_stream_write (output_of (self->far), "x", 1, NULL, &error), ==, -1);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED);
  g_assert_cmpuint (vt_mux_get_n_streams (self->tunnel->client.mux), ==, 0);
  g_assert_cmpuint (vt_mux_get_n_streams (self->tunnel->server.mux), ==, 0);
}

/* Far goes on for as long as it may: what it says is dropped, and does not stand in the way. */
static void
go_on (Fixture *self)
{
  skip (4 * G_TIME_SPAN_SECOND);
  for (unsigned int i = 0; i < 50; i++)
    {
      write_all_it_takes (self->far);
      RUN_UNTIL (is_writable (self->far));
    }
  g_assert_cmpuint (vt_stream_get_bytes_sent (self->far), >, 20 * VT_CONTROL_WINDOW);
  g_assert_no_error (vt_stream_get_error (self->far));
  g_assert_cmpuint (vt_mux_get_n_streams (self->tunnel->client.mux), ==, 1);
}

static void
test_drain (Fixture *self, gconstpointer user_data)
{
  g_autofree char *received = NULL;

  write_text (self->near, "goodbye");
  close_stream (self->near);
  received = read_to_end (self->far);
  g_assert_cmpstr (received, ==, "goodbye");
  go_on (self);
  g_assert_cmpuint (self->n_finished, ==, 0);
  skip (G_TIME_SPAN_SECOND);
  g_assert_cmpuint (self->n_finished, ==, 1);
  g_assert_error (self->finished_with, VT_ERROR, VT_ERROR_CANCELLED);
  g_assert_error (vt_stream_get_error (self->near), VT_ERROR, VT_ERROR_CANCELLED);
  expect_far_broken (self);
  skip (G_TIME_SPAN_MINUTE / 2);
  g_clear_object (&self->near);
  g_assert_cmpuint (self->n_finished, ==, 1);
}

/* The same where the object goes right after it was closed. */
static void
test_drain_forsaken (Fixture *self, gconstpointer user_data)
{
  write_text (self->near, "goodbye");
  close_stream (self->near);
  g_clear_object (&self->near);
  g_assert_cmpuint (self->n_finished, ==, 1);
  g_assert_no_error (self->finished_with);
  expect_text (self->far, "goodbye");
  go_on (self);
  skip (G_TIME_SPAN_SECOND);
  expect_far_broken (self);
}

/* The object goes in the middle of the 5 seconds, which may begin anew. */
static void
test_drain_forsaken_late (Fixture *self, gconstpointer user_data)
{
  close_stream (self->near);
  skip (3 * G_TIME_SPAN_SECOND);
  g_assert_cmpuint (self->n_finished, ==, 0);
  g_clear_object (&self->near);
  g_assert_cmpuint (self->n_finished, ==, 1);
  skip (5 * G_TIME_SPAN_SECOND);
  expect_far_broken (self);
}

/* What had come and was not read does not hold up what follows. */
static void
test_drain_unread (Fixture *self, gconstpointer user_data)
{
  write_all_it_takes (self->far);
  settle ();
  g_assert_false (is_writable (self->far));
  close_stream (self->near);
  go_on (self);
  skip (G_TIME_SPAN_SECOND);
  expect_far_broken (self);
}

/* Who has ended its output and lets go without reading the rest is as one that has closed. */
static void
test_drain_dropped (Fixture *self, gconstpointer user_data)
{
  write_text (self->near, "goodbye");
  close_output (self->near);
  write_all_it_takes (self->far);
  settle ();
  g_clear_object (&self->near);
  g_assert_no_error (self->finished_with);
  go_on (self);
  expect_text (self->far, "goodbye");
  skip (G_TIME_SPAN_SECOND);
  expect_far_broken (self);
}

/* Nobody goes on: all ends in order, and no timer is left that could do harm. */
static void
test_drain_in_time (Fixture *self, gconstpointer user_data)
{
  g_autofree char *received = NULL;

  close_stream (self->near);
  received = read_to_end (self->far);
  write_text (self->far, "too late");
  close_output (self->far);
  RUN_UNTIL (vt_mux_get_n_streams (self->tunnel->client.mux) == 0);
  skip (10 * G_TIME_SPAN_SECOND);
  g_assert_no_error (vt_stream_get_error (self->far));
  g_assert_cmpuint (vt_mux_get_n_streams (self->tunnel->server.mux), ==, 0);
}

/* The session goes while a stream without an object still owes something. */
static void
test_forsaken_broken (Fixture *self, gconstpointer user_data)
{
  g_autoptr(GError) lost = g_error_new_literal (VT_ERROR, VT_ERROR_TIMED_OUT, "lost");

  write_all_it_takes (self->near);
  close_stream (self->near);
  g_clear_object (&self->near);
  tunnel_break (self->tunnel, lost);
  skip (10 * G_TIME_SPAN_SECOND);
}

/* The window holds back what is written, and the time to drain begins behind it. */
static void
deliver_staged (Fixture *self, gboolean forsaken)
{
  size_t sent = write_all_it_takes (self->near);
  size_t received = 0;

  close_stream (self->near);
  if (forsaken)
    g_clear_object (&self->near);
  skip (10 * G_TIME_SPAN_SECOND);
  g_assert_no_error (vt_stream_get_error (self->far));
  RUN_UNTIL ((received += read_some (self->far), received >= sent));
  g_assert_cmpuint (received, ==, sent);
  g_assert_no_error (vt_stream_get_error (self->far));
  settle ();
  skip (4 * G_TIME_SPAN_SECOND);
  g_assert_no_error (vt_stream_get_error (self->far));
  skip (G_TIME_SPAN_SECOND);
  expect_far_broken (self);
}

static void
test_staged (Fixture *self, gconstpointer user_data)
{
  deliver_staged (self, FALSE);
  g_assert_cmpuint (self->n_finished, ==, 1);
  g_assert_error (self->finished_with, VT_ERROR, VT_ERROR_CANCELLED);
}

static void
test_staged_forsaken (Fixture *self, gconstpointer user_data)
{
  deliver_staged (self, TRUE);
}

/* The end of the output alone waits behind what is staged, too. */
static void
test_staged_half_close (Fixture *self, gconstpointer user_data)
{
  size_t sent = write_all_it_takes (self->near);
  g_autofree char *received = NULL;

  close_output (self->near);
  received = read_to_end (self->far);
  g_assert_cmpuint (strlen (received), ==, sent);
  write_text (self->far, "all of it");
  expect_text (self->near, "all of it");
  g_assert_cmpuint (self->n_finished, ==, 0);
}

/* Nothing leaves beyond the window, and each credit lets as much follow. */
static void
test_window (Fixture *self, gconstpointer user_data)
{
  size_t sent = write_all_it_takes (self->near);
  size_t received = 0;

  settle ();
  g_assert_cmpuint (vt_stream_get_bytes_sent (self->near), ==, VT_CONTROL_WINDOW);
  g_assert_cmpuint (vt_stream_get_bytes_received (self->far), ==, VT_CONTROL_WINDOW);
  g_assert_cmpuint (sent, >, VT_CONTROL_WINDOW);
  g_assert_false (is_writable (self->near));
  skip (G_TIME_SPAN_MINUTE / 2);
  g_assert_false (is_writable (self->near));

  received = read_some (self->far);
  g_assert_cmpuint (received, ==, VT_CONTROL_WINDOW);
  settle ();
  g_assert_cmpuint (vt_stream_get_bytes_sent (self->near), >, VT_CONTROL_WINDOW);
  for (unsigned int i = 0; i < 20; i++)
    {
      RUN_UNTIL ((received += read_some (self->far), is_writable (self->near)));
      sent += write_all_it_takes (self->near);
    }
  RUN_UNTIL ((received += read_some (self->far), received == sent));
  g_assert_true (is_writable (self->near));
}

/* The server's side is held back in the same way. */
static void
test_window_back (Fixture *self, gconstpointer user_data)
{
  VtStream *near = self->near;

  self->near = self->far;
  self->far = near;
  test_window (self, user_data);
}

/* Who is held back can give up, and then has written nothing. */
static void
test_write_cancel (Fixture *self, gconstpointer user_data)
{
  g_autoptr(GCancellable) cancellable = g_cancellable_new ();
  size_t sent = write_all_it_takes (self->near);
  size_t received = 0;
  g_autoptr(GAsyncResult) result = NULL;
  g_autoptr(GError) error = NULL;

  g_output_stream_write_async (output_of (self->near), "x", 1, G_PRIORITY_DEFAULT, cancellable,
                               keep_result_cb, &result);
  settle ();
  g_assert_null (result);
  g_cancellable_cancel (cancellable);
  RUN_UNTIL (result != NULL);
  g_assert_cmpint (g_output_stream_write_finish (output_of (self->near), result, &error), ==, -1);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  RUN_UNTIL ((received += read_some (self->far), received == sent));
  settle ();
  g_assert_cmpuint (read_some (self->far), ==, 0);
}

/* Credit is given for what was read, not for what came. */
static void
test_window_credit (Fixture *self, gconstpointer user_data)
{
  char half[VT_CONTROL_WINDOW / 2];

  write_all_it_takes (self->near);
  settle ();
  g_assert_cmpint (g_input_stream_read (input_of (self->far), half, sizeof half, NULL, NULL), ==,
                   sizeof half);
  settle ();
  g_assert_cmpuint (vt_stream_get_bytes_sent (self->near), >, VT_CONTROL_WINDOW);
  g_assert_cmpuint (vt_stream_get_bytes_sent (self->near), <=, VT_CONTROL_WINDOW + sizeof half);
}

static gboolean
count_cb (GObject *stream, gpointer user_data)
{
  ++*(unsigned int *) user_data;
  return G_SOURCE_CONTINUE;
}

/* A source for writing sleeps while the window is used up, and wakes with the credit. */
static void
test_window_source (Fixture *self, gconstpointer user_data)
{
  GPollableOutputStream *output = G_POLLABLE_OUTPUT_STREAM (output_of (self->near));
  g_autoptr(GSource) source = NULL;
  unsigned int n = 0;

  write_all_it_takes (self->near);
  source = g_pollable_output_stream_create_source (output, NULL);
  g_source_set_callback (source, G_SOURCE_FUNC (count_cb), &n, NULL);
  g_source_attach (source, NULL);
  settle ();
  g_assert_cmpuint (n, ==, 0);
  RUN_UNTIL ((read_some (self->far), n > 0));
  g_source_destroy (source);
}

/* One stream whose reader stands still holds up no other. */
static void
test_window_of_others (Fixture *self, gconstpointer user_data)
{
  g_autoptr(VtStream) first = NULL;
  g_autoptr(VtStream) first_far = NULL;

  write_all_it_takes (self->near);
  first = g_steal_pointer (&self->near);
  first_far = g_steal_pointer (&self->far);
  self->far = vt_stream_new (tunnel_open_stream (self->tunnel), self->forward, NULL);
  RUN_UNTIL (self->near != NULL);
  write_text (self->near, "past it");
  expect_text (self->far, "past it");
  g_assert_false (is_writable (first));
}

int
main (int argc, char **argv)
{
  g_autoptr(VtPoller) poller = NULL;

  g_test_init (&argc, &argv, NULL);
  poller = loopback_warm_up ();
#define ADD(path, func)                                                                            \
  g_test_add ("/stream/v2/" path, Fixture, GUINT_TO_POINTER (2), set_up, func, tear_down)
  ADD ("half-close", test_half_close);
  ADD ("half-close/read-after-end", test_read_after_end);
  ADD ("half-close/read-after-both-ends", test_read_after_both_ends);
  ADD ("window", test_window);
  ADD ("window/back", test_window_back);
  ADD ("write/cancel", test_write_cancel);
  ADD ("window/source", test_window_source);
  ADD ("window/others", test_window_of_others);
#define ADD_FROZEN(path, func)                                                                     \
  g_test_add ("/stream/v2/" path, Fixture, GUINT_TO_POINTER (2), set_up_frozen, func,              \
              tear_down_frozen)
  ADD_FROZEN ("drain", test_drain);
  ADD_FROZEN ("drain/forsaken", test_drain_forsaken);
  ADD_FROZEN ("drain/forsaken-late", test_drain_forsaken_late);
  ADD_FROZEN ("drain/unread", test_drain_unread);
  ADD_FROZEN ("drain/dropped", test_drain_dropped);
  ADD_FROZEN ("drain/in-time", test_drain_in_time);
  ADD_FROZEN ("drain/session-lost", test_forsaken_broken);
  ADD_FROZEN ("window/credit", test_window_credit);
  ADD_FROZEN ("staged", test_staged);
  ADD_FROZEN ("staged/forsaken", test_staged_forsaken);
  ADD_FROZEN ("staged/half-close", test_staged_half_close);
#undef ADD
#undef ADD_FROZEN
  return g_test_run ();
}
