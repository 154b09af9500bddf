/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vts-manager.h"

/* The manager and its tunnels as objects on a bus. What callers may do is decided here. */
#define VTS_TYPE_BUS (vts_bus_get_type ())
G_DECLARE_FINAL_TYPE (VtsBus, vts_bus, VTS, BUS, GObject)

/* Asked before each call: FALSE refuses it, with an error that says to try again. `needs_service`
 * if what the call asks for lasts no longer than the process. */
typedef gboolean (*VtsBusGate) (gboolean needs_service, void *user_data);

/* Exports what there is, and what comes later; the name is not its business. `has_keyring` is what
 * Features says. */
VtsBus *vts_bus_new (VtsManager *manager, gboolean has_keyring, VtsBusGate gate, void *user_data);
void    vts_bus_export (VtsBus *self, GDBusConnection *connection);
void    vts_bus_unexport (VtsBus *self);

/* Whether a call is being served. */
gboolean vts_bus_is_busy (VtsBus *self);
