/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vt-tool-cells.h"

typedef struct {
  const char  *title;     /* translated */
  unsigned int min_width; /* it is not made narrower; 0: it is never cut */
  gboolean     is_number; /* stands to the right */
} VtToolColumn;

typedef struct {
  char       *text; /* owned */
  VtToolStyle style;
} VtToolCell;

/* A table under titles, for a number of columns: where it does not fit, the widest column that may
 * be cut is made narrower, and so on. What does not fit even so is cut at the right. */
typedef struct _VtToolTable VtToolTable;

VtToolTable *vt_tool_table_new (const VtToolColumn *columns, unsigned int n_columns);
void         vt_tool_table_free (VtToolTable *self);
/* The next cell, from left to right and from top to bottom. Takes `text`. */
void         vt_tool_table_add (VtToolTable *self, VtToolStyle style, char *text);
/* Lines, each ended; new. Without a row there are no lines. */
char        *vt_tool_table_layout (VtToolTable *self, const VtToolLook *look);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtToolTable, vt_tool_table_free)
