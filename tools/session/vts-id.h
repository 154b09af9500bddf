/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <glib.h>

/* What names a tunnel for ever: at most 64 lower-case letters, digits and underscores. So it can be
 * a file, an element of an object's path and an attribute of a secret. */
gboolean vts_id_is_valid (const char *id);

/* New, and like no other. */
char *vts_id_new (void);
