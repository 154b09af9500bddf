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
  VT_TOOL_NO_SUCH_TUNNEL = 5,
} VtToolStatus;

/* The sub-commands. `argv` begins with the sub-command's name; strings in it may be moved out. */
VtToolStatus vt_tool_server (char **argv);
VtToolStatus vt_tool_client (char **argv);
VtToolStatus vt_tool_token (char **argv);
VtToolStatus vt_tool_demo (char **argv);
VtToolStatus vt_tool_add (char **argv);
VtToolStatus vt_tool_list (char **argv);
VtToolStatus vt_tool_show (char **argv);
VtToolStatus vt_tool_open (char **argv);
VtToolStatus vt_tool_close (char **argv);
VtToolStatus vt_tool_remove (char **argv);
VtToolStatus vt_tool_set_token (char **argv);
VtToolStatus vt_tool_monitor (char **argv);
