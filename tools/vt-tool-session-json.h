/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vt-tool-session-tunnel.h"

/* The tunnel as a line of JSON (docs/tool.md), without the line's end; new. What statistics say is
 * only there if there are some. */
char *vt_tool_session_to_json (const VtToolTunnel *tunnel);
