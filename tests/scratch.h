/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <gio/gio.h>
#include <glib/gstdio.h>

/* A folder of a test's, and all that is in it. Links are not followed. */
static inline void
scratch_remove (const char *path)
{
  g_autoptr(GDir) folder =
      g_file_test (path, G_FILE_TEST_IS_SYMLINK) ? NULL : g_dir_open (path, 0, NULL);
  const char *name = NULL;

  while (folder != NULL && (name = g_dir_read_name (folder)) != NULL)
    {
      g_autofree char *inner = g_build_filename (path, name, NULL);

      scratch_remove (inner);
    }
  g_assert_cmpint (g_remove (path), ==, 0);
}
