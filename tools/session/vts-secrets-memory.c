/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vts-secrets-memory.h"

struct _VtsSecretsMemory {
  GObject parent_instance;
  GHashTable *tokens; /* owned, from owned id to owned token */
};

static void secrets_init (VtsSecretsInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (VtsSecretsMemory,
                               vts_secrets_memory,
                               G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (VTS_TYPE_SECRETS, secrets_init))

static void
wipe (void *token)
{
  vts_secrets_wipe (token);
}

static void
lookup (VtsSecrets *secrets, const char *id, gboolean interactive, GTask *task)
{
  VtsSecretsMemory *self = VTS_SECRETS_MEMORY (secrets);

  g_task_return_pointer (task, g_strdup (g_hash_table_lookup (self->tokens, id)), wipe);
}

static void
save (VtsSecrets *secrets, const char *id, const char *label, const char *token, GTask *task)
{
  VtsSecretsMemory *self = VTS_SECRETS_MEMORY (secrets);

  if (token != NULL)
    g_hash_table_insert (self->tokens, g_strdup (id), g_strdup (token));
  else
    g_hash_table_remove (self->tokens, id);
  g_task_return_boolean (task, TRUE);
}

static void
vts_secrets_memory_finalize (GObject *object)
{
  VtsSecretsMemory *self = VTS_SECRETS_MEMORY (object);

  g_hash_table_unref (self->tokens);
  G_OBJECT_CLASS (vts_secrets_memory_parent_class)->finalize (object);
}

static void
secrets_init (VtsSecretsInterface *iface)
{
  iface->lookup = lookup;
  iface->save = save;
}

static void
vts_secrets_memory_class_init (VtsSecretsMemoryClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = vts_secrets_memory_finalize;
}

static void
vts_secrets_memory_init (VtsSecretsMemory *self)
{
  self->tokens = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, wipe);
}

VtsSecretsMemory *
vts_secrets_memory_new (void)
{
  return g_object_new (VTS_TYPE_SECRETS_MEMORY, NULL);
}

gboolean
vts_secrets_memory_is_empty (VtsSecretsMemory *self)
{
  return g_hash_table_size (self->tokens) == 0;
}
