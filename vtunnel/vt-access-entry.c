/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-access-entry-private.h"

#include "vt-listen-place-private.h"
#include "vt-loopback-private.h"

#define FIRST_UNPRIVILEGED_PORT 1024

static void
entry_clear (void *data)
{
  VtAccessEntry *self = data;

  g_free (self->name);
  g_array_unref (self->hashes);
  g_strfreev (self->addresses);
  g_clear_pointer (&self->ports, vt_port_ranges_free);
  g_strfreev (self->host_names);
}

VtAccessEntry *
vt_access_entry_new (const char *name)
{
  VtAccessEntry *self = g_rc_box_new0 (VtAccessEntry);

  self->name = g_strdup (name);
  self->hashes = g_array_new (FALSE, FALSE, sizeof (VtAccessHash));
  self->max_sessions = G_MAXUINT;
  self->max_forwards = G_MAXUINT;
  self->max_streams = G_MAXUINT;
  self->expires = G_MAXINT64;
  return self;
}

VtAccessEntry *
vt_access_entry_ref (VtAccessEntry *self)
{
  return g_rc_box_acquire (self);
}

void
vt_access_entry_unref (VtAccessEntry *self)
{
  g_rc_box_release_full (self, entry_clear);
}

const VtAccessHash *
vt_access_entry_find_hash (VtAccessEntry *self, const char *token)
{
  static const VtAccessHash dummy = { { 0 }, { 0 } };
  unsigned int n_hashes = self != NULL ? self->hashes->len : 0;
  const VtAccessHash *found = NULL;

  for (unsigned int i = 0; i < VT_ACCESS_MAX_TOKENS; i++)
    {
      const VtAccessHash *hash =
          i < n_hashes ? &g_array_index (self->hashes, VtAccessHash, i) : &dummy;

      if (vt_access_hash_matches (hash, token) && i < n_hashes)
        found = hash;
    }
  return found;
}

gboolean
vt_access_entry_has_hash (VtAccessEntry *self, const VtAccessHash *hash)
{
  for (unsigned int i = 0; i < self->hashes->len; i++)
    if (vt_access_hash_equal (&g_array_index (self->hashes, VtAccessHash, i), hash))
      return TRUE;
  return FALSE;
}

const char *
vt_access_entry_get_place (VtAccessEntry *self, const char *bind_address)
{
  if (self->addresses != NULL)
    return self->addresses[0];
  return vt_loopback_is_address (bind_address) ? bind_address : "localhost";
}

gboolean
vt_access_entry_allows_address (VtAccessEntry *self, const char *address)
{
  if (self->addresses == NULL)
    return vt_loopback_is_address (address);
  for (char **place = self->addresses; *place != NULL; place++)
    if (vt_listen_place_covers (*place, address))
      return TRUE;
  return FALSE;
}

gboolean
vt_access_entry_allows_port (VtAccessEntry *self, VtPortRanges *others, guint16 port)
{
  if (self->ports != NULL)
    return vt_port_ranges_contain (self->ports, port);
  return port == 0 || (port >= FIRST_UNPRIVILEGED_PORT && vt_port_ranges_contain (others, port));
}
