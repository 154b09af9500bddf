/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <gio/gio.h>

/* The whole of a file that holds what others must not see: FALSE with VT_ERROR, if others than its
 * owner may read or change it, if its owner is neither this user nor root, or if it is longer than
 * `max` bytes. What is root's may be readable by its group. `data` has a NUL behind it. */
gboolean vt_access_reader_read (const char *path, size_t max, char **data, size_t *length,
                                GError **error);
