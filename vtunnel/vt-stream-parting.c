/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-stream-parting-private.h"

#include <glib/gi18n-lib.h>

#include "vt-error.h"

#define PATIENCE (5 * G_TIME_SPAN_SECOND)

typedef struct {
  VtStream *stream; /* owned */
  VtMuxStream *mux; /* owned */
  VtTimer *timer;   /* owned */
} Parting;

static void
finish (Parting *self, const GError *error)
{
  g_autoptr(VtStream) stream = self->stream;

  vt_mux_stream_set_handlers (self->mux, NULL, NULL);
  vt_mux_stream_unref (self->mux);
  vt_timer_free (self->timer);
  g_free (self);
  vt_stream_finish (stream, error);
}

static void
readable_cb (VtMuxStream *mux, void *user_data)
{
  vt_mux_stream_discard (mux);
}

static void
closed_cb (VtMuxStream *mux, const GError *error, void *user_data)
{
  g_autoptr(GError) copy = error != NULL ? g_error_copy (error) : NULL;

  vt_mux_stream_discard (mux);
  finish (user_data, copy);
}

static void
timeout_cb (void *user_data)
{
  Parting *self = user_data;
  g_autoptr(GError) error =
      g_error_new_literal (VT_ERROR, VT_ERROR_CANCELLED, _ ("The stream is not needed any more"));

  vt_mux_stream_reset (self->mux, error);
  /* Nothing went wrong: there was nobody any more to read it. */
  finish (self, NULL);
}

void
vt_stream_part (VtStream *stream, VtMuxStream *mux)
{
  static const VtMuxStreamHandlers handlers = { .readable = readable_cb, .closed = closed_cb };
  g_autoptr(VtClock) clock = vt_clock_get (NULL);
  Parting *self = g_new0 (Parting, 1);

  self->stream = g_object_ref (stream);
  self->mux = mux;
  self->timer = vt_timer_new (clock, "stream parting", timeout_cb, self);
  vt_timer_start (self->timer, PATIENCE);
  vt_mux_stream_discard (mux);
  vt_mux_stream_set_handlers (mux, &handlers, self);
  vt_mux_stream_shutdown (mux);
}
