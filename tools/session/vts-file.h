/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <gio/gio.h>

/* Files that hold what is the user's alone. Errors are of G_FILE_ERROR, and their messages hold no
 * contents. */

/* Reads a file that may have been put there by anybody: it has to be a regular one, the user's own,
 * no symbolic link, and of at most `max` bytes. The result has a NUL behind it. */
gboolean vts_file_read (const char *path,
                        size_t       max,
                        char       **contents,
                        size_t      *length,
                        GError     **error);

/* Writes it whole and durably, or not at all; readable by the user alone, whatever the umask. Makes
 * its folder, for the user alone, if need be. */
gboolean vts_file_write (const char *path, const char *contents, size_t length, GError **error);

/* A file that is not there is removed. */
gboolean vts_file_remove (const char *path, GError **error);
