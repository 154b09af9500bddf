/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <stdint.h>

#include <glib.h>

/* Bytes that came in pieces and are taken from the front. Large pieces are kept as they came, tiny
 * ones are put together, so that a peer that sends single bytes gets no memory for the many
 * wrappings. */
typedef struct {
  GQueue pieces; /* owned */
  size_t length; /* bytes */
  size_t cost;   /* bytes of memory: the length and what each piece needs besides */
} VtByteQueue;

#define VT_BYTE_QUEUE_PIECE_COST 128

void vt_byte_queue_push (VtByteQueue *self, GBytes *bytes);
/* The first contiguous piece, NULL if there is nothing. Valid until the next call of another
 * function. */
const uint8_t *vt_byte_queue_peek (VtByteQueue *self, size_t *length);
/* At most what is there. */
void vt_byte_queue_consume (VtByteQueue *self, size_t length);
void vt_byte_queue_clear (VtByteQueue *self);
