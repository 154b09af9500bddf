/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-frame-mask-private.h"

#include <string.h>

void
vt_frame_mask (uint8_t *out,
               const uint8_t *in,
               size_t length,
               const uint8_t mask[VT_FRAME_MASK_SIZE],
               size_t offset)
{
  uint8_t turned[sizeof (uint64_t)];
  uint64_t wide = 0;
  size_t at = 0;

  for (size_t i = 0; i < sizeof turned; i++)
    turned[i] = mask[(offset + i) % VT_FRAME_MASK_SIZE];
  memcpy (&wide, turned, sizeof wide);

  for (; length - at >= sizeof wide; at += sizeof wide)
    {
      uint64_t word;

      memcpy (&word, in + at, sizeof word);
      word ^= wide;
      memcpy (out + at, &word, sizeof word);
    }
  for (size_t i = 0; at < length; i++, at++)
    out[at] = in[at] ^ turned[i];
}
