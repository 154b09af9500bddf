/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <glib.h>

/* What stays inside this machine. Pure: nothing is looked up. */

/* An address to listen on: "localhost", 127.0.0.0/8, "::1". */
gboolean vt_loopback_is_address (const char *address);

/* The value of a Host header: "localhost", a name below it, or a loopback address, with or
 * without a port. FALSE for whatever is not written properly. */
gboolean vt_loopback_is_host (const char *host);
