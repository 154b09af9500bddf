/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "time-skip.h"

#include "vt-clock-private.h"

#include <sys/socket.h>
#include <unistd.h>

#include "vt-poller-private.h"
#include "vt-ready-set-private.h"

/* What is done at the end of a dispatch. */

#define DEADLINE (10 * G_TIME_SPAN_SECOND)

typedef struct {
  VtClock *clock; /* owned */
  GString *log;   /* owned: a letter for each timer that fired */
} Fixture;

typedef struct _Actor Actor;
struct _Actor {
  Fixture *story; /* not owned */
  char letter;
  VtTimer *timer; /* owned */
  Actor *other;   /* not owned, nullable */
  unsigned int restarts;
  void (*react) (Actor *self); /* nullable: what it does when it fires */
};

static void
set_up (Fixture *self, const void *data)
{
  self->clock = vt_clock_get (NULL);
  self->log = g_string_new (NULL);
}

static void
set_up_fake (Fixture *self, const void *data)
{
  self->clock = vt_clock_new_fake ();
  self->log = g_string_new (NULL);
}

static void
tear_down (Fixture *self, const void *data)
{
  g_clear_pointer (&self->clock, vt_clock_unref);
  g_string_free (self->log, TRUE);
}

static void
actor_cb (void *user_data)
{
  Actor *self = user_data;

  g_assert_false (vt_timer_is_running (self->timer));
  g_string_append_c (self->story->log, self->letter);
  if (self->react != NULL)
    self->react (self);
}

static void
actor_init (Actor *self, Fixture *story, char letter)
{
  *self = (Actor){ .story = story, .letter = letter };
  self->timer = vt_timer_new (story->clock, "actor", actor_cb, self);
}

static void
actor_clear (Actor *self)
{
  g_clear_pointer (&self->timer, vt_timer_free);
}

/* Turns the main loop until so many have fired. */
static void
run_until_length (Fixture *self, size_t length)
{
  gint64 end = g_get_monotonic_time () + DEADLINE;

  while (self->log->len < length)
    {
      g_assert_cmpint (g_get_monotonic_time (), <, end);
      g_main_context_iteration (NULL, FALSE);
    }
}

static void
turn (void)
{
  for (unsigned int i = 0; i < 5; i++)
    g_main_context_iteration (NULL, FALSE);
}

/* In the order in which they were started, and not again. */
static void
test_order (Fixture *self, const void *data)
{
  Actor a, b, c;

  actor_init (&a, self, 'a');
  actor_init (&b, self, 'b');
  actor_init (&c, self, 'c');
  vt_timer_start (c.timer, 0);
  vt_timer_start_soon (b.timer);
  vt_timer_start_soon (a.timer);
  g_assert_true (vt_timer_is_running (a.timer));
  g_assert_cmpstr (self->log->str, ==, "");
  vt_clock_end_dispatch (self->clock);
  g_assert_cmpstr (self->log->str, ==, "ba");
  g_assert_false (vt_timer_is_running (a.timer));
  g_assert_true (vt_timer_is_running (c.timer));
  vt_clock_end_dispatch (self->clock);
  run_until_length (self, 3);
  turn ();
  g_assert_cmpstr (self->log->str, ==, "bac");
  actor_clear (&a);
  actor_clear (&b);
  actor_clear (&c);
}

/* Only the last start counts, of whichever kind. */
static void
test_start_again (Fixture *self, const void *data)
{
  Actor a, b;

  actor_init (&a, self, 'a');
  actor_init (&b, self, 'b');
  vt_timer_start_soon (a.timer);
  vt_timer_start_soon (b.timer);
  vt_timer_start_soon (a.timer);
  vt_clock_end_dispatch (self->clock);
  g_assert_cmpstr (self->log->str, ==, "ba");

  vt_timer_start_soon (a.timer);
  vt_timer_start (a.timer, G_TIME_SPAN_HOUR);
  vt_clock_end_dispatch (self->clock);
  turn ();
  g_assert_cmpstr (self->log->str, ==, "ba");
  g_assert_true (vt_timer_is_running (a.timer));
  vt_timer_start_soon (a.timer);
  vt_clock_end_dispatch (self->clock);
  g_assert_cmpstr (self->log->str, ==, "baa");
  g_assert_false (vt_timer_is_running (a.timer));
  actor_clear (&a);
  actor_clear (&b);
}

static void
test_stop (Fixture *self, const void *data)
{
  Actor a, b;

  actor_init (&a, self, 'a');
  actor_init (&b, self, 'b');
  vt_timer_start_soon (a.timer);
  vt_timer_start_soon (b.timer);
  vt_timer_stop (a.timer);
  g_assert_false (vt_timer_is_running (a.timer));
  vt_timer_stop (a.timer);
  actor_clear (&b);
  vt_clock_end_dispatch (self->clock);
  turn ();
  g_assert_cmpstr (self->log->str, ==, "");
  actor_clear (&a);
}

static void
start_other (Actor *self)
{
  vt_timer_start_soon (self->other->timer);
}

/* What one starts is done in the same end of a dispatch, behind what was started before. */
static void
test_chain (Fixture *self, const void *data)
{
  Actor a, b, c, d;

  actor_init (&a, self, 'a');
  actor_init (&b, self, 'b');
  actor_init (&c, self, 'c');
  actor_init (&d, self, 'd');
  a.react = b.react = start_other;
  a.other = &b;
  b.other = &c;
  vt_timer_start_soon (a.timer);
  vt_timer_start_soon (d.timer);
  vt_clock_end_dispatch (self->clock);
  g_assert_cmpstr (self->log->str, ==, "adbc");
  actor_clear (&a);
  actor_clear (&b);
  actor_clear (&c);
  actor_clear (&d);
}

static void
restart (Actor *self)
{
  if (self->restarts == 0)
    return;
  self->restarts--;
  vt_timer_start_soon (self->timer);
}

static void
test_restart_within (Fixture *self, const void *data)
{
  Actor a;

  actor_init (&a, self, 'a');
  a.react = restart;
  a.restarts = 3;
  vt_timer_start_soon (a.timer);
  vt_clock_end_dispatch (self->clock);
  g_assert_cmpstr (self->log->str, ==, "aaaa");
  actor_clear (&a);
}

static gboolean
count_cb (gpointer user_data)
{
  ++*(unsigned int *) user_data;
  return G_SOURCE_CONTINUE;
}

/* One that starts itself again for ever leaves the rest of the main loop its turns. */
static void
test_restart_for_ever (Fixture *self, const void *data)
{
  g_autoptr(GSource) source = g_idle_source_new ();
  unsigned int n_turns = 0;
  Actor a;

  actor_init (&a, self, 'a');
  a.react = restart;
  a.restarts = G_MAXUINT;
  time_thaw ();
  vt_timer_start_soon (a.timer);
  vt_clock_end_dispatch (self->clock);
  g_assert_cmpuint (self->log->len, >, 1);
  g_assert_true (vt_timer_is_running (a.timer));

  g_source_set_callback (source, count_cb, &n_turns, NULL);
  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  g_source_attach (source, NULL);
  turn ();
  time_freeze ();
  g_assert_cmpuint (n_turns, ==, 5);
  g_source_destroy (source);
  actor_clear (&a);
}

static void
stop_other (Actor *self)
{
  vt_timer_stop (self->other->timer);
}

static void
free_both (Actor *self)
{
  actor_clear (self->other);
  actor_clear (self);
}

static void
test_stop_within (Fixture *self, const void *data)
{
  Actor a, b;

  actor_init (&a, self, 'a');
  actor_init (&b, self, 'b');
  a.react = stop_other;
  a.other = &b;
  vt_timer_start_soon (a.timer);
  vt_timer_start_soon (b.timer);
  vt_clock_end_dispatch (self->clock);
  g_assert_cmpstr (self->log->str, ==, "a");
  a.react = free_both;
  vt_timer_start_soon (a.timer);
  vt_timer_start_soon (b.timer);
  vt_clock_end_dispatch (self->clock);
  g_assert_cmpstr (self->log->str, ==, "aa");
}

static void
free_all (Actor *self)
{
  actor_clear (self);
  g_clear_pointer (&self->story->clock, vt_clock_unref);
}

/* The last reference to the clock goes in what it calls. */
static void
test_last_reference_within (Fixture *self, const void *data)
{
  Actor a;

  actor_init (&a, self, 'a');
  a.react = free_all;
  vt_timer_start_soon (a.timer);
  vt_clock_end_dispatch (self->clock);
  g_assert_null (self->clock);
  g_assert_cmpstr (self->log->str, ==, "a");
}

static gboolean
slept_cb (gpointer user_data)
{
  g_assert_not_reached ();
  return G_SOURCE_REMOVE;
}

/* Without a dispatch of ours the next turn does it, which does not wait for anything. */
static void
test_no_dispatch (Fixture *self, const void *data)
{
  g_autoptr(GSource) source = g_timeout_source_new_seconds (5);
  Actor a;

  actor_init (&a, self, 'a');
  g_source_set_callback (source, slept_cb, NULL, NULL);
  g_source_attach (source, NULL);
  turn ();
  g_assert_false (g_main_context_pending (NULL));
  vt_timer_start_soon (a.timer);
  g_assert_cmpstr (self->log->str, ==, "");
  g_main_context_iteration (NULL, TRUE);
  g_assert_cmpstr (self->log->str, ==, "a");
  g_assert_false (g_main_context_pending (NULL));
  g_source_destroy (source);
  actor_clear (&a);
}

/* A dispatch of timers ends like any other: one turn of the main loop is enough. */
static void
test_after_timers (Fixture *self, const void *data)
{
  Actor a, b, c;

  actor_init (&a, self, 'a');
  actor_init (&b, self, 'b');
  actor_init (&c, self, 'c');
  a.react = start_other;
  a.other = &b;
  vt_timer_start (c.timer, G_TIME_SPAN_HOUR);
  vt_timer_start (a.timer, 0);
  g_main_context_iteration (NULL, TRUE);
  g_assert_cmpstr (self->log->str, ==, "ab");
  actor_clear (&a);
  actor_clear (&b);
  actor_clear (&c);
}

static void
start_other_and_run (Actor *self)
{
  vt_timer_start_soon (self->other->timer);
  run_until_length (self->story, self->story->log->len + 1);
}

/* In a loop that an application runs within a function, of either kind of timer. */
static void
test_nested_loop (Fixture *self, const void *data)
{
  Actor a, b, c;

  actor_init (&a, self, 'a');
  actor_init (&b, self, 'b');
  actor_init (&c, self, 'c');
  a.react = start_other_and_run;
  a.other = &b;
  vt_timer_start_soon (a.timer);
  vt_timer_start_soon (c.timer);
  vt_clock_end_dispatch (self->clock);
  g_assert_cmpstr (self->log->str, ==, "acb");
  vt_timer_start (a.timer, 0);
  run_until_length (self, 5);
  g_assert_cmpstr (self->log->str, ==, "acbab");
  actor_clear (&a);
  actor_clear (&b);
  actor_clear (&c);
}

/* With a fake clock, what is done soon is what has a delay of 0. */
static void
test_fake (Fixture *self, const void *data)
{
  Actor a, b;

  actor_init (&a, self, 'a');
  actor_init (&b, self, 'b');
  a.react = start_other;
  a.other = &b;
  vt_timer_start (b.timer, 1);
  vt_timer_start_soon (a.timer);
  g_assert_true (vt_timer_is_running (a.timer));
  vt_clock_end_dispatch (self->clock);
  g_assert_cmpstr (self->log->str, ==, "");
  vt_clock_advance (self->clock, 0);
  g_assert_cmpstr (self->log->str, ==, "a");
  g_assert_true (vt_timer_is_running (b.timer));
  vt_clock_advance (self->clock, 1);
  g_assert_cmpstr (self->log->str, ==, "ab");
  vt_timer_start_soon (a.timer);
  vt_timer_stop (a.timer);
  vt_clock_advance (self->clock, 1);
  g_assert_cmpstr (self->log->str, ==, "ab");
  actor_clear (&a);
  actor_clear (&b);
}

/* The poller. */

typedef struct {
  Actor a;
  int fds[2];
  VtWatch *watch;
  gboolean nested;
} Watched;

static void
watched_cb (GIOCondition condition, void *user_data)
{
  Watched *self = user_data;
  char byte;

  g_assert_cmpint (read (self->fds[0], &byte, 1), ==, 1);
  vt_timer_start_soon (self->a.timer);
  g_assert_cmpstr (self->a.story->log->str, ==, "");
  if (self->nested)
    run_until_length (self->a.story, 1);
}

static void
watch (Watched *self, Fixture *story)
{
  g_autoptr(VtPoller) poller = vt_poller_get (NULL);

  actor_init (&self->a, story, 'a');
  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, self->fds), ==, 0);
  self->watch = vt_watch_new (poller, self->fds[0], G_IO_IN, watched_cb, self, NULL);
  g_assert_nonnull (self->watch);
  turn ();
  g_assert_cmpint (write (self->fds[1], "x", 1), ==, 1);
}

static void
unwatch (Watched *self)
{
  vt_watch_free (self->watch);
  close (self->fds[0]);
  close (self->fds[1]);
  actor_clear (&self->a);
}

static void
test_poller (Fixture *self, const void *data)
{
  Watched watched = { 0 };

  watch (&watched, self);
  g_main_context_iteration (NULL, TRUE);
  g_assert_cmpstr (self->log->str, ==, "a");
  g_assert_false (g_main_context_pending (NULL));
  unwatch (&watched);
}

static void
test_poller_nested_loop (Fixture *self, const void *data)
{
  Watched watched = { .nested = TRUE };

  watch (&watched, self);
  g_main_context_iteration (NULL, TRUE);
  g_assert_cmpstr (self->log->str, ==, "a");
  unwatch (&watched);
}

/* The pollable sources of a stream. */

static gboolean
is_ready_cb (void *user_data)
{
  return *(gboolean *) user_data;
}

static gboolean
ready_cb (GObject *stream, gpointer user_data)
{
  Actor *self = user_data;
  gboolean *ready = g_object_get_data (stream, "ready");

  *ready = FALSE;
  vt_timer_start_soon (self->timer);
  g_assert_cmpstr (self->story->log->str, ==, "");
  return G_SOURCE_CONTINUE;
}

/* `data`: whether the set knows of a clock, and else leaves it to the next turn. */
static void
test_ready_set (Fixture *self, const void *data)
{
  g_autoptr(GObject) stream = g_object_new (G_TYPE_OBJECT, NULL);
  g_autoptr(GSource) source = NULL;
  gboolean ready = FALSE;
  VtReadySet set;
  Actor a;

  actor_init (&a, self, 'a');
  g_object_set_data (stream, "ready", &ready);
  vt_ready_set_init (&set, is_ready_cb, &ready, data != NULL ? self->clock : NULL);
  source = vt_ready_set_create_source (&set, stream, NULL);
  g_source_set_callback (source, G_SOURCE_FUNC (ready_cb), &a, NULL);
  g_source_attach (source, NULL);
  turn ();
  ready = TRUE;
  vt_ready_set_wake (&set);
  g_main_context_iteration (NULL, TRUE);
  g_assert_cmpstr (self->log->str, ==, data != NULL ? "a" : "");
  g_main_context_iteration (NULL, FALSE);
  g_assert_cmpstr (self->log->str, ==, "a");
  g_source_destroy (source);
  g_clear_pointer (&source, g_source_unref);
  vt_ready_set_clear (&set);
  actor_clear (&a);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  /* What one dispatch does must not depend on how fast the machine is. */
  time_freeze ();
#define ADD(path, data, func)                                                                      \
  g_test_add ("/clock/soon/" path, Fixture, data, set_up, func, tear_down)
  ADD ("order", NULL, test_order);
  ADD ("start-again", NULL, test_start_again);
  ADD ("stop", NULL, test_stop);
  ADD ("chain", NULL, test_chain);
  ADD ("within/restart", NULL, test_restart_within);
  ADD ("within/restart-for-ever", NULL, test_restart_for_ever);
  ADD ("within/stop-and-free", NULL, test_stop_within);
  ADD ("within/last-reference", NULL, test_last_reference_within);
  ADD ("no-dispatch", NULL, test_no_dispatch);
  ADD ("after-timers", NULL, test_after_timers);
  ADD ("nested-loop", NULL, test_nested_loop);
  ADD ("poller", NULL, test_poller);
  ADD ("poller/nested-loop", NULL, test_poller_nested_loop);
  ADD ("ready-set", "", test_ready_set);
  ADD ("ready-set/no-clock", NULL, test_ready_set);
#undef ADD
  g_test_add ("/clock/soon/fake", Fixture, NULL, set_up_fake, test_fake, tear_down);
  return g_test_run ();
}
