/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-byte-queue-private.h"

/* A piece of at least this is kept as it came; a smaller one is copied behind what is there, as
 * long as that was put together too and stays below the second. */
#define LARGE 1024
#define TOGETHER_MAX 4096

typedef struct {
  GBytes *bytes;        /* owned, as it came; NULL if put together */
  GByteArray *together; /* owned, NULL if `bytes` is there */
  size_t taken;         /* bytes at its front that were consumed */
} Piece;

static Piece *
piece_new (VtByteQueue *queue)
{
  Piece *self = g_new0 (Piece, 1);

  g_queue_push_tail (&queue->pieces, self);
  queue->cost += VT_BYTE_QUEUE_PIECE_COST;
  return self;
}

static void
piece_free (Piece *self)
{
  g_clear_pointer (&self->bytes, g_bytes_unref);
  g_clear_pointer (&self->together, g_byte_array_unref);
  g_free (self);
}

static const uint8_t *
piece_get (Piece *self, size_t *length)
{
  const uint8_t *data;

  if (self->bytes != NULL)
    {
      data = g_bytes_get_data (self->bytes, length);
    }
  else
    {
      data = self->together->data;
      *length = self->together->len;
    }
  *length -= self->taken;
  return data + self->taken;
}

static void
push_small (VtByteQueue *self, const uint8_t *data, size_t length)
{
  Piece *last = g_queue_peek_tail (&self->pieces);

  if (last == NULL || last->together == NULL || last->together->len + length > TOGETHER_MAX)
    {
      last = piece_new (self);
      last->together = g_byte_array_new ();
    }
  g_byte_array_append (last->together, data, (unsigned int) length);
}

void
vt_byte_queue_push (VtByteQueue *self, GBytes *bytes)
{
  size_t length;
  const uint8_t *data = g_bytes_get_data (bytes, &length);

  if (length == 0)
    return;
  if (length < LARGE)
    push_small (self, data, length);
  else
    piece_new (self)->bytes = g_bytes_ref (bytes);
  self->length += length;
  self->cost += length;
}

void
vt_byte_queue_lend (VtByteQueue *self, const uint8_t *data, size_t length)
{
  self->lent = data;
  self->lent_length = length;
  self->length += length;
  self->cost += length;
}

void
vt_byte_queue_end_lending (VtByteQueue *self)
{
  const uint8_t *data = g_steal_pointer (&self->lent);

  if (data == NULL)
    return;
  if (self->lent_length < LARGE)
    push_small (self, data, self->lent_length);
  else
    piece_new (self)->bytes = g_bytes_new (data, self->lent_length);
}

const uint8_t *
vt_byte_queue_peek (VtByteQueue *self, size_t *length)
{
  Piece *first = g_queue_peek_head (&self->pieces);

  if (first != NULL)
    return piece_get (first, length);
  *length = self->lent != NULL ? self->lent_length : 0;
  return self->lent;
}

static void
consume_lent (VtByteQueue *self, size_t length)
{
  self->lent += length;
  self->lent_length -= length;
  if (self->lent_length == 0)
    self->lent = NULL;
}

void
vt_byte_queue_consume (VtByteQueue *self, size_t length)
{
  g_assert (length <= self->length);

  self->length -= length;
  self->cost -= length;
  while (length > 0)
    {
      Piece *first = g_queue_peek_head (&self->pieces);
      size_t there;

      if (first == NULL)
        {
          consume_lent (self, length);
          return;
        }
      piece_get (first, &there);
      if (length < there)
        {
          first->taken += length;
          return;
        }
      length -= there;
      self->cost -= VT_BYTE_QUEUE_PIECE_COST;
      piece_free (g_queue_pop_head (&self->pieces));
    }
}

void
vt_byte_queue_clear (VtByteQueue *self)
{
  g_queue_clear_full (&self->pieces, (GDestroyNotify) piece_free);
  *self = (VtByteQueue){ 0 };
}
