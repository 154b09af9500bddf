/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-per-context-private.h"

/* Of all kinds: it is held only to find, to make and to count. */
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
    self->ref_count++;
  else
    {
      self = kind->create (owned);
      g_hash_table_insert (kind->objects, owned, self);
    }
  g_mutex_unlock (&lock);
  return self;
}

void *
vt_per_context_ref (VtPerContext *self)
{
  g_mutex_lock (&lock);
  self->ref_count++;
  g_mutex_unlock (&lock);
  return self;
}

void
vt_per_context_unref (VtPerContextKind *kind, VtPerContext *self)
{
  gboolean last;

  g_mutex_lock (&lock);
  last = --self->ref_count == 0;
  if (last && self->context != NULL)
    g_hash_table_remove (kind->objects, self->context);
  g_mutex_unlock (&lock);

  if (last)
    kind->free (self);
}
