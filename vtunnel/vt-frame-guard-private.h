/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <stdint.h>

#include <gio/gio.h>

/* Watches the WebSocket frames (RFC 6455) that a peer sends go by, before libsoup sees them:
 * total size of a message over all its fragments, number of fragments, control frames a second.
 * Pure: bytes in, verdict out. */
typedef struct {
  /* Bytes of payload one message may have in all. */
  guint64 max_message;
  /* Control frames (ping, pong) that may come in any one second. */
  unsigned int max_control_rate;
  /* From this size on, the payload of an unfragmented binary message can go past libsoup; 0 if
   * none can. */
  size_t carry_from;
  /* The peer is a client, which has to mask what it sends. */
  gboolean masked;
} VtFrameLimits;

/* What follows the bytes that may be handed on. */
typedef struct {
  /* The frame breaks a limit: 1002, 1008 or 1009, and why (static); or it is the end of what the
   * frames come through, but not the peer's word: 1001. Nothing after it may be handed on. */
  unsigned int close_code;
  const char  *reason;
  /* Its payload can go past libsoup: bytes of its header, and of its payload. Otherwise 0. */
  size_t header;
  size_t payload;
  /* Of that payload. */
  uint8_t mask[4];
} VtFrameVerdict;

typedef struct _VtFrameGuard VtFrameGuard;

VtFrameGuard *vt_frame_guard_new (const VtFrameLimits *limits);
void          vt_frame_guard_free (VtFrameGuard *self);

/* Looks at the next `length` bytes at time `now` (microseconds). Returns how many of them may be
 * handed on: all of them, or as many as stand before the frame that the verdict is about. Of one
 * whose payload can go past libsoup, the header has been seen then; the payload is to be
 * skipped. */
size_t vt_frame_guard_inspect (VtFrameGuard   *self,
                               const uint8_t  *data,
                               size_t          length,
                               gint64          now,
                               VtFrameVerdict *verdict);
/* So many bytes of the payload came. */
void vt_frame_guard_skip (VtFrameGuard *self, size_t length);

/* A message came in fragments of which some are missing, or there was a goodbye: what comes next is
 * not simply the next message. */
gboolean vt_frame_guard_is_intricate (VtFrameGuard *self);

/* How many data messages have begun. */
guint64 vt_frame_guard_get_n_messages (VtFrameGuard *self);

/* How many pings have gone by: each is answered by a pong. */
guint64 vt_frame_guard_get_n_pings (VtFrameGuard *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtFrameGuard, vt_frame_guard_free)
