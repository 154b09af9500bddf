/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-tool-session-json.h"

#include "vt-tool-events.h"
#include "vt-tool-format.h"

/* As with events, what has nothing to say is left out. */
static void
add_text (JsonBuilder *json, const char *name, const char *text)
{
  if (text != NULL && text[0] != '\0')
    vt_tool_event_add_text (json, name, text);
}

static void
add_time (JsonBuilder *json, const char *name, gint64 time)
{
  g_autofree char *text = time > 0 ? vt_tool_format_time (time) : NULL;

  add_text (json, name, text);
}

static void
add_bytes (JsonBuilder *json, guint64 sent, guint64 received)
{
  vt_tool_event_add_number (json, "bytes_sent", sent);
  vt_tool_event_add_number (json, "bytes_received", received);
}

static void
add_forward (JsonBuilder *json, const VtToolForward *forward, gboolean has_statistics)
{
  json_builder_begin_object (json);
  add_text (json, "listen", forward->listen);
  add_text (json, "target", forward->target);
  add_text (json, "host_header", forward->host_header);
  if (forward->proxy_protocol != 0)
    vt_tool_event_add_number (json, "proxy_protocol", forward->proxy_protocol);
  add_text (json, "forwarded", forward->forwarded);
  if (forward->http)
    {
      json_builder_set_member_name (json, "http");
      json_builder_add_boolean_value (json, TRUE);
    }
  if (forward->health != 0)
    vt_tool_event_add_number (json, "health", forward->health);
  if (has_statistics)
    {
      if (forward->bound_port != 0)
        vt_tool_event_add_number (json, "port", forward->bound_port);
      add_text (json, "url", forward->url);
      add_text (json, "state", forward->state);
      add_text (json, "error", forward->error);
      vt_tool_event_add_number (json, "active_streams", forward->n_streams);
      add_bytes (json, forward->bytes_sent, forward->bytes_received);
    }
  json_builder_end_object (json);
}

static void
add_stream (JsonBuilder *json, const VtToolStream *stream)
{
  json_builder_begin_object (json);
  vt_tool_event_add_number (json, "stream", stream->id);
  add_text (json, "listen", stream->listen);
  add_text (json, "user", stream->user_address);
  add_time (json, "opened_at", stream->opened_at);
  add_bytes (json, stream->bytes_sent, stream->bytes_received);
  json_builder_end_object (json);
}

static void
add_error (JsonBuilder *json, const VtToolTunnel *tunnel)
{
  g_autofree char *code = vt_tool_format_code (tunnel->error_name);

  if (tunnel->error_name[0] == '\0')
    return;
  json_builder_set_member_name (json, "error");
  json_builder_begin_object (json);
  add_text (json, "code", code);
  add_text (json, "message", tunnel->error_message);
  json_builder_end_object (json);
}

static void
add_statistics (JsonBuilder *json, const VtToolTunnel *tunnel)
{
  if (tunnel->protocol != 0)
    vt_tool_event_add_number (json, "protocol", tunnel->protocol);
  if (tunnel->round_trip >= 0)
    vt_tool_event_add_number (json, "rtt_us", (guint64) tunnel->round_trip);
  add_time (json, "last_seen", tunnel->last_seen);
  vt_tool_event_add_number (json, "resumed", tunnel->n_resumed);
  vt_tool_event_add_number (json, "streams_opened", tunnel->streams_opened);
  add_bytes (json, tunnel->bytes_sent, tunnel->bytes_received);
  json_builder_set_member_name (json, "streams");
  json_builder_begin_array (json);
  for (unsigned int i = 0; i < tunnel->streams->len; i++)
    add_stream (json, tunnel->streams->pdata[i]);
  json_builder_end_array (json);
}

char *
vt_tool_session_to_json (const VtToolTunnel *tunnel)
{
  g_autoptr(JsonBuilder) json = json_builder_new ();
  g_autoptr(JsonNode) root = NULL;

  json_builder_begin_object (json);
  add_text (json, "id", tunnel->id);
  add_text (json, "name", tunnel->name);
  add_text (json, "server", tunnel->uri);
  add_text (json, "lifetime", tunnel->lifetime);
  json_builder_set_member_name (json, "autoconnect");
  json_builder_add_boolean_value (json, tunnel->autoconnect);
  add_text (json, "state", tunnel->state);
  add_error (json, tunnel);
  add_time (json, "connected_since", tunnel->connected_since);
  add_time (json, "next_retry", tunnel->next_retry);
  vt_tool_event_add_number (json, "active_streams", tunnel->active_streams);
  json_builder_set_member_name (json, "forwards");
  json_builder_begin_array (json);
  for (unsigned int i = 0; i < tunnel->forwards->len; i++)
    add_forward (json, tunnel->forwards->pdata[i], tunnel->has_statistics);
  json_builder_end_array (json);
  if (tunnel->has_statistics)
    add_statistics (json, tunnel);
  json_builder_end_object (json);
  root = json_builder_get_root (json);
  return json_to_string (root, FALSE);
}
