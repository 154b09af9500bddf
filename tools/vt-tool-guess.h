/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <glib.h>

/* Which of a few words of ASCII was probably meant by a mistyped one. */
typedef struct {
  const char *best;  /* not owned, of the words that were looked at; NULL if none is near */
  size_t      least; /* how far that is */
} VtToolGuess;

#define VT_TOOL_GUESS_NONE ((VtToolGuess){ NULL, 3 })

/* Looks at one more word: begun and not finished, or at most two letters off. */
void vt_tool_guess_look (VtToolGuess *self, const char *typed, const char *word);
