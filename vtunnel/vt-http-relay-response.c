/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-http-relay-struct-private.h"

/* After the stream has ended, or behind a page: how long the user may take nothing of the rest. */
#define REST_TIMEOUT (60 * G_TIME_SPAN_SECOND)

#define STATUS_BAD_GATEWAY 502

static gboolean
has_output (VtHttpRelay *self)
{
  return self->output != NULL && self->output->len > 0;
}

gboolean
vt_http_relay_is_written (VtHttpRelay *self)
{
  size_t length;

  return !has_output (self) && self->n_passing == 0
         && (self->mux == NULL || vt_mux_stream_peek (self->mux, &length) == NULL);
}

/* What a target says unasked cannot be the answer to anything: it has given up waiting, or worse.
 * Nobody sees it, and the next request has another stream. */
static void
drop_unasked (VtHttpRelay *self)
{
  vt_mux_stream_discard (self->mux);
  vt_http_relay_drop_stream (self, NULL);
}

/* Another protocol begins when all of the request was sent, and goes both ways. */
static VtHttpResponseStep
walk (VtHttpRelay *self, const uint8_t *data, size_t length, size_t *taken)
{
  gboolean switched = self->response.switched;
  VtHttpResponseStep step = vt_http_response_walk (&self->response, data, length, taken);

  if (switched || !self->response.switched)
    return step;
  if (self->request_state != VT_HTTP_REQUEST_SENT)
    return VT_HTTP_RESPONSE_BROKEN;
  self->request_state = VT_HTTP_REQUEST_BODY;
  return step;
}

/* Looks at what has come, until some of it may pass. FALSE if none may, now. */
static gboolean
clear_more (VtHttpRelay *self)
{
  const uint8_t *data;
  size_t length;
  size_t taken;

  while (self->mux != NULL && (data = vt_mux_stream_peek (self->mux, &length)) != NULL)
    {
      if (self->request_state == VT_HTTP_REQUEST_HEAD)
        {
          drop_unasked (self);
          return FALSE;
        }
      if (self->response.done)
        return FALSE;
      switch (walk (self, data, length, &taken))
        {
        case VT_HTTP_RESPONSE_PASS:
          self->n_passing = taken;
          return TRUE;
        case VT_HTTP_RESPONSE_HELD:
          self->output = g_steal_pointer (&self->response.held);
          vt_mux_stream_consume (self->mux, taken);
          return TRUE;
        case VT_HTTP_RESPONSE_HOLD:
          vt_mux_stream_consume (self->mux, taken);
          break;
        case VT_HTTP_RESPONSE_BROKEN:
        default:
          vt_http_relay_answer (self, STATUS_BAD_GATEWAY);
          return has_output (self);
        }
    }
  return FALSE;
}

/* Finds out what is to be written next; NULL if there is nothing now. */
static const uint8_t *
next_piece (VtHttpRelay *self, size_t *length)
{
  const uint8_t *data;

  if (!has_output (self) && (self->ending || (self->n_passing == 0 && !clear_more (self))))
    return NULL;
  if (has_output (self))
    {
      *length = self->output->len;
      return self->output->data;
    }
  data = vt_mux_stream_peek (self->mux, length);
  *length = MIN (*length, self->n_passing);
  return data;
}

static void
piece_written (VtHttpRelay *self, size_t length)
{
  if (has_output (self))
    {
      g_byte_array_remove_range (self->output, 0, (unsigned int) length);
      if (self->output->len == 0)
        g_clear_pointer (&self->output, g_byte_array_unref);
    }
  else
    {
      vt_mux_stream_consume (self->mux, length);
      self->n_passing -= length;
    }
  if ((self->stream_over || self->ending) && !self->head_timed)
    vt_timer_start (self->timer, REST_TIMEOUT);
}

void
vt_http_relay_pump_response (VtHttpRelay *self)
{
  size_t budget = VT_HTTP_RELAY_DISPATCH;
  const uint8_t *data;
  size_t length;

  self->blocked = FALSE;
  while (!self->finished && (data = next_piece (self, &length)) != NULL)
    {
      g_autoptr(GError) error = NULL;
      gssize n = -1;

      if (budget > 0)
        n = vt_local_end_write (self->local, data, MIN (length, budget), &error);
      if (n < 0 && error != NULL && !g_error_matches (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK))
        {
          vt_http_relay_finish (self, FALSE);
          return;
        }
      if (n < 0)
        {
          self->blocked = TRUE;
          return;
        }
      piece_written (self, (size_t) n);
      budget -= (size_t) n;
    }
}
