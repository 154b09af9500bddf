/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <gio/gio.h>

#include "vt-clock-private.h"
#include "vt-frame-guard-private.h"
#include "vt-poller-private.h"

G_BEGIN_DECLS

/* The pollable GIOStream that lies under libsoup's HTTP and WebSocket code. It reads from its base
 * in large pieces, gives the main loop its turn after a budget of time, can be paused, counts what
 * passes, and guards against what hostile peers do (docs/architecture.md). */
#define VT_TYPE_GATE (vt_gate_get_type ())
G_DECLARE_FINAL_TYPE (VtGate, vt_gate, VT, GATE, GIOStream)

typedef struct {
  /* Bytes came from the peer. */
  void (*alive) (void *user_data);
  /* A binary message that came, in the place of libsoup's signal: libsoup has told of all before
   * it, and never hears of this one. NULL if libsoup has to see all. What is carried past libsoup
   * is to be taken (vt_gate_take_payload ()) as for an empty message that libsoup tells of. */
  void (*message) (GBytes *message, void *user_data);
  /* Bytes left towards the peer. May come from within libsoup's write, so do little. */
  void (*drained) (void *user_data);
  /* The peer broke a limit: nothing that it sends is handed on any more. The owner closes. */
  void (*violated) (unsigned int close_code, const char *reason, void *user_data);
} VtGateHandlers;

/* `base` is a GSocketConnection, which is then served by the context's VtPoller, or any other
 * pollable GIOStream (TLS, a stolen SoupIOStream). Uses the thread-default context's poller and
 * clock. */
VtGate *vt_gate_new (GIOStream *base);

/* Bytes that somebody else has read from the base already, which come before all others. At most
 * VT_GATE_MAX_UNREAD, before anything is read and before vt_gate_begin_websocket (). */
#define VT_GATE_MAX_UNREAD (256 * 1024)
void vt_gate_unread (VtGate *self, const void *data, size_t length);

/* Before the upgrade. Hands on at most one request head at a time (up to and including its empty
 * line), so that nothing behind the head gets lost in somebody's buffer when the connection is
 * taken over. A head longer than `max_head` bytes, and a connection that has not been upgraded or
 * closed within `deadline` microseconds, is closed. */
void vt_gate_guard_http (VtGate *self, size_t max_head, gint64 deadline);

/* From here on the bytes are WebSocket frames: ends the HTTP guard. */
void vt_gate_begin_websocket (VtGate               *self,
                              const VtFrameLimits  *limits,
                              const VtGateHandlers *handlers,
                              void                 *user_data);
/* No event is delivered after this. */
void vt_gate_forget_handlers (VtGate *self);

/* Sends the data message of this number, which is the `number`-th from 1, counting those that
 * libsoup was given to send. FALSE if libsoup has to, since it holds what comes before it, or is to
 * hear of an error. */
gboolean vt_gate_send (VtGate *self, guint64 number, GBytes *message, gboolean masked);

/* The payload of a large binary message need not pass libsoup, which would copy it several times
 * and mask it byte by byte. libsoup is given an empty message instead, and the gate puts into its
 * frame what the message says: that of the data message which is the `number`-th that libsoup
 * sends, from 1. In order, and before libsoup writes it. */
void vt_gate_put_payload (VtGate *self, guint64 number, GBytes *payload);
/* The same for what the peer sends (VtFrameLimits.carry_from): what the `number`-th data message
 * that came says; NULL if libsoup has it. A new reference. */
GBytes *vt_gate_take_payload (VtGate *self, guint64 number);

/* While paused, nothing is read from the peer. */
void vt_gate_set_paused (VtGate *self, gboolean paused);

/* Nothing is read from the peer any more, and what was read and not handed on is dropped. Writing
 * goes on. */
void vt_gate_stop_reading (VtGate *self);

/* From now on messages of the peer are dropped as they come, and nobody is told of them; its
 * goodbye still is. */
void vt_gate_drop_messages (VtGate *self);

/* Bytes of whole and partial data frames, headers included, that have passed towards the peer.
 * Control frames, which libsoup sends of its own accord, are not counted. */
guint64 vt_gate_get_data_passed (VtGate *self);

/* How many data frames have begun to pass. */
guint64 vt_gate_get_n_data_passed (VtGate *self);

/* The socket at the bottom of a stream, under TLS and a gate too; NULL if there is none. A new
 * reference. */
GSocket *vt_gate_find_socket (GIOStream *stream);

/* Writes no more, which tells the peer so: what libsoup does by itself only where it knows the
 * socket. Under TLS it does nothing. */
void vt_gate_shutdown_output (VtGate *self);

/* Closes the base at once, whatever is pending; the socket is reset if `reset`. */
void vt_gate_abort (VtGate *self, gboolean reset);

G_END_DECLS
