/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-list-private.h"

struct _VtList {
  GObject parent_instance;

  GType item_type;
  /* Owned, of items in order, each held weakly. */
  GSequence *items;
  /* Owned, from an item to its place in `items`, so that finding one is no search. */
  GHashTable *places;
};

static void list_model_iface_init (GListModelInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (VtList,
                               vt_list,
                               G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (G_TYPE_LIST_MODEL, list_model_iface_init))

/* Forgets an item whose weak reference is gone already. Handlers may drop the last reference to the
 * list, so nothing comes after the signal. */
static void
forget (VtList *self, gpointer item)
{
  GSequenceIter *place = g_hash_table_lookup (self->places, item);
  unsigned int position = (unsigned int) g_sequence_iter_get_position (place);

  g_hash_table_remove (self->places, item);
  g_sequence_remove (place);
  g_list_model_items_changed (G_LIST_MODEL (self), position, 1, 0);
}

static void
item_disposed_cb (gpointer user_data, GObject *item)
{
  forget (VT_LIST (user_data), item);
}

static GType
vt_list_get_item_type (GListModel *model)
{
  return VT_LIST (model)->item_type;
}

static unsigned int
vt_list_get_n_items (GListModel *model)
{
  return vt_list_get_length (VT_LIST (model));
}

static gpointer
vt_list_get_item (GListModel *model, unsigned int position)
{
  VtList *self = VT_LIST (model);

  if (position >= vt_list_get_length (self))
    return NULL;
  return g_object_ref (g_sequence_get (g_sequence_get_iter_at_pos (self->items, (int) position)));
}

static void
list_model_iface_init (GListModelInterface *iface)
{
  iface->get_item_type = vt_list_get_item_type;
  iface->get_n_items = vt_list_get_n_items;
  iface->get_item = vt_list_get_item;
}

static void
vt_list_dispose (GObject *object)
{
  VtList *self = VT_LIST (object);
  GHashTableIter iter;
  gpointer item;

  g_hash_table_iter_init (&iter, self->places);
  while (g_hash_table_iter_next (&iter, &item, NULL))
    g_object_weak_unref (item, item_disposed_cb, self);
  g_hash_table_remove_all (self->places);
  g_sequence_remove_range (g_sequence_get_begin_iter (self->items),
                           g_sequence_get_end_iter (self->items));

  G_OBJECT_CLASS (vt_list_parent_class)->dispose (object);
}

static void
vt_list_finalize (GObject *object)
{
  VtList *self = VT_LIST (object);

  g_hash_table_unref (self->places);
  g_sequence_free (self->items);

  G_OBJECT_CLASS (vt_list_parent_class)->finalize (object);
}

static void
vt_list_class_init (VtListClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->dispose = vt_list_dispose;
  object_class->finalize = vt_list_finalize;
}

static void
vt_list_init (VtList *self)
{
  self->items = g_sequence_new (NULL);
  self->places = g_hash_table_new (NULL, NULL);
}

VtList *
vt_list_new (GType item_type)
{
  VtList *self;

  g_assert (g_type_is_a (item_type, G_TYPE_OBJECT));

  self = g_object_new (VT_TYPE_LIST, NULL);
  self->item_type = item_type;
  return self;
}

void
vt_list_append (VtList *self, gpointer item)
{
  unsigned int position = vt_list_get_length (self);

  g_assert (g_type_is_a (G_OBJECT_TYPE (item), self->item_type));
  g_assert (!vt_list_contains (self, item));

  g_hash_table_insert (self->places, item, g_sequence_append (self->items, item));
  g_object_weak_ref (item, item_disposed_cb, self);
  g_list_model_items_changed (G_LIST_MODEL (self), position, 0, 1);
}

gboolean
vt_list_remove (VtList *self, gpointer item)
{
  if (!vt_list_contains (self, item))
    return FALSE;

  g_object_weak_unref (item, item_disposed_cb, self);
  forget (self, item);
  return TRUE;
}

gboolean
vt_list_contains (VtList *self, gpointer item)
{
  return g_hash_table_contains (self->places, item);
}

unsigned int
vt_list_get_length (VtList *self)
{
  return g_hash_table_size (self->places);
}
