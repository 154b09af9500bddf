/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-http-relay-struct-private.h"

#include <string.h>

#include "vt-http-fields-private.h"
#include "vt-http-head-private.h"
#include "vt-http-request-private.h"

#define STATUS_BAD_REQUEST 400
#define STATUS_HEAD_TOO_LARGE 431

static size_t
n_input (VtHttpRelay *self)
{
  return self->input != NULL ? self->input->len : 0;
}

static void
add_input (VtHttpRelay *self, const uint8_t *data, size_t length)
{
  if (self->input == NULL)
    self->input = g_byte_array_new ();
  g_byte_array_append (self->input, data, (unsigned int) length);
}

/* Connections that wait for a next request keep nothing. */
static void
remove_input (VtHttpRelay *self, size_t length)
{
  if (length == self->input->len)
    g_clear_pointer (&self->input, g_byte_array_unref);
  else
    g_byte_array_remove_range (self->input, 0, (unsigned int) length);
  self->n_seen = 0;
}

gboolean
vt_http_relay_may_read (VtHttpRelay *self)
{
  if (self->user_ended || self->ending || self->waiting || self->stream_over)
    return FALSE;
  /* Requests that come too early wait in the kernel once a head's worth is here. */
  return self->request_state == VT_HTTP_REQUEST_BODY || n_input (self) < VT_HTTP_RELAY_MAX_HEAD;
}

static void
user_broke (VtHttpRelay *self)
{
  vt_http_relay_finish (self, FALSE);
}

/* Heads. */

/* Empty lines before a request are skipped (RFC 9112, 2.2). */
static void
skip_empty_lines (VtHttpRelay *self)
{
  while (n_input (self) >= 2 && memcmp (self->input->data, "\r\n", 2) == 0)
    remove_input (self, 2);
}

static gboolean
can_begin_head (uint8_t byte)
{
  return vt_http_is_token_char (byte) || byte == '\r';
}

static void
read_head (VtHttpRelay *self, size_t length)
{
  g_auto(VtHttpRequest) request = { 0 };

  vt_http_request_parse (&request, self->input->data, length);
  self->is_head = request.is_head;
  if (request.status != 0)
    {
      vt_http_relay_answer (self, request.status);
      return;
    }
  self->persistent = request.persistent;
  vt_http_relay_route (self, request.host, request.is_head, request.upgrade);
  if (self->finished || self->ending)
    return;
  self->request_state = VT_HTTP_REQUEST_BODY;
  self->n_cleared = length;
  self->body_done = !request.has_body;
  if (request.has_body)
    vt_http_body_walk_begin (&self->body, &request.body);
}

/* FALSE if more has to come first. */
static gboolean
take_head (VtHttpRelay *self)
{
  size_t length;

  skip_empty_lines (self);
  if (n_input (self) == 0)
    return FALSE;
  vt_http_relay_await_head (self);
  length = vt_http_head_find_end (self->input->data, self->input->len, &self->n_seen);
  if (!can_begin_head (self->input->data[0]))
    vt_http_relay_answer (self, STATUS_BAD_REQUEST);
  else if (length > VT_HTTP_RELAY_MAX_HEAD
           || (length == 0 && n_input (self) >= VT_HTTP_RELAY_MAX_HEAD))
    vt_http_relay_answer (self, STATUS_HEAD_TOO_LARGE);
  else if (length > 0)
    read_head (self, length);
  else
    return FALSE;
  return TRUE;
}

/* Passing. */

/* Looks how far the request goes in what is here. */
static gboolean
clear_input (VtHttpRelay *self)
{
  VtHttpBodyStep step;

  if (self->response.switched)
    {
      self->n_cleared = n_input (self);
      return TRUE;
    }
  step =
      vt_http_body_walk_push (&self->body, self->input->data, self->input->len, &self->n_cleared);
  self->body_done = step == VT_HTTP_BODY_END;
  return step != VT_HTTP_BODY_BROKEN;
}

static void
request_sent (VtHttpRelay *self)
{
  if (self->body_done && self->n_cleared == 0 && !self->response.switched)
    self->request_state = VT_HTTP_REQUEST_SENT;
}

/* From what is here. FALSE if it has to wait. */
static gboolean
pass_input (VtHttpRelay *self)
{
  size_t space = 0;
  uint8_t *place;

  if (self->n_cleared == 0 && !clear_input (self))
    {
      vt_http_relay_answer (self, STATUS_BAD_REQUEST);
      return FALSE;
    }
  place = vt_mux_stream_begin_write (self->mux, &space);
  if (place == NULL)
    {
      self->waiting = TRUE;
      return FALSE;
    }
  space = MIN (space, self->n_cleared);
  memcpy (place, self->input->data, space);
  vt_mux_stream_end_write (self->mux, space);
  self->n_cleared -= space;
  remove_input (self, space);
  request_sent (self);
  return TRUE;
}

/* How much of what was just read belongs to the request; the rest is kept for later. FALSE if it
 * cannot stand there. */
static gboolean
split_read (VtHttpRelay *self, const uint8_t *data, size_t length, size_t *passed)
{
  VtHttpBodyStep step;

  *passed = length;
  if (self->response.switched)
    return TRUE;
  step = vt_http_body_walk_push (&self->body, data, length, passed);
  self->body_done = step == VT_HTTP_BODY_END;
  if (step == VT_HTTP_BODY_BROKEN)
    *passed = 0;
  else if (*passed < length)
    add_input (self, data + *passed, length - *passed);
  return step != VT_HTTP_BODY_BROKEN;
}

/* What came of a read that failed, or found the end: FALSE, as nothing is to be read now. */
static gboolean
no_bytes (VtHttpRelay *self, gssize n, const GError *error)
{
  if (n == 0)
    self->user_ended = TRUE;
  else if (!g_error_matches (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK))
    user_broke (self);
  return FALSE;
}

/* From the socket straight into the message. FALSE if there is no more now, or no place. */
static gboolean
read_through (VtHttpRelay *self, size_t *budget)
{
  g_autoptr(GError) error = NULL;
  size_t space = 0;
  uint8_t *place = vt_mux_stream_begin_write (self->mux, &space);
  size_t passed = 0;
  gboolean good = TRUE;
  gssize n;

  if (place == NULL)
    {
      self->waiting = TRUE;
      return FALSE;
    }
  space = MIN (space, *budget);
  n = vt_local_end_read (self->local, place, space, &error);
  if (n > 0)
    good = split_read (self, place, (size_t) n, &passed);
  vt_mux_stream_end_write (self->mux, passed);
  if (n <= 0)
    return no_bytes (self, n, error);
  if (!good)
    {
      vt_http_relay_answer (self, STATUS_BAD_REQUEST);
      return FALSE;
    }
  *budget -= (size_t) n;
  request_sent (self);
  /* Less than there was room for: it is empty, and the poller knows when it is not. */
  return (size_t) n == space;
}

/* What is no body is looked at first. FALSE if there is no more now. */
static gboolean
read_ahead (VtHttpRelay *self)
{
  g_autoptr(GError) error = NULL;
  uint8_t buffer[VT_HTTP_RELAY_MAX_HEAD];
  size_t space = VT_HTTP_RELAY_MAX_HEAD - n_input (self);
  gssize n = vt_local_end_read (self->local, buffer, space, &error);

  if (n <= 0)
    return no_bytes (self, n, error);
  add_input (self, buffer, (size_t) n);
  return (size_t) n == space;
}

/* The user's end travels behind all that it has sent. */
static void
pass_end (VtHttpRelay *self)
{
  if (!self->user_ended || self->ending || n_input (self) > 0 || self->waiting)
    return;
  if (self->request_state == VT_HTTP_REQUEST_HEAD)
    {
      vt_http_relay_finish (self, TRUE);
      return;
    }
  if (!self->stream_shut && self->mux != NULL)
    vt_mux_stream_shutdown (self->mux);
  self->stream_shut = TRUE;
}

/* One step; FALSE if there is nothing more to do now. */
static gboolean
step (VtHttpRelay *self, gboolean *may_read, size_t *budget)
{
  if (self->request_state == VT_HTTP_REQUEST_HEAD && take_head (self))
    return TRUE;
  if (self->request_state == VT_HTTP_REQUEST_BODY && n_input (self) > 0)
    return pass_input (self);
  if (!*may_read || *budget == 0 || !vt_http_relay_may_read (self))
    return FALSE;
  *may_read =
      self->request_state == VT_HTTP_REQUEST_BODY ? read_through (self, budget) : read_ahead (self);
  return TRUE;
}

void
vt_http_relay_pump_request (VtHttpRelay *self, gboolean may_read)
{
  size_t budget = VT_HTTP_RELAY_DISPATCH;

  while (!self->finished && !self->ending && !self->waiting && !self->stream_over
         && step (self, &may_read, &budget))
    ;
  if (self->finished || self->ending)
    return;
  /* Half a head is nothing to anybody. */
  if (self->user_ended && self->request_state == VT_HTTP_REQUEST_HEAD)
    vt_http_relay_finish (self, TRUE);
  else
    pass_end (self);
}
