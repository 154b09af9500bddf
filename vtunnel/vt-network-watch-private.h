/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <gio/gio.h>

#include "vt-clock-private.h"
#include "vt-sleep-watch-private.h"

/* Tells when it is worth trying again at once: the network has changed and is available, or the
 * machine has slept. What comes within 100 ms is told once, at their end, and not at all if the
 * network is gone again by then. That it is gone is never told: whoever tries finds out.
 *
 * A change that is told need not be one. GLib tells of each route that the kernel speaks of, and
 * once more a second later, when it has read them all anew. */
typedef struct _VtNetworkWatch VtNetworkWatch;

typedef void (*VtNetworkWatchFunc) (void *user_data);

/* `func` is called in a dispatch of the context that is thread-default now, which is the clock's,
 * and may free the watch.
 *
 * `monitor` is nullable: the default one, which is made the first time that anybody in the process
 * asks for it, and then stays. It is made in this context, and only once those that it waits for
 * have answered somebody else (vt-network-monitor-private.h): then it takes milliseconds. Until
 * then, and where nobody runs any more the context that was thread-default when it was made, only
 * sleep is told of. */
VtNetworkWatch *vt_network_watch_new (GNetworkMonitor    *monitor,
                                      VtClock            *clock,
                                      VtNetworkWatchFunc  func,
                                      void               *user_data);
/* The same, and `clock` says each 10 seconds when to ask `get_offset` whether the machine slept. */
VtNetworkWatch *vt_network_watch_new_full (GNetworkMonitor        *monitor,
                                           VtClock                *clock,
                                           VtSleepWatchOffsetFunc  get_offset,
                                           VtNetworkWatchFunc      func,
                                           void                   *user_data);
void vt_network_watch_free (VtNetworkWatch *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtNetworkWatch, vt_network_watch_free)
