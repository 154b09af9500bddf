/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-mux-address-private.h"

#include <string.h>

void
vt_mux_address_set (VtBinaryAddress *self, GSocketAddress *address)
{
  GInetAddress *inet;

  *self = (VtBinaryAddress){ 0 };
  if (address == NULL || !G_IS_INET_SOCKET_ADDRESS (address))
    return;

  inet = g_inet_socket_address_get_address (G_INET_SOCKET_ADDRESS (address));
  self->family = g_inet_address_get_family (inet) == G_SOCKET_FAMILY_IPV6 ? 6 : 4;
  self->port = g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (address));
  memcpy (self->bytes, g_inet_address_to_bytes (inet), g_inet_address_get_native_size (inet));
}

GSocketAddress *
vt_mux_address_to_gio (const VtBinaryAddress *self)
{
  GSocketFamily family = self->family == 6 ? G_SOCKET_FAMILY_IPV6 : G_SOCKET_FAMILY_IPV4;
  g_autoptr(GInetAddress) inet = NULL;

  if (self->family == 0)
    return NULL;
  inet = g_inet_address_new_from_bytes (self->bytes, family);
  return g_inet_socket_address_new (inet, self->port);
}
