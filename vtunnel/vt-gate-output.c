/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-gate-streams-private.h"

#include <glib/gi18n-lib.h>

#include "vt-frame-cargo-private.h"
#include "vt-frame-load-private.h"
#include "vt-frame-walk-private.h"
#include "vt-ready-set-private.h"
#include "vt-source-private.h"

/* Frames up to this size are gathered, so that those of one dispatch leave together. */
#define GATHER_FRAME (16 * 1024)
#define GATHER_SIZE (64 * 1024)

/* What libsoup's code writes to, one frame at a time. */
struct _VtGateOutput {
  GOutputStream parent_instance;

  /* Both the gate's; NULL when it is closed. */
  VtGate *gate;
  VtGateBase *base;
  VtReadySet ready;
  gboolean blocked;
  /* Owned. Why a flush, of which the writer knew nothing, failed. */
  GError *error;

  /* Bytes are WebSocket frames. */
  gboolean framed;
  /* Over what was accepted, and over what has gone to the base. */
  VtFrameWalk accepted;
  VtFrameWalk passed;
  guint64 n_accepted;
  guint64 data_passed;
  guint64 n_data;
  guint64 n_control;

  /* What stands for empty messages of libsoup's. */
  VtFrameCargo cargo;
  /* Owned. Frames that leave at the end of the dispatch: from begin to end. */
  uint8_t *gathered;
  size_t begin;
  size_t end;
  VtTimer *flush_timer;

  /* One that is too large to be gathered; it comes behind what was. */
  VtFrameLoad load;
};

static void vt_gate_output_pollable_init (GPollableOutputStreamInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (VtGateOutput,
                               vt_gate_output,
                               G_TYPE_OUTPUT_STREAM,
                               G_IMPLEMENT_INTERFACE (G_TYPE_POLLABLE_OUTPUT_STREAM,
                                                      vt_gate_output_pollable_init))

static gboolean
is_ready (void *user_data)
{
  VtGateOutput *self = user_data;

  return self->gate == NULL || !self->blocked;
}

static gssize
would_block (GError **error)
{
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK, "No room to write now");
  return -1;
}

static void
accept (VtGateOutput *self, const uint8_t *data, size_t length)
{
  gboolean began = FALSE;

  while (length > 0)
    {
      size_t n_bytes = vt_frame_walk_step (&self->accepted, data, length, &began);

      if (began && !VT_FRAME_IS_CONTROL (vt_frame_walk_get_opcode (&self->accepted)))
        self->n_accepted++;
      data += n_bytes;
      length -= n_bytes;
    }
}

static void
count (VtGateOutput *self, const uint8_t *data, size_t length)
{
  gboolean began = FALSE;

  while (length > 0)
    {
      size_t n_bytes = vt_frame_walk_step (&self->passed, data, length, &began);

      if (!VT_FRAME_IS_CONTROL (vt_frame_walk_get_opcode (&self->passed)))
        {
          self->data_passed += n_bytes;
          self->n_data += began ? 1 : 0;
        }
      else if (began)
        self->n_control++;
      data += n_bytes;
      length -= n_bytes;
    }
}

static gssize
write_base (VtGateOutput *self, const GOutputVector *vectors, size_t n_vectors, GError **error)
{
  gssize n_bytes = vt_gate_base_write (self->base, vectors, n_vectors, error);
  size_t left = MAX (n_bytes, 0);

  self->blocked = FALSE;
  for (size_t i = 0; i < n_vectors; i++)
    {
      size_t done = MIN (left, vectors[i].size);

      if (self->framed)
        count (self, vectors[i].buffer, done);
      if (done < vectors[i].size)
        self->blocked = TRUE;
      left -= done;
    }
  return n_bytes;
}

static gboolean
has_pending (VtGateOutput *self)
{
  return self->begin < self->end || vt_frame_load_is_pending (&self->load);
}

static void
drop_pending (VtGateOutput *self)
{
  g_clear_pointer (&self->gathered, g_free);
  self->begin = self->end = 0;
  vt_frame_load_clear (&self->load);
}

static void
advance (VtGateOutput *self, size_t length)
{
  size_t gathered = MIN (length, self->end - self->begin);

  self->begin += gathered;
  if (self->begin == self->end)
    {
      g_clear_pointer (&self->gathered, g_free);
      self->begin = self->end = 0;
    }
  vt_frame_load_advance (&self->load, length - gathered);
}

/* FALSE if something is left. */
static gboolean
flush (VtGateOutput *self, GError **error)
{
  g_autoptr(VtGate) gate = g_object_ref (self->gate);
  GOutputVector vectors[1 + VT_FRAME_LOAD_VECTORS];
  size_t n_vectors = 0;
  gssize n_bytes = 0;
  gboolean done = FALSE;

  if (!has_pending (self))
    return TRUE;
  if (self->begin < self->end)
    vectors[n_vectors++] = (GOutputVector){ self->gathered + self->begin, self->end - self->begin };
  n_vectors += vt_frame_load_get_vectors (&self->load, vectors + n_vectors);
  n_bytes = write_base (self, vectors, n_vectors, error);
  if (n_bytes < 0)
    return FALSE;
  advance (self, n_bytes);
  done = !has_pending (self);
  if (!done)
    would_block (error);
  vt_gate_bytes_left (gate);
  return done;
}

/* The next write says so. */
static void
fail (VtGateOutput *self, GError *error)
{
  drop_pending (self);
  self->blocked = FALSE;
  self->error = error;
  vt_ready_set_wake (&self->ready);
}

static gboolean
may_gather (VtGateOutput *self, const uint8_t *data, size_t length)
{
  /* What libsoup does after a close frame relies on its having left. */
  return self->framed && length <= GATHER_FRAME && vt_frame_walk_is_between (&self->accepted)
         && (data[0] & 0x0f) != VT_FRAME_CLOSE;
}

static void
gather (VtGateOutput *self, const uint8_t *data, size_t length)
{
  if (self->gathered == NULL)
    self->gathered = g_malloc (GATHER_SIZE);
  if (self->end == 0)
    vt_timer_start_soon (self->flush_timer);
  memcpy (self->gathered + self->end, data, length);
  self->end += length;
}

static gboolean
is_data_frame (VtGateOutput *self, const uint8_t *data, size_t length)
{
  return self->framed && length > 0 && vt_frame_walk_is_between (&self->accepted)
         && !VT_FRAME_IS_CONTROL (data[0] & 0x0f);
}

/* The frame that stands for this empty one of libsoup's; FALSE if there is none. */
static gboolean
take_load (VtGateOutput *self, const uint8_t *data, size_t length, VtFrameLoad *load)
{
  g_autoptr(GBytes) payload = NULL;

  if (is_data_frame (self, data, length))
    payload = vt_frame_cargo_take (&self->cargo, self->n_accepted + 1);
  if (payload == NULL)
    return FALSE;
  vt_frame_load_init (load, payload, vt_frame_walk_is_masked (data));
  return TRUE;
}

/* Small ones are gathered like those of libsoup's. */
static gboolean
write_load (VtGateOutput *self, VtFrameLoad *load, GError **error)
{
  size_t size = vt_frame_load_get_size (load);
  GOutputVector vectors[VT_FRAME_LOAD_VECTORS];
  size_t n_vectors = 0;
  gboolean done = FALSE;

  if (size > GATHER_FRAME || self->end + size > GATHER_SIZE)
    {
      self->load = *load;
      done = flush (self, error) || g_error_matches (*error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK);
      /* Whoever sent it takes it for gone, and may not come again. */
      if (self->blocked)
        vt_gate_update_interest (self->gate);
      return done;
    }
  n_vectors = vt_frame_load_get_vectors (load, vectors);
  for (size_t i = 0; i < n_vectors; i++)
    gather (self, vectors[i].buffer, vectors[i].size);
  vt_frame_load_clear (load);
  return TRUE;
}

static gssize
vt_gate_output_write_nonblocking (GPollableOutputStream *pollable,
                                  const void *data,
                                  size_t length,
                                  GError **error)
{
  VtGateOutput *self = VT_GATE_OUTPUT (pollable);
  g_autoptr(GError) load_error = NULL;
  VtFrameLoad load;
  gboolean gathers = FALSE;
  gssize n_bytes = 0;

  if (self->error != NULL)
    {
      g_propagate_error (error, g_error_copy (self->error));
      return -1;
    }
  if (self->gate == NULL)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_CLOSED, _ ("The connection is closed"));
      return -1;
    }
  if (self->blocked)
    return would_block (error);

  if (take_load (self, data, length, &load))
    {
      accept (self, data, length);
      if (!write_load (self, &load, &load_error))
        {
          g_propagate_error (error, g_steal_pointer (&load_error));
          return -1;
        }
      return length;
    }

  gathers = length > 0 && may_gather (self, data, length);
  if ((!gathers || self->end + length > GATHER_SIZE) && !flush (self, error))
    return -1;
  if (gathers)
    {
      gather (self, data, length);
      accept (self, data, length);
      return length;
    }

  n_bytes = write_base (self, &(GOutputVector){ data, length }, 1, error);
  if (n_bytes > 0)
    {
      if (self->framed)
        accept (self, data, n_bytes);
      vt_gate_bytes_left (self->gate);
    }
  return n_bytes;
}

/* libsoup ends a chunked HTTP body with a blocking write, in a thread of GIO's. */
static gssize
vt_gate_output_write (GOutputStream *stream,
                      const void *data,
                      size_t length,
                      GCancellable *cancellable,
                      GError **error)
{
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
                       _ ("This stream can only be written without blocking"));
  return -1;
}

static gboolean
vt_gate_output_is_writable (GPollableOutputStream *pollable)
{
  return is_ready (pollable);
}

static GSource *
vt_gate_output_create_source (GPollableOutputStream *pollable, GCancellable *cancellable)
{
  VtGateOutput *self = VT_GATE_OUTPUT (pollable);
  GSource *source = vt_ready_set_create_source (&self->ready, G_OBJECT (self), cancellable);

  g_source_set_priority (source, VT_SOURCE_PRIORITY);
  if (self->gate != NULL)
    vt_gate_update_interest (self->gate);
  return source;
}

static void
vt_gate_output_finalize (GObject *object)
{
  VtGateOutput *self = VT_GATE_OUTPUT (object);

  g_clear_pointer (&self->flush_timer, vt_timer_free);
  drop_pending (self);
  vt_frame_cargo_clear (&self->cargo);
  g_clear_error (&self->error);
  vt_ready_set_clear (&self->ready);
  G_OBJECT_CLASS (vt_gate_output_parent_class)->finalize (object);
}

static void
vt_gate_output_pollable_init (GPollableOutputStreamInterface *iface)
{
  iface->is_writable = vt_gate_output_is_writable;
  iface->create_source = vt_gate_output_create_source;
  iface->write_nonblocking = vt_gate_output_write_nonblocking;
}

static void
vt_gate_output_class_init (VtGateOutputClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = vt_gate_output_finalize;
  G_OUTPUT_STREAM_CLASS (klass)->write_fn = vt_gate_output_write;
}

static void
vt_gate_output_init (VtGateOutput *self)
{
}

static void
flush_cb (void *user_data)
{
  vt_gate_output_flush (user_data);
}

VtGateOutput *
vt_gate_output_new (VtGate *gate, VtGateBase *base, VtClock *clock)
{
  VtGateOutput *self = g_object_new (VT_TYPE_GATE_OUTPUT, NULL);

  self->gate = gate;
  self->base = base;
  vt_ready_set_init (&self->ready, is_ready, self, clock);
  self->flush_timer = vt_timer_new (clock, "gate flush", flush_cb, self);
  return self;
}

void
vt_gate_output_begin_frames (VtGateOutput *self)
{
  self->framed = TRUE;
}

/* What libsoup would make of it, without its copies. After an error, the next write tells it. */
gboolean
vt_gate_output_send (VtGateOutput *self, guint64 number, GBytes *message, gboolean masked)
{
  g_autoptr(GError) error = NULL;
  VtFrameLoad load;

  if (!self->framed || self->error != NULL || self->blocked || number != self->n_accepted + 1
      || !vt_frame_walk_is_between (&self->accepted))
    return FALSE;
  self->n_accepted++;
  vt_frame_load_init (&load, message, masked);
  if (!write_load (self, &load, &error))
    {
      fail (self, g_steal_pointer (&error));
      return FALSE;
    }
  return TRUE;
}

void
vt_gate_output_put_payload (VtGateOutput *self, guint64 number, GBytes *payload)
{
  vt_frame_cargo_put (&self->cargo, number, g_bytes_ref (payload));
}

void
vt_gate_output_tell_writable (VtGateOutput *self)
{
  self->blocked = FALSE;
  vt_gate_output_flush (self);
  vt_ready_set_wake (&self->ready);
  if (self->gate != NULL)
    vt_gate_update_interest (self->gate);
}

gboolean
vt_gate_output_wants (VtGateOutput *self)
{
  return self->blocked && (has_pending (self) || vt_ready_set_is_wanted (&self->ready));
}

void
vt_gate_output_flush (VtGateOutput *self)
{
  g_autoptr(VtGateOutput) alive = g_object_ref (self);
  g_autoptr(GError) error = NULL;

  if (self->gate == NULL || self->blocked || flush (self, &error))
    return;
  if (!g_error_matches (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK))
    fail (self, g_steal_pointer (&error));
  if (self->gate != NULL)
    vt_gate_update_interest (self->gate);
}

guint64
vt_gate_output_get_data_passed (VtGateOutput *self)
{
  return self->data_passed;
}

guint64
vt_gate_output_get_n_data (VtGateOutput *self)
{
  return self->n_data;
}

guint64
vt_gate_output_get_n_control (VtGateOutput *self)
{
  return self->n_control;
}

void
vt_gate_output_shut (VtGateOutput *self)
{
  vt_timer_stop (self->flush_timer);
  self->gate = NULL;
  self->base = NULL;
  drop_pending (self);
  vt_frame_cargo_clear (&self->cargo);
  vt_ready_set_wake (&self->ready);
}
