/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <vtunnel/vt-forward.h>

#include "vt-stream-private.h"
#include "vt-trunk-private.h"

/* The client's work on one open tunnel: what it asked for, its streams and the relays that serve
 * them. */
typedef struct _VtClientTunnel VtClientTunnel;

typedef struct {
  /* As in VtTrunkHandlers. */
  void (*ready) (void *user_data);
  /* The server's answer to a listen. A forward with an error is forgotten. The forward's state is
   * the owner's to set. `port` is what was opened. */
  void (*listened) (VtForward *forward, guint16 port, const GError *error, void *user_data);
  /* The server's answer to what vt_client_tunnel_unlisten () gave this number. */
  void (*unlistened) (guint32 id, void *user_data);
  void (*stream_opened) (VtStream *stream, void *user_data);
  void (*stream_closed) (VtStream *stream, const GError *error, void *user_data);
  void (*rtt_measured) (gint64 rtt, void *user_data);
  /* As in VtTrunkHandlers. Streams that ended in order may still be written to their targets. */
  void (*closed) (const GError *error, void *user_data);
  /* The last event, after `closed`: no stream is left. */
  void (*gone) (VtClientTunnel *self, void *user_data);
} VtClientTunnelHandlers;

/* Takes the references of the first two. TLS targets are verified with `trust`, or with what the
 * system trusts if that is NULL. */
VtClientTunnel *vt_client_tunnel_new (SoupWebsocketConnection      *connection,
                                      VtGate                       *gate,
                                      GTlsDatabase                 *trust,
                                      const VtMuxConfig            *config,
                                      const VtClientTunnelHandlers *handlers,
                                      void                         *user_data);
/* Ends at once what is left; no handler is called any more. May be called from within any. */
void vt_client_tunnel_free (VtClientTunnel *self);

/* In order; `closed` comes when it is over. */
void vt_client_tunnel_close (VtClientTunnel *self);

void vt_client_tunnel_listen (VtClientTunnel *self, VtForward *forward);
/* Its streams go on. The number of the answer that is to come, or 0 if there is nothing to wait
 * for: it does not listen, or the server does not answer. */
guint32 vt_client_tunnel_unlisten (VtClientTunnel *self, VtForward *forward);

gboolean vt_client_tunnel_is_ready (VtClientTunnel *self);

unsigned int vt_client_tunnel_get_protocol (VtClientTunnel *self);
/* Microseconds, -1 while unknown. */
gint64 vt_client_tunnel_get_rtt (VtClientTunnel *self);
/* Microseconds, monotonic; 0 once it is closing. */
gint64 vt_client_tunnel_get_last_seen (VtClientTunnel *self);
