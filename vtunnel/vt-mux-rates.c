/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-mux-internal-private.h"

#include <glib/gi18n-lib.h>

#include "vt-error.h"

/* What costs more than its bytes is counted: each request may have an answer, and each end of a
 * stream goes through everything that the stream went through. */
static gboolean
take (VtMux *self, VtRate *rate, unsigned int max, const char *problem)
{
  if (vt_rate_take (rate, max, vt_clock_get_time (self->clock)))
    return TRUE;
  vt_mux_fail (self, g_error_new_literal (VT_ERROR, VT_ERROR_LIMIT, problem));
  return FALSE;
}

gboolean
vt_mux_note_control (VtMux *self)
{
  return take (self, &self->control_rate, self->config.max_control_rate,
               _ ("The other side sends too many requests a second"));
}

gboolean
vt_mux_note_ping (VtMux *self)
{
  return take (self, &self->ping_rate, self->config.max_ping_rate,
               _ ("The other side sends too many pings a second"));
}

gboolean
vt_mux_note_reset (VtMux *self)
{
  return take (self, &self->reset_rate, self->config.max_reset_rate,
               _ ("The other side resets too many connections a second"));
}
