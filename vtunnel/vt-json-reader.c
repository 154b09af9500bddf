/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-json-reader-private.h"

#include <stdint.h>
#include <string.h>

gboolean
vt_json_reader_stop (VtJsonReader *self, const char *problem)
{
  self->problem = problem;
  return FALSE;
}

gboolean
vt_json_reader_stop_syntax (VtJsonReader *self)
{
  return vt_json_reader_stop (self, self->at == self->end ? "It ends too early" : "It is not JSON");
}

/* Spaces are not skipped inside strings and numbers. */
static char
look (VtJsonReader *self)
{
  return self->at < self->end ? *self->at : '\0';
}

char
vt_json_reader_peek (VtJsonReader *self)
{
  while (look (self) == ' ' || look (self) == '\n' || look (self) == '\r' || look (self) == '\t')
    self->at++;
  return look (self);
}

gboolean
vt_json_reader_take (VtJsonReader *self, char c)
{
  if (vt_json_reader_peek (self) != c)
    return FALSE;

  self->at++;
  return TRUE;
}

gboolean
vt_json_reader_take_word (VtJsonReader *self, const char *word)
{
  size_t length = strlen (word);

  if ((size_t) (self->end - self->at) < length || memcmp (self->at, word, length) != 0)
    return vt_json_reader_stop_syntax (self);

  self->at += length;
  return TRUE;
}

static gboolean
read_escape (VtJsonReader *self)
{
  char c = look (self);

  if (c == '\0' || strchr ("\"\\/bfnrtu", c) == NULL)
    return vt_json_reader_stop_syntax (self);

  self->at++;
  for (unsigned int i = 0; c == 'u' && i < 4; i++, self->at++)
    if (!g_ascii_isxdigit (look (self)))
      return vt_json_reader_stop_syntax (self);
  return TRUE;
}

/* A word of eight bytes that are all `byte`. */
#define EIGHT(byte) (G_GUINT64_CONSTANT (0x0101010101010101) * (byte))
/* Not 0 if one of the eight bytes is less than `limit`, which is at most 128. */
#define HAS_LESS(word, limit) (((word) -EIGHT (limit)) & ~(word) &EIGHT (0x80))

/* The first character that ends a string or means something in it. The data of v1 is one long
 * string, so eight are looked at together as long as there is none. */
static const char *
find_special (const char *at, const char *end)
{
  while (end - at >= 8)
    {
      uint64_t word;

      memcpy (&word, at, sizeof word);
      if ((HAS_LESS (word, 0x20) | HAS_LESS (word ^ EIGHT ('"'), 1)
           | HAS_LESS (word ^ EIGHT ('\\'), 1))
          != 0)
        break;
      at += 8;
    }
  while (at < end && *at != '"' && *at != '\\' && (uint8_t) *at >= 0x20)
    at++;
  return at;
}

gboolean
vt_json_reader_read_string (VtJsonReader *self, VtJsonString *string)
{
  if (!vt_json_reader_take (self, '"'))
    return vt_json_reader_stop_syntax (self);

  string->text = self->at;
  string->escaped = FALSE;
  for (;;)
    {
      self->at = find_special (self->at, self->end);
      if (look (self) != '\\')
        break;

      self->at++;
      string->escaped = TRUE;
      if (!read_escape (self))
        return FALSE;
    }

  string->length = (size_t) (self->at - string->text);
  if (look (self) != '"')
    return vt_json_reader_stop_syntax (self);

  self->at++;
  return TRUE;
}

static gboolean
skip_digits (VtJsonReader *self)
{
  if (!g_ascii_isdigit (look (self)))
    return vt_json_reader_stop_syntax (self);

  while (g_ascii_isdigit (look (self)))
    self->at++;
  return TRUE;
}

/* `integral` is FALSE for what has a fraction or an exponent, even if its value is whole. */
static gboolean
skip_number (VtJsonReader *self, gboolean *integral)
{
  *integral = TRUE;
  if (look (self) == '-')
    self->at++;

  if (look (self) == '0')
    self->at++;
  else if (!skip_digits (self))
    return FALSE;

  if (look (self) == '.')
    {
      *integral = FALSE;
      self->at++;
      if (!skip_digits (self))
        return FALSE;
    }
  if (look (self) == 'e' || look (self) == 'E')
    {
      *integral = FALSE;
      self->at++;
      if (look (self) == '+' || look (self) == '-')
        self->at++;
      return skip_digits (self);
    }
  return TRUE;
}

/* What stands between the brackets of an array or an object. */
static gboolean
skip_items (VtJsonReader *self, char closing, unsigned int depth, unsigned int max_depth)
{
  if (depth > max_depth)
    return vt_json_reader_stop (self, "It is nested too deeply");
  if (vt_json_reader_take (self, closing))
    return TRUE;

  do
    {
      VtJsonString key;

      if (closing == '}' && !vt_json_reader_read_string (self, &key))
        return FALSE;
      if (closing == '}' && !vt_json_reader_take (self, ':'))
        return vt_json_reader_stop_syntax (self);
      if (!vt_json_reader_skip_value (self, depth, max_depth))
        return FALSE;
    }
  while (vt_json_reader_take (self, ','));

  return vt_json_reader_take (self, closing) || vt_json_reader_stop_syntax (self);
}

gboolean
vt_json_reader_skip_value (VtJsonReader *self, unsigned int depth, unsigned int max_depth)
{
  VtJsonString string;
  gboolean integral;

  switch (vt_json_reader_peek (self))
    {
    case '{':
      self->at++;
      return skip_items (self, '}', depth + 1, max_depth);
    case '[':
      self->at++;
      return skip_items (self, ']', depth + 1, max_depth);
    case '"':
      return vt_json_reader_read_string (self, &string);
    case 't':
      return vt_json_reader_take_word (self, "true");
    case 'f':
      return vt_json_reader_take_word (self, "false");
    case 'n':
      return vt_json_reader_take_word (self, "null");
    default:
      return skip_number (self, &integral);
    }
}

static unsigned int
hex4 (const char *text)
{
  unsigned int value = 0;

  for (unsigned int i = 0; i < 4; i++)
    value = value << 4 | (unsigned int) g_ascii_xdigit_value (text[i]);
  return value;
}

/* Appends what "\uXXXX" at `at` stands for, and gives how much of the text that took. Half of a
 * surrogate pair becomes a replacement character. */
static size_t
append_unicode (GString *plain, const char *at, size_t length)
{
  unsigned int first = hex4 (at + 2);

  if (first < 0xd800 || first > 0xdfff)
    {
      /* g_string_append_unichar () would take a NUL for an end. */
      if (first == 0)
        g_string_append_c (plain, '\0');
      else
        g_string_append_unichar (plain, first);
      return 6;
    }
  if (first < 0xdc00 && length >= 12 && at[6] == '\\' && at[7] == 'u')
    {
      unsigned int second = hex4 (at + 8);

      if (second >= 0xdc00 && second <= 0xdfff)
        {
          g_string_append_unichar (plain, 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00));
          return 12;
        }
    }
  g_string_append_unichar (plain, 0xfffd);
  return 6;
}

/* Only for a string that vt_json_reader_read_string () has found good. */
GString *
vt_json_string_unescape (const VtJsonString *self)
{
  static const char escapes[] = "\"\\/bfnrt";
  static const char meanings[] = "\"\\/\b\f\n\r\t";
  GString *plain = g_string_sized_new (self->length);
  size_t i = 0;

  while (i < self->length)
    {
      if (self->text[i] != '\\')
        {
          g_string_append_c (plain, self->text[i++]);
        }
      else if (self->text[i + 1] == 'u')
        {
          i += append_unicode (plain, self->text + i, self->length - i);
        }
      else
        {
          g_string_append_c (plain, meanings[strchr (escapes, self->text[i + 1]) - escapes]);
          i += 2;
        }
    }
  return plain;
}

gboolean
vt_json_reader_read_integer (VtJsonReader *self, guint64 max, guint64 *value)
{
  const char *text = self->at;
  gboolean negative = look (self) == '-';
  gboolean integral;
  guint64 sum = 0;

  if (!negative && !g_ascii_isdigit (look (self)))
    return vt_json_reader_stop (self, "A value is of a wrong type");
  if (!skip_number (self, &integral))
    return FALSE;
  if (!integral)
    return vt_json_reader_stop (self, "A number is not whole");

  for (text += negative ? 1 : 0; text < self->at && sum <= max; text++)
    sum = sum * 10 + (guint64) (*text - '0');
  if (sum > max || (negative && sum != 0))
    return vt_json_reader_stop (self, "A number is out of range");

  *value = sum;
  return TRUE;
}
