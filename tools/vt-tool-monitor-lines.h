/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vt-tool-cells.h"
#include "vt-tool-session-tunnel.h"

/* What the monitor says where there is no screen: a line for each thing that has changed. */
typedef struct _VtToolLines VtToolLines;

VtToolLines *vt_tool_lines_new (const VtToolLook *look);
void         vt_tool_lines_free (VtToolLines *self);

/* What is new since the last call, as lines that are ended; new, and empty if it is nothing.
 * `tunnels` is of VtToolTunnel; `note` says why there are none, NULL if all is well. `now` is of
 * the real-time clock. */
char *vt_tool_lines_update (VtToolLines     *self,
                            const GPtrArray *tunnels,
                            const char      *note,
                            gint64           now);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtToolLines, vt_tool_lines_free)
