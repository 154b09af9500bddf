/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-tool-stream.h"

#include <glib/gi18n.h>

/* A stream may outlive its port, and the forward knows it no more: so it is noted here. */
#define PORT_KEY "vt-tool-port"

static void
note_port (VtStream *stream)
{
  VtForward *forward = vt_stream_get_forward (stream);
  unsigned int port = forward != NULL ? vt_forward_get_bound_port (forward) : 0;

  g_object_set_data (G_OBJECT (stream), PORT_KEY, GUINT_TO_POINTER (port));
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
  vt_tool_event_add_number (event, "port", get_port (stream));
  vt_tool_event_add_address (event, "user_address", "user_port",
                             vt_stream_get_user_address (stream));
  return event;
}

void
vt_tool_stream_tell_opened (VtStream *stream, VtSession *session, VtToolEvents *events)
{
  note_port (stream);
  g_info (_ ("Stream %u on port %u: opened"), vt_stream_get_id (stream), get_port (stream));
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
    g_info (_ ("Stream %u on port %u: failed after %s sent, %s received: %s"),
            vt_stream_get_id (stream), get_port (stream), sent, received, error->message);
  else
    g_info (_ ("Stream %u on port %u: closed after %s sent, %s received"),
            vt_stream_get_id (stream), get_port (stream), sent, received);
  vt_tool_event_add_number (event, "bytes_sent", vt_stream_get_bytes_sent (stream));
  vt_tool_event_add_number (event, "bytes_received", vt_stream_get_bytes_received (stream));
  vt_tool_event_add_error (event, error);
  vt_tool_events_send (events, event);
}
