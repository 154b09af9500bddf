/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-mux-internal-private.h"

#include <string.h>

#include <glib/gi18n-lib.h>

#include "vt-error.h"

/* A client dials a target for each stream, and answers when that has: so a server counts the
 * streams that wait for it. Users who come when there are as many as may be are to wait where they
 * cost nothing, which is the owner's to see to. They are let in again when half of them have been
 * answered, and not one by one. */

static void
tell (VtMux *self, gboolean crowded)
{
  if (self->crowded == crowded || self->failure != NULL)
    return;
  self->crowded = crowded;
  if (self->handlers.crowded != NULL)
    self->handlers.crowded (crowded, self->user_data);
}

/* One that never answers would hold its users for ever. How long a stream waits is not measured one
 * by one: from time to time it is noted how far the numbers of streams have come, and streams that
 * were there so many looks ago are over. */

static GPtrArray *
list_overdue (VtMux *self, guint32 last)
{
  GPtrArray *overdue = g_ptr_array_new_with_free_func ((GDestroyNotify) vt_mux_stream_unref);
  GHashTableIter iter;
  VtMuxStream *stream;

  g_hash_table_iter_init (&iter, self->streams);
  while (last > 0 && g_hash_table_iter_next (&iter, NULL, (void **) &stream))
    if (stream->id <= last && vt_mux_stream_is_opening (stream))
      g_ptr_array_add (overdue, vt_mux_stream_ref (stream));
  return overdue;
}

static void
end_overdue (VtMux *self, guint32 last)
{
  g_autoptr(GPtrArray) overdue = list_overdue (self, last);
  g_autoptr(GError) error =
      g_error_new_literal (VT_ERROR, VT_ERROR_TIMED_OUT, _ ("The client did not answer in time"));

  for (unsigned int i = 0; i < overdue->len && self->failure == NULL; i++)
    {
      VtMuxStream *stream = overdue->pdata[i];

      /* Whoever hears that there is room again may have ended it. */
      if (!vt_mux_stream_is_opening (stream))
        continue;
      self->protocol->reset (stream, error);
      vt_mux_stream_end (stream, error);
    }
}

static void
start_looking (VtMux *self)
{
  vt_timer_start (self->opening_timer, self->config.opening_timeout / VT_MUX_OPENING_LOOKS);
}

static void
look_cb (void *user_data)
{
  VtMux *self = user_data;
  guint32 *looks = self->opening_looks;

  end_overdue (self, looks[VT_MUX_OPENING_LOOKS - 1]);
  memmove (looks + 1, looks, (VT_MUX_OPENING_LOOKS - 1) * sizeof *looks);
  looks[0] = self->last_stream_id;
  if (self->n_opening > 0 && self->failure == NULL)
    start_looking (self);
}

static void
begin_looking (VtMux *self)
{
  if (self->opening_timer == NULL)
    self->opening_timer = vt_timer_new (self->clock, "mux opening", look_cb, self);
  memset (self->opening_looks, 0, sizeof self->opening_looks);
  self->opening_looks[0] = self->last_stream_id;
  start_looking (self);
}

void
vt_mux_opening_stop (VtMux *self)
{
  if (self->opening_timer != NULL)
    vt_timer_stop (self->opening_timer);
}

void
vt_mux_opening_resume (VtMux *self)
{
  if (self->n_opening > 0)
    begin_looking (self);
}

void
vt_mux_note_opening (VtMux *self)
{
  self->n_opening++;
  if (!self->suspended
      && (self->opening_timer == NULL || !vt_timer_is_running (self->opening_timer)))
    begin_looking (self);
  if (self->n_opening >= self->config.max_opening)
    tell (self, TRUE);
}

void
vt_mux_note_opened (VtMux *self)
{
  self->n_opening--;
  if (self->n_opening <= self->config.max_opening / 2)
    tell (self, FALSE);
}
