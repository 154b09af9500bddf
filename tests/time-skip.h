/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <dlfcn.h>
#include <time.h>

#include <glib.h>

/* Lets a test come to a deadline of the main context's clock without waiting for it. What the test
 * and the library in it ask for the time finds these instead of GLib's own, and is told of a time
 * that goes on as ever, but can be moved ahead. GLib itself, and so the waiting of a main loop,
 * knows nothing of it: a loop that sleeps has to be woken up once. To be included by one file of a
 * program. */
static gint64 time_skipped;
/* When it stands still, and only moves when it is moved; 0: it does not. */
static gint64 time_frozen;

gint64
g_get_monotonic_time (void)
{
  struct timespec now;

  if (time_frozen != 0)
    return time_frozen + time_skipped;
  clock_gettime (CLOCK_MONOTONIC, &now);
  return now.tv_sec * G_USEC_PER_SEC + now.tv_nsec / 1000 + time_skipped;
}

/* The same for all of a dispatch: a GTask that is made and answered in one calls back later. */
gint64
g_source_get_time (GSource *source)
{
  static gint64 (*get_time) (GSource *);

  if (time_frozen != 0)
    return g_get_monotonic_time ();
  if (get_time == NULL)
    get_time = dlsym (RTLD_NEXT, "g_source_get_time");
  return get_time (source) + time_skipped;
}

static inline void
time_skip (gint64 microseconds)
{
  time_skipped += microseconds;
}

/* For what must not depend on how fast the machine is. No deadline of a wait comes meanwhile but
 * that of whoever runs the test. */
static inline void
time_freeze (void)
{
  time_frozen = g_get_monotonic_time () - time_skipped;
}

static inline void
time_thaw (void)
{
  time_frozen = 0;
}
