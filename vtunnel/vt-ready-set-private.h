/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <gio/gio.h>

/* The pollable sources that callers have made for one stream. They have no descriptor: the stream
 * wakes them. A set is a part of its stream, which each source keeps alive. */
typedef gboolean (*VtReadyCheck) (gpointer stream);

typedef struct {
  /* Sources, not owned: they leave when they are finalized. */
  GPtrArray *sources;
  VtReadyCheck check;
} VtReadySet;

void vt_ready_set_init (VtReadySet *self, VtReadyCheck check);
void vt_ready_set_clear (VtReadySet *self);

GSource *vt_ready_set_create_source (VtReadySet   *self,
                                     GObject      *stream,
                                     GCancellable *cancellable);
/* TRUE while somebody waits. */
gboolean vt_ready_set_is_wanted (VtReadySet *self);
/* Everybody who waits has a turn in the next round of the main loop. */
void vt_ready_set_wake (VtReadySet *self);
