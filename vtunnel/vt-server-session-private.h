/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vt-listener-private.h"
#include "vt-session-private.h"
#include "vt-stream-private.h"
#include "vt-trunk-private.h"

/* The server's work for one connected client: its trunk, its ports, its streams and relays. */
typedef struct _VtServerSession VtServerSession;

typedef struct {
  /* As in VtTrunkHandlers. */
  void (*ready) (VtServerSession *session, void *user_data);
  /* Whether this client may have this forward: FALSE with VT_ERROR if not. Asked before a port is
   * opened. */
  gboolean (*authorise) (VtServerSession *session, VtForward *forward, GError **error,
                         void *user_data);
  void (*stream_opened) (VtServerSession *session, VtStream *stream, void *user_data);
  void (*stream_closed) (VtServerSession *session, VtStream *stream, const GError *error,
                         void *user_data);
  /* The last event; the owner frees the session in it or later. */
  void (*closed) (VtServerSession *session, const GError *error, void *user_data);
} VtServerSessionHandlers;

typedef struct {
  const char  *bind_address; /* not owned during the call; "localhost" is both loopbacks */
  unsigned int max_forwards;
  VtMuxConfig  mux;
} VtServerSessionConfig;

/* Takes the references to the connection and to the gate, which may be NULL. */
VtServerSession *vt_server_session_new (SoupWebsocketConnection       *connection,
                                        VtGate                        *gate,
                                        GSocketAddress                *client,
                                        const VtServerSessionConfig   *config,
                                        const VtServerSessionHandlers *handlers,
                                        void                          *user_data);
void       vt_server_session_free (VtServerSession *self);
gboolean   vt_server_session_is_ready (VtServerSession *self);
VtSession *vt_server_session_get_session (VtServerSession *self);
void       vt_server_session_close (VtServerSession *self, unsigned int code, const char *reason);
