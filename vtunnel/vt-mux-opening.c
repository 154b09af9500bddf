/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-mux-internal-private.h"

/* A client dials a target for each stream, and answers when that has: so a server counts the streams
 * that wait for it. Users who come when there are as many as may be are to wait where they cost
 * nothing, which is the owner's to see to. They are let in again when half of them have been
 * answered, and not one by one. */

static void
tell (VtMux *self, gboolean crowded)
{
  if (self->crowded == crowded || self->failure != NULL)
    return;
  self->crowded = crowded;
  if (self->handlers.crowded != NULL)
    self->handlers.crowded (crowded, self->user_data);
}

void
vt_mux_note_opening (VtMux *self)
{
  self->n_opening++;
  if (self->n_opening >= self->config.max_opening)
    tell (self, TRUE);
}

void
vt_mux_note_opened (VtMux *self)
{
  self->n_opening--;
  if (self->n_opening <= self->config.max_opening / 2)
    tell (self, FALSE);
}
