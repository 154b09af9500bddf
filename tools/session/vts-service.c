/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vts-service.h"

#include <glib-unix.h>
#include <glib/gi18n.h>
#include <signal.h>

#include "vts-bus.h"
#include "vts-notifier.h"

/* For the calls that were there before the end: how long they may take, and how often it is looked
 * whether they are done. */
#define LAST_CALLS (10 * G_TIME_SPAN_SECOND)
#define PAUSE 50 /* milliseconds */

/* For the answers, when nothing is left to be done but to send them. */
#define LAST_ANSWERS G_TIME_SPAN_SECOND

/* Whose turn it is to serve the calls. A process has it for as long as it lives, longer than the
 * name that calls are sent to: the next one waits for its turn, so that this one can take the name
 * again. */
#define TURN_NAME BUS_NAME ".Turn"

#define DBUS_NAME "org.freedesktop.DBus"
#define DBUS_PATH "/org/freedesktop/DBus"
#define DO_NOT_QUEUE 4
#define PRIMARY_OWNER 1
#define ALREADY_OWNER 4

typedef enum {
  PHASE_WAITING, /* for its turn */
  PHASE_STARTING,
  PHASE_RUNNING, /* has the name */
  PHASE_LEAVING, /* has it no more, and would take it again */
  PHASE_LAST,    /* has it no more, and cannot stay: serves what was there before */
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
  VtsServiceOptions options;
  gint64 last_calls_end; /* of the monotonic clock */
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

/* Puts itself in the queue for the turn. */
static gboolean
ask_for_turn (VtsService *self, gboolean *has_turn)
{
  unsigned int answer = 0;

  if (!call_bus (self, "RequestName", g_variant_new ("(su)", TURN_NAME, 0), &answer))
    return FALSE;
  *has_turn = answer == PRIMARY_OWNER || answer == ALREADY_OWNER;
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
last_calls_cb (void *user_data)
{
  VtsService *self = user_data;

  if (vts_bus_is_busy (self->bus) && g_get_monotonic_time () < self->last_calls_end)
    start_timer (self, PAUSE, last_calls_cb);
  else
    end (self);
  return G_SOURCE_REMOVE;
}

/* The calls that the bus has sent before are all there when it has answered, and the timer is
 * behind them. What comes later goes to the next process. */
static void
leave (VtsService *self)
{
  self->phase = self->options.is_managed ? PHASE_LAST : PHASE_LEAVING;
  give_name_back (self);
  self->last_calls_end = g_get_monotonic_time () + LAST_CALLS;
  if (self->options.is_managed)
    start_timer (self, 0, last_calls_cb);
  else
    start_timer (self, self->options.linger, linger_cb);
}

static gboolean
idle_cb (void *user_data)
{
  VtsService *self = user_data;

  if (vts_bus_is_busy (self->bus) || vts_manager_is_needed (self->manager))
    update (self);
  else
    leave (self);
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
    start_timer (self, self->options.idle, idle_cb);
}

/* Before each call. */
static gboolean
gate_cb (gboolean needs_service, void *user_data)
{
  VtsService *self = user_data;

  if (self->phase == PHASE_LEAVING && take_name (self))
    self->phase = PHASE_RUNNING;
  update (self);
  if (self->phase == PHASE_LAST)
    return !needs_service;
  return self->phase == PHASE_RUNNING || self->phase == PHASE_STARTING;
}

static void
failed_cb (VtsService *self, const GError *error, VtsTunnel *tunnel)
{
  vts_notifier_tell (self->connection, tunnel, error);
}

static void
added_cb (VtsService *self, VtsTunnel *tunnel)
{
  g_signal_connect_object (tunnel, "changed", G_CALLBACK (update), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (tunnel, "failed", G_CALLBACK (failed_cb), self, G_CONNECT_SWAPPED);
  update (self);
}

static void
removed_cb (VtsService *self, VtsTunnel *tunnel)
{
  g_signal_handlers_disconnect_by_data (tunnel, self);
  update (self);
}

/* The second one does not wait for anything. A service manager sends one when the name is given
 * back, which is no news. */
static gboolean
signalled_cb (void *user_data)
{
  VtsService *self = user_data;

  if (self->phase == PHASE_ENDING)
    g_main_loop_quit (self->loop);
  else if (self->phase != PHASE_LAST)
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
vts_service_new (GDBusConnection *connection, VtsManager *manager, const VtsServiceOptions *options)
{
  VtsService *self = g_object_new (VTS_TYPE_SERVICE, NULL);

  self->connection = g_object_ref (connection);
  self->manager = g_object_ref (manager);
  self->options = *options;
  self->bus = vts_bus_new (manager, options->has_keyring, gate_cb, self);
  g_signal_connect_object (manager, "added", G_CALLBACK (added_cb), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (manager, "removed", G_CALLBACK (removed_cb), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (connection, "closed", G_CALLBACK (connection_closed_cb), self,
                           G_CONNECT_SWAPPED);
  return self;
}

static void
turn_cb (GDBusConnection *connection, const char *name, const char *owner, void *user_data)
{
  VtsService *self = user_data;

  if (g_strcmp0 (owner, g_dbus_connection_get_unique_name (connection)) != 0)
    return;
  self->phase = PHASE_STARTING;
  g_main_loop_quit (self->loop);
}

/* Whoever has the turn serves calls again. */
static void
taken_cb (GDBusConnection *connection, const char *name, const char *owner, void *user_data)
{
  VtsService *self = user_data;

  g_main_loop_quit (self->loop);
}

static gboolean
wait_for_turn (VtsService *self)
{
  gboolean has_turn = FALSE;
  unsigned int turn_watch = 0;
  unsigned int name_watch = 0;

  if (!ask_for_turn (self, &has_turn))
    return FALSE;
  if (has_turn)
    {
      self->phase = PHASE_STARTING;
      return TRUE;
    }
  turn_watch =
      g_bus_watch_name_on_connection (self->connection, TURN_NAME, G_BUS_NAME_WATCHER_FLAGS_NONE,
                                      turn_cb, NULL, self, NULL);
  name_watch =
      g_bus_watch_name_on_connection (self->connection, BUS_NAME, G_BUS_NAME_WATCHER_FLAGS_NONE,
                                      taken_cb, NULL, self, NULL);
  g_main_loop_run (self->loop);
  g_bus_unwatch_name (turn_watch);
  g_bus_unwatch_name (name_watch);
  return self->phase == PHASE_STARTING;
}

/* Whoever asked is answered, be it that there is no answer any more; but not for as long as there
 * is anything else to do. */
static void
send_last_answers (VtsService *self)
{
  gint64 end_at = g_get_monotonic_time () + LAST_ANSWERS;

  while (g_get_monotonic_time () < end_at && g_main_context_iteration (NULL, FALSE))
    continue;
  vts_bus_unexport (self->bus);
  g_dbus_connection_flush_sync (self->connection, NULL, NULL);
}

gboolean
vts_service_run (VtsService *self)
{
  watch_signals (self);
  if (!wait_for_turn (self))
    {
      if (self->phase == PHASE_WAITING)
        g_debug ("Another process serves the calls");
      return self->phase == PHASE_ENDING;
    }
  /* What the process before this one has left is complete now. */
  vts_manager_load (self->manager);
  vts_bus_export (self->bus, self->connection);
  if (!take_name (self))
    {
      g_message (_ ("The name %s belongs to another program"), BUS_NAME);
      return FALSE;
    }
  self->phase = PHASE_RUNNING;
  vts_manager_autoconnect (self->manager);
  update (self);
  g_main_loop_run (self->loop);
  send_last_answers (self);
  return TRUE;
}
