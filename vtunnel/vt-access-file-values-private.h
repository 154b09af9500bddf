/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vt-access-entry-private.h"

/* The keys of a group, and what their values mean. */

gboolean vt_access_file_is_key (const char *key);
/* FALSE with VT_ERROR_INVALID_ARGUMENT, which names the group and the key. */
gboolean vt_access_file_read_entry (GKeyFile      *file,
                                    const char    *group,
                                    VtAccessEntry *entry,
                                    GError       **error);
