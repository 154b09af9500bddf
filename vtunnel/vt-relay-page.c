/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-relay-page-private.h"

#include <string.h>

#include "vt-clock-private.h"
#include "vt-error.h"
#include "vt-forward-private.h"
#include "vt-http-head-private.h"
#include "vt-http-page-private.h"

#define MAX_HEAD (16 * 1024)
#define PATIENCE (5 * G_TIME_SPAN_SECOND)

#define METHOD_HEAD "HEAD "

struct _VtRelayPage {
  VtMuxStream *stream;             /* owned */
  GError *error;                   /* owned */
  VtTimer *timer;                  /* owned */
  GBytes *answer;                  /* owned, NULL while the head is waited for */
  size_t written;                  /* of that */
  size_t n_read;                   /* of the head */
  char method[sizeof METHOD_HEAD]; /* as much of the request line as fits, and a NUL */
  unsigned int n_line;             /* characters of the head's present line, as far as it matters */
  VtRelayPageFunc finished;
  void *user_data; /* the caller's */
};

static void
finish (VtRelayPage *self)
{
  vt_timer_stop (self->timer);
  vt_mux_stream_set_handlers (self->stream, NULL, NULL);
  self->finished (self->user_data);
}

static void
give_up (VtRelayPage *self)
{
  vt_mux_stream_reset (self->stream, self->error);
  finish (self);
}

static void
timeout_cb (void *user_data)
{
  give_up (user_data);
}

static GBytes *
make_answer (VtRelayPage *self)
{
  unsigned int status = g_error_matches (self->error, VT_ERROR, VT_ERROR_TIMED_OUT) ? 504 : 502;

  return g_byte_array_free_to_bytes (
      vt_http_page_new (status, g_str_equal (self->method, METHOD_HEAD)));
}

/* What the user sends besides is of no use to anybody. When the answer is out, the user has some
 * time to end its side; in v1 both end at once. */
static void
write_some (VtRelayPage *self)
{
  size_t length;
  const uint8_t *data = g_bytes_get_data (self->answer, &length);

  while (self->written < length)
    {
      size_t space = 0;
      uint8_t *place = vt_mux_stream_begin_write (self->stream, &space);
      size_t n = MIN (space, length - self->written);

      if (place == NULL)
        return;
      memcpy (place, data + self->written, n);
      vt_mux_stream_end_write (self->stream, n);
      self->written += n;
      if (self->written == length)
        {
          vt_timer_start (self->timer, PATIENCE);
          vt_mux_stream_shutdown (self->stream);
          return;
        }
    }
}

static void
answer (VtRelayPage *self)
{
  self->answer = make_answer (self);
  vt_timer_start (self->timer, PATIENCE);
  vt_mux_stream_accept (self->stream);
  write_some (self);
}

typedef enum {
  HEAD_MORE,
  HEAD_WHOLE,
  HEAD_NONE,
} Head;

/* Empty lines may stand before the head (RFC 9112, section 2.2), and one ends it. */
static Head
accept_byte (VtRelayPage *self, uint8_t byte)
{
  gboolean is_end = byte == '\n' || byte == '\r';

  if (self->n_read == 0 && is_end)
    return HEAD_MORE;
  if (self->n_read == 0 && !vt_http_is_token_char (byte))
    return HEAD_NONE;
  if (self->n_read < sizeof self->method - 1)
    self->method[self->n_read] = (char) byte;
  if (++self->n_read > MAX_HEAD)
    return HEAD_NONE;
  if (byte == '\n' && self->n_line == 0)
    return HEAD_WHOLE;
  if (byte == '\n')
    self->n_line = 0;
  else if (byte != '\r')
    self->n_line = 1;
  return HEAD_MORE;
}

static Head
accept_bytes (VtRelayPage *self, const uint8_t *data, size_t length)
{
  Head head = HEAD_MORE;

  for (size_t i = 0; i < length && head == HEAD_MORE; i++)
    head = accept_byte (self, data[i]);
  return head;
}

static void
readable_cb (VtMuxStream *stream, void *user_data)
{
  VtRelayPage *self = user_data;
  Head head = HEAD_MORE;
  const uint8_t *data;
  size_t length;

  while (self->answer == NULL && head == HEAD_MORE
         && (data = vt_mux_stream_peek (stream, &length)) != NULL)
    {
      head = accept_bytes (self, data, length);
      vt_mux_stream_consume (stream, length);
    }
  vt_mux_stream_discard (stream);
  if (self->answer != NULL)
    return;
  if (head == HEAD_WHOLE)
    answer (self);
  else if (head == HEAD_NONE || vt_mux_stream_at_end (stream))
    give_up (self);
}

static void
writable_cb (VtMuxStream *stream, void *user_data)
{
  VtRelayPage *self = user_data;

  if (self->answer != NULL)
    write_some (self);
}

static void
closed_cb (VtMuxStream *stream, const GError *error, void *user_data)
{
  finish (user_data);
}

gboolean
vt_relay_page_is_for (VtForward *forward)
{
  return vt_forward_speaks_http (forward)
         && vt_forward_get_listen_kind (forward) != VT_LISTEN_KIND_NONE;
}

VtRelayPage *
vt_relay_page_new (VtMuxStream *stream,
                   const GError *error,
                   VtRelayPageFunc finished,
                   void *user_data)
{
  static const VtMuxStreamHandlers handlers = {
    .readable = readable_cb,
    .writable = writable_cb,
    .closed = closed_cb,
  };
  VtRelayPage *self = g_new0 (VtRelayPage, 1);
  g_autoptr(VtClock) clock = vt_clock_get (NULL);

  self->stream = vt_mux_stream_ref (stream);
  self->error = g_error_copy (error);
  self->timer = vt_timer_new (clock, "page for a user", timeout_cb, self);
  self->finished = finished;
  self->user_data = user_data;
  vt_timer_start (self->timer, PATIENCE);
  vt_mux_stream_set_handlers (stream, &handlers, self);
  return self;
}

void
vt_relay_page_free (VtRelayPage *self)
{
  vt_mux_stream_set_handlers (self->stream, NULL, NULL);
  vt_mux_stream_unref (self->stream);
  g_clear_pointer (&self->answer, g_bytes_unref);
  g_clear_error (&self->error);
  vt_timer_free (self->timer);
  g_free (self);
}
