/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <vtunnel/vt-forward.h>

#include "vt-greeting-private.h"
#include "vt-stream-private.h"
#include "vt-trunk-private.h"

/* The client's work on one session: what it asked for, its streams and the relays that serve them.
 * In v2 it outlives its link. */
typedef struct _VtClientTunnel VtClientTunnel;

typedef struct {
  /* The server's answer to a listen. A forward with an error is forgotten; `retry_after` is the
   * seconds after which the server thinks that asking again could help, or 0. The forward's state
   * is the owner's to set. `port` is what was opened, `url`, nullable, where users find it. */
  void (*listened) (VtForward *forward, guint16 port, const char *url, const GError *error,
                    unsigned int retry_after, void *user_data);
  /* The server's answer to what vt_client_tunnel_unlisten () gave this number. */
  void (*unlistened) (guint32 id, void *user_data);
  void (*stream_opened) (VtStream *stream, void *user_data);
  void (*stream_closed) (VtStream *stream, const GError *error, void *user_data);
  /* As in VtTrunkHandlers. */
  void (*rtt_measured) (gint64 rtt, void *user_data);
  void (*suspended) (const GError *error, void *user_data);
  /* As in VtTrunkHandlers. Streams that ended in order may still be written to their targets. */
  void (*closed) (VtClientTunnel *self, unsigned int code, const GError *error, void *user_data);
  /* The last event, after `closed`: no stream is left. */
  void (*gone) (VtClientTunnel *self, void *user_data);
} VtClientTunnelHandlers;

/* Takes the link, over which the server has sent `welcome` (v1: NULL). TLS targets are verified
 * with `trust`, or with what the system trusts if that is NULL. */
VtClientTunnel *vt_client_tunnel_new (VtLink                       *link,
                                      const VtControl              *welcome,
                                      GTlsDatabase                 *trust,
                                      const VtMuxConfig            *config,
                                      const VtClientTunnelHandlers *handlers,
                                      void                         *user_data);
/* Ends at once what is left; no handler is called any more. May be called from within any. */
void vt_client_tunnel_free (VtClientTunnel *self);

/* In order; `closed` comes when it is over. */
void vt_client_tunnel_close (VtClientTunnel *self);
/* Ends the streams with this error, and the rest without a word to the server; then comes `closed`.
 * Nothing happens if it is closed. All that in a dispatch that comes without delay; or before it
 * returns, which must not be from within an event of this tunnel or its streams. */
void vt_client_tunnel_abandon (VtClientTunnel *self, const GError *error);
void vt_client_tunnel_abandon_now (VtClientTunnel *self, const GError *error);

/* v2, once it is suspended: what the server is to be told in one more attempt to resume. The
 * credentials are the tunnel's. */
void vt_client_tunnel_begin_attempt (VtClientTunnel *self, VtResumption *resumption);
/* Takes the link, over which the server has said that it goes on. FALSE if its greeting does not
 * fit the session: then the server is told, and the tunnel closes with VT_ERROR_PROTOCOL. */
gboolean vt_client_tunnel_resume (VtClientTunnel *self, VtLink *link, const VtControl *welcome);
/* See vt_trunk_probe (). */
void vt_client_tunnel_probe (VtClientTunnel *self, gint64 patience);

/* Asks for a port, which need not be the forward's own; 0 for a forward that has none. */
void vt_client_tunnel_listen (VtClientTunnel *self, VtForward *forward, guint16 port);
/* Its streams go on. The number of the answer that is to come, or 0 if there is nothing to wait
 * for: it does not listen, or the server does not answer. */
guint32 vt_client_tunnel_unlisten (VtClientTunnel *self, VtForward *forward);

/* What TLS targets are verified with, NULL: what the system trusts. */
GTlsDatabase *vt_client_tunnel_get_trust (VtClientTunnel *self);
unsigned int  vt_client_tunnel_get_protocol (VtClientTunnel *self);
/* Microseconds, monotonic; 0 once it is closing. */
gint64 vt_client_tunnel_get_last_seen (VtClientTunnel *self);
