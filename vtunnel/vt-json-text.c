/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-json-text-private.h"

#include <string.h>

#include "vt-error.h"
#include "vt-json-guard-private.h"

gboolean
vt_json_text_refuse (GError **error, const char *problem)
{
  g_set_error_literal (error, VT_ERROR, VT_ERROR_PROTOCOL, problem);
  return FALSE;
}

JsonNode *
vt_json_text_parse (const char *text, size_t length, unsigned int max_depth, GError **error)
{
  const char *problem = vt_json_guard_find_problem (text, length, max_depth);
  g_autoptr(JsonParser) parser = NULL;
  g_autofree char *mended = NULL;

  if (problem != NULL)
    {
      vt_json_text_refuse (error, problem);
      return NULL;
    }

  /* libsoup has looked at text, but a message of bytes may hold anything. */
  if (!g_utf8_validate_len (text, length, NULL))
    {
      text = mended = g_utf8_make_valid (text, (gssize) length);
      length = strlen (text);
    }

  parser = json_parser_new_immutable ();
  if (!json_parser_load_from_data (parser, text, (gssize) length, NULL))
    {
      vt_json_text_refuse (error, "It is not JSON");
      return NULL;
    }
  return json_parser_steal_root (parser);
}

gboolean
vt_json_text_read_string (JsonNode *node, const char **string, GError **error)
{
  if (json_node_get_value_type (node) != G_TYPE_STRING)
    return vt_json_text_refuse (error, "A value is of a wrong type");

  *string = json_node_get_string (node);
  return TRUE;
}

gboolean
vt_json_text_read_integer (JsonNode *node, gint64 min, gint64 max, gint64 *value, GError **error)
{
  if (json_node_get_value_type (node) != G_TYPE_INT64)
    return vt_json_text_refuse (error, "A value is of a wrong type");

  *value = json_node_get_int (node);
  if (*value < min || *value > max)
    return vt_json_text_refuse (error, "A number is out of range");
  return TRUE;
}

static void
append_escaped_char (GString *text, gunichar c)
{
  switch (c)
    {
    case '"':
      g_string_append (text, "\\\"");
      break;
    case '\\':
      g_string_append (text, "\\\\");
      break;
    case '\n':
      g_string_append (text, "\\n");
      break;
    case '\r':
      g_string_append (text, "\\r");
      break;
    case '\t':
      g_string_append (text, "\\t");
      break;
    default:
      /* The existing programs keep their JSON fit for HTML and JavaScript. */
      if (c < 0x20 || c == '<' || c == '>' || c == '&' || c == 0x2028 || c == 0x2029)
        g_string_append_printf (text, "\\u%04x", c);
      else
        g_string_append_unichar (text, c);
    }
}

void
vt_json_text_append_string (GString *text, const char *string)
{
  g_string_append_c (text, '"');
  while (*string != '\0')
    {
      gunichar c = g_utf8_get_char_validated (string, -1);

      if (c == (gunichar) -1 || c == (gunichar) -2)
        {
          g_string_append (text, "\\ufffd");
          string++;
        }
      else
        {
          append_escaped_char (text, c);
          string = g_utf8_next_char (string);
        }
    }
  g_string_append_c (text, '"');
}
