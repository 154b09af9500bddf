/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-tool-graph.h"

/* The first stands for nothing, the others for one seventh of the highest value each. */
static const char *const blocks[] = { "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" };
static const char *const letters[] = { "_", ".", ":", "-", "=", "+", "*", "#" };

#define N_STEPS (G_N_ELEMENTS (blocks) - 1)

static unsigned int
get_level (guint64 value, guint64 highest)
{
  if (value == 0)
    return 0;
  return CLAMP ((unsigned int) ((double) value * N_STEPS / (double) highest + 0.5), 1, N_STEPS);
}

char *
vt_tool_graph_draw (const guint64 *values, unsigned int n, unsigned int width, gboolean utf8)
{
  const char *const *signs = utf8 ? blocks : letters;
  unsigned int shown = MIN (n, width);
  GString *graph = g_string_new (NULL);
  guint64 highest = 0;

  for (unsigned int i = n - shown; i < n; i++)
    highest = MAX (highest, values[i]);
  for (unsigned int i = shown; i < width; i++)
    g_string_append_c (graph, ' ');
  for (unsigned int i = n - shown; i < n; i++)
    g_string_append (graph, signs[get_level (values[i], highest)]);
  return g_string_free (graph, FALSE);
}
