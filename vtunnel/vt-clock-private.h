/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <glib.h>

/* Time that can be replaced. All timers of one clock stand in one GSource, so that thousands of
 * them cost a turn of the main loop nothing. Times and delays are in microseconds. */
typedef struct _VtClock VtClock;
typedef struct _VtTimer VtTimer;

typedef void (*VtTimerFunc) (void *user_data);

/* The clock of a main context (NULL: the thread-default one): one per context, a new reference. */
VtClock *vt_clock_get (GMainContext *context);
VtClock *vt_clock_new_fake (void);
VtClock *vt_clock_ref (VtClock *self);
void     vt_clock_unref (VtClock *self);

gint64 vt_clock_get_time (VtClock *self);

/* Fake clocks only: moves time on and fires what falls due, in order, each at its own time. What
 * a timer's function starts with a delay of 0 is due a microsecond later; at the very end of the
 * advance, with the next one (which may be of 0). */
void vt_clock_advance (VtClock *self, gint64 microseconds);
/* Fake clocks only: as if the process had stood still for so long. What falls due meanwhile fires
 * in the next advance, late. */
void vt_clock_oversleep (VtClock *self, gint64 microseconds);

/* A dispatch of ours is at its end: fires what was started to be done soon, and what that starts in
 * the same way. */
void vt_clock_end_dispatch (VtClock *self);

/* A timer belongs to whoever made it, fires once each time it is started, and may be started,
 * stopped and freed at any moment, also from within its own function. With a delay of 0 it fires in
 * a later dispatch, never at once.
 * `name` is static text. It keeps its clock alive. */
VtTimer *vt_timer_new (VtClock *clock, const char *name, VtTimerFunc func, void *user_data);
void     vt_timer_start (VtTimer *self, gint64 delay);
/* Fires at the end of the dispatch of ours that goes on in the clock's context, or, where there is
 * none, in one that comes without delay: what many callers of one dispatch ask for is done once,
 * and needs no turn of the main loop. With a fake clock, the same as a delay of 0. */
void     vt_timer_start_soon (VtTimer *self);
void     vt_timer_stop (VtTimer *self);
gboolean vt_timer_is_running (VtTimer *self);
void     vt_timer_free (VtTimer *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtClock, vt_clock_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtTimer, vt_timer_free)
