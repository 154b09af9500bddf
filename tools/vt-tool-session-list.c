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
  .name = "vtunnel-tool list",
  .summary = N_ ("Lists the tunnels that the session service keeps."),
  .description = N_ ("Examples:\n"
                     "  vtunnel-tool list\n"
                     "  vtunnel-tool list --json | jq -r .name"),
};

static VtToolStyle
get_style (const VtToolTunnel *tunnel)
{
  if (strcmp (tunnel->state, "connected") == 0)
    return VT_TOOL_STYLE_GOOD;
  if (strcmp (tunnel->state, "failed") == 0)
    return VT_TOOL_STYLE_BAD;
  if (strcmp (tunnel->state, "inactive") == 0)
    return VT_TOOL_STYLE_DIM;
  return VT_TOOL_STYLE_WAITING;
}

/* The first of them, and how many there are besides. */
static char *
describe_forwards (const VtToolTunnel *tunnel)
{
  const VtToolForward *first = NULL;
  g_autofree char *text = NULL;

  if (tunnel->forwards->len == 0)
    return g_strdup ("");
  first = tunnel->forwards->pdata[0];
  text = g_strconcat (first->listen, " → ", first->target, NULL);
  if (tunnel->forwards->len == 1)
    return g_steal_pointer (&text);
  return g_strdup_printf ("%s (+%u)", text, tunnel->forwards->len - 1);
}

static char *
make_table (const GPtrArray *tunnels)
{
  const VtToolColumn columns[] = {
    { _ ("NAME"), 8, FALSE },      { _ ("STATE"), 0, FALSE },  { _ ("SERVER"), 10, FALSE },
    { _ ("FORWARDS"), 10, FALSE }, { _ ("STREAMS"), 0, TRUE },
  };
  g_autoptr(VtToolTable) table = vt_tool_table_new (columns, G_N_ELEMENTS (columns));
  VtToolLook look;

  for (unsigned int i = 0; i < tunnels->len; i++)
    {
      const VtToolTunnel *tunnel = tunnels->pdata[i];

      vt_tool_table_add (table, VT_TOOL_STYLE_BOLD, g_strdup (vt_tool_tunnel_get_title (tunnel)));
      vt_tool_table_add (table, get_style (tunnel),
                         g_strdup (vt_tool_format_state (tunnel->state)));
      vt_tool_table_add (table, VT_TOOL_STYLE_PLAIN, g_strdup (tunnel->uri));
      vt_tool_table_add (table, VT_TOOL_STYLE_PLAIN, describe_forwards (tunnel));
      vt_tool_table_add (table, VT_TOOL_STYLE_PLAIN,
                         g_strdup_printf ("%u", tunnel->active_streams));
    }
  vt_tool_terminal_get_look (&look);
  return vt_tool_table_layout (table, &look);
}

static char *
make_json (const GPtrArray *tunnels)
{
  GString *lines = g_string_new (NULL);

  for (unsigned int i = 0; i < tunnels->len; i++)
    {
      g_autofree char *line = vt_tool_session_to_json (tunnels->pdata[i]);

      g_string_append_printf (lines, "%s\n", line);
    }
  return g_string_free (lines, FALSE);
}

VtToolStatus
vt_tool_list (char **argv)
{
  g_auto(VtToolSessionOptions) options = { 0 };
  g_auto(VtToolSession) session = { 0 };
  g_autoptr(GPtrArray) tunnels = NULL;
  g_autofree char *text = NULL;
  g_autoptr(GError) error = NULL;
  gboolean json = FALSE;
  const GOptionEntry entries[] = {
    { "json", 'j', 0, G_OPTION_ARG_NONE, &json, N_ ("One JSON object a line, for scripts"), NULL },
    vt_tool_session_timeout_entry (&options),
    G_OPTION_ENTRY_NULL,
  };

  if (!vt_tool_options_parse (&help, entries, argv, &options.common, &error))
    return vt_tool_fail (FALSE, error);
  if (options.common.help)
    return VT_TOOL_DONE;
  if (!vt_tool_session_open (&session, &options, &error)
      || (tunnels = vt_tool_session_list (&session, &error)) == NULL)
    return vt_tool_fail (FALSE, error);
  if (tunnels->len == 0)
    g_message (_ ("There are no tunnels yet; “vtunnel-tool add” adds one"));
  text = json ? make_json (tunnels) : make_table (tunnels);
  return vt_tool_put (text);
}
