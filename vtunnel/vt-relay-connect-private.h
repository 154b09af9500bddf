/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <vtunnel/vt-target.h>

/* One attempt to connect to a target that nobody needs to be asked for: an IP address, "localhost",
 * a Unix socket. It takes a fraction of what GSocketClient takes, and leaves no objects behind. */
typedef struct _VtRelayConnect VtRelayConnect;

/* Once; the attempt is to be freed in it or later. `fd` is a connected, non-blocking, close-on-exec
 * socket that now belongs to the callee, or -1 with `error`, which is of G_IO_ERROR. */
typedef void (*VtRelayConnectFunc) (int fd, const GError *error, void *user_data);

/* NULL if it is a target for GIO: a name that has to be looked up, an address with a scope. TLS is
 * not looked at here. */
VtRelayConnect *vt_relay_connect_new (VtTarget          *target,
                                      VtRelayConnectFunc func,
                                      void              *user_data);
/* The function may be called at once. There is no timeout. */
void vt_relay_connect_start (VtRelayConnect *self);
void vt_relay_connect_free (VtRelayConnect *self);
