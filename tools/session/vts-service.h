/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vts-manager.h"

/* The process: its name on the bus, when it ends, and how.
 *
 * It owns the name when all is exported. With nothing to keep for a while it gives the name back,
 * and stays a moment for calls that were on their way to it; one that comes then takes the name
 * again before it is served. So that it can, a process that is started meanwhile waits for its
 * turn.
 *
 * A service manager that started it ends it as soon as the name is given back. There it serves what
 * came before, but for what would need it any longer, and the manager starts the next one when this
 * one is gone. */
#define VTS_TYPE_SERVICE (vts_service_get_type ())
G_DECLARE_FINAL_TYPE (VtsService, vts_service, VTS, SERVICE, GObject)

typedef struct {
  gboolean     has_keyring;
  gboolean     is_managed; /* by a service manager that watches the name */
  unsigned int idle;       /* milliseconds with nothing to keep, until it gives the name back */
  unsigned int linger;     /* … and that calls may be on their way which were sent before */
} VtsServiceOptions;

/* The manager is empty yet. */
VtsService *vts_service_new (GDBusConnection         *connection,
                             VtsManager              *manager,
                             const VtsServiceOptions *options);

/* Loads the tunnels, when it is this process's turn, and serves until it is time to end, or a
 * signal says so. FALSE if somebody else serves. */
gboolean vts_service_run (VtsService *self);
