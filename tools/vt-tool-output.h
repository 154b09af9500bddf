/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <gio/gio.h>

/* Standard output for a reader of lines. It waits for a slow reader, but not when a signal comes
 * meanwhile; and it sees when the reader goes away, even while there is nothing to write. */
typedef struct _VtToolOutput VtToolOutput;

typedef void (*VtToolBrokenFunc) (int error_number, void *user_data);

/* `broken` is called, once, when nobody can read any more what is written; with EINTR, when a
 * signal came while it waited. Nothing is written after that. */
VtToolOutput *vt_tool_output_new (VtToolBrokenFunc broken, void *user_data);
void          vt_tool_output_free (VtToolOutput *self);

/* Whole lines, or what else belongs together. */
void vt_tool_output_write (VtToolOutput *self, const char *text);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtToolOutput, vt_tool_output_free)
