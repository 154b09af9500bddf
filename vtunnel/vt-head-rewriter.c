/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-head-rewriter-private.h"

#include <string.h>

#include "vt-http-body-private.h"
#include "vt-http-head-private.h"
#include "vt-http-lines-private.h"

#define MAX_HEAD (64 * 1024)
/* The longest method that is registered has 17 characters. */
#define MAX_METHOD 32

/* The parts of a connection, in the order in which they come. Only a head, from METHOD to FIELDS,
 * is held back. What cannot be right leads to PASS, or where nothing may pass unread to BROKEN,
 * neither of which is ever left.
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
  STATE_BROKEN,
} State;

struct _VtHeadRewriter {
  VtHeadChanges *changes; /* owned */
  State state;
  gboolean upgrades; /* the last request may have led to another protocol */

  GByteArray *held; /* owned, the head so far */

  /* Characters of the part of the request line so far. */
  unsigned int n_chars;
  gboolean after_cr; /* the next byte has to end its line */
  VtHttpLines lines; /* of fields */

  VtHttpBodyWalk body;
};

VtHeadRewriter *
vt_head_rewriter_new (VtHeadChanges *changes)
{
  VtHeadRewriter *self = g_new0 (VtHeadRewriter, 1);

  self->changes = changes;
  self->held = g_byte_array_new ();
  return self;
}

void
vt_head_rewriter_free (VtHeadRewriter *self)
{
  g_byte_array_unref (self->held);
  vt_head_changes_free (self->changes);
  g_free (self);
}

static void
enter (VtHeadRewriter *self, State state)
{
  self->state = state;
  self->n_chars = 0;
  self->after_cr = FALSE;
  self->lines = (VtHttpLines){ .strict = FALSE };
}

/* The end of a line, which may be a lone LF (RFC 9112, 2.2): FALSE if `byte` cannot stand there. */
static gboolean
accept_line_end (VtHeadRewriter *self, uint8_t byte, State next)
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
accept_method (VtHeadRewriter *self, uint8_t byte)
{
  if (byte == ' ' && self->n_chars > 0)
    enter (self, STATE_TARGET);
  else if (!vt_http_is_token_char (byte) || ++self->n_chars > MAX_METHOD)
    return FALSE;
  return TRUE;
}

/* In any of its forms (RFC 9112, 3.2): nothing but a space can end it. */
static gboolean
accept_target (VtHeadRewriter *self, uint8_t byte)
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
accept_version (VtHeadRewriter *self, uint8_t byte)
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

static gboolean
accept_fields (VtHeadRewriter *self, uint8_t byte)
{
  VtHttpLinesStep step = vt_http_lines_push (&self->lines, byte);

  if (step == VT_HTTP_LINES_END)
    enter (self, STATE_BODY);
  return step != VT_HTTP_LINES_BROKEN;
}

static gboolean
accept_head (VtHeadRewriter *self, uint8_t byte)
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

static gboolean
is_strict (VtHeadRewriter *self)
{
  return self->changes->forwarded != VT_FORWARDED_HEADERS_NONE;
}

static void
give_up (VtHeadRewriter *self)
{
  enter (self, is_strict (self) ? STATE_BROKEN : STATE_PASS);
}

static void
let_go (VtHeadRewriter *self, GByteArray *output)
{
  if (!is_strict (self))
    g_byte_array_append (output, self->held->data, self->held->len);
  g_byte_array_set_size (self->held, 0);
  give_up (self);
}

static void
finish_head (VtHeadRewriter *self, GByteArray *output)
{
  g_auto(VtHeadRecord) record = { .changes = self->changes };
  VtHttpBody body;

  if (!vt_http_head_rewrite (self->held->data, self->held->len, &record, output, &body))
    {
      let_go (self, output);
      return;
    }
  self->upgrades = record.upgrades;
  g_byte_array_set_size (self->held, 0);
  vt_http_body_walk_begin (&self->body, &body);
  if (!body.chunked && body.length == 0)
    enter (self, STATE_START);
}

static void
push_head (VtHeadRewriter *self, uint8_t byte, GByteArray *output)
{
  if (self->held->len == MAX_HEAD)
    {
      let_go (self, output);
      if (self->state == STATE_PASS)
        g_byte_array_append (output, &byte, 1);
      return;
    }
  g_byte_array_append (self->held, &byte, 1);
  if (!accept_head (self, byte))
    let_go (self, output);
  else if (self->state == STATE_BODY)
    finish_head (self, output);
}

/* No server takes these for the beginning of a request, however lenient it is, and every frame of a
 * WebSocket begins with one: so a target that has not followed an upgrade learns nothing of it. */
static gboolean
is_other_protocol (VtHeadRewriter *self, uint8_t byte)
{
  return self->upgrades && (byte >= 0x80 || (g_ascii_iscntrl ((char) byte) && byte != '\t'));
}

/* Empty lines go through at once; what is none begins a head. */
static void
push_start (VtHeadRewriter *self, uint8_t byte, GByteArray *output)
{
  if (accept_line_end (self, byte, STATE_START))
    g_byte_array_append (output, &byte, 1);
  else if (self->after_cr)
    give_up (self);
  else if (is_other_protocol (self, byte))
    enter (self, STATE_PASS);
  else
    {
      enter (self, STATE_METHOD);
      push_head (self, byte, output);
      return;
    }
  if (self->state == STATE_PASS)
    g_byte_array_append (output, &byte, 1);
}

static size_t
push_body (VtHeadRewriter *self, const uint8_t *data, size_t length, GByteArray *output)
{
  size_t taken;
  VtHttpBodyStep step = vt_http_body_walk_push (&self->body, data, length, &taken);

  g_byte_array_append (output, data, (unsigned int) taken);
  if (step == VT_HTTP_BODY_END)
    enter (self, STATE_START);
  else if (step == VT_HTTP_BODY_BROKEN)
    give_up (self);
  return taken;
}

/* Returns how many bytes it has taken, at least one. */
static size_t
push_some (VtHeadRewriter *self, const uint8_t *data, size_t length, GByteArray *output)
{
  switch (self->state)
    {
    case STATE_PASS:
      g_byte_array_append (output, data, (unsigned int) length);
      return length;
    case STATE_BROKEN:
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

gboolean
vt_head_rewriter_push (VtHeadRewriter *self, const uint8_t *data, size_t length, GByteArray *output)
{
  while (length > 0)
    {
      size_t taken = push_some (self, data, length, output);

      data += taken;
      length -= taken;
    }
  return self->state != STATE_BROKEN;
}

void
vt_head_rewriter_flush (VtHeadRewriter *self, GByteArray *output)
{
  let_go (self, output);
}
