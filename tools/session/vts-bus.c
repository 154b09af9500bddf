/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vts-bus.h"

#include <glib/gi18n.h>

#include "vts-bus-tunnel.h"
#include "vts-values.h"

struct _VtsBus {
  GObject parent_instance;
  VtsManager *manager;              /* owned */
  GDBusObjectManagerServer *server; /* owned */
  VtunnelSessionManager *skeleton;  /* owned */
  GHashTable *tunnels;              /* owned, from VtsTunnel (not owned) to its VtsBusTunnel */
  GHashTable *owners;               /* owned, from an owner's owned name to the watch of it */
  GDBusConnection *connection;      /* owned, NULL unless exported */
  VtsBusGate gate;
  void *gate_data; /* not owned */
  unsigned int n_calls;
};

G_DEFINE_FINAL_TYPE (VtsBus, vts_bus, G_TYPE_OBJECT)

gboolean
vts_bus_admit (VtsBus *self, GDBusMethodInvocation *invocation, gboolean needs_service)
{
  if (self->gate (needs_service, self->gate_data))
    return TRUE;
  g_dbus_method_invocation_return_error_literal (
      invocation, G_DBUS_ERROR, G_DBUS_ERROR_NO_REPLY,
      _ ("The session service was just ending; call it again"));
  return FALSE;
}

void
vts_bus_begin_call (VtsBus *self)
{
  g_object_ref (self);
  self->n_calls++;
}

void
vts_bus_end_call (VtsBus *self)
{
  self->n_calls--;
  g_object_unref (self);
}

static void
unwatch (void *watch)
{
  g_bus_unwatch_name (GPOINTER_TO_UINT (watch));
}

static void
owner_vanished_cb (GDBusConnection *connection, const char *name, void *user_data)
{
  g_autoptr(VtsBus) self = g_object_ref (user_data);
  g_autofree char *owner = g_strdup (name);

  g_hash_table_remove (self->owners, owner);
  vts_manager_owner_left (self->manager, owner);
}

static void
watch_owner (VtsBus *self, VtsTunnel *tunnel)
{
  const char *owner = vts_tunnel_get_owner (tunnel);
  unsigned int watch = 0;

  if (owner == NULL || self->connection == NULL || g_hash_table_contains (self->owners, owner))
    return;
  watch = g_bus_watch_name_on_connection (self->connection, owner, G_BUS_NAME_WATCHER_FLAGS_NONE,
                                          NULL, owner_vanished_cb, self, NULL);
  g_hash_table_insert (self->owners, g_strdup (owner), GUINT_TO_POINTER (watch));
}

static gboolean
owns_tunnels (VtsBus *self, const char *owner)
{
  GHashTableIter iter;
  void *tunnel = NULL;

  g_hash_table_iter_init (&iter, self->tunnels);
  while (g_hash_table_iter_next (&iter, &tunnel, NULL))
    if (g_strcmp0 (vts_tunnel_get_owner (tunnel), owner) == 0)
      return TRUE;
  return FALSE;
}

static void
added_cb (VtsBus *self, VtsTunnel *tunnel)
{
  VtsBusTunnel *object = vts_bus_tunnel_new (self, self->manager, tunnel);

  g_hash_table_insert (self->tunnels, tunnel, object);
  g_dbus_object_manager_server_export (self->server,
                                       G_DBUS_OBJECT_SKELETON (vts_bus_tunnel_get_object (object)));
  watch_owner (self, tunnel);
}

static void
removed_cb (VtsBus *self, VtsTunnel *tunnel)
{
  g_autofree char *path = vts_bus_tunnel_make_path (tunnel);
  const char *owner = vts_tunnel_get_owner (tunnel);

  g_dbus_object_manager_server_unexport (self->server, path);
  g_hash_table_remove (self->tunnels, tunnel);
  if (owner != NULL && !owns_tunnels (self, owner))
    g_hash_table_remove (self->owners, owner);
}

static gboolean
create_tunnel_cb (VtsBus *self,
                  GDBusMethodInvocation *invocation,
                  const char *uri,
                  GVariant *forwards,
                  GVariant *dictionary)
{
  VtsOptions options = { VTS_LIFETIME_CALLER, FALSE };
  GError *error = NULL;
  g_autoptr(VtsSettings) settings = NULL;
  const char *sender = g_dbus_method_invocation_get_sender (invocation);
  VtsTunnel *tunnel = NULL;
  g_autofree char *path = NULL;

  settings = vts_values_read_new (uri, forwards, dictionary, &options, &error);
  if (settings != NULL
      && !vts_bus_admit (self, invocation,
                         options.open || options.lifetime != VTS_LIFETIME_PERSISTENT))
    return G_DBUS_METHOD_INVOCATION_HANDLED;
  if (settings != NULL)
    tunnel = vts_manager_create (self->manager, settings, options.lifetime,
                                 options.lifetime == VTS_LIFETIME_CALLER ? sender : NULL, &error);
  if (tunnel == NULL)
    {
      g_dbus_method_invocation_take_error (invocation, error);
      return G_DBUS_METHOD_INVOCATION_HANDLED;
    }
  path = vts_bus_tunnel_make_path (tunnel);
  vtunnel_session_manager_complete_create_tunnel (self->skeleton, invocation, path);
  if (options.open)
    vts_tunnel_open (tunnel, TRUE);
  return G_DBUS_METHOD_INVOCATION_HANDLED;
}

static gboolean
find_tunnel_cb (VtsBus *self, GDBusMethodInvocation *invocation, const char *id)
{
  GError *error = NULL;
  VtsTunnel *tunnel = NULL;
  g_autofree char *path = NULL;

  if (!vts_bus_admit (self, invocation, FALSE))
    return G_DBUS_METHOD_INVOCATION_HANDLED;
  tunnel = vts_manager_find (self->manager, id, &error);
  if (tunnel == NULL)
    {
      g_dbus_method_invocation_take_error (invocation, error);
      return G_DBUS_METHOD_INVOCATION_HANDLED;
    }
  path = vts_bus_tunnel_make_path (tunnel);
  vtunnel_session_manager_complete_find_tunnel (self->skeleton, invocation, path);
  return G_DBUS_METHOD_INVOCATION_HANDLED;
}

static void
vts_bus_dispose (GObject *object)
{
  VtsBus *self = VTS_BUS (object);

  vts_bus_unexport (self);
  if (self->manager != NULL)
    g_signal_handlers_disconnect_by_data (self->manager, self);
  g_hash_table_remove_all (self->owners);
  g_hash_table_remove_all (self->tunnels);
  if (self->skeleton != NULL)
    g_signal_handlers_disconnect_by_data (self->skeleton, self);
  g_clear_object (&self->skeleton);
  g_clear_object (&self->server);
  g_clear_object (&self->manager);
  G_OBJECT_CLASS (vts_bus_parent_class)->dispose (object);
}

static void
vts_bus_finalize (GObject *object)
{
  VtsBus *self = VTS_BUS (object);

  g_hash_table_unref (self->owners);
  g_hash_table_unref (self->tunnels);
  G_OBJECT_CLASS (vts_bus_parent_class)->finalize (object);
}

static void
vts_bus_class_init (VtsBusClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = vts_bus_dispose;
  G_OBJECT_CLASS (klass)->finalize = vts_bus_finalize;
}

static void
free_tunnel (void *tunnel)
{
  vts_bus_tunnel_free (tunnel);
}

static void
vts_bus_init (VtsBus *self)
{
  self->tunnels = g_hash_table_new_full (NULL, NULL, NULL, free_tunnel);
  self->owners = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, unwatch);
}

static void
make_manager (VtsBus *self, gboolean has_keyring)
{
  g_autoptr(VtunnelSessionObjectSkeleton) object =
      vtunnel_session_object_skeleton_new (OBJECT_PATH "/Manager");
  const char *features[] = { has_keyring ? "keyring" : NULL, NULL };

  self->skeleton = vtunnel_session_manager_skeleton_new ();
  vtunnel_session_manager_set_version (self->skeleton, PACKAGE_VERSION);
  vtunnel_session_manager_set_features (self->skeleton, features);
  g_signal_connect_swapped (self->skeleton, "handle-create-tunnel", G_CALLBACK (create_tunnel_cb),
                            self);
  g_signal_connect_swapped (self->skeleton, "handle-find-tunnel", G_CALLBACK (find_tunnel_cb),
                            self);
  vtunnel_session_object_skeleton_set_manager (object, self->skeleton);
  g_dbus_object_manager_server_export (self->server, G_DBUS_OBJECT_SKELETON (object));
}

VtsBus *
vts_bus_new (VtsManager *manager, gboolean has_keyring, VtsBusGate gate, void *user_data)
{
  VtsBus *self = g_object_new (VTS_TYPE_BUS, NULL);
  GListModel *tunnels = vts_manager_get_tunnels (manager);
  unsigned int n = g_list_model_get_n_items (tunnels);

  self->manager = g_object_ref (manager);
  self->gate = gate;
  self->gate_data = user_data;
  self->server = g_dbus_object_manager_server_new (OBJECT_PATH);
  make_manager (self, has_keyring);
  g_signal_connect_swapped (manager, "added", G_CALLBACK (added_cb), self);
  g_signal_connect_swapped (manager, "removed", G_CALLBACK (removed_cb), self);
  for (unsigned int i = 0; i < n; i++)
    {
      g_autoptr(VtsTunnel) tunnel = g_list_model_get_item (tunnels, i);

      added_cb (self, tunnel);
    }
  return self;
}

void
vts_bus_export (VtsBus *self, GDBusConnection *connection)
{
  g_set_object (&self->connection, connection);
  g_dbus_object_manager_server_set_connection (self->server, connection);
}

void
vts_bus_unexport (VtsBus *self)
{
  if (self->server != NULL)
    g_dbus_object_manager_server_set_connection (self->server, NULL);
  g_clear_object (&self->connection);
}

gboolean
vts_bus_is_busy (VtsBus *self)
{
  return self->n_calls > 0;
}
