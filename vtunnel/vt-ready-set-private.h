/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <gio/gio.h>

#include "vt-clock-private.h"

/* The pollable sources that callers have made for one stream. They have no descriptor: the stream
 * wakes them, from the main context that they are attached to. Level-triggered. A set is a part of
 * its stream, which each source keeps alive. */
typedef gboolean (*VtReadyCheck) (void *user_data);

typedef struct {
  GPtrArray   *sources; /* owned, of sources (not owned) that leave when they are finalized */
  VtReadyCheck check;
  void        *user_data; /* the stream's */
  VtClock     *clock;     /* owned, nullable */
} VtReadySet;

/* `clock` (nullable) is told when a source of the set has been dispatched. */
void vt_ready_set_init (VtReadySet *self, VtReadyCheck check, void *user_data, VtClock *clock);
void vt_ready_set_clear (VtReadySet *self);

GSource *vt_ready_set_create_source (VtReadySet   *self,
                                     GObject      *stream,
                                     GCancellable *cancellable);
/* TRUE while somebody waits. */
gboolean vt_ready_set_is_wanted (VtReadySet *self);
/* The stream may be ready, or no longer so: everybody who waits looks again. */
void vt_ready_set_wake (VtReadySet *self);
