/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vt-access-entry-private.h"

/* The text of an access file, a group of a key file for each client. Pure functions. */

/* More than a thousand clients need; no other file is read by mistake. */
#define VT_ACCESS_FILE_MAX (4 * 1024 * 1024)

/* Entries by their names. NULL with VT_ERROR_INVALID_ARGUMENT for anything that is not understood:
 * what is misspelt must not grant more. */
GHashTable *vt_access_file_parse (const char *data, size_t length, GError **error);
