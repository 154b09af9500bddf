/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-mux-v2-private.h"

#include <glib/gi18n-lib.h>

#include "vt-error.h"
#include "vt-text-private.h"

/* Bytes of a stream that one turn sends at most, whatever the other side takes in a frame: while
 * nobody waits, and while others do, who are not to wait long. The second is what a new stream may
 * send at once, so that a wide window is no advantage in the line. */
#define TURN_ALONE VT_CONTROL_OUR_FRAME
#define TURN_SHARED VT_CONTROL_WINDOW

void
vt_mux_v2_fail (VtMuxV2 *self, const char *problem)
{
  vt_mux_fail (self->mux, g_error_new_literal (VT_ERROR, VT_ERROR_PROTOCOL, problem));
}

static void *
v2_create (VtMux *mux)
{
  VtMuxV2 *self = g_new0 (VtMuxV2, 1);

  self->mux = mux;
  self->min_trip = -1;
  vt_mux_config_get_limits (&mux->config, &self->ours);
  if (mux->config.role == VT_MUX_CLIENT)
    vt_mux_v2_client_init (self);
  else
    vt_mux_v2_server_init (self);
  vt_mux_v2_batch_init (self);
  return self;
}

static void
v2_destroy (void *state)
{
  VtMuxV2 *self = state;

  vt_mux_v2_batch_clear (self);
  g_hash_table_unref (self->listens);
  g_free (self);
}

static void
v2_set_peer_limits (VtMux *mux, const VtControlLimits *limits)
{
  VtMuxV2 *self = vt_mux_v2_get (mux);

  self->peer = *limits;
  vt_mux_v2_batch_set_max (self, limits->max_message);
}

static void
v2_ping (VtMux *mux)
{
  const VtControl ping = { .type = VT_CONTROL_PING, .t = mux->timed_ping_sent };

  vt_mux_v2_send_control (vt_mux_v2_get (mux), &ping);
}

/* What the link had room for, and did not get, waits for the next one like all that it has lost: it
 * must not go out past the full queue that the latter may fill. */
static void
v2_suspend (VtMux *mux)
{
  vt_mux_v2_batch_flush (vt_mux_v2_get (mux));
  if (mux->config.role == VT_MUX_CLIENT)
    vt_mux_v2_client_suspend (vt_mux_v2_get (mux));
}

static void
v2_resume (VtMux *mux)
{
  GHashTableIter iter;
  void *stream;

  /* The path may be another one now. */
  vt_mux_v2_get (mux)->min_trip = -1;
  g_hash_table_iter_init (&iter, mux->streams);
  while (g_hash_table_iter_next (&iter, NULL, &stream))
    vt_mux_v2_window_resume (stream);
  if (mux->config.role == VT_MUX_CLIENT)
    vt_mux_v2_client_resume (vt_mux_v2_get (mux));
}

static void
v2_goaway (VtMux *mux, const char *reason, unsigned int timeout)
{
  VtMuxV2 *self = vt_mux_v2_get (mux);
  const VtControl goaway = {
    .type = VT_CONTROL_GOAWAY,
    .reason = (char *) reason,
    .timeout = timeout,
  };

  if (!mux->said_goaway)
    vt_mux_v2_send_control (self, &goaway);
  mux->said_goaway = mux->going_away = TRUE;
}

/* Receiving: control. */

static void
receive_goaway (VtMux *mux, const VtControl *control)
{
  mux->going_away = TRUE;
  if (mux->handlers.going_away != NULL)
    mux->handlers.going_away (control->reason, control->timeout, mux->user_data);
}

static void
handle_control (VtMuxV2 *self, const VtControl *control)
{
  const VtControl pong = { .type = VT_CONTROL_PONG, .t = control->t };

  switch (control->type)
    {
    case VT_CONTROL_PING:
      vt_mux_v2_send_control (self, &pong);
      break;
    case VT_CONTROL_PONG:
      vt_mux_note_timed_pong (self->mux, control->t);
      break;
    case VT_CONTROL_GOAWAY:
      receive_goaway (self->mux, control);
      break;
    case VT_CONTROL_HELLO:
    case VT_CONTROL_WELCOME:
      vt_mux_v2_fail (self, "A greeting in the middle of the session");
      break;
    default:
      if (self->mux->config.role == VT_MUX_CLIENT)
        vt_mux_v2_client_receive (self, control);
      else
        vt_mux_v2_server_receive (self, control);
    }
}

static gboolean
receive_control (VtMuxV2 *self, GBytes *message)
{
  g_auto(VtControl) control = { 0 };
  g_autoptr(GError) error = NULL;

  if (!vt_codec_control_decode (message, self->mux->config.max_json_depth, &control, &error))
    {
      vt_mux_fail (self->mux, g_steal_pointer (&error));
      return FALSE;
    }
  if (control.type == VT_CONTROL_PING ? vt_mux_note_ping (self->mux)
                                      : vt_mux_note_control (self->mux))
    handle_control (self, &control);
  return vt_control_is_counted (control.type);
}

/* Receiving: frames of streams. */

/* TRUE once the other side may send on it: a client that has not answered yet may not. */
static gboolean
may_speak (VtMuxStream *stream)
{
  return stream->mux->config.role == VT_MUX_CLIENT || stream->answered;
}

static void
receive_opened (VtMuxV2 *self, VtMuxStream *stream)
{
  if (self->mux->config.role == VT_MUX_CLIENT || stream->answered)
    vt_mux_v2_fail (self, "OPENED for a stream that needs none");
  else
    vt_mux_stream_note_answered (stream);
}

static void
receive_data (VtMuxV2 *self, VtMuxStream *stream, const VtBinaryFrame *frame)
{
  if (stream->read_ended)
    vt_mux_v2_fail (self, "DATA after EOF");
  else if (!may_speak (stream))
    vt_mux_v2_fail (self, "DATA before OPENED");
  else if (!vt_mux_v2_window_take (stream, frame->length))
    vt_mux_v2_fail (self, "DATA beyond the limit");
  else
    vt_mux_stream_lend (stream, frame->payload, frame->length);
}

/* Both directions have ended, each when its time came; a client that has not answered yet still has
 * to say so. */
static void
end_if_done (VtMuxStream *stream)
{
  if (stream->accepted && stream->read_ended && stream->write_ended)
    vt_mux_stream_end (stream, NULL);
}

static void
receive_eof (VtMuxV2 *self, VtMuxStream *stream)
{
  if (stream->read_ended)
    vt_mux_v2_fail (self, "EOF after EOF");
  else if (!may_speak (stream))
    vt_mux_v2_fail (self, "EOF before OPENED");
  else
    {
      vt_mux_v2_window_close (stream);
      vt_mux_stream_end_reading (stream);
      if (!stream->over)
        end_if_done (stream);
    }
}

static void
receive_reset (VtMuxStream *stream, const VtBinaryFrame *frame)
{
  g_autofree char *reason = NULL;
  g_autofree char *escaped = NULL;
  g_autoptr(GError) error = NULL;
  int code = vt_codec_binary_read_reset (frame, &reason);

  escaped = vt_text_escape (reason, -1);
  error = g_error_new_literal (VT_ERROR, code,
                               *escaped != '\0' ? escaped : _ ("The other side reset the stream"));
  vt_mux_stream_end_for_peer (stream, error);
}

/* It never goes back. */
static void
receive_credit (VtMuxStream *stream, guint64 limit)
{
  if (limit <= stream->send_limit)
    return;
  stream->send_limit = limit;
  vt_mux_stream_allow_writing (stream);
}

static void
handle_stream_frame (VtMuxV2 *self, VtMuxStream *stream, const VtBinaryFrame *frame)
{
  switch (frame->type)
    {
    case VT_BINARY_OPENED:
      receive_opened (self, stream);
      break;
    case VT_BINARY_DATA:
      receive_data (self, stream, frame);
      break;
    case VT_BINARY_EOF:
      receive_eof (self, stream);
      break;
    case VT_BINARY_RESET:
      if (vt_mux_note_reset (self->mux))
        receive_reset (stream, frame);
      break;
    case VT_BINARY_CREDIT:
      receive_credit (stream, vt_codec_binary_read_credit (frame));
      break;
    case VT_BINARY_OPEN:
    case VT_BINARY_ACK:
    default:
      vt_mux_v2_fail (self, "A frame that has no place there");
    }
}

static void
handle_frame (VtMuxV2 *self, const VtBinaryFrame *frame)
{
  g_autoptr(VtMuxStream) stream = NULL;
  VtMuxStream *found;

  if (frame->type == VT_BINARY_OPEN && self->mux->config.role == VT_MUX_CLIENT)
    {
      vt_mux_v2_client_open (self, frame);
      return;
    }
  found = vt_mux_find_stream (self->mux, frame->stream);
  if (found == NULL)
    {
      /* Either it is gone, and this was sent before the other side knew, or it never was. */
      if (frame->stream > self->mux->last_stream_id || frame->type == VT_BINARY_OPEN)
        vt_mux_v2_fail (self, "A frame of a stream that was never opened");
      return;
    }
  stream = vt_mux_stream_ref (found);
  handle_stream_frame (self, stream, frame);
}

static gboolean
receive_frames (VtMuxV2 *self, GBytes *message)
{
  size_t length;
  const uint8_t *at = g_bytes_get_data (message, &length);
  /* Nothing may be added to the NULL that stands for no bytes, be it nothing. */
  const uint8_t *end = length > 0 ? at + length : at;

  if (length == 0)
    vt_mux_v2_fail (self, "A message without a frame");
  while (at < end && self->mux->failure == NULL)
    {
      g_autoptr(GError) error = NULL;
      VtBinaryFrame frame;

      if (vt_codec_binary_next (&at, end, self->ours.max_frame, &frame, &error))
        handle_frame (self, &frame);
      else
        vt_mux_fail (self->mux, g_steal_pointer (&error));
    }
  return self->mux->failure == NULL;
}

static gboolean
v2_receive (VtMux *mux, gboolean text, GBytes *message)
{
  VtMuxV2 *self = vt_mux_v2_get (mux);

  return text ? receive_control (self, message) : receive_frames (self, message);
}

/* Sending. */

static void
v2_added (VtMuxStream *stream)
{
  stream->send_limit = vt_mux_v2_get (stream->mux)->peer.window;
  vt_mux_v2_window_open (stream);
}

static void
v2_accept (VtMuxStream *stream)
{
  VtMuxV2 *self = vt_mux_v2_get (stream->mux);

  vt_mux_v2_put_bare (self, VT_BINARY_OPENED, stream->id);
  if (!stream->write_ended)
    return;
  vt_mux_v2_put_bare (self, VT_BINARY_EOF, stream->id);
  end_if_done (stream);
}

static gboolean
v2_may_write (VtMuxStream *stream)
{
  return stream->bytes_sent < stream->send_limit;
}

static uint8_t *
v2_begin_write (VtMuxStream *stream, size_t *space)
{
  VtMuxV2 *self = vt_mux_v2_get (stream->mux);
  guint64 credit = stream->send_limit - stream->bytes_sent;
  size_t turn = stream->mux->waiting.length > 0 ? TURN_SHARED : TURN_ALONE;
  size_t wanted = MIN (turn, self->peer.max_frame);

  return vt_mux_v2_begin_data (self, MIN (wanted, credit), space);
}

static void
v2_end_write (VtMuxStream *stream, size_t length)
{
  vt_mux_v2_end_data (vt_mux_v2_get (stream->mux), stream->id, length);
}

/* A client that has not answered yet says it with its answer. */
static void
v2_shutdown (VtMuxStream *stream)
{
  if (stream->accepted)
    {
      vt_mux_v2_put_bare (vt_mux_v2_get (stream->mux), VT_BINARY_EOF, stream->id);
      end_if_done (stream);
    }
}

static void
v2_reset (VtMuxStream *stream, const GError *error)
{
  vt_mux_v2_put_reset (vt_mux_v2_get (stream->mux), stream->id, error);
}

const VtMuxProtocol vt_mux_v2 = {
  .half_close = TRUE,
  .windows = TRUE,
  .create = v2_create,
  .destroy = v2_destroy,
  .set_peer_limits = v2_set_peer_limits,
  .receive = v2_receive,
  .ping = v2_ping,
  .suspend = v2_suspend,
  .resume = v2_resume,
  .goaway = v2_goaway,
  .listen = vt_mux_v2_client_listen,
  .unlisten = vt_mux_v2_client_unlisten,
  .listen_accept = vt_mux_v2_server_accept,
  .listen_accept_names = vt_mux_v2_server_accept_names,
  .listen_refuse = vt_mux_v2_server_refuse,
  .open_stream = vt_mux_v2_server_open_stream,
  .has_room = vt_mux_v2_window_has_room,
  .added = v2_added,
  .removed = vt_mux_v2_window_close,
  .consumed = vt_mux_v2_window_consumed,
  .accept = v2_accept,
  .may_write = v2_may_write,
  .begin_write = v2_begin_write,
  .end_write = v2_end_write,
  .shutdown = v2_shutdown,
  .reset = v2_reset,
};
