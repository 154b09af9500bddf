/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <gio/gio.h>

#include "vt-codec-binary-private.h"

/* Addresses as they travel in OPEN, and as GIO knows them. What is not IPv4 or IPv6 is not known
 * on the wire. */
void vt_mux_address_set (VtBinaryAddress *self, GSocketAddress *address); /* NULL: not known */
/* A new one; NULL if it is not known. */
GSocketAddress *vt_mux_address_to_gio (const VtBinaryAddress *self);
