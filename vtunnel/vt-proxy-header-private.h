/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <gio/gio.h>

/* The header of the PROXY protocol (HAProxy's proxy-protocol.txt), version 1 or 2. Unknown
 * addresses (NULL, or of two families) give UNKNOWN in version 1 and UNSPEC in version 2. Pure. */
GBytes *vt_proxy_header_new (unsigned int    version,
                             GSocketAddress *source,
                             GSocketAddress *destination);

/* Of a connection that is nobody's: LOCAL in version 2, and UNKNOWN in version 1. */
GBytes *vt_proxy_header_new_local (unsigned int version);
