/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-frame-mask-private.h"

#include <string.h>

#include <glib.h>

static const uint8_t mask[VT_FRAME_MASK_SIZE] = { 0x81, 0x42, 0x00, 0xff };

#define MOST 70

/* Byte by byte, as RFC 6455 has it in section 5.3. */
static void
expect_masked (const uint8_t *out, const uint8_t *in, size_t length, size_t offset)
{
  for (size_t i = 0; i < length; i++)
    g_assert_cmphex (out[i], ==, in[i] ^ mask[(offset + i) % VT_FRAME_MASK_SIZE]);
}

static void
test_lengths (void)
{
  uint8_t in[MOST];

  for (size_t i = 0; i < MOST; i++)
    in[i] = i * 37 + 11;
  for (size_t length = 0; length < MOST - 8; length++)
    for (size_t offset = 0; offset < 8; offset++)
      for (size_t place = 0; place < 8; place++)
        {
          uint8_t out[MOST + 1];

          memset (out, 0x55, sizeof out);
          vt_frame_mask (out + place, in + 1, length, mask, offset);
          expect_masked (out + place, in + 1, length, offset);
          g_assert_cmphex (out[place + length], ==, 0x55);
          if (place > 0)
            g_assert_cmphex (out[place - 1], ==, 0x55);
        }
}

static void
test_in_place (void)
{
  uint8_t in[MOST];
  uint8_t out[MOST];

  for (size_t i = 0; i < MOST; i++)
    in[i] = out[i] = i * 13;
  vt_frame_mask (out, out, MOST, mask, 3);
  expect_masked (out, in, MOST, 3);
  vt_frame_mask (out, out, MOST, mask, 3);
  g_assert_cmpmem (out, MOST, in, MOST);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/frame-mask/lengths", test_lengths);
  g_test_add_func ("/frame-mask/in-place", test_in_place);
  return g_test_run ();
}
