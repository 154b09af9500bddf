/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-server-session-struct-private.h"

#include <glib/gi18n-lib.h>
#include "vt-error.h"

#include "vt-forward-private.h"
#include "vt-source-private.h"

/* A stream that this side's application has opened, until it is over. When the client has answered
 * it is the application's, and nothing here keeps it alive. */
typedef struct {
  GList link;               /* in the session's streams */
  VtServerSession *session; /* not owned, its owner */
  VtStream *stream;         /* owned while there is a task */
  VtMuxStream *mux;         /* owned */
  GTask *task;              /* owned, NULL once the client has answered */
  GSource *watch;           /* owned, of the task's cancellable, nullable */
} Outgoing;

/* Takes it out of all lists. What the task is to be told, nobody knows here: it is given back. */
static GTask *
forget (Outgoing *self, const GError *error)
{
  VtServerSession *session = self->session;
  g_autoptr(VtStream) stream = g_object_ref (self->stream);
  GTask *task = g_steal_pointer (&self->task);

  vt_server_session_note_over (session, stream, error);
  vt_stream_set_finished_func (stream, NULL, NULL);
  vt_stream_set_answered_func (stream, NULL, NULL);
  g_queue_unlink (&session->streams, &self->link);
  g_clear_pointer (&self->watch, vt_source_destroy);
  vt_mux_stream_unref (self->mux);
  g_free (self);
  if (task != NULL)
    g_object_unref (stream);

  vt_list_remove (vt_session_get_stream_list (session->session), stream);
  vt_forward_remove_stream (vt_stream_get_forward (stream), stream);
  return task;
}

/* Takes the task, which is nullable. */
static void
answer_failed (GTask *task, const GError *error)
{
  g_autoptr(GTask) owned = task;

  if (task == NULL)
    return;
  if (error != NULL)
    g_task_return_error (task, g_error_copy (error));
  else
    g_task_return_new_error (task, VT_ERROR, VT_ERROR_CANCELLED, "%s", _ ("The session has ended"));
}

static void
finished_cb (VtStream *stream, const GError *error, void *user_data)
{
  Outgoing *self = user_data;
  g_autoptr(VtServerSession) session = vt_server_session_ref (self->session);
  GTask *task = forget (self, error);

  session->handlers.stream_closed (session, stream, error, session->user_data);
  answer_failed (task, error);
}

static void
answered_cb (VtStream *stream, void *user_data)
{
  Outgoing *self = user_data;
  g_autoptr(GTask) task = g_steal_pointer (&self->task);

  g_clear_pointer (&self->watch, vt_source_destroy);
  g_task_return_pointer (task, stream, g_object_unref);
}

static void
abort_stream (Outgoing *self, const GError *error)
{
  g_autoptr(VtStream) stream = g_object_ref (self->stream);

  vt_mux_stream_reset (self->mux, error);
  vt_stream_finish (stream, error);
}

static gboolean
cancelled_cb (GCancellable *cancellable, gpointer user_data)
{
  g_autoptr(GError) error =
      g_error_new_literal (VT_ERROR, VT_ERROR_CANCELLED, _ ("The stream is not wanted any more"));

  abort_stream (user_data, error);
  return G_SOURCE_REMOVE;
}

/* Nothing of it is under way any more, for longer than the object may have lived. */
static void
gone_cb (void *user_data)
{
  g_autoptr(VtServerSession) self = user_data;

  self->n_outgoing--;
  vt_server_session_end_if_drained (self);
}

static VtStream *
begin (VtServerSession *self,
       VtMuxStream *mux_stream,
       VtForward *forward,
       GSocketAddress *address,
       GTask *task)
{
  VtStream *stream = vt_stream_new (mux_stream, forward, address);
  Outgoing *outgoing = g_new0 (Outgoing, 1);

  outgoing->link.data = outgoing;
  outgoing->session = self;
  outgoing->stream = g_object_ref (stream);
  outgoing->mux = vt_mux_stream_ref (mux_stream);
  outgoing->task = g_object_ref (task);
  outgoing->watch =
      vt_source_watch_cancellable (g_task_get_cancellable (task), cancelled_cb, outgoing);
  g_queue_push_tail_link (&self->streams, &outgoing->link);
  self->n_outgoing++;
  vt_stream_set_answered_func (stream, answered_cb, outgoing);
  vt_stream_set_finished_func (stream, finished_cb, outgoing);
  vt_stream_set_gone_func (stream, gone_cb, vt_server_session_ref (self));
  return stream;
}

static VtMuxStream *
open_in_mux (VtServerSession *self, VtForward *forward, GSocketAddress *address, GError **error)
{
  VtMux *mux = vt_server_session_get_mux (self);

  if (mux == NULL)
    g_set_error_literal (error, VT_ERROR, VT_ERROR_CANCELLED, _ ("The session has ended"));
  else if (self->draining)
    g_set_error_literal (error, VT_ERROR, VT_ERROR_SHUTTING_DOWN,
                         _ ("The server is shutting down"));
  else
    return vt_mux_open_stream (mux, vt_server_session_find_port (self, forward), address, NULL,
                               error);
  return NULL;
}

void
vt_server_session_open_stream_cb (VtSession *session,
                                  VtForward *forward,
                                  GSocketAddress *address,
                                  GTask *task,
                                  void *user_data)
{
  VtServerSession *self = user_data;
  g_autoptr(VtServerSession) alive = vt_server_session_ref (self);
  g_autoptr(VtStream) stream = NULL;
  GError *error = NULL;
  VtMuxStream *mux_stream = open_in_mux (self, forward, address, &error);

  if (mux_stream == NULL)
    {
      g_task_return_error (task, error);
      return;
    }
  self->counters->streams_opened++;
  stream = begin (self, mux_stream, forward, address, task);

  /* Whoever hears of it may end the session, and the stream with it, or the stream alone. */
  vt_forward_add_stream (forward, stream);
  if (self->trunk != NULL)
    vt_list_append (vt_session_get_stream_list (self->session), stream);
  if (vt_list_contains (vt_session_get_stream_list (self->session), stream))
    self->handlers.stream_opened (self, stream, self->user_data);
}

void
vt_server_session_abort_streams (VtServerSession *self, const GError *error)
{
  while (!g_queue_is_empty (&self->streams))
    abort_stream (g_queue_peek_head (&self->streams), error);
}
