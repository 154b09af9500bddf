/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-http-relay-private.h"

#include <glib/gi18n-lib.h>

#include "vt-error.h"
#include "vt-http-page-private.h"
#include "vt-http-relay-struct-private.h"
#include "vt-stream-parting-private.h"

#define REST_TIMEOUT (60 * G_TIME_SPAN_SECOND)

#define STATUS_NOT_FOUND 404
#define STATUS_TIMEOUT 408
#define STATUS_BAD_GATEWAY 502
#define STATUS_UNAVAILABLE 503
#define STATUS_GATEWAY_TIMEOUT 504

static void advance (VtHttpRelay *self, gboolean may_read);

static void
relay_clear (void *data)
{
  VtHttpRelay *self = data;

  vt_http_response_clear (&self->response);
  g_clear_pointer (&self->input, g_byte_array_unref);
  g_clear_pointer (&self->output, g_byte_array_unref);
}

static void
release (VtHttpRelay *self)
{
  g_rc_box_release_full (self, relay_clear);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtHttpRelay, release)

/* The stream. */

/* Gives it away: what is told of it from now on is for others. */
static VtMuxStream *
give_up_stream (VtHttpRelay *self, VtStream **stream)
{
  vt_mux_stream_set_handlers (self->mux, NULL, NULL);
  *stream = g_steal_pointer (&self->stream);
  self->stream_over = FALSE;
  self->stream_shut = FALSE;
  self->stream_last = FALSE;
  self->waiting = FALSE;
  self->n_passing = 0;
  return g_steal_pointer (&self->mux);
}

void
vt_http_relay_drop_stream (VtHttpRelay *self, const GError *error)
{
  g_autoptr(VtHttpRelay) alive = g_rc_box_acquire (self);
  g_autoptr(VtStream) stream = NULL;
  VtMuxStream *mux;

  if (self->stream == NULL)
    return;
  mux = give_up_stream (self, &stream);
  if (error == NULL)
    vt_stream_part (stream, mux);
  else
    {
      vt_mux_stream_reset (mux, error);
      vt_mux_stream_unref (mux);
      vt_stream_finish (stream, error);
    }
  if (self->finished)
    return;
  if (self->request_state == VT_HTTP_REQUEST_HEAD && !self->ending)
    vt_http_relay_await_head (self);
  self->handlers->routed (self, FALSE, self->user_data);
}

void
vt_http_relay_forget (VtHttpRelay *self, VtForward *forward)
{
  if (self->stream == NULL || vt_stream_get_forward (self->stream) != forward)
    return;
  self->stream_last = TRUE;
  if (self->request_state == VT_HTTP_REQUEST_HEAD)
    vt_http_relay_drop_stream (self, NULL);
}

void
vt_http_relay_finish (VtHttpRelay *self, gboolean in_order)
{
  g_autoptr(VtHttpRelay) alive = g_rc_box_acquire (self);
  g_autoptr(GError) error = NULL;

  if (self->finished)
    return;
  self->finished = TRUE;
  g_clear_pointer (&self->timer, vt_timer_free);
  if (in_order)
    g_clear_pointer (&self->local, vt_local_end_close);
  else
    g_clear_pointer (&self->local, vt_local_end_reset);
  if (!in_order)
    error = g_error_new_literal (VT_ERROR, VT_ERROR_CANCELLED, _ ("The user broke the connection"));
  vt_http_relay_drop_stream (self, error);
  self->handlers->finished (self, self->user_data);
}

void
vt_http_relay_answer (VtHttpRelay *self, unsigned int status)
{
  g_autoptr(GError) error = NULL;

  if (self->response.begun || self->n_passing > 0 || self->output != NULL)
    {
      vt_http_relay_finish (self, FALSE);
      return;
    }
  error =
      g_error_new (VT_ERROR, VT_ERROR_CANCELLED, _ ("The request was answered with %u"), status);
  self->ending = TRUE;
  self->head_timed = FALSE;
  vt_timer_start (self->timer, REST_TIMEOUT);
  self->output = vt_http_page_new (status, self->is_head);
  vt_http_relay_drop_stream (self, error);
}

void
vt_http_relay_await_head (VtHttpRelay *self)
{
  if (self->head_timed)
    return;
  self->head_timed = TRUE;
  vt_timer_start (self->timer, VT_HTTP_RELAY_HEAD_DEADLINE);
}

/* Something was not answered. Where the stream had served before, the target may have closed it
 * just then: users know from a connection that is closed without a word that they may ask again. */
static void
not_answered (VtHttpRelay *self, unsigned int status)
{
  if (self->stream_reused && self->response.held == NULL)
    vt_http_relay_finish (self, TRUE);
  else
    vt_http_relay_answer (self, status);
}

static unsigned int
status_of (const GError *error)
{
  if (g_error_matches (error, VT_ERROR, VT_ERROR_TIMED_OUT))
    return STATUS_GATEWAY_TIMEOUT;
  if (g_error_matches (error, VT_ERROR, VT_ERROR_LIMIT))
    return STATUS_UNAVAILABLE;
  return STATUS_BAD_GATEWAY;
}

/* The mux's events. */

static void
readable_cb (VtMuxStream *mux, void *user_data)
{
  VtHttpRelay *self = user_data;

  if (!self->blocked)
    advance (self, FALSE);
}

static void
writable_cb (VtMuxStream *mux, void *user_data)
{
  VtHttpRelay *self = user_data;

  self->waiting = FALSE;
  advance (self, TRUE);
}

/* The stream was reset, by the other side or with its session. */
static void
stream_failed (VtHttpRelay *self, const GError *error)
{
  gboolean complete = self->response.done && self->n_passing == 0 && self->output == NULL;
  g_autoptr(VtStream) stream = NULL;
  VtMuxStream *mux = give_up_stream (self, &stream);

  vt_mux_stream_unref (mux);
  vt_stream_finish (stream, error);
  if (!self->finished)
    self->handlers->routed (self, FALSE, self->user_data);
  if (self->finished || self->ending)
    return;
  if (self->request_state == VT_HTTP_REQUEST_HEAD)
    vt_http_relay_await_head (self);
  else if (complete || self->response.begun)
    vt_http_relay_finish (self, complete);
  else
    not_answered (self, status_of (error));
  advance (self, FALSE);
}

static void
closed_cb (VtMuxStream *mux, const GError *error, void *user_data)
{
  VtHttpRelay *self = user_data;
  g_autoptr(VtHttpRelay) alive = g_rc_box_acquire (self);
  g_autoptr(GError) copy = error != NULL ? g_error_copy (error) : NULL;

  if (copy != NULL)
    {
      stream_failed (self, copy);
      return;
    }
  self->stream_over = TRUE;
  if (!self->head_timed)
    vt_timer_start (self->timer, REST_TIMEOUT);
  if (!self->blocked)
    advance (self, FALSE);
}

static gssize
get_unsent_cb (VtMuxStream *mux, void *user_data)
{
  VtHttpRelay *self = user_data;

  return self->local != NULL ? vt_local_end_get_unsent (self->local) : -1;
}

static const VtMuxStreamHandlers mux_handlers = {
  .readable = readable_cb,
  .writable = writable_cb,
  .closed = closed_cb,
  .get_unsent = get_unsent_cb,
};

static void
open_stream (VtHttpRelay *self, VtForward *forward)
{
  g_autoptr(VtHttpRelay) alive = g_rc_box_acquire (self);
  g_autoptr(GError) error = NULL;
  g_autoptr(VtStream) stream = self->handlers->open (self, forward, &error, self->user_data);

  if (stream != NULL && self->finished)
    vt_stream_part (stream, vt_mux_stream_ref (vt_stream_lend (stream)));
  if (self->finished)
    return;
  if (stream == NULL)
    {
      vt_http_relay_answer (self, status_of (error));
      return;
    }
  self->stream = g_steal_pointer (&stream);
  self->mux = vt_mux_stream_ref (vt_stream_lend (self->stream));
  self->stream_reused = FALSE;
  vt_mux_stream_set_handlers (self->mux, &mux_handlers, self);
  self->handlers->routed (self, TRUE, self->user_data);
}

/* A stream that waits for a next request, and where nothing stands that would be taken for the
 * answer. */
static gboolean
is_usable (VtHttpRelay *self, VtForward *forward)
{
  size_t length;

  return self->stream != NULL && vt_stream_get_forward (self->stream) == forward
         && !self->stream_over && !vt_mux_stream_at_end (self->mux)
         && vt_mux_stream_peek (self->mux, &length) == NULL;
}

void
vt_http_relay_route (VtHttpRelay *self, const char *host, gboolean is_head, gboolean upgrade)
{
  VtForward *forward = self->handlers->find (host, self->user_data);

  if (forward == NULL)
    {
      vt_http_relay_answer (self, STATUS_NOT_FOUND);
      return;
    }
  if (is_usable (self, forward))
    self->stream_reused = TRUE;
  else
    {
      g_autoptr(VtForward) kept = g_object_ref (forward);

      vt_http_relay_drop_stream (self, NULL);
      if (!self->finished)
        open_stream (self, forward);
    }
  if (self->finished || self->ending)
    return;
  self->head_timed = FALSE;
  vt_timer_stop (self->timer);
  vt_http_response_begin (&self->response, is_head, upgrade);
}

/* The exchange. */

/* The target has ended its direction, and all that it said was written. */
static void
stream_ended (VtHttpRelay *self)
{
  if (self->request_state == VT_HTTP_REQUEST_HEAD)
    vt_http_relay_drop_stream (self, NULL);
  else if (self->response.switched)
    {
      if (!self->user_shut)
        vt_local_end_shutdown_write (self->local);
      self->user_shut = TRUE;
      if (self->stream_over)
        vt_http_relay_finish (self, TRUE);
    }
  else if (self->response.done || self->response.until_end)
    vt_http_relay_finish (self, TRUE);
  else if (self->response.begun)
    vt_http_relay_finish (self, FALSE);
  else
    not_answered (self, STATUS_BAD_GATEWAY);
}

static void
begin_next (VtHttpRelay *self)
{
  self->request_state = VT_HTTP_REQUEST_HEAD;
  vt_http_response_clear (&self->response);
  if (self->stream_shut || self->stream_last)
    vt_http_relay_drop_stream (self, NULL);
}

/* All that came from the stream was written, and no more will come. */
static gboolean
is_at_end (VtHttpRelay *self)
{
  if (self->mux == NULL || !vt_http_relay_is_written (self))
    return FALSE;
  return self->stream_over || (vt_mux_stream_at_end (self->mux) && !self->user_shut);
}

/* The answer is written. */
static gboolean
end_exchange (VtHttpRelay *self)
{
  if (!self->persistent || !self->response.persistent)
    {
      vt_http_relay_finish (self, TRUE);
      return FALSE;
    }
  if (self->request_state != VT_HTTP_REQUEST_SENT)
    {
      /* The rest of the request goes nowhere. */
      if (self->mux == NULL || self->stream_over || self->user_ended)
        vt_http_relay_finish (self, TRUE);
      return FALSE;
    }
  begin_next (self);
  return !self->finished;
}

/* What follows when all that there was has passed; TRUE if that may be more to pass. */
static gboolean
settle (VtHttpRelay *self)
{
  if (self->ending)
    return FALSE;
  if (self->response.done && self->n_passing == 0 && self->output == NULL)
    return end_exchange (self);
  if (is_at_end (self))
    {
      stream_ended (self);
      return !self->finished && (self->ending || self->request_state == VT_HTTP_REQUEST_HEAD);
    }
  /* What the user sent behind a request that ended in another protocol. */
  return self->response.switched && self->input != NULL && !self->waiting;
}

static GIOCondition
get_condition (VtHttpRelay *self)
{
  GIOCondition condition = 0;

  if (vt_http_relay_may_read (self))
    condition |= G_IO_IN;
  if (self->blocked)
    condition |= G_IO_OUT;
  /* Who waits still hears of a reset. */
  return condition != 0 ? condition : G_IO_ERR;
}

static void
advance (VtHttpRelay *self, gboolean may_read)
{
  g_autoptr(VtHttpRelay) alive = g_rc_box_acquire (self);

  if (self->finished)
    return;
  do
    {
      vt_http_relay_pump_request (self, may_read);
      if (!self->finished)
        vt_http_relay_pump_response (self);
      if (!self->finished && self->ending && self->output == NULL)
        vt_http_relay_finish (self, TRUE);
      may_read = FALSE;
    }
  while (!self->finished && !self->blocked && settle (self));
  if (!self->finished)
    vt_local_end_set_condition (self->local, get_condition (self));
}

static void
local_cb (GIOCondition condition, void *user_data)
{
  VtHttpRelay *self = user_data;

  /* An error shows itself in the read or the write that it makes possible. */
  if ((condition & G_IO_ERR) && !self->blocked && !vt_http_relay_may_read (self))
    {
      vt_http_relay_finish (self, FALSE);
      return;
    }
  advance (self, (condition & (G_IO_IN | G_IO_ERR | G_IO_HUP)) != 0);
}

static void
timeout_cb (void *user_data)
{
  VtHttpRelay *self = user_data;
  g_autoptr(VtHttpRelay) alive = g_rc_box_acquire (self);

  if (!self->head_timed)
    vt_http_relay_finish (self, FALSE);
  else if (self->input == NULL)
    vt_http_relay_finish (self, TRUE);
  else
    {
      self->head_timed = FALSE;
      self->is_head = FALSE;
      vt_http_relay_answer (self, STATUS_TIMEOUT);
      advance (self, FALSE);
    }
}

VtHttpRelay *
vt_http_relay_new (int fd,
                   const GByteArray *begun,
                   const VtHttpRelayHandlers *handlers,
                   void *user_data,
                   GError **error)
{
  g_autoptr(VtClock) clock = vt_clock_get (NULL);
  VtHttpRelay *self = g_rc_box_new0 (VtHttpRelay);

  self->handlers = handlers;
  self->user_data = user_data;
  self->local = vt_local_end_new_for_fd (fd, NULL, G_IO_IN, local_cb, self, error);
  if (self->local == NULL)
    {
      release (self);
      return NULL;
    }
  self->timer = vt_timer_new (clock, "HTTP relay", timeout_cb, self);
  if (begun->len > 0)
    self->input = g_byte_array_append (g_byte_array_new (), begun->data, begun->len);
  return self;
}

void
vt_http_relay_start (VtHttpRelay *self, gint64 deadline)
{
  self->head_timed = TRUE;
  vt_timer_start (self->timer, deadline);
  advance (self, FALSE);
}

void
vt_http_relay_free (VtHttpRelay *self)
{
  g_autoptr(VtHttpRelay) owned = self;
  g_autoptr(GError) error =
      g_error_new_literal (VT_ERROR, VT_ERROR_CANCELLED, _ ("The stream was cancelled"));

  self->finished = TRUE;
  g_clear_pointer (&self->timer, vt_timer_free);
  g_clear_pointer (&self->local, vt_local_end_reset);
  vt_http_relay_drop_stream (self, error);
}
