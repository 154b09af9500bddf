/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <glib.h>

/* What somebody asks for by a key of a terminal. */
typedef enum {
  VT_TOOL_KEY_NONE, /* nothing, or not all of a key yet */
  VT_TOOL_KEY_QUIT,
  VT_TOOL_KEY_UP,
  VT_TOOL_KEY_DOWN,
  VT_TOOL_KEY_PAGE_UP,
  VT_TOOL_KEY_PAGE_DOWN,
  VT_TOOL_KEY_HOME,
  VT_TOOL_KEY_END,
} VtToolKey;

/* Where in a key's sequence of bytes it is; begins as all zero. */
typedef struct {
  int          state;
  unsigned int number; /* the sequence's parameter */
} VtToolKeys;

/* The next byte that the terminal sends. */
VtToolKey vt_tool_keys_read (VtToolKeys *self, char byte);
