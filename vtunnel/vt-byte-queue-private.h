/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <stdint.h>

#include <glib.h>

/* Bytes that came in pieces and are taken from the front. Large pieces are kept as they came, tiny
 * ones are put together, so that a peer that sends single bytes gets no memory for the many
 * wrappings. */
typedef struct {
  GQueue         pieces;      /* owned */
  const uint8_t *lent;        /* not owned: the last piece, NULL if none is lent */
  size_t         lent_length;
  size_t         length;      /* bytes */
  size_t         cost;        /* bytes of memory: the length and what each piece needs besides */
} VtByteQueue;

#define VT_BYTE_QUEUE_PIECE_COST 128

void vt_byte_queue_push (VtByteQueue *self, GBytes *bytes);
/* Bytes of somebody else's message, who says when they go: what was not consumed until then is
 * copied. So nothing is copied for a reader that keeps up, and a small piece never holds a large
 * message. Nothing else is pushed between the two. */
void vt_byte_queue_lend (VtByteQueue *self, const uint8_t *data, size_t length);
void vt_byte_queue_end_lending (VtByteQueue *self);
/* The first contiguous piece, NULL if there is nothing. Valid until the next call of another
 * function. */
const uint8_t *vt_byte_queue_peek (VtByteQueue *self, size_t *length);
/* At most what is there. */
void vt_byte_queue_consume (VtByteQueue *self, size_t length);
void vt_byte_queue_clear (VtByteQueue *self);
