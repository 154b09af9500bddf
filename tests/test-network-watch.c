/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-network-watch-private.h"

#define SECOND G_TIME_SPAN_SECOND
#define MILLISECOND G_TIME_SPAN_MILLISECOND
#define DEADLINE (10 * SECOND)

/* A monitor that says what the test wants. */
#define DUMMY_TYPE_MONITOR (dummy_monitor_get_type ())
G_DECLARE_FINAL_TYPE (DummyMonitor, dummy_monitor, DUMMY, MONITOR, GObject)

struct _DummyMonitor {
  GObject parent_instance;
};

enum {
  PROP_NETWORK_AVAILABLE = 1,
  PROP_NETWORK_METERED,
  PROP_CONNECTIVITY,
};

static gboolean
dummy_monitor_init_fully (GInitable *initable, GCancellable *cancellable, GError **error)
{
  return TRUE;
}

static void
dummy_monitor_initable_init (GInitableIface *iface)
{
  iface->init = dummy_monitor_init_fully;
}

static void
dummy_monitor_monitor_init (GNetworkMonitorInterface *iface)
{
}

G_DEFINE_FINAL_TYPE_WITH_CODE (DummyMonitor,
                               dummy_monitor,
                               G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (G_TYPE_INITABLE, dummy_monitor_initable_init)
                                   G_IMPLEMENT_INTERFACE (G_TYPE_NETWORK_MONITOR,
                                                          dummy_monitor_monitor_init))

/* The watch has what it needs from the signal. */
static void
dummy_monitor_get_property (GObject *object, unsigned int id, GValue *value, GParamSpec *pspec)
{
  g_assert_not_reached ();
}

static void
dummy_monitor_class_init (DummyMonitorClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->get_property = dummy_monitor_get_property;
  g_object_class_override_property (object_class, PROP_NETWORK_AVAILABLE, "network-available");
  g_object_class_override_property (object_class, PROP_NETWORK_METERED, "network-metered");
  g_object_class_override_property (object_class, PROP_CONNECTIVITY, "connectivity");
}

static void
dummy_monitor_init (DummyMonitor *self)
{
}

/* A watch, and what it tells. */
typedef struct {
  GNetworkMonitor *monitor; /* owned */
  VtClock *clock;           /* owned, a fake one */
  VtNetworkWatch *watch;    /* owned, NULL once freed */
  gint64 offset;
  int n_looks; /* for how long it slept */
  int n_told;
  GThread *teller; /* not owned, who told last */
  gboolean free_within;
} Place;

static gint64
get_offset (void *user_data)
{
  Place *self = user_data;

  self->n_looks++;
  return self->offset;
}

static void
changed_cb (void *user_data)
{
  Place *self = user_data;

  self->n_told++;
  self->teller = g_thread_self ();
  if (self->free_within)
    g_clear_pointer (&self->watch, vt_network_watch_free);
}

static void
place_set_up (Place *self, const void *data)
{
  self->monitor = g_object_new (DUMMY_TYPE_MONITOR, NULL);
  self->clock = vt_clock_new_fake ();
  self->watch =
      vt_network_watch_new_full (self->monitor, self->clock, get_offset, changed_cb, self);
}

static gboolean
is_listened_to (GNetworkMonitor *monitor)
{
  unsigned int id = g_signal_lookup ("network-changed", G_TYPE_NETWORK_MONITOR);

  return g_signal_handler_find (monitor, G_SIGNAL_MATCH_ID, id, 0, NULL, NULL, NULL) != 0;
}

static void
place_tear_down (Place *self, const void *data)
{
  g_clear_pointer (&self->watch, vt_network_watch_free);
  vt_clock_unref (self->clock);
  g_assert_false (is_listened_to (self->monitor));
  g_object_add_weak_pointer (G_OBJECT (self->monitor), (void **) &self->monitor);
  g_object_unref (self->monitor);
  g_assert_null (self->monitor);
}

static void
emit (Place *self, gboolean available)
{
  g_signal_emit_by_name (self->monitor, "network-changed", available);
}

/* Lets what was emitted arrive, and time go on. */
static void
advance (Place *self, gint64 microseconds)
{
  while (g_main_context_iteration (NULL, FALSE))
    ;
  vt_clock_advance (self->clock, microseconds);
}

/* What happens at which time, in milliseconds, and how often it has been told by when. */
typedef struct {
  gint64 time;
  enum { END, UP, DOWN, SLEPT, TOLD } what;
  int n_told;
} Event;

static const struct {
  const char *name;
  Event events[16];
} stories[] = {
  { "nothing", { { 60000, TOLD, 0 } } },
  { "change", { { 0, UP }, { 99, TOLD, 0 }, { 100, TOLD, 1 }, { 60000, TOLD, 1 } } },
  { "burst-at-once", { { 0, UP }, { 0, UP }, { 0, UP }, { 100, TOLD, 1 }, { 60000, TOLD, 1 } } },
  { "burst",
    { { 0, UP },
      { 40, UP },
      { 99, UP },
      { 100, TOLD, 1 },
      { 150, UP },
      { 249, TOLD, 1 },
      { 250, TOLD, 2 },
      { 60000, TOLD, 2 } } },
  { "long-burst",
    { { 0, UP },
      { 60, UP },
      { 120, UP },
      { 180, UP },
      { 240, UP },
      { 300, UP },
      { 360, UP },
      { 361, TOLD, 3 },
      { 60000, TOLD, 4 } } },
  { "gone", { { 0, DOWN }, { 60000, TOLD, 0 } } },
  { "gone-at-once", { { 0, UP }, { 0, DOWN }, { 60000, TOLD, 0 } } },
  { "gone-soon", { { 0, UP }, { 99, DOWN }, { 60000, TOLD, 0 } } },
  { "gone-later", { { 0, UP }, { 101, DOWN }, { 101, TOLD, 1 }, { 60000, TOLD, 1 } } },
  { "back", { { 0, DOWN }, { 5000, UP }, { 5099, TOLD, 0 }, { 5100, TOLD, 1 } } },
  { "back-at-once", { { 0, DOWN }, { 0, UP }, { 100, TOLD, 1 }, { 60000, TOLD, 1 } } },
  { "back-soon",
    { { 0, UP },
      { 50, DOWN },
      { 90, UP },
      { 189, TOLD, 0 },
      { 190, TOLD, 1 },
      { 60000, TOLD, 1 } } },
  /* The watch of this test looks each 10 s. */
  { "slept", { { 5000, SLEPT }, { 10099, TOLD, 0 }, { 10100, TOLD, 1 }, { 60000, TOLD, 1 } } },
  { "slept-twice",
    { { 5000, SLEPT },
      { 15000, SLEPT },
      { 20099, TOLD, 1 },
      { 20100, TOLD, 2 },
      { 60000, TOLD, 2 } } },
  { "slept-and-changed",
    { { 5000, SLEPT }, { 10010, UP }, { 10100, TOLD, 1 }, { 60000, TOLD, 1 } } },
  { "changed-and-slept",
    { { 5000, SLEPT }, { 9950, UP }, { 10050, TOLD, 1 }, { 60000, TOLD, 1 } } },
  { "slept-and-gone", { { 5000, SLEPT }, { 10010, DOWN }, { 10100, TOLD, 1 } } },
  { "slept-then-gone-soon",
    { { 5000, SLEPT }, { 10100, TOLD, 1 }, { 10200, UP }, { 10250, DOWN }, { 60000, TOLD, 1 } } },
};

static void
test_story (Place *self, const void *data)
{
  size_t i = GPOINTER_TO_SIZE (data);

  for (const Event *event = stories[i].events; event->what != END; event++)
    {
      advance (self, event->time * MILLISECOND - vt_clock_get_time (self->clock));
      if (event->what == SLEPT)
        self->offset += G_TIME_SPAN_HOUR;
      else if (event->what == TOLD)
        g_assert_cmpint (self->n_told, ==, event->n_told);
      else
        emit (self, event->what == UP);
    }
}

/* Nothing comes from within the signal. */
static void
test_own_dispatch (Place *self, const void *data)
{
  emit (self, TRUE);
  vt_clock_advance (self->clock, G_TIME_SPAN_HOUR);
  g_assert_cmpint (self->n_told, ==, 0);
  advance (self, 0);
  advance (self, 100 * MILLISECOND);
  g_assert_cmpint (self->n_told, ==, 1);
}

static void
test_free_within (Place *self, const void *data)
{
  self->free_within = TRUE;
  emit (self, TRUE);
  advance (self, SECOND);
  g_assert_cmpint (self->n_told, ==, 1);
  g_assert_null (self->watch);
  emit (self, TRUE);
  advance (self, SECOND);
  g_assert_cmpint (self->n_told, ==, 1);
}

static void
test_free_pending (Place *self, const void *data)
{
  gboolean arrives = GPOINTER_TO_INT (data);

  emit (self, TRUE);
  if (arrives)
    advance (self, 0);
  g_clear_pointer (&self->watch, vt_network_watch_free);
  advance (self, 60 * SECOND);
  g_assert_cmpint (self->n_told, ==, 0);
  g_assert_cmpint (self->n_looks, ==, 1);
}

/* The monitor belongs to another thread, as that of a process does to whoever asked first. */
static gpointer
emit_thread (gpointer data)
{
  emit (data, TRUE);
  return NULL;
}

static void
test_thread_other (Place *self, const void *data)
{
  g_thread_join (g_thread_new ("monitor", emit_thread, self));
  g_assert_cmpint (self->n_told, ==, 0);
  advance (self, SECOND);
  g_assert_cmpint (self->n_told, ==, 1);
  g_assert_true (self->teller == g_thread_self ());
}

static gpointer
emit_many_thread (gpointer data)
{
  for (int i = 0; i < 2000; i++)
    emit (data, i % 2 == 0);
  return NULL;
}

/* Watches come and go while signals are on their way. */
static void
test_thread_free (Place *self, const void *data)
{
  GThread *thread = g_thread_new ("monitor", emit_many_thread, self);

  for (int i = 0; i < 500; i++)
    {
      g_autoptr(GMainContext) context = g_main_context_new ();
      VtNetworkWatch *watch;

      g_main_context_push_thread_default (context);
      watch = vt_network_watch_new_full (self->monitor, self->clock, get_offset, changed_cb, self);
      g_main_context_iteration (context, FALSE);
      vt_network_watch_free (watch);
      g_main_context_pop_thread_default (context);
    }
  g_thread_join (thread);
}

/* Not from the context that happens to be run, but from that of the watch. */
static void
test_context (void)
{
  g_autoptr(GMainContext) context = g_main_context_new ();
  Place self = { 0 };

  g_main_context_push_thread_default (context);
  place_set_up (&self, NULL);
  g_main_context_pop_thread_default (context);
  emit (&self, TRUE);
  advance (&self, 0);
  advance (&self, SECOND);
  g_assert_cmpint (self.n_told, ==, 0);
  while (g_main_context_iteration (context, FALSE))
    ;
  advance (&self, SECOND);
  g_assert_cmpint (self.n_told, ==, 1);
  place_tear_down (&self, NULL);
}

/* The monitor of this process, the real time, and sleep as the system tells it. */
static void
test_default (void)
{
  g_autoptr(VtClock) clock = vt_clock_get (NULL);
  gint64 end = g_get_monotonic_time () + DEADLINE;
  Place self = { 0 };

  self.watch = vt_network_watch_new (NULL, clock, changed_cb, &self);
  self.monitor = g_network_monitor_get_default ();
  /* It is taken when nobody would have to wait for it. */
  while (!is_listened_to (self.monitor))
    g_main_context_iteration (NULL, TRUE);
  emit (&self, TRUE);
  while (self.n_told == 0)
    {
      g_assert_cmpint (g_get_monotonic_time (), <, end);
      g_main_context_iteration (NULL, TRUE);
    }
  vt_network_watch_free (self.watch);
}

#define ADD(path, data, func) g_test_add (path, Place, data, place_set_up, func, place_tear_down)

int
main (int argc, char *argv[])
{
  /* What the network of this machine does must not come into it. */
  g_setenv ("GIO_USE_NETWORK_MONITOR", "base", TRUE);
  g_test_init (&argc, &argv, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS (stories); i++)
    {
      g_autofree char *path = g_strdup_printf ("/network-watch/story/%s", stories[i].name);

      ADD (path, GSIZE_TO_POINTER (i), test_story);
    }
  ADD ("/network-watch/own-dispatch", NULL, test_own_dispatch);
  ADD ("/network-watch/free/within", NULL, test_free_within);
  ADD ("/network-watch/free/signalled", GINT_TO_POINTER (FALSE), test_free_pending);
  ADD ("/network-watch/free/arrived", GINT_TO_POINTER (TRUE), test_free_pending);
  ADD ("/network-watch/thread/other", NULL, test_thread_other);
  ADD ("/network-watch/thread/free", NULL, test_thread_free);
  g_test_add_func ("/network-watch/context", test_context);
  g_test_add_func ("/network-watch/default", test_default);
  return g_test_run ();
}
