/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <gio/gio.h>

struct ifaddrs;

/* Whether the machine still has this address, on any interface: a connection from one that it has
 * lost is dead. The scope of IPv6 is ignored, and a mapped address is that of IPv4. TRUE for
 * loopback, and for what cannot be found out: NULL, what is no IP address, that of no interface
 * (0.0.0.0), and when the kernel does not say. */
gboolean vt_network_has_address (GSocketAddress *local);
/* The same, when these are the interfaces (NULL: there are none). */
gboolean vt_network_has_address_among (const struct ifaddrs *interfaces, GSocketAddress *local);
