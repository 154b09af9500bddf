/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-tool-table.h"

#define GAP 2

struct _VtToolTable {
  const VtToolColumn *columns; /* not owned */
  unsigned int n_columns;
  GArray *cells; /* owned, of VtToolCell */
};

static void
cell_clear (void *data)
{
  VtToolCell *cell = data;

  g_free (cell->text);
}

VtToolTable *
vt_tool_table_new (const VtToolColumn *columns, unsigned int n_columns)
{
  VtToolTable *self = g_new0 (VtToolTable, 1);

  self->columns = columns;
  self->n_columns = n_columns;
  self->cells = g_array_new (FALSE, FALSE, sizeof (VtToolCell));
  g_array_set_clear_func (self->cells, cell_clear);
  return self;
}

void
vt_tool_table_free (VtToolTable *self)
{
  g_array_unref (self->cells);
  g_free (self);
}

void
vt_tool_table_add (VtToolTable *self, VtToolStyle style, char *text)
{
  VtToolCell cell = { .text = text, .style = style };

  g_array_append_val (self->cells, cell);
}

static void
measure (VtToolTable *self, const VtToolLook *look, unsigned int *widths)
{
  for (unsigned int column = 0; column < self->n_columns; column++)
    widths[column] = vt_tool_look_measure (look, self->columns[column].title);
  for (unsigned int i = 0; i < self->cells->len; i++)
    {
      const VtToolCell *cell = &g_array_index (self->cells, VtToolCell, i);
      unsigned int width = vt_tool_look_measure (look, cell->text);

      widths[i % self->n_columns] = MAX (widths[i % self->n_columns], width);
    }
}

/* By one, where there is most to spare. */
static gboolean
narrow (VtToolTable *self, unsigned int *widths)
{
  unsigned int widest = self->n_columns;

  for (unsigned int i = 0; i < self->n_columns; i++)
    {
      unsigned int min = self->columns[i].min_width;

      if (min > 0 && widths[i] > min && (widest == self->n_columns || widths[i] > widths[widest]))
        widest = i;
    }
  if (widest == self->n_columns)
    return FALSE;
  widths[widest]--;
  return TRUE;
}

static unsigned int
get_total (VtToolTable *self, const unsigned int *widths)
{
  unsigned int total = GAP * (self->n_columns - 1);

  for (unsigned int i = 0; i < self->n_columns; i++)
    total += widths[i];
  return total;
}

static void
put (VtToolTable *self,
     VtToolCells *cells,
     unsigned int column,
     unsigned int width,
     VtToolStyle style,
     const char *text)
{
  if (column > 0)
    vt_tool_cells_space (cells, GAP);
  if (self->columns[column].is_number)
    vt_tool_cells_number (cells, style, text, (int) width);
  else
    vt_tool_cells_field (cells, style, text, (int) width);
}

char *
vt_tool_table_layout (VtToolTable *self, const VtToolLook *look)
{
  g_autofree unsigned int *widths = g_new0 (unsigned int, self->n_columns);
  g_autoptr(GString) lines = g_string_new (NULL);
  unsigned int n_rows = self->cells->len / self->n_columns;

  if (n_rows == 0)
    return g_strdup ("");
  measure (self, look, widths);
  while (look->width > 0 && get_total (self, widths) > look->width && narrow (self, widths))
    ;
  for (unsigned int row = 0; row <= n_rows; row++)
    {
      g_autofree char *line = NULL;
      VtToolCells cells;

      vt_tool_cells_begin (&cells, look);
      for (unsigned int i = 0; i < self->n_columns; i++)
        {
          const VtToolCell *cell =
              &g_array_index (self->cells, VtToolCell, (MAX (row, 1) - 1) * self->n_columns + i);

          if (row == 0)
            put (self, &cells, i, widths[i], VT_TOOL_STYLE_DIM, self->columns[i].title);
          else
            put (self, &cells, i, widths[i], cell->style, cell->text);
        }
      line = vt_tool_cells_end (&cells);
      g_string_append_printf (lines, "%s\n", line);
    }
  return g_string_free (g_steal_pointer (&lines), FALSE);
}
