/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vts-vault.h"

#include <glib/gi18n.h>

#include "vts-error.h"

struct _VtsVault {
  GObject parent_instance;
  VtsSecrets *secrets[VTS_N_STORAGES]; /* owned, each nullable */
};

enum { SIGNAL_APPEARED, N_SIGNALS };

static unsigned int signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (VtsVault, vts_vault, G_TYPE_OBJECT)

static void
wipe (void *token)
{
  vts_secrets_wipe (token);
}

static void
appeared_cb (VtsSecrets *secrets, void *user_data)
{
  g_signal_emit (user_data, signals[SIGNAL_APPEARED], 0);
}

static void
vts_vault_dispose (GObject *object)
{
  VtsVault *self = VTS_VAULT (object);

  for (size_t i = 0; i < G_N_ELEMENTS (self->secrets); i++)
    g_clear_object (&self->secrets[i]);
  G_OBJECT_CLASS (vts_vault_parent_class)->dispose (object);
}

static void
vts_vault_class_init (VtsVaultClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = vts_vault_dispose;
  signals[SIGNAL_APPEARED] = g_signal_new ("appeared", VTS_TYPE_VAULT, G_SIGNAL_RUN_LAST, 0, NULL,
                                           NULL, NULL, G_TYPE_NONE, 0);
}

static void
vts_vault_init (VtsVault *self)
{
}

static void
add (VtsVault *self, VtsStorage storage, VtsSecrets *secrets)
{
  if (!g_set_object (&self->secrets[storage], secrets))
    return;
  g_signal_connect_object (secrets, VTS_SECRETS_APPEARED, G_CALLBACK (appeared_cb), self, 0);
}

VtsVault *
vts_vault_new (VtsSecrets *file, VtsSecrets *keyring)
{
  VtsVault *self = g_object_new (VTS_TYPE_VAULT, NULL);
  g_autoptr(VtsSecretsMemory) memory = vts_secrets_memory_new ();

  add (self, VTS_STORAGE_MEMORY, VTS_SECRETS (memory));
  add (self, VTS_STORAGE_FILE, file);
  add (self, VTS_STORAGE_KEYRING, keyring);
  return self;
}

gboolean
vts_vault_is_volatile (VtsVault *self)
{
  return !vts_secrets_memory_is_empty (VTS_SECRETS_MEMORY (self->secrets[VTS_STORAGE_MEMORY]));
}

gboolean
vts_vault_has (VtsVault *self, VtsStorage storage)
{
  return self->secrets[storage] != NULL;
}

static void
fail (GTask *task, const char *reason)
{
  g_task_return_new_error (task, VTUNNEL_SESSION_ERROR, VTUNNEL_SESSION_ERROR_SECRETS_UNAVAILABLE,
                           "%s", reason);
}

static void
looked_up_cb (GObject *source, GAsyncResult *result, void *user_data)
{
  g_autoptr(GTask) task = user_data;
  g_autoptr(GError) error = NULL;
  char *token = vts_secrets_lookup_finish (VTS_SECRETS (source), result, &error);

  if (error != NULL)
    g_task_return_error (task, g_steal_pointer (&error));
  else if (token == NULL)
    fail (task, _ ("The token is not there any more: set it again"));
  else
    g_task_return_pointer (task, token, wipe);
}

void
vts_vault_lookup_async (VtsVault *self,
                        VtsStorage storage,
                        const char *id,
                        gboolean interactive,
                        GCancellable *cancellable,
                        GAsyncReadyCallback callback,
                        gpointer user_data)
{
  g_autoptr(GTask) task = g_task_new (self, cancellable, callback, user_data);

  g_task_set_source_tag (task, vts_vault_lookup_async);
  if (self->secrets[storage] == NULL)
    fail (task, _ ("This service was built without a keyring"));
  else
    vts_secrets_lookup_async (self->secrets[storage], id, interactive, cancellable, looked_up_cb,
                              g_object_ref (task));
}

char *
vts_vault_lookup_finish (VtsVault *self, GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}

static void
saved_cb (GObject *source, GAsyncResult *result, void *user_data)
{
  g_autoptr(GTask) task = user_data;
  GError *error = NULL;

  if (vts_secrets_save_finish (VTS_SECRETS (source), result, &error))
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, error);
}

void
vts_vault_save_async (VtsVault *self,
                      VtsStorage storage,
                      const char *id,
                      const char *label,
                      const char *token,
                      GAsyncReadyCallback callback,
                      gpointer user_data)
{
  g_autoptr(GTask) task = g_task_new (self, NULL, callback, user_data);

  g_task_set_source_tag (task, vts_vault_save_async);
  if (storage == VTS_STORAGE_NONE)
    g_task_return_boolean (task, TRUE);
  else if (self->secrets[storage] == NULL)
    fail (task, _ ("This service was built without a keyring"));
  else
    vts_secrets_save_async (self->secrets[storage], id, label, token, NULL, saved_cb,
                            g_object_ref (task));
}

gboolean
vts_vault_save_finish (VtsVault *self, GAsyncResult *result, GError **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}
