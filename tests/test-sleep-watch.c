/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-sleep-watch-private.h"

#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define SECOND G_TIME_SPAN_SECOND

/* A machine that the test puts to sleep, and what is told of it. */
typedef struct {
  VtClock *clock;      /* owned, a fake one */
  VtSleepWatch *watch; /* owned, NULL once freed */
  int fd;              /* the watch's, -1: none */
  gint64 offset;
  int n_looks;
  int n_told;
  gboolean free_within;
} Machine;

static gint64
get_offset (void *user_data)
{
  Machine *self = user_data;

  self->n_looks++;
  return self->offset;
}

static void
slept_cb (void *user_data)
{
  Machine *self = user_data;

  self->n_told++;
  if (self->free_within)
    g_clear_pointer (&self->watch, vt_sleep_watch_free);
}

static void
machine_set_up_with (Machine *self, int fd)
{
  self->clock = vt_clock_new_fake ();
  self->fd = fd;
  /* It has slept before. */
  self->offset = 1000 * SECOND;
  self->watch = vt_sleep_watch_new_full (self->clock, get_offset, fd, slept_cb, self);
}

static void
machine_set_up (Machine *self, const void *data)
{
  machine_set_up_with (self, -1);
}

static void
machine_set_up_fd (Machine *self, const void *data)
{
  machine_set_up_with (self, eventfd (0, EFD_NONBLOCK | EFD_CLOEXEC));
  g_assert_cmpint (self->fd, >=, 0);
}

static void
machine_tear_down (Machine *self, const void *data)
{
  g_clear_pointer (&self->watch, vt_sleep_watch_free);
  vt_clock_unref (self->clock);
}

static gboolean
is_readable (int fd)
{
  struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

  return poll (&poll_fd, 1, 0) > 0;
}

/* The wall clock jumps, and all that follows from it is done. */
static void
jump (Machine *self)
{
  const uint64_t one = 1;

  g_assert_cmpint (write (self->fd, &one, sizeof one), ==, sizeof one);
  while (g_main_context_iteration (NULL, FALSE))
    ;
}

static void
test_poll_no_sleep (Machine *self, const void *data)
{
  vt_clock_advance (self->clock, G_TIME_SPAN_HOUR);
  g_assert_cmpint (self->n_told, ==, 0);
  g_assert_cmpint (self->n_looks, ==, 1 + 360);
}

static void
test_poll_sleep (Machine *self, const void *data)
{
  vt_clock_advance (self->clock, 15 * SECOND);
  self->offset += 60 * SECOND;
  vt_clock_advance (self->clock, 5 * SECOND - 1);
  g_assert_cmpint (self->n_told, ==, 0);
  vt_clock_advance (self->clock, 1);
  g_assert_cmpint (self->n_told, ==, 1);

  vt_clock_advance (self->clock, 60 * SECOND);
  g_assert_cmpint (self->n_told, ==, 1);
  self->offset += G_TIME_SPAN_DAY;
  vt_clock_advance (self->clock, 60 * SECOND);
  g_assert_cmpint (self->n_told, ==, 2);
}

/* A second is not enough, and several such do not add up. */
static void
test_poll_threshold (Machine *self, const void *data)
{
  for (int i = 0; i < 10; i++)
    {
      self->offset += SECOND;
      vt_clock_advance (self->clock, 10 * SECOND);
    }
  self->offset -= 5 * SECOND;
  vt_clock_advance (self->clock, 10 * SECOND);
  g_assert_cmpint (self->n_told, ==, 0);
  self->offset += SECOND + 1;
  vt_clock_advance (self->clock, 10 * SECOND);
  g_assert_cmpint (self->n_told, ==, 1);
}

static void
test_poll_free_within (Machine *self, const void *data)
{
  self->free_within = TRUE;
  self->offset += 60 * SECOND;
  vt_clock_advance (self->clock, 60 * SECOND);
  g_assert_cmpint (self->n_told, ==, 1);
  g_assert_null (self->watch);
}

static void
test_poll_freed (Machine *self, const void *data)
{
  g_clear_pointer (&self->watch, vt_sleep_watch_free);
  self->offset += 60 * SECOND;
  vt_clock_advance (self->clock, 60 * SECOND);
  g_assert_cmpint (self->n_told, ==, 0);
}

/* Told by the descriptor alone: the clock does not come into it. */
static void
test_fd_sleep (Machine *self, const void *data)
{
  self->offset += 60 * SECOND;
  vt_clock_advance (self->clock, G_TIME_SPAN_HOUR);
  g_assert_cmpint (self->n_looks, ==, 1);

  jump (self);
  g_assert_cmpint (self->n_told, ==, 1);
  g_assert_false (is_readable (self->fd));
  self->offset += 60 * SECOND;
  jump (self);
  g_assert_cmpint (self->n_told, ==, 2);
}

static void
test_fd_clock_set (Machine *self, const void *data)
{
  jump (self);
  g_assert_cmpint (self->n_looks, ==, 2);
  g_assert_cmpint (self->n_told, ==, 0);
  g_assert_false (is_readable (self->fd));
}

static void
test_fd_free_within (Machine *self, const void *data)
{
  self->free_within = TRUE;
  self->offset += 60 * SECOND;
  jump (self);
  g_assert_cmpint (self->n_told, ==, 1);
  g_assert_null (self->watch);
  g_assert_cmpint (fcntl (self->fd, F_GETFD), ==, -1);
}

/* Not from the context that happens to be run, but from that of the watch. */
static void
test_fd_context (void)
{
  g_autoptr(GMainContext) context = g_main_context_new ();
  Machine self = { 0 };

  g_main_context_push_thread_default (context);
  machine_set_up_fd (&self, NULL);
  g_main_context_pop_thread_default (context);
  self.offset += 60 * SECOND;
  jump (&self);
  g_assert_cmpint (self.n_told, ==, 0);
  while (g_main_context_iteration (context, FALSE))
    ;
  g_assert_cmpint (self.n_told, ==, 1);
  machine_tear_down (&self, NULL);
}

#ifdef HAVE_EPOLL
/* With a descriptor that the poller does not take, it looks by itself. */
static void
test_fd_refused (void)
{
  Machine self = { 0 };

  machine_set_up_with (&self, open ("/dev/null", O_RDONLY | O_CLOEXEC));
  self.offset += 60 * SECOND;
  vt_clock_advance (self.clock, 10 * SECOND);
  g_assert_cmpint (self.n_told, ==, 1);
  machine_tear_down (&self, NULL);
  g_assert_cmpint (fcntl (self.fd, F_GETFD), ==, -1);
}
#endif

/* The machine on which the test runs. */

#ifdef HAVE_TIMERFD
/* The one timerfd of this process, -1 if there is none. */
static int
find_timerfd (void)
{
  g_autoptr(GDir) dir = g_dir_open ("/proc/self/fd", 0, NULL);
  const char *name;
  int found = -1;

  while ((name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename ("/proc/self/fd", name, NULL);
      g_autofree char *target = g_file_read_link (path, NULL);

      if (g_strcmp0 (target, "anon_inode:[timerfd]") != 0)
        continue;
      g_assert_cmpint (found, ==, -1);
      found = atoi (name);
    }
  return found;
}

static void
assert_is_armed (int fd)
{
  g_autofree char *path = g_strdup_printf ("/proc/self/fdinfo/%d", fd);
  g_autofree char *info = NULL;

  g_assert_true (g_file_get_contents (path, &info, NULL, NULL));
  /* CLOCK_REALTIME; TFD_TIMER_ABSTIME and TFD_TIMER_CANCEL_ON_SET. */
  g_assert_nonnull (strstr (info, "clockid: 0\n"));
  g_assert_nonnull (strstr (info, "settime flags: 03\n"));
  g_assert_null (strstr (info, "it_value: (0, 0)"));
  g_assert_cmpint (fcntl (fd, F_GETFD) & FD_CLOEXEC, ==, FD_CLOEXEC);
  g_assert_cmpint (fcntl (fd, F_GETFL) & O_NONBLOCK, ==, O_NONBLOCK);
}

static void
test_real_armed (void)
{
  g_autoptr(VtClock) clock = vt_clock_new_fake ();
  Machine self = { 0 };
  int fd;

  g_assert_cmpint (find_timerfd (), ==, -1);
  self.watch = vt_sleep_watch_new (clock, slept_cb, &self);
  fd = find_timerfd ();
  g_assert_cmpint (fd, >=, 0);
  assert_is_armed (fd);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_false (is_readable (fd));
  g_assert_cmpint (self.n_told, ==, 0);

  vt_sleep_watch_free (self.watch);
  g_assert_cmpint (find_timerfd (), ==, -1);
}
#endif

#define ADD(path, set_up, func) g_test_add (path, Machine, NULL, set_up, func, machine_tear_down)

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  ADD ("/sleep-watch/poll/no-sleep", machine_set_up, test_poll_no_sleep);
  ADD ("/sleep-watch/poll/sleep", machine_set_up, test_poll_sleep);
  ADD ("/sleep-watch/poll/threshold", machine_set_up, test_poll_threshold);
  ADD ("/sleep-watch/poll/free-within", machine_set_up, test_poll_free_within);
  ADD ("/sleep-watch/poll/freed", machine_set_up, test_poll_freed);
  ADD ("/sleep-watch/fd/sleep", machine_set_up_fd, test_fd_sleep);
  ADD ("/sleep-watch/fd/clock-set", machine_set_up_fd, test_fd_clock_set);
  ADD ("/sleep-watch/fd/free-within", machine_set_up_fd, test_fd_free_within);
  g_test_add_func ("/sleep-watch/fd/context", test_fd_context);
#ifdef HAVE_EPOLL
  g_test_add_func ("/sleep-watch/fd/refused", test_fd_refused);
#endif
#ifdef HAVE_TIMERFD
  g_test_add_func ("/sleep-watch/real/armed", test_real_armed);
#endif
  return g_test_run ();
}
