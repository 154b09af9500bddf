/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <glib.h>

/* How long to wait before each new attempt: exponential with jitter. The n-th wait (n from 0) is
 * drawn between half of min * 2^n and all of it, which is never more than max ("equal jitter",
 * Brooker, Exponential Backoff And Jitter, AWS Architecture Blog, 2015). Randomness is handed in.
 * Times are in microseconds and not negative; where min is above max, max counts. */
typedef struct {
  gint64       min;
  gint64       max;
  unsigned int n_failures; /* waits that were drawn since the last reset */
} VtBackoff;

/* What was waited for has succeeded: the next wait is a first one. */
void vt_backoff_reset (VtBackoff *self);
/* `random`: 32 random bits, of which 0 draws the shortest wait, and all ones the longest. */
gint64 vt_backoff_next (VtBackoff *self, guint32 random);
