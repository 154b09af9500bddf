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
} VtFrameLimits;

typedef struct _VtFrameGuard VtFrameGuard;

VtFrameGuard *vt_frame_guard_new (const VtFrameLimits *limits);
void          vt_frame_guard_free (VtFrameGuard *self);

/* Looks at the next `length` bytes at time `now` (microseconds). Returns how many of them may be
 * handed on: all of them, or as many as stand before the frame that breaks a limit; then
 * `close_code` (1008, 1009) and `reason` (static) are set, and nothing after it may be handed
 * on. */
size_t vt_frame_guard_inspect (VtFrameGuard  *self,
                               const uint8_t *data,
                               size_t         length,
                               gint64         now,
                               unsigned int  *close_code,
                               const char   **reason);

/* How many pings have gone by: each is answered by a pong. */
guint64 vt_frame_guard_get_n_pings (VtFrameGuard *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtFrameGuard, vt_frame_guard_free)
