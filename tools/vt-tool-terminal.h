/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vt-tool-cells.h"

/* The terminal of standard input and output, in one of these ways until it is left, or until the
 * process ends: by return, by exit () or by a signal, which puts back what there was first. A
 * process that is stopped (Ctrl+Z) puts it back, and takes it again when it goes on; then it gets
 * SIGWINCH, to draw anew, or a read of a secret fails with EINTR. There is one terminal: this is
 * for the main thread. */
typedef enum {
  VT_TOOL_TERMINAL_SECRET, /* what is typed is not shown; standard input */
  VT_TOOL_TERMINAL_SCREEN, /* a screen of its own without a cursor, on standard output; keys come
                            * one by one, unseen, if standard input is a terminal */
} VtToolTerminalMode;

gboolean vt_tool_terminal_enter (VtToolTerminalMode mode, GError **error);
void     vt_tool_terminal_leave (void);

/* Whether standard output is a terminal that can place a cursor. */
gboolean vt_tool_terminal_is_screen (void);
/* Of standard output; 80 and 24 where it does not say. */
void vt_tool_terminal_get_size (unsigned int *width, unsigned int *height);

/* For standard output; without a limit where it is no terminal. */
void vt_tool_terminal_get_look (VtToolLook *look);
