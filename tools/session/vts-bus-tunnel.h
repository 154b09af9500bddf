/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vts-bus-private.h"
#include "vtunnel-session/vtunnel-session.h"

/* One tunnel as an object on the bus. */
typedef struct _VtsBusTunnel VtsBusTunnel;

/* `bus` must outlive it. */
VtsBusTunnel *vts_bus_tunnel_new (VtsBus *bus, VtsManager *manager, VtsTunnel *tunnel);
void          vts_bus_tunnel_free (VtsBusTunnel *self);

VtunnelSessionObjectSkeleton *vts_bus_tunnel_get_object (VtsBusTunnel *self);

/* The path of a tunnel's object; new. */
char *vts_bus_tunnel_make_path (VtsTunnel *tunnel);
