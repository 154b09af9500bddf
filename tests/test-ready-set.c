/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-ready-set-private.h"

/* A caller that waits as libsoup's WebSocket does: its callback drops the source, reads, and makes
 * another one as the last that it does. */
typedef struct {
  GMainContext *context; /* owned, the thread's default one */
  GObject *stream;       /* owned */
  VtReadySet set;
  GSource *source; /* owned; NULL while it does not wait */
  gboolean ready;
  gboolean reads;      /* takes what there is */
  unsigned int n_told; /* calls of its callback */
} Caller;

static gboolean
is_ready (void *user_data)
{
  return ((Caller *) user_data)->ready;
}

static void
stop_waiting (Caller *self)
{
  g_source_destroy (self->source);
  g_clear_pointer (&self->source, g_source_unref);
}

static gboolean told_cb (GObject *stream, gpointer user_data);

static void
start_waiting (Caller *self)
{
  self->source = vt_ready_set_create_source (&self->set, self->stream, NULL);
  g_source_set_callback (self->source, G_SOURCE_FUNC (told_cb), self, NULL);
  g_source_attach (self->source, g_main_context_get_thread_default ());
}

static gboolean
told_cb (GObject *stream, gpointer user_data)
{
  Caller *self = user_data;

  self->n_told++;
  g_assert_true (g_main_context_get_thread_default () == self->context);
  stop_waiting (self);
  if (self->reads)
    self->ready = FALSE;
  start_waiting (self);
  return G_SOURCE_REMOVE;
}

static void
turn (Caller *self)
{
  while (g_main_context_iteration (self->context, FALSE))
    if (self->n_told > 1000)
      break;
}

static void
become_ready (Caller *self)
{
  self->ready = TRUE;
  vt_ready_set_wake (&self->set);
}

static Caller *
caller_new (void)
{
  Caller *self = g_new0 (Caller, 1);

  self->context = g_main_context_new ();
  g_main_context_push_thread_default (self->context);
  self->stream = g_object_new (G_TYPE_OBJECT, NULL);
  self->reads = TRUE;
  vt_ready_set_init (&self->set, is_ready, self, NULL);
  vt_ready_set_park (&self->set);
  start_waiting (self);
  /* The first time it is known to nobody but GLib. */
  become_ready (self);
  turn (self);
  g_assert_cmpuint (self->n_told, ==, 1);
  return self;
}

static void
caller_free (Caller *self)
{
  if (self->source != NULL)
    stop_waiting (self);
  vt_ready_set_clear (&self->set);
  g_assert_finalize_object (self->stream);
  g_main_context_pop_thread_default (self->context);
  g_main_context_unref (self->context);
  g_free (self);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Caller, caller_free)

static void
test_waits_elsewhere (void)
{
  g_autoptr(Caller) caller = caller_new ();

  g_assert_true (g_source_get_context (caller->source) != caller->context);
  g_assert_true (g_main_context_get_thread_default () == caller->context);
  g_assert_true (vt_ready_set_is_wanted (&caller->set));
}

static void
test_is_told_each_time (void)
{
  g_autoptr(Caller) caller = caller_new ();

  for (unsigned int i = 2; i < 10; i++)
    {
      become_ready (caller);
      vt_ready_set_wake (&caller->set);
      turn (caller);
      g_assert_cmpuint (caller->n_told, ==, i);
      g_assert_true (g_source_get_context (caller->source) != caller->context);
    }
}

/* Level-triggered. */
static void
test_leaves_something (void)
{
  g_autoptr(Caller) caller = caller_new ();

  caller->reads = FALSE;
  become_ready (caller);
  turn (caller);
  g_assert_cmpuint (caller->n_told, >, 1000);
}

static void
test_is_ready_no_longer (void)
{
  g_autoptr(Caller) caller = caller_new ();

  become_ready (caller);
  caller->ready = FALSE;
  vt_ready_set_wake (&caller->set);
  turn (caller);
  g_assert_cmpuint (caller->n_told, ==, 1);
}

static void
test_waits_no_longer (void)
{
  g_autoptr(Caller) caller = caller_new ();

  become_ready (caller);
  stop_waiting (caller);
  g_assert_false (vt_ready_set_is_wanted (&caller->set));
  turn (caller);
  g_assert_cmpuint (caller->n_told, ==, 1);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/ready-set/park/waits-elsewhere", test_waits_elsewhere);
  g_test_add_func ("/ready-set/park/is-told-each-time", test_is_told_each_time);
  g_test_add_func ("/ready-set/park/leaves-something", test_leaves_something);
  g_test_add_func ("/ready-set/park/is-ready-no-longer", test_is_ready_no_longer);
  g_test_add_func ("/ready-set/park/waits-no-longer", test_waits_no_longer);
  return g_test_run ();
}
