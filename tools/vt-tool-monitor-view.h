/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vt-tool-cells.h"
#include "vt-tool-session-tunnel.h"

/* What the monitor shows, as lines: from a model and a size, and from nothing else. */
typedef struct {
  GPtrArray  *tunnels;     /* not owned, of VtToolTunnel, in their order */
  const char *name;        /* not owned; NULL: all tunnels */
  const char *note;        /* not owned; NULL, or why there is nothing newer to see, translated */
  gint64      now;         /* of the real-time clock */
  unsigned int max_streams; /* of each forward */
} VtToolMonitorModel;

/* Everything there is to see, however many lines that is; new, of owned texts. */
GPtrArray *vt_tool_monitor_view_list (const VtToolMonitorModel *model, const VtToolLook *look);

/* A screen of `height` lines: a head, as much of `body` as there is place for, and a foot that says
 * how to go on. `first` is the first line of `body` that is shown; it is put right if it is too
 * large. New, of owned texts. */
GPtrArray *vt_tool_monitor_view_screen (const VtToolMonitorModel *model,
                                        const VtToolLook         *look,
                                        unsigned int              height,
                                        const GPtrArray          *body,
                                        unsigned int             *first);
