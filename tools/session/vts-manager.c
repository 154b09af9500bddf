/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vts-manager.h"

#include <glib/gi18n.h>
#include <string.h>

#include "vts-error.h"
#include "vts-id.h"
#include "vt-text-private.h"

struct _VtsManager {
  GObject parent_instance;
  VtsStore *store;     /* owned */
  VtsVault *vault;     /* owned */
  GListStore *tunnels; /* owned, of VtsTunnel */
};

enum { SIGNAL_ADDED, SIGNAL_REMOVED, N_SIGNALS };

static unsigned int signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (VtsManager, vts_manager, G_TYPE_OBJECT)

typedef void (*TunnelFunc) (VtsManager *self, VtsTunnel *tunnel, void *user_data);

/* The list may change meanwhile. */
static void
for_each (VtsManager *self, TunnelFunc function, void *user_data)
{
  g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func (g_object_unref);
  unsigned int n = g_list_model_get_n_items (G_LIST_MODEL (self->tunnels));

  for (unsigned int i = 0; i < n; i++)
    g_ptr_array_add (all, g_list_model_get_item (G_LIST_MODEL (self->tunnels), i));
  for (unsigned int i = 0; i < n; i++)
    function (self, all->pdata[i], user_data);
}

static void
retry (VtsManager *self, VtsTunnel *tunnel, void *user_data)
{
  vts_tunnel_retry_secrets (tunnel);
}

static void
secrets_appeared_cb (VtsVault *vault, void *user_data)
{
  g_autoptr(VtsManager) self = g_object_ref (user_data);

  for_each (self, retry, NULL);
}

static void
vts_manager_dispose (GObject *object)
{
  VtsManager *self = VTS_MANAGER (object);

  g_list_store_remove_all (self->tunnels);
  g_clear_object (&self->vault);
  G_OBJECT_CLASS (vts_manager_parent_class)->dispose (object);
}

static void
vts_manager_finalize (GObject *object)
{
  VtsManager *self = VTS_MANAGER (object);

  g_object_unref (self->tunnels);
  vts_store_free (self->store);
  G_OBJECT_CLASS (vts_manager_parent_class)->finalize (object);
}

static unsigned int
add_signal (const char *name)
{
  return g_signal_new (name, VTS_TYPE_MANAGER, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE,
                       1, VTS_TYPE_TUNNEL);
}

static void
vts_manager_class_init (VtsManagerClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = vts_manager_dispose;
  G_OBJECT_CLASS (klass)->finalize = vts_manager_finalize;
  signals[SIGNAL_ADDED] = add_signal ("added");
  signals[SIGNAL_REMOVED] = add_signal ("removed");
}

static void
vts_manager_init (VtsManager *self)
{
  self->tunnels = g_list_store_new (VTS_TYPE_TUNNEL);
}

VtsManager *
vts_manager_new (VtsStore *store, VtsVault *vault)
{
  VtsManager *self = g_object_new (VTS_TYPE_MANAGER, NULL);

  self->store = store;
  self->vault = g_object_ref (vault);
  g_signal_connect_object (vault, "appeared", G_CALLBACK (secrets_appeared_cb), self, 0);
  return self;
}

static VtsTunnel *
add (VtsManager *self,
     const char *id,
     VtsLifetime lifetime,
     const char *owner,
     const VtsSettings *settings)
{
  g_autoptr(VtsTunnel) tunnel = vts_tunnel_new (id, lifetime, owner, settings, self->vault);

  g_list_store_append (self->tunnels, tunnel);
  g_signal_emit (self, signals[SIGNAL_ADDED], 0, tunnel);
  return tunnel;
}

void
vts_manager_load (VtsManager *self)
{
  g_autoptr(GPtrArray) all = vts_store_load (self->store, VTS_MAX_TUNNELS);

  for (unsigned int i = 0; i < all->len; i++)
    {
      VtsStored *stored = all->pdata[i];

      add (self, stored->id, VTS_LIFETIME_PERSISTENT, NULL, stored->settings);
    }
}

static void
autoconnect (VtsManager *self, VtsTunnel *tunnel, void *user_data)
{
  if (vts_tunnel_get_settings (tunnel)->autoconnect)
    vts_tunnel_open (tunnel, FALSE);
}

void
vts_manager_autoconnect (VtsManager *self)
{
  for_each (self, autoconnect, NULL);
}

static VtsTunnel *
find_by_id (VtsManager *self, const char *id)
{
  unsigned int n = g_list_model_get_n_items (G_LIST_MODEL (self->tunnels));

  for (unsigned int i = 0; i < n; i++)
    {
      g_autoptr(VtsTunnel) tunnel = g_list_model_get_item (G_LIST_MODEL (self->tunnels), i);

      if (strcmp (vts_tunnel_get_id (tunnel), id) == 0)
        return tunnel;
    }
  return NULL;
}

static VtsTunnel *
find_by_name (VtsManager *self, const char *name)
{
  unsigned int n = g_list_model_get_n_items (G_LIST_MODEL (self->tunnels));
  VtsTunnel *found = NULL;

  for (unsigned int i = 0; i < n; i++)
    {
      g_autoptr(VtsTunnel) tunnel = g_list_model_get_item (G_LIST_MODEL (self->tunnels), i);

      if (strcmp (vts_tunnel_get_settings (tunnel)->name, name) != 0)
        continue;
      if (found != NULL)
        return NULL;
      found = tunnel;
    }
  return found;
}

VtsTunnel *
vts_manager_find (VtsManager *self, const char *id, GError **error)
{
  VtsTunnel *tunnel = find_by_id (self, id);
  g_autofree char *escaped = NULL;

  if (tunnel == NULL && id[0] != '\0')
    tunnel = find_by_name (self, id);
  if (tunnel != NULL)
    return tunnel;
  escaped = vt_text_escape (id, -1);
  g_set_error (error, VTUNNEL_SESSION_ERROR, VTUNNEL_SESSION_ERROR_NO_SUCH_TUNNEL,
               _ ("There is no tunnel “%s”, or more than one"), escaped);
  return NULL;
}

GListModel *
vts_manager_get_tunnels (VtsManager *self)
{
  return G_LIST_MODEL (self->tunnels);
}

static gboolean
save (VtsManager *self, const char *id, const VtsSettings *settings, GError **error)
{
  g_autoptr(GError) reason = NULL;

  if (vts_store_save (self->store, id, settings, &reason))
    return TRUE;
  g_set_error (error, VTUNNEL_SESSION_ERROR, VTUNNEL_SESSION_ERROR_PERMISSION_DENIED,
               _ ("The tunnel could not be saved: %s"), reason->message);
  return FALSE;
}

VtsTunnel *
vts_manager_create (VtsManager *self,
                    const VtsSettings *settings,
                    VtsLifetime lifetime,
                    const char *owner,
                    GError **error)
{
  g_autofree char *id = NULL;

  if (g_list_model_get_n_items (G_LIST_MODEL (self->tunnels)) >= VTS_MAX_TUNNELS)
    {
      g_set_error_literal (error, VTUNNEL_SESSION_ERROR, VTUNNEL_SESSION_ERROR_LIMIT,
                           _ ("There are as many tunnels as there may be"));
      return NULL;
    }
  id = vts_id_new ();
  if (lifetime == VTS_LIFETIME_PERSISTENT && !save (self, id, settings, error))
    return NULL;
  return add (self, id, lifetime, owner, settings);
}

gboolean
vts_manager_update (VtsManager *self,
                    VtsTunnel *tunnel,
                    const VtsSettings *settings,
                    GError **error)
{
  if (vts_settings_equal (vts_tunnel_get_settings (tunnel), settings))
    return TRUE;
  if (vts_tunnel_get_lifetime (tunnel) == VTS_LIFETIME_PERSISTENT
      && find_by_id (self, vts_tunnel_get_id (tunnel)) == tunnel
      && !save (self, vts_tunnel_get_id (tunnel), settings, error))
    return FALSE;
  vts_tunnel_change (tunnel, settings);
  return TRUE;
}

/* A token on its way to where it is to be. */
typedef struct {
  VtsTunnel *tunnel; /* owned */
  VtsStorage storage;
} Keeping;

static void
keeping_free (void *data)
{
  Keeping *self = data;

  g_object_unref (self->tunnel);
  g_free (self);
}

static void
forgotten_cb (GObject *source, GAsyncResult *result, void *user_data)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *escaped = NULL;

  if (vts_vault_save_finish (VTS_VAULT (source), result, &error))
    return;
  escaped = vt_text_escape (error->message, -1);
  g_message (_ ("A token could not be deleted: %s"), escaped);
}

static void
forget_token (VtsManager *self, VtsTunnel *tunnel, VtsStorage storage)
{
  vts_vault_save_async (self->vault, storage, vts_tunnel_get_id (tunnel), NULL, NULL, forgotten_cb,
                        NULL);
}

static void
token_kept_cb (GObject *source, GAsyncResult *result, void *user_data)
{
  g_autoptr(GTask) task = user_data;
  VtsManager *self = g_task_get_source_object (task);
  Keeping *keeping = g_task_get_task_data (task);
  VtsStorage before = vts_tunnel_get_settings (keeping->tunnel)->storage;
  g_autoptr(VtsSettings) settings = NULL;
  g_autoptr(GError) error = NULL;

  if (!vts_vault_save_finish (VTS_VAULT (source), result, &error))
    {
      g_task_return_error (task, g_steal_pointer (&error));
      return;
    }
  settings = vts_settings_copy (vts_tunnel_get_settings (keeping->tunnel));
  settings->storage = keeping->storage;
  if (!vts_manager_update (self, keeping->tunnel, settings, &error))
    {
      g_task_return_error (task, g_steal_pointer (&error));
      return;
    }
  if (before != keeping->storage)
    forget_token (self, keeping->tunnel, before);
  vts_tunnel_retry_secrets (keeping->tunnel);
  g_task_return_boolean (task, TRUE);
}

void
vts_manager_set_token_async (VtsManager *self,
                             VtsTunnel *tunnel,
                             const char *token,
                             VtsStorage storage,
                             GAsyncReadyCallback callback,
                             gpointer user_data)
{
  g_autoptr(GTask) task = g_task_new (self, NULL, callback, user_data);
  g_autofree char *label = NULL;
  Keeping *keeping = g_new0 (Keeping, 1);

  keeping->tunnel = g_object_ref (tunnel);
  keeping->storage = token[0] != '\0' ? storage : VTS_STORAGE_NONE;
  g_task_set_source_tag (task, vts_manager_set_token_async);
  g_task_set_task_data (task, keeping, keeping_free);
  label = g_strdup_printf (_ ("Token of the tunnel “%s”"), vts_tunnel_get_title (tunnel));
  vts_vault_save_async (self->vault, keeping->storage, vts_tunnel_get_id (tunnel), label, token,
                        token_kept_cb, g_object_ref (task));
}

gboolean
vts_manager_set_token_finish (VtsManager *self, GAsyncResult *result, GError **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}

static void
deleted_cb (GObject *source, GAsyncResult *result, void *user_data)
{
  g_autoptr(GTask) task = user_data;

  vts_tunnel_close_finish (VTS_TUNNEL (source), result);
  g_task_return_boolean (task, TRUE);
}

static gboolean
remove_file (VtsManager *self, VtsTunnel *tunnel, GError **error)
{
  g_autoptr(GError) reason = NULL;

  if (vts_tunnel_get_lifetime (tunnel) != VTS_LIFETIME_PERSISTENT
      || vts_store_remove (self->store, vts_tunnel_get_id (tunnel), &reason))
    return TRUE;
  g_set_error (error, VTUNNEL_SESSION_ERROR, VTUNNEL_SESSION_ERROR_PERMISSION_DENIED,
               _ ("The tunnel's file could not be deleted: %s"), reason->message);
  return FALSE;
}

void
vts_manager_delete_async (VtsManager *self,
                          VtsTunnel *tunnel,
                          GAsyncReadyCallback callback,
                          gpointer user_data)
{
  g_autoptr(GTask) task = g_task_new (self, NULL, callback, user_data);
  g_autoptr(VtsTunnel) alive = g_object_ref (tunnel);
  GError *error = NULL;
  unsigned int position = 0;

  g_task_set_source_tag (task, vts_manager_delete_async);
  if (g_list_store_find (self->tunnels, tunnel, &position))
    {
      if (!remove_file (self, tunnel, &error))
        {
          g_task_return_error (task, error);
          return;
        }
      g_list_store_remove (self->tunnels, position);
      forget_token (self, tunnel, vts_tunnel_get_settings (tunnel)->storage);
      g_signal_emit (self, signals[SIGNAL_REMOVED], 0, tunnel);
    }
  vts_tunnel_close_async (tunnel, deleted_cb, g_object_ref (task));
}

gboolean
vts_manager_delete_finish (VtsManager *self, GAsyncResult *result, GError **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}

static void
delete_owned (VtsManager *self, VtsTunnel *tunnel, void *owner)
{
  if (g_strcmp0 (vts_tunnel_get_owner (tunnel), owner) == 0)
    vts_manager_delete_async (self, tunnel, NULL, NULL);
}

void
vts_manager_owner_left (VtsManager *self, const char *owner)
{
  for_each (self, delete_owned, (void *) owner);
}

/* The last of those who hold it answers the call. */
static void
one_closed_cb (GObject *source, GAsyncResult *result, void *user_data)
{
  g_object_unref (user_data);
}

static void
close_one (VtsManager *self, VtsTunnel *tunnel, void *guard)
{
  if (vts_tunnel_get_lifetime (tunnel) == VTS_LIFETIME_PERSISTENT)
    vts_tunnel_close_async (tunnel, one_closed_cb, g_object_ref (guard));
  else
    vts_manager_delete_async (self, tunnel, one_closed_cb, g_object_ref (guard));
}

static void
all_closed_cb (void *user_data, GObject *guard)
{
  g_autoptr(GTask) task = user_data;

  g_task_return_boolean (task, TRUE);
}

void
vts_manager_close_async (VtsManager *self, GAsyncReadyCallback callback, gpointer user_data)
{
  g_autoptr(GTask) task = g_task_new (self, NULL, callback, user_data);
  g_autoptr(GObject) guard = g_object_new (G_TYPE_OBJECT, NULL);

  g_task_set_source_tag (task, vts_manager_close_async);
  g_object_weak_ref (guard, all_closed_cb, g_object_ref (task));
  for_each (self, close_one, guard);
}

void
vts_manager_close_finish (VtsManager *self, GAsyncResult *result)
{
  g_task_propagate_boolean (G_TASK (result), NULL);
}

gboolean
vts_manager_is_needed (VtsManager *self)
{
  unsigned int n = g_list_model_get_n_items (G_LIST_MODEL (self->tunnels));

  for (unsigned int i = 0; i < n; i++)
    {
      g_autoptr(VtsTunnel) tunnel = g_list_model_get_item (G_LIST_MODEL (self->tunnels), i);

      if (vts_tunnel_get_lifetime (tunnel) != VTS_LIFETIME_PERSISTENT
          || vts_tunnel_get_state (tunnel) != VTS_STATE_INACTIVE)
        return TRUE;
      /* One of an earlier process is gone with it. */
      if (vts_tunnel_get_settings (tunnel)->storage == VTS_STORAGE_MEMORY
          && vts_vault_is_volatile (self->vault))
        return TRUE;
    }
  return FALSE;
}
