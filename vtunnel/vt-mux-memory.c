/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-mux-internal-private.h"

#include <glib/gi18n-lib.h>

#include "vt-error.h"

/* Where the other side cannot be told to stop, the reading of the whole link pauses while the
 * streams' users are slow: that bounds the memory. One stream that is not read at all would hold
 * all the others, so it is closed in the end. */

/* Bytes in memory at which reading pauses; below half of it, it goes on. */
#define PAUSE_MARK (1024 * 1024)

static size_t
get_pause_mark (VtMux *self)
{
  return MIN (PAUSE_MARK, self->config.max_buffer);
}

static void
resume (VtMux *self)
{
  self->paused = FALSE;
  vt_timer_stop (self->stall_timer);
  if (self->failure != NULL)
    return;

  vt_mux_keepalive_resume (self);
  self->handlers.set_reading (TRUE, self->user_data);
}

void
vt_mux_account (VtMux *self, VtMuxStream *stream)
{
  size_t *sum = stream->orphaned ? &self->orphaned : &self->buffered;

  *sum = *sum - stream->accounted + stream->received.cost;
  stream->accounted = stream->received.cost;
  if (self->paused && self->buffered < get_pause_mark (self) / 2)
    resume (self);
}

void
vt_mux_pause_if_full (VtMux *self)
{
  if (self->paused || self->failure != NULL || self->protocol->windows
      || self->buffered < get_pause_mark (self))
    return;

  self->paused = TRUE;
  vt_mux_keepalive_pause (self);
  if (self->config.stall_timeout > 0)
    vt_timer_start (self->stall_timer, self->config.stall_timeout);
  self->handlers.set_reading (FALSE, self->user_data);
}

/* When a stream will have held the pause for too long, if nothing is taken from it until then. The
 * pause itself has lasted that long when somebody asks. */
static gint64
get_deadline (VtMux *self, VtMuxStream *stream)
{
  return stream->consumed_at + self->config.stall_timeout;
}

/* Of those that have held it for too long, the one that holds most. */
static VtMuxStream *
find_stalled (VtMux *self, gint64 now, gint64 *next_deadline)
{
  VtMuxStream *stalled = NULL;

  *next_deadline = G_MAXINT64;
  for (GList *l = self->members.head; l != NULL; l = l->next)
    {
      VtMuxStream *stream = l->data;

      if (stream->accounted == 0 || stream->orphaned)
        continue;
      if (get_deadline (self, stream) > now)
        *next_deadline = MIN (*next_deadline, get_deadline (self, stream));
      else if (stalled == NULL || stream->accounted > stalled->accounted)
        stalled = stream;
    }
  return stalled;
}

/* It ended in order and its user was told so: what it still holds cannot be taken back, for that
 * would be a silent loss. It counts no more for the pause, but such memory has a bound too. */
static void
orphan (VtMux *self, VtMuxStream *stream)
{
  stream->orphaned = TRUE;
  self->buffered -= stream->accounted;
  self->orphaned += stream->accounted;
  if (self->orphaned > self->config.max_buffer)
    vt_mux_fail (self, g_error_new_literal (VT_ERROR, VT_ERROR_LIMIT,
                                            _ ("Too much was received that nobody reads")));
  vt_mux_account (self, stream);
}

static void
close_stalled (VtMux *self, VtMuxStream *stream)
{
  g_autoptr(GError) error =
      g_error_new_literal (VT_ERROR, VT_ERROR_TIMED_OUT,
                           _ ("The connection held up all others for too long"));

  g_debug ("Stream %u holds %zu bytes that nobody reads", stream->id, stream->received.length);
  if (stream->over)
    {
      orphan (self, stream);
      return;
    }
  self->protocol->reset (stream, error);
  vt_mux_stream_end (stream, error);
}

void
vt_mux_stall_cb (void *user_data)
{
  VtMux *self = user_data;
  gint64 now = vt_clock_get_time (self->clock);

  while (self->paused && self->failure == NULL)
    {
      gint64 next_deadline;
      VtMuxStream *stalled = find_stalled (self, now, &next_deadline);

      if (stalled == NULL)
        {
          vt_timer_start (self->stall_timer, next_deadline - now);
          return;
        }
      close_stalled (self, stalled);
    }
}

size_t
vt_mux_get_buffered (VtMux *self)
{
  return self->buffered + self->orphaned;
}
