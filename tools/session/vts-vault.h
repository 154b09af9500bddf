/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vts-secrets-memory.h"
#include "vts-settings.h"

/* All the places where tokens can be. Its signal "appeared" says that one may have become
 * available. */
#define VTS_TYPE_VAULT (vts_vault_get_type ())
G_DECLARE_FINAL_TYPE (VtsVault, vts_vault, VTS, VAULT, GObject)

/* `file` and `keyring` are nullable. */
VtsVault *vts_vault_new (VtsSecrets *file, VtsSecrets *keyring);

/* Whether it holds what would go with the process. */
gboolean vts_vault_is_volatile (VtsVault *self);

gboolean vts_vault_has (VtsVault *self, VtsStorage storage);

/* As those of VtsSecrets; a storage that is not there fails with
 * VTUNNEL_SESSION_ERROR_SECRETS_UNAVAILABLE, and so does a lookup that finds nothing. */
void  vts_vault_lookup_async (VtsVault           *self,
                              VtsStorage          storage,
                              const char         *id,
                              gboolean            interactive,
                              GCancellable       *cancellable,
                              GAsyncReadyCallback callback,
                              gpointer            user_data);
char *vts_vault_lookup_finish (VtsVault *self, GAsyncResult *result, GError **error);

/* Nothing is to be done for VTS_STORAGE_NONE. */
void     vts_vault_save_async (VtsVault           *self,
                               VtsStorage          storage,
                               const char         *id,
                               const char         *label,
                               const char         *token,
                               GAsyncReadyCallback callback,
                               gpointer            user_data);
gboolean vts_vault_save_finish (VtsVault *self, GAsyncResult *result, GError **error);
