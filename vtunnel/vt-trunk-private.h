/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vt-link-private.h"
#include "vt-mux-private.h"

/* A link and a mux, joined: what comes from one goes to the other. In v2 a replay stands between
 * them, and both sides greet each other first. The owner gives the handlers that look upwards and
 * need not know the ones that look down. */
typedef struct _VtTrunk VtTrunk;

/* The WebSocket subprotocol that stands for v2. */
#define VT_TRUNK_V2 "vtunnel.v2"

typedef struct {
  /* The other side speaks the protocol. In v1 there is nothing to wait for: vt_trunk_is_ready () is
   * TRUE from the beginning, and this is not called. */
  void (*ready) (void *user_data);
  /* As in VtMuxHandlers. Those of the other role may be NULL. */
  void (*listen_ok) (guint32 id, const char *address, guint16 port, gboolean confirmed,
                     void *user_data);
  void (*listen_failed) (guint32 id, const GError *error, void *user_data);
  void (*unlisten_done) (guint32 id, void *user_data);
  void (*stream_opened) (VtMuxStream *stream, guint32 listen_id, void *user_data);
  void (*listen_requested) (guint32 id, const VtMuxListen *listen, void *user_data);
  void (*unlistened) (guint32 id, void *user_data);
  void (*rtt_measured) (gint64 rtt, void *user_data);
  void (*going_away) (const char *reason, unsigned int timeout, void *user_data);
  /* The last event: the link is gone, for whatever reason. `error` is NULL after a closing
   * handshake with 1000, whoever began it. Streams were told before. */
  void (*closed) (const GError *error, void *user_data);
} VtTrunkHandlers;

/* Takes both references; see vt_link_new () for `gate`, which may be NULL. `config` says which
 * protocol was negotiated. */
VtTrunk *vt_trunk_new (SoupWebsocketConnection *connection,
                       VtGate                  *gate,
                       const VtMuxConfig       *config,
                       const VtTrunkHandlers   *handlers,
                       void                    *user_data);
/* Ends at once; no handler is called any more. May be called from within any handler. */
void vt_trunk_free (VtTrunk *self);

/* Ends the streams, then a closing handshake; `closed` comes when it is over. */
void vt_trunk_close (VtTrunk *self, unsigned int code, const char *reason);

gboolean vt_trunk_is_ready (VtTrunk *self);

/* Owned by the trunk; NULL once it is closing. A client may listen before the trunk is ready. */
VtMux *vt_trunk_get_mux (VtTrunk *self);
unsigned int vt_trunk_get_protocol (VtTrunk *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtTrunk, vt_trunk_free)
