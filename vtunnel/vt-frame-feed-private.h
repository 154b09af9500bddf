/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vt-frame-guard-private.h"

/* The frames that a peer sends, on their way to libsoup: judged by a VtFrameGuard, and, of large
 * binary messages, without their payloads (VtFrameLimits.carry_from). libsoup gets an empty message
 * in the place of each, and a mask is taken off on the way. Pure: bytes in, bytes and payloads
 * out. */
typedef struct _VtFrameFeed VtFrameFeed;

VtFrameFeed *vt_frame_feed_new (const VtFrameLimits *limits);
void         vt_frame_feed_free (VtFrameFeed *self);

/* So many bytes before what is given to vt_frame_feed_take () are its to use. */
#define VT_FRAME_FEED_SLACK 8

/* Looks at the next `length` bytes, at time `now`, and changes them in place into what may be
 * handed on: as many bytes as it returns, from `begin` on, which lies up to VT_FRAME_FEED_SLACK
 * bytes before `data` or in it. If `close_code` is set, nothing after that may. */
size_t vt_frame_feed_take (VtFrameFeed    *self,
                           uint8_t        *data,
                           size_t          length,
                           gint64          now,
                           uint8_t       **begin,
                           VtFrameVerdict *verdict);

/* A message came in fragments of which some are missing, or there was a goodbye: what comes next
 * is not simply the next message. */
gboolean vt_frame_feed_is_intricate (VtFrameFeed *self);

/* If what was given out goes on with a whole binary message in one frame, how long that is, and
 * the message as libsoup would tell of it: a new reference. 0 if libsoup has to see what stands
 * there. */
size_t vt_frame_feed_next_message (VtFrameFeed   *self,
                                   const uint8_t *data,
                                   size_t         length,
                                   GBytes       **message);

/* Where the rest of a payload goes that is under way, to be read there without a detour; NULL if
 * none is. What was read there has to be told, and vt_frame_feed_take () to follow, if only with
 * no bytes. */
uint8_t *vt_frame_feed_get_room (VtFrameFeed *self, size_t *size);
void     vt_frame_feed_filled (VtFrameFeed *self, size_t length);

/* The payload of the peer's data message of this number, from 1; NULL if libsoup has it. A new
 * reference. */
GBytes *vt_frame_feed_take_payload (VtFrameFeed *self, guint64 number);
/* Nobody will take those that have come. */
void vt_frame_feed_forget_payloads (VtFrameFeed *self);

guint64 vt_frame_feed_get_n_pings (VtFrameFeed *self);
