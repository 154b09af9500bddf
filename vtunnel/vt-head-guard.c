/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-head-guard-private.h"

#include <string.h>

/* libsoup 3.2.3 loses memory for good where a peer wants it to: the target of a request whose
 * Transfer-Encoding or Content-Length it does not understand, and each method that it has not met
 * before. It also takes what is no header for nothing, joins folded lines, and drops zero bytes
 * before it compares names. Such heads never reach it. */

#define MAX_LENGTH_DIGITS 18

void
vt_head_guard_init (VtHeadGuard *self, size_t max_head)
{
  *self = (VtHeadGuard){ .max_head = max_head };
}

static gboolean
is_word (VtHeadGuard *self, const char *word)
{
  return self->word_length == strlen (word) && memcmp (self->word, word, self->word_length) == 0;
}

static void
add_to_word (VtHeadGuard *self, char character)
{
  /* A longer one is none of those that are looked for. */
  if (self->word_length < sizeof self->word)
    self->word[self->word_length++] = character;
}

static gboolean
is_token_character (char character)
{
  return g_ascii_isalnum (character)
         || (character != '\0' && strchr ("!#$%&'*+-.^_`|~", character) != NULL);
}

static gboolean
is_blank (char character)
{
  return character == ' ' || character == '\t';
}

static void
end_method (VtHeadGuard *self)
{
  static const char *const methods[] = { "GET",     "HEAD",  "POST",  "PUT",    "DELETE",
                                         "OPTIONS", "PATCH", "TRACE", "CONNECT" };

  self->state = VT_HEAD_TARGET;
  for (size_t i = 0; i < G_N_ELEMENTS (methods); i++)
    if (is_word (self, methods[i]))
      return;
  self->fault = "Unknown method";
}

static void
end_name (VtHeadGuard *self)
{
  self->state = VT_HEAD_VALUE;
  if (self->word_length == 0)
    self->fault = "Malformed header";
  else if (is_word (self, "transfer-encoding"))
    self->fault = "A request with a Transfer-Encoding is not taken";
  else if (is_word (self, "content-length"))
    {
      self->state = VT_HEAD_LENGTH;
      if (self->has_length)
        self->fault = "More than one Content-Length";
      self->has_length = TRUE;
    }
}

static void
take_length (VtHeadGuard *self, char character)
{
  if (is_blank (character))
    self->state = self->n_digits > 0 ? VT_HEAD_LENGTH_END : VT_HEAD_LENGTH;
  else if (self->state == VT_HEAD_LENGTH_END || !g_ascii_isdigit (character)
           || self->n_digits++ == MAX_LENGTH_DIGITS)
    self->fault = "Malformed Content-Length";
  else if (character != '0')
    self->has_body = TRUE;
}

static void
take_character (VtHeadGuard *self, char character)
{
  if (self->state == VT_HEAD_BEFORE || self->state == VT_HEAD_LINE)
    {
      self->state = self->state == VT_HEAD_BEFORE ? VT_HEAD_METHOD : VT_HEAD_NAME;
      self->word_length = 0;
    }

  if (self->state == VT_HEAD_METHOD && is_blank (character))
    end_method (self);
  else if (self->state == VT_HEAD_METHOD)
    add_to_word (self, character);
  else if (self->state == VT_HEAD_NAME && character == ':')
    end_name (self);
  else if (self->state == VT_HEAD_NAME && !is_token_character (character))
    self->fault = "Malformed header";
  else if (self->state == VT_HEAD_NAME)
    add_to_word (self, g_ascii_tolower (character));
  else if (self->state == VT_HEAD_LENGTH || self->state == VT_HEAD_LENGTH_END)
    take_length (self, character);
}

static void
end_line (VtHeadGuard *self)
{
  if (self->state == VT_HEAD_METHOD)
    self->fault = "Malformed request line";
  else if (self->state == VT_HEAD_NAME)
    self->fault = "Malformed header";
  else if (self->state == VT_HEAD_LENGTH && self->n_digits == 0)
    self->fault = "Malformed Content-Length";
  else if (self->state == VT_HEAD_LINE)
    self->complete = TRUE;
  else if (self->state != VT_HEAD_BEFORE)
    self->state = VT_HEAD_LINE;
}

/* A line ends at LF, with or without CR before it, as libsoup has it. */
static void
take (VtHeadGuard *self, char byte)
{
  gboolean after_cr = self->after_cr;

  self->after_cr = byte == '\r';
  if (byte == '\n')
    end_line (self);
  else if (after_cr || (g_ascii_iscntrl (byte) && byte != '\r' && byte != '\t'))
    self->fault = "Control character in a request head";
  else if (byte != '\r')
    take_character (self, byte);
}

size_t
vt_head_guard_inspect (VtHeadGuard *self, const uint8_t *data, size_t length)
{
  size_t seen = 0;

  while (seen < length && self->fault == NULL && !self->too_long
         && (!self->complete || self->has_body))
    {
      if (self->size++ == self->max_head)
        {
          self->too_long = TRUE;
          break;
        }
      if (!self->complete)
        take (self, (char) data[seen]);
      if (self->fault == NULL)
        seen++;
    }
  return seen;
}

void
vt_head_guard_next (VtHeadGuard *self)
{
  /* Where a body ends is not known here, so what follows one is not looked at any more. */
  if (self->complete && !self->has_body)
    vt_head_guard_init (self, self->max_head);
}
