/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vts-tunnel.h"

/* Tells the user, by the desktop's notifications, that a tunnel will not come back by itself.
 * Nobody waits for that, and where there are no notifications nothing happens. The program that a
 * tunnel belongs to tells its user itself. */
void vts_notifier_tell (GDBusConnection *connection, VtsTunnel *tunnel, const GError *error);
