/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-mux-v2-private.h"

/* How much the other side may send on a stream before this side has taken it: an absolute limit,
 * as QUIC has it (RFC 9000, section 4.1). It moves when a quarter of the window was taken.
 *
 * The window follows the path, as the receive buffer of TCP does in Linux (dynamic right-sizing:
 * Fisk and Feng, 2001): a stream that has drained more than half of its window in one round trip
 * is held up by the window, which doubles. The smallest round trip that was ever seen counts: the
 * present one includes what the windows themselves have put into the queues on the way, and would
 * feed on itself. Never below a few turns of both main loops, which is how long a byte is under way
 * on the shortest path.
 *
 * A stream that drains a fraction of its window only, since its reader is slow or stood still,
 * loses the rest of it. A limit never goes back, so what was granted remains granted until it was
 * used; the budget counts it until then, and what nobody has read yet, and what the next CREDIT
 * will say. */

#define WINDOW_MAX (16 * 1024 * 1024)

/* The least that counts as a round trip, in microseconds. */
#define TURNAROUND 4000

static guint64
get_consumed (VtMuxStream *stream)
{
  return stream->bytes_received - stream->received.length;
}

/* What its window allows, and its limit does not say yet: the next CREDIT will, whatever else was
 * granted until then. */
static void
set_owed (VtMuxV2 *self, VtMuxStream *stream, guint64 limit)
{
  guint64 owed = limit > stream->granted ? limit - stream->granted : 0;

  self->owed += owed - stream->owed;
  stream->owed = owed;
}

void
vt_mux_v2_window_open (VtMuxStream *stream)
{
  VtMuxV2 *self = vt_mux_v2_get (stream->mux);

  stream->window = self->ours.window;
  stream->granted = stream->window;
  stream->epoch_at = vt_clock_get_time (stream->clock);
  self->promised += stream->window;
}

gboolean
vt_mux_v2_window_take (VtMuxStream *stream, size_t length)
{
  VtMuxV2 *self = vt_mux_v2_get (stream->mux);

  if (length > stream->granted - stream->bytes_received)
    return FALSE;
  self->promised -= length;
  return TRUE;
}

void
vt_mux_v2_window_close (VtMuxStream *stream)
{
  VtMuxV2 *self = vt_mux_v2_get (stream->mux);

  set_owed (self, stream, 0);
  self->promised -= stream->granted - stream->bytes_received;
  stream->granted = stream->bytes_received;
}

/* What is held, and what may still come. */
static size_t
get_exposed (VtMuxV2 *self)
{
  return self->promised + self->owed + self->mux->buffered;
}

gboolean
vt_mux_v2_window_has_room (VtMux *mux)
{
  VtMuxV2 *self = vt_mux_v2_get (mux);

  return get_exposed (self) + self->ours.window <= mux->config.max_buffer;
}

/* Windows grow from one half of the budget, so that there is room for new streams; none takes
 * more than a quarter of what is left of it. */
static void
grow (VtMuxV2 *self, VtMuxStream *stream)
{
  size_t budget = self->mux->config.max_buffer / 2;
  size_t exposed = get_exposed (self);
  size_t left = budget > exposed ? budget - exposed : 0;

  stream->window += (guint32) MIN (stream->window, left / 4);
  stream->window = MIN (stream->window, WINDOW_MAX);
}

static void
shrink (VtMuxV2 *self, VtMuxStream *stream, guint64 drained, gint64 n_trips)
{
  guint32 halved = stream->window >> MIN (n_trips, 16);

  stream->window = (guint32) MAX (MAX (halved, drained), self->ours.window);
}

static void
tune (VtMuxV2 *self, VtMuxStream *stream, guint64 consumed)
{
  gint64 trip = MAX (self->mux->min_rtt, TURNAROUND);
  gint64 now = vt_clock_get_time (stream->clock);
  gint64 elapsed = now - stream->epoch_at;
  guint64 drained;

  if (elapsed < trip || self->mux->min_rtt < 0)
    return;

  /* In one round trip. */
  drained = (consumed - stream->epoch_consumed) * (guint64) trip / (guint64) elapsed;
  if (drained > stream->window / 2)
    grow (self, stream);
  else if (drained < stream->window / 8)
    shrink (self, stream, drained, elapsed / trip);
  stream->epoch_at = now;
  stream->epoch_consumed = consumed;
}

void
vt_mux_v2_window_consumed (VtMuxStream *stream)
{
  VtMuxV2 *self = vt_mux_v2_get (stream->mux);
  guint64 consumed = get_consumed (stream);

  if (stream->over || stream->read_ended)
    return;

  set_owed (self, stream, consumed + stream->window);
  tune (self, stream, consumed);
  set_owed (self, stream, consumed + stream->window);
  if (stream->owed < MAX (stream->window / 4, 1))
    return;
  self->promised += stream->owed;
  stream->granted += stream->owed;
  set_owed (self, stream, stream->granted);
  vt_mux_v2_put_credit (self, stream, stream->granted);
}
