/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-frame-feed-private.h"

#include <string.h>

#include "vt-frame-cargo-private.h"
#include "vt-frame-mask-private.h"
#include "vt-frame-walk-private.h"

struct _VtFrameFeed {
  /* Owned. */
  VtFrameGuard *guard;
  gboolean masked;
  VtFrameCargo cargo;

  /* Of the payload that is under way: owned, NULL if there is none. */
  uint8_t *payload;
  size_t size;
  size_t have;
  uint8_t mask[VT_FRAME_MASK_SIZE];
  /* A payload is whole, and libsoup has to be told. */
  gboolean due;
};

VtFrameFeed *
vt_frame_feed_new (const VtFrameLimits *limits)
{
  VtFrameFeed *self = g_new0 (VtFrameFeed, 1);

  self->guard = vt_frame_guard_new (limits);
  self->masked = limits->masked;
  return self;
}

void
vt_frame_feed_free (VtFrameFeed *self)
{
  vt_frame_guard_free (self->guard);
  vt_frame_cargo_clear (&self->cargo);
  g_free (self->payload);
  g_free (self);
}

static void
begin_payload (VtFrameFeed *self, const VtFrameVerdict *verdict)
{
  self->payload = g_malloc (verdict->payload);
  self->size = verdict->payload;
  self->have = 0;
  memcpy (self->mask, verdict->mask, sizeof self->mask);
}

uint8_t *
vt_frame_feed_get_room (VtFrameFeed *self, size_t *size)
{
  *size = self->size - self->have;
  return self->payload != NULL ? self->payload + self->have : NULL;
}

void
vt_frame_feed_filled (VtFrameFeed *self, size_t length)
{
  uint8_t *piece = self->payload + self->have;

  if (self->masked)
    vt_frame_mask (piece, piece, length, self->mask, self->have);
  self->have += length;
  vt_frame_guard_skip (self->guard, length);
  if (self->have < self->size)
    return;
  vt_frame_cargo_put (&self->cargo, vt_frame_guard_get_n_messages (self->guard),
                      g_bytes_new_take (g_steal_pointer (&self->payload), self->size));
  self->due = TRUE;
}

static size_t
put_empty_message (VtFrameFeed *self, uint8_t *out)
{
  const uint8_t frame[2 + VT_FRAME_MASK_SIZE] = {
    VT_FRAME_FIN | VT_FRAME_BINARY,
    self->masked ? VT_FRAME_MASKED : 0,
  };
  size_t length = self->masked ? sizeof frame : 2;

  memcpy (out, frame, length);
  self->due = FALSE;
  return length;
}

size_t
vt_frame_feed_take (VtFrameFeed *self,
                    uint8_t *data,
                    size_t length,
                    gint64 now,
                    uint8_t **begin,
                    VtFrameVerdict *verdict)
{
  /* A header is never shorter than an empty frame's. So what is written never overtakes what is
   * read, if the end of a payload whose header came earlier has some bytes to spare. */
  uint8_t *out = self->payload != NULL || self->due ? data - VT_FRAME_FEED_SLACK : data;
  size_t seen = 0;

  *begin = out;
  *verdict = (VtFrameVerdict){ 0 };
  while (TRUE)
    {
      size_t n_bytes = 0;

      if (self->due)
        out += put_empty_message (self, out);
      if (seen == length || verdict->close_code != 0)
        return out - *begin;

      if (self->payload != NULL)
        {
          n_bytes = MIN (length - seen, self->size - self->have);
          memcpy (self->payload + self->have, data + seen, n_bytes);
          vt_frame_feed_filled (self, n_bytes);
          seen += n_bytes;
          continue;
        }

      n_bytes = vt_frame_guard_inspect (self->guard, data + seen, length - seen, now, verdict);
      memmove (out, data + seen, n_bytes);
      out += n_bytes;
      seen += n_bytes + verdict->header;
      if (verdict->payload > 0)
        begin_payload (self, verdict);
    }
}

gboolean
vt_frame_feed_is_intricate (VtFrameFeed *self)
{
  return vt_frame_guard_is_intricate (self->guard);
}

static GBytes *
new_message (VtFrameFeed *self, const uint8_t *payload, size_t length)
{
  uint8_t *unmasked = NULL;

  if (!self->masked || length == 0)
    return g_bytes_new (payload, length);
  unmasked = g_malloc (length);
  vt_frame_mask (unmasked, payload, length, payload - VT_FRAME_MASK_SIZE, 0);
  return g_bytes_new_take (unmasked, length);
}

size_t
vt_frame_feed_next_message (VtFrameFeed *self, const uint8_t *data, size_t length, GBytes **message)
{
  VtFrameWalk walk = { 0 };
  gboolean began = FALSE;
  size_t header = 0;

  if (length > 0)
    header = vt_frame_walk_step (&walk, data, length, &began);
  if (!began || !vt_frame_walk_is_whole_message (&walk, self->masked)
      || walk.left > length - header)
    return 0;
  *message = new_message (self, data + header, walk.left);
  return header + walk.left;
}

GBytes *
vt_frame_feed_take_payload (VtFrameFeed *self, guint64 number)
{
  return vt_frame_cargo_take (&self->cargo, number);
}

void
vt_frame_feed_forget_payloads (VtFrameFeed *self)
{
  vt_frame_cargo_clear (&self->cargo);
}

guint64
vt_frame_feed_get_n_pings (VtFrameFeed *self)
{
  return vt_frame_guard_get_n_pings (self->guard);
}
