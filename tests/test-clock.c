/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-clock-private.h"

#include <string.h>

#define SECOND G_TIME_SPAN_SECOND
#define MILLISECOND G_TIME_SPAN_MILLISECOND
#define DEADLINE (10 * SECOND)

/* What the timers of a test did: one character each, and when. */
typedef struct {
  VtClock *clock;
  GString *log;
  gint64 last;
} Story;

typedef struct {
  Story *story;
  char letter;
  VtTimer *timer;
  VtTimer *other;
  VtClock *clock;
  int restarts;
  gint64 delay;
} Actor;

static void
story_init (Story *story, VtClock *clock)
{
  story->clock = clock;
  story->log = g_string_new (NULL);
  story->last = -1;
}

static void
story_clear (Story *story)
{
  g_string_free (story->log, TRUE);
  vt_clock_unref (story->clock);
}

static void
actor_cb (void *user_data)
{
  Actor *actor = user_data;

  g_string_append_c (actor->story->log, actor->letter);
  actor->story->last = vt_clock_get_time (actor->story->clock);
  if (actor->restarts != 0)
    {
      actor->restarts--;
      vt_timer_start (actor->timer, actor->delay);
    }
}

static void
actor_init (Actor *actor, Story *story, char letter)
{
  *actor = (Actor){ .story = story, .letter = letter };
  actor->timer = vt_timer_new (story->clock, "actor", actor_cb, actor);
}

/* Drives the default context until the story is as long as expected. */
static void
run_until_length (Story *story, size_t length)
{
  gint64 end = g_get_monotonic_time () + DEADLINE;

  while (story->log->len < length)
    {
      g_assert_cmpint (g_get_monotonic_time (), <, end);
      g_main_context_iteration (NULL, FALSE);
    }
}

static void
test_fake_order (void)
{
  Story story;
  Actor a, b, c, d;

  story_init (&story, vt_clock_new_fake ());
  actor_init (&a, &story, 'a');
  actor_init (&b, &story, 'b');
  actor_init (&c, &story, 'c');
  actor_init (&d, &story, 'd');
  vt_timer_start (c.timer, 3 * SECOND);
  vt_timer_start (b.timer, 2 * SECOND);
  vt_timer_start (a.timer, 1 * SECOND);
  vt_timer_start (d.timer, 2 * SECOND);
  g_assert_true (vt_timer_is_running (b.timer));

  vt_clock_advance (story.clock, SECOND - 1);
  g_assert_cmpstr (story.log->str, ==, "");
  vt_clock_advance (story.clock, 1);
  g_assert_cmpstr (story.log->str, ==, "a");
  g_assert_false (vt_timer_is_running (a.timer));

  /* Those of one deadline fire in the order they were started in, each at its own time. */
  vt_clock_advance (story.clock, SECOND + SECOND / 2);
  g_assert_cmpstr (story.log->str, ==, "abd");
  g_assert_cmpint (story.last, ==, 2 * SECOND);
  g_assert_cmpint (vt_clock_get_time (story.clock), ==, 2 * SECOND + SECOND / 2);
  vt_clock_advance (story.clock, G_TIME_SPAN_HOUR);
  g_assert_cmpstr (story.log->str, ==, "abdc");
  g_assert_cmpint (story.last, ==, 3 * SECOND);

  vt_timer_free (a.timer);
  vt_timer_free (b.timer);
  vt_timer_free (c.timer);
  vt_timer_free (d.timer);
  story_clear (&story);
}

static void
test_fake_stop_and_restart (void)
{
  Story story;
  Actor a, b;

  story_init (&story, vt_clock_new_fake ());
  actor_init (&a, &story, 'a');
  actor_init (&b, &story, 'b');

  vt_timer_stop (a.timer);
  vt_timer_start (a.timer, 10);
  vt_timer_stop (a.timer);
  g_assert_false (vt_timer_is_running (a.timer));
  vt_clock_advance (story.clock, 20);
  g_assert_cmpstr (story.log->str, ==, "");

  /* Started again, only the last start counts, in time and in order. */
  vt_timer_start (a.timer, 10);
  vt_timer_start (b.timer, 30);
  vt_timer_start (a.timer, 30);
  vt_clock_advance (story.clock, 29);
  g_assert_cmpstr (story.log->str, ==, "");
  vt_clock_advance (story.clock, 1);
  g_assert_cmpstr (story.log->str, ==, "ba");

  vt_timer_start (a.timer, -5);
  vt_timer_start (b.timer, G_MAXINT64);
  vt_clock_advance (story.clock, 0);
  g_assert_cmpstr (story.log->str, ==, "baa");
  g_assert_true (vt_timer_is_running (b.timer));

  vt_timer_free (a.timer);
  vt_timer_free (b.timer);
  story_clear (&story);
}

static void
test_fake_periodic (void)
{
  Story story;
  Actor a;

  story_init (&story, vt_clock_new_fake ());
  actor_init (&a, &story, 'a');
  a.restarts = -1;
  a.delay = 10;
  vt_timer_start (a.timer, 10);
  vt_clock_advance (story.clock, 95);
  g_assert_cmpstr (story.log->str, ==, "aaaaaaaaa");
  g_assert_cmpint (story.last, ==, 90);

  vt_timer_free (a.timer);
  story_clear (&story);
}

/* A delay of 0 from within a function: later, but not never, and never for ever. */
static void
test_fake_delay_zero (void)
{
  Story story;
  Actor a, b;

  story_init (&story, vt_clock_new_fake ());
  actor_init (&a, &story, 'a');
  actor_init (&b, &story, 'b');

  vt_timer_start (a.timer, 0);
  g_assert_cmpstr (story.log->str, ==, "");
  a.restarts = -1;
  vt_clock_advance (story.clock, 0);
  g_assert_cmpstr (story.log->str, ==, "a");
  vt_clock_advance (story.clock, 0);
  g_assert_cmpstr (story.log->str, ==, "aa");

  vt_timer_start (b.timer, 5);
  vt_clock_advance (story.clock, 10);
  g_assert_cmpint (vt_clock_get_time (story.clock), ==, 10);
  g_assert_nonnull (strchr (story.log->str, 'b'));
  g_assert_cmpuint (story.log->len, <=, 2 + 1 + 11);

  vt_timer_free (a.timer);
  vt_timer_free (b.timer);
  story_clear (&story);
}

static void
free_both_cb (void *user_data)
{
  Actor *actor = user_data;

  g_string_append_c (actor->story->log, actor->letter);
  g_clear_pointer (&actor->other, vt_timer_free);
  g_clear_pointer (&actor->timer, vt_timer_free);
  g_clear_pointer (&actor->clock, vt_clock_unref);
}

/* A function frees its own timer, the one that is due next, and the last reference to the clock
 * with them. */
static void
free_within (VtClock *clock)
{
  Story story = { NULL, g_string_new (NULL), -1 };
  Actor a = { .story = &story, .letter = 'a', .clock = clock };
  Actor b = { .story = &story, .letter = 'b' };
  gboolean is_fake = vt_clock_get_time (clock) == 0;
  gint64 end = g_get_monotonic_time () + DEADLINE;

  a.timer = vt_timer_new (clock, "own", free_both_cb, &a);
  a.other = vt_timer_new (clock, "other", free_both_cb, &b);
  vt_timer_start (a.timer, 0);
  vt_timer_start (a.other, 0);
  if (is_fake)
    vt_clock_advance (clock, 1);
  while (a.clock != NULL && g_get_monotonic_time () < end)
    g_main_context_iteration (NULL, FALSE);

  g_assert_null (a.clock);
  for (int i = 0; i < 10; i++)
    g_main_context_iteration (NULL, FALSE);
  g_assert_cmpstr (story.log->str, ==, "a");
  g_string_free (story.log, TRUE);
}

static void
test_fake_free_within (void)
{
  free_within (vt_clock_new_fake ());
}

static void
test_real_free_within (void)
{
  free_within (vt_clock_get (NULL));
}

static void
test_real_order (void)
{
  Story story;
  Actor a, b, c;
  gint64 begun = g_get_monotonic_time ();

  story_init (&story, vt_clock_get (NULL));
  actor_init (&a, &story, 'a');
  actor_init (&b, &story, 'b');
  actor_init (&c, &story, 'c');
  vt_timer_start (c.timer, 30 * MILLISECOND);
  vt_timer_start (b.timer, 20 * MILLISECOND);
  vt_timer_start (a.timer, 0);
  g_assert_cmpstr (story.log->str, ==, "");
  run_until_length (&story, 1);
  vt_timer_stop (b.timer);
  run_until_length (&story, 2);
  g_assert_cmpstr (story.log->str, ==, "ac");
  g_assert_cmpint (story.last - begun, >=, 30 * MILLISECOND);

  vt_timer_free (a.timer);
  vt_timer_free (b.timer);
  vt_timer_free (c.timer);
  story_clear (&story);
}

static void
test_real_delay_zero (void)
{
  Story story;
  Actor a, b;
  int turns = 0;

  story_init (&story, vt_clock_get (NULL));
  actor_init (&a, &story, 'a');
  actor_init (&b, &story, 'b');
  a.restarts = 99;
  vt_timer_start (a.timer, 0);
  vt_timer_start (b.timer, 0);
  while (story.log->len < 101)
    {
      g_main_context_iteration (NULL, TRUE);
      turns++;
    }
  /* Each start took a dispatch of its own, and did not overtake the other one. */
  g_assert_cmpint (turns, >=, 100);
  g_assert_true (g_str_has_prefix (story.log->str, "aba"));

  vt_timer_free (a.timer);
  vt_timer_free (b.timer);
  story_clear (&story);
}

/* A blocking turn with a timer far away must sleep, and one that was stopped must not wake. */
static void
test_real_no_idle_turns (void)
{
  Story story;
  Actor a, b;
  int turns = 0;

  story_init (&story, vt_clock_get (NULL));
  actor_init (&a, &story, 'a');
  actor_init (&b, &story, 'b');
  vt_timer_start (a.timer, 50 * MILLISECOND + 300);
  for (int i = 0; i < 1000; i++)
    vt_timer_start (b.timer, i);
  vt_timer_stop (b.timer);
  while (story.log->len == 0)
    {
      g_main_context_iteration (NULL, TRUE);
      turns++;
    }
  g_assert_cmpint (turns, <=, 3);

  vt_timer_free (a.timer);
  vt_timer_free (b.timer);
  story_clear (&story);
}

static void
busy_cb (void *user_data)
{
  Story *story = user_data;
  gint64 end = g_get_monotonic_time () + MILLISECOND;

  while (g_get_monotonic_time () < end)
    continue;
  g_string_append_c (story->log, '.');
}

static void
test_real_budget (void)
{
  VtTimer *timers[20];
  Story story;

  story_init (&story, vt_clock_get (NULL));
  for (size_t i = 0; i < G_N_ELEMENTS (timers); i++)
    {
      timers[i] = vt_timer_new (story.clock, "busy", busy_cb, &story);
      vt_timer_start (timers[i], 0);
    }
  g_main_context_iteration (NULL, TRUE);
  g_assert_cmpuint (story.log->len, >=, 1);
  g_assert_cmpuint (story.log->len, <=, 3);
  run_until_length (&story, G_N_ELEMENTS (timers));
  for (size_t i = 0; i < G_N_ELEMENTS (timers); i++)
    vt_timer_free (timers[i]);
  story_clear (&story);
}

static void
nested_cb (void *user_data)
{
  Actor *actor = user_data;

  run_until_length (actor->story, 1);
  g_string_append_c (actor->story->log, actor->letter);
}

/* Time goes on in a loop that an application runs within a timer's function. */
static void
test_real_nested_loop (void)
{
  g_autoptr(VtTimer) outer = NULL;
  Story story;
  Actor nested, inner;

  story_init (&story, vt_clock_get (NULL));
  nested = (Actor){ .story = &story, .letter = 'n' };
  actor_init (&inner, &story, 'i');
  outer = vt_timer_new (story.clock, "outer", nested_cb, &nested);
  vt_timer_start (outer, 0);
  vt_timer_start (inner.timer, MILLISECOND);
  run_until_length (&story, 2);
  g_assert_cmpstr (story.log->str, ==, "in");

  vt_timer_free (inner.timer);
  story_clear (&story);
}

typedef struct {
  VtTimer *timer;
  gint64 due;
  VtClock *clock;
  int *n_fired;
} Many;

static void
many_cb (void *user_data)
{
  Many *many = user_data;

  g_assert_cmpint (vt_clock_get_time (many->clock), ==, many->due);
  ++*many->n_fired;
}

static void
test_fake_many (void)
{
  g_autoptr(VtClock) clock = vt_clock_new_fake ();
  g_autofree Many *many = g_new0 (Many, 10000);
  int n_fired = 0;
  int n_running = 0;

  for (int i = 0; i < 10000; i++)
    {
      many[i].clock = clock;
      many[i].n_fired = &n_fired;
      many[i].timer = vt_timer_new (clock, "many", many_cb, &many[i]);
    }
  for (int round = 0; round < 3; round++)
    for (int i = 0; i < 10000; i++)
      {
        many[i].due = g_test_rand_int_range (1, 100000);
        vt_timer_start (many[i].timer, many[i].due);
      }
  for (int i = 0; i < 10000; i += 3)
    vt_timer_stop (many[i].timer);
  for (int i = 0; i < 10000; i++)
    n_running += vt_timer_is_running (many[i].timer);
  vt_clock_advance (clock, 50000);
  vt_clock_advance (clock, 50000);
  g_assert_cmpint (n_running, ==, 6666);
  g_assert_cmpint (n_fired, ==, n_running);
  for (int i = 0; i < 10000; i++)
    vt_timer_free (many[i].timer);
}

/* 10,000 running timers must not make a turn of the loop dearer: they are one source. */
static void
test_real_many (void)
{
  g_autoptr(GPtrArray) timers = g_ptr_array_new_with_free_func ((GDestroyNotify) vt_timer_free);
  Story story;
  Actor last;

  story_init (&story, vt_clock_get (NULL));
  actor_init (&last, &story, 'z');
  for (int i = 0; i < 10000; i++)
    {
      VtTimer *timer = vt_timer_new (story.clock, "many", busy_cb, &story);

      g_ptr_array_add (timers, timer);
      vt_timer_start (timer, G_TIME_SPAN_HOUR + g_test_rand_int_range (0, 1000000));
    }
  last.restarts = 999;
  vt_timer_start (last.timer, 0);
  run_until_length (&story, 1000);
  g_assert_null (strchr (story.log->str, '.'));

  vt_timer_free (last.timer);
  g_clear_pointer (&timers, g_ptr_array_unref);
  story_clear (&story);
}

static gpointer
other_thread (gpointer data)
{
  g_autoptr(GMainContext) context = g_main_context_new ();
  g_autoptr(VtClock) clock = NULL;
  g_autoptr(VtClock) same = NULL;

  g_main_context_push_thread_default (context);
  clock = vt_clock_get (NULL);
  same = vt_clock_get (context);
  g_assert_true (clock == same);
  g_assert_true (clock != data);
  g_main_context_pop_thread_default (context);
  return NULL;
}

static void
test_one_per_context (void)
{
  g_autoptr(VtClock) clock = vt_clock_get (NULL);
  g_autoptr(VtClock) same = vt_clock_get (g_main_context_default ());

  g_assert_true (clock == same);
  for (int i = 0; i < 20; i++)
    g_thread_join (g_thread_new ("other", other_thread, clock));
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/clock/one-per-context", test_one_per_context);
  g_test_add_func ("/clock/fake/order", test_fake_order);
  g_test_add_func ("/clock/fake/stop-and-restart", test_fake_stop_and_restart);
  g_test_add_func ("/clock/fake/periodic", test_fake_periodic);
  g_test_add_func ("/clock/fake/delay-zero", test_fake_delay_zero);
  g_test_add_func ("/clock/fake/free-within", test_fake_free_within);
  g_test_add_func ("/clock/fake/many", test_fake_many);
  g_test_add_func ("/clock/real/order", test_real_order);
  g_test_add_func ("/clock/real/delay-zero", test_real_delay_zero);
  g_test_add_func ("/clock/real/free-within", test_real_free_within);
  g_test_add_func ("/clock/real/no-idle-turns", test_real_no_idle_turns);
  g_test_add_func ("/clock/real/budget", test_real_budget);
  g_test_add_func ("/clock/real/nested-loop", test_real_nested_loop);
  g_test_add_func ("/clock/real/many", test_real_many);
  return g_test_run ();
}
