/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-stream-half-private.h"

struct _VtStreamOutput {
  GOutputStream parent_instance;

  VtStreamHalf half;
};

static void vt_stream_output_pollable_init (GPollableOutputStreamInterface *interface);

/* write_async (), writev_async () and splice_async () are GIO's own: for a pollable stream they use
 * a source and no thread. */
G_DEFINE_FINAL_TYPE_WITH_CODE (VtStreamOutput,
                               vt_stream_output,
                               G_TYPE_OUTPUT_STREAM,
                               G_IMPLEMENT_INTERFACE (G_TYPE_POLLABLE_OUTPUT_STREAM,
                                                      vt_stream_output_pollable_init))

static gssize
vt_stream_output_write (GOutputStream *stream,
                        const void *data,
                        size_t size,
                        GCancellable *cancellable,
                        GError **error)
{
  VtStreamOutput *self = VT_STREAM_OUTPUT (stream);

  return vt_stream_half_run (&self->half, vt_stream_transmit, (void *) data, size, cancellable,
                             error);
}

static gboolean
vt_stream_output_close (GOutputStream *stream, GCancellable *cancellable, GError **error)
{
  return vt_stream_half_close (&VT_STREAM_OUTPUT (stream)->half, vt_stream_end_output, error);
}

static void
vt_stream_output_close_async (GOutputStream *stream,
                              int io_priority,
                              GCancellable *cancellable,
                              GAsyncReadyCallback callback,
                              gpointer user_data)
{
  vt_stream_half_close_async (&VT_STREAM_OUTPUT (stream)->half, vt_stream_end_output, io_priority,
                              cancellable, callback, user_data);
}

static gboolean
vt_stream_output_close_finish (GOutputStream *stream, GAsyncResult *result, GError **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}

static gboolean
vt_stream_output_is_writable (GPollableOutputStream *stream)
{
  return vt_stream_half_is_ready (&VT_STREAM_OUTPUT (stream)->half);
}

static GSource *
vt_stream_output_create_source (GPollableOutputStream *stream, GCancellable *cancellable)
{
  return vt_stream_half_create_source (&VT_STREAM_OUTPUT (stream)->half, cancellable);
}

static gssize
vt_stream_output_write_nonblocking (GPollableOutputStream *stream,
                                    const void *data,
                                    size_t size,
                                    GError **error)
{
  return vt_stream_half_transfer (&VT_STREAM_OUTPUT (stream)->half, (void *) data, size, error);
}

static void
vt_stream_output_finalize (GObject *object)
{
  vt_stream_half_clear (&VT_STREAM_OUTPUT (object)->half);
  G_OBJECT_CLASS (vt_stream_output_parent_class)->finalize (object);
}

static void
vt_stream_output_class_init (VtStreamOutputClass *klass)
{
  GOutputStreamClass *output_class = G_OUTPUT_STREAM_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = vt_stream_output_finalize;
  output_class->write_fn = vt_stream_output_write;
  output_class->close_fn = vt_stream_output_close;
  output_class->close_async = vt_stream_output_close_async;
  output_class->close_finish = vt_stream_output_close_finish;
  /* There is nothing to flush, and GIO's default would ask a thread to find that out. */
  output_class->flush_async = NULL;
  output_class->flush_finish = NULL;
}

static void
vt_stream_output_pollable_init (GPollableOutputStreamInterface *interface)
{
  interface->is_writable = vt_stream_output_is_writable;
  interface->create_source = vt_stream_output_create_source;
  interface->write_nonblocking = vt_stream_output_write_nonblocking;
}

static void
vt_stream_output_init (VtStreamOutput *self)
{
}

VtStreamOutput *
vt_stream_output_new (VtStream *stream)
{
  VtStreamOutput *self = g_object_new (VT_TYPE_STREAM_OUTPUT, NULL);

  vt_stream_half_init (&self->half, G_OBJECT (self), stream, vt_stream_transmit,
                       vt_stream_is_writable);
  return self;
}

VtStreamHalf *
vt_stream_output_get_half (VtStreamOutput *self)
{
  return &self->half;
}
