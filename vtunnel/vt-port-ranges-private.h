/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <gio/gio.h>

/* A set of TCP ports, written "80,443,8000-8999". */
typedef struct _VtPortRanges VtPortRanges;

/* NULL with VT_ERROR_INVALID_ARGUMENT for what is not written exactly so: ports from 1 to 65535, no
 * spaces, no range from high to low. */
VtPortRanges *vt_port_ranges_parse (const char *text, GError **error);
void          vt_port_ranges_free (VtPortRanges *self);

gboolean    vt_port_ranges_contain (VtPortRanges *self, guint16 port);
const char *vt_port_ranges_get_text (VtPortRanges *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtPortRanges, vt_port_ranges_free)
