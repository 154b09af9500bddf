/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <libsoup/soup.h>

#include "vt-access-private.h"
#include "vt-counters-private.h"
#include "vt-gate-private.h"

/* The server's door: takes HTTP connections on ports of our own or from a SoupServer of the
 * application's, guards them, answers /health and what else whoever runs the server asks for,
 * checks upgrade requests, and hands on WebSockets. */
typedef struct _VtFront VtFront;

typedef struct {
  const char        *path;            /* "/" accepts any path */
  const char *const *allowed_origins; /* NULL: no request with an Origin is taken */
  gboolean           allow_anonymous; /* FALSE: only loopback Host, nothing forwarded by a proxy */
  gboolean           asks_who;        /* TRUE: neither of these counts, clients are recognised */
  GTlsCertificate   *tls_certificate; /* NULL: no TLS */
  GTlsDatabase      *client_authorities; /* NULL: no client is asked for a certificate */
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

/* What is there to be seen on the server's own ports, besides /health. */
typedef enum {
  VT_FRONT_PAGE_NONE,
  VT_FRONT_PAGE_READY, /* for everybody, like /health */
  VT_FRONT_PAGE_METRICS,
  VT_FRONT_PAGE_SESSION_METRICS,
  VT_FRONT_PAGE_STATUS,
} VtFrontPage;

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
  /* These two may be NULL: then there are no pages. */
  gboolean (*is_ready) (void *user_data);
  char *(*write_page) (VtFrontPage page, void *user_data); /* gives the caller a new text */
} VtFrontHandlers;

VtFront *vt_front_new (const VtFrontHandlers *handlers, void *user_data);
void     vt_front_free (VtFront *self);

/* Where what happens is counted from now on. */
void vt_front_set_counters (VtFront *self, VtCounters *counters);

/* VT_ERROR; PERMISSION_DENIED beyond loopback with neither allow_anonymous nor asks_who. Port 0
 * picks one. */
gboolean vt_front_listen (VtFront *self, const char *address, guint16 port, GError **error);
/* The same for a socket that somebody else has opened, and that is duplicated; INVALID_ARGUMENT if
 * it is no TCP socket that listens. */
gboolean vt_front_listen_socket (VtFront *self, int fd, GError **error);
GArray  *vt_front_get_ports (VtFront *self); /* of guint16, the front's */
/* A port for the pages alone. On loopback nobody is asked who it is, and there is no TLS; elsewhere
 * it is PERMISSION_DENIED unless `asks_who`. */
gboolean vt_front_listen_status (VtFront *self, const char *address, guint16 port, GError **error);
GArray  *vt_front_get_status_ports (VtFront *self);
/* Upgrade requests for exactly this path are taken; all else stays with the application. */
void     vt_front_attach (VtFront *self, SoupServer *server, const char *path);
/* Closes the ports and what has not become a WebSocket, and leaves the application's servers. It
 * can listen and attach again afterwards. */
void vt_front_stop (VtFront *self);
