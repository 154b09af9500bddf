/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-per-context-private.h"

/* Of all kinds: it is held only to find and to make, and to let go of the last reference, since who
 * finds an object adds one. */
static GMutex lock;

void *
vt_per_context_alloc (size_t size, GMainContext *context)
{
  VtPerContext *self = g_malloc0 (size);

  self->ref_count = 1;
  self->context = context != NULL ? g_main_context_ref (context) : NULL;
  return self;
}

void
vt_per_context_dealloc (VtPerContext *self)
{
  g_clear_pointer (&self->context, g_main_context_unref);
  g_free (self);
}

void *
vt_per_context_ref (VtPerContext *self)
{
  g_atomic_int_inc (&self->ref_count);
  return self;
}

/* FALSE if it is the last one. */
static gboolean
drop_one_of_many (VtPerContext *self)
{
  int count = g_atomic_int_get (&self->ref_count);

  while (count > 1)
    {
      if (g_atomic_int_compare_and_exchange (&self->ref_count, count, count - 1))
        return TRUE;
      count = g_atomic_int_get (&self->ref_count);
    }
  return FALSE;
}

void *
vt_per_context_get (VtPerContextKind *kind, GMainContext *context)
{
  g_autoptr(GMainContext) owned = NULL;
  VtPerContext *self;

  owned = context != NULL ? g_main_context_ref (context) : g_main_context_ref_thread_default ();

  g_mutex_lock (&lock);
  if (kind->objects == NULL)
    kind->objects = g_hash_table_new (NULL, NULL);
  self = g_hash_table_lookup (kind->objects, owned);
  if (self != NULL)
    vt_per_context_ref (self);
  else
    {
      self = kind->create (owned);
      g_hash_table_insert (kind->objects, owned, self);
    }
  g_mutex_unlock (&lock);
  return self;
}

void
vt_per_context_unref (VtPerContextKind *kind, VtPerContext *self)
{
  gboolean last;

  if (drop_one_of_many (self))
    return;

  g_mutex_lock (&lock);
  last = g_atomic_int_dec_and_test (&self->ref_count);
  if (last && self->context != NULL)
    g_hash_table_remove (kind->objects, self->context);
  g_mutex_unlock (&lock);

  if (last)
    kind->free (self);
}
