/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-stream-half-private.h"

#include <glib/gi18n-lib.h>

/* A source that waits until a half is ready. It is level-triggered: while the half stays ready, it
 * is dispatched again. */
typedef struct {
  GSource source;
  GObject *io;        /* owned: keeps `half` */
  VtStreamHalf *half; /* unowned, inside `io` */
  GList link;         /* in the half's `sources` */
} HalfSource;

/* A synchronous call from another thread. It stands on that thread's stack; all but the last two
 * fields belong to the stream's thread until no source is left. */
typedef struct {
  VtStreamHalf *half; /* unowned: the caller holds the stream it is in */
  VtStreamTransfer transfer;
  void *buffer; /* unowned */
  size_t size;
  GCancellable *cancellable; /* unowned, nullable */
  gssize result;
  GError *error; /* owned */
  gboolean done;
  GMutex mutex;
  GCond cond;
  unsigned int n_sources; /* under `mutex`: that may still touch this */
} BlockingCall;

static void
half_source_update (HalfSource *self)
{
  g_source_set_ready_time (&self->source, vt_stream_half_is_ready (self->half) ? 0 : -1);
}

static gboolean
half_source_dispatch (GSource *source, GSourceFunc callback, gpointer user_data)
{
  HalfSource *self = (HalfSource *) source;
  GPollableSourceFunc func = (GPollableSourceFunc) (void (*) (void)) callback;

  if (func == NULL || !func (self->io, user_data))
    return G_SOURCE_REMOVE;

  half_source_update (self);
  return G_SOURCE_CONTINUE;
}

static void
half_source_finalize (GSource *source)
{
  HalfSource *self = (HalfSource *) source;

  g_queue_unlink (&self->half->sources, &self->link);
  g_object_unref (self->io);
}

/* For language bindings, which connect closures and not C functions. */
static gboolean
half_source_closure_cb (GObject *io, gpointer user_data)
{
  GClosure *closure = user_data;
  g_auto(GValue) argument = G_VALUE_INIT;
  g_auto(GValue) result = G_VALUE_INIT;

  g_value_init (&result, G_TYPE_BOOLEAN);
  g_value_init (&argument, G_TYPE_OBJECT);
  g_value_set_object (&argument, io);
  g_closure_invoke (closure, &result, 1, &argument, NULL);
  return g_value_get_boolean (&result);
}

static GSourceFuncs half_source_funcs = {
  .dispatch = half_source_dispatch,
  .finalize = half_source_finalize,
  .closure_callback = (GSourceFunc) (void (*) (void)) half_source_closure_cb,
};

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

  g_source_set_static_name (source, "[vtunnel] VtStream call");
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
  blocking_call_attach (call, source, (GSourceFunc) (void (*) (void)) blocking_call_ready_cb);
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
  g_queue_init (&self->sources);
}

void
vt_stream_half_clear (VtStreamHalf *self)
{
  g_assert (g_queue_is_empty (&self->sources));
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
vt_stream_half_is_ready (VtStreamHalf *self)
{
  return self->stream == NULL || self->is_ready (self->stream);
}

GSource *
vt_stream_half_create_source (VtStreamHalf *self, GCancellable *cancellable)
{
  GSource *source = g_source_new (&half_source_funcs, sizeof (HalfSource));
  HalfSource *half_source = (HalfSource *) source;

  g_source_set_static_name (source, "[vtunnel] VtStream");
  half_source->io = g_object_ref (self->io);
  half_source->half = self;
  half_source->link.data = half_source;
  g_queue_push_tail_link (&self->sources, &half_source->link);
  half_source_update (half_source);

  if (cancellable != NULL)
    {
      g_autoptr(GSource) child = g_cancellable_source_new (cancellable);

      g_source_set_dummy_callback (child);
      g_source_add_child_source (source, child);
    }
  return source;
}

void
vt_stream_half_wake (VtStreamHalf *self)
{
  for (GList *l = self->sources.head; l != NULL; l = l->next)
    half_source_update (l->data);
}
