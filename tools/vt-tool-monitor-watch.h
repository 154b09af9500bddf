/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vt-tool-session-bus.h"

/* Follows the session service, whether it is there or not, and what it says of its tunnels. Starts
 * it once, at first. A service that hangs holds nothing up here. */
typedef struct _VtToolWatch VtToolWatch;

/* Something is new: of the list, of a tunnel, or of the service. Not called from within new. */
typedef void (*VtToolWatchFunc) (void *user_data);

/* `name` NULL: all tunnels. `interval` is how often statistics are asked for, in milliseconds. */
VtToolWatch *vt_tool_watch_new (GDBusConnection *bus,
                                const char      *name,
                                unsigned int     interval,
                                VtToolWatchFunc  changed,
                                void            *user_data);
void         vt_tool_watch_free (VtToolWatch *self);

/* Of VtToolTunnel, in order; good until the next call of `changed`. */
const GPtrArray *vt_tool_watch_get_tunnels (VtToolWatch *self);
/* Whether the tunnels are what the service says: not while it is away, or does not answer. */
gboolean         vt_tool_watch_is_ready (VtToolWatch *self);
/* Whether what there is to be said now is not only on its way to something else: FALSE while the
 * service is being started, or asked for its tunnels for the first time. */
gboolean         vt_tool_watch_is_settled (VtToolWatch *self);
/* Why there is nothing to be seen, translated; NULL if all is well. */
const char      *vt_tool_watch_get_note (VtToolWatch *self);
