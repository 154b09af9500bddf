/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-http-head-private.h"

#include <string.h>

/* One field with all its lines: those after the first are folded (RFC 9112, 5.2). */
typedef struct {
  const char *start;
  const char *end; /* after the last line's end */
  const char *value;
  size_t name_length;
} Field;

/* What the fields say about the body, as they stand there. */
typedef struct {
  GString *codings; /* owned, of all Transfer-Encoding fields; NULL if there is none */
  GString *lengths; /* owned, of all Content-Length fields; NULL if there is none */
} Framing;

static void
framing_clear (Framing *framing)
{
  if (framing->codings != NULL)
    g_string_free (framing->codings, TRUE);
  if (framing->lengths != NULL)
    g_string_free (framing->lengths, TRUE);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Framing, framing_clear)

gboolean
vt_http_is_token_char (uint8_t byte)
{
  return g_ascii_isalnum (byte) || (byte != '\0' && strchr ("!#$%&'*+-.^_`|~", byte) != NULL);
}

/* The head ends with an empty line, so there is always a line's end to be found. */
static const char *
next_line (const char *line)
{
  while (*line != '\n')
    line++;
  return line + 1;
}

static gboolean
is_empty_line (const char *line)
{
  return line[0] == '\n' || (line[0] == '\r' && line[1] == '\n');
}

/* Reads the field that begins at `line`. A colon right after the name is a must (RFC 9112, 5.1),
 * and there is no folded line before the first field (RFC 9112, 2.2). */
static gboolean
read_field (const char *line, Field *field)
{
  const char *colon = line;

  while (vt_http_is_token_char ((uint8_t) *colon))
    colon++;
  if (colon == line || *colon != ':')
    return FALSE;

  field->start = line;
  field->name_length = colon - line;
  field->value = colon + 1;
  field->end = next_line (field->value);
  while (*field->end == ' ' || *field->end == '\t')
    field->end = next_line (field->end);
  return TRUE;
}

static gboolean
is_named (const Field *field, const char *name)
{
  return field->name_length == strlen (name)
         && g_ascii_strncasecmp (field->start, name, field->name_length) == 0;
}

/* Several fields of one name are one list (RFC 9110, 5.3); a fold is a space. */
static void
add_to_list (GString **list, const Field *field)
{
  if (*list == NULL)
    *list = g_string_new (NULL);
  else
    g_string_append_c (*list, ',');
  for (const char *p = field->value; p < field->end; p++)
    g_string_append_c (*list, *p == '\r' || *p == '\n' ? ' ' : *p);
}

/* Equal lengths, given more than once, are one (RFC 9112, 6.3, 5). */
static gboolean
parse_lengths (const char *list, guint64 *length)
{
  g_auto(GStrv) values = g_strsplit (list, ",", -1);

  for (unsigned int i = 0; values[i] != NULL; i++)
    {
      guint64 value;

      if (!g_ascii_string_to_unsigned (g_strstrip (values[i]), 10, 0, G_MAXINT64, &value, NULL))
        return FALSE;
      if (i > 0 && value != *length)
        return FALSE;
      *length = value;
    }
  return TRUE;
}

/* A request's body has an end only if "chunked" is the last coding, and it cannot be applied twice
 * (RFC 9112, 6.1 and 7). Nothing with a quoted parameter is in use, and a comma in one would hide
 * what is a coding and what is not. */
static gboolean
ends_in_chunked (const char *list)
{
  g_auto(GStrv) codings = g_strsplit (list, ",", -1);
  gboolean chunked = FALSE;

  if (strchr (list, '"') != NULL)
    return FALSE;
  for (unsigned int i = 0; codings[i] != NULL; i++)
    {
      g_strstrip (codings[i]);
      if (codings[i][0] == '\0')
        continue;
      if (chunked)
        return FALSE;
      chunked = g_ascii_strcasecmp (codings[i], "chunked") == 0;
    }
  return chunked;
}

/* RFC 9112, 6.3, as far as it speaks of requests: Transfer-Encoding goes before Content-Length, and
 * a request without either has no body. */
static gboolean
find_body (const Framing *framing, gboolean is_http_1_0, VtHttpBody *body)
{
  *body = (VtHttpBody){ FALSE, 0, FALSE };

  if (framing->codings != NULL)
    {
      body->chunked = TRUE;
      return !is_http_1_0 && ends_in_chunked (framing->codings->str);
    }
  if (framing->lengths != NULL)
    return parse_lengths (framing->lengths->str, &body->length);
  return TRUE;
}

static void
append (GByteArray *output, const char *text, size_t length)
{
  g_byte_array_append (output, (const uint8_t *) text, (unsigned int) length);
}

static void
append_host (GByteArray *output, const Field *field, const char *host)
{
  append (output, field->start, field->name_length);
  append (output, ": ", 2);
  append (output, host, strlen (host));
  if (field->end[-2] == '\r')
    append (output, "\r\n", 2);
  else
    append (output, "\n", 1);
}

static gboolean
check_fields (const char *fields, VtHttpBody *body)
{
  g_auto(Framing) framing = { NULL, NULL };
  const char *version_end = fields[-2] == '\r' ? fields - 2 : fields - 1;
  const char *line = fields;
  Field field;

  while (!is_empty_line (line))
    {
      if (!read_field (line, &field))
        return FALSE;
      if (is_named (&field, "Transfer-Encoding"))
        add_to_list (&framing.codings, &field);
      else if (is_named (&field, "Content-Length"))
        add_to_list (&framing.lengths, &field);
      line = field.end;
    }
  return find_body (&framing, version_end[-1] == '0', body);
}

/* A request with several Host fields is refused by its server (RFC 9112, 3.2). It stays one: all of
 * them are replaced, none is added or dropped. */
static void
rewrite_field (const Field *field, VtHeadRecord *record, GByteArray *output)
{
  const char *host = record->changes->host;
  gboolean stays = vt_head_record_take (record, field->start, field->name_length, field->value,
                                        (size_t) (field->end - field->value));

  if (host != NULL && is_named (field, "Host"))
    append_host (output, field, host);
  else if (stays)
    append (output, field->start, field->end - field->start);
}

gboolean
vt_http_head_rewrite (const uint8_t *head,
                      size_t length,
                      VtHeadRecord *record,
                      GByteArray *output,
                      VtHttpBody *body)
{
  const char *text = (const char *) head;
  const char *fields = next_line (text);
  const char *line = fields;
  Field field;

  if (!check_fields (fields, body))
    return FALSE;

  append (output, text, fields - text);
  while (!is_empty_line (line) && read_field (line, &field))
    {
      rewrite_field (&field, record, output);
      line = field.end;
    }
  vt_head_record_write (record, line[0] == '\r' ? "\r\n" : "\n", output);
  record->upgrades = record->upgrades || g_str_has_prefix (text, "CONNECT ");
  append (output, line, text + length - line);
  return TRUE;
}
