/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-frame-load-private.h"

#include "vt-frame-mask-private.h"
#include "vt-frame-walk-private.h"
#include "vt-random-private.h"

/* RFC 6455, section 5.2. */
static void
put_length (VtFrameLoad *self, guint64 length)
{
  unsigned int n_bytes = 0;

  if (length > G_MAXUINT16)
    n_bytes = 8;
  else if (length > 125)
    n_bytes = 2;
  self->header[1] = n_bytes == 8 ? 127 : n_bytes == 2 ? 126 : (uint8_t) length;
  for (unsigned int i = 0; i < n_bytes; i++)
    self->header[2 + i] = length >> (8 * (n_bytes - 1 - i)) & 0xff;
  self->header_size = 2 + n_bytes;
}

/* A new mask for each frame, which nobody can foresee (RFC 6455, section 5.3). */
static GBytes *
mask_payload (VtFrameLoad *self, GBytes *payload)
{
  uint8_t *mask = self->header + self->header_size;
  size_t length = 0;
  const uint8_t *data = g_bytes_get_data (payload, &length);
  uint8_t *masked = g_malloc (length);

  vt_random_draw (mask, VT_FRAME_MASK_SIZE);
  self->header[1] |= VT_FRAME_MASKED;
  self->header_size += VT_FRAME_MASK_SIZE;
  vt_frame_mask (masked, data, length, mask, 0);
  return g_bytes_new_take (masked, length);
}

void
vt_frame_load_init (VtFrameLoad *self, GBytes *payload, gboolean masked)
{
  self->header[0] = VT_FRAME_FIN | VT_FRAME_BINARY;
  put_length (self, g_bytes_get_size (payload));
  self->payload = masked ? mask_payload (self, payload) : g_bytes_ref (payload);
  self->done = 0;
}

void
vt_frame_load_clear (VtFrameLoad *self)
{
  g_clear_pointer (&self->payload, g_bytes_unref);
}

gboolean
vt_frame_load_is_pending (const VtFrameLoad *self)
{
  return self->payload != NULL;
}

size_t
vt_frame_load_get_size (const VtFrameLoad *self)
{
  return self->header_size + g_bytes_get_size (self->payload);
}

size_t
vt_frame_load_get_vectors (const VtFrameLoad *self, GOutputVector *vectors)
{
  size_t of_header = MIN (self->done, self->header_size);
  size_t of_payload = self->done - of_header;
  size_t n_vectors = 0;
  size_t length = 0;
  const uint8_t *data = NULL;

  if (self->payload == NULL)
    return 0;
  data = g_bytes_get_data (self->payload, &length);
  if (of_header < self->header_size)
    vectors[n_vectors++] =
        (GOutputVector){ self->header + of_header, self->header_size - of_header };
  if (of_payload < length)
    vectors[n_vectors++] = (GOutputVector){ data + of_payload, length - of_payload };
  return n_vectors;
}

void
vt_frame_load_advance (VtFrameLoad *self, size_t length)
{
  if (self->payload == NULL)
    return;
  self->done += length;
  if (self->done == vt_frame_load_get_size (self))
    vt_frame_load_clear (self);
}
