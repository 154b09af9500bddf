/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <gio/gio.h>

#include "vt-clock-private.h"
#include "vt-per-context-private.h"

/* The pollable sources that callers have made for one stream. They have no descriptor: the stream
 * wakes them, from the main context that they are attached to. Level-triggered. A set is a part of
 * its stream, which each source keeps alive. */
typedef gboolean (*VtReadyCheck) (void *user_data);

typedef struct {
  GPtrArray   *sources; /* owned, of sources (not owned) that leave when they are finalized */
  VtReadyCheck check;
  void        *user_data; /* the stream's */
  VtClock     *clock;     /* owned, nullable */

  gboolean            parks;
  gboolean            dispatching;
  GMainContext       *parking;      /* not owned; while it is the thread's default, or NULL */
  VtPerContext       *lot;          /* owned, nullable; of the context that dispatches */
  GPollableSourceFunc waiting;      /* static: what sources call; NULL: not known yet */
  void               *waiting_data; /* the caller's */
  GSource            *stand_in;     /* owned; NULL unless one is parked, and the stream ready */
} VtReadySet;

/* `clock` (nullable) is told when a source of the set has been dispatched. */
void vt_ready_set_init (VtReadySet *self, VtReadyCheck check, void *user_data, VtClock *clock);
void vt_ready_set_clear (VtReadySet *self);

GSource *vt_ready_set_create_source (VtReadySet   *self,
                                     GObject      *stream,
                                     GCancellable *cancellable);
/* A GMainContext visits each of its sources on each turn, so one that mostly waits is not to be
 * there. From now on the source that a caller makes when its callback runs stands in a context that
 * is never iterated, and another one in its place, for once, when the stream is ready. For a caller
 * that has one source at a time, always with the same callback, attaches it to the thread's default
 * context, and does nothing else in its callback after it: as libsoup's WebSocket does. */
void vt_ready_set_park (VtReadySet *self);
/* TRUE while somebody waits. */
gboolean vt_ready_set_is_wanted (VtReadySet *self);
/* The stream may be ready, or no longer so: everybody who waits looks again. */
void vt_ready_set_wake (VtReadySet *self);
