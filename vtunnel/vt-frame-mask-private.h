/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <stddef.h>
#include <stdint.h>

#define VT_FRAME_MASK_SIZE 4

/* Masks a payload, or takes its mask off again (RFC 6455, section 5.3): `offset` is where in the
 * payload `in` begins. `out` may be `in`, but must not overlap it otherwise. */
void vt_frame_mask (uint8_t       *out,
                    const uint8_t *in,
                    size_t         length,
                    const uint8_t  mask[VT_FRAME_MASK_SIZE],
                    size_t         offset);
