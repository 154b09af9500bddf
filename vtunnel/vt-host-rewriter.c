/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-host-rewriter-private.h"

#include <string.h>

#include "vt-http-body-private.h"
#include "vt-http-head-private.h"

#define MAX_HEAD (64 * 1024)
/* The longest method that is registered has 17 characters. */
#define MAX_METHOD 32

/* The parts of a connection, in the order in which they come. Only a head, from METHOD to FIELDS,
 * is held back. What cannot be right leads to PASS, which is never left.
 *
 * After a CONNECT or an upgrade, whether it was accepted cannot be seen from here. What follows
 * decides: a request line (it was refused, and the client goes on), or anything else. */
typedef enum {
  /* Servers skip empty lines before a request (RFC 9112, 2.2). */
  STATE_START,
  STATE_METHOD,
  STATE_TARGET,
  STATE_VERSION,
  STATE_FIELDS,
  STATE_BODY,
  STATE_PASS,
} State;

struct _VtHostRewriter {
  char *host; /* owned */
  State state;

  GByteArray *held; /* owned, the head so far */

  /* Characters of the part of the request line so far. */
  unsigned int n_chars;
  /* Of the line of fields. */
  gboolean line_is_empty;
  gboolean after_cr;

  VtHttpBodyWalk body;
};

VtHostRewriter *
vt_host_rewriter_new (const char *host)
{
  VtHostRewriter *self = g_new0 (VtHostRewriter, 1);

  self->host = g_strdup (host);
  self->held = g_byte_array_new ();
  return self;
}

void
vt_host_rewriter_free (VtHostRewriter *self)
{
  g_byte_array_unref (self->held);
  g_free (self->host);
  g_free (self);
}

static void
enter (VtHostRewriter *self, State state)
{
  self->state = state;
  self->n_chars = 0;
  self->line_is_empty = TRUE;
  self->after_cr = FALSE;
}

/* The end of a line, which may be a lone LF (RFC 9112, 2.2): FALSE if `byte` cannot stand there. */
static gboolean
accept_line_end (VtHostRewriter *self, uint8_t byte, State next)
{
  if (byte == '\n')
    enter (self, next);
  else if (byte == '\r' && !self->after_cr)
    self->after_cr = TRUE;
  else
    return FALSE;
  return TRUE;
}

static gboolean
accept_method (VtHostRewriter *self, uint8_t byte)
{
  if (byte == ' ' && self->n_chars > 0)
    enter (self, STATE_TARGET);
  else if (!vt_http_is_token_char (byte) || ++self->n_chars > MAX_METHOD)
    return FALSE;
  return TRUE;
}

/* In any of its forms (RFC 9112, 3.2): nothing but a space can end it. */
static gboolean
accept_target (VtHostRewriter *self, uint8_t byte)
{
  if (byte == ' ' && self->n_chars > 0)
    enter (self, STATE_VERSION);
  else if (byte <= ' ' || byte == 0x7f)
    return FALSE;
  else
    self->n_chars++;
  return TRUE;
}

static gboolean
accept_version (VtHostRewriter *self, uint8_t byte)
{
  static const char prefix[] = "HTTP/1.";
  const size_t n_prefix = sizeof (prefix) - 1;

  if (self->n_chars > n_prefix)
    return accept_line_end (self, byte, STATE_FIELDS);
  if (self->n_chars < n_prefix ? byte != (uint8_t) prefix[self->n_chars] : !g_ascii_isdigit (byte))
    return FALSE;
  self->n_chars++;
  return TRUE;
}

/* Lines up to an empty one. */
static gboolean
accept_fields (VtHostRewriter *self, uint8_t byte)
{
  gboolean after_cr = self->after_cr;

  if (byte == '\0' || (after_cr && byte != '\n'))
    return FALSE;
  self->after_cr = byte == '\r';
  if (byte == '\n' && self->line_is_empty)
    enter (self, STATE_BODY);
  else if (byte == '\n')
    self->line_is_empty = TRUE;
  else if (byte != '\r')
    self->line_is_empty = FALSE;
  return TRUE;
}

static gboolean
accept_head (VtHostRewriter *self, uint8_t byte)
{
  switch (self->state)
    {
    case STATE_METHOD:
      return accept_method (self, byte);
    case STATE_TARGET:
      return accept_target (self, byte);
    case STATE_VERSION:
      return accept_version (self, byte);
    case STATE_FIELDS:
      return accept_fields (self, byte);
    default:
      g_assert_not_reached ();
    }
}

static void
let_go (VtHostRewriter *self, GByteArray *output)
{
  g_byte_array_append (output, self->held->data, self->held->len);
  g_byte_array_set_size (self->held, 0);
  enter (self, STATE_PASS);
}

static void
finish_head (VtHostRewriter *self, GByteArray *output)
{
  VtHttpBody body;

  if (!vt_http_head_rewrite (self->held->data, self->held->len, self->host, output, &body))
    {
      let_go (self, output);
      return;
    }
  g_byte_array_set_size (self->held, 0);
  vt_http_body_walk_begin (&self->body, &body);
  if (!body.chunked && body.length == 0)
    enter (self, STATE_START);
}

static void
push_head (VtHostRewriter *self, uint8_t byte, GByteArray *output)
{
  if (self->held->len == MAX_HEAD)
    {
      let_go (self, output);
      g_byte_array_append (output, &byte, 1);
      return;
    }
  g_byte_array_append (self->held, &byte, 1);
  if (!accept_head (self, byte))
    let_go (self, output);
  else if (self->state == STATE_BODY)
    finish_head (self, output);
}

/* Empty lines go through at once; what is none begins a head. */
static void
push_start (VtHostRewriter *self, uint8_t byte, GByteArray *output)
{
  if (accept_line_end (self, byte, STATE_START))
    {
      g_byte_array_append (output, &byte, 1);
      return;
    }
  enter (self, self->after_cr ? STATE_PASS : STATE_METHOD);
  if (self->state == STATE_PASS)
    g_byte_array_append (output, &byte, 1);
  else
    push_head (self, byte, output);
}

static size_t
push_body (VtHostRewriter *self, const uint8_t *data, size_t length, GByteArray *output)
{
  size_t taken;
  VtHttpBodyStep step = vt_http_body_walk_push (&self->body, data, length, &taken);

  g_byte_array_append (output, data, (unsigned int) taken);
  if (step != VT_HTTP_BODY_MORE)
    enter (self, step == VT_HTTP_BODY_END ? STATE_START : STATE_PASS);
  return taken;
}

/* Returns how many bytes it has taken, at least one. */
static size_t
push_some (VtHostRewriter *self, const uint8_t *data, size_t length, GByteArray *output)
{
  switch (self->state)
    {
    case STATE_PASS:
      g_byte_array_append (output, data, (unsigned int) length);
      return length;
    case STATE_BODY:
      return push_body (self, data, length, output);
    case STATE_START:
      push_start (self, data[0], output);
      return 1;
    case STATE_METHOD:
    case STATE_TARGET:
    case STATE_VERSION:
    case STATE_FIELDS:
      push_head (self, data[0], output);
      return 1;
    default:
      g_assert_not_reached ();
    }
}

void
vt_host_rewriter_push (VtHostRewriter *self, const uint8_t *data, size_t length, GByteArray *output)
{
  while (length > 0)
    {
      size_t taken = push_some (self, data, length, output);

      data += taken;
      length -= taken;
    }
}

void
vt_host_rewriter_flush (VtHostRewriter *self, GByteArray *output)
{
  let_go (self, output);
}
