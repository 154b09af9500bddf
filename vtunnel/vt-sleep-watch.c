/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-sleep-watch-private.h"

#include <errno.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#ifdef HAVE_TIMERFD
#include <sys/timerfd.h>
#endif

#include "vt-poller-private.h"

#define LEAST_SLEEP G_TIME_SPAN_SECOND
/* Where nobody says when the machine has woken up. */
#define INTERVAL (10 * G_TIME_SPAN_SECOND)
/* Two clocks that were read further apart are read anew. */
#define MAX_READING (100 * G_TIME_SPAN_MILLISECOND)

/* A clock that goes on while the machine sleeps. The second one can also be set, which is taken for
 * a sleep then. */
#ifdef CLOCK_BOOTTIME
#define SLEEPLESS_CLOCK CLOCK_BOOTTIME
#else
#define SLEEPLESS_CLOCK CLOCK_REALTIME
#endif

struct _VtSleepWatch {
  VtTimer *timer; /* owned, NULL with a descriptor */
  VtWatch *watch; /* owned, NULL without one */
  int fd;         /* owned, -1 if there is none */
  VtSleepWatchOffsetFunc get_offset;
  gint64 offset; /* when it was last asked for */
  VtSleepWatchFunc func;
  void *user_data; /* the caller's */
};

static gint64
read_clock (clockid_t id)
{
  struct timespec now = { 0 };

  clock_gettime (id, &now);
  return now.tv_sec * G_USEC_PER_SEC + now.tv_nsec / 1000;
}

/* A process that is held up between the two clocks, as by a debugger, has not slept. */
static gint64
read_offset (void *user_data)
{
  gint64 before, sleepless;

  do
    {
      before = read_clock (CLOCK_MONOTONIC);
      sleepless = read_clock (SLEEPLESS_CLOCK);
    }
  while (read_clock (CLOCK_MONOTONIC) - before > MAX_READING);
  return sleepless - before;
}

/* A descriptor that becomes readable when the wall clock makes a jump, which it does when the
 * kernel has woken up, and when somebody sets it. -1 if there is no such thing. */
static int
watch_wall_clock (void)
{
#ifdef HAVE_TIMERFD
  const struct itimerspec never = {
    .it_value.tv_sec = sizeof (time_t) > 4 ? (time_t) G_MAXINT64 : (time_t) G_MAXINT32,
  };
  int fd = timerfd_create (CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);

  if (fd < 0)
    return -1;
  if (timerfd_settime (fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL) == 0)
    return fd;
  close (fd);
#endif
  return -1;
}

/* The function may free the watch, so nothing of it is looked at afterwards. */
static void
look (VtSleepWatch *self)
{
  gint64 before = self->offset;

  self->offset = self->get_offset (self->user_data);
  if (self->offset - before > LEAST_SLEEP)
    self->func (self->user_data);
}

static void
timer_cb (void *user_data)
{
  VtSleepWatch *self = user_data;

  vt_timer_start (self->timer, INTERVAL);
  look (self);
}

/* Reading fails with ECANCELED, once for each jump, and the timer goes on watching. */
static void
watch_cb (GIOCondition condition, void *user_data)
{
  VtSleepWatch *self = user_data;
  uint64_t ignored;

  if (read (self->fd, &ignored, sizeof ignored) >= 0 || errno != EAGAIN)
    look (self);
}

VtSleepWatch *
vt_sleep_watch_new (VtClock *clock, VtSleepWatchFunc func, void *user_data)
{
  return vt_sleep_watch_new_full (clock, read_offset, watch_wall_clock (), func, user_data);
}

VtSleepWatch *
vt_sleep_watch_new_full (VtClock *clock,
                         VtSleepWatchOffsetFunc get_offset,
                         int fd,
                         VtSleepWatchFunc func,
                         void *user_data)
{
  g_autoptr(VtPoller) poller = vt_poller_get (NULL);
  VtSleepWatch *self = g_new0 (VtSleepWatch, 1);

  self->fd = fd;
  self->get_offset = get_offset;
  self->func = func;
  self->user_data = user_data;
  self->offset = get_offset (user_data);
  if (fd >= 0)
    self->watch = vt_watch_new (poller, fd, G_IO_IN, watch_cb, self, NULL);
  if (self->watch == NULL)
    {
      self->timer = vt_timer_new (clock, "sleep watch", timer_cb, self);
      vt_timer_start (self->timer, INTERVAL);
    }
  return self;
}

void
vt_sleep_watch_free (VtSleepWatch *self)
{
  g_clear_pointer (&self->watch, vt_watch_free);
  g_clear_pointer (&self->timer, vt_timer_free);
  if (self->fd >= 0)
    close (self->fd);
  g_free (self);
}
