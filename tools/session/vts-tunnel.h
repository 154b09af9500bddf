/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vts-settings.h"
#include "vts-vault.h"

typedef enum {
  VTS_LIFETIME_CALLER,     /* as long as its owner */
  VTS_LIFETIME_SESSION,    /* as long as the process */
  VTS_LIFETIME_PERSISTENT, /* in a file */
} VtsLifetime;

typedef enum {
  VTS_STATE_INACTIVE,
  VTS_STATE_CONNECTING,
  VTS_STATE_CONNECTED,
  VTS_STATE_WAITING, /* for the next attempt */
  VTS_STATE_NEEDS_SECRETS,
  VTS_STATE_FAILED,
} VtsState;

const char *vts_lifetime_to_word (VtsLifetime lifetime);
gboolean    vts_lifetime_from_word (const char *word, VtsLifetime *lifetime);
const char *vts_state_to_word (VtsState state);

/* What all streams carried since the tunnel was made. */
typedef struct {
  guint64 bytes_sent;
  guint64 bytes_received;
  guint64 streams_opened;
} VtsTotals;

/* One tunnel: its settings, the client that is open for it, and what became of it. It is made and
 * changed by a VtsManager, and opened and closed by whoever wants to.
 *
 * Signals: "changed" when anything but its streams has; "streams-changed"; "failed (GError)" when
 * it will not come back by itself. */
#define VTS_TYPE_TUNNEL (vts_tunnel_get_type ())
G_DECLARE_FINAL_TYPE (VtsTunnel, vts_tunnel, VTS, TUNNEL, GObject)

/* `owner` is nullable; it is not NULL for the lifetime of a caller. */
VtsTunnel *vts_tunnel_new (const char        *id,
                           VtsLifetime        lifetime,
                           const char        *owner,
                           const VtsSettings *settings,
                           VtsVault          *vault);

const char        *vts_tunnel_get_id (VtsTunnel *self);
VtsLifetime        vts_tunnel_get_lifetime (VtsTunnel *self);
const char        *vts_tunnel_get_owner (VtsTunnel *self); /* nullable */
const VtsSettings *vts_tunnel_get_settings (VtsTunnel *self);
VtsState           vts_tunnel_get_state (VtsTunnel *self);
/* Of VTUNNEL_SESSION_ERROR; nullable. */
const GError *vts_tunnel_get_error (VtsTunnel *self);
/* Both in microseconds of the real-time clock, or 0. */
gint64 vts_tunnel_get_connected_since (VtsTunnel *self);
gint64 vts_tunnel_get_next_retry (VtsTunnel *self);
/* What to call it before people. */
const char *vts_tunnel_get_title (VtsTunnel *self);

/* The client that was opened last, nullable; and a VtForward for each of the settings. */
VtClient    *vts_tunnel_get_client (VtsTunnel *self);
GPtrArray   *vts_tunnel_get_forwards (VtsTunnel *self);
unsigned int vts_tunnel_get_n_streams (VtsTunnel *self);
void         vts_tunnel_get_totals (VtsTunnel *self, VtsTotals *totals);

/* Begins to open it, if it is not open or being opened; one that waits tries at once. `interactive`
 * as for secrets. */
void vts_tunnel_open (VtsTunnel *self, gboolean interactive);
/* Never fails. Closing and opening in any order is fine: the last word counts. */
void vts_tunnel_close_async (VtsTunnel          *self,
                             GAsyncReadyCallback callback,
                             gpointer            user_data);
void vts_tunnel_close_finish (VtsTunnel *self, GAsyncResult *result);

/* The manager's part. What differs in the forwards is asked for and taken back at once. */
void vts_tunnel_change (VtsTunnel *self, const VtsSettings *settings);
/* Tries again to open a tunnel that needs secrets. */
void vts_tunnel_retry_secrets (VtsTunnel *self);
