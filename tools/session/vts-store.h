/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vts-settings.h"

/* The persistent tunnels, as files: one each, named by its id. */
typedef struct _VtsStore VtsStore;

typedef struct {
  char        *id;       /* owned */
  VtsSettings *settings; /* owned */
} VtsStored;

void vts_stored_free (VtsStored *self);

/* `folder` need not be there. */
VtsStore *vts_store_new (const char *folder);
void      vts_store_free (VtsStore *self);

/* What is there, of VtsStored, `max` at most, ordered by id. A file that cannot be understood, or
 * should not be, is renamed and told of in the log; so nothing is lost, and nothing stands in the
 * way. */
GPtrArray *vts_store_load (VtsStore *self, unsigned int max);

/* `id` must be valid. Errors are of G_FILE_ERROR. */
gboolean vts_store_save (VtsStore          *self,
                         const char        *id,
                         const VtsSettings *settings,
                         GError           **error);
gboolean vts_store_remove (VtsStore *self, const char *id, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtsStore, vts_store_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtsStored, vts_stored_free)
