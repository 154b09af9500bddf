/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-json-guard-private.h"

#include <stdint.h>
#include <string.h>

/* More digits may not fit into 64 bits. */
#define MAX_DIGITS 18

/* The number in "\uXXXX". 0 if there is no such escape, and for that of NUL. */
static unsigned int
read_unit (const char *at, const char *end)
{
  unsigned int unit = 0;

  if (end - at < 6 || at[0] != '\\' || at[1] != 'u')
    return 0;

  for (unsigned int i = 2; i < 6; i++)
    {
      if (!g_ascii_isxdigit (at[i]))
        return 0;
      unit = unit << 4 | (unsigned int) g_ascii_xdigit_value (at[i]);
    }
  return unit;
}

/* All that skip something give where it ends, or NULL if it is not as it should be. */
static const char *
skip_escape (const char *at, const char *end)
{
  unsigned int unit, second;

  if (end - at >= 2 && at[1] != '\0' && strchr ("\"\\/bfnrt", at[1]) != NULL)
    return at + 2;

  unit = read_unit (at, end);
  if (unit < 0xd800 || unit > 0xdfff)
    return unit == 0 ? NULL : at + 6;

  second = read_unit (at + 6, end);
  return unit < 0xdc00 && second >= 0xdc00 && second <= 0xdfff ? at + 12 : NULL;
}

static const char *
skip_string (const char *at, const char *end)
{
  at++;
  while (at != NULL && at < end && *at != '"')
    if (*at == '\\')
      at = skip_escape (at, end);
    else
      at = (uint8_t) *at < 0x20 ? NULL : at + 1;
  return at == NULL || at == end ? NULL : at + 1;
}

static const char *
skip_digits (const char *at, const char *end)
{
  const char *start = at;

  while (at < end && g_ascii_isdigit (*at))
    at++;
  return at == start ? NULL : at;
}

static const char *
skip_number (const char *at, const char *end)
{
  const char *start = *at == '-' ? at + 1 : at;

  at = skip_digits (start, end);
  if (at == NULL || at - start > MAX_DIGITS || (*start == '0' && at - start > 1))
    return NULL;

  if (at < end && *at == '.')
    at = skip_digits (at + 1, end);
  if (at != NULL && at < end && (*at == 'e' || *at == 'E'))
    {
      at++;
      at = skip_digits (at < end && (*at == '+' || *at == '-') ? at + 1 : at, end);
    }
  return at;
}

static const char *
skip_scalar (const char *at, const char *end)
{
  static const char *const words[] = { "true", "false", "null" };

  if (*at == '"')
    return skip_string (at, end);
  for (unsigned int i = 0; i < G_N_ELEMENTS (words); i++)
    if ((size_t) (end - at) >= strlen (words[i]) && memcmp (at, words[i], strlen (words[i])) == 0)
      return at + strlen (words[i]);
  return skip_number (at, end);
}

static const char *
skip_spaces (const char *at, const char *end)
{
  while (at < end && (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\n'))
    at++;
  return at;
}

const char *
vt_json_guard_find_problem (const char *text, size_t length, unsigned int max_depth)
{
  const char *end = text + length;
  const char *at = skip_spaces (text, end);
  unsigned int depth = 0, n_commas = 0;

  if (at == end || *at != '{')
    return "It is no JSON object";

  do
    {
      depth += *at == '{' || *at == '[';
      depth -= *at == '}' || *at == ']';
      n_commas += *at == ',';
      if (depth > max_depth)
        return "It is nested too deeply";
      if (n_commas > VT_JSON_MAX_COMMAS)
        return "It has too many values";

      at = *at != '\0' && strchr ("{}[],:", *at) != NULL ? at + 1 : skip_scalar (at, end);
      if (at == NULL)
        return "It is not JSON";
      at = skip_spaces (at, end);
    }
  while (depth > 0 && at < end);

  if (depth > 0)
    return "It ends too early";
  return at < end ? "Something follows the JSON object" : NULL;
}
