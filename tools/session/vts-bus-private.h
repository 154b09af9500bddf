/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vts-bus.h"

/* For the objects of the tunnels. */

/* Whether the call may go on; if not, it is answered. Each handler asks before it does anything: a
 * handler of g-authorize-method would run in a thread. `needs_service` as of VtsBusGate. */
gboolean vts_bus_admit (VtsBus *self, GDBusMethodInvocation *invocation, gboolean needs_service);

/* Around what is answered later; they keep the bus alive. */
void vts_bus_begin_call (VtsBus *self);
void vts_bus_end_call (VtsBus *self);
