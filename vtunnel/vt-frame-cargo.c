/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-frame-cargo-private.h"

typedef struct {
  guint64 number;
  GBytes *payload; /* owned */
} Item;

static void
item_free (Item *item)
{
  g_bytes_unref (item->payload);
  g_free (item);
}

void
vt_frame_cargo_put (VtFrameCargo *self, guint64 number, GBytes *payload)
{
  Item *item = g_new (Item, 1);

  item->number = number;
  item->payload = payload;
  g_queue_push_tail (&self->items, item);
}

GBytes *
vt_frame_cargo_take (VtFrameCargo *self, guint64 number)
{
  Item *item = g_queue_peek_head (&self->items);
  GBytes *payload = NULL;

  if (item == NULL || item->number != number)
    return NULL;
  payload = g_bytes_ref (item->payload);
  item_free (g_queue_pop_head (&self->items));
  return payload;
}

void
vt_frame_cargo_clear (VtFrameCargo *self)
{
  g_queue_clear_full (&self->items, (GDestroyNotify) item_free);
}
