/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-text-private.h"

#include <string.h>

/* Of the text that is given back, escapes included. */
#define MAX_CHARACTERS 200

/* Formatting characters turn a line around, hide or imitate; the two joiners are left alone, for
 * they are part of how some languages (and emoji) are written. */
static gboolean
is_plain (gunichar c)
{
  switch (g_unichar_type (c))
    {
    case G_UNICODE_CONTROL:
    case G_UNICODE_LINE_SEPARATOR:
    case G_UNICODE_PARAGRAPH_SEPARATOR:
    case G_UNICODE_SURROGATE:
      return FALSE;
    case G_UNICODE_FORMAT:
      return c == 0x200c || c == 0x200d;
    default:
      return TRUE;
    }
}

/* Writes the first character of `text`, or an escape for it, and returns its length in bytes. */
static size_t
take_character (const char *text, size_t length, GString *piece)
{
  unsigned char byte = (unsigned char) *text;
  gunichar c = byte < 0x80 ? byte : g_utf8_get_char_validated (text, (gssize) length);

  g_string_truncate (piece, 0);
  if (c == (gunichar) -1 || c == (gunichar) -2)
    {
      g_string_append_printf (piece, "\\x%02x", byte);
      return 1;
    }

  if (c == '\n')
    g_string_append (piece, "\\n");
  else if (c == '\r')
    g_string_append (piece, "\\r");
  else if (c == '\t')
    g_string_append (piece, "\\t");
  else if (c == '"' || c == '\\')
    g_string_append_printf (piece, "\\%c", (char) c);
  else if (is_plain (c))
    g_string_append_unichar (piece, c);
  else if (c < 0x80)
    g_string_append_printf (piece, "\\x%02x", byte);
  else
    g_string_append_printf (piece, "\\u{%04x}", c);
  return (size_t) g_unichar_to_utf8 (c, NULL);
}

char *
vt_text_escape (const char *text, gssize length)
{
  g_autoptr(GString) result = g_string_new (NULL);
  g_autoptr(GString) piece = g_string_new (NULL);
  long n_characters = 0;
  size_t left;

  if (text == NULL)
    return g_strdup ("(none)");

  left = length < 0 ? strlen (text) : (size_t) length;
  while (left > 0)
    {
      size_t taken = take_character (text, left, piece);

      n_characters += g_utf8_strlen (piece->str, (gssize) piece->len);
      if (n_characters > MAX_CHARACTERS)
        {
          g_string_append (result, "…");
          break;
        }
      g_string_append_len (result, piece->str, (gssize) piece->len);
      text += taken;
      left -= taken;
    }
  return g_string_free (g_steal_pointer (&result), FALSE);
}

char *
vt_text_fit (const char *text, size_t max)
{
  char *fit = g_utf8_make_valid (text == NULL ? "" : text, -1);
  size_t length = max;

  if (strlen (fit) > max)
    {
      /* Bytes that go on with a character are 10xxxxxx. */
      while ((fit[length] & 0xc0) == 0x80)
        length--;
      fit[length] = '\0';
    }
  return fit;
}

gboolean
vt_text_read_port (const char *text, guint16 min, guint16 *port)
{
  guint64 value;

  if (!g_ascii_string_to_unsigned (text, 10, min, G_MAXUINT16, &value, NULL))
    return FALSE;
  *port = (guint16) value;
  return TRUE;
}

gboolean
vt_text_is_same_list (char **one, const char *const *other)
{
  if (one == NULL || other == NULL)
    return one == NULL && other == NULL;
  return g_strv_equal ((const char *const *) one, other);
}
