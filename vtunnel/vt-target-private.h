/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <vtunnel/vt-target.h>

/* The target `offset` ports further on, for ranges. Only TCP and TLS; NULL past 65535. */
VtTarget *vt_target_shift (VtTarget *self, unsigned int offset);

/* What to connect to. A new object. */
GSocketConnectable *vt_target_get_connectable (VtTarget *self);
