/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"

/* Runs a fuzz target on files, as libFuzzer would: the committed corpora are tests of every build.
 * Usage: PROGRAM FOLDER-OR-FILE… */

static void
add_paths (GPtrArray *paths, const char *path)
{
  g_autoptr(GDir) folder = g_dir_open (path, 0, NULL);
  const char *name;

  if (folder == NULL)
    {
      g_ptr_array_add (paths, g_strdup (path));
      return;
    }
  while ((name = g_dir_read_name (folder)) != NULL)
    g_ptr_array_add (paths, g_build_filename (path, name, NULL));
}

static int
compare (const void *a, const void *b)
{
  return g_strcmp0 (*(const char *const *) a, *(const char *const *) b);
}

static gboolean
replay (const char *path)
{
  g_autofree char *data = NULL;
  g_autofree uint8_t *exact = NULL;
  g_autoptr(GError) error = NULL;
  size_t size;

  if (!g_file_get_contents (path, &data, &size, &error))
    {
      printf ("# %s\n", error->message);
      return FALSE;
    }
  /* GLib puts a zero behind what it reads. */
  exact = g_memdup2 (data, size);
  LLVMFuzzerTestOneInput (exact != NULL ? exact : (const uint8_t *) "", size);
  return TRUE;
}

int
main (int argc, char **argv)
{
  g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func (g_free);
  unsigned int n_failed = 0;

  LLVMFuzzerInitialize (&argc, &argv);
  for (int i = 1; i < argc; i++)
    add_paths (paths, argv[i]);
  g_ptr_array_sort (paths, compare);
  printf ("1..%u\n", MAX (paths->len, 1));
  if (paths->len == 0)
    printf ("not ok 1 - there is nothing to replay\n");
  for (unsigned int i = 0; i < paths->len; i++)
    {
      gboolean good;

      /* One that ends the program is to be seen. */
      printf ("# %s\n", (char *) paths->pdata[i]);
      fflush (stdout);
      good = replay (paths->pdata[i]);
      printf ("%s %u - %s\n", good ? "ok" : "not ok", i + 1, (char *) paths->pdata[i]);
      n_failed += !good;
    }
  return paths->len == 0 || n_failed > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
