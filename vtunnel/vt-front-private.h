/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <libsoup/soup.h>

#include "vt-access-private.h"
#include "vt-gate-private.h"

/* The server's door: takes HTTP connections on ports of our own or from a SoupServer of the
 * application's, guards them, answers /health, checks upgrade requests, and hands on WebSockets. */
typedef struct _VtFront VtFront;

typedef struct {
  const char        *path;            /* "/" accepts any path */
  const char *const *allowed_origins; /* NULL: no request with an Origin is taken */
  gboolean           allow_anonymous; /* FALSE: only loopback Host, nothing forwarded by a proxy */
  gboolean           asks_who;        /* TRUE: neither of these counts, clients are recognised */
  GTlsCertificate   *tls_certificate; /* NULL: no TLS */
  GTlsDatabase      *client_authorities; /* NULL: no client is asked for a certificate */
  size_t             max_head;        /* bytes of a request's head */
  gint64             request_timeout; /* microseconds for it, and before it for a TLS handshake */
  unsigned int       max_protocol;    /* of what clients offer, what is selected at most */
} VtFrontPolicy;

/* What becomes of a request whose head is there. */
typedef struct {
  unsigned int status; /* SOUP_STATUS_SWITCHING_PROTOCOLS: it may become a WebSocket */
  const char  *text;   /* static: the body of any other answer, one line */
  unsigned int retry_after; /* of 429: seconds */
} VtUpgradeVerdict;

/* Who asks for a WebSocket. */
typedef struct {
  GSocketAddress *address; /* owned: where the client is, as far as that is known */
  GTlsCertificate *certificate; /* owned, nullable: that it has shown, signed by who may */
  VtAccessGrant  *grant;   /* owned, nullable: as whom it was recognised */
  unsigned int    protocol; /* the version that it will speak */
} VtFrontGuest;

typedef struct {
  /* Read anew for each connection and request. */
  void (*get_policy) (VtFrontPolicy *policy, void *user_data);
  /* Fills in the guest, whose address is that of its connection until then. FALSE with a verdict
   * if it may not come in. */
  gboolean (*recognise) (SoupServerMessage *message, VtFrontGuest *guest, VtUpgradeVerdict *verdict,
                         void *user_data);
  /* A WebSocket that passed every check, with the subprotocol that was selected. The callee takes
   * both references. */
  void (*connected) (SoupWebsocketConnection *connection, VtGate *gate, const VtFrontGuest *guest,
                     void *user_data);
  /* NULL: the guest may come. Otherwise its upgrade gets 503 and this line, which is static. */
  const char *(*get_refusal) (const VtFrontGuest *guest, void *user_data);
} VtFrontHandlers;

VtFront *vt_front_new (const VtFrontHandlers *handlers, void *user_data);
void     vt_front_free (VtFront *self);

/* VT_ERROR; PERMISSION_DENIED beyond loopback with neither allow_anonymous nor asks_who. Port 0
 * picks one. */
gboolean vt_front_listen (VtFront *self, const char *address, guint16 port, GError **error);
GArray  *vt_front_get_ports (VtFront *self); /* of guint16, the front's */
/* Upgrade requests for exactly this path are taken; all else stays with the application. */
void     vt_front_attach (VtFront *self, SoupServer *server, const char *path);
/* Closes the ports and what has not become a WebSocket, and leaves the application's servers. It
 * can listen and attach again afterwards. */
void vt_front_stop (VtFront *self);
