/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-codec-json-private.h"

#include <string.h>

#include "vt-base64-private.h"
#include "vt-error-private.h"
#include "vt-json-reader-private.h"

static const char *const type_names[] = {
  [VT_JSON_UNKNOWN] = "",
  [VT_JSON_LISTEN] = "listen",
  [VT_JSON_LISTEN_OK] = "listen_ok",
  [VT_JSON_LISTEN_ERR] = "listen_err",
  [VT_JSON_UNLISTEN] = "unlisten",
  [VT_JSON_CONNECT] = "connect",
  [VT_JSON_DATA] = "data",
  [VT_JSON_CLOSE] = "close",
  [VT_JSON_PING] = "ping",
  [VT_JSON_PONG] = "pong",
};

static gboolean
read_text (VtJsonReader *reader, VtJsonString *string)
{
  if (vt_json_reader_peek (reader) != '"')
    return vt_json_reader_stop (reader, "A value is of a wrong type");
  return vt_json_reader_read_string (reader, string);
}

typedef int (*Compare) (const char *a, const char *b, size_t length);

static gboolean
equals (const VtJsonString *string, const char *name, Compare compare)
{
  g_autoptr(GString) plain = NULL;

  if (!string->escaped)
    return string->length == strlen (name) && compare (string->text, name, string->length) == 0;

  plain = vt_json_string_unescape (string);
  return plain->len == strlen (name) && compare (plain->str, name, plain->len) == 0;
}

static gboolean
read_type (VtJsonReader *reader, VtJsonMessage *message)
{
  VtJsonString name;

  if (!read_text (reader, &name))
    return FALSE;

  message->type = VT_JSON_UNKNOWN;
  for (unsigned int i = 0; i < G_N_ELEMENTS (type_names); i++)
    if (equals (&name, type_names[i], strncmp))
      message->type = (VtJsonType) i;
  return TRUE;
}

static gboolean
read_port (VtJsonReader *reader, VtJsonMessage *message)
{
  guint64 port;

  if (!vt_json_reader_read_integer (reader, G_MAXUINT16, &port))
    return FALSE;

  message->port = (guint16) port;
  return TRUE;
}

static gboolean
read_stream_id (VtJsonReader *reader, VtJsonMessage *message)
{
  guint64 id;

  if (!vt_json_reader_read_integer (reader, G_MAXUINT32, &id))
    return FALSE;

  message->stream_id = (guint32) id;
  return TRUE;
}

/* Line ends can only be there escaped, and are no part of the base64. */
static GBytes *
decode_escaped (const VtJsonString *raw)
{
  g_autoptr(GString) text = vt_json_string_unescape (raw);
  size_t kept = 0;

  for (size_t i = 0; i < text->len; i++)
    if (text->str[i] != '\r' && text->str[i] != '\n')
      text->str[kept++] = text->str[i];
  return vt_base64_decode (text->str, kept);
}

static gboolean
read_data (VtJsonReader *reader, VtJsonMessage *message)
{
  VtJsonString raw;

  if (!read_text (reader, &raw))
    return FALSE;

  g_clear_pointer (&message->data, g_bytes_unref);
  message->data = raw.escaped ? decode_escaped (&raw) : vt_base64_decode (raw.text, raw.length);
  if (message->data == NULL)
    return vt_json_reader_stop (reader, "The data is not base64");

  if (g_bytes_get_size (message->data) == 0)
    g_clear_pointer (&message->data, g_bytes_unref);
  return TRUE;
}

static gboolean
read_error (VtJsonReader *reader, VtJsonMessage *message)
{
  VtJsonString raw;
  g_autoptr(GString) text = NULL;

  if (!read_text (reader, &raw))
    return FALSE;

  text = vt_json_string_unescape (&raw);
  g_clear_pointer (&message->error, g_free);
  if (text->len > 0)
    message->error = g_utf8_make_valid (text->str, (gssize) text->len);
  return TRUE;
}

static gboolean
read_member (VtJsonReader *reader, VtJsonMessage *message)
{
  static const struct {
    const char *name;
    gboolean (*read) (VtJsonReader *reader, VtJsonMessage *message);
  } members[] = {
    { "type", read_type }, { "port", read_port },   { "stream_id", read_stream_id },
    { "data", read_data }, { "error", read_error },
  };
  VtJsonString key;

  if (!vt_json_reader_read_string (reader, &key))
    return FALSE;
  if (!vt_json_reader_take (reader, ':'))
    return vt_json_reader_stop_syntax (reader);
  if (vt_json_reader_peek (reader) == 'n')
    return vt_json_reader_take_word (reader, "null");

  for (unsigned int i = 0; i < G_N_ELEMENTS (members); i++)
    if (equals (&key, members[i].name, g_ascii_strncasecmp))
      return members[i].read (reader, message);
  return vt_json_reader_skip_value (reader, 1, VT_JSON_MAX_DEPTH);
}

static gboolean
read_message (VtJsonReader *reader, VtJsonMessage *message)
{
  if (!vt_json_reader_take (reader, '{'))
    return vt_json_reader_stop (reader, "It is no JSON object");

  if (!vt_json_reader_take (reader, '}'))
    {
      do
        if (!read_member (reader, message))
          return FALSE;
      while (vt_json_reader_take (reader, ','));

      if (!vt_json_reader_take (reader, '}'))
        return vt_json_reader_stop_syntax (reader);
    }

  vt_json_reader_peek (reader);
  return reader->at == reader->end
         || vt_json_reader_stop (reader, "Something follows the JSON object");
}

gboolean
vt_codec_json_decode (GBytes *message, VtJsonMessage *decoded, GError **error)
{
  size_t size;
  const char *text = g_bytes_get_data (message, &size);
  VtJsonReader reader = { .at = text, .end = text == NULL ? NULL : text + size };

  *decoded = (VtJsonMessage){ 0 };
  if (read_message (&reader, decoded))
    return TRUE;

  vt_json_message_clear (decoded);
  /* Nobody but a log reads this. */
  g_set_error (error, VT_ERROR, VT_ERROR_PROTOCOL, "%s (at byte %zu)", reader.problem,
               (size_t) (reader.at - text));
  return FALSE;
}

void
vt_json_message_clear (VtJsonMessage *self)
{
  g_clear_pointer (&self->data, g_bytes_unref);
  g_clear_pointer (&self->error, g_free);
  *self = (VtJsonMessage){ 0 };
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

static void
append_escaped (GString *text, const char *string)
{
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
}

static char *
append_data (GString *text, size_t length)
{
  size_t at, encoded = vt_base64_encoded_length (length);

  g_string_append (text, ",\"data\":\"");
  at = text->len;
  g_string_set_size (text, at + encoded);
  g_string_append_c (text, '"');
  return text->str + at;
}

static GBytes *
encode (const VtJsonMessage *message, const uint8_t *data, size_t length)
{
  /* Room for the names and numbers, so that a message of data is allocated once. */
  GString *text = g_string_sized_new (vt_base64_encoded_length (length) + 128);

  g_string_append_printf (text, "{\"type\":\"%s\"", type_names[message->type]);
  if (message->port != 0)
    g_string_append_printf (text, ",\"port\":%u", message->port);
  if (message->stream_id != 0)
    g_string_append_printf (text, ",\"stream_id\":%u", message->stream_id);
  if (length > 0)
    vt_base64_encode (data, length, append_data (text, length));
  if (message->error != NULL && *message->error != '\0')
    {
      g_string_append (text, ",\"error\":\"");
      append_escaped (text, message->error);
      g_string_append_c (text, '"');
    }
  g_string_append_c (text, '}');
  return g_string_free_to_bytes (text);
}

GBytes *
vt_codec_json_encode (const VtJsonMessage *message)
{
  size_t length = 0;
  const uint8_t *data = message->data == NULL ? NULL : g_bytes_get_data (message->data, &length);

  return encode (message, data, length);
}

GBytes *
vt_codec_json_encode_data (guint32 stream_id, const uint8_t *data, size_t length)
{
  VtJsonMessage message = { .type = VT_JSON_DATA, .stream_id = stream_id };

  return encode (&message, data, length);
}
