/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vt-tool-events.h"

/* Tells what happens on a server, in events and log lines: its clients, their ports, and the
 * connections to them. */
typedef struct _VtToolSessions VtToolSessions;

VtToolSessions *vt_tool_sessions_new (VtServer *server, VtToolEvents *events);
void            vt_tool_sessions_free (VtToolSessions *self);
