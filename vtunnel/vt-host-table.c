/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-host-table-private.h"

#include <string.h>

struct _VtHostTable {
  GHashTable *owners; /* owned, from owned pattern to owner */
};

VtHostTable *
vt_host_table_new (void)
{
  VtHostTable *self = g_new0 (VtHostTable, 1);

  self->owners = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  return self;
}

void
vt_host_table_free (VtHostTable *self)
{
  g_hash_table_unref (self->owners);
  g_free (self);
}

const char *
vt_host_table_claim (VtHostTable *self, const char *const *patterns, void *owner)
{
  for (size_t i = 0; patterns[i] != NULL; i++)
    if (g_hash_table_contains (self->owners, patterns[i]))
      return patterns[i];
  for (size_t i = 0; patterns[i] != NULL; i++)
    g_hash_table_insert (self->owners, g_strdup (patterns[i]), owner);
  return NULL;
}

void
vt_host_table_release (VtHostTable *self, const char *const *patterns, void *owner)
{
  for (size_t i = 0; patterns[i] != NULL; i++)
    if (g_hash_table_lookup (self->owners, patterns[i]) == owner)
      g_hash_table_remove (self->owners, patterns[i]);
}

void *
vt_host_table_get_owner (VtHostTable *self, const char *pattern)
{
  return g_hash_table_lookup (self->owners, pattern);
}

/* From the nearest wildcard upwards; there are at most as many as a name has labels. */
static void *
find_wildcard (VtHostTable *self, const char *name)
{
  char pattern[256] = "*";

  for (const char *rest = strchr (name, '.'); rest != NULL; rest = strchr (rest + 1, '.'))
    {
      void *owner;

      if (g_strlcpy (pattern + 1, rest, sizeof pattern - 1) >= sizeof pattern - 1)
        continue;
      owner = g_hash_table_lookup (self->owners, pattern);
      if (owner != NULL)
        return owner;
    }
  return NULL;
}

void *
vt_host_table_find (VtHostTable *self, const char *name)
{
  void *owner = g_hash_table_lookup (self->owners, name);

  return owner != NULL ? owner : find_wildcard (self, name);
}
