/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-list-private.h"

typedef struct {
  unsigned int changes;
  unsigned int position;
  unsigned int removed;
  unsigned int added;
} Changed;

static void
items_changed_cb (GListModel *model,
                  unsigned int position,
                  unsigned int removed,
                  unsigned int added,
                  Changed *changed)
{
  changed->changes++;
  changed->position = position;
  changed->removed = removed;
  changed->added = added;
}

static void
watch (VtList *list, Changed *changed)
{
  *changed = (Changed){ 0 };
  g_signal_connect (list, "items-changed", G_CALLBACK (items_changed_cb), changed);
}

static void
assert_changed (const Changed *changed, unsigned int changes, unsigned int position, int difference)
{
  g_assert_cmpuint (changed->changes, ==, changes);
  g_assert_cmpuint (changed->position, ==, position);
  g_assert_cmpint ((int) changed->added - (int) changed->removed, ==, difference);
  g_assert_cmpuint (changed->added + changed->removed, ==, 1);
}

static void
assert_item (VtList *list, unsigned int position, gpointer expected)
{
  g_autoptr(GObject) item = g_list_model_get_item (G_LIST_MODEL (list), position);

  g_assert_true (item == expected);
}

static GObject *
new_item (void)
{
  return g_object_new (G_TYPE_OBJECT, NULL);
}

static void
test_append (void)
{
  g_autoptr(VtList) list = vt_list_new (G_TYPE_OBJECT);
  g_autoptr(GObject) a = new_item ();
  g_autoptr(GObject) b = new_item ();
  Changed changed;

  watch (list, &changed);
  g_assert_true (g_list_model_get_item_type (G_LIST_MODEL (list)) == G_TYPE_OBJECT);
  assert_item (list, 0, NULL);

  vt_list_append (list, a);
  assert_changed (&changed, 1, 0, 1);
  vt_list_append (list, b);
  assert_changed (&changed, 2, 1, 1);

  g_assert_cmpuint (vt_list_get_length (list), ==, 2);
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (list)), ==, 2);
  assert_item (list, 0, a);
  assert_item (list, 1, b);
  assert_item (list, 2, NULL);
  assert_item (list, G_MAXUINT, NULL);
}

static void
test_remove (void)
{
  g_autoptr(VtList) list = vt_list_new (G_TYPE_OBJECT);
  g_autoptr(GObject) a = new_item ();
  g_autoptr(GObject) b = new_item ();
  g_autoptr(GObject) c = new_item ();
  Changed changed;

  vt_list_append (list, a);
  vt_list_append (list, b);
  vt_list_append (list, c);
  watch (list, &changed);

  g_assert_true (vt_list_contains (list, b));
  g_assert_true (vt_list_remove (list, b));
  assert_changed (&changed, 1, 1, -1);
  g_assert_false (vt_list_contains (list, b));
  g_assert_false (vt_list_remove (list, b));
  g_assert_cmpuint (changed.changes, ==, 1);
  assert_item (list, 0, a);
  assert_item (list, 1, c);

  vt_list_append (list, b);
  assert_changed (&changed, 2, 2, 1);
}

static void
test_weak (void)
{
  g_autoptr(VtList) list = vt_list_new (G_TYPE_OBJECT);
  g_autoptr(GObject) a = new_item ();
  GObject *b = new_item ();
  Changed changed;

  vt_list_append (list, a);
  vt_list_append (list, b);
  g_assert_cmpuint (b->ref_count, ==, 1);
  watch (list, &changed);

  g_object_unref (b);
  assert_changed (&changed, 1, 1, -1);
  g_assert_cmpuint (vt_list_get_length (list), ==, 1);

  g_object_run_dispose (a);
  assert_changed (&changed, 2, 0, -1);
  g_assert_cmpuint (vt_list_get_length (list), ==, 0);
}

static void
test_list_goes_first (void)
{
  VtList *list = vt_list_new (G_TYPE_OBJECT);
  g_autoptr(GObject) a = new_item ();
  g_autoptr(GObject) b = new_item ();

  vt_list_append (list, a);
  vt_list_append (list, b);
  vt_list_remove (list, a);
  g_assert_finalize_object (list);
}

static void
drop_list_cb (GListModel *model,
              unsigned int position,
              unsigned int removed,
              unsigned int added,
              VtList **list)
{
  g_clear_object (list);
}

/* A handler may drop what seems to be the last reference of the list. */
static void
test_dropped_in_handler (void)
{
  VtList *list = vt_list_new (G_TYPE_OBJECT);
  GObject *item = new_item ();

  vt_list_append (list, item);
  g_signal_connect (list, "items-changed", G_CALLBACK (drop_list_cb), &list);
  g_object_unref (item);
  g_assert_null (list);
}

/* The list against an array, by a fixed sequence of random operations. */
static void
test_random (void)
{
  g_autoptr(VtList) list = vt_list_new (G_TYPE_OBJECT);
  g_autoptr(GPtrArray) expected = g_ptr_array_new_with_free_func (g_object_unref);
  Changed changed;

  watch (list, &changed);
  for (unsigned int i = 0; i < 2000; i++)
    {
      unsigned int n = expected->len;
      unsigned int at = n > 0 ? (unsigned int) g_test_rand_int_range (0, (int) n) : 0;

      if (n == 0 || g_test_rand_int_range (0, 5) < 3)
        {
          g_ptr_array_add (expected, new_item ());
          vt_list_append (list, g_ptr_array_index (expected, n));
          assert_changed (&changed, i + 1, n, 1);
          continue;
        }
      if (g_test_rand_bit ())
        vt_list_remove (list, g_ptr_array_index (expected, at));
      g_ptr_array_remove_index (expected, at);
      assert_changed (&changed, i + 1, at, -1);
    }

  g_assert_cmpuint (vt_list_get_length (list), ==, expected->len);
  for (unsigned int i = 0; i < expected->len; i++)
    assert_item (list, i, g_ptr_array_index (expected, i));
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/list/append", test_append);
  g_test_add_func ("/list/remove", test_remove);
  g_test_add_func ("/list/weak/item-goes", test_weak);
  g_test_add_func ("/list/weak/list-goes", test_list_goes_first);
  g_test_add_func ("/list/weak/dropped-in-handler", test_dropped_in_handler);
  g_test_add_func ("/list/random", test_random);
  return g_test_run ();
}
