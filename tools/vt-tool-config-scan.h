/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vt-tool-config.h"

/* Groups of forwards have a name of their own: "forward web". */
#define VT_TOOL_CONFIG_FORWARD "forward"
#define VT_TOOL_CONFIG_FORWARD_GROUP VT_TOOL_CONFIG_FORWARD " "

/* Looks at the names in the file, line by line: GKeyFile takes the last of two equal keys, puts two
 * equal groups together, and knows nothing of names that nobody asks for. */
void vt_tool_config_scan (const VtToolConfig *config, const char *text, GPtrArray *faults);

/* "FILE, line 3: [server] port: ", and what is wrong, which is translated and freed here. Line 0
 * and no group or key leave these out. */
void vt_tool_config_add_fault (GPtrArray    *faults,
                               const char   *path,
                               unsigned int  line,
                               const char   *group,
                               const char   *key,
                               char         *problem);
