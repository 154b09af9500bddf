/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <glib.h>

/* Where a port can be opened, as people write it: a literal address, "localhost" (127.0.0.1 and
 * ::1) or "*" (0.0.0.0 and ::). IPv4 and IPv6 are apart. Pure functions. */

/* Whether everything that listens at `address` is among what `place` stands for; for "localhost"
 * that is all of loopback. */
gboolean vt_listen_place_covers (const char *place, const char *address);
/* Whether one port cannot be opened at both. */
gboolean vt_listen_place_overlaps (const char *place, const char *other);
