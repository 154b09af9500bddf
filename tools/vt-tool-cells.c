/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-tool-cells.h"

#include "vt-tool-text.h"

static const char *const codes[] = {
  [VT_TOOL_STYLE_PLAIN] = NULL,         [VT_TOOL_STYLE_BOLD] = "\033[1m",
  [VT_TOOL_STYLE_DIM] = "\033[2m",      [VT_TOOL_STYLE_GOOD] = "\033[32m",
  [VT_TOOL_STYLE_WAITING] = "\033[33m", [VT_TOOL_STYLE_BAD] = "\033[1;31m",
};

static char *
prepare (const VtToolLook *look, const char *text)
{
  return look->utf8 ? vt_tool_text_clean (text) : vt_tool_text_to_ascii (text);
}

void
vt_tool_cells_begin (VtToolCells *self, const VtToolLook *look)
{
  self->look = look;
  self->line = g_string_new (NULL);
  self->used = 0;
}

char *
vt_tool_cells_end (VtToolCells *self)
{
  return g_strchomp (g_string_free (g_steal_pointer (&self->line), FALSE));
}

unsigned int
vt_tool_cells_room (const VtToolCells *self)
{
  if (self->look->width == 0)
    return G_MAXUINT;
  return self->look->width - MIN (self->used, self->look->width);
}

/* Of clean text, what is to be seen of it. */
static void
append (VtToolCells *self, VtToolStyle style, const char *text)
{
  const char *code = self->look->colour && text[0] != '\0' ? codes[style] : NULL;

  g_string_append (self->line, code != NULL ? code : "");
  g_string_append (self->line, text);
  g_string_append (self->line, code != NULL ? "\033[0m" : "");
  self->used += vt_tool_text_width (text);
}

static void
put_within (VtToolCells *self,
            VtToolStyle style,
            const char *text,
            unsigned int width,
            gboolean fill,
            gboolean to_the_right)
{
  g_autofree char *prepared = prepare (self->look, text);
  unsigned int room = MIN (width, vt_tool_cells_room (self));
  g_autofree char *fitting = vt_tool_text_fit (prepared, room, self->look->utf8 ? "…" : "~");
  unsigned int missing = fill ? room - vt_tool_text_width (fitting) : 0;

  if (to_the_right)
    vt_tool_cells_space (self, missing);
  append (self, style, fitting);
  if (!to_the_right)
    vt_tool_cells_space (self, missing);
}

void
vt_tool_cells_put (VtToolCells *self, VtToolStyle style, const char *text)
{
  put_within (self, style, text, G_MAXUINT, FALSE, FALSE);
}

void
vt_tool_cells_space (VtToolCells *self, unsigned int columns)
{
  for (columns = MIN (columns, vt_tool_cells_room (self)); columns > 0; columns--)
    {
      g_string_append_c (self->line, ' ');
      self->used++;
    }
}

void
vt_tool_cells_field (VtToolCells *self, VtToolStyle style, const char *text, int width)
{
  put_within (self, style, text, (unsigned int) MAX (width, 0), TRUE, FALSE);
}

void
vt_tool_cells_number (VtToolCells *self, VtToolStyle style, const char *text, int width)
{
  put_within (self, style, text, (unsigned int) MAX (width, 0), TRUE, TRUE);
}

unsigned int
vt_tool_look_measure (const VtToolLook *look, const char *text)
{
  g_autofree char *prepared = prepare (look, text);

  return vt_tool_text_width (prepared);
}
