/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-tool-stream.h"

#include <glib/gi18n.h>

#include "vt-tool-log.h"

/* A stream may outlive its port, and the forward knows it no more: so it is noted here. */
#define PORT_KEY "vt-tool-port"
/* What people read of where it comes from. */
#define SOURCE_KEY "vt-tool-source"

static gboolean
has_names (VtStream *stream)
{
  VtForward *forward = vt_stream_get_forward (stream);

  return forward != NULL && vt_forward_get_listen_kind (forward) == VT_LISTEN_KIND_HTTP;
}

static void
note_port (VtStream *stream)
{
  VtForward *forward = vt_stream_get_forward (stream);
  unsigned int port = forward != NULL ? vt_forward_get_bound_port (forward) : 0;
  char *source = has_names (stream)
                     ? g_strjoinv (", ", (char **) vt_forward_get_host_names (forward))
                     : g_strdup_printf (_ ("port %u"), port);

  g_object_set_data (G_OBJECT (stream), PORT_KEY, GUINT_TO_POINTER (port));
  g_object_set_data_full (G_OBJECT (stream), SOURCE_KEY, source, g_free);
}

static const char *
get_source (VtStream *stream)
{
  return g_object_get_data (G_OBJECT (stream), SOURCE_KEY);
}

static unsigned int
get_port (VtStream *stream)
{
  return GPOINTER_TO_UINT (g_object_get_data (G_OBJECT (stream), PORT_KEY));
}

static JsonBuilder *
begin_event (const char *name, VtStream *stream, VtSession *session)
{
  JsonBuilder *event = vt_tool_event_begin (name);

  if (session != NULL)
    vt_tool_event_add_text (event, "session", vt_session_get_id (session));
  vt_tool_event_add_number (event, "stream", vt_stream_get_id (stream));
  if (has_names (stream))
    vt_tool_event_add_forward (event, vt_stream_get_forward (stream), FALSE);
  else
    vt_tool_event_add_number (event, "port", get_port (stream));
  vt_tool_event_add_address (event, "user_address", "user_port",
                             vt_stream_get_user_address (stream));
  return event;
}

gboolean
vt_tool_stream_is_told (VtToolEvents *events)
{
  return vt_tool_events_is_enabled (events) || vt_tool_log_has_info ();
}

void
vt_tool_stream_tell_opened (VtStream *stream, VtSession *session, VtToolEvents *events)
{
  note_port (stream);
  g_info (_ ("Stream %u on %s: opened"), vt_stream_get_id (stream), get_source (stream));
  vt_tool_events_send (events, begin_event ("stream-opened", stream, session));
}

void
vt_tool_stream_tell_closed (VtStream *stream,
                            VtSession *session,
                            const GError *error,
                            VtToolEvents *events)
{
  JsonBuilder *event = begin_event ("stream-closed", stream, session);
  g_autofree char *sent = g_format_size (vt_stream_get_bytes_sent (stream));
  g_autofree char *received = g_format_size (vt_stream_get_bytes_received (stream));

  if (error != NULL)
    g_info (_ ("Stream %u on %s: failed after %s sent, %s received: %s"), vt_stream_get_id (stream),
            get_source (stream), sent, received, error->message);
  else
    g_info (_ ("Stream %u on %s: closed after %s sent, %s received"), vt_stream_get_id (stream),
            get_source (stream), sent, received);
  vt_tool_event_add_number (event, "bytes_sent", vt_stream_get_bytes_sent (stream));
  vt_tool_event_add_number (event, "bytes_received", vt_stream_get_bytes_received (stream));
  vt_tool_event_add_error (event, error);
  vt_tool_events_send (events, event);
}
