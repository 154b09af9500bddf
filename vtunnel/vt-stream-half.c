/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-stream-half-private.h"

#include <glib/gi18n-lib.h>

/* A synchronous call from another thread. It stands on that thread's stack; all but the last two
 * fields belong to the stream's thread until no source is left. */
typedef struct {
  VtStreamHalf *half; /* not owned: the caller holds the stream it is in */
  VtStreamTransfer transfer;
  void *buffer; /* not owned */
  size_t size;
  GCancellable *cancellable; /* not owned, nullable */
  gssize result;
  GError *error; /* owned */
  gboolean done;
  GMutex mutex;
  GCond cond;
  unsigned int n_sources; /* under `mutex`: that may still touch this */
} BlockingCall;

static gboolean
is_at_home (VtStreamHalf *self)
{
  return g_thread_self () == self->thread || g_main_context_is_owner (self->context);
}

/* One attempt of a synchronous call, in the stream's context: G_SOURCE_CONTINUE while it has to
 * wait. */
static gboolean
blocking_call_attempt (BlockingCall *call)
{
  VtStream *stream = g_atomic_pointer_get (&call->half->stream);

  call->result = -1;
  call->done = TRUE;
  if (g_cancellable_set_error_if_cancelled (call->cancellable, &call->error))
    return G_SOURCE_REMOVE;
  if (stream == NULL)
    {
      g_set_error_literal (&call->error, G_IO_ERROR, G_IO_ERROR_CLOSED, _ ("The stream is closed"));
      return G_SOURCE_REMOVE;
    }
  call->result = call->transfer (stream, call->buffer, call->size, &call->error);
  if (!g_error_matches (call->error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK))
    return G_SOURCE_REMOVE;

  g_clear_error (&call->error);
  call->done = FALSE;
  return G_SOURCE_CONTINUE;
}

static gboolean
blocking_call_ready_cb (GObject *io, gpointer user_data)
{
  return blocking_call_attempt (user_data);
}

/* A source that could touch the call is gone. With the last one, the waiting thread goes on. */
static void
blocking_call_drop (gpointer user_data)
{
  BlockingCall *call = user_data;

  g_mutex_lock (&call->mutex);
  if (--call->n_sources == 0)
    g_cond_signal (&call->cond);
  g_mutex_unlock (&call->mutex);
}

static void
blocking_call_attach (BlockingCall *call, GSource *source, GSourceFunc func)
{
  g_mutex_lock (&call->mutex);
  call->n_sources++;
  g_mutex_unlock (&call->mutex);

  g_source_set_static_name (source, "[vtunnel] stream call");
  g_source_set_callback (source, func, call, blocking_call_drop);
  g_source_attach (source, call->half->context);
}

static gboolean
blocking_call_start_cb (gpointer user_data)
{
  BlockingCall *call = user_data;
  g_autoptr(GSource) source = NULL;

  if (blocking_call_attempt (call) == G_SOURCE_REMOVE)
    return G_SOURCE_REMOVE;

  source = vt_stream_half_create_source (call->half, call->cancellable);
  blocking_call_attach (call, source, G_SOURCE_FUNC (blocking_call_ready_cb));
  return G_SOURCE_REMOVE;
}

static gssize
run_elsewhere (BlockingCall *call, GError **error)
{
  g_autoptr(GSource) source = g_idle_source_new ();

  g_mutex_init (&call->mutex);
  g_cond_init (&call->cond);
  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  blocking_call_attach (call, source, blocking_call_start_cb);

  g_mutex_lock (&call->mutex);
  while (call->n_sources > 0)
    g_cond_wait (&call->cond, &call->mutex);
  g_mutex_unlock (&call->mutex);
  g_cond_clear (&call->cond);
  g_mutex_clear (&call->mutex);

  if (!call->done)
    g_set_error_literal (&call->error, G_IO_ERROR, G_IO_ERROR_CLOSED, _ ("The stream is closed"));
  if (call->error == NULL)
    return call->result;
  g_propagate_error (error, g_steal_pointer (&call->error));
  return -1;
}

static gboolean
is_half_ready (void *user_data)
{
  return vt_stream_half_is_ready (user_data);
}

void
vt_stream_half_init (VtStreamHalf *self,
                     GObject *io,
                     VtStream *stream,
                     VtStreamTransfer transfer,
                     VtStreamIsReady is_ready)
{
  self->stream = stream;
  self->io = io;
  self->context = g_main_context_ref (stream->context);
  self->thread = stream->thread;
  self->transfer = transfer;
  self->is_ready = is_ready;
  vt_ready_set_init (&self->ready, is_half_ready, self, NULL);
}

void
vt_stream_half_clear (VtStreamHalf *self)
{
  vt_ready_set_clear (&self->ready);
  g_clear_pointer (&self->context, g_main_context_unref);
}

void
vt_stream_half_detach (VtStreamHalf *self)
{
  g_atomic_pointer_set (&self->stream, NULL);
  vt_stream_half_wake (self);
}

gssize
vt_stream_half_transfer (VtStreamHalf *self, void *buffer, size_t size, GError **error)
{
  if (self->stream != NULL)
    return self->transfer (self->stream, buffer, size, error);

  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_CLOSED, _ ("The stream is closed"));
  return -1;
}

gssize
vt_stream_half_run (VtStreamHalf *self,
                    VtStreamTransfer transfer,
                    void *buffer,
                    size_t size,
                    GCancellable *cancellable,
                    GError **error)
{
  BlockingCall call = { .half = self, .transfer = transfer, .buffer = buffer, .size = size };
  VtStream *stream = g_atomic_pointer_get (&self->stream);

  if (stream == NULL)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_CLOSED, _ ("The stream is closed"));
      return -1;
    }
  if (g_cancellable_set_error_if_cancelled (cancellable, error))
    return -1;
  if (is_at_home (self))
    return transfer (stream, buffer, size, error);

  call.cancellable = cancellable;
  return run_elsewhere (&call, error);
}

gboolean
vt_stream_half_close (VtStreamHalf *self, VtStreamTransfer end, GError **error)
{
  if (g_atomic_pointer_get (&self->stream) == NULL)
    return TRUE;
  return vt_stream_half_run (self, end, NULL, 0, NULL, error) == 0;
}

void
vt_stream_half_close_async (VtStreamHalf *self,
                            VtStreamTransfer end,
                            int io_priority,
                            GCancellable *cancellable,
                            GAsyncReadyCallback callback,
                            void *user_data)
{
  g_autoptr(GTask) task = g_task_new (self->io, cancellable, callback, user_data);
  GError *error = NULL;

  g_task_set_source_tag (task, vt_stream_half_close_async);
  g_task_set_check_cancellable (task, FALSE);
  g_task_set_priority (task, io_priority);
  if (vt_stream_half_close (self, end, &error))
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, error);
}

gboolean
vt_stream_half_is_ready (VtStreamHalf *self)
{
  return self->stream == NULL || self->is_ready (self->stream);
}

GSource *
vt_stream_half_create_source (VtStreamHalf *self, GCancellable *cancellable)
{
  return vt_ready_set_create_source (&self->ready, self->io, cancellable);
}

void
vt_stream_half_wake (VtStreamHalf *self)
{
  vt_ready_set_wake (&self->ready);
}
