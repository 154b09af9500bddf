/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-inet-place-private.h"

#include <string.h>

VtInetPlace
vt_inet_place_of (GInetAddress *address)
{
  const uint8_t *bytes = g_inet_address_to_bytes (address);
  VtInetPlace place = { 0 };

  place.family = g_inet_address_get_family (address) == G_SOCKET_FAMILY_IPV4 ? 4 : 6;
  memcpy (place.bytes, bytes, place.family == 4 ? 4 : sizeof place.bytes);
  return place;
}

gboolean
vt_inet_place_equal (const VtInetPlace *one, const VtInetPlace *other)
{
  return memcmp (one, other, sizeof *one) == 0;
}
