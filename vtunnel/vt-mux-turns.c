/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-mux-internal-private.h"

/* Streams write by turns while the link has room. Whoever is refused waits in line, and whoever has
 * written and wants more goes to its end as long as others wait: a small request is never behind
 * more than one write of each other stream.
 *
 * As long as anybody waits, either the link is so full that it will say when it is not, or
 * turns_timer runs. */

/* What the link may hold before nobody writes any more, in bytes: no less than the mark below which
 * the link says that it has room again. */
#define SEND_QUEUE_HIGH (128 * 1024)

/* Serving goes on for this long in one dispatch, in microseconds: a link that is never full must
 * not keep the main loop for itself. */
#define SERVE_BUDGET 500

static gboolean
has_room (VtMux *self)
{
  return self->handlers.get_queued (self->user_data) + self->batched < SEND_QUEUE_HIGH
         && vt_mux_get_kept (self) <= self->config.max_buffer
         && (self->handlers.is_behind == NULL || !self->handlers.is_behind (self->user_data));
}

static void
join_line (VtMux *self, VtMuxStream *stream)
{
  if (stream->is_waiting)
    return;

  stream->is_waiting = TRUE;
  g_queue_push_tail_link (&self->waiting, &stream->waiting);
}

static void
leave_line (VtMux *self, VtMuxStream *stream)
{
  if (!stream->is_waiting)
    return;

  stream->is_waiting = FALSE;
  g_queue_unlink (&self->waiting, &stream->waiting);
}

gboolean
vt_mux_take_turn (VtMux *self, VtMuxStream *stream)
{
  if (has_room (self) && (self->turn == stream || self->waiting.length == 0))
    return TRUE;

  join_line (self, stream);
  return FALSE;
}

void
vt_mux_serve_soon (VtMux *self)
{
  if (self->waiting.length > 0 && self->failure == NULL)
    vt_timer_start_soon (self->turns_timer);
}

void
vt_mux_wait_for_turn (VtMux *self, VtMuxStream *stream)
{
  join_line (self, stream);
  vt_mux_serve_soon (self);
}

void
vt_mux_leave_turns (VtMux *self, VtMuxStream *stream)
{
  leave_line (self, stream);
  if (self->turn == stream)
    self->turn = NULL;
}

static void
serve_next (VtMux *self)
{
  VtMuxStream *stream = g_queue_peek_head (&self->waiting);

  leave_line (self, stream);
  vt_mux_stream_ref (stream);
  self->turn = stream;
  vt_mux_stream_emit_writable (stream);
  self->turn = NULL;
  vt_mux_stream_unref (stream);
}

void
vt_mux_serve_turns (VtMux *self)
{
  gint64 begun = vt_clock_get_time (self->clock);

  if (self->serving)
    return;

  self->serving = TRUE;
  while (self->failure == NULL && self->waiting.length > 0 && has_room (self))
    {
      serve_next (self);
      if (vt_clock_get_time (self->clock) - begun >= SERVE_BUDGET)
        {
          vt_timer_start (self->turns_timer, 0);
          break;
        }
    }
  self->serving = FALSE;
}
