/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vts-tunnel.h"

/* What the files of VtsTunnel share. */
typedef enum {
  VTS_PHASE_IDLE,
  VTS_PHASE_LOOKUP, /* of the token */
  VTS_PHASE_OPEN,   /* the client is not closed */
  VTS_PHASE_CLOSING,
} VtsPhase;

struct _VtsTunnel {
  GObject parent_instance;
  char *id; /* owned */
  VtsLifetime lifetime;
  char *owner;           /* owned, nullable */
  VtsSettings *settings; /* owned */
  VtsVault *vault;       /* owned */
  GPtrArray *forwards;   /* owned, of owned VtForward, in the order of the settings */

  VtsPhase phase;
  GCancellable *lookup; /* owned, NULL unless that is the phase */
  VtClient *client;     /* owned, NULL before it is opened for the first time */
  GPtrArray *closings;  /* owned, of owned GTask that wait for the end of the phase */
  gboolean reopen;      /* once it is closed */
  GError *refused;      /* owned, why it is closed by the tunnel itself, nullable */

  VtsState state;
  GError *error; /* owned, nullable */
  gint64 connected_since;
  gint64 retry_at;   /* as of the client, for which the following is */
  gint64 next_retry; /* of the real-time clock */
  VtsTotals totals; /* of the streams that are closed */
};

/* Emits "changed"; `error`, which is nullable and of any domain, is copied. */
void vts_tunnel_set_state (VtsTunnel *self, VtsState state, const GError *error);
void vts_tunnel_emit_streams_changed (VtsTunnel *self);

/* vts-tunnel-client.c. `token` is nullable. */
void vts_tunnel_start_client (VtsTunnel *self, const char *token);
void vts_tunnel_stop_client (VtsTunnel *self);
void vts_tunnel_drop_client (VtsTunnel *self);
/* The client is closed by itself, for a reason, or the tunnel's wish is done. */
void vts_tunnel_client_ended (VtsTunnel *self, const GError *error);

void vts_tunnel_make_forwards (VtsTunnel *self, const VtsSettings *settings);
