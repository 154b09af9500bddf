/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-counters-private.h"

/* From within a house to the other side of the earth and a busy mobile network. */
const gint64 vt_counters_bounds[VT_COUNTERS_N_BOUNDS] = {
  500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000,
};

static const unsigned int statuses[VT_COUNTERS_N_STATUSES] = { 400, 401, 403, 404, 405,
                                                               426, 429, 503, 0 };

VtCounters *
vt_counters_new (void)
{
  return g_rc_box_new0 (VtCounters);
}

VtCounters *
vt_counters_ref (VtCounters *self)
{
  return g_rc_box_acquire (self);
}

void
vt_counters_unref (VtCounters *self)
{
  g_rc_box_release (self);
}

unsigned int
vt_counters_get_status (size_t index)
{
  return statuses[index];
}

void
vt_counters_note_request_refused (VtCounters *self, unsigned int status)
{
  size_t index = 0;

  while (index < G_N_ELEMENTS (statuses) - 1 && statuses[index] != status)
    index++;
  self->requests_refused[index]++;
}

void
vt_counters_note_forward_refused (VtCounters *self, const GError *error)
{
  gboolean known = error->domain == VT_ERROR && error->code >= 0
                   && error->code < (int) G_N_ELEMENTS (self->forwards_refused);

  self->forwards_refused[known ? error->code : VT_ERROR_FAILED]++;
}

void
vt_counters_note_round_trip (VtCounters *self, gint64 microseconds)
{
  size_t index = 0;

  while (index < G_N_ELEMENTS (vt_counters_bounds) && microseconds > vt_counters_bounds[index])
    index++;
  self->round_trips[index]++;
  self->round_trip_sum += microseconds;
}

void
vt_counters_note_stream_over (VtCounters *self, VtStream *stream, const GError *error)
{
  self->bytes_sent += vt_stream_get_bytes_sent (stream);
  self->bytes_received += vt_stream_get_bytes_received (stream);
  if (error != NULL)
    self->streams_failed++;
}
