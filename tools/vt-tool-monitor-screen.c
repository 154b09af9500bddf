/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include <glib/gi18n.h>
#include <string.h>

#include "vt-tool-format.h"
#include "vt-tool-monitor-view.h"

typedef struct {
  unsigned int n_connected;
  unsigned int n_streams;
  guint64 rate_sent;
  guint64 rate_received;
} Totals;

static void
add_up (const VtToolMonitorModel *model, Totals *totals)
{
  for (unsigned int i = 0; i < model->tunnels->len; i++)
    {
      const VtToolTunnel *tunnel = model->tunnels->pdata[i];

      totals->n_connected += strcmp (tunnel->state, "connected") == 0;
      totals->n_streams += tunnel->active_streams;
      for (unsigned int k = 0; k < tunnel->forwards->len; k++)
        {
          const VtToolForward *forward = tunnel->forwards->pdata[k];

          totals->rate_sent += forward->rate_sent;
          totals->rate_received += forward->rate_received;
        }
    }
}

/* Both ends of a line; where there is no place for both, the left one. */
static char *
justify (const VtToolLook *look, VtToolStyle style, const char *left, const char *right)
{
  unsigned int length = vt_tool_look_measure (look, right);
  unsigned int needed = vt_tool_look_measure (look, left) + 2 + length;
  VtToolCells cells;

  vt_tool_cells_begin (&cells, look);
  vt_tool_cells_put (&cells, style, left);
  if (needed <= look->width)
    {
      vt_tool_cells_space (&cells, look->width - needed + 2);
      vt_tool_cells_put (&cells, style, right);
    }
  return vt_tool_cells_end (&cells);
}

static char *
make_head (const VtToolMonitorModel *model, const VtToolLook *look)
{
  Totals totals = { 0 };
  g_autofree char *tunnels = NULL;
  g_autofree char *streams = NULL;
  g_autofree char *left = NULL;
  g_autofree char *up = NULL;
  g_autofree char *down = NULL;
  g_autofree char *right = NULL;
  unsigned int n = model->tunnels->len;

  add_up (model, &totals);
  tunnels = g_strdup_printf (ngettext ("%u tunnel, %u connected", "%u tunnels, %u connected", n), n,
                             totals.n_connected);
  streams =
      g_strdup_printf (ngettext ("%u stream", "%u streams", totals.n_streams), totals.n_streams);
  left = g_strdup_printf ("vtunnel  %s, %s", tunnels, streams);
  up = vt_tool_format_rate (totals.rate_sent);
  down = vt_tool_format_rate (totals.rate_received);
  right = g_strdup_printf (look->utf8 ? "↑ %8s  ↓ %8s" : "^ %8s  v %8s", up, down);
  return justify (look, VT_TOOL_STYLE_BOLD, left, right);
}

static char *
make_foot (const VtToolLook *look, unsigned int first, unsigned int shown, unsigned int all)
{
  const char *quit = _ ("q: quit");
  g_autofree char *where = NULL;
  g_autofree char *left = NULL;

  if (shown >= all)
    return justify (look, VT_TOOL_STYLE_DIM, quit, "");
  where = g_strdup_printf (look->utf8 ? "%u–%u / %u" : "%u-%u / %u", first + 1, first + shown, all);
  left = g_strdup_printf (
      look->utf8 ? _ ("%s   ↑ ↓ PgUp PgDn: scroll") : _ ("%s   j k PgUp PgDn: scroll"), quit);
  return justify (look, VT_TOOL_STYLE_DIM, left, where);
}

static char *
make_note (const VtToolLook *look, const char *note)
{
  VtToolCells cells;

  vt_tool_cells_begin (&cells, look);
  vt_tool_cells_put (&cells, VT_TOOL_STYLE_WAITING, note != NULL ? note : "");
  return vt_tool_cells_end (&cells);
}

/* The second line is empty, or the note; and the last but one is empty where there is place. */
GPtrArray *
vt_tool_monitor_view_screen (const VtToolMonitorModel *model,
                             const VtToolLook *look,
                             unsigned int height,
                             const GPtrArray *body,
                             unsigned int *first)
{
  GPtrArray *lines = g_ptr_array_new_with_free_func (g_free);
  unsigned int place = height > 3 ? height - 3 : 0;
  unsigned int shown = MIN (body->len, place);

  *first = MIN (*first, body->len - shown);
  g_ptr_array_add (lines, make_head (model, look));
  g_ptr_array_add (lines, make_note (look, model->note));
  for (unsigned int i = 0; i < place; i++)
    g_ptr_array_add (lines, g_strdup (i < shown ? body->pdata[*first + i] : ""));
  g_ptr_array_add (lines, make_foot (look, *first, shown, body->len));
  if (lines->len > height)
    g_ptr_array_set_size (lines, (int) height);
  return lines;
}
