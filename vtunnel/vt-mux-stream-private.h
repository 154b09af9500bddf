/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <stdint.h>

#include "vt-mux-private.h"

/* One tunnelled connection inside a VtMux. Reference-counted: the mux holds one reference until the
 * stream is over, its user another. It outlives its mux: then it is closed, with what it received
 * still readable.
 *
 * Sending is by turns. vt_mux_stream_begin_write () gives a place to put bytes, straight into the
 * message that will leave, or NULL when it is not this stream's turn (the link is full, the window
 * is used up, others wait); then `writable` comes once, when it is. */
typedef struct {
  /* Server: the client has accepted, its target answered. v1 has no such message: comes at once. */
  void (*opened) (VtMuxStream *stream, void *user_data);
  /* There is something new to peek at, or the end. */
  void (*readable) (VtMuxStream *stream, void *user_data);
  void (*writable) (VtMuxStream *stream, void *user_data);
  /* The last event: the stream is over in both directions. `error` is NULL if it ended in order.
   * What was received before an orderly end can still be peeked at and consumed. */
  void (*closed) (VtMuxStream *stream, const GError *error, void *user_data);
  /* No event but a question, from within vt_mux_stream_consume () and now and then only: how many
   * of the bytes that were consumed so far have not left for whoever reads them, -1 if that is not
   * known. NULL: it never is. */
  gssize (*get_unsent) (VtMuxStream *stream, void *user_data);
} VtMuxStreamHandlers;

VtMuxStream *vt_mux_stream_ref (VtMuxStream *self);
void         vt_mux_stream_unref (VtMuxStream *self);

/* Whoever sets handlers hears of what is there already (readable, closed) from a later dispatch.
 * NULL handlers: hears no more. */
void vt_mux_stream_set_handlers (VtMuxStream               *self,
                                 const VtMuxStreamHandlers *handlers,
                                 void                      *user_data);

guint32         vt_mux_stream_get_id (VtMuxStream *self);
/* NULL: not known. Newly made where it came over the wire. */
GSocketAddress *vt_mux_stream_dup_user_address (VtMuxStream *self);
/* The address that the user connected to. The same. */
GSocketAddress *vt_mux_stream_dup_local_address (VtMuxStream *self);
guint64         vt_mux_stream_get_bytes_sent (VtMuxStream *self);
guint64         vt_mux_stream_get_bytes_received (VtMuxStream *self);

/* Client: the target answered. Until then nothing can be written. */
void vt_mux_stream_accept (VtMuxStream *self);

/* Bytes that came and were not consumed: the first contiguous piece, valid until consume or the
 * next receive. NULL with length 0: none now. */
const uint8_t *vt_mux_stream_peek (VtMuxStream *self, size_t *length);
void           vt_mux_stream_consume (VtMuxStream *self, size_t length);
/* Consumes all that is there, unseen. */
void           vt_mux_stream_discard (VtMuxStream *self);
/* TRUE when the other side has ended and all that it sent was consumed. */
gboolean vt_mux_stream_at_end (VtMuxStream *self);

/* `*space` is at least 1 when a place is given. Each successful begin is followed by one end before
 * anything else of this mux is called; `length` 0 takes it back. */
uint8_t *vt_mux_stream_begin_write (VtMuxStream *self, size_t *space);
void     vt_mux_stream_end_write (VtMuxStream *self, size_t length);
/* No more turns are wanted until the next begin_write. */
void vt_mux_stream_cancel_write (VtMuxStream *self);

/* TRUE if an end of file can travel alone (v2); in v1 shutdown ends both directions: `closed` comes
 * from a later dispatch, and what was received can still be consumed. */
gboolean vt_mux_stream_can_half_close (VtMuxStream *self);
/* All was written that ever will be. */
void vt_mux_stream_shutdown (VtMuxStream *self);
/* Both directions are over. `error` (of VT_ERROR) says why, to the other side where the protocol
 * can; `closed` comes no more. Nothing happens if the stream is closed. */
void vt_mux_stream_reset (VtMuxStream *self, const GError *error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtMuxStream, vt_mux_stream_unref)
