/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-backoff-private.h"

/* By then everything but a `min` of 0 is above any `max`. */
#define MAX_SHIFT 63

static gint64
get_ceiling (const VtBackoff *self)
{
  unsigned int shift = MIN (self->n_failures, MAX_SHIFT);

  return self->min > self->max >> shift ? self->max : self->min << shift;
}

/* `random` of 2^32 - 1 parts of `span`, which would not fit into 64 bits when multiplied. */
static gint64
scale (guint64 span, guint32 random)
{
  return span / G_MAXUINT32 * random + span % G_MAXUINT32 * random / G_MAXUINT32;
}

void
vt_backoff_reset (VtBackoff *self)
{
  self->n_failures = 0;
}

gint64
vt_backoff_next (VtBackoff *self, guint32 random)
{
  gint64 ceiling = get_ceiling (self);

  g_assert (self->min >= 0 && self->max >= 0);

  /* Counting stops before it would begin anew, and with it the waits. */
  if (self->n_failures < G_MAXUINT)
    self->n_failures++;
  return ceiling - ceiling / 2 + scale (ceiling / 2, random);
}
