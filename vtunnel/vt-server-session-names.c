/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-server-session-struct-private.h"

#include <glib/gi18n-lib.h>
#include "vt-error.h"

#include "vt-forward-private.h"

/* A stream for somebody who came by a host name, until it is over. Somebody else drives it. */
typedef struct {
  GList link;               /* in the session's visitors */
  VtServerSession *session; /* not owned, NULL once it is no longer the session's */
  VtStream *stream;         /* owned */
} Visitor;

/* Takes it out of all lists. */
static void
forget (Visitor *self, const GError *error)
{
  VtServerSession *session = g_steal_pointer (&self->session);

  vt_server_session_note_over (session, self->stream, error);
  g_queue_unlink (&session->visitors, &self->link);
  vt_list_remove (vt_session_get_stream_list (session->session), self->stream);
  vt_forward_remove_stream (vt_stream_get_forward (self->stream), self->stream);
}

static void
finished_cb (VtStream *stream, const GError *error, void *user_data)
{
  Visitor *self = user_data;
  g_autoptr(VtStream) kept = self->stream;
  g_autoptr(VtServerSession) session =
      self->session != NULL ? vt_server_session_ref (self->session) : NULL;

  if (session != NULL)
    forget (self, error);
  g_free (self);
  if (session == NULL)
    return;
  session->handlers.stream_closed (session, stream, error, session->user_data);
  vt_server_session_end_if_drained (session);
}

VtStream *
vt_server_session_open_for_user (VtServerListen *listen,
                                 GSocketAddress *remote,
                                 GSocketAddress *local,
                                 GError **error)
{
  g_autoptr(VtServerSession) self = vt_server_session_ref (listen->session);
  g_autoptr(VtForward) forward = g_object_ref (listen->forward);
  VtMux *mux = vt_server_session_get_mux (self);
  g_autoptr(VtStream) stream = NULL;
  VtMuxStream *mux_stream;
  Visitor *visitor;

  if (mux == NULL)
    {
      g_set_error_literal (error, VT_ERROR, VT_ERROR_CANCELLED, _ ("The session has ended"));
      return NULL;
    }
  mux_stream = vt_mux_open_stream (mux, listen->id, remote, local, error);
  if (mux_stream == NULL)
    {
      self->counters->users_refused[VT_COUNTERS_NO_ROOM]++;
      return NULL;
    }
  self->counters->streams_opened++;
  stream = vt_stream_new (mux_stream, forward, remote);
  visitor = g_new0 (Visitor, 1);
  visitor->link.data = visitor;
  visitor->session = self;
  visitor->stream = g_object_ref (stream);
  g_queue_push_tail_link (&self->visitors, &visitor->link);
  vt_stream_set_finished_func (stream, finished_cb, visitor);

  /* Whoever hears of it may end the session, and the stream with it. */
  vt_forward_add_stream (forward, stream);
  if (self->trunk != NULL)
    vt_list_append (vt_session_get_stream_list (self->session), stream);
  if (self->trunk != NULL)
    self->handlers.stream_opened (self, stream, self->user_data);
  return g_steal_pointer (&stream);
}

void
vt_server_session_leave_visitors (VtServerSession *self, gboolean tell)
{
  while (!g_queue_is_empty (&self->visitors))
    {
      Visitor *visitor = g_queue_peek_head (&self->visitors);
      g_autoptr(VtStream) stream = g_object_ref (visitor->stream);

      forget (visitor, NULL);
      if (tell)
        self->handlers.stream_closed (self, stream, NULL, self->user_data);
    }
}

/* Where another client keeps a name, that one may have to make room. */
gboolean
vt_server_session_claim_names (VtServerSession *self,
                               VtServerListen *listen,
                               unsigned int *retry_after,
                               GError **error)
{
  const char *const *names = vt_forward_get_host_names (listen->forward);
  const char *taken = vt_host_table_claim (self->hosts, names, listen);

  if (taken != NULL
      && self->handlers.free_port (self, listen->forward, retry_after, self->user_data))
    {
      if (!vt_server_session_check_staying (self, error))
        return FALSE;
      taken = vt_host_table_claim (self->hosts, names, listen);
    }
  if (taken == NULL)
    return TRUE;
  if (*retry_after > 0)
    g_set_error (error, VT_ERROR, VT_ERROR_ADDRESS_IN_USE,
                 _ ("“%s” is held for a client that has lost its connection; it may be free in "
                    "%u s"),
                 taken, *retry_after);
  else
    g_set_error (error, VT_ERROR, VT_ERROR_ADDRESS_IN_USE, _ ("“%s” is already in use"), taken);
  return FALSE;
}

void
vt_server_session_release_names (VtServerSession *self, VtServerListen *listen)
{
  vt_host_table_release (self->hosts, vt_forward_get_host_names (listen->forward), listen);
  self->handlers.names_released (self, listen->forward, self->user_data);
}
