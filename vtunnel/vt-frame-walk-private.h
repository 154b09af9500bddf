/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <stdint.h>

#include <glib.h>

/* Walks over a row of WebSocket frames (RFC 6455), however it is cut into pieces. Begins zeroed. */
typedef struct {
  uint8_t      header[14];
  unsigned int have;
  /* Bytes of payload of the current frame that are still to come. */
  guint64 left;
  /* It is part of a message that is skipped. */
  gboolean skipped;
} VtFrameWalk;

/* Steps over the next bytes, at least one of at least one: to the end of a header (then `began` is
 * set, and what it says can be asked), of a payload, or of the data. All bytes that one step
 * covers belong to one frame. Returns how many they are. */
size_t vt_frame_walk_step (VtFrameWalk   *self,
                           const uint8_t *data,
                           size_t         length,
                           gboolean      *began);

/* Steps over the next bytes as far as they belong to one frame. Returns how many they are. */
size_t vt_frame_walk_step_frame (VtFrameWalk *self, const uint8_t *data, size_t length);

/* Steps over frames that are parts of messages, up to a control frame or the end of the data.
 * Returns how many bytes they are; 0 within a frame whose first byte was not skipped. */
size_t vt_frame_walk_skip_messages (VtFrameWalk *self, const uint8_t *data, size_t length);

/* TRUE if the next byte is the first one of a frame. */
gboolean vt_frame_walk_is_between (const VtFrameWalk *self);

/* Of the current frame; known from its first byte on. */
unsigned int vt_frame_walk_get_opcode (const VtFrameWalk *self);

/* Of one that has just begun: a binary message of one frame, in the form that RFC 6455 wants it
 * in, and masked or not. */
gboolean vt_frame_walk_is_whole_message (const VtFrameWalk *self, gboolean masked);

/* Of a frame whose first two bytes are there. */
gboolean vt_frame_walk_is_masked (const uint8_t *header);

/* In the first and the second byte of a header. */
#define VT_FRAME_FIN 0x80
#define VT_FRAME_MASKED 0x80

#define VT_FRAME_CONTINUATION 0x0
#define VT_FRAME_BINARY 0x2
#define VT_FRAME_CLOSE 0x8
#define VT_FRAME_PING 0x9
#define VT_FRAME_IS_CONTROL(opcode) (((opcode) &0x8) != 0)
