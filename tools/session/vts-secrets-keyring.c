/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vts-secrets-keyring.h"

#include <glib/gi18n.h>
#include <libsecret/secret.h>

#include "vts-error.h"

#define SERVICE_NAME "org.freedesktop.secrets"
#define SERVICE_PATH "/org/freedesktop/secrets"
#define SERVICE_INTERFACE "org.freedesktop.Secret.Service"

#define ATTRIBUTE "tunnel"

struct _VtsSecretsKeyring {
  GObject parent_instance;
  GDBusConnection *connection; /* owned */
  unsigned int name_watch;
  unsigned int subscription;
};

static const SecretSchema schema = {
  BUS_NAME ".Token",
  SECRET_SCHEMA_NONE,
  { { ATTRIBUTE, SECRET_SCHEMA_ATTRIBUTE_STRING }, { NULL, 0 } },
  0,
};

static void secrets_init (VtsSecretsInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (VtsSecretsKeyring,
                               vts_secrets_keyring,
                               G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (VTS_TYPE_SECRETS, secrets_init))

static void
wipe (void *token)
{
  vts_secrets_wipe (token);
}

static void
fail (GTask *task, const char *reason)
{
  g_task_return_new_error (task, VTUNNEL_SESSION_ERROR, VTUNNEL_SESSION_ERROR_SECRETS_UNAVAILABLE,
                           _ ("The keyring: %s"), reason);
}

static void
fail_with (GTask *task, GError *error)
{
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    g_task_return_error (task, g_error_copy (error));
  else
    {
      if (g_dbus_error_is_remote_error (error))
        g_dbus_error_strip_remote_error (error);
      fail (task, error->message);
    }
}

static void
return_item (GTask *task, SecretItem *item)
{
  g_autoptr(SecretValue) value = secret_item_get_secret (item);
  const char *text = value != NULL ? secret_value_get_text (value) : NULL;

  if (text != NULL)
    g_task_return_pointer (task, g_strdup (text), wipe);
  else
    fail (task, secret_item_get_locked (item) ? _ ("it is locked") : _ ("it gives nothing out"));
}

static void
found_cb (GObject *source, GAsyncResult *result, void *user_data)
{
  g_autoptr(GTask) task = user_data;
  g_autoptr(GError) error = NULL;
  GList *items = secret_service_search_finish (NULL, result, &error);

  if (error != NULL)
    fail_with (task, error);
  else if (items == NULL)
    g_task_return_pointer (task, NULL, NULL);
  else
    return_item (task, items->data);
  g_list_free_full (items, g_object_unref);
}

static void
lookup (VtsSecrets *secrets, const char *id, gboolean interactive, GTask *task)
{
  g_autoptr(GHashTable) attributes = secret_attributes_build (&schema, ATTRIBUTE, id, NULL);

  secret_service_search (NULL, &schema, attributes,
                         SECRET_SEARCH_LOAD_SECRETS
                             | (interactive ? SECRET_SEARCH_UNLOCK : SECRET_SEARCH_NONE),
                         g_task_get_cancellable (task), found_cb, g_object_ref (task));
}

static void
stored_cb (GObject *source, GAsyncResult *result, void *user_data)
{
  g_autoptr(GTask) task = user_data;
  g_autoptr(GError) error = NULL;

  if (secret_password_store_finish (result, &error))
    g_task_return_boolean (task, TRUE);
  else if (error != NULL)
    fail_with (task, error);
  else
    fail (task, _ ("it is locked"));
}

/* FALSE without an error: there was none. */
static void
cleared_cb (GObject *source, GAsyncResult *result, void *user_data)
{
  g_autoptr(GTask) task = user_data;
  g_autoptr(GError) error = NULL;

  secret_password_clear_finish (result, &error);
  if (error == NULL)
    g_task_return_boolean (task, TRUE);
  else
    fail_with (task, error);
}

static void
save (VtsSecrets *secrets, const char *id, const char *label, const char *token, GTask *task)
{
  GCancellable *cancellable = g_task_get_cancellable (task);

  if (token != NULL)
    secret_password_store (&schema, SECRET_COLLECTION_DEFAULT, label, token, cancellable, stored_cb,
                           g_object_ref (task), ATTRIBUTE, id, NULL);
  else
    secret_password_clear (&schema, cancellable, cleared_cb, g_object_ref (task), ATTRIBUTE, id,
                           NULL);
}

static void
appeared_cb (GDBusConnection *connection, const char *name, const char *owner, void *user_data)
{
  vts_secrets_emit_appeared (user_data);
}

/* It may have been unlocked. */
static void
changed_cb (GDBusConnection *connection,
            const char *sender,
            const char *path,
            const char *interface,
            const char *signal,
            GVariant *parameters,
            void *user_data)
{
  vts_secrets_emit_appeared (user_data);
}

static void
vts_secrets_keyring_dispose (GObject *object)
{
  VtsSecretsKeyring *self = VTS_SECRETS_KEYRING (object);

  g_clear_handle_id (&self->name_watch, g_bus_unwatch_name);
  if (self->subscription != 0)
    g_dbus_connection_signal_unsubscribe (self->connection, self->subscription);
  self->subscription = 0;
  g_clear_object (&self->connection);
  G_OBJECT_CLASS (vts_secrets_keyring_parent_class)->dispose (object);
}

static void
secrets_init (VtsSecretsInterface *iface)
{
  iface->lookup = lookup;
  iface->save = save;
}

static void
vts_secrets_keyring_class_init (VtsSecretsKeyringClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = vts_secrets_keyring_dispose;
}

static void
vts_secrets_keyring_init (VtsSecretsKeyring *self)
{
}

VtsSecretsKeyring *
vts_secrets_keyring_new (GDBusConnection *connection)
{
  VtsSecretsKeyring *self = g_object_new (VTS_TYPE_SECRETS_KEYRING, NULL);

  self->connection = g_object_ref (connection);
  self->name_watch =
      g_bus_watch_name_on_connection (connection, SERVICE_NAME, G_BUS_NAME_WATCHER_FLAGS_NONE,
                                      appeared_cb, NULL, self, NULL);
  self->subscription =
      g_dbus_connection_signal_subscribe (connection, SERVICE_NAME, SERVICE_INTERFACE,
                                          "CollectionChanged", SERVICE_PATH, NULL,
                                          G_DBUS_SIGNAL_FLAGS_NONE, changed_cb, self, NULL);
  return self;
}
