/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-frame-guard-private.h"

#include <string.h>

#include "vt-frame-walk-private.h"

/* A message may come in this many fragments: the Go programs cut theirs at 4 KiB, so that 1 MiB
 * comes in 256. Without a bound, a row of empty ones would never end. */
#define FRAGMENTS 1024

/* Bytes that a control frame may carry (RFC 6455, section 5.5). */
#define CONTROL_MAX 125

struct _VtFrameGuard {
  VtFrameLimits limits;
  VtFrameWalk walk;

  /* Of the message that is under way. */
  guint64 message_size;
  guint64 n_fragments;
  /* It has not ended. */
  gboolean fragmented;

  /* A message began within another; the peer said goodbye. */
  gboolean broken;
  gboolean goodbye;

  guint64 n_messages;
  guint64 n_pings;
  /* When the last max_control_rate control frames came: a ring, whose next place holds the one
   * that came first. It is what makes "in any one second" exact. */
  gint64 *control_times;
  unsigned int next_control;

  unsigned int close_code;
  /* Static. */
  const char *reason;
};

VtFrameGuard *
vt_frame_guard_new (const VtFrameLimits *limits)
{
  VtFrameGuard *self = g_new0 (VtFrameGuard, 1);

  self->limits = *limits;
  self->control_times = g_new (gint64, MAX (limits->max_control_rate, 1));
  for (unsigned int i = 0; i < limits->max_control_rate; i++)
    self->control_times[i] = G_MININT64 / 2;
  return self;
}

void
vt_frame_guard_free (VtFrameGuard *self)
{
  g_free (self->control_times);
  g_free (self);
}

static void
refuse (VtFrameGuard *self, unsigned int close_code, const char *reason)
{
  self->close_code = close_code;
  self->reason = reason;
}

/* Caddy before 2.6.3, when it reloads, writes a close frame into each of its connections as a
 * server does, to both sides, and hangs up. To a server that is a frame which is not masked, of
 * exactly this size: a proxy's goodbye, not the client's, who knows nothing of it. */
static gboolean
is_goodbye_of_a_proxy (VtFrameGuard *self)
{
  const uint8_t *header = self->walk.header;

  return self->limits.masked && header[0] == (VT_FRAME_FIN | VT_FRAME_CLOSE)
         && header[1] == sizeof (uint16_t);
}

static void
judge_control (VtFrameGuard *self, gint64 now)
{
  unsigned int rate = self->limits.max_control_rate;

  if (is_goodbye_of_a_proxy (self))
    {
      refuse (self, 1001, "closed by a proxy");
      return;
    }
  /* libsoup waits for the rest of a pong of any length. */
  if (self->walk.left > CONTROL_MAX)
    {
      refuse (self, 1002, "control frame too long");
      return;
    }
  if (vt_frame_walk_get_opcode (&self->walk) == VT_FRAME_CLOSE)
    self->goodbye = TRUE;
  if (vt_frame_walk_get_opcode (&self->walk) == VT_FRAME_PING)
    self->n_pings++;
  if (rate == 0 || now - self->control_times[self->next_control] < G_TIME_SPAN_SECOND)
    {
      refuse (self, 1008, "too many control frames");
      return;
    }
  self->control_times[self->next_control] = now;
  self->next_control = (self->next_control + 1) % rate;
}

static void
judge_data (VtFrameGuard *self)
{
  gboolean last = (self->walk.header[0] & VT_FRAME_FIN) != 0;

  if (vt_frame_walk_get_opcode (&self->walk) != VT_FRAME_CONTINUATION)
    {
      self->message_size = 0;
      self->n_fragments = 0;
      self->n_messages++;
      self->broken = self->broken || self->fragmented;
    }
  self->fragmented = !last;

  /* What the header announces counts, so that nothing of a frame too large is ever kept. */
  if (self->walk.left > self->limits.max_message - self->message_size)
    {
      refuse (self, 1009, "message too large");
      return;
    }
  self->message_size += self->walk.left;
  self->n_fragments++;
  if (self->n_fragments > FRAGMENTS)
    refuse (self, 1008, "too many fragments");
}

/* Whatever is not as it should be is left to libsoup, which says so. */
static gboolean
can_be_carried (VtFrameGuard *self)
{
  return self->limits.carry_from > 0 && self->walk.left >= self->limits.carry_from
         && vt_frame_walk_is_whole_message (&self->walk, self->limits.masked);
}

static void
carry (VtFrameGuard *self, VtFrameVerdict *verdict)
{
  verdict->header = self->walk.have;
  verdict->payload = self->walk.left;
  if (self->limits.masked)
    memcpy (verdict->mask, self->walk.header + self->walk.have - sizeof verdict->mask,
            sizeof verdict->mask);
}

size_t
vt_frame_guard_inspect (VtFrameGuard *self,
                        const uint8_t *data,
                        size_t length,
                        gint64 now,
                        VtFrameVerdict *verdict)
{
  size_t frame_start = 0;
  size_t seen = 0;
  gboolean began = FALSE;

  *verdict = (VtFrameVerdict){ 0 };
  while (self->close_code == 0 && seen < length)
    {
      if (vt_frame_walk_is_between (&self->walk))
        frame_start = seen;
      seen += vt_frame_walk_step (&self->walk, data + seen, length - seen, &began);
      if (!began)
        continue;
      if (VT_FRAME_IS_CONTROL (vt_frame_walk_get_opcode (&self->walk)))
        judge_control (self, now);
      else
        judge_data (self);
      /* Not if the beginning of its header has been handed on. */
      if (self->close_code == 0 && seen - frame_start == self->walk.have && can_be_carried (self))
        {
          carry (self, verdict);
          return frame_start;
        }
    }

  if (self->close_code == 0)
    return length;
  verdict->close_code = self->close_code;
  verdict->reason = self->reason;
  return frame_start;
}

void
vt_frame_guard_skip (VtFrameGuard *self, size_t length)
{
  g_assert (length <= self->walk.left);

  self->walk.left -= length;
}

gboolean
vt_frame_guard_is_intricate (VtFrameGuard *self)
{
  return self->fragmented || self->broken || self->goodbye;
}

guint64
vt_frame_guard_get_n_messages (VtFrameGuard *self)
{
  return self->n_messages;
}

guint64
vt_frame_guard_get_n_pings (VtFrameGuard *self)
{
  return self->n_pings;
}
