/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vt-clock-private.h"

/* Tells that the machine has slept. Whoever waited for a peer meanwhile may have waited in vain:
 * timers stand still during a sleep, and connections do not outlive a long one. Where the kernel
 * says when it has woken up, this costs nothing until then. */
typedef struct _VtSleepWatch VtSleepWatch;

typedef void (*VtSleepWatchFunc) (void *user_data);
/* How long the machine has slept since it was started, in microseconds; only differences count. */
typedef gint64 (*VtSleepWatchOffsetFunc) (void *user_data);

/* `func` is called in a dispatch of the context that is thread-default now, once for each sleep of
 * more than a second, and may free the watch. */
VtSleepWatch *vt_sleep_watch_new (VtClock *clock, VtSleepWatchFunc func, void *user_data);
/* The same with other sources of what it knows. `fd`, which is taken, becomes readable when it is
 * worth asking for the offset, and has to be non-blocking; -1: `clock` says when, each 10 s. */
VtSleepWatch *vt_sleep_watch_new_full (VtClock                *clock,
                                       VtSleepWatchOffsetFunc  get_offset,
                                       int                     fd,
                                       VtSleepWatchFunc        func,
                                       void                   *user_data);
void vt_sleep_watch_free (VtSleepWatch *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtSleepWatch, vt_sleep_watch_free)
