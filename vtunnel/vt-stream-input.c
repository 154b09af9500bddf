/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-stream-half-private.h"

struct _VtStreamInput {
  GInputStream parent_instance;

  VtStreamHalf half;
};

static void vt_stream_input_pollable_init (GPollableInputStreamInterface *interface);

/* read_async () and skip_async () are GIO's own: for a pollable stream they use a source and no
 * thread. */
G_DEFINE_FINAL_TYPE_WITH_CODE (VtStreamInput,
                               vt_stream_input,
                               G_TYPE_INPUT_STREAM,
                               G_IMPLEMENT_INTERFACE (G_TYPE_POLLABLE_INPUT_STREAM,
                                                      vt_stream_input_pollable_init))

static gssize
vt_stream_input_read (GInputStream *stream,
                      void *buffer,
                      size_t size,
                      GCancellable *cancellable,
                      GError **error)
{
  VtStreamInput *self = VT_STREAM_INPUT (stream);

  return vt_stream_half_run (&self->half, vt_stream_receive, buffer, size, cancellable, error);
}

static gboolean
vt_stream_input_close (GInputStream *stream, GCancellable *cancellable, GError **error)
{
  return vt_stream_half_close (&VT_STREAM_INPUT (stream)->half, vt_stream_end_input, error);
}

static void
vt_stream_input_close_async (GInputStream *stream,
                             int io_priority,
                             GCancellable *cancellable,
                             GAsyncReadyCallback callback,
                             gpointer user_data)
{
  vt_stream_half_close_async (&VT_STREAM_INPUT (stream)->half, vt_stream_end_input, io_priority,
                              cancellable, callback, user_data);
}

static gboolean
vt_stream_input_close_finish (GInputStream *stream, GAsyncResult *result, GError **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}

static gboolean
vt_stream_input_is_readable (GPollableInputStream *stream)
{
  return vt_stream_half_is_ready (&VT_STREAM_INPUT (stream)->half);
}

static GSource *
vt_stream_input_create_source (GPollableInputStream *stream, GCancellable *cancellable)
{
  return vt_stream_half_create_source (&VT_STREAM_INPUT (stream)->half, cancellable);
}

static gssize
vt_stream_input_read_nonblocking (GPollableInputStream *stream,
                                  void *buffer,
                                  size_t size,
                                  GError **error)
{
  return vt_stream_half_transfer (&VT_STREAM_INPUT (stream)->half, buffer, size, error);
}

static void
vt_stream_input_finalize (GObject *object)
{
  vt_stream_half_clear (&VT_STREAM_INPUT (object)->half);
  G_OBJECT_CLASS (vt_stream_input_parent_class)->finalize (object);
}

static void
vt_stream_input_class_init (VtStreamInputClass *klass)
{
  GInputStreamClass *input_class = G_INPUT_STREAM_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = vt_stream_input_finalize;
  input_class->read_fn = vt_stream_input_read;
  input_class->close_fn = vt_stream_input_close;
  input_class->close_async = vt_stream_input_close_async;
  input_class->close_finish = vt_stream_input_close_finish;
}

static void
vt_stream_input_pollable_init (GPollableInputStreamInterface *interface)
{
  interface->is_readable = vt_stream_input_is_readable;
  interface->create_source = vt_stream_input_create_source;
  interface->read_nonblocking = vt_stream_input_read_nonblocking;
}

static void
vt_stream_input_init (VtStreamInput *self)
{
}

VtStreamInput *
vt_stream_input_new (VtStream *stream)
{
  VtStreamInput *self = g_object_new (VT_TYPE_STREAM_INPUT, NULL);

  vt_stream_half_init (&self->half, G_OBJECT (self), stream, vt_stream_receive,
                       vt_stream_is_readable);
  return self;
}

VtStreamHalf *
vt_stream_input_get_half (VtStreamInput *self)
{
  return &self->half;
}
