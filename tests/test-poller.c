/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-poller-private.h"

#include <fcntl.h>
#include <gio/gio.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef HAVE_EPOLL
#include <sys/epoll.h>
#endif

#define DEADLINE (10 * G_TIME_SPAN_SECOND)

/* One watched end of a socket pair, the other end, and what its watch did. */
typedef struct _Pair Pair;
struct _Pair {
  int near;
  int far;
  VtWatch *watch;
  VtPoller *poller;
  int n_calls;
  GIOCondition seen;
  void (*react) (Pair *self);
  Pair *other;
};

static int n_total;
static int n_controls;
static int n_waits;

#ifdef HAVE_EPOLL
/* Instead of the system's, to count what the kernel is told and asked. */
int
epoll_ctl (int epoll_fd, int operation, int fd, struct epoll_event *event)
{
  n_controls++;
  return (int) syscall (SYS_epoll_ctl, epoll_fd, operation, fd, event);
}

int
epoll_wait (int epoll_fd, struct epoll_event *events, int n_events, int timeout)
{
  n_waits++;
  return epoll_pwait (epoll_fd, events, n_events, timeout, NULL);
}
#endif

static void
watch_cb (GIOCondition condition, void *user_data)
{
  Pair *self = user_data;

  self->n_calls++;
  self->seen = condition;
  n_total++;
  if (self->react != NULL)
    self->react (self);
}

static void
pair_open (Pair *self)
{
  int fds[2];

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), ==, 0);
  self->near = fds[0];
  self->far = fds[1];
}

static void
pair_watch (Pair *self, GIOCondition condition)
{
  g_autoptr(GError) error = NULL;

  self->watch = vt_watch_new (self->poller, self->near, condition, watch_cb, self, &error);
  g_assert_no_error (error);
  g_assert_nonnull (self->watch);
}

static void
pair_init (Pair *self, GIOCondition condition)
{
  *self = (Pair){ .poller = vt_poller_get (NULL) };
  pair_open (self);
  pair_watch (self, condition);
}

static void
pair_close (Pair *self)
{
  g_clear_pointer (&self->watch, vt_watch_free);
  if (self->near >= 0)
    close (self->near);
  if (self->far >= 0)
    close (self->far);
  self->near = self->far = -1;
}

static void
pair_clear (Pair *self)
{
  pair_close (self);
  vt_poller_unref (self->poller);
}

static void
poke (Pair *self)
{
  g_assert_cmpint (write (self->far, "x", 1), ==, 1);
}

static void
drain (Pair *self)
{
  char byte;

  while (read (self->near, &byte, 1) == 1)
    continue;
}

/* Turns the loop a few times without waiting: what is ready is called in them. */
static void
turn (void)
{
  for (int i = 0; i < 5; i++)
    g_main_context_iteration (NULL, FALSE);
}

static void
test_in_and_out (void)
{
  Pair pair;

  pair_init (&pair, G_IO_IN);
  turn ();
  g_assert_cmpint (pair.n_calls, ==, 0);

  /* Level-triggered: as long as there is something to read, it says so. */
  poke (&pair);
  turn ();
  g_assert_cmpint (pair.n_calls, ==, 5);
  g_assert_cmpint (pair.seen, ==, G_IO_IN);
  drain (&pair);
  turn ();
  g_assert_cmpint (pair.n_calls, ==, 5);

  vt_watch_set_condition (pair.watch, G_IO_OUT);
  poke (&pair);
  turn ();
  g_assert_cmpint (pair.n_calls, ==, 10);
  g_assert_cmpint (pair.seen, ==, G_IO_OUT);
  vt_watch_set_condition (pair.watch, G_IO_IN | G_IO_OUT);
  turn ();
  g_assert_cmpint (pair.seen, ==, G_IO_IN | G_IO_OUT);

  pair_clear (&pair);
}

static void
test_hang_up (void)
{
  Pair pair;

  pair_init (&pair, G_IO_OUT);
  close (pair.far);
  pair.far = -1;
  turn ();
  g_assert_true (pair.seen & G_IO_HUP);
  pair_clear (&pair);
}

/* A paused watch is not called, whatever happens, does not keep the loop awake, and says what
 * there is when it is resumed. */
static void
test_paused (void)
{
  Pair pair;
  Pair data;

  pair_init (&pair, 0);
  pair_init (&data, G_IO_IN);
  vt_watch_set_condition (data.watch, 0);
  poke (&data);
  close (pair.far);
  pair.far = -1;
  turn ();
  g_assert_cmpint (pair.n_calls, ==, 0);
  g_assert_cmpint (data.n_calls, ==, 0);
  g_assert_false (g_main_context_pending (NULL));

  vt_watch_set_condition (pair.watch, G_IO_IN);
  vt_watch_set_condition (data.watch, G_IO_IN);
  turn ();
  g_assert_cmpint (pair.n_calls, ==, 5);
  g_assert_true (pair.seen & G_IO_HUP);
  g_assert_cmpint (data.n_calls, ==, 5);

  vt_watch_set_condition (pair.watch, 0);
  vt_watch_set_condition (data.watch, 0);
  turn ();
  g_assert_cmpint (pair.n_calls, ==, 5);
  g_assert_false (g_main_context_pending (NULL));

  pair_clear (&pair);
  pair_clear (&data);
}

static void
change_often (Pair *self)
{
  vt_watch_set_condition (self->watch, 0);
  vt_watch_set_condition (self->watch, G_IO_IN | G_IO_OUT);
  vt_watch_set_condition (self->watch, G_IO_IN);
}

/* A condition that comes and goes within a dispatch, or goes with its watch, costs nothing. */
static void
test_changes (void)
{
  Pair pair;

  n_controls = 0;
  pair_init (&pair, G_IO_IN);
  pair.react = change_often;
  poke (&pair);
  turn ();
  g_assert_cmpint (pair.n_calls, ==, 5);
  vt_watch_set_condition (pair.watch, 0);
  g_clear_pointer (&pair.watch, vt_watch_free);
  turn ();
#ifdef HAVE_EPOLL
  g_assert_cmpint (n_controls, ==, 2);
#endif
  pair_clear (&pair);
}

static void
free_both (Pair *self)
{
  g_clear_pointer (&self->watch, vt_watch_free);
  g_clear_pointer (&self->other->watch, vt_watch_free);
}

/* Whichever comes first frees both: only one of the two may be called. */
static void
test_free_within (void)
{
  Pair a, b;

  n_total = 0;
  pair_init (&a, G_IO_IN);
  pair_init (&b, G_IO_IN);
  a.react = b.react = free_both;
  a.other = &b;
  b.other = &a;
  poke (&a);
  poke (&b);
  turn ();
  g_assert_cmpint (n_total, ==, 1);
  pair_clear (&a);
  pair_clear (&b);
}

static void
pause_other (Pair *self)
{
  drain (self);
  vt_watch_set_condition (self->other->watch, 0);
}

static void
test_change_within (void)
{
  Pair a, b;

  n_total = 0;
  pair_init (&a, G_IO_IN);
  pair_init (&b, G_IO_IN);
  a.react = b.react = pause_other;
  a.other = &b;
  b.other = &a;
  poke (&a);
  poke (&b);
  turn ();
  g_assert_cmpint (n_total, ==, 1);
  pair_clear (&a);
  pair_clear (&b);
}

/* Closes the other pair, and opens a new one that gets the very same descriptors. */
static void
replace_other (Pair *self)
{
  Pair *other = self->other;
  int near = other->near;

  drain (self);
  if (other->react == NULL)
    return;
  other->react = NULL;
  pair_close (other);
  pair_open (other);
  g_assert_cmpint (other->near, ==, near);
  other->n_calls = 0;
  pair_watch (other, G_IO_IN);
}

static void
test_descriptor_reuse (void)
{
  Pair a, b;

  pair_init (&a, G_IO_IN);
  pair_init (&b, G_IO_IN);
  a.react = b.react = replace_other;
  a.other = &b;
  b.other = &a;
  poke (&a);
  poke (&b);
  turn ();
  /* The one that was replaced was not called for what its predecessor had to say. */
  g_assert_cmpint (a.n_calls + b.n_calls, ==, 1);
  pair_clear (&a);
  pair_clear (&b);
}

static void
free_last (Pair *self)
{
  g_clear_pointer (&self->watch, vt_watch_free);
  g_clear_pointer (&self->poller, vt_poller_unref);
}

static void
test_last_reference_within (void)
{
  Pair pair;

  pair_init (&pair, G_IO_IN);
  pair.react = free_last;
  poke (&pair);
  turn ();
  g_assert_cmpint (pair.n_calls, ==, 1);
  g_assert_null (pair.poller);
  pair_close (&pair);
}

static void
run_nested (Pair *self)
{
  gint64 end = g_get_monotonic_time () + DEADLINE;

  if (self->n_calls > 1)
    return;
  poke (self->other);
  while (self->other->n_calls == 0)
    {
      g_assert_cmpint (g_get_monotonic_time (), <, end);
      g_main_context_iteration (NULL, TRUE);
    }
  turn ();
  g_assert_cmpint (self->n_calls, ==, 1);
  g_assert_false (g_main_context_pending (NULL));
}

/* In a loop that an application runs within a watch's function the others go on, and the watch
 * itself waits for its function to come back. */
static void
test_nested_loop (void)
{
  Pair a, b;

  pair_init (&a, G_IO_IN);
  pair_init (&b, G_IO_IN);
  a.react = run_nested;
  a.other = &b;
  b.react = drain;
  poke (&a);
  turn ();
  g_assert_cmpint (b.n_calls, ==, 1);
  g_assert_cmpint (a.n_calls, >, 1);
  pair_clear (&a);
  pair_clear (&b);
}

static void
run_nested_within (Pair *self)
{
  if (self->n_calls > 1)
    {
      drain (self);
      return;
    }
  turn ();
  g_assert_cmpint (self->n_calls, ==, 2);
}

/* But for one that may be called within its function. */
static void
test_reentrant (void)
{
  Pair pair;

  pair_init (&pair, G_IO_IN);
  vt_watch_set_reentrant (pair.watch);
  pair.react = run_nested_within;
  poke (&pair);
  turn ();
  g_assert_cmpint (pair.n_calls, ==, 2);
  pair_clear (&pair);
}

static void
test_many (void)
{
  g_autofree Pair *pairs = g_new0 (Pair, 1000);

  n_total = 0;
  for (int i = 0; i < 1000; i++)
    {
      pair_init (&pairs[i], G_IO_IN);
      pairs[i].react = drain;
    }
  for (int i = 0; i < 1000; i++)
    poke (&pairs[i]);
  while (g_main_context_pending (NULL))
    g_main_context_iteration (NULL, FALSE);
  for (int i = 0; i < 1000; i++)
    g_assert_cmpint (pairs[i].n_calls, ==, 1);
  for (int i = 0; i < 1000; i++)
    pair_clear (&pairs[i]);
}

static void
pause_self (Pair *self)
{
  vt_watch_set_condition (self->watch, 0);
}

/* Where one system call does not bring all that is ready, those that are paused by now do not come
 * again, and the dispatch does not go on for nothing. */
static void
test_many_paused (void)
{
  g_autofree Pair *pairs = g_new0 (Pair, 200);

  n_total = n_waits = 0;
  for (int i = 0; i < 200; i++)
    {
      pair_init (&pairs[i], G_IO_IN);
      pairs[i].react = pause_self;
      poke (&pairs[i]);
    }
  turn ();
  g_assert_cmpint (n_total, ==, 200);
  g_assert_cmpint (n_waits, <=, 6);
  for (int i = 0; i < 200; i++)
    pair_clear (&pairs[i]);
}

static void
work (Pair *self)
{
  gint64 end = g_get_monotonic_time () + G_TIME_SPAN_MILLISECOND / 2;

  while (g_get_monotonic_time () < end)
    continue;
}

/* All are always ready, and a dispatch has time for a few of them: each must get its turn, and the
 * rest of the loop too. */
static void
test_fairness (void)
{
  Pair pairs[100];
  int n_turns = 0;
  int n_waiting;

  for (int i = 0; i < 100; i++)
    {
      pair_init (&pairs[i], G_IO_IN);
      pairs[i].react = work;
      poke (&pairs[i]);
    }
  do
    {
      g_main_context_iteration (NULL, TRUE);
      n_turns++;
      n_waiting = 0;
      for (int i = 0; i < 100; i++)
        n_waiting += pairs[i].n_calls == 0;
    }
  while (n_waiting > 0 && n_turns < 1000);
  g_assert_cmpint (n_waiting, ==, 0);
#ifdef HAVE_EPOLL
  g_assert_cmpint (n_turns, >=, 20);
#endif
  for (int i = 0; i < 100; i++)
    pair_clear (&pairs[i]);
}

static void
test_one_per_context (void)
{
  g_autoptr(VtPoller) poller = vt_poller_get (NULL);
  g_autoptr(VtPoller) same = vt_poller_get (g_main_context_default ());
  g_autoptr(GMainContext) context = g_main_context_new ();
  g_autoptr(VtPoller) other = vt_poller_get (context);

  g_assert_true (poller == same);
  g_assert_true (poller != other);
}

/* What the kernel does not want to watch is an error, not a crash. */
static void
test_refused (void)
{
#ifdef HAVE_EPOLL
  g_autoptr(VtPoller) poller = vt_poller_get (NULL);
  g_autoptr(GError) error = NULL;
  int fd = open ("/", O_RDONLY | O_CLOEXEC);

  g_assert_null (vt_watch_new (poller, fd, G_IO_IN, watch_cb, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED);
  close (fd);
#else
  g_test_skip ("poll () watches anything");
#endif
}

static gboolean
draw_cb (gpointer user_data)
{
  int *n_frames = user_data;

  ++*n_frames;
  return G_SOURCE_CONTINUE;
}

/* A descriptor that is always ready does not keep an application from drawing, for which GTK has
 * this priority. */
static void
test_drawing (void)
{
  g_autoptr(GSource) drawing = g_idle_source_new ();
  int n_frames = 0;
  Pair pair;

  pair_init (&pair, G_IO_IN);
  poke (&pair);
  g_source_set_priority (drawing, G_PRIORITY_HIGH_IDLE + 20);
  g_source_set_callback (drawing, draw_cb, &n_frames, NULL);
  g_source_attach (drawing, NULL);
  turn ();
  g_assert_cmpint (n_frames, >, 1);
  g_source_destroy (drawing);
  turn ();
  g_assert_cmpint (pair.n_calls, >, 0);
  pair_clear (&pair);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/poller/one-per-context", test_one_per_context);
  g_test_add_func ("/poller/in-and-out", test_in_and_out);
  g_test_add_func ("/poller/hang-up", test_hang_up);
  g_test_add_func ("/poller/paused", test_paused);
  g_test_add_func ("/poller/changes", test_changes);
  g_test_add_func ("/poller/refused", test_refused);
  g_test_add_func ("/poller/within/free", test_free_within);
  g_test_add_func ("/poller/within/change", test_change_within);
  g_test_add_func ("/poller/within/descriptor-reuse", test_descriptor_reuse);
  g_test_add_func ("/poller/within/last-reference", test_last_reference_within);
  g_test_add_func ("/poller/within/nested-loop", test_nested_loop);
  g_test_add_func ("/poller/within/reentrant", test_reentrant);
  g_test_add_func ("/poller/many", test_many);
  g_test_add_func ("/poller/many/paused", test_many_paused);
  g_test_add_func ("/poller/fairness", test_fairness);
  g_test_add_func ("/poller/drawing", test_drawing);
  return g_test_run ();
}
