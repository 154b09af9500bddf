/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vts-store.h"
#include "vts-tunnel.h"

#define VTS_MAX_TUNNELS 256

/* All the tunnels: it makes, finds, changes and deletes them, and keeps the persistent ones in
 * files.
 *
 * Signals: "added (VtsTunnel)"; "removed (VtsTunnel)", before it is closed. */
#define VTS_TYPE_MANAGER (vts_manager_get_type ())
G_DECLARE_FINAL_TYPE (VtsManager, vts_manager, VTS, MANAGER, GObject)

/* Takes the store. */
VtsManager *vts_manager_new (VtsStore *store, VtsVault *vault);

/* Makes the tunnels that are in files. */
void vts_manager_load (VtsManager *self);
/* Opens those that are to be open from the beginning. */
void vts_manager_autoconnect (VtsManager *self);

/* Errors are of VTUNNEL_SESSION_ERROR. The results are the manager's, and so are the items of the
 * list, VtsTunnel. `owner` is nullable. */
VtsTunnel *vts_manager_create (VtsManager        *self,
                               const VtsSettings *settings,
                               VtsLifetime        lifetime,
                               const char        *owner,
                               GError           **error);
/* By its id, or by a name that no other has. */
VtsTunnel  *vts_manager_find (VtsManager *self, const char *id, GError **error);
GListModel *vts_manager_get_tunnels (VtsManager *self);

gboolean vts_manager_update (VtsManager        *self,
                             VtsTunnel         *tunnel,
                             const VtsSettings *settings,
                             GError           **error);

/* An empty token forgets it. */
void     vts_manager_set_token_async (VtsManager         *self,
                                      VtsTunnel          *tunnel,
                                      const char         *token,
                                      VtsStorage          storage,
                                      GAsyncReadyCallback callback,
                                      gpointer            user_data);
gboolean vts_manager_set_token_finish (VtsManager *self, GAsyncResult *result, GError **error);

/* It is gone from the list at once, and the call ends when it is closed. */
void     vts_manager_delete_async (VtsManager         *self,
                                   VtsTunnel          *tunnel,
                                   GAsyncReadyCallback callback,
                                   gpointer            user_data);
gboolean vts_manager_delete_finish (VtsManager *self, GAsyncResult *result, GError **error);

/* Deletes what belongs to an owner that is gone. */
void vts_manager_owner_left (VtsManager *self, const char *owner);

/* Closes all, and deletes what is not persistent. */
void vts_manager_close_async (VtsManager *self, GAsyncReadyCallback callback, gpointer user_data);
void vts_manager_close_finish (VtsManager *self, GAsyncResult *result);

/* Whether anything would be lost if the process ended. */
gboolean vts_manager_is_needed (VtsManager *self);
