/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <stdint.h>

#include <gio/gio.h>

#include "vt-json-guard-private.h"

/* Protocol v1 (docs/protocol.md): one JSON object a message. Pure functions. */
typedef enum {
  VT_JSON_UNKNOWN,
  VT_JSON_LISTEN,
  VT_JSON_LISTEN_OK,
  VT_JSON_LISTEN_ERR,
  VT_JSON_UNLISTEN,
  VT_JSON_CONNECT,
  VT_JSON_DATA,
  VT_JSON_CLOSE,
  VT_JSON_PING,
  VT_JSON_PONG,
} VtJsonType;

typedef struct {
  VtJsonType type;
  guint16    port;
  guint32    stream_id;
  GBytes    *data;  /* owned, the decoded bytes, NULL if there are none */
  char      *error; /* owned, valid UTF-8, NULL if there is none */
} VtJsonMessage;

#define VT_JSON_MAX_DATA (32 * 1024)

/* FALSE with VT_ERROR_PROTOCOL for what is not one JSON object, is nested too deeply, or holds a
 * known key with a value of a wrong type or range, and for the JSON that json-glib cannot be given
 * (vt-json-guard-private.h). Unknown keys and null are ignored, an unknown or missing type gives
 * VT_JSON_UNKNOWN. Of keys that are spelled alike the last one counts. */
gboolean vt_codec_json_decode (GBytes        *message,
                               unsigned int   max_depth,
                               VtJsonMessage *decoded,
                               GError       **error);
void     vt_json_message_clear (VtJsonMessage *self);

/* Byte for byte what the existing programs send: keys in the order type, port, stream_id, data,
 * error; no spaces; each but type left out when zero or empty. */
GBytes *vt_codec_json_encode (const VtJsonMessage *message);
/* The same for VT_JSON_DATA, straight from a buffer. */
GBytes *vt_codec_json_encode_data (guint32 stream_id, const uint8_t *data, size_t length);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (VtJsonMessage, vt_json_message_clear)
