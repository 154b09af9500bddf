/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vts-secrets.h"

#include <string.h>

G_DEFINE_INTERFACE (VtsSecrets, vts_secrets, G_TYPE_OBJECT)

static void
vts_secrets_default_init (VtsSecretsInterface *iface)
{
  g_signal_new (VTS_SECRETS_APPEARED, VTS_TYPE_SECRETS, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                G_TYPE_NONE, 0);
}

void
vts_secrets_emit_appeared (VtsSecrets *self)
{
  g_signal_emit_by_name (self, VTS_SECRETS_APPEARED);
}

void
vts_secrets_lookup_async (VtsSecrets *self,
                          const char *id,
                          gboolean interactive,
                          GCancellable *cancellable,
                          GAsyncReadyCallback callback,
                          gpointer user_data)
{
  g_autoptr(GTask) task = g_task_new (self, cancellable, callback, user_data);

  g_task_set_source_tag (task, vts_secrets_lookup_async);
  VTS_SECRETS_GET_IFACE (self)->lookup (self, id, interactive, task);
}

char *
vts_secrets_lookup_finish (VtsSecrets *self, GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}

void
vts_secrets_save_async (VtsSecrets *self,
                        const char *id,
                        const char *label,
                        const char *token,
                        GCancellable *cancellable,
                        GAsyncReadyCallback callback,
                        gpointer user_data)
{
  g_autoptr(GTask) task = g_task_new (self, cancellable, callback, user_data);

  g_task_set_source_tag (task, vts_secrets_save_async);
  VTS_SECRETS_GET_IFACE (self)->save (self, id, label, token, task);
}

gboolean
vts_secrets_save_finish (VtsSecrets *self, GAsyncResult *result, GError **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}

void
vts_secrets_wipe (char *token)
{
  if (token != NULL)
    explicit_bzero (token, strlen (token));
  g_free (token);
}
