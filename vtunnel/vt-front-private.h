/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <libsoup/soup.h>

#include "vt-gate-private.h"

/* The server's door: takes HTTP connections on ports of our own or from a SoupServer of the
 * application's, guards them, answers /health, checks upgrade requests, and hands on WebSockets. */
typedef struct _VtFront VtFront;

typedef struct {
  const char        *path;            /* "/" accepts any path */
  const char *const *allowed_origins; /* NULL: no request with an Origin is taken */
  gboolean           allow_anonymous; /* FALSE: only loopback Host, nothing forwarded by a proxy */
  GTlsCertificate   *tls_certificate; /* NULL: no TLS */
  unsigned int       max_protocol;    /* of what clients offer, what is selected at most */
} VtFrontPolicy;

typedef struct {
  /* Read anew for each connection and request. */
  void (*get_policy) (VtFrontPolicy *policy, void *user_data);
  /* A WebSocket that passed every check, with the subprotocol that was selected. The callee takes
   * both references. */
  void (*connected) (SoupWebsocketConnection *connection, VtGate *gate, GSocketAddress *client,
                     void *user_data);
  /* NULL: a client that speaks this version may come. Otherwise its upgrade gets 503 and this line,
   * which is static. */
  const char *(*get_refusal) (unsigned int protocol, void *user_data);
} VtFrontHandlers;

VtFront *vt_front_new (const VtFrontHandlers *handlers, void *user_data);
void     vt_front_free (VtFront *self);

/* VT_ERROR; PERMISSION_DENIED beyond loopback without allow_anonymous. Port 0 picks one. */
gboolean vt_front_listen (VtFront *self, const char *address, guint16 port, GError **error);
GArray  *vt_front_get_ports (VtFront *self); /* of guint16, the front's */
/* Upgrade requests for exactly this path are taken; all else stays with the application. */
void     vt_front_attach (VtFront *self, SoupServer *server, const char *path);
/* Closes the ports and what has not become a WebSocket, and leaves the application's servers. It
 * can listen and attach again afterwards. */
void vt_front_stop (VtFront *self);
