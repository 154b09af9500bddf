/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-frame-walk-private.h"

static unsigned int
header_size (const VtFrameWalk *self)
{
  unsigned int size = 2;

  if (self->have < 2)
    return size;
  if ((self->header[1] & 0x7f) == 126)
    size += 2;
  else if ((self->header[1] & 0x7f) == 127)
    size += 8;
  if (vt_frame_walk_is_masked (self->header))
    size += 4;
  return size;
}

static guint64
payload_size (const VtFrameWalk *self)
{
  unsigned int n_bytes = 0;
  guint64 size = 0;

  if ((self->header[1] & 0x7f) == 126)
    n_bytes = 2;
  else if ((self->header[1] & 0x7f) == 127)
    n_bytes = 8;
  else
    return self->header[1] & 0x7f;

  for (unsigned int i = 0; i < n_bytes; i++)
    size = size << 8 | self->header[2 + i];
  return size;
}

size_t
vt_frame_walk_step (VtFrameWalk *self, const uint8_t *data, size_t length, gboolean *began)
{
  size_t taken = 0;

  *began = FALSE;
  if (self->left > 0)
    {
      taken = MIN (self->left, length);
      self->left -= taken;
      return taken;
    }

  if (self->have == header_size (self))
    self->have = 0;
  while (taken < length && self->have < header_size (self))
    self->header[self->have++] = data[taken++];
  if (self->have == header_size (self))
    {
      self->left = payload_size (self);
      *began = TRUE;
    }
  return taken;
}

size_t
vt_frame_walk_step_frame (VtFrameWalk *self, const uint8_t *data, size_t length)
{
  gboolean began = FALSE;
  size_t taken = vt_frame_walk_step (self, data, length, &began);

  if (began && self->left > 0 && taken < length)
    taken += vt_frame_walk_step (self, data + taken, length - taken, &began);
  return taken;
}

size_t
vt_frame_walk_skip_messages (VtFrameWalk *self, const uint8_t *data, size_t length)
{
  size_t taken = 0;

  while (taken < length)
    {
      if (vt_frame_walk_is_between (self))
        self->skipped = !VT_FRAME_IS_CONTROL (data[taken]);
      if (!self->skipped)
        break;
      taken += vt_frame_walk_step_frame (self, data + taken, length - taken);
    }
  return taken;
}

gboolean
vt_frame_walk_is_between (const VtFrameWalk *self)
{
  return self->left == 0 && (self->have == 0 || self->have == header_size (self));
}

gboolean
vt_frame_walk_is_masked (const uint8_t *header)
{
  return (header[1] & VT_FRAME_MASKED) != 0;
}

gboolean
vt_frame_walk_is_whole_message (const VtFrameWalk *self, gboolean masked)
{
  unsigned int form = self->header[1] & 0x7f;
  guint64 least = form == 127 ? G_MAXUINT16 + 1 : form == 126 ? 126 : 0;

  return self->header[0] == (VT_FRAME_FIN | VT_FRAME_BINARY)
         && vt_frame_walk_is_masked (self->header) == masked && self->left >= least;
}

unsigned int
vt_frame_walk_get_opcode (const VtFrameWalk *self)
{
  return self->header[0] & 0x0f;
}
