/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <glib.h>

/* How often something may happen: so many times a second, of which two seconds' worth can be saved
 * up. It is kept as the time at which all that has happened would be due. */
typedef struct {
  gint64 due; /* nanoseconds, monotonic */
} VtRate;

/* So many microseconds from now it may happen once more; 0: now. `rate` is not 0. */
static inline gint64
vt_rate_get_wait (const VtRate *self, gint64 now)
{
  gint64 ahead = self->due - now * 1000 - G_GINT64_CONSTANT (2000000000);

  return ahead < 0 ? 0 : ahead / 1000 + 1;
}

/* Whether it may happen once more now, in microseconds; then it counts. `rate` 0: always. */
static inline gboolean
vt_rate_take (VtRate *self, unsigned int rate, gint64 now)
{
  gint64 at = now * 1000;

  if (rate == 0)
    return TRUE;
  self->due = MAX (self->due, at);
  if (self->due - at >= G_GINT64_CONSTANT (2000000000))
    return FALSE;
  self->due += G_GINT64_CONSTANT (1000000000) / rate;
  return TRUE;
}
