/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <glib.h>

/* A graph in one line of `width` characters, the newest value to the right; new. The highest value
 * is as high as a character is, 0 is a line at the bottom, and all that is more than that is to be
 * seen. What there is no value for yet is space. */
char *vt_tool_graph_draw (const guint64 *values, unsigned int n, unsigned int width, gboolean utf8);
