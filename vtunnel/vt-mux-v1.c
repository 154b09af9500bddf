/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-mux-v1-private.h"

#include <string.h>

#include "vt-error.h"
#include "vt-text-private.h"

/* One complaint about bad messages in this time, in microseconds: a peer must not fill logs. */
#define COMPLAINT_INTERVAL G_TIME_SPAN_SECOND

/* The first phrase of a code is the one that is written. */
static const struct {
  int code;
  const char *phrase;
} phrases[] = {
  { VT_ERROR_ADDRESS_IN_USE, "address already in use" },
  { VT_ERROR_ADDRESS_IN_USE, "already in use" },
  { VT_ERROR_PERMISSION_DENIED, "permission denied" },
  { VT_ERROR_PERMISSION_DENIED, "not permitted" },
  { VT_ERROR_PERMISSION_DENIED, "not allowed" },
  { VT_ERROR_LIMIT, "too many" },
  { VT_ERROR_LIMIT, "limit" },
};

/* The phrase that comes last counts: it is where programs put the cause, and so appending one
 * always decides. */
int
vt_mux_v1_error_code (const char *text)
{
  g_autofree char *lower = g_ascii_strdown (text, -1);
  const char *last = NULL;
  int code = VT_ERROR_FAILED;

  for (unsigned int i = 0; i < G_N_ELEMENTS (phrases); i++)
    {
      const char *found = g_strrstr (lower, phrases[i].phrase);

      if (found != NULL && (last == NULL || found > last))
        {
          last = found;
          code = phrases[i].code;
        }
    }
  return code;
}

char *
vt_mux_v1_error_to_text (const GError *error)
{
  if (error->domain == VT_ERROR && vt_mux_v1_error_code (error->message) != error->code)
    for (unsigned int i = 0; i < G_N_ELEMENTS (phrases); i++)
      if (phrases[i].code == error->code)
        return g_strdup_printf ("%s (%s)", error->message, phrases[i].phrase);
  return g_strdup (error->message);
}

void
vt_mux_v1_send (VtMux *mux, VtJsonType type, guint16 port, guint32 stream_id)
{
  VtJsonMessage message = { .type = type, .port = port, .stream_id = stream_id };

  vt_mux_send (mux, vt_codec_json_encode (&message), TRUE, FALSE);
}

static void *
v1_create (VtMux *mux)
{
  VtMuxV1 *self = g_new0 (VtMuxV1, 1);

  self->mux = mux;
  self->complained_at = vt_clock_get_time (mux->clock) - COMPLAINT_INTERVAL;
  self->by_port = g_hash_table_new (NULL, NULL);
  if (mux->config.role == VT_MUX_CLIENT)
    vt_mux_v1_client_init (self);
  else
    vt_mux_v1_server_init (self);
  return self;
}

static void
v1_destroy (void *state)
{
  VtMuxV1 *self = state;

  if (self->mux->config.role == VT_MUX_CLIENT)
    vt_mux_v1_client_clear (self);
  g_hash_table_unref (self->by_port);
  g_hash_table_unref (self->listens);
  g_free (self->scratch);
  g_free (self);
}

static void
complain (VtMuxV1 *self, GBytes *bytes, const GError *error)
{
  gint64 now = vt_clock_get_time (self->mux->clock);
  size_t length;
  const char *text = g_bytes_get_data (bytes, &length);
  g_autofree char *escaped = NULL;

  if (now - self->complained_at < COMPLAINT_INTERVAL)
    return;

  self->complained_at = now;
  escaped = vt_text_escape (text, (gssize) length);
  g_message ("Dropped a message that is not of the protocol: %s: %s", error->message, escaped);
}

/* A close ends both directions. Whoever had the stream says it once, and knows the stream no more:
 * so it is the same when it answers one. */
static void
v1_shutdown (VtMuxStream *stream)
{
  vt_mux_v1_send (stream->mux, VT_JSON_CLOSE, 0, stream->id);
  stream->read_ended = TRUE;
  vt_mux_stream_end (stream, NULL);
}

static void
receive_close (VtMuxStream *stream)
{
  vt_mux_v1_send (stream->mux, VT_JSON_CLOSE, 0, stream->id);
  stream->read_ended = TRUE;
  vt_mux_stream_end_for_peer (stream, NULL);
}

/* Of those that are for no stream. */
static gboolean
note_message (VtMux *mux, VtJsonType type)
{
  if (type == VT_JSON_PING)
    return vt_mux_note_ping (mux);
  if (type == VT_JSON_LISTEN || type == VT_JSON_UNLISTEN)
    return vt_mux_note_control (mux);
  return TRUE;
}

static gboolean
v1_receive (VtMux *mux, gboolean text, GBytes *bytes)
{
  VtMuxV1 *self = mux->protocol_state;
  g_auto(VtJsonMessage) message = { 0 };
  g_autoptr(GError) error = NULL;
  VtMuxStream *stream;

  if (!vt_codec_json_decode (bytes, &message, &error))
    {
      complain (self, bytes, error);
      return FALSE;
    }

  stream = vt_mux_find_stream (mux, message.stream_id);
  if (message.type == VT_JSON_DATA && stream != NULL && message.data != NULL)
    vt_mux_stream_push (stream, message.data);
  else if (message.type == VT_JSON_CLOSE && stream != NULL)
    {
      if (vt_mux_note_reset (mux))
        receive_close (stream);
    }
  else if (!note_message (mux, message.type))
    return FALSE;
  else if (mux->config.role == VT_MUX_CLIENT)
    vt_mux_v1_client_receive (self, &message);
  else
    vt_mux_v1_server_receive (self, &message);
  return FALSE;
}

static void
v1_ping (VtMux *mux)
{
  vt_mux_v1_send (mux, VT_JSON_PING, 0, 0);
}

static uint8_t *
v1_begin_write (VtMuxStream *stream, size_t *space)
{
  VtMuxV1 *self = stream->mux->protocol_state;

  /* Not before: it would be most of what a client costs that only comes and goes. */
  if (self->scratch == NULL)
    self->scratch = g_malloc (VT_JSON_MAX_DATA);
  *space = VT_JSON_MAX_DATA;
  return self->scratch;
}

static void
v1_end_write (VtMuxStream *stream, size_t length)
{
  VtMuxV1 *self = stream->mux->protocol_state;

  g_assert (length <= VT_JSON_MAX_DATA);
  vt_mux_send (stream->mux, vt_codec_json_encode_data (stream->id, self->scratch, length), TRUE,
               FALSE);
}

static void
v1_reset (VtMuxStream *stream, const GError *error)
{
  vt_mux_v1_send (stream->mux, VT_JSON_CLOSE, 0, stream->id);
}

const VtMuxProtocol vt_mux_v1 = {
  .half_close = FALSE,
  .create = v1_create,
  .destroy = v1_destroy,
  .receive = v1_receive,
  .ping = v1_ping,
  .listen = vt_mux_v1_client_listen,
  .unlisten = vt_mux_v1_client_unlisten,
  .listen_accept = vt_mux_v1_server_accept,
  .listen_refuse = vt_mux_v1_server_refuse,
  .open_stream = vt_mux_v1_server_open_stream,
  .begin_write = v1_begin_write,
  .end_write = v1_end_write,
  .shutdown = v1_shutdown,
  .reset = v1_reset,
};
