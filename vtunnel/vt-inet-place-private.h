/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <stdint.h>

#include <gio/gio.h>

/* Where an address is, as far as one customer is told from another: of IPv6, what one is usually
 * given (/64) is one place. To be compared, and hashed, byte by byte. */
typedef struct {
  uint8_t family; /* 4 or 6 */
  uint8_t bytes[8];
} VtInetPlace;

VtInetPlace vt_inet_place_of (GInetAddress *address);
gboolean    vt_inet_place_equal (const VtInetPlace *one, const VtInetPlace *other);
