/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <gio/gio.h>

/* Where tokens are kept, one for each id of a tunnel. What is looked up is never logged and never
 * told to anybody but the server. Errors are VTUNNEL_SESSION_ERROR_SECRETS_UNAVAILABLE, or
 * G_IO_ERROR_CANCELLED. */
#define VTS_TYPE_SECRETS (vts_secrets_get_type ())
G_DECLARE_INTERFACE (VtsSecrets, vts_secrets, VTS, SECRETS, GObject)

struct _VtsSecretsInterface {
  GTypeInterface parent_iface;

  /* Each answers a GTask, whose source is the object: with an owned text, or NULL if there is none;
   * with TRUE. */
  void (*lookup) (VtsSecrets *self, const char *id, gboolean interactive, GTask *task);
  /* `token` is NULL to forget it; `label` is for people. */
  void (*save) (VtsSecrets *self, const char *id, const char *label, const char *token,
                GTask *task);
};

/* Emitted when there is reason to try again what failed. */
#define VTS_SECRETS_APPEARED "appeared"
void vts_secrets_emit_appeared (VtsSecrets *self);

/* With `interactive` the user may be asked to unlock something, which takes as long as it takes. */
void  vts_secrets_lookup_async (VtsSecrets         *self,
                                const char         *id,
                                gboolean            interactive,
                                GCancellable       *cancellable,
                                GAsyncReadyCallback callback,
                                gpointer            user_data);
/* To be freed with vts_secrets_wipe (); NULL without an error if there is none. */
char *vts_secrets_lookup_finish (VtsSecrets *self, GAsyncResult *result, GError **error);

void     vts_secrets_save_async (VtsSecrets         *self,
                                 const char         *id,
                                 const char         *label,
                                 const char         *token,
                                 GCancellable       *cancellable,
                                 GAsyncReadyCallback callback,
                                 gpointer            user_data);
gboolean vts_secrets_save_finish (VtsSecrets *self, GAsyncResult *result, GError **error);

/* Overwrites the text, which may be NULL, before it frees it. */
void vts_secrets_wipe (char *token);
