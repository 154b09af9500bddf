/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-tool-monitor-view.h"

#include <glib/gi18n.h>
#include <string.h>

#include "vt-tool-format.h"
#include "vt-tool-graph.h"
#include "vt-tool-text.h"

/* A rate or a number of bytes, behind its arrow: "↑ 1.2 MB/s". */
#define NUMBER 8
#define FLOW (NUMBER + 2)
#define GAP 2
/* Where there is less, graphs or columns are left out. */
#define WIDTH_OF_GRAPHS 60
#define WIDTH_OF_COLUMNS 44
#define MAX_ERROR_LINES 3

/* How a screen of this width is divided. */
typedef struct {
  const VtToolLook *look; /* not owned */
  GPtrArray *lines;       /* not owned, of owned texts */
  gint64 now;
  unsigned int graph; /* columns of a graph, 0: none */
  unsigned int name;  /* columns of a tunnel's name */
  unsigned int state; /* … and of its state */
  unsigned int max_streams;
} View;

static void
put_flow (VtToolCells *cells, gboolean up, const char *text, VtToolStyle style)
{
  vt_tool_cells_space (cells, GAP);
  vt_tool_cells_put (cells, style, cells->look->utf8 ? (up ? "↑ " : "↓ ") : (up ? "^ " : "v "));
  vt_tool_cells_number (cells, style, text, NUMBER);
}

static void
put_rates (VtToolCells *cells, guint64 sent, guint64 received)
{
  g_autofree char *up = vt_tool_format_rate (sent);
  g_autofree char *down = vt_tool_format_rate (received);

  put_flow (cells, TRUE, up, sent == 0 ? VT_TOOL_STYLE_DIM : VT_TOOL_STYLE_PLAIN);
  put_flow (cells, FALSE, down, received == 0 ? VT_TOOL_STYLE_DIM : VT_TOOL_STYLE_PLAIN);
}

/* Up to `columns` before the right edge. */
static unsigned int
get_left (VtToolCells *cells, unsigned int columns)
{
  unsigned int room = vt_tool_cells_room (cells);

  return room - MIN (room, columns);
}

static VtToolStyle
get_style (const char *state)
{
  if (strcmp (state, "connected") == 0)
    return VT_TOOL_STYLE_GOOD;
  if (strcmp (state, "failed") == 0 || strcmp (state, "target-down") == 0)
    return VT_TOOL_STYLE_BAD;
  if (strcmp (state, "inactive") == 0)
    return VT_TOOL_STYLE_DIM;
  return VT_TOOL_STYLE_WAITING;
}

static const char *
get_sign (const VtToolLook *look, const char *state)
{
  if (strcmp (state, "connected") == 0)
    return look->utf8 ? "● " : "* ";
  if (strcmp (state, "failed") == 0)
    return look->utf8 ? "✗ " : "x ";
  return look->utf8 ? "○ " : "o ";
}

/* "connected 3 min", "retry in 5 s". */
static char *
describe_state (const VtToolTunnel *tunnel, gint64 now)
{
  const char *word = vt_tool_format_state (tunnel->state);
  g_autofree char *since = vt_tool_format_age (now - tunnel->connected_since);
  g_autofree char *until = vt_tool_format_age (tunnel->next_retry - now);

  if (strcmp (tunnel->state, "connected") == 0 && tunnel->connected_since > 0)
    return g_strdup_printf ("%s %s", word, since);
  if (strcmp (tunnel->state, "waiting") == 0 && tunnel->next_retry > 0)
    return g_strdup_printf (_ ("retry in %s"), until);
  return g_strdup (word);
}

static void
end_line (View *self, VtToolCells *cells)
{
  g_ptr_array_add (self->lines, vt_tool_cells_end (cells));
}

static void
add_text (View *self, unsigned int indent, VtToolStyle style, const char *text)
{
  VtToolCells cells;

  vt_tool_cells_begin (&cells, self->look);
  vt_tool_cells_space (&cells, indent);
  vt_tool_cells_put (&cells, style, text);
  end_line (self, &cells);
}

static void
add_tunnel (View *self, const VtToolTunnel *tunnel)
{
  VtToolStyle style = get_style (tunnel->state);
  g_autofree char *state = describe_state (tunnel, self->now);
  g_autofree char *round_trip = vt_tool_format_round_trip (tunnel->round_trip);
  VtToolCells cells;

  vt_tool_cells_begin (&cells, self->look);
  vt_tool_cells_put (&cells, style, get_sign (self->look, tunnel->state));
  vt_tool_cells_field (&cells, VT_TOOL_STYLE_BOLD, vt_tool_tunnel_get_title (tunnel),
                       (int) self->name);
  vt_tool_cells_space (&cells, GAP);
  vt_tool_cells_field (&cells, style, state, (int) self->state);
  vt_tool_cells_space (&cells, GAP);
  if (round_trip == NULL)
    vt_tool_cells_put (&cells, VT_TOOL_STYLE_DIM, tunnel->uri);
  else
    {
      vt_tool_cells_field (&cells, VT_TOOL_STYLE_DIM, tunnel->uri,
                           (int) get_left (&cells, GAP + NUMBER));
      vt_tool_cells_space (&cells, GAP);
      vt_tool_cells_number (&cells, VT_TOOL_STYLE_DIM, round_trip, NUMBER);
    }
  end_line (self, &cells);
}

/* In as many lines as it takes, but a few: the end of an error is what there is to know. */
static void
add_error (View *self, const char *message)
{
  g_autofree char *clean = vt_tool_text_clean (message);
  const char *rest = clean;

  for (unsigned int i = 0; rest[0] != '\0' && i < MAX_ERROR_LINES; i++)
    {
      unsigned int width = self->look->width - MIN (self->look->width, 4);
      size_t length = i + 1 < MAX_ERROR_LINES ? vt_tool_text_break (rest, width) : strlen (rest);
      g_autofree char *part = g_strndup (rest, length);
      g_autofree char *line = g_strconcat (i == 0 ? "! " : "  ", part, NULL);

      add_text (self, 2, VT_TOOL_STYLE_BAD, line);
      rest += length + strspn (rest + length, " ");
    }
}

static gboolean
is_listening (const VtToolForward *forward)
{
  return strcmp (forward->state, "listening") == 0;
}

static void
add_forward_line (View *self, const VtToolForward *forward)
{
  g_autofree char *source = vt_tool_forward_get_source (forward);
  g_autofree char *label = g_strconcat (source, " → ", forward->target, NULL);
  g_autofree char *graph = NULL;
  gboolean has_rates = is_listening (forward) && self->look->width >= WIDTH_OF_COLUMNS;
  VtToolCells cells;

  vt_tool_cells_begin (&cells, self->look);
  vt_tool_cells_space (&cells, 2);
  if (!has_rates)
    vt_tool_cells_put (&cells, VT_TOOL_STYLE_PLAIN, label);
  else
    {
      unsigned int right = (self->graph > 0 ? self->graph + GAP : 0) + 2 * (FLOW + GAP);

      vt_tool_cells_field (&cells, VT_TOOL_STYLE_PLAIN, label, (int) get_left (&cells, right));
      vt_tool_cells_space (&cells, self->graph > 0 ? GAP : 0);
      graph = vt_tool_graph_draw (forward->rates, forward->n_rates, self->graph, self->look->utf8);
      vt_tool_cells_put (&cells, VT_TOOL_STYLE_GOOD, graph);
      put_rates (&cells, forward->rate_sent, forward->rate_received);
    }
  if (!is_listening (forward) && forward->state[0] != '\0')
    {
      vt_tool_cells_space (&cells, GAP);
      vt_tool_cells_put (&cells, get_style (forward->state), vt_tool_format_state (forward->state));
    }
  end_line (self, &cells);
}

static void
add_stream (View *self, const VtToolStream *stream)
{
  g_autofree char *age = vt_tool_format_age (self->now - stream->opened_at);
  g_autofree char *sent = vt_tool_format_bytes (stream->bytes_sent);
  g_autofree char *received = vt_tool_format_bytes (stream->bytes_received);
  const char *address = stream->user_address[0] != '\0' ? stream->user_address : _ ("unknown user");
  VtToolCells cells;

  vt_tool_cells_begin (&cells, self->look);
  vt_tool_cells_space (&cells, 4);
  if (self->look->width < WIDTH_OF_COLUMNS)
    vt_tool_cells_put (&cells, VT_TOOL_STYLE_PLAIN, address);
  else
    {
      vt_tool_cells_field (&cells, VT_TOOL_STYLE_PLAIN, address,
                           (int) get_left (&cells, GAP + NUMBER + 2 * (FLOW + GAP)));
      vt_tool_cells_space (&cells, GAP);
      vt_tool_cells_number (&cells, VT_TOOL_STYLE_DIM, age, NUMBER);
      put_flow (&cells, TRUE, sent, VT_TOOL_STYLE_PLAIN);
      put_flow (&cells, FALSE, received, VT_TOOL_STYLE_PLAIN);
    }
  end_line (self, &cells);
}

/* Who moved most comes first; then the oldest. */
static int
compare_streams (const void *a, const void *b)
{
  const VtToolStream *one = *(VtToolStream *const *) a;
  const VtToolStream *other = *(VtToolStream *const *) b;
  guint64 by_one = one->bytes_sent + one->bytes_received;
  guint64 by_other = other->bytes_sent + other->bytes_received;

  if (by_one != by_other)
    return by_one > by_other ? -1 : 1;
  return one->id < other->id ? -1 : one->id > other->id;
}

/* Those that nobody took yet: two forwards may have the same left side. */
static void
add_streams (View *self, const char *listen, GPtrArray *left)
{
  g_autoptr(GPtrArray) own = g_ptr_array_new ();

  for (unsigned int i = 0; i < left->len;)
    {
      const VtToolStream *stream = left->pdata[i];

      if (listen == NULL || strcmp (stream->listen, listen) == 0)
        g_ptr_array_add (own, g_ptr_array_remove_index (left, i));
      else
        i++;
    }
  g_ptr_array_sort (own, compare_streams);
  for (unsigned int i = 0; i < MIN (own->len, self->max_streams); i++)
    add_stream (self, own->pdata[i]);
  if (own->len > self->max_streams)
    {
      unsigned int n = own->len - self->max_streams;
      g_autofree char *more =
          g_strdup_printf (ngettext ("… and %u more stream", "… and %u more streams", n), n);

      add_text (self, 4, VT_TOOL_STYLE_DIM, more);
    }
}

/* A tunnel whose only trouble is that of one of its forwards says the same once more. */
static gboolean
is_told_below (const VtToolTunnel *tunnel)
{
  for (unsigned int i = 0; i < tunnel->forwards->len; i++)
    {
      const VtToolForward *forward = tunnel->forwards->pdata[i];

      if (strcmp (forward->error, tunnel->error_message) == 0)
        return TRUE;
    }
  return FALSE;
}

static void
add_all_of_tunnel (View *self, const VtToolTunnel *tunnel)
{
  g_autoptr(GPtrArray) left = g_ptr_array_new ();

  for (unsigned int i = 0; i < tunnel->streams->len; i++)
    g_ptr_array_add (left, tunnel->streams->pdata[i]);
  add_tunnel (self, tunnel);
  if (!is_told_below (tunnel))
    add_error (self, tunnel->error_message);
  for (unsigned int i = 0; i < tunnel->forwards->len; i++)
    {
      const VtToolForward *forward = tunnel->forwards->pdata[i];

      add_forward_line (self, forward);
      add_error (self, forward->error);
      add_streams (self, forward->listen, left);
    }
  /* Of forwards that are gone, and that let their streams come to their end. */
  add_streams (self, NULL, left);
}

static void
measure (View *self, const VtToolMonitorModel *model)
{
  unsigned int width = self->look->width;

  for (unsigned int i = 0; i < model->tunnels->len; i++)
    {
      const VtToolTunnel *tunnel = model->tunnels->pdata[i];
      g_autofree char *state = describe_state (tunnel, self->now);
      unsigned int name = vt_tool_look_measure (self->look, vt_tool_tunnel_get_title (tunnel));

      self->name = MAX (self->name, name);
      self->state = MAX (self->state, vt_tool_look_measure (self->look, state));
    }
  self->name = MIN (self->name, MAX (width / 4, 8));
  self->state = MIN (self->state, MAX (width / 4, 12));
  if (width >= WIDTH_OF_GRAPHS)
    self->graph = CLAMP ((width - 2 * (FLOW + GAP)) / 3, 8, VT_TOOL_MAX_RATES);
}

static void
add_emptiness (View *self, const VtToolMonitorModel *model)
{
  g_autofree char *text = NULL;

  if (model->note != NULL)
    return;
  if (model->name != NULL)
    text = g_strdup_printf (_ ("There is no tunnel “%s”"), model->name);
  else
    text = g_strdup (_ ("There are no tunnels yet"));
  add_text (self, 0, VT_TOOL_STYLE_PLAIN, text);
  if (model->name == NULL)
    add_text (self, 0, VT_TOOL_STYLE_DIM,
              "vtunnel-tool add NAME --server URL --forward 9000=localhost:3000");
}

GPtrArray *
vt_tool_monitor_view_list (const VtToolMonitorModel *model, const VtToolLook *look)
{
  GPtrArray *lines = g_ptr_array_new_with_free_func (g_free);
  View self = {
    .look = look, .lines = lines, .now = model->now, .max_streams = model->max_streams
  };

  measure (&self, model);
  if (model->tunnels->len == 0)
    add_emptiness (&self, model);
  for (unsigned int i = 0; i < model->tunnels->len; i++)
    {
      if (i > 0)
        add_text (&self, 0, VT_TOOL_STYLE_PLAIN, "");
      add_all_of_tunnel (&self, model->tunnels->pdata[i]);
    }
  return lines;
}
