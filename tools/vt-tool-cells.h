/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <glib.h>

/* What a terminal, or whatever else reads standard output, can show. */
typedef struct {
  unsigned int width; /* columns; 0: no limit */
  gboolean     utf8;
  gboolean     colour;
} VtToolLook;

typedef enum {
  VT_TOOL_STYLE_PLAIN,
  VT_TOOL_STYLE_BOLD,
  VT_TOOL_STYLE_DIM,
  VT_TOOL_STYLE_GOOD,
  VT_TOOL_STYLE_WAITING,
  VT_TOOL_STYLE_BAD,
} VtToolStyle;

/* One line that is being written, column by column. Whatever is put there is cleaned first
 * (vt-tool-text.h), and nothing gets beyond the width. */
typedef struct {
  const VtToolLook *look; /* not owned */
  GString          *line; /* owned */
  unsigned int      used; /* columns */
} VtToolCells;

void  vt_tool_cells_begin (VtToolCells *self, const VtToolLook *look);
/* The line, without spaces at its end. */
char *vt_tool_cells_end (VtToolCells *self);

/* Columns that are left; G_MAXUINT without a limit. */
unsigned int vt_tool_cells_room (const VtToolCells *self);
void         vt_tool_cells_put (VtToolCells *self, VtToolStyle style, const char *text);
void         vt_tool_cells_space (VtToolCells *self, unsigned int columns);
/* In a field of this width, cut or filled up. */
void vt_tool_cells_field (VtToolCells *self, VtToolStyle style, const char *text, int width);
/* The same, to the right of the field. */
void vt_tool_cells_number (VtToolCells *self, VtToolStyle style, const char *text, int width);

/* Columns that a text takes once it was put. */
unsigned int vt_tool_look_measure (const VtToolLook *look, const char *text);
