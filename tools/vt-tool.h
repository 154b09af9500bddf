/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <glib.h>

/* What the command's exit status says (docs/tool.md). */
typedef enum {
  VT_TOOL_DONE = 0,
  VT_TOOL_FAILED = 1,
  VT_TOOL_USAGE = 2,
  VT_TOOL_REFUSED = 3,
  VT_TOOL_NOT_AUTHORISED = 4,
} VtToolStatus;

/* The sub-commands. `argv` begins with the sub-command's name; strings in it may be moved out. */
VtToolStatus vt_tool_server (char **argv);
VtToolStatus vt_tool_client (char **argv);
VtToolStatus vt_tool_demo (char **argv);
