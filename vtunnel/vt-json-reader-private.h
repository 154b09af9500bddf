/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <glib.h>

/* Strict JSON, read in one pass and as the existing programs read it. What a peer of the other
 * generation accepts and refuses is part of the protocol: the grammar to the letter, members in
 * their order (the last of equal keys wins), null that changes nothing, strings that are mended
 * instead of refused. A general parser behind a guard for all that would read everything twice,
 * and protocol v1 carries its data in here. */
typedef struct {
  const char *at;      /* not owned, into the message */
  const char *end;     /* not owned */
  const char *problem; /* static, what made the reading stop */
} VtJsonReader;

typedef struct {
  const char *text; /* not owned, between the quotes */
  size_t      length;
  gboolean    escaped; /* there are backslashes in it */
} VtJsonString;

/* Both note the problem, and give FALSE. The second is for a character that no JSON has here. */
gboolean vt_json_reader_stop (VtJsonReader *self, const char *problem);
gboolean vt_json_reader_stop_syntax (VtJsonReader *self);

/* The next character that is no space, 0 at the end (a NUL is in no JSON). */
char vt_json_reader_peek (VtJsonReader *self);
/* Goes past `c` if it is next; else nothing happens. */
gboolean vt_json_reader_take (VtJsonReader *self, char c);
gboolean vt_json_reader_take_word (VtJsonReader *self, const char *word);

gboolean vt_json_reader_read_string (VtJsonReader *self, VtJsonString *string);
/* Whole numbers from 0 to `max` (less than 2^60), without fraction or exponent. */
gboolean vt_json_reader_read_integer (VtJsonReader *self, guint64 max, guint64 *value);
/* Any value. `depth` is that of what the value stands in, 1 for the outermost object; nothing may
 * be deeper than `max_depth`. */
gboolean vt_json_reader_skip_value (VtJsonReader *self, unsigned int depth, unsigned int max_depth);

/* What a string that was read stands for. May hold NUL bytes, and what UTF-8 it was not before. */
GString *vt_json_string_unescape (const VtJsonString *self);
