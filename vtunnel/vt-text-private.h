/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <glib.h>

/* What a peer wrote, fit for a log line or an error message: invalid UTF-8, control characters,
 * double quotes, backslashes and invisible formatting (bidirectional overrides and their kin) are
 * escaped, and no more than 200 characters are given back; "…" stands for what is missing.
 * `length` is in bytes, -1 for NUL-terminated. NULL gives "(none)". */
char *vt_text_escape (const char *text, gssize length);

/* Newly allocated: of `text` (NULL is an empty one) as much as fits into `max` bytes and ends
 * between characters. What is not UTF-8 in it is replaced. */
char *vt_text_fit (const char *text, size_t max);

/* Either may be NULL, which is the same as NULL only. */
gboolean vt_text_is_same_list (char **one, const char *const *other);

/* A port: decimal digits and nothing else, from `min` to 65535. */
gboolean vt_text_read_port (const char *text, guint16 min, guint16 *port);
