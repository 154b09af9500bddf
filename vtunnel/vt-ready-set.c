/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-ready-set-private.h"

#include "vt-source-private.h"

typedef struct {
  GSource source;
  GObject *stream; /* owned */
  VtReadySet *set; /* not owned: a part of the stream */
  gboolean ready;
  gboolean parked;
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

/* One for each thread, as a context cannot be the default of two at a time; until the thread ends,
 * as the last source may be what keeps all else alive. NULL: there is no descriptor for it. */
static GMainContext *
parking_lot (void)
{
  static GPrivate lot = G_PRIVATE_INIT ((GDestroyNotify) g_main_context_unref);

  if (g_private_get (&lot) == NULL)
    g_private_set (&lot, vt_source_new_context ());
  return g_private_get (&lot);
}

/* The caller makes a source, and attaches it next. FALSE if it has to stand where it would. */
static gboolean
begin_parking (VtReadySet *self)
{
  if (self->parking != NULL)
    return TRUE;
  self->parking = parking_lot ();
  if (self->parking != NULL)
    g_main_context_push_thread_default (self->parking);
  return self->parking != NULL;
}

static void
end_parking (VtReadySet *self)
{
  if (self->parking != NULL)
    g_main_context_pop_thread_default (self->parking);
  self->parking = NULL;
}

/* Nobody knows what a source calls but GLib, which says it when it dispatches one. */
static void
note_caller (VtReadySet *self, GSource *source, GPollableSourceFunc func, void *user_data)
{
  GMainContext *context = g_source_get_context (source);

  if (self->context != context)
    {
      g_clear_pointer (&self->context, g_main_context_unref);
      self->context = g_main_context_ref (context);
    }
  self->waiting = func;
  self->waiting_data = user_data;
  if (self->stand_in == source)
    g_clear_pointer (&self->stand_in, g_source_unref);
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
  if (self->set->parks)
    note_caller (self->set, source, func, user_data);
  self->set->dispatching = TRUE;
  goes_on = func (self->stream, user_data);
  self->set->dispatching = FALSE;
  end_parking (self->set);
  if (self->set->parks)
    vt_ready_set_wake (self->set);
  if (self->set->clock != NULL)
    vt_clock_end_dispatch (self->set->clock);
  if (goes_on)
    look (self);
  return goes_on;
}

static void
dismiss_stand_in (VtReadySet *self)
{
  if (self->stand_in == NULL)
    return;
  g_source_destroy (self->stand_in);
  g_clear_pointer (&self->stand_in, g_source_unref);
}

static void
source_finalize (GSource *source)
{
  ReadySource *self = (ReadySource *) source;

  g_ptr_array_remove_fast (self->set->sources, source);
  if (self->parked)
    dismiss_stand_in (self->set);
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
  *self = (VtReadySet){
    .sources = g_ptr_array_new (),
    .check = check,
    .user_data = user_data,
    .clock = clock != NULL ? vt_clock_ref (clock) : NULL,
  };
}

void
vt_ready_set_clear (VtReadySet *self)
{
  g_assert (self->stand_in == NULL);
  g_clear_pointer (&self->sources, g_ptr_array_unref);
  g_clear_pointer (&self->clock, vt_clock_unref);
  g_clear_pointer (&self->context, g_main_context_unref);
}

void
vt_ready_set_prepare (void)
{
  parking_lot ();
}

void
vt_ready_set_park (VtReadySet *self)
{
  self->parks = TRUE;
}

static ReadySource *
source_new (VtReadySet *self, GObject *stream)
{
  GSource *source = g_source_new (&source_funcs, sizeof (ReadySource));
  ReadySource *ready = (ReadySource *) source;

  g_source_set_static_name (source, "[vtunnel] pollable");
  ready->stream = g_object_ref (stream);
  ready->set = self;
  look (ready);
  return ready;
}

GSource *
vt_ready_set_create_source (VtReadySet *self, GObject *stream, GCancellable *cancellable)
{
  ReadySource *ready = source_new (self, stream);
  GSource *source = &ready->source;

  g_ptr_array_add (self->sources, source);
  ready->parked = self->parks && self->dispatching && begin_parking (self);

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

/* As if the one that is parked was attached, for this once. */
static void
stand_in_for (VtReadySet *self, ReadySource *parked)
{
  ReadySource *source;

  if (self->stand_in != NULL)
    return;
  source = source_new (self, parked->stream);
  self->stand_in = &source->source;
  g_source_set_priority (self->stand_in, g_source_get_priority (&parked->source));
  g_source_set_callback (self->stand_in, G_SOURCE_FUNC (self->waiting), self->waiting_data, NULL);
  g_source_attach (self->stand_in, self->context);
}

void
vt_ready_set_wake (VtReadySet *self)
{
  for (unsigned int i = 0; i < self->sources->len; i++)
    {
      ReadySource *source = self->sources->pdata[i];

      look (source);
      if (!source->parked)
        continue;
      if (source->ready)
        stand_in_for (self, source);
      else
        dismiss_stand_in (self);
    }
}
