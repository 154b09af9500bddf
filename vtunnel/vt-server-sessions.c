/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-server-private.h"

#include <glib/gi18n-lib.h>
#include "vt-error.h"
#include "vt-forward.h"
#include "vt-session.h"
#include "vt-stream.h"

#include "vt-loopback-private.h"
#include "vt-negotiation-private.h"
#include "vt-server-session-private.h"
#include "vt-text-private.h"

/* A session is the server's work from the moment in which its WebSocket is there, and counts for
 * max-sessions. Others hear of it once its client has shown that it speaks the protocol; one that
 * ends before leaves no trace.
 */

gboolean
vt_server_is_closing (VtServer *self)
{
  return self->closes->len > 0;
}

void
vt_server_complete_closes (VtServer *self)
{
  g_autoptr(GPtrArray) closes = NULL;

  if (g_hash_table_size (self->work) > 0)
    return;
  closes = g_steal_pointer (&self->closes);
  self->closes = g_ptr_array_new_with_free_func (g_object_unref);
  for (unsigned int i = 0; i < closes->len; i++)
    g_task_return_boolean (g_ptr_array_index (closes, i), TRUE);
}

static gboolean
check_port (VtServer *self, guint16 port, GError **error)
{
  if (port == 0 || vt_port_ranges_contain (self->allowed_ports, port))
    return TRUE;
  g_set_error (error, VT_ERROR, VT_ERROR_PERMISSION_DENIED,
               _ ("Port %u is not allowed: clients may have the ports %s here"), port,
               vt_port_ranges_get_text (self->allowed_ports));
  return FALSE;
}

static gboolean
check_address (VtServer *self, const char *address, GError **error)
{
  g_autofree char *escaped = NULL;

  if (self->allow_anonymous || vt_loopback_is_address (address))
    return TRUE;
  escaped = vt_text_escape (address, -1);
  g_set_error (error, VT_ERROR, VT_ERROR_PERMISSION_DENIED,
               _ ("Anonymous clients are not allowed to listen on %s, only on loopback addresses"),
               escaped);
  return FALSE;
}

static gboolean
authorise_cb (VtServerSession *work, VtForward *forward, GError **error, void *user_data)
{
  g_autoptr(VtServer) self = g_object_ref (user_data);
  g_autoptr(VtSession) session = g_object_ref (vt_server_session_get_session (work));
  gboolean allowed = FALSE;

  if (!check_port (self, vt_forward_get_listen_port (forward), error)
      || !check_address (self, vt_forward_get_listen_address (forward), error))
    return FALSE;
  g_signal_emit (self, vt_server_signals[VT_SERVER_SIGNAL_LISTEN_REQUESTED], 0, session, forward,
                 &allowed);
  if (!allowed)
    g_set_error_literal (error, VT_ERROR, VT_ERROR_PERMISSION_DENIED,
                         _ ("This forward is not allowed by the server"));
  return allowed;
}

static void
stream_opened_cb (VtServerSession *work, VtStream *stream, void *user_data)
{
  g_autoptr(VtServer) self = g_object_ref (user_data);
  g_autoptr(VtSession) session = g_object_ref (vt_server_session_get_session (work));
  g_autoptr(VtStream) kept = g_object_ref (stream);

  g_signal_emit (self, vt_server_signals[VT_SERVER_SIGNAL_STREAM_OPENED], 0, session, kept);
}

static void
stream_closed_cb (VtServerSession *work, VtStream *stream, const GError *error, void *user_data)
{
  g_autoptr(VtServer) self = NULL;
  g_autoptr(VtSession) session = NULL;

  /* Being disposed of. */
  if (VT_SERVER (user_data)->front == NULL)
    return;
  self = g_object_ref (user_data);
  session = g_object_ref (vt_server_session_get_session (work));
  g_signal_emit (self, vt_server_signals[VT_SERVER_SIGNAL_STREAM_CLOSED], 0, session, stream,
                 error);
}

/* From here on others may know of it. */
static void
announce (VtServer *self, VtServerSession *work)
{
  g_autoptr(VtServer) alive = g_object_ref (self);
  g_autoptr(VtSession) session = g_object_ref (vt_server_session_get_session (work));

  vt_list_append (self->sessions, session);
  g_signal_emit (self, vt_server_signals[VT_SERVER_SIGNAL_SESSION_OPENED], 0, session);
}

static void
session_ready_cb (VtServerSession *work, void *user_data)
{
  announce (user_data, work);
}

static void
session_closed_cb (VtServerSession *work, const GError *error, void *user_data)
{
  g_autoptr(VtServer) self = g_object_ref (user_data);
  g_autoptr(VtSession) session = g_object_ref (vt_server_session_get_session (work));
  gboolean announced = vt_list_remove (self->sessions, session);

  g_hash_table_remove (self->work, work);
  vt_server_session_free (work);
  if (announced)
    g_signal_emit (self, vt_server_signals[VT_SERVER_SIGNAL_SESSION_CLOSED], 0, session, error);
  else
    g_debug ("A client was gone before it had greeted: %s",
             error != NULL ? error->message : "closed");
  vt_server_complete_closes (self);
}

void
vt_server_open_session (VtServer *self,
                        SoupWebsocketConnection *connection,
                        VtGate *gate,
                        GSocketAddress *client)
{
  static const VtServerSessionHandlers handlers = {
    .ready = session_ready_cb,
    .authorise = authorise_cb,
    .stream_opened = stream_opened_cb,
    .stream_closed = stream_closed_cb,
    .closed = session_closed_cb,
  };
  VtServerSessionConfig config = {
    .bind_address = self->bind_address,
    .max_forwards = self->max_forwards,
  };
  VtServerSession *work;

  vt_mux_config_init (&config.mux, VT_MUX_SERVER);
  config.mux.protocol = vt_negotiation_get_protocol (connection);
  config.mux.ping_interval = (gint64) self->ping_interval * G_TIME_SPAN_SECOND;
  config.mux.ping_timeout = (gint64) self->ping_timeout * G_TIME_SPAN_SECOND;
  config.mux.max_streams = self->max_streams;
  config.mux.max_buffer = (size_t) MIN (self->max_buffer, G_MAXSIZE);
  work = vt_server_session_new (connection, gate, client, &config, &handlers, self);
  g_hash_table_add (self->work, work);
  if (vt_server_session_is_ready (work))
    announce (self, work);
}
