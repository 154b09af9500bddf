/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-trunk-struct-private.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

/* With the port 0, which is free whatever else is: the same place of both families. */
static gboolean
to_native (GSocketAddress *address, struct sockaddr_storage *native)
{
  G_STATIC_ASSERT (offsetof (struct sockaddr_in, sin_port)
                   == offsetof (struct sockaddr_in6, sin6_port));

  if (!G_IS_INET_SOCKET_ADDRESS (address)
      || !g_socket_address_to_native (address, native, sizeof *native, NULL))
    return FALSE;
  ((struct sockaddr_in *) native)->sin_port = 0;
  return TRUE;
}

/* Only the kernel knows all of its addresses, those that no interface names included. */
static gboolean
is_gone (GSocketAddress *address)
{
  struct sockaddr_storage native = { 0 };
  socklen_t size;
  gboolean gone;
  int fd;

  if (address == NULL || !to_native (address, &native))
    return FALSE;
  fd = socket (native.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return FALSE;
  size = (socklen_t) g_socket_address_get_native_size (address);
  gone = bind (fd, (struct sockaddr *) &native, size) < 0 && errno == EADDRNOTAVAIL;
  close (fd);
  return gone;
}

void
vt_trunk_probe (VtTrunk *self, gint64 patience)
{
  g_autoptr(GSocketAddress) address = NULL;

  if (self->mux == NULL || self->link == NULL || self->closing)
    return;

  address = vt_link_dup_local_address (self->link);
  if (is_gone (address))
    {
      vt_timer_start (self->lost, 0);
      return;
    }
  vt_mux_probe (self->mux, patience);
  if (self->replay == NULL)
    {
      self->probing = TRUE;
      vt_link_set_ping_interval (self->link, 1);
    }
}
