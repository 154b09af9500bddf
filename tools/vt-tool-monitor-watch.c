/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-tool-monitor-watch.h"

#include <glib/gi18n.h>
#include <string.h>

/* Milliseconds: until it is said that a service does not answer, and after one has said that it
 * does not tell which tunnels it has. */
#define PATIENCE 2000
#define RETRY_PAUSE 2000

struct _VtToolWatch {
  GDBusConnection *bus; /* owned */
  char *name;           /* owned, NULL: all tunnels */
  VtToolWatchFunc changed;
  void *user_data;            /* not owned, for changed */
  GCancellable *cancellable;  /* owned, for everything that is under way */
  unsigned int watcher;       /* of the service's name */
  char *owner;                /* owned, NULL while nobody has the name */
  GDBusObjectManager *client; /* owned, NULL while it is not there */
  GPtrArray *tunnels;         /* owned, of owned VtToolTunnel */
  GHashTable *asking;         /* owned, of object paths that statistics are under way for */
  GSource *timer;             /* owned */
  GSource *retry;             /* owned, NULL while it is not running */
  GSource *patience;          /* the same */
  gboolean is_starting;       /* the bus has not said yet what became of it */
  gboolean is_settled;
  char *note; /* owned, NULL if all is well */
};

/* What is asked of one tunnel of one client. */
typedef struct {
  VtToolWatch *watch;         /* not owned: not looked at once it was cancelled */
  GDBusObjectManager *client; /* owned, only to be compared */
  char *path;                 /* owned */
} Question;

static void begin_client (VtToolWatch *self);

static void
question_free (Question *self)
{
  g_object_unref (self->client);
  g_free (self->path);
  g_free (self);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Question, question_free)

static GSource *
start_timer (unsigned int pause, GSourceFunc func, VtToolWatch *self)
{
  GSource *timer = g_timeout_source_new (pause);

  g_source_set_static_name (timer, "vtunnel-tool: monitor");
  g_source_set_callback (timer, func, self, NULL);
  g_source_attach (timer, g_main_context_get_thread_default ());
  return timer;
}

/* NULL: all is well. */
static void
settle (VtToolWatch *self, const char *note)
{
  self->is_settled = TRUE;
  g_free (self->note);
  self->note = g_strdup (note);
}

static VtToolTunnel *
find_tunnel (VtToolWatch *self, const char *path)
{
  for (unsigned int i = 0; i < self->tunnels->len; i++)
    {
      VtToolTunnel *tunnel = self->tunnels->pdata[i];

      if (strcmp (tunnel->path, path) == 0)
        return tunnel;
    }
  return NULL;
}

static gboolean
is_connected (const VtToolTunnel *tunnel)
{
  return strcmp (tunnel->state, "connected") == 0;
}

static void
statistics_cb (GObject *source, GAsyncResult *result, void *user_data)
{
  g_autoptr(Question) question = user_data;
  g_autoptr(GVariant) statistics = NULL;
  g_autoptr(GError) error = NULL;
  gboolean answered =
      vtunnel_session_tunnel_call_get_statistics_finish (VTUNNEL_SESSION_TUNNEL (source),
                                                         &statistics, result, &error);
  VtToolWatch *self = question->watch;
  VtToolTunnel *tunnel = NULL;

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return;
  /* What an earlier service says is not news. */
  if (self->client != question->client)
    return;
  g_hash_table_remove (self->asking, question->path);
  tunnel = find_tunnel (self, question->path);
  if (!answered || tunnel == NULL || !is_connected (tunnel))
    return;
  vt_tool_tunnel_set_statistics (tunnel, statistics, g_get_monotonic_time ());
  self->changed (self->user_data);
}

/* One question a tunnel at a time: a service that is slow is not asked faster than it answers. */
static void
ask (VtToolWatch *self, const char *path)
{
  g_autoptr(GDBusInterface) proxy =
      g_dbus_object_manager_get_interface (self->client, path, VT_TOOL_SESSION_TUNNEL_INTERFACE);
  Question *question = NULL;

  if (proxy == NULL || !g_hash_table_add (self->asking, g_strdup (path)))
    return;
  question = g_new0 (Question, 1);
  question->watch = self;
  question->client = g_object_ref (self->client);
  question->path = g_strdup (path);
  vtunnel_session_tunnel_call_get_statistics (VTUNNEL_SESSION_TUNNEL (proxy),
                                              G_DBUS_CALL_FLAGS_NONE, -1, self->cancellable,
                                              statistics_cb, question);
}

static gboolean
timer_cb (void *user_data)
{
  VtToolWatch *self = user_data;

  for (unsigned int i = 0; self->client != NULL && i < self->tunnels->len; i++)
    {
      const VtToolTunnel *tunnel = self->tunnels->pdata[i];

      if (is_connected (tunnel))
        ask (self, tunnel->path);
    }
  return G_SOURCE_CONTINUE;
}

static gboolean
is_wanted (VtToolWatch *self, const VtToolTunnel *tunnel)
{
  return self->name == NULL || vt_tool_tunnel_is_called (tunnel, self->name);
}

/* Takes the properties of a tunnel over; what statistics said of it before stays. */
static void
read_tunnel (VtToolWatch *self, GDBusProxy *proxy)
{
  const char *path = g_dbus_proxy_get_object_path (proxy);
  VtToolTunnel *tunnel = find_tunnel (self, path);
  gboolean was_connected = tunnel != NULL && is_connected (tunnel);

  if (tunnel == NULL)
    {
      tunnel = vt_tool_tunnel_new (path);
      g_ptr_array_add (self->tunnels, tunnel);
    }
  vt_tool_tunnel_read_proxy (tunnel, proxy);
  if (!is_connected (tunnel))
    vt_tool_tunnel_clear_statistics (tunnel);
  if (!is_wanted (self, tunnel))
    g_ptr_array_remove (self->tunnels, tunnel);
  else if (is_connected (tunnel) && !was_connected)
    ask (self, path);
  g_ptr_array_sort (self->tunnels, vt_tool_tunnel_compare);
}

static void
read_object (VtToolWatch *self, GDBusObject *object)
{
  g_autoptr(GDBusInterface) proxy =
      g_dbus_object_get_interface (object, VT_TOOL_SESSION_TUNNEL_INTERFACE);

  if (proxy != NULL)
    read_tunnel (self, G_DBUS_PROXY (proxy));
}

static void
object_added_cb (GDBusObjectManager *client, GDBusObject *object, void *user_data)
{
  VtToolWatch *self = user_data;

  read_object (self, object);
  self->changed (self->user_data);
}

static void
object_removed_cb (GDBusObjectManager *client, GDBusObject *object, void *user_data)
{
  VtToolWatch *self = user_data;
  VtToolTunnel *tunnel = find_tunnel (self, g_dbus_object_get_object_path (object));

  if (tunnel == NULL)
    return;
  g_hash_table_remove (self->asking, tunnel->path);
  g_ptr_array_remove (self->tunnels, tunnel);
  self->changed (self->user_data);
}

static void
properties_changed_cb (GDBusObjectManagerClient *client,
                       GDBusObjectProxy *object,
                       GDBusProxy *proxy,
                       GVariant *changed,
                       char **invalidated,
                       void *user_data)
{
  VtToolWatch *self = user_data;

  read_object (self, G_DBUS_OBJECT (object));
  self->changed (self->user_data);
}

static void
drop_client (VtToolWatch *self)
{
  if (self->client != NULL)
    g_signal_handlers_disconnect_by_data (self->client, self);
  g_clear_object (&self->client);
  g_ptr_array_set_size (self->tunnels, 0);
  g_hash_table_remove_all (self->asking);
}

static gboolean
patience_cb (void *user_data)
{
  VtToolWatch *self = user_data;

  g_clear_pointer (&self->patience, g_source_unref);
  settle (self, _ ("The session service does not answer yet"));
  self->changed (self->user_data);
  return G_SOURCE_REMOVE;
}

static gboolean
retry_cb (void *user_data)
{
  VtToolWatch *self = user_data;

  g_clear_pointer (&self->retry, g_source_unref);
  begin_client (self);
  return G_SOURCE_REMOVE;
}

static void
cancel (GSource **timer)
{
  if (*timer != NULL)
    g_source_destroy (*timer);
  g_clear_pointer (timer, g_source_unref);
}

static void
take_client (VtToolWatch *self, GDBusObjectManager *client)
{
  GList *objects = g_dbus_object_manager_get_objects (client);

  self->client = client;
  settle (self, NULL);
  g_signal_connect (client, "object-added", G_CALLBACK (object_added_cb), self);
  g_signal_connect (client, "object-removed", G_CALLBACK (object_removed_cb), self);
  g_signal_connect (client, "interface-proxy-properties-changed",
                    G_CALLBACK (properties_changed_cb), self);
  for (GList *link = objects; link != NULL; link = link->next)
    read_object (self, link->data);
  g_list_free_full (objects, g_object_unref);
}

static void
client_cb (GObject *source, GAsyncResult *result, void *user_data)
{
  VtToolWatch *self = user_data;
  g_autoptr(GError) error = NULL;
  g_autoptr(GError) reason = NULL;
  g_autoptr(GDBusObjectManager) client =
      vtunnel_session_object_manager_client_new_finish (result, &error);
  g_autofree char *owner = NULL;

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return;
  if (client != NULL)
    owner = g_dbus_object_manager_client_get_name_owner (G_DBUS_OBJECT_MANAGER_CLIENT (client));
  /* The service that this was for may be gone, and another one may be there: it has its own. */
  if (owner != NULL && g_strcmp0 (owner, self->owner) == 0)
    {
      cancel (&self->patience);
      take_client (self, g_steal_pointer (&client));
      self->changed (self->user_data);
    }
  else if (error != NULL && self->owner != NULL && self->client == NULL && self->retry == NULL)
    {
      cancel (&self->patience);
      reason = vt_tool_session_error_new (error, NULL);
      settle (self, reason->message);
      self->retry = start_timer (RETRY_PAUSE, retry_cb, self);
      self->changed (self->user_data);
    }
}

/* For the owner and not for the name: a client for the name would, in the main thread, wait for the
 * next one that has it. */
static void
begin_client (VtToolWatch *self)
{
  self->is_settled = FALSE;
  self->patience = start_timer (PATIENCE, patience_cb, self);
  vtunnel_session_object_manager_client_new (self->bus,
                                             G_DBUS_OBJECT_MANAGER_CLIENT_FLAGS_DO_NOT_AUTO_START,
                                             self->owner, OBJECT_PATH, self->cancellable, client_cb,
                                             self);
}

static void
appeared_cb (GDBusConnection *bus, const char *name, const char *owner, void *user_data)
{
  VtToolWatch *self = user_data;

  cancel (&self->retry);
  cancel (&self->patience);
  drop_client (self);
  g_free (self->owner);
  self->owner = g_strdup (owner);
  begin_client (self);
  self->changed (self->user_data);
}

static void
vanished_cb (GDBusConnection *bus, const char *name, void *user_data)
{
  VtToolWatch *self = user_data;

  cancel (&self->retry);
  cancel (&self->patience);
  drop_client (self);
  g_clear_pointer (&self->owner, g_free);
  if (!self->is_starting)
    settle (self, _ ("The session service is not running; any other command starts it"));
  self->changed (self->user_data);
}

/* That it cannot be started is said only for as long as nobody else starts it. */
static void
started_cb (GObject *source, GAsyncResult *result, void *user_data)
{
  VtToolWatch *self = user_data;
  g_autoptr(GError) error = NULL;
  g_autoptr(GError) reason = NULL;
  g_autoptr(GVariant) answer =
      g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result, &error);

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return;
  self->is_starting = FALSE;
  if (answer != NULL || self->owner != NULL)
    return;
  reason = vt_tool_session_error_new (error, NULL);
  settle (self, reason->message);
  self->changed (self->user_data);
}

VtToolWatch *
vt_tool_watch_new (GDBusConnection *bus,
                   const char *name,
                   unsigned int interval,
                   VtToolWatchFunc changed,
                   void *user_data)
{
  VtToolWatch *self = g_new0 (VtToolWatch, 1);

  self->bus = g_object_ref (bus);
  self->name = g_strdup (name);
  self->changed = changed;
  self->user_data = user_data;
  self->cancellable = g_cancellable_new ();
  self->tunnels = g_ptr_array_new_with_free_func ((GDestroyNotify) vt_tool_tunnel_free);
  self->asking = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  self->note = g_strdup (_ ("The session service is being started"));
  self->is_starting = TRUE;
  self->timer = start_timer (interval, timer_cb, self);
  self->watcher = g_bus_watch_name_on_connection (bus, BUS_NAME, G_BUS_NAME_WATCHER_FLAGS_NONE,
                                                  appeared_cb, vanished_cb, self, NULL);
  g_dbus_connection_call (bus, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                          "org.freedesktop.DBus", "StartServiceByName",
                          g_variant_new ("(su)", BUS_NAME, 0), NULL, G_DBUS_CALL_FLAGS_NONE, -1,
                          self->cancellable, started_cb, self);
  return self;
}

void
vt_tool_watch_free (VtToolWatch *self)
{
  g_cancellable_cancel (self->cancellable);
  g_bus_unwatch_name (self->watcher);
  cancel (&self->retry);
  cancel (&self->patience);
  g_source_destroy (self->timer);
  g_source_unref (self->timer);
  drop_client (self);
  g_object_unref (self->cancellable);
  g_object_unref (self->bus);
  g_hash_table_unref (self->asking);
  g_ptr_array_unref (self->tunnels);
  g_free (self->owner);
  g_free (self->note);
  g_free (self->name);
  g_free (self);
}

const GPtrArray *
vt_tool_watch_get_tunnels (VtToolWatch *self)
{
  return self->tunnels;
}

gboolean
vt_tool_watch_is_ready (VtToolWatch *self)
{
  return self->client != NULL;
}

gboolean
vt_tool_watch_is_settled (VtToolWatch *self)
{
  return self->is_settled;
}

const char *
vt_tool_watch_get_note (VtToolWatch *self)
{
  return self->note;
}
