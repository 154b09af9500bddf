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
 * feed on itself. Pings are rare, and the first one finds both sides busy with their beginning. But
 * each CREDIT is a ping, too: what comes beyond the limit before it answers it. Never below a few
 * turns of both main loops, which is how long a byte is under way on the shortest path.
 *
 * What a fast path brings in a round trip is the most that a window needs. More would only pile up
 * in the receiver's kernel, where small requests wait behind it, and the caches are too small for
 * it. How much that is hangs on the machine: three quarters of the pace at which busy streams have
 * drained, so that what piles up is gone again in less than a shortest round trip.
 *
 * On a short path, what a slow machine brings is about what the queues hold, and so much every busy
 * stream may have: among many, or beside one whose window was wide before, its round trips take far
 * longer than the smallest one. So up to there, and before a window shrinks, a round trip may take
 * as long as full queues make it.
 *
 * Drained is what has left for the reader, as far as whoever writes it out can tell: what has come
 * to stand in the kernel since the epoch began has not. For a user who never reads a kernel takes
 * megabytes at once. Windows that grew by that would be held when it is full; as it is, they stay
 * small, and shrink while it still takes what comes. Who reads loses nothing by it. An epoch is a
 * round trip at least, and over such a time the count is exact, in however large bursts it comes: a
 * reader who is held up by the window takes a whole one in each round trip, and half of that is
 * enough to widen it; who takes less than half has no need of more. When such a one begins to read
 * faster, that counts from then on, and what stands in the kernel lasts until the window is wide.
 *
 * A stream that drains a fraction of its window only, since its reader is slow or stood still,
 * loses the rest of it. A limit never goes back, so what was granted remains granted until it was
 * used; the budget counts it until then, and what nobody has read yet, and what the next CREDIT
 * will say.
 *
 * Nobody can be told of a limit without a link. So it is said once there is one: one CREDIT for a
 * stream, however much its user has read meanwhile. The pause says nothing of the reader. */

/* What a fast path brings, in bytes a microsecond, on a slow machine and on a fast one. */
#define FAST_LEAST 384
#define FAST_MOST 1536

/* Of so many epochs of busy streams, the pace is the moving average. */
#define PACE_WEIGHT 8

/* The least that counts as a round trip, and the least of one through full queues, in
 * microseconds. */
#define TURNAROUND 512
#define LOADED_TURNAROUND 50000

/* On the shortest path. */
#define WINDOW_NEAR (FAST_LEAST * TURNAROUND)

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

/* A credit leaves: which bytes answer it. */
static void
start_probe (VtMuxStream *stream)
{
  if (stream->probe != 0)
    return;
  stream->probe = stream->granted;
  stream->probe_at = vt_clock_get_time (stream->clock);
}

static void
end_probe (VtMuxV2 *self, VtMuxStream *stream)
{
  gint64 trip = vt_clock_get_time (stream->clock) - stream->probe_at;

  stream->probe = 0;
  if (self->min_trip < 0 || trip < self->min_trip)
    self->min_trip = trip;
}

/* -1 while it is unknown. */
static gint64
get_min_trip (VtMuxV2 *self)
{
  gint64 rtt = self->mux->min_rtt;

  return self->min_trip >= 0 && (rtt < 0 || self->min_trip < rtt) ? self->min_trip : rtt;
}

gboolean
vt_mux_v2_window_take (VtMuxStream *stream, size_t length)
{
  VtMuxV2 *self = vt_mux_v2_get (stream->mux);

  if (length > stream->granted - stream->bytes_received)
    return FALSE;
  if (stream->probe != 0 && length > stream->probe - stream->bytes_received)
    end_probe (self, stream);
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

static guint32
get_widest (VtMuxV2 *self, gint64 trip)
{
  guint32 most = MAX (self->mux->config.max_window, self->ours.window);
  gint64 fast = CLAMP (self->pace / PACE_WEIGHT * 3 / 4, FAST_LEAST, FAST_MOST);

  return (guint32) MIN (fast * trip, most);
}

static void
learn_pace (VtMuxV2 *self, guint64 drained, gint64 elapsed)
{
  self->pace -= self->pace / PACE_WEIGHT;
  self->pace += drained / elapsed;
}

/* Windows grow from one half of the budget, so that there is room for new streams; none takes
 * more than a quarter of what is left of it. */
static void
grow (VtMuxV2 *self, VtMuxStream *stream, gint64 trip)
{
  size_t budget = self->mux->config.max_buffer / 2;
  size_t exposed = get_exposed (self);
  size_t left = budget > exposed ? budget - exposed : 0;
  guint32 widest = get_widest (self, trip);

  if (stream->window < widest)
    stream->window += (guint32) MIN (MIN (stream->window, widest - stream->window), left / 4);
}

static void
shrink (VtMuxV2 *self, VtMuxStream *stream, guint64 drained, gint64 n_trips)
{
  guint32 halved = stream->window >> MIN (n_trips, 16);

  stream->window = (guint32) MAX (MAX (halved, drained), self->ours.window);
}

/* Of what was taken in this epoch, what has left. */
static guint64
get_drained (VtMuxStream *stream, guint64 taken, gssize unsent)
{
  gssize before = stream->epoch_unsent;
  guint64 more = before >= 0 && unsent > before ? (guint64) (unsent - before) : 0;

  return taken - MIN (more, taken);
}

/* In one round trip of this length. */
static guint64
get_in_trip (guint64 drained, gint64 elapsed, gint64 trip)
{
  return drained * (guint64) trip / (guint64) MAX (elapsed, trip);
}

static gboolean
is_held_up (VtMuxStream *stream, guint64 drained, gint64 elapsed, gint64 trip)
{
  gboolean is_near = stream->window < WINDOW_NEAR;
  gint64 most = is_near ? MAX (trip, LOADED_TURNAROUND) : trip;

  return get_in_trip (drained, elapsed, most) > stream->window / 2;
}

static void
tune (VtMuxV2 *self, VtMuxStream *stream, guint64 consumed)
{
  gint64 min_trip = get_min_trip (self);
  gint64 trip = MAX (min_trip, TURNAROUND);
  gint64 loaded_trip = MAX (trip, LOADED_TURNAROUND);
  gint64 now = vt_clock_get_time (stream->clock);
  gint64 elapsed = now - stream->epoch_at;
  guint64 taken = consumed - stream->epoch_consumed;
  guint64 drained;
  gssize unsent;

  if (elapsed < trip || min_trip < 0)
    return;
  /* The usual case, in which nobody need be asked. */
  if (elapsed < loaded_trip && !is_held_up (stream, taken, elapsed, trip))
    return;

  unsent = vt_mux_stream_get_unsent (stream);
  drained = get_drained (stream, taken, unsent);
  if (is_held_up (stream, drained, elapsed, trip))
    {
      learn_pace (self, taken, elapsed);
      grow (self, stream, trip);
    }
  else if (elapsed < loaded_trip)
    return;
  else if ((drained = get_in_trip (drained, elapsed, loaded_trip)) < stream->window / 8)
    shrink (self, stream, drained, elapsed / loaded_trip);
  stream->epoch_at = now;
  stream->epoch_consumed = consumed;
  stream->epoch_unsent = unsent;
}

void
vt_mux_v2_window_consumed (VtMuxStream *stream)
{
  VtMuxV2 *self = vt_mux_v2_get (stream->mux);
  guint64 consumed = get_consumed (stream);

  if (stream->over || stream->read_ended)
    return;

  set_owed (self, stream, consumed + stream->window);
  if (stream->mux->suspended)
    return;
  tune (self, stream, consumed);
  set_owed (self, stream, consumed + stream->window);
  if (stream->owed < MAX (stream->window / 4, 1))
    return;
  start_probe (stream);
  self->promised += stream->owed;
  stream->granted += stream->owed;
  set_owed (self, stream, stream->granted);
  vt_mux_v2_put_credit (self, stream, stream->granted);
}

void
vt_mux_v2_window_resume (VtMuxStream *stream)
{
  stream->probe = 0;
  stream->epoch_at = vt_clock_get_time (stream->clock);
  stream->epoch_consumed = get_consumed (stream);
  vt_mux_v2_window_consumed (stream);
}
