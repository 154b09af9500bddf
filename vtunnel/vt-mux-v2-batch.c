/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-mux-v2-private.h"

#include "vt-error.h"

/* Frames are written where they will leave from: a batch, which goes out as one message at the end
 * of the dispatch, or when it is full. */

/* Bytes of a batch: more makes no message cheaper, and small requests wait behind it. */
#define BATCH_SIZE (2 * (VT_BINARY_HEADER + VT_CONTROL_OUR_FRAME))

/* A place for data that is smaller is not worth a frame of its own: the batch leaves first. */
#define PLACE_MIN (16 * 1024)

/* The message. A large one takes the buffer along, a small one is copied: then the buffer, of which
 * it needed the first pages only, serves again. */
static GBytes *
take_batch (VtMuxV2 *self)
{
  size_t used = self->batch_used;

  self->batch_used = 0;
  self->mux->batched = 0;
  self->batch_number++;
  if (used < self->batch_size / 2)
    return g_bytes_new (self->batch, used);
  return g_bytes_new_take (g_steal_pointer (&self->batch), used);
}

void
vt_mux_v2_batch_flush (VtMuxV2 *self)
{
  vt_timer_stop (self->flush_timer);
  if (self->batch_used == 0)
    return;
  vt_mux_send (self->mux, take_batch (self), FALSE, TRUE);
  /* Who was refused a turn because of what stood in the batch, may have it now. */
  vt_mux_serve_soon (self->mux);
}

static void
flush_cb (void *user_data)
{
  vt_mux_v2_batch_flush (user_data);
}

void
vt_mux_v2_batch_init (VtMuxV2 *self)
{
  /* What everybody takes, until it is known what the other side does. */
  self->batch_size = VT_CONTROL_MIN_MESSAGE;
  self->batch_number = 1;
  self->flush_timer = vt_timer_new (self->mux->clock, "mux batch", flush_cb, self);
}

void
vt_mux_v2_batch_clear (VtMuxV2 *self)
{
  vt_timer_free (self->flush_timer);
  g_free (self->batch);
}

void
vt_mux_v2_batch_set_max (VtMuxV2 *self, size_t max_message)
{
  vt_mux_v2_batch_flush (self);
  g_clear_pointer (&self->batch, g_free);
  self->batch_size = MIN (BATCH_SIZE, max_message);
}

/* A place of at least so many bytes. */
static uint8_t *
reserve (VtMuxV2 *self, size_t length)
{
  if (self->batch_size - self->batch_used < length)
    vt_mux_v2_batch_flush (self);
  if (self->batch == NULL)
    self->batch = g_malloc (self->batch_size);
  return self->batch + self->batch_used;
}

static void
commit (VtMuxV2 *self, size_t length)
{
  self->batch_used += length;
  self->mux->batched = self->batch_used;
  if (!vt_timer_is_running (self->flush_timer))
    vt_timer_start_soon (self->flush_timer);
}

void
vt_mux_v2_put_open (VtMuxV2 *self,
                    guint32 stream,
                    guint32 listen_id,
                    const VtBinaryAddress *user,
                    const VtBinaryAddress *local)
{
  uint8_t *place = reserve (self, VT_BINARY_MAX_OPEN);

  commit (self, vt_codec_binary_write_open (place, stream, listen_id, user, local));
}

void
vt_mux_v2_put_bare (VtMuxV2 *self, VtBinaryType type, guint32 stream)
{
  uint8_t *place = reserve (self, VT_BINARY_HEADER);

  commit (self, vt_codec_binary_write_bare (place, type, stream));
}

void
vt_mux_v2_put_reset (VtMuxV2 *self, guint32 stream, const GError *error)
{
  uint8_t *place = reserve (self, VT_BINARY_MAX_RESET);
  int code = VT_ERROR_CANCELLED;

  if (error != NULL)
    code = error->domain == VT_ERROR ? error->code : VT_ERROR_FAILED;
  commit (self,
          vt_codec_binary_write_reset (place, stream, code, error != NULL ? error->message : NULL));
}

void
vt_mux_v2_put_credit (VtMuxV2 *self, VtMuxStream *stream, guint64 limit)
{
  uint8_t *place;

  if (stream->credit_batch == self->batch_number)
    {
      vt_codec_binary_write_credit (self->batch + stream->credit_at, stream->id, limit);
      return;
    }
  place = reserve (self, VT_BINARY_CREDIT_SIZE);
  stream->credit_batch = self->batch_number;
  stream->credit_at = (guint32) self->batch_used;
  commit (self, vt_codec_binary_write_credit (place, stream->id, limit));
}

uint8_t *
vt_mux_v2_begin_data (VtMuxV2 *self, size_t wanted, size_t *space)
{
  uint8_t *place = reserve (self, VT_BINARY_HEADER + MIN (wanted, PLACE_MIN));

  *space = MIN (wanted, self->batch_size - self->batch_used - VT_BINARY_HEADER);
  return place + VT_BINARY_HEADER;
}

void
vt_mux_v2_end_data (VtMuxV2 *self, guint32 stream, size_t length)
{
  vt_codec_binary_write_data_header (self->batch + self->batch_used, stream, (guint32) length);
  commit (self, VT_BINARY_HEADER + length);
  if (self->batch_size - self->batch_used < VT_BINARY_HEADER + PLACE_MIN)
    vt_mux_v2_batch_flush (self);
}

void
vt_mux_v2_send_control (VtMuxV2 *self, const VtControl *control)
{
  vt_mux_v2_batch_flush (self);
  vt_mux_send (self->mux, vt_codec_control_encode (control), TRUE,
               vt_control_is_counted (control->type));
}
