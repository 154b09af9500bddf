/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-network-watch-private.h"

#include "vt-network-monitor-private.h"
#include "vt-source-private.h"

/* A change of networks makes many signals. */
#define SETTLING_TIME (100 * G_TIME_SPAN_MILLISECOND)

/* The way from the signal, which comes in the thread of whoever made the monitor, to the watch. It
 * outlasts the watch where that ends while a signal is on its way. */
typedef struct {
  GMutex lock;
  GSource *source;    /* owned, of the watch's context, NULL once the watch is gone */
  gboolean available; /* what the last signal said */
} Bell;

struct _VtNetworkWatch {
  GNetworkMonitor *monitor; /* owned, NULL until it can be had without waiting */
  unsigned long changed_id;
  Bell *bell;          /* owned, shared with the handler of the signal */
  VtSleepWatch *sleep; /* owned */
  VtTimer *settling;   /* owned, runs while there is something to tell */
  gboolean slept;      /* that is what there is to tell, whatever the network does */
  VtSleepWatchOffsetFunc get_offset;
  VtNetworkWatchFunc func;
  void *user_data; /* the caller's */
};

typedef struct {
  GSource source;
  VtNetworkWatch *watch; /* not owned: the watch destroys the source */
} BellSource;

static void
bell_clear (void *data)
{
  Bell *bell = data;

  g_mutex_clear (&bell->lock);
}

static void
bell_release (void *data, GClosure *closure)
{
  g_atomic_rc_box_release_full (data, bell_clear);
}

/* In any thread. */
static void
network_changed_cb (GNetworkMonitor *monitor, gboolean available, void *user_data)
{
  Bell *bell = user_data;

  g_mutex_lock (&bell->lock);
  bell->available = available;
  if (bell->source != NULL)
    g_source_set_ready_time (bell->source, 0);
  g_mutex_unlock (&bell->lock);
}

static gboolean
is_available (Bell *bell)
{
  gboolean available;

  g_mutex_lock (&bell->lock);
  available = bell->available;
  g_mutex_unlock (&bell->lock);
  return available;
}

static void
settle (VtNetworkWatch *self)
{
  if (!vt_timer_is_running (self->settling))
    vt_timer_start (self->settling, SETTLING_TIME);
}

static void
take_monitor (VtNetworkWatch *self, GNetworkMonitor *monitor)
{
  self->monitor = g_object_ref (monitor);
  self->changed_id =
      g_signal_connect_data (self->monitor, "network-changed", G_CALLBACK (network_changed_cb),
                             g_atomic_rc_box_acquire (self->bell), bell_release, G_CONNECT_DEFAULT);
}

/* The system's. */
static void
find_monitor (VtNetworkWatch *self)
{
  if (vt_network_monitor_is_near (self->bell->source))
    take_monitor (self, g_network_monitor_get_default ());
}

static gboolean
bell_source_dispatch (GSource *source, GSourceFunc callback, gpointer user_data)
{
  VtNetworkWatch *self = ((BellSource *) source)->watch;

  g_source_set_ready_time (source, -1);
  if (self->monitor == NULL)
    find_monitor (self);
  else if (is_available (self->bell))
    settle (self);
  else if (!self->slept)
    vt_timer_stop (self->settling);
  return G_SOURCE_CONTINUE;
}

static GSourceFuncs bell_source_funcs = { .dispatch = bell_source_dispatch };

static Bell *
bell_new (VtNetworkWatch *watch)
{
  Bell *bell = g_atomic_rc_box_new0 (Bell);

  g_mutex_init (&bell->lock);
  bell->source = g_source_new (&bell_source_funcs, sizeof (BellSource));
  ((BellSource *) bell->source)->watch = watch;
  g_source_set_static_name (bell->source, "[vtunnel] network watch");
  g_source_attach (bell->source, g_main_context_get_thread_default ());
  return bell;
}

static void
bell_silence (Bell *bell)
{
  GSource *source;

  g_mutex_lock (&bell->lock);
  source = g_steal_pointer (&bell->source);
  g_mutex_unlock (&bell->lock);
  vt_source_destroy (source);
}

static void
slept_cb (void *user_data)
{
  VtNetworkWatch *self = user_data;

  self->slept = TRUE;
  settle (self);
}

static gint64
get_offset_cb (void *user_data)
{
  VtNetworkWatch *self = user_data;

  return self->get_offset (self->user_data);
}

/* The function may free the watch, so nothing of it is looked at afterwards. */
static void
settled_cb (void *user_data)
{
  VtNetworkWatch *self = user_data;

  self->slept = FALSE;
  self->func (self->user_data);
}

VtNetworkWatch *
vt_network_watch_new (GNetworkMonitor *monitor,
                      VtClock *clock,
                      VtNetworkWatchFunc func,
                      void *user_data)
{
  return vt_network_watch_new_full (monitor, clock, NULL, func, user_data);
}

VtNetworkWatch *
vt_network_watch_new_full (GNetworkMonitor *monitor,
                           VtClock *clock,
                           VtSleepWatchOffsetFunc get_offset,
                           VtNetworkWatchFunc func,
                           void *user_data)
{
  VtNetworkWatch *self = g_new0 (VtNetworkWatch, 1);

  self->get_offset = get_offset;
  self->func = func;
  self->user_data = user_data;
  self->settling = vt_timer_new (clock, "network settling", settled_cb, self);
  if (get_offset != NULL)
    self->sleep = vt_sleep_watch_new_full (clock, get_offset_cb, -1, slept_cb, self);
  else
    self->sleep = vt_sleep_watch_new (clock, slept_cb, self);
  self->bell = bell_new (self);
  if (monitor != NULL)
    take_monitor (self, monitor);
  else
    find_monitor (self);
  return self;
}

void
vt_network_watch_free (VtNetworkWatch *self)
{
  if (self->monitor != NULL)
    g_signal_handler_disconnect (self->monitor, self->changed_id);
  else
    vt_network_monitor_forget (self->bell->source);
  bell_silence (self->bell);
  bell_release (self->bell, NULL);
  vt_sleep_watch_free (self->sleep);
  vt_timer_free (self->settling);
  g_clear_object (&self->monitor);
  g_free (self);
}
