/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <gio/gio.h>

/* A port of 127.0.0.1 that is free, and stays so until the test takes it: it is below those that
 * Linux gives to who asks for any, to connect from or to listen at. Other tests do so without
 * pause, and each of them leaves its port taken for a minute. */
static inline guint16
find_free_port (void)
{
  g_autoptr(GSocket) probe =
      g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, NULL);

  for (int tries = 0; tries < 1000; tries++)
    {
      guint16 port = (guint16) g_random_int_range (22000, 32768);
      g_autoptr(GSocketAddress) address =
          g_inet_socket_address_new_from_string ("127.0.0.1", port);

      if (g_socket_bind (probe, address, FALSE, NULL))
        return port;
    }
  g_error ("No port is free");
}
