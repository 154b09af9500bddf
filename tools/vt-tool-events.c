/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-tool-events.h"

struct _VtToolEvents {
  VtToolOutput *output; /* owned; NULL: nothing is written */
};

/* The words of the table of codes in docs/protocol.md. Only one of them is not the enum's nick. */
static const char *
get_code (const GError *error)
{
  g_autoptr(GEnumClass) codes = NULL;
  const GEnumValue *value = NULL;

  if (error->domain == G_OPTION_ERROR
      || g_error_matches (error, VT_ERROR, VT_ERROR_INVALID_ARGUMENT))
    return "invalid";
  if (error->domain != VT_ERROR)
    return "failed";
  codes = g_type_class_ref (VT_TYPE_ERROR);
  value = g_enum_get_value (codes, error->code);
  return value != NULL ? value->value_nick : "failed";
}

VtToolEvents *
vt_tool_events_new (gboolean enabled, VtToolBrokenFunc broken, void *user_data)
{
  VtToolEvents *self = g_new0 (VtToolEvents, 1);

  if (enabled)
    self->output = vt_tool_output_new (broken, user_data);
  return self;
}

void
vt_tool_events_free (VtToolEvents *self)
{
  g_clear_pointer (&self->output, vt_tool_output_free);
  g_free (self);
}

gboolean
vt_tool_events_is_enabled (VtToolEvents *self)
{
  return self->output != NULL;
}

JsonBuilder *
vt_tool_event_begin (const char *name)
{
  JsonBuilder *event = json_builder_new ();

  json_builder_begin_object (event);
  vt_tool_event_add_text (event, "event", name);
  return event;
}

void
vt_tool_event_add_text (JsonBuilder *event, const char *name, const char *value)
{
  g_autofree char *valid = NULL;

  if (value == NULL)
    return;
  valid = g_utf8_make_valid (value, -1);
  json_builder_set_member_name (event, name);
  json_builder_add_string_value (event, valid);
}

void
vt_tool_event_add_number (JsonBuilder *event, const char *name, guint64 value)
{
  json_builder_set_member_name (event, name);
  json_builder_add_int_value (event, value);
}

static void
add_texts (JsonBuilder *event, const char *name, const char *const *values)
{
  if (values == NULL)
    return;
  json_builder_set_member_name (event, name);
  json_builder_begin_array (event);
  for (size_t i = 0; values[i] != NULL; i++)
    {
      g_autofree char *valid = g_utf8_make_valid (values[i], -1);

      json_builder_add_string_value (event, valid);
    }
  json_builder_end_array (event);
}

void
vt_tool_event_add_forward (JsonBuilder *event, VtForward *forward, gboolean opened)
{
  if (vt_forward_get_listen_kind (forward) == VT_LISTEN_KIND_HTTP)
    {
      add_texts (event, "names", vt_forward_get_host_names (forward));
      if (opened)
        vt_tool_event_add_text (event, "url", vt_forward_get_url (forward));
      return;
    }
  if (opened)
    vt_tool_event_add_text (event, "address", vt_forward_get_listen_address (forward));
  vt_tool_event_add_number (event, "port", vt_forward_get_bound_port (forward));
}

void
vt_tool_event_add_address (JsonBuilder *event,
                           const char *address_name,
                           const char *port_name,
                           GSocketAddress *address)
{
  g_autofree char *text = NULL;
  GInetSocketAddress *inet = NULL;

  if (!G_IS_INET_SOCKET_ADDRESS (address))
    return;
  inet = G_INET_SOCKET_ADDRESS (address);
  text = g_inet_address_to_string (g_inet_socket_address_get_address (inet));
  vt_tool_event_add_text (event, address_name, text);
  vt_tool_event_add_number (event, port_name, g_inet_socket_address_get_port (inet));
}

void
vt_tool_event_add_error (JsonBuilder *event, const GError *error)
{
  if (error == NULL)
    return;
  json_builder_set_member_name (event, "error");
  json_builder_begin_object (event);
  vt_tool_event_add_reason (event, error);
  json_builder_end_object (event);
}

void
vt_tool_event_add_reason (JsonBuilder *event, const GError *error)
{
  vt_tool_event_add_text (event, "code", get_code (error));
  vt_tool_event_add_text (event, "message", error->message);
}

void
vt_tool_events_send (VtToolEvents *self, JsonBuilder *event)
{
  g_autoptr(JsonBuilder) owned = event;
  g_autoptr(JsonNode) root = NULL;
  g_autofree char *json = NULL;
  g_autofree char *line = NULL;

  if (self->output == NULL)
    return;
  json_builder_end_object (event);
  root = json_builder_get_root (event);
  json = json_to_string (root, FALSE);
  line = g_strconcat (json, "\n", NULL);
  vt_tool_output_write (self->output, line);
}
