/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vts-service.h"

#include <glib-unix.h>
#include <glib/gi18n.h>
#include <signal.h>

#include "vts-bus.h"
#include "vts-notifier.h"

/* How long calls may be on their way that were sent before the name was given back. */
#define LINGER 1000 /* milliseconds */

#define DBUS_NAME "org.freedesktop.DBus"
#define DBUS_PATH "/org/freedesktop/DBus"
#define DO_NOT_QUEUE 4
#define PRIMARY_OWNER 1
#define ALREADY_OWNER 4

typedef enum {
  PHASE_STARTING,
  PHASE_RUNNING, /* has the name */
  PHASE_LEAVING, /* has it no more, and would take it again */
  PHASE_ENDING,  /* closes all, and takes no calls */
} Phase;

struct _VtsService {
  GObject parent_instance;
  GDBusConnection *connection; /* owned */
  VtsManager *manager;         /* owned */
  VtsBus *bus;                 /* owned */
  GMainLoop *loop;             /* owned */
  GPtrArray *signals;          /* owned, of owned GSource */
  GSource *timer;              /* owned, nullable */
  unsigned int idle;           /* milliseconds */
  Phase phase;
};

G_DEFINE_FINAL_TYPE (VtsService, vts_service, G_TYPE_OBJECT)

static void update (VtsService *self);

static gboolean
call_bus (VtsService *self, const char *method, GVariant *arguments, unsigned int *answer)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GVariant) reply =
      g_dbus_connection_call_sync (self->connection, DBUS_NAME, DBUS_PATH, DBUS_NAME, method,
                                   arguments, G_VARIANT_TYPE ("(u)"), G_DBUS_CALL_FLAGS_NONE, -1,
                                   NULL, &error);

  if (reply == NULL)
    {
      g_message ("%s: %s", method, error->message);
      return FALSE;
    }
  g_variant_get (reply, "(u)", answer);
  return TRUE;
}

static gboolean
take_name (VtsService *self)
{
  unsigned int answer = 0;

  return call_bus (self, "RequestName", g_variant_new ("(su)", BUS_NAME, DO_NOT_QUEUE), &answer)
         && (answer == PRIMARY_OWNER || answer == ALREADY_OWNER);
}

static void
give_name_back (VtsService *self)
{
  unsigned int answer = 0;

  call_bus (self, "ReleaseName", g_variant_new ("(s)", BUS_NAME), &answer);
}

static void
stop_timer (VtsService *self)
{
  if (self->timer != NULL)
    g_source_destroy (self->timer);
  g_clear_pointer (&self->timer, g_source_unref);
}

static void
start_timer (VtsService *self, unsigned int milliseconds, GSourceFunc callback)
{
  stop_timer (self);
  self->timer = g_timeout_source_new (milliseconds);
  /* Behind all calls that are waiting to be served. */
  g_source_set_priority (self->timer, G_PRIORITY_LOW);
  g_source_set_static_name (self->timer, "vtunnel-session: idle");
  g_source_set_callback (self->timer, callback, self, NULL);
  g_source_attach (self->timer, g_main_context_get_thread_default ());
}

static void
closed_cb (GObject *source, GAsyncResult *result, void *user_data)
{
  g_autoptr(VtsService) self = user_data;

  vts_manager_close_finish (VTS_MANAGER (source), result);
  g_main_loop_quit (self->loop);
}

static void
end (VtsService *self)
{
  stop_timer (self);
  if (self->phase == PHASE_RUNNING)
    give_name_back (self);
  self->phase = PHASE_ENDING;
  vts_manager_close_async (self->manager, closed_cb, g_object_ref (self));
}

static gboolean
linger_cb (void *user_data)
{
  VtsService *self = user_data;

  if (!vts_bus_is_busy (self->bus))
    {
      g_debug ("Nothing to keep: ending");
      end (self);
      return G_SOURCE_REMOVE;
    }
  return G_SOURCE_CONTINUE;
}

static gboolean
idle_cb (void *user_data)
{
  VtsService *self = user_data;

  if (vts_bus_is_busy (self->bus) || vts_manager_is_needed (self->manager))
    {
      update (self);
      return G_SOURCE_REMOVE;
    }
  self->phase = PHASE_LEAVING;
  give_name_back (self);
  start_timer (self, LINGER, linger_cb);
  return G_SOURCE_REMOVE;
}

static void
update (VtsService *self)
{
  if (self->phase != PHASE_RUNNING)
    return;
  if (vts_manager_is_needed (self->manager))
    stop_timer (self);
  else
    start_timer (self, self->idle, idle_cb);
}

/* Before each call. */
static gboolean
gate_cb (void *user_data)
{
  VtsService *self = user_data;

  if (self->phase == PHASE_LEAVING && take_name (self))
    self->phase = PHASE_RUNNING;
  update (self);
  return self->phase == PHASE_RUNNING || self->phase == PHASE_STARTING;
}

static void
failed_cb (VtsService *self, const GError *error, VtsTunnel *tunnel)
{
  vts_notifier_tell (self->connection, tunnel, error);
}

static void
watch_tunnel (VtsService *self, VtsTunnel *tunnel)
{
  g_signal_connect_object (tunnel, "changed", G_CALLBACK (update), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (tunnel, "failed", G_CALLBACK (failed_cb), self, G_CONNECT_SWAPPED);
}

static void
added_cb (VtsService *self, VtsTunnel *tunnel)
{
  watch_tunnel (self, tunnel);
  update (self);
}

static void
removed_cb (VtsService *self, VtsTunnel *tunnel)
{
  g_signal_handlers_disconnect_by_data (tunnel, self);
  update (self);
}

/* The second one does not wait for anything. */
static gboolean
signalled_cb (void *user_data)
{
  VtsService *self = user_data;

  if (self->phase == PHASE_ENDING)
    g_main_loop_quit (self->loop);
  else
    end (self);
  return G_SOURCE_CONTINUE;
}

static void
connection_closed_cb (VtsService *self)
{
  if (self->phase != PHASE_ENDING)
    {
      stop_timer (self);
      self->phase = PHASE_ENDING;
      vts_manager_close_async (self->manager, closed_cb, g_object_ref (self));
    }
}

static void
watch_signals (VtsService *self)
{
  static const int numbers[] = { SIGTERM, SIGINT, SIGHUP };

  for (size_t i = 0; i < G_N_ELEMENTS (numbers); i++)
    {
      GSource *source = g_unix_signal_source_new (numbers[i]);

      g_source_set_static_name (source, "vtunnel-session: signal");
      g_source_set_callback (source, signalled_cb, self, NULL);
      g_source_attach (source, g_main_context_get_thread_default ());
      g_ptr_array_add (self->signals, source);
    }
}

static void
destroy_source (void *source)
{
  g_source_destroy (source);
  g_source_unref (source);
}

static void
vts_service_dispose (GObject *object)
{
  VtsService *self = VTS_SERVICE (object);

  stop_timer (self);
  g_clear_pointer (&self->signals, g_ptr_array_unref);
  g_clear_object (&self->bus);
  g_clear_object (&self->manager);
  g_clear_object (&self->connection);
  G_OBJECT_CLASS (vts_service_parent_class)->dispose (object);
}

static void
vts_service_finalize (GObject *object)
{
  VtsService *self = VTS_SERVICE (object);

  g_main_loop_unref (self->loop);
  G_OBJECT_CLASS (vts_service_parent_class)->finalize (object);
}

static void
vts_service_class_init (VtsServiceClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = vts_service_dispose;
  G_OBJECT_CLASS (klass)->finalize = vts_service_finalize;
}

static void
vts_service_init (VtsService *self)
{
  self->loop = g_main_loop_new (NULL, FALSE);
  self->signals = g_ptr_array_new_with_free_func (destroy_source);
}

VtsService *
vts_service_new (GDBusConnection *connection,
                 VtsManager *manager,
                 gboolean has_keyring,
                 unsigned int idle)
{
  VtsService *self = g_object_new (VTS_TYPE_SERVICE, NULL);
  GListModel *tunnels = vts_manager_get_tunnels (manager);
  unsigned int n = g_list_model_get_n_items (tunnels);

  self->connection = g_object_ref (connection);
  self->manager = g_object_ref (manager);
  self->idle = idle;
  self->bus = vts_bus_new (manager, has_keyring, gate_cb, self);
  g_signal_connect_object (manager, "added", G_CALLBACK (added_cb), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (manager, "removed", G_CALLBACK (removed_cb), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (connection, "closed", G_CALLBACK (connection_closed_cb), self,
                           G_CONNECT_SWAPPED);
  for (unsigned int i = 0; i < n; i++)
    {
      g_autoptr(VtsTunnel) tunnel = g_list_model_get_item (tunnels, i);

      watch_tunnel (self, tunnel);
    }
  return self;
}

gboolean
vts_service_run (VtsService *self)
{
  watch_signals (self);
  vts_bus_export (self->bus, self->connection);
  if (!take_name (self))
    {
      g_message (_ ("Another vtunnel-session is running already"));
      return FALSE;
    }
  self->phase = PHASE_RUNNING;
  vts_manager_autoconnect (self->manager);
  update (self);
  g_main_loop_run (self->loop);

  /* Whoever asked is answered, be it that there is no answer any more. */
  while (g_main_context_iteration (NULL, FALSE))
    continue;
  vts_bus_unexport (self->bus);
  g_dbus_connection_flush_sync (self->connection, NULL, NULL);
  return TRUE;
}
