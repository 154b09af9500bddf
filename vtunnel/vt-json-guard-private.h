/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <glib.h>

/* Commas a message may have. Ours have four; json-glib looks through all members for each that
 * comes twice, and with as many as fit into a message it would be busy for half a minute. */
#define VT_JSON_MAX_COMMAS 256

/* How deep objects and arrays may be nested, unless told otherwise. No message that anybody has a
 * use for has more than two levels. */
#define VT_JSON_MAX_DEPTH 8

/* Stands before json-glib, which is lenient: it takes comments, numbers in octal and hexadecimal,
 * single quotes, "var x = {}", control characters and unknown escapes; loses count in integers of
 * more than 64 bits; ends strings at \u0000; goes astray after half a surrogate pair; and recurses
 * without bound. Only tokens are looked at. What order they may have json-glib knows.
 *
 * NULL if json-glib may see the text, else what is wrong with it (static). */
const char *vt_json_guard_find_problem (const char *text, size_t length, unsigned int max_depth);
