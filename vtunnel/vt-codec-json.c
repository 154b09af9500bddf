/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-codec-json-private.h"

#include <string.h>

#include "vt-base64-private.h"
#include "vt-json-text-private.h"

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
read_type (JsonNode *node, VtJsonMessage *message, GError **error)
{
  const char *name;

  if (!vt_json_text_read_string (node, &name, error))
    return FALSE;

  message->type = VT_JSON_UNKNOWN;
  for (unsigned int i = 0; i < G_N_ELEMENTS (type_names); i++)
    if (g_str_equal (name, type_names[i]))
      message->type = (VtJsonType) i;
  return TRUE;
}

static gboolean
read_port (JsonNode *node, VtJsonMessage *message, GError **error)
{
  gint64 port;

  if (!vt_json_text_read_integer (node, 0, G_MAXUINT16, &port, error))
    return FALSE;

  message->port = (guint16) port;
  return TRUE;
}

static gboolean
read_stream_id (JsonNode *node, VtJsonMessage *message, GError **error)
{
  gint64 id;

  if (!vt_json_text_read_integer (node, 0, G_MAXUINT32, &id, error))
    return FALSE;

  message->stream_id = (guint32) id;
  return TRUE;
}

/* Line ends are no part of the base64. */
static GBytes *
decode_data (const char *text)
{
  g_autofree char *base64 = g_malloc (strlen (text) + 1);
  size_t length = 0;

  for (; *text != '\0'; text++)
    if (*text != '\r' && *text != '\n')
      base64[length++] = *text;
  return vt_base64_decode (base64, length);
}

static gboolean
read_data (JsonNode *node, VtJsonMessage *message, GError **error)
{
  const char *text;

  if (!vt_json_text_read_string (node, &text, error))
    return FALSE;

  g_clear_pointer (&message->data, g_bytes_unref);
  message->data = decode_data (text);
  if (message->data == NULL)
    return vt_json_text_refuse (error, "The data is not base64");

  if (g_bytes_get_size (message->data) == 0)
    g_clear_pointer (&message->data, g_bytes_unref);
  return TRUE;
}

static gboolean
read_error (JsonNode *node, VtJsonMessage *message, GError **error)
{
  const char *text;

  if (!vt_json_text_read_string (node, &text, error))
    return FALSE;

  g_clear_pointer (&message->error, g_free);
  message->error = *text == '\0' ? NULL : g_strdup (text);
  return TRUE;
}

static gboolean
read_member (const char *key, JsonNode *node, VtJsonMessage *message, GError **error)
{
  static const struct {
    const char *name;
    gboolean (*read) (JsonNode *node, VtJsonMessage *message, GError **error);
  } members[] = {
    { "type", read_type }, { "port", read_port },   { "stream_id", read_stream_id },
    { "data", read_data }, { "error", read_error },
  };

  if (JSON_NODE_HOLDS_NULL (node))
    return TRUE;

  for (unsigned int i = 0; i < G_N_ELEMENTS (members); i++)
    if (g_ascii_strcasecmp (key, members[i].name) == 0)
      return members[i].read (node, message, error);
  return TRUE;
}

static gboolean
read_object (JsonObject *object, VtJsonMessage *message, GError **error)
{
  JsonObjectIter iter;
  const char *key;
  JsonNode *node;

  json_object_iter_init_ordered (&iter, object);
  while (json_object_iter_next_ordered (&iter, &key, &node))
    if (!read_member (key, node, message, error))
      return FALSE;
  return TRUE;
}

static gboolean
read_message (const char *text,
              size_t length,
              unsigned int max_depth,
              VtJsonMessage *message,
              GError **error)
{
  g_autoptr(JsonNode) root = vt_json_text_parse (text, length, max_depth, error);

  return root != NULL && read_object (json_node_get_object (root), message, error);
}

static gboolean
take (const char **at, const char *end, const char *expected)
{
  size_t length = strlen (expected);

  if ((size_t) (end - *at) < length || memcmp (*at, expected, length) != 0)
    return FALSE;

  *at += length;
  return TRUE;
}

static gboolean
take_id (const char **at, const char *end, guint32 *id)
{
  const char *start = *at;
  guint64 value = 0;

  for (; *at < end && g_ascii_isdigit (**at) && value <= G_MAXUINT32; (*at)++)
    value = value * 10 + (guint64) (**at - '0');
  *id = (guint32) value;
  return value > 0 && value <= G_MAXUINT32 && *start != '0';
}

/* Data written as everybody writes it, which is nearly all there is to read. FALSE for anything
 * else, be it good or bad: what is base64 to its end has no escape and no quote in it. */
static gboolean
read_plain_data (const char *text, size_t length, VtJsonMessage *message)
{
  const char *end = text + length;
  guint32 id;

  if (!take (&text, end, "{\"type\":\"data\",\"stream_id\":") || !take_id (&text, end, &id)
      || !take (&text, end, ",\"data\":\"") || end - text <= 2 || memcmp (end - 2, "\"}", 2) != 0)
    return FALSE;

  message->data = vt_base64_decode (text, (size_t) (end - 2 - text));
  if (message->data == NULL)
    return FALSE;

  message->type = VT_JSON_DATA;
  message->stream_id = id;
  return TRUE;
}

gboolean
vt_codec_json_decode (GBytes *message,
                      unsigned int max_depth,
                      VtJsonMessage *decoded,
                      GError **error)
{
  size_t length;
  const char *data = g_bytes_get_data (message, &length);
  const char *text = data == NULL ? "" : data;

  *decoded = (VtJsonMessage){ 0 };
  if (read_plain_data (text, length, decoded)
      || read_message (text, length, max_depth, decoded, error))
    return TRUE;

  vt_json_message_clear (decoded);
  return FALSE;
}

void
vt_json_message_clear (VtJsonMessage *self)
{
  g_clear_pointer (&self->data, g_bytes_unref);
  g_clear_pointer (&self->error, g_free);
  *self = (VtJsonMessage){ 0 };
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
      g_string_append (text, ",\"error\":");
      vt_json_text_append_string (text, message->error);
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
