/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vts-store.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n.h>
#include <stdio.h>
#include <string.h>

#include "vts-file.h"
#include "vts-id.h"
#include "vts-keys.h"
#include "vt-text-private.h"

#define SUFFIX ".tunnel"
#define MAX_FILE (256 * 1024)
#define MAX_ASIDE 1000

struct _VtsStore {
  char *folder; /* owned */
};

void
vts_stored_free (VtsStored *self)
{
  g_free (self->id);
  vts_settings_free (self->settings);
  g_free (self);
}

static void
free_stored (void *stored)
{
  vts_stored_free (stored);
}

VtsStore *
vts_store_new (const char *folder)
{
  VtsStore *self = g_new0 (VtsStore, 1);

  self->folder = g_strdup (folder);
  return self;
}

void
vts_store_free (VtsStore *self)
{
  g_free (self->folder);
  g_free (self);
}

static char *
get_path (VtsStore *self, const char *id)
{
  g_autofree char *name = g_strconcat (id, SUFFIX, NULL);

  return g_build_filename (self->folder, name, NULL);
}

/* Renames it to a name that is free, and that is not looked at any more. */
static gboolean
rename_aside (const char *path, char **aside)
{
  for (unsigned int i = 1; i <= MAX_ASIDE; i++)
    {
      g_autofree char *name = g_strdup_printf ("%s.damaged-%u", path, i);

      if (renameat2 (AT_FDCWD, path, AT_FDCWD, name, RENAME_NOREPLACE) == 0)
        {
          *aside = g_steal_pointer (&name);
          return TRUE;
        }
      if (errno != EEXIST)
        return FALSE;
    }
  return FALSE;
}

static void
set_aside (const char *path, const GError *reason)
{
  g_autofree char *aside = NULL;
  gboolean renamed = rename_aside (path, &aside);
  g_autofree char *old = vt_text_escape (path, -1);
  g_autofree char *new = vt_text_escape (aside, -1);
  g_autofree char *why = vt_text_escape (reason->message, -1);

  if (renamed)
    g_message (_ ("The tunnel in %s is left out (%s); the file is now %s"), old, why, new);
  else
    g_message (_ ("The tunnel in %s is left out: %s"), old, why);
}

static VtsSettings *
read_settings (const char *path, const char *id, GError **error)
{
  g_autofree char *contents = NULL;
  size_t length = 0;

  if (!vts_id_is_valid (id))
    {
      g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
                           _ ("a tunnel's file is named by lower-case letters, digits and _"));
      return NULL;
    }
  if (!vts_file_read (path, MAX_FILE, &contents, &length, error))
    return NULL;
  return vts_keys_parse (contents, length, error);
}

static VtsStored *
load_file (VtsStore *self, const char *name)
{
  g_autofree char *path = g_build_filename (self->folder, name, NULL);
  g_autofree char *id = g_strndup (name, strlen (name) - strlen (SUFFIX));
  g_autoptr(GError) error = NULL;
  VtsSettings *settings = read_settings (path, id, &error);
  VtsStored *stored = NULL;

  if (settings == NULL)
    {
      set_aside (path, error);
      return NULL;
    }
  stored = g_new0 (VtsStored, 1);
  stored->id = g_steal_pointer (&id);
  stored->settings = settings;
  return stored;
}

static int
compare_names (const void *a, const void *b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

static GPtrArray *
list_names (VtsStore *self)
{
  g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  g_autoptr(GDir) folder = g_dir_open (self->folder, 0, NULL);
  const char *name = NULL;

  while (folder != NULL && (name = g_dir_read_name (folder)) != NULL)
    if (g_str_has_suffix (name, SUFFIX))
      g_ptr_array_add (names, g_strdup (name));
  g_ptr_array_sort (names, compare_names);
  return g_steal_pointer (&names);
}

GPtrArray *
vts_store_load (VtsStore *self, unsigned int max)
{
  g_autoptr(GPtrArray) names = list_names (self);
  GPtrArray *all = g_ptr_array_new_with_free_func (free_stored);

  for (unsigned int i = 0; i < names->len; i++)
    {
      VtsStored *stored = NULL;

      if (all->len == max)
        {
          g_message (_ ("There are more tunnels than %u; the others are left out"), max);
          break;
        }
      stored = load_file (self, names->pdata[i]);
      if (stored != NULL)
        g_ptr_array_add (all, stored);
    }
  return all;
}

gboolean
vts_store_save (VtsStore *self, const char *id, const VtsSettings *settings, GError **error)
{
  g_autofree char *path = get_path (self, id);
  g_autofree char *contents = vts_keys_format (settings);

  return vts_file_write (path, contents, strlen (contents), error);
}

gboolean
vts_store_remove (VtsStore *self, const char *id, GError **error)
{
  g_autofree char *path = get_path (self, id);

  return vts_file_remove (path, error);
}
