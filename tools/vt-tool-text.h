/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <glib.h>

/* Text from outside, fit for a terminal: what moves the cursor, is invisible, or makes a line read
 * differently from what it says becomes \u0000, and what is no UTF-8 is replaced. Cleaning twice
 * changes nothing. NULL is an empty text. */
char *vt_tool_text_clean (const char *text);

/* The same in ASCII: the nearest characters, or else "?". */
char *vt_tool_text_to_ascii (const char *text);

/* Columns that clean text takes on a terminal. */
unsigned int vt_tool_text_width (const char *text);

/* How many bytes of clean text, at least one character, go into a line of `width` columns that is
 * broken before a word, if it can be. */
size_t vt_tool_text_break (const char *text, unsigned int width);

/* As much of clean text as fits into `width` columns; where something is missing, `mark` (of one
 * column) stands at the end. */
char *vt_tool_text_fit (const char *text, unsigned int width, const char *mark);
