/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-local-end-kind-private.h"

#include "vt-socket-private.h"
#include "vt-source-private.h"

typedef enum {
  THEN_NOTHING,
  THEN_LINGER,
  THEN_RESET,
} Then;

/* A pollable GIOStream: in practice, TLS over a socket. Ending its output says goodbye to the peer,
 * which GIO does in a thread; until that is done, nothing may close the socket under it. */
typedef struct {
  VtLocalEnd base;
  GIOStream *stream;         /* owned */
  GSource *input;            /* owned; NULL unless G_IO_IN is wanted */
  GSource *output;           /* owned; NULL unless G_IO_OUT is wanted */
  GCancellable *cancellable; /* owned; of the goodbye, once it has begun */
  VtTimer *timer;            /* owned; NULL until it is closed */
  gboolean goodbye_pending;
  Then then; /* what comes after the goodbye */
} StreamEnd;

static void
stream_end_free (StreamEnd *self)
{
  g_clear_pointer (&self->input, vt_source_destroy);
  g_clear_pointer (&self->output, vt_source_destroy);
  g_clear_pointer (&self->timer, vt_timer_free);
  g_clear_object (&self->cancellable);
  g_clear_object (&self->stream);
  g_free (self);
}

static void
reset_now (StreamEnd *self)
{
  g_autoptr(GSocket) socket = vt_socket_find (self->stream);

  if (socket != NULL)
    {
      vt_socket_arm_reset (g_socket_get_fd (socket));
      g_socket_close (socket, NULL);
    }
  stream_end_free (self);
}

/* The goodbye is sent: below TLS, the socket ends as any other does. */
static void
linger_now (StreamEnd *self)
{
  g_autoptr(GSocket) socket = vt_socket_find (self->stream);
  VtLocalEnd *rest = NULL;

  if (socket != NULL && !g_socket_is_closed (socket))
    rest = vt_local_end_new_for_fd (g_socket_get_fd (socket), g_object_ref (self->stream), 0, NULL,
                                    NULL, NULL);
  if (rest != NULL)
    vt_local_end_close (rest);
  stream_end_free (self);
}

static void
do_then (StreamEnd *self)
{
  if (self->then == THEN_LINGER)
    linger_now (self);
  else if (self->then == THEN_RESET)
    reset_now (self);
}

static void
goodbye_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  StreamEnd *self = user_data;

  /* Whether the peer could be told does not change what comes next. */
  g_output_stream_close_finish (G_OUTPUT_STREAM (source), result, NULL);
  self->goodbye_pending = FALSE;
  do_then (self);
}

static void
goodbye_timeout_cb (void *user_data)
{
  StreamEnd *self = user_data;

  self->then = THEN_RESET;
  g_cancellable_cancel (self->cancellable);
}

static gssize
stream_end_read (VtLocalEnd *end, void *buffer, size_t size, GError **error)
{
  GInputStream *input = g_io_stream_get_input_stream (((StreamEnd *) end)->stream);

  return g_pollable_input_stream_read_nonblocking (G_POLLABLE_INPUT_STREAM (input), buffer, size,
                                                   NULL, error);
}

static gssize
stream_end_write (VtLocalEnd *end, const void *data, size_t length, GError **error)
{
  GOutputStream *output = g_io_stream_get_output_stream (((StreamEnd *) end)->stream);

  return g_pollable_output_stream_write_nonblocking (G_POLLABLE_OUTPUT_STREAM (output), data,
                                                     length, NULL, error);
}

/* Below TLS, whose records are hardly longer than what is in them. */
static gssize
stream_end_get_unsent (VtLocalEnd *end)
{
  g_autoptr(GSocket) socket = vt_socket_find (((StreamEnd *) end)->stream);

  return socket != NULL ? vt_socket_get_unsent (g_socket_get_fd (socket)) : -1;
}

static gboolean
input_cb (GObject *stream, gpointer user_data)
{
  StreamEnd *self = user_data;

  self->base.func (G_IO_IN, self->base.user_data);
  return G_SOURCE_CONTINUE;
}

static gboolean
output_cb (GObject *stream, gpointer user_data)
{
  StreamEnd *self = user_data;

  self->base.func (G_IO_OUT, self->base.user_data);
  return G_SOURCE_CONTINUE;
}

static void
attach (StreamEnd *self, GSource *source, GPollableSourceFunc func)
{
  g_source_set_static_name (source, "[vtunnel] local end");
  g_source_set_priority (source, VT_SOURCE_PRIORITY);
  g_source_set_callback (source, G_SOURCE_FUNC (func), self, NULL);
  g_source_attach (source, g_main_context_get_thread_default ());
}

static void
stream_end_set_condition (VtLocalEnd *end, GIOCondition condition)
{
  StreamEnd *self = (StreamEnd *) end;
  GInputStream *input = g_io_stream_get_input_stream (self->stream);
  GOutputStream *output = g_io_stream_get_output_stream (self->stream);

  if (!(condition & G_IO_IN))
    g_clear_pointer (&self->input, vt_source_destroy);
  else if (self->input == NULL)
    {
      self->input = g_pollable_input_stream_create_source (G_POLLABLE_INPUT_STREAM (input), NULL);
      attach (self, self->input, input_cb);
    }
  if (!(condition & G_IO_OUT))
    g_clear_pointer (&self->output, vt_source_destroy);
  else if (self->output == NULL)
    {
      self->output =
          g_pollable_output_stream_create_source (G_POLLABLE_OUTPUT_STREAM (output), NULL);
      attach (self, self->output, output_cb);
    }
}

static void
stream_end_shutdown_write (VtLocalEnd *end)
{
  StreamEnd *self = (StreamEnd *) end;
  GOutputStream *output = g_io_stream_get_output_stream (self->stream);

  self->cancellable = g_cancellable_new ();
  self->goodbye_pending = TRUE;
  g_output_stream_close_async (output, G_PRIORITY_DEFAULT, self->cancellable, goodbye_cb, self);
}

static void
stream_end_close (VtLocalEnd *end)
{
  StreamEnd *self = (StreamEnd *) end;
  g_autoptr(VtClock) clock = vt_clock_get (NULL);

  stream_end_set_condition (end, 0);
  self->then = THEN_LINGER;
  self->timer = vt_timer_new (clock, "TLS goodbye", goodbye_timeout_cb, self);
  vt_timer_start (self->timer, VT_LOCAL_END_LINGER);
  if (self->cancellable == NULL)
    stream_end_shutdown_write (end);
  else if (!self->goodbye_pending)
    do_then (self);
}

static void
stream_end_reset (VtLocalEnd *end)
{
  StreamEnd *self = (StreamEnd *) end;

  stream_end_set_condition (end, 0);
  self->then = THEN_RESET;
  if (self->goodbye_pending)
    g_cancellable_cancel (self->cancellable);
  else
    do_then (self);
}

static const VtLocalEndKind stream_kind = {
  .read = stream_end_read,
  .write = stream_end_write,
  .get_unsent = stream_end_get_unsent,
  .set_condition = stream_end_set_condition,
  .shutdown_write = stream_end_shutdown_write,
  .close = stream_end_close,
  .reset = stream_end_reset,
};

VtLocalEnd *
vt_local_end_new_for_stream (GIOStream *stream, VtLocalEndFunc func, void *user_data)
{
  StreamEnd *self = g_new0 (StreamEnd, 1);

  self->base.kind = &stream_kind;
  self->base.func = func;
  self->base.user_data = user_data;
  self->stream = g_object_ref (stream);
  return &self->base;
}
