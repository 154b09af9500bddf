/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <gio/gio.h>

#include "vt-clock-private.h"

/* Those who have come to a port that expects the PROXY protocol, until its header has said who they
 * are: exactly that is read of each, and not a byte of what follows. Whoever says something else
 * first, nothing within 5 s, or is the first of 256 that wait when one more comes, is reset. */
typedef struct _VtArrivals VtArrivals;

/* As VtListenerFunc: `fd` now belongs to the callee, who may also free the arrivals. The addresses
 * are what the header says, or those that the connection itself has where the header does not say
 * (a proxy that only asks whether all is well). */
typedef void (*VtArrivalsFunc) (int             fd,
                                GSocketAddress *remote,
                                GSocketAddress *local,
                                void           *user_data);

/* Somebody was reset, and may be counted; nothing else may be done here. */
typedef void (*VtArrivalsRefusedFunc) (void *user_data);

/* Everything happens in the thread-default main context of now, by `clock` (NULL: its own). */
VtArrivals *vt_arrivals_new (VtClock              *clock,
                             VtArrivalsFunc        func,
                             VtArrivalsRefusedFunc refused,
                             void                 *user_data);
/* Resets those who wait, who are not told of. */
void vt_arrivals_free (VtArrivals *self);

/* Takes `fd`, a connected, non-blocking socket; `local` is nullable. The function may be called at
 * once, and free the arrivals. */
void vt_arrivals_add (VtArrivals *self, int fd, GSocketAddress *remote, GSocketAddress *local);

unsigned int vt_arrivals_get_n_waiting (VtArrivals *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtArrivals, vt_arrivals_free)
