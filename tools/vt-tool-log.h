/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <stdio.h>

#include <glib.h>

/* What people read, on standard error: the messages of the tool and of the library, a line each. */
typedef enum {
  VT_TOOL_LOG_QUIET,
  VT_TOOL_LOG_NORMAL,
  VT_TOOL_LOG_VERBOSE,
} VtToolLogLevel;

void vt_tool_log_init (void);
void vt_tool_log_set_level (VtToolLogLevel level);
/* Whether g_info () of the tool is written. */
gboolean vt_tool_log_has_info (void);

/* Whether what is written there may be in colour: on a terminal, and unless NO_COLOR is set. */
gboolean vt_tool_log_wants_colour (int fd);

/* The one line that says why the command fails. It is written at every level. */
void vt_tool_log_error (const char *message);

/* A question, without a line's end. */
void vt_tool_log_prompt (const char *prompt);

/* UTF-8 text in the encoding of the terminal, with the nearest characters it has. */
void vt_tool_print (FILE *stream, const char *text);
