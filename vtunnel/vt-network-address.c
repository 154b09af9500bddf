/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-network-address-private.h"

#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

/* GIO gives a socket's own address unmapped; one that somebody wrote down need not be. */
static GInetAddress *
unmap (GInetAddress *address)
{
  static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
  const uint8_t *bytes = g_inet_address_to_bytes (address);

  if (g_inet_address_get_family (address) != G_SOCKET_FAMILY_IPV6
      || memcmp (bytes, mapped, sizeof mapped) != 0)
    return g_object_ref (address);
  return g_inet_address_new_from_bytes (bytes + sizeof mapped, G_SOCKET_FAMILY_IPV4);
}

static gboolean
is_interface_address (const struct sockaddr *native, GInetAddress *address)
{
  const uint8_t *bytes = g_inet_address_to_bytes (address);
  size_t length = g_inet_address_get_native_size (address);
  const void *aligned = native;

  if (native == NULL || native->sa_family != g_inet_address_get_family (address))
    return FALSE;
  if (native->sa_family == AF_INET)
    return memcmp (&((const struct sockaddr_in *) aligned)->sin_addr, bytes, length) == 0;
  return memcmp (&((const struct sockaddr_in6 *) aligned)->sin6_addr, bytes, length) == 0;
}

gboolean
vt_network_has_address_among (const struct ifaddrs *interfaces, GSocketAddress *local)
{
  g_autoptr(GInetAddress) address = NULL;

  if (!G_IS_INET_SOCKET_ADDRESS (local))
    return TRUE;
  address = unmap (g_inet_socket_address_get_address (G_INET_SOCKET_ADDRESS (local)));
  if (g_inet_address_get_is_loopback (address) || g_inet_address_get_is_any (address))
    return TRUE;
  for (const struct ifaddrs *at = interfaces; at != NULL; at = at->ifa_next)
    if (is_interface_address (at->ifa_addr, address))
      return TRUE;
  return FALSE;
}

gboolean
vt_network_has_address (GSocketAddress *local)
{
  struct ifaddrs *interfaces = NULL;
  gboolean found;

  if (getifaddrs (&interfaces) != 0)
    return TRUE;
  found = vt_network_has_address_among (interfaces, local);
  freeifaddrs (interfaces);
  return found;
}
