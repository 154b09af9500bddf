/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <stdint.h>

#include <gio/gio.h>

/* A binary message as one frame on its way out: its header, and its payload, of which a masked
 * frame has a copy of its own. Zeroed, or cleared, it is nothing. */
typedef struct {
  uint8_t header[14];
  size_t  header_size;
  GBytes *payload; /* owned, nullable: then nothing is pending */
  size_t  done;    /* of both together */
} VtFrameLoad;

void     vt_frame_load_init (VtFrameLoad *self, GBytes *payload, gboolean masked);
void     vt_frame_load_clear (VtFrameLoad *self);
gboolean vt_frame_load_is_pending (const VtFrameLoad *self);
size_t   vt_frame_load_get_size (const VtFrameLoad *self);

/* What is still to be written, in at most this many pieces; returns how many. */
#define VT_FRAME_LOAD_VECTORS 2
size_t vt_frame_load_get_vectors (const VtFrameLoad *self, GOutputVector *vectors);
/* So much more was written. All that is left of it, it lets go of. */
void vt_frame_load_advance (VtFrameLoad *self, size_t length);
