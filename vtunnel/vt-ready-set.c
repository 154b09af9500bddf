/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-ready-set-private.h"

typedef struct {
  GSource source;
  GObject *stream; /* owned */
  VtReadySet *set; /* not owned: a part of the stream */
  gboolean ready;
} ReadySource;

static void
look (ReadySource *self)
{
  self->ready = self->set->check (self->set->user_data);
}

/* Asked before and after each poll, and no ready time: setting one wakes the main loop up with a
 * system call, and this happens on each turn. */
static gboolean
source_check (GSource *source)
{
  return ((ReadySource *) source)->ready;
}

static gboolean
source_prepare (GSource *source, int *timeout)
{
  *timeout = -1;
  return source_check (source);
}

static gboolean
source_dispatch (GSource *source, GSourceFunc callback, gpointer user_data)
{
  ReadySource *self = (ReadySource *) source;
  GPollableSourceFunc func = (GPollableSourceFunc) G_CALLBACK (callback);
  gboolean goes_on;

  if (func == NULL)
    return G_SOURCE_REMOVE;
  self->ready = FALSE;
  goes_on = func (self->stream, user_data);
  if (self->set->clock != NULL)
    vt_clock_end_dispatch (self->set->clock);
  if (goes_on)
    look (self);
  return goes_on;
}

static void
source_finalize (GSource *source)
{
  ReadySource *self = (ReadySource *) source;

  g_ptr_array_remove_fast (self->set->sources, source);
  g_object_unref (self->stream);
}

/* What a closure, which is how bindings set a callback, is called through. */
static gboolean
closure_callback (GObject *stream, gpointer user_data)
{
  g_auto(GValue) argument = G_VALUE_INIT;
  g_auto(GValue) result = G_VALUE_INIT;

  g_value_init (&argument, G_TYPE_OBJECT);
  g_value_set_object (&argument, stream);
  g_value_init (&result, G_TYPE_BOOLEAN);
  g_closure_invoke (user_data, &result, 1, &argument, NULL);
  return g_value_get_boolean (&result);
}

static GSourceFuncs source_funcs = {
  .prepare = source_prepare,
  .check = source_check,
  .dispatch = source_dispatch,
  .finalize = source_finalize,
  .closure_callback = G_SOURCE_FUNC (closure_callback),
  .closure_marshal = (GSourceDummyMarshal) g_cclosure_marshal_generic,
};

void
vt_ready_set_init (VtReadySet *self, VtReadyCheck check, void *user_data, VtClock *clock)
{
  self->sources = g_ptr_array_new ();
  self->check = check;
  self->user_data = user_data;
  self->clock = clock != NULL ? vt_clock_ref (clock) : NULL;
}

void
vt_ready_set_clear (VtReadySet *self)
{
  g_clear_pointer (&self->sources, g_ptr_array_unref);
  g_clear_pointer (&self->clock, vt_clock_unref);
}

GSource *
vt_ready_set_create_source (VtReadySet *self, GObject *stream, GCancellable *cancellable)
{
  GSource *source = g_source_new (&source_funcs, sizeof (ReadySource));
  ReadySource *ready = (ReadySource *) source;

  g_source_set_static_name (source, "[vtunnel] pollable");
  ready->stream = g_object_ref (stream);
  ready->set = self;
  g_ptr_array_add (self->sources, source);
  look (ready);

  if (cancellable != NULL)
    {
      g_autoptr(GSource) child = g_cancellable_source_new (cancellable);

      g_source_set_dummy_callback (child);
      g_source_add_child_source (source, child);
    }
  return source;
}

gboolean
vt_ready_set_is_wanted (VtReadySet *self)
{
  for (unsigned int i = 0; i < self->sources->len; i++)
    if (!g_source_is_destroyed (self->sources->pdata[i]))
      return TRUE;
  return FALSE;
}

void
vt_ready_set_wake (VtReadySet *self)
{
  for (unsigned int i = 0; i < self->sources->len; i++)
    look (self->sources->pdata[i]);
}
