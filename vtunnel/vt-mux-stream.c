/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-mux-stream-private.h"

#include "vt-mux-internal-private.h"

static gboolean
has_to_read (VtMuxStream *self)
{
  return self->received.length > 0 || self->read_ended;
}

static void
tell_first (VtMuxStream *self)
{
  unsigned int first = self->news & -self->news;

  self->news &= ~first;
  if (first == VT_MUX_STREAM_OPENED && self->handlers.opened != NULL)
    self->handlers.opened (self, self->user_data);
  else if (first == VT_MUX_STREAM_READABLE && self->handlers.readable != NULL && has_to_read (self))
    self->handlers.readable (self, self->user_data);
  else if (first == VT_MUX_STREAM_CLOSED && self->handlers.closed != NULL)
    self->handlers.closed (self, self->error, self->user_data);
}

/* Until there is no news, or somebody else listens, who is to hear it later. */
static void
tell_news (VtMuxStream *self)
{
  g_autoptr(VtMuxStream) alive = vt_mux_stream_ref (self);

  while (self->news != 0 && (self->news_timer == NULL || !vt_timer_is_running (self->news_timer)))
    tell_first (self);
}

static void
news_cb (void *user_data)
{
  tell_news (user_data);
}

static void
tell_later (VtMuxStream *self, unsigned int news)
{
  if (!self->has_handlers || self->reset || news == 0)
    return;

  self->news |= news;
  if (self->news_timer == NULL)
    self->news_timer = vt_timer_new (self->clock, "stream news", news_cb, self);
  vt_timer_start_soon (self->news_timer);
}

/* At once, unless older news is still to be told: events come in their order. */
static void
tell_readable (VtMuxStream *self)
{
  if (self->news != 0)
    self->news |= VT_MUX_STREAM_READABLE;
  else if (self->handlers.readable != NULL)
    self->handlers.readable (self, self->user_data);
}

VtMuxStream *
vt_mux_stream_new (VtMux *mux, guint32 id, guint32 listen_id)
{
  VtMuxStream *self = g_new0 (VtMuxStream, 1);

  self->ref_count = 1;
  self->mux = mux;
  self->clock = vt_clock_ref (mux->clock);
  self->id = id;
  self->listen_id = listen_id;
  self->accepted = mux->config.role == VT_MUX_SERVER;
  self->answered = self->accepted && !mux->protocol->windows;
  self->member.data = self->waiting.data = self;
  g_queue_push_tail_link (&mux->members, &self->member);
  return self;
}

VtMuxStream *
vt_mux_stream_ref (VtMuxStream *self)
{
  self->ref_count++;
  return self;
}

static void
drop_received (VtMuxStream *self)
{
  vt_byte_queue_clear (&self->received);
  if (self->mux != NULL)
    vt_mux_account (self->mux, self);
}

void
vt_mux_stream_unref (VtMuxStream *self)
{
  if (--self->ref_count > 0)
    return;

  drop_received (self);
  if (self->mux != NULL)
    g_queue_unlink (&self->mux->members, &self->member);
  g_clear_pointer (&self->news_timer, vt_timer_free);
  g_clear_pointer (&self->clock, vt_clock_unref);
  g_clear_error (&self->error);
  g_free (self);
}

void
vt_mux_stream_set_handlers (VtMuxStream *self, const VtMuxStreamHandlers *handlers, void *user_data)
{
  unsigned int news = 0;

  self->has_handlers = handlers != NULL;
  self->handlers = handlers != NULL ? *handlers : (VtMuxStreamHandlers){ 0 };
  self->user_data = user_data;
  self->news = 0;
  if (self->news_timer != NULL)
    vt_timer_stop (self->news_timer);

  if (self->answered && self->handlers.opened != NULL && !self->over)
    news |= VT_MUX_STREAM_OPENED;
  if (has_to_read (self))
    news |= VT_MUX_STREAM_READABLE;
  if (self->over)
    news |= VT_MUX_STREAM_CLOSED;
  tell_later (self, news);
}

guint32
vt_mux_stream_get_id (VtMuxStream *self)
{
  return self->id;
}

GSocketAddress *
vt_mux_stream_dup_user_address (VtMuxStream *self)
{
  return vt_mux_address_to_gio (&self->user);
}

GSocketAddress *
vt_mux_stream_dup_local_address (VtMuxStream *self)
{
  return vt_mux_address_to_gio (&self->local);
}

guint64
vt_mux_stream_get_bytes_sent (VtMuxStream *self)
{
  return self->bytes_sent;
}

guint64
vt_mux_stream_get_bytes_received (VtMuxStream *self)
{
  return self->bytes_received;
}

void
vt_mux_stream_accept (VtMuxStream *self)
{
  if (self->accepted || self->over)
    return;

  self->accepted = TRUE;
  vt_mux_stream_allow_writing (self);
  if (self->mux->protocol->accept != NULL)
    self->mux->protocol->accept (self);
}

void
vt_mux_stream_allow_writing (VtMuxStream *self)
{
  if (self->wants_turn)
    vt_mux_wait_for_turn (self->mux, self);
}

const uint8_t *
vt_mux_stream_peek (VtMuxStream *self, size_t *length)
{
  return vt_byte_queue_peek (&self->received, length);
}

void
vt_mux_stream_consume (VtMuxStream *self, size_t length)
{
  vt_byte_queue_consume (&self->received, length);
  if (self->mux == NULL)
    return;

  if (self->mux->paused)
    self->consumed_at = vt_clock_get_time (self->clock);
  vt_mux_account (self->mux, self);
  if (self->mux->protocol->consumed != NULL)
    self->mux->protocol->consumed (self);
}

void
vt_mux_stream_discard (VtMuxStream *self)
{
  vt_mux_stream_consume (self, self->received.length);
}

gboolean
vt_mux_stream_at_end (VtMuxStream *self)
{
  return self->read_ended && self->received.length == 0;
}

uint8_t *
vt_mux_stream_begin_write (VtMuxStream *self, size_t *space)
{
  const VtMuxProtocol *protocol;

  *space = 0;
  if (self->over || self->write_ended || self->mux == NULL || self->mux->failure != NULL)
    return NULL;

  protocol = self->mux->protocol;
  self->wants_turn =
      !self->accepted || (protocol->may_write != NULL && !protocol->may_write (self));
  if (self->wants_turn || !vt_mux_take_turn (self->mux, self))
    return NULL;
  return protocol->begin_write (self, space);
}

void
vt_mux_stream_end_write (VtMuxStream *self, size_t length)
{
  if (length == 0)
    return;

  if (self->mux->turn == self)
    self->mux->turn = NULL;
  self->bytes_sent += length;
  self->mux->protocol->end_write (self, length);
}

void
vt_mux_stream_cancel_write (VtMuxStream *self)
{
  self->wants_turn = FALSE;
  if (self->mux != NULL)
    vt_mux_leave_turns (self->mux, self);
}

gboolean
vt_mux_stream_can_half_close (VtMuxStream *self)
{
  return self->mux != NULL && self->mux->protocol->half_close;
}

void
vt_mux_stream_shutdown (VtMuxStream *self)
{
  if (self->over || self->write_ended)
    return;

  self->write_ended = TRUE;
  vt_mux_stream_cancel_write (self);
  self->mux->protocol->shutdown (self);
}

void
vt_mux_stream_reset (VtMuxStream *self, const GError *error)
{
  g_autoptr(VtMuxStream) alive = vt_mux_stream_ref (self);

  self->reset = TRUE;
  self->news = 0;
  if (self->over)
    {
      drop_received (self);
      return;
    }

  self->mux->protocol->reset (self, error);
  vt_mux_stream_end (self, error);
  drop_received (self);
}

void
vt_mux_stream_push (VtMuxStream *self, GBytes *bytes)
{
  vt_byte_queue_push (&self->received, bytes);
  self->bytes_received += g_bytes_get_size (bytes);
  vt_mux_account (self->mux, self);
  tell_readable (self);
}

void
vt_mux_stream_lend (VtMuxStream *self, const uint8_t *data, size_t length)
{
  vt_byte_queue_lend (&self->received, data, length);
  self->bytes_received += length;
  tell_readable (self);
  vt_byte_queue_end_lending (&self->received);
  if (self->mux != NULL)
    vt_mux_account (self->mux, self);
}

void
vt_mux_stream_end_reading (VtMuxStream *self)
{
  self->read_ended = TRUE;
  tell_readable (self);
}

gboolean
vt_mux_stream_is_opening (VtMuxStream *self)
{
  return self->mux->config.role == VT_MUX_SERVER && !self->answered && !self->over;
}

void
vt_mux_stream_note_answered (VtMuxStream *self)
{
  self->answered = TRUE;
  if (self->handlers.opened != NULL)
    tell_later (self, VT_MUX_STREAM_OPENED);
  vt_mux_note_opened (self->mux);
}

void
vt_mux_stream_end (VtMuxStream *self, const GError *error)
{
  VtMux *mux = self->mux;
  gboolean was_opening = vt_mux_stream_is_opening (self);

  if (mux->protocol->removed != NULL)
    mux->protocol->removed (self);
  self->over = TRUE;
  self->error = error == NULL ? NULL : g_error_copy (error);
  vt_mux_leave_turns (mux, self);
  tell_later (self, VT_MUX_STREAM_CLOSED | (self->read_ended ? VT_MUX_STREAM_READABLE : 0));
  if (error != NULL)
    drop_received (self);
  vt_mux_remove_stream (mux, self->id);
  /* Whoever hears that there is room may end any stream, and this one only once. */
  if (was_opening)
    vt_mux_note_opened (mux);
}

void
vt_mux_stream_end_for_peer (VtMuxStream *self, const GError *error)
{
  g_autoptr(VtMuxStream) alive = vt_mux_stream_ref (self);

  vt_mux_stream_end (self, error);
  if (self->news == 0)
    return;
  vt_timer_stop (self->news_timer);
  tell_news (self);
}

void
vt_mux_stream_emit_writable (VtMuxStream *self)
{
  if (self->handlers.writable != NULL)
    self->handlers.writable (self, self->user_data);
}

gssize
vt_mux_stream_get_unsent (VtMuxStream *self)
{
  if (self->handlers.get_unsent == NULL)
    return -1;
  return self->handlers.get_unsent (self, self->user_data);
}

void
vt_mux_stream_abandon (VtMuxStream *self, const GError *error)
{
  if (self->over)
    return;

  self->over = TRUE;
  self->error = error == NULL ? NULL : g_error_copy (error);
  vt_mux_leave_turns (self->mux, self);
  if (!self->has_handlers)
    return;

  if (self->news_timer != NULL)
    vt_timer_stop (self->news_timer);
  self->news |= VT_MUX_STREAM_CLOSED;
  tell_news (self);
}
