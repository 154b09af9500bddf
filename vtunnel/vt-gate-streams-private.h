/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vt-frame-feed-private.h"
#include "vt-gate-base-private.h"
#include "vt-gate-private.h"
#include "vt-head-guard-private.h"

G_BEGIN_DECLS

/* The two halves of a gate. Inside the gate only. They may outlive it; then they are closed. */
#define VT_TYPE_GATE_INPUT (vt_gate_input_get_type ())
G_DECLARE_FINAL_TYPE (VtGateInput, vt_gate_input, VT, GATE_INPUT, GInputStream)

VtGateInput *vt_gate_input_new (VtGate *gate, VtGateBase *base, VtClock *clock);
void         vt_gate_input_unread (VtGateInput *self, const void *data, size_t length);
void         vt_gate_input_guard_head (VtGateInput *self, size_t max_head);
void         vt_gate_input_guard_frames (VtGateInput *self, const VtFrameLimits *limits);
GBytes      *vt_gate_input_take_payload (VtGateInput *self, guint64 number);
void         vt_gate_input_set_paused (VtGateInput *self, gboolean paused);
void         vt_gate_input_stop (VtGateInput *self);
void         vt_gate_input_drop_messages (VtGateInput *self);
/* The base has something to read, or an end. */
void vt_gate_input_tell_readable (VtGateInput *self);
/* Bytes left towards the peer: a request was answered, or a ping. */
void     vt_gate_input_tell_answered (VtGateInput *self);
gboolean vt_gate_input_wants (VtGateInput *self);
guint64  vt_gate_input_get_n_pings (VtGateInput *self);
void     vt_gate_input_shut (VtGateInput *self);

#define VT_TYPE_GATE_OUTPUT (vt_gate_output_get_type ())
G_DECLARE_FINAL_TYPE (VtGateOutput, vt_gate_output, VT, GATE_OUTPUT, GOutputStream)

VtGateOutput *vt_gate_output_new (VtGate *gate, VtGateBase *base, VtClock *clock);
void          vt_gate_output_begin_frames (VtGateOutput *self);
gboolean      vt_gate_output_send (VtGateOutput *self,
                                   guint64       number,
                                   GBytes       *message,
                                   gboolean      masked);
void          vt_gate_output_put_payload (VtGateOutput *self, guint64 number, GBytes *payload);
void          vt_gate_output_tell_writable (VtGateOutput *self);
gboolean      vt_gate_output_wants (VtGateOutput *self);
/* Writes what was gathered, as far as the base takes it. */
void    vt_gate_output_flush (VtGateOutput *self);
guint64 vt_gate_output_get_data_passed (VtGateOutput *self);
guint64 vt_gate_output_get_n_data (VtGateOutput *self);
guint64 vt_gate_output_get_n_control (VtGateOutput *self);
void    vt_gate_output_shut (VtGateOutput *self);

/* What the halves ask of the gate, or tell it. */
void     vt_gate_update_interest (VtGate *self);
gboolean vt_gate_owes_pongs (VtGate *self);
void     vt_gate_bytes_came (VtGate *self);
void     vt_gate_bytes_left (VtGate *self);
/* Messages need not pass libsoup; one that does not. */
gboolean vt_gate_takes_messages (VtGate *self);
void     vt_gate_message_came (VtGate *self, GBytes *message);
/* A code of a WebSocket's close frame, for the gate's owner. Before there is a WebSocket: 0 to cut
 * the connection, VT_GATE_BAD_REQUEST to tell the peer why first. `reason` is static. */
#define VT_GATE_BAD_REQUEST 400
void vt_gate_refuse (VtGate *self, unsigned int code, const char *reason);

G_END_DECLS
