/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-tool-text.h"

/* Formatting without a width of its own (U+202E and its kin, joiners, tags) goes, too: terminals do
 * not agree on what it does to the width of a line. */
static gboolean
is_hostile (gunichar c)
{
  GUnicodeType type = g_unichar_type (c);

  return type == G_UNICODE_CONTROL || type == G_UNICODE_FORMAT || type == G_UNICODE_LINE_SEPARATOR
         || type == G_UNICODE_PARAGRAPH_SEPARATOR;
}

char *
vt_tool_text_clean (const char *text)
{
  g_autofree char *valid = g_utf8_make_valid (text != NULL ? text : "", -1);
  GString *clean = g_string_new (NULL);

  for (const char *at = valid; *at != '\0'; at = g_utf8_next_char (at))
    {
      gunichar c = g_utf8_get_char (at);

      if (is_hostile (c))
        g_string_append_printf (clean, "\\u%04x", c);
      else
        g_string_append_unichar (clean, c);
    }
  return g_string_free (clean, FALSE);
}

char *
vt_tool_text_to_ascii (const char *text)
{
  static const char *const nearest[][2] = {
    { "…", "..." }, { "→", "->" }, { "„", "\"" }, { "“", "\"" }, { "”", "\"" },
    { "’", "'" },   { "–", "-" },  { "ä", "ae" }, { "ö", "oe" }, { "ü", "ue" },
    { "Ä", "Ae" },  { "Ö", "Oe" }, { "Ü", "Ue" }, { "ß", "ss" },
  };
  g_autofree char *clean = vt_tool_text_clean (text);
  g_autoptr(GString) near = g_string_new (clean);
  GString *ascii = g_string_new (NULL);

  for (size_t i = 0; i < G_N_ELEMENTS (nearest); i++)
    g_string_replace (near, nearest[i][0], nearest[i][1], 0);
  for (const char *at = near->str; *at != '\0'; at = g_utf8_next_char (at))
    g_string_append_c (ascii, g_ascii_isprint (*at) ? *at : '?');
  return g_string_free (ascii, FALSE);
}

static unsigned int
measure (gunichar c)
{
  if (g_unichar_iszerowidth (c))
    return 0;
  return g_unichar_iswide (c) ? 2 : 1;
}

unsigned int
vt_tool_text_width (const char *text)
{
  unsigned int width = 0;

  for (const char *at = text; *at != '\0'; at = g_utf8_next_char (at))
    width += measure (g_utf8_get_char (at));
  return width;
}

size_t
vt_tool_text_break (const char *text, unsigned int width)
{
  const char *space = NULL;
  const char *at = text;
  unsigned int used = 0;

  for (; *at != '\0'; at = g_utf8_next_char (at))
    {
      if (*at == ' ')
        space = at;
      used += measure (g_utf8_get_char (at));
      if (used > width && at > text)
        break;
    }
  if (*at == '\0' || space == NULL || space == text)
    return (size_t) (at - text);
  return (size_t) (space - text);
}

char *
vt_tool_text_fit (const char *text, unsigned int width, const char *mark)
{
  const char *end = text;
  unsigned int used = 0;

  if (vt_tool_text_width (text) <= width)
    return g_strdup (text);
  if (width == 0)
    return g_strdup ("");
  for (; *end != '\0'; end = g_utf8_next_char (end))
    {
      used += measure (g_utf8_get_char (end));
      if (used > width - 1)
        break;
    }
  return g_strdup_printf ("%.*s%s", (int) (end - text), text, mark);
}
