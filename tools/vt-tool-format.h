/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <glib.h>

/* Numbers and words of the session service as people read them; all results are new. */

/* "999 B", "1.2 kB", "12 MB": never more than 6 columns, in units of 1000. */
char *vt_tool_format_bytes (guint64 bytes);
/* "1.2 kB/s": never more than 8 columns. */
char *vt_tool_format_rate (guint64 bytes_per_second);
/* "12 s", "3 min", "2 h", "5 d"; a time that has not come is "0 s". */
char *vt_tool_format_age (gint64 microseconds);
/* "4 ms"; NULL while it is not known (less than 0). */
char *vt_tool_format_round_trip (gint64 microseconds);
/* Microseconds of the real-time clock, as 2026-11-24T18:54:13Z. */
char *vt_tool_format_time (gint64 real_time);
/* The same for people, in their time zone; NULL for 0. */
char *vt_tool_format_local_time (gint64 real_time);

/* A tunnel's or a forward's State, translated. A word that is not known stays as it is. */
const char *vt_tool_format_state (const char *state);

/* The last part of a D-Bus error's name, written as the words of docs/protocol.md:
 * "….Error.NotAuthorised" is "not-authorised". */
char *vt_tool_format_code (const char *error_name);
