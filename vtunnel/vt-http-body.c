/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-http-body-private.h"

/* The parts of a body, in the order in which they come. */
typedef enum {
  STATE_PAYLOAD,
  STATE_CHUNK_SIZE,
  STATE_CHUNK_EXTENSION,
  STATE_CHUNK_SIZE_END,
  STATE_CHUNK_DATA,
  STATE_CHUNK_DATA_CR,
  STATE_CHUNK_DATA_LF,
  STATE_TRAILERS,
  STATE_END,
} State;

static void
enter (VtHttpBodyWalk *self, State state)
{
  self->state = state;
  self->has_digit = FALSE;
}

static void
enter_chunk_size (VtHttpBodyWalk *self)
{
  self->remaining = 0;
  enter (self, STATE_CHUNK_SIZE);
}

void
vt_http_body_walk_begin (VtHttpBodyWalk *self, const VtHttpBody *body)
{
  self->strict = body->strict;
  self->trailers = (VtHttpLines){ .strict = body->strict };
  if (body->chunked)
    {
      enter_chunk_size (self);
      return;
    }
  self->remaining = body->length;
  enter (self, STATE_PAYLOAD);
}

/* FALSE if `byte` cannot stand there, as in all of these. */
static gboolean
accept_chunk_size (VtHttpBodyWalk *self, uint8_t byte)
{
  if (g_ascii_isxdigit (byte))
    {
      if (self->remaining > G_MAXUINT64 >> 4)
        return FALSE;
      self->remaining = self->remaining << 4 | (guint64) g_ascii_xdigit_value ((char) byte);
      self->has_digit = TRUE;
      return TRUE;
    }
  if (!self->has_digit)
    return FALSE;
  if (byte == '\r')
    enter (self, STATE_CHUNK_SIZE_END);
  else if (byte == ';' || (!self->strict && (byte == ' ' || byte == '\t')))
    enter (self, STATE_CHUNK_EXTENSION);
  else
    return FALSE;
  return TRUE;
}

static gboolean
accept_chunk_extension (VtHttpBodyWalk *self, uint8_t byte)
{
  if (byte == '\r')
    enter (self, STATE_CHUNK_SIZE_END);
  return byte != '\n' && byte != '\0';
}

static gboolean
accept_chunk_size_end (VtHttpBodyWalk *self, uint8_t byte)
{
  enter (self, self->remaining > 0 ? STATE_CHUNK_DATA : STATE_TRAILERS);
  return byte == '\n';
}

static gboolean
accept_trailers (VtHttpBodyWalk *self, uint8_t byte)
{
  VtHttpLinesStep step = vt_http_lines_push (&self->trailers, byte);

  if (step == VT_HTTP_LINES_END)
    enter (self, STATE_END);
  return step != VT_HTTP_LINES_BROKEN;
}

/* The bytes around and between chunks. There a line ends with CR LF only (RFC 9112, 7.1): the
 * leniency of heads and trailers does not hold. */
static gboolean
accept_framing (VtHttpBodyWalk *self, uint8_t byte)
{
  switch ((State) self->state)
    {
    case STATE_CHUNK_SIZE:
      return accept_chunk_size (self, byte);
    case STATE_CHUNK_EXTENSION:
      return accept_chunk_extension (self, byte);
    case STATE_CHUNK_SIZE_END:
      return accept_chunk_size_end (self, byte);
    case STATE_CHUNK_DATA_CR:
      enter (self, STATE_CHUNK_DATA_LF);
      return byte == '\r';
    case STATE_CHUNK_DATA_LF:
      enter_chunk_size (self);
      return byte == '\n';
    case STATE_TRAILERS:
      return accept_trailers (self, byte);
    case STATE_PAYLOAD:
    case STATE_CHUNK_DATA:
    case STATE_END:
    default:
      g_assert_not_reached ();
    }
}

/* The bytes of a body or a chunk: as many as are there. */
static size_t
skip_payload (VtHttpBodyWalk *self, size_t length)
{
  size_t taken = (size_t) MIN ((guint64) length, self->remaining);

  self->remaining -= taken;
  if (self->remaining == 0)
    enter (self, self->state == STATE_PAYLOAD ? STATE_END : STATE_CHUNK_DATA_CR);
  return taken;
}

VtHttpBodyStep
vt_http_body_walk_push (VtHttpBodyWalk *self, const uint8_t *data, size_t length, size_t *taken)
{
  *taken = 0;
  while (*taken < length && self->state != STATE_END)
    {
      if (self->state == STATE_PAYLOAD || self->state == STATE_CHUNK_DATA)
        *taken += skip_payload (self, length - *taken);
      else if (!accept_framing (self, data[(*taken)++]))
        return VT_HTTP_BODY_BROKEN;
    }
  return self->state == STATE_END ? VT_HTTP_BODY_END : VT_HTTP_BODY_MORE;
}
