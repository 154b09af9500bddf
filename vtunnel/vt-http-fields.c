/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-http-fields-private.h"

#include <string.h>

#include "vt-http-head-private.h"

#define HEAD_END "\r\n\r\n"
#define MAX_DIGITS 18

size_t
vt_http_head_find_end (const uint8_t *data, size_t length, size_t *seen)
{
  size_t n_end = strlen (HEAD_END);
  /* Part of it may have been seen. */
  size_t from = *seen >= n_end ? *seen - (n_end - 1) : 0;
  const uint8_t *end = NULL;

  if (length > from)
    end = memmem (data + from, length - from, HEAD_END, n_end);
  *seen = length;
  return end != NULL ? end - data + n_end : 0;
}

static gboolean
is_white (char byte)
{
  return byte == ' ' || byte == '\t';
}

static gboolean
is_text (uint8_t byte)
{
  return byte == '\t' || (byte >= ' ' && byte != 0x7f);
}

gboolean
vt_http_field_read (const char **at, const char *end, VtHttpField *field)
{
  const char *line_end = memchr (*at, '\r', end - *at);
  const char *p = *at;

  if (line_end == NULL || line_end + 1 >= end || line_end[1] != '\n')
    return FALSE;
  while (p < line_end && vt_http_is_token_char ((uint8_t) *p))
    p++;
  if (p == *at || p == line_end || *p != ':')
    return FALSE;
  field->name = *at;
  field->name_length = p - *at;
  *at = line_end + 2;

  for (p++; p < line_end && is_white (*p);)
    p++;
  while (line_end > p && is_white (line_end[-1]))
    line_end--;
  field->value = p;
  field->value_length = line_end - p;
  for (; p < line_end; p++)
    if (!is_text ((uint8_t) *p))
      return FALSE;
  return TRUE;
}

static gboolean
is_word (const char *text, size_t length, const char *word)
{
  return length == strlen (word) && g_ascii_strncasecmp (text, word, length) == 0;
}

gboolean
vt_http_field_is (const VtHttpField *field, const char *name)
{
  return is_word (field->name, field->name_length, name);
}

/* The next element of a list, trimmed; FALSE at the end. */
static gboolean
next_element (const char **at, const char *end, const char **element, size_t *length)
{
  const char *comma;

  if (*at >= end)
    return FALSE;
  comma = memchr (*at, ',', end - *at);
  if (comma == NULL)
    comma = end;
  *element = *at;
  *at = comma + 1;
  while (*element < comma && is_white (**element))
    (*element)++;
  while (comma > *element && is_white (comma[-1]))
    comma--;
  *length = comma - *element;
  return TRUE;
}

/* A second one is refused, even if it says the same. */
static gboolean
add_length (VtHttpFraming *self, const VtHttpField *field)
{
  if (self->has_length || field->value_length < 1 || field->value_length > MAX_DIGITS)
    return FALSE;
  self->has_length = TRUE;
  for (size_t i = 0; i < field->value_length; i++)
    {
      if (!g_ascii_isdigit (field->value[i]))
        return FALSE;
      self->length = self->length * 10 + (guint64) g_ascii_digit_value (field->value[i]);
    }
  return TRUE;
}

/* Codings have no parameters that are in use, and a quoted comma would hide what is one. */
static gboolean
add_codings (VtHttpFraming *self, const VtHttpField *field)
{
  const char *at = field->value;
  const char *end = at + field->value_length;
  const char *coding;
  size_t length;

  if (self->has_coding)
    return FALSE;
  while (next_element (&at, end, &coding, &length))
    {
      self->has_coding = TRUE;
      if (length == 0 || self->ends_chunked)
        return FALSE;
      for (size_t i = 0; i < length; i++)
        if (!vt_http_is_token_char ((uint8_t) coding[i]))
          return FALSE;
      self->ends_chunked = is_word (coding, length, "chunked");
    }
  return self->has_coding;
}

static void
add_options (VtHttpFraming *self, const VtHttpField *field)
{
  const char *at = field->value;
  const char *end = at + field->value_length;
  const char *option;
  size_t length;

  while (next_element (&at, end, &option, &length))
    {
      self->close = self->close || is_word (option, length, "close");
      self->keep_alive = self->keep_alive || is_word (option, length, "keep-alive");
      self->upgrade = self->upgrade || is_word (option, length, "upgrade");
    }
}

gboolean
vt_http_framing_add (VtHttpFraming *self, const VtHttpField *field)
{
  if (vt_http_field_is (field, "Content-Length"))
    return add_length (self, field);
  if (vt_http_field_is (field, "Transfer-Encoding"))
    return add_codings (self, field);
  if (vt_http_field_is (field, "Connection"))
    add_options (self, field);
  else if (vt_http_field_is (field, "Upgrade"))
    self->has_upgrade = TRUE;
  return TRUE;
}

gboolean
vt_http_framing_is_clear (const VtHttpFraming *self, gboolean is_http_1_0)
{
  return !self->has_coding || (!self->has_length && !is_http_1_0);
}

gboolean
vt_http_framing_is_persistent (const VtHttpFraming *self, gboolean is_http_1_0)
{
  return !self->close && (!is_http_1_0 || self->keep_alive);
}
