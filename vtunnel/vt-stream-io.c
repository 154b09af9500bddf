/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-stream-half-private.h"

#include <string.h>

#include <glib/gi18n-lib.h>

#include "vt-error.h"

/* The side of a VtStream that drives the mux's stream for an application. */

/* A turn to write lasts only while the mux says so, and an application writes in a dispatch of its
 * own, when others wait again: it would never have its turn. So one write is taken ahead, and is at
 * hand when the turn comes. In bytes. */
#define STAGED_MAX 32768

/* How long a stream that the application has closed waits for the other side to end too, before it
 * is reset: what still comes is dropped meanwhile, so that no tail of what was written is lost. */
#define DRAIN (5 * G_TIME_SPAN_SECOND)

static GError *
new_drain_error (void)
{
  return g_error_new_literal (VT_ERROR, VT_ERROR_CANCELLED,
                              _ ("The stream was closed, and the other side went on"));
}

static VtTimer *
start_drain (GMainContext *context, VtTimerFunc func, void *user_data)
{
  g_autoptr(VtClock) clock = vt_clock_get (context);
  VtTimer *timer = vt_timer_new (clock, "stream drain", func, user_data);

  vt_timer_start (timer, DRAIN);
  return timer;
}

static void
wake_input (VtStream *self)
{
  if (self->input != NULL)
    vt_stream_half_wake (vt_stream_input_get_half (self->input));
}

static void
wake_output (VtStream *self)
{
  if (self->output != NULL)
    vt_stream_half_wake (vt_stream_output_get_half (self->output));
}

static void
readable_cb (VtMuxStream *mux, void *user_data)
{
  VtStream *self = user_data;

  if (self->input_ended)
    vt_mux_stream_discard (mux);
  else
    wake_input (self);
}

/* TRUE when all of it has gone. Called when it is this stream's turn, which does not last: what
 * does not go now waits for the next one. */
static gboolean
flush (VtMuxStream *mux, GByteArray *staged)
{
  uint8_t *place;
  size_t space;

  while (staged->len > 0 && (place = vt_mux_stream_begin_write (mux, &space)) != NULL)
    {
      space = MIN (space, staged->len);
      memcpy (place, staged->data, space);
      vt_mux_stream_end_write (mux, space);
      g_byte_array_remove_range (staged, 0, space);
    }
  return staged->len == 0;
}

static void
drain_cb (void *user_data)
{
  VtStream *self = user_data;
  g_autoptr(GError) error = new_drain_error ();

  vt_mux_stream_reset (self->mux, error);
  vt_stream_finish (self, error);
}

/* Once the application wants neither direction any more, and all that it wrote has gone out. */
static void
drain_if_closed (VtStream *self)
{
  if (self->input_ended && self->output_ended && self->staged == NULL && !self->over
      && self->drain == NULL)
    self->drain = start_drain (self->context, drain_cb, self);
}

static void
writable_cb (VtMuxStream *mux, void *user_data)
{
  VtStream *self = user_data;

  if (self->staged == NULL || !flush (mux, self->staged))
    return;
  g_clear_pointer (&self->staged, g_byte_array_unref);
  if (self->output_ended)
    vt_mux_stream_shutdown (mux);
  drain_if_closed (self);
  wake_output (self);
}

static void
opened_cb (VtMuxStream *mux, void *user_data)
{
  VtStream *self = user_data;
  VtStreamAnsweredFunc answered = g_steal_pointer (&self->answered);

  if (answered != NULL)
    answered (self, self->answered_data);
}

static void
closed_cb (VtMuxStream *mux, const GError *error, void *user_data)
{
  vt_stream_finish (user_data, error);
}

static const VtMuxStreamHandlers own_handlers = {
  .opened = opened_cb,
  .readable = readable_cb,
  .writable = writable_cb,
  .closed = closed_cb,
};

/* A stream that was closed and whose object is gone: what it still has to send goes out, and the
 * reference to it is dropped when the other side has ended too. */
typedef struct {
  VtMuxStream *mux;      /* owned */
  GMainContext *context; /* owned */
  GByteArray *staged;    /* owned, nullable */
  VtTimer *drain;        /* owned, NULL until all has gone out */
  GDestroyNotify gone;   /* the stream's, nullable */
  void *gone_data;
} Forsaken;

static void
forsaken_free (Forsaken *self)
{
  vt_mux_stream_set_handlers (self->mux, NULL, NULL);
  g_clear_pointer (&self->staged, g_byte_array_unref);
  g_clear_pointer (&self->drain, vt_timer_free);
  g_main_context_unref (self->context);
  vt_mux_stream_unref (self->mux);
  if (self->gone != NULL)
    self->gone (self->gone_data);
  g_free (self);
}

static void
forsaken_drain_cb (void *user_data)
{
  Forsaken *self = user_data;
  g_autoptr(GError) error = new_drain_error ();

  vt_mux_stream_reset (self->mux, error);
  forsaken_free (self);
}

static void
forsaken_readable_cb (VtMuxStream *mux, void *user_data)
{
  vt_mux_stream_discard (mux);
}

static void
forsaken_writable_cb (VtMuxStream *mux, void *user_data)
{
  Forsaken *self = user_data;

  if (self->staged == NULL || !flush (mux, self->staged))
    return;
  g_clear_pointer (&self->staged, g_byte_array_unref);
  vt_mux_stream_shutdown (mux);
  self->drain = start_drain (self->context, forsaken_drain_cb, self);
}

static void
forsaken_closed_cb (VtMuxStream *mux, const GError *error, void *user_data)
{
  forsaken_free (user_data);
}

static const VtMuxStreamHandlers forsaken_handlers = {
  .readable = forsaken_readable_cb,
  .writable = forsaken_writable_cb,
  .closed = forsaken_closed_cb,
};

static void
forsake (VtStream *self)
{
  Forsaken *forsaken = g_new0 (Forsaken, 1);

  forsaken->mux = vt_mux_stream_ref (self->mux);
  forsaken->context = g_main_context_ref (self->context);
  forsaken->staged = g_steal_pointer (&self->staged);
  forsaken->gone = g_steal_pointer (&self->gone);
  forsaken->gone_data = self->gone_data;
  if (forsaken->staged == NULL)
    forsaken->drain = start_drain (self->context, forsaken_drain_cb, forsaken);
  vt_mux_stream_set_handlers (self->mux, &forsaken_handlers, forsaken);
}

/* FALSE with `error` if the application may not use this direction. */
static gboolean
check_usable (VtStream *self, gboolean ended, GError **error)
{
  if (self->lent)
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_BUSY,
                         _ ("The stream is connected by the tunnel itself"));
  else if (self->mux == NULL || ended)
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_CLOSED, _ ("The stream is closed"));
  else
    return TRUE;
  return FALSE;
}

static gssize
take_input (VtStream *self, uint8_t *buffer, size_t size)
{
  const uint8_t *data;
  size_t taken = 0;
  size_t length;

  while (taken < size && (data = vt_mux_stream_peek (self->mux, &length)) != NULL)
    {
      length = MIN (length, size - taken);
      memcpy (buffer + taken, data, length);
      vt_mux_stream_consume (self->mux, length);
      taken += length;
    }
  return taken;
}

gssize
vt_stream_receive (VtStream *self, void *buffer, size_t size, GError **error)
{
  gssize taken;

  if (!check_usable (self, self->input_ended, error))
    return -1;
  taken = take_input (self, buffer, size);
  if (taken > 0)
    return taken;
  if (self->error != NULL)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED, self->error->message);
      return -1;
    }
  if (self->over || vt_mux_stream_at_end (self->mux))
    return 0;

  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK, _ ("Nothing to read yet"));
  return -1;
}

gssize
vt_stream_transmit (VtStream *self, void *buffer, size_t size, GError **error)
{
  uint8_t *place;
  size_t space = 0;

  if (!check_usable (self, self->output_ended, error))
    return -1;
  if (self->over)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED,
                           self->error != NULL ? self->error->message
                                               : _ ("The other side has closed the stream"));
      return -1;
    }
  if (self->staged != NULL)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK, _ ("The tunnel is full"));
      return -1;
    }

  place = vt_mux_stream_begin_write (self->mux, &space);
  size = MIN (size, place != NULL ? space : STAGED_MAX);
  if (place == NULL)
    {
      self->staged = g_byte_array_append (g_byte_array_new (), buffer, size);
      return size;
    }
  memcpy (place, buffer, size);
  vt_mux_stream_end_write (self->mux, size);
  return size;
}

gssize
vt_stream_end_input (VtStream *self, void *buffer, size_t size, GError **error)
{
  if (self->lent)
    return check_usable (self, FALSE, error) ? 0 : -1;
  if (self->input_ended || self->mux == NULL)
    return 0;

  self->input_ended = TRUE;
  vt_mux_stream_discard (self->mux);
  drain_if_closed (self);
  wake_input (self);
  return 0;
}

gssize
vt_stream_end_output (VtStream *self, void *buffer, size_t size, GError **error)
{
  if (self->lent)
    return check_usable (self, FALSE, error) ? 0 : -1;
  if (self->output_ended || self->mux == NULL)
    return 0;

  self->output_ended = TRUE;
  if (!self->over && self->staged == NULL)
    vt_mux_stream_shutdown (self->mux);
  drain_if_closed (self);
  wake_output (self);
  return 0;
}

gboolean
vt_stream_is_readable (VtStream *self)
{
  size_t length;

  return self->lent || self->input_ended || self->over || self->mux == NULL
         || vt_mux_stream_peek (self->mux, &length) != NULL || vt_mux_stream_at_end (self->mux);
}

gboolean
vt_stream_is_writable (VtStream *self)
{
  return self->lent || self->output_ended || self->over || self->mux == NULL
         || self->staged == NULL;
}

void
vt_stream_drive (VtStream *self)
{
  vt_mux_stream_set_handlers (self->mux, &own_handlers, self);
}

void
vt_stream_wake (VtStream *self)
{
  wake_input (self);
  wake_output (self);
}

void
vt_stream_keep_counters (VtStream *self)
{
  self->bytes_sent = vt_mux_stream_get_bytes_sent (self->mux);
  self->bytes_received = vt_mux_stream_get_bytes_received (self->mux);
}

void
vt_stream_let_go (VtStream *self)
{
  VtMuxStream *mux = self->mux;
  gboolean graceful = self->output_ended || self->over;
  g_autoptr(GError) error = NULL;

  g_clear_pointer (&self->drain, vt_timer_free);
  if (!graceful)
    {
      error = g_error_new_literal (VT_ERROR, VT_ERROR_CANCELLED,
                                   _ ("The stream was dropped before it was closed"));
      vt_mux_stream_reset (mux, error);
    }
  if (graceful && !self->over)
    forsake (self);
  else
    vt_mux_stream_set_handlers (mux, NULL, NULL);
  /* Whoever hears of the end may dispose of it once more. */
  vt_stream_keep_counters (self);
  vt_stream_finish (self, error);
  g_clear_pointer (&self->staged, g_byte_array_unref);
  g_clear_pointer (&self->mux, vt_mux_stream_unref);
}
