/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include <glib/gi18n.h>
#include <string.h>

#include "vt-tool-format.h"
#include "vt-tool-run.h"
#include "vt-tool-session-bus.h"
#include "vt-tool-session-json.h"
#include "vt-tool-table.h"
#include "vt-tool-terminal.h"

static const VtToolHelp help = {
  .name = "vtunnel-tool show",
  .arguments = "NAME",
  .operand = VT_TOOL_OPERAND_NAME,
  .summary = N_ ("Shows all there is to know of a tunnel of the session service."),
  .description = N_ ("Examples:\n"
                     "  vtunnel-tool show web\n"
                     "  vtunnel-tool show --json web | jq '.forwards[].port'"),
};

/* The widest of the names of fields. */
#define MAX_LABEL 20

typedef struct {
  const VtToolLook *look; /* not owned */
  GString *lines;         /* owned */
} Page;

/* A field without a value is left out. */
static void
add_field (Page *self, const char *label, VtToolStyle style, const char *value)
{
  g_autofree char *line = NULL;
  VtToolCells cells;

  if (value == NULL || value[0] == '\0')
    return;
  vt_tool_cells_begin (&cells, self->look);
  vt_tool_cells_field (&cells, VT_TOOL_STYLE_DIM, label, MAX_LABEL);
  vt_tool_cells_put (&cells, style, value);
  line = vt_tool_cells_end (&cells);
  g_string_append_printf (self->lines, "%s\n", line);
}

static char *
describe_state (const VtToolTunnel *tunnel)
{
  const char *word = vt_tool_format_state (tunnel->state);
  g_autofree char *since = vt_tool_format_local_time (tunnel->connected_since);
  g_autofree char *next = vt_tool_format_local_time (tunnel->next_retry);

  if (since != NULL)
    return g_strdup_printf (_ ("%s since %s"), word, since);
  if (next != NULL)
    return g_strdup_printf (_ ("%s, next attempt at %s"), word, next);
  return g_strdup (word);
}

static char *
describe_lifetime (const VtToolTunnel *tunnel)
{
  if (strcmp (tunnel->lifetime, "persistent") == 0)
    return g_strdup (_ ("until it is removed"));
  if (strcmp (tunnel->lifetime, "session") == 0)
    return g_strdup (_ ("until the service ends"));
  if (strcmp (tunnel->lifetime, "caller") == 0)
    return g_strdup_printf (_ ("as long as its owner %s"), tunnel->owner);
  return g_strdup (tunnel->lifetime);
}

static void
add_traffic (Page *self, const VtToolTunnel *tunnel)
{
  g_autofree char *round_trip = vt_tool_format_round_trip (tunnel->round_trip);
  g_autofree char *last_seen = vt_tool_format_local_time (tunnel->last_seen);
  g_autofree char *sent = vt_tool_format_bytes (tunnel->bytes_sent);
  g_autofree char *received = vt_tool_format_bytes (tunnel->bytes_received);
  g_autofree char *all = g_strdup_printf ("%" G_GUINT64_FORMAT, tunnel->streams_opened);
  g_autofree char *streams =
      g_strdup_printf (_ ("%u open, %s in all"), tunnel->active_streams, all);
  g_autofree char *resumed = g_strdup_printf ("%u", tunnel->n_resumed);
  g_autofree char *protocol = g_strdup_printf ("%u", tunnel->protocol);

  add_field (self, _ ("Protocol:"), VT_TOOL_STYLE_PLAIN, tunnel->protocol != 0 ? protocol : NULL);
  add_field (self, _ ("Round trip:"), VT_TOOL_STYLE_PLAIN, round_trip);
  add_field (self, _ ("Last heard of:"), VT_TOOL_STYLE_PLAIN, last_seen);
  add_field (self, _ ("Resumed:"), VT_TOOL_STYLE_PLAIN, tunnel->n_resumed != 0 ? resumed : NULL);
  add_field (self, _ ("Streams:"), VT_TOOL_STYLE_PLAIN, streams);
  add_field (self, _ ("Sent:"), VT_TOOL_STYLE_PLAIN, sent);
  add_field (self, _ ("Received:"), VT_TOOL_STYLE_PLAIN, received);
}

static char *
describe_options (const VtToolForward *forward)
{
  GString *text = g_string_new (NULL);

  if (forward->host_header != NULL)
    g_string_append_printf (text, ",host-header=%s", forward->host_header);
  if (forward->proxy_protocol != 0)
    g_string_append_printf (text, ",proxy-protocol=%u", forward->proxy_protocol);
  if (forward->forwarded != NULL)
    g_string_append_printf (text, ",forwarded=%s", forward->forwarded);
  if (forward->http)
    g_string_append (text, ",http");
  if (forward->health != 0)
    g_string_append_printf (text, ",health=%u", forward->health);
  return g_string_free (text, FALSE);
}

static void
add_forwards (Page *self, const VtToolTunnel *tunnel)
{
  const VtToolColumn columns[] = {
    { _ ("FORWARD"), 16, FALSE }, { _ ("STATE"), 12, FALSE },  { _ ("STREAMS"), 0, TRUE },
    { _ ("SENT"), 0, TRUE },      { _ ("RECEIVED"), 0, TRUE },
  };
  g_autoptr(VtToolTable) table = vt_tool_table_new (columns, G_N_ELEMENTS (columns));
  g_autofree char *lines = NULL;

  for (unsigned int i = 0; i < tunnel->forwards->len; i++)
    {
      const VtToolForward *forward = tunnel->forwards->pdata[i];
      const char *word = vt_tool_format_state (forward->state);
      g_autofree char *source = vt_tool_forward_get_source (forward);
      g_autofree char *options = describe_options (forward);

      vt_tool_table_add (table, VT_TOOL_STYLE_PLAIN,
                         g_strconcat (source, " → ", forward->target, options, NULL));
      if (forward->error[0] == '\0')
        vt_tool_table_add (table, VT_TOOL_STYLE_PLAIN, g_strdup (word));
      else
        vt_tool_table_add (table, VT_TOOL_STYLE_BAD,
                           g_strdup_printf ("%s: %s", word, forward->error));
      vt_tool_table_add (table, VT_TOOL_STYLE_PLAIN, g_strdup_printf ("%u", forward->n_streams));
      vt_tool_table_add (table, VT_TOOL_STYLE_PLAIN, vt_tool_format_bytes (forward->bytes_sent));
      vt_tool_table_add (table, VT_TOOL_STYLE_PLAIN,
                         vt_tool_format_bytes (forward->bytes_received));
    }
  lines = vt_tool_table_layout (table, self->look);
  g_string_append_printf (self->lines, "\n%s", lines);
}

static char *
make_page (const VtToolTunnel *tunnel)
{
  g_autofree char *state = describe_state (tunnel);
  g_autofree char *lifetime = describe_lifetime (tunnel);
  VtToolLook look;
  Page self = { .look = &look, .lines = g_string_new (NULL) };

  vt_tool_terminal_get_look (&look);
  add_field (&self, _ ("Name:"), VT_TOOL_STYLE_BOLD, tunnel->name);
  add_field (&self, _ ("Id:"), VT_TOOL_STYLE_PLAIN, tunnel->id);
  add_field (&self, _ ("Server:"), VT_TOOL_STYLE_PLAIN, tunnel->uri);
  add_field (&self, _ ("State:"), VT_TOOL_STYLE_PLAIN, state);
  add_field (&self, _ ("Error:"), VT_TOOL_STYLE_BAD, tunnel->error_message);
  add_field (&self, _ ("Kept:"), VT_TOOL_STYLE_PLAIN, lifetime);
  add_field (&self, _ ("Opened by itself:"), VT_TOOL_STYLE_PLAIN,
             tunnel->autoconnect ? _ ("yes") : _ ("no"));
  add_traffic (&self, tunnel);
  add_forwards (&self, tunnel);
  return g_string_free (self.lines, FALSE);
}

static VtToolTunnel *
ask (VtToolSession *session, const char *name, GError **error)
{
  g_autoptr(VtunnelSessionTunnel) proxy = vt_tool_session_find (session, name, TRUE, error);
  g_autoptr(VtToolTunnel) tunnel = NULL;
  g_autoptr(GVariant) statistics = NULL;
  g_autoptr(GError) failure = NULL;

  if (proxy == NULL)
    return NULL;
  if (!vtunnel_session_tunnel_call_get_statistics_sync (proxy, G_DBUS_CALL_FLAGS_NONE, -1,
                                                        &statistics, NULL, &failure))
    {
      g_propagate_error (error, vt_tool_session_error_new (failure, name));
      return NULL;
    }
  tunnel = vt_tool_tunnel_new (g_dbus_proxy_get_object_path (G_DBUS_PROXY (proxy)));
  vt_tool_tunnel_read_proxy (tunnel, G_DBUS_PROXY (proxy));
  vt_tool_tunnel_set_statistics (tunnel, statistics, g_get_monotonic_time ());
  return g_steal_pointer (&tunnel);
}

VtToolStatus
vt_tool_show (char **argv)
{
  g_auto(VtToolSessionOptions) options = { 0 };
  g_auto(VtToolSession) session = { 0 };
  g_autoptr(VtToolTunnel) tunnel = NULL;
  g_autofree char *line = NULL;
  g_autofree char *text = NULL;
  g_autoptr(GError) error = NULL;
  gboolean json = FALSE;
  const GOptionEntry entries[] = {
    { "json", 'j', 0, G_OPTION_ARG_NONE, &json, N_ ("One JSON object, for scripts"), NULL },
    vt_tool_session_timeout_entry (&options),
    G_OPTION_ENTRY_NULL,
  };

  if (!vt_tool_options_parse (&help, entries, argv, &options.common, &error))
    return vt_tool_fail (FALSE, error);
  if (options.common.help)
    return VT_TOOL_DONE;
  if (!vt_tool_session_open (&session, &options, &error)
      || (tunnel = ask (&session, options.common.name, &error)) == NULL)
    return vt_tool_fail (FALSE, error);
  if (json)
    text = g_strconcat (line = vt_tool_session_to_json (tunnel), "\n", NULL);
  else
    text = make_page (tunnel);
  return vt_tool_put (text);
}
