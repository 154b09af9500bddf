/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <libsoup/soup.h>

#include "vt-gate-private.h"

/* Opens the client's WebSocket through a SoupSession (its proxies, TLS, cookies, authentication),
 * and lays a gate under it. */
typedef struct {
  SoupSession     *session; /* not owned */
  const char      *uri;     /* not owned */
  const GPtrArray *headers; /* not owned, of name and value in turn */
  const char *const *subprotocols; /* not owned, to offer; nullable */
  GTlsCertificate *certificate; /* not owned, nullable: the client's own */
  const char *const *pins; /* not owned, nullable: of these certificates one has to be shown */
} VtDialRequest;

/* What else is known of a dial that failed, for whoever would try again. */
typedef struct {
  gboolean     hopeless;    /* waiting cannot mend it */
  unsigned int retry_after; /* seconds that the server asks to wait, 3600 at most; 0: none */
} VtDialOutcome;

void vt_dialer_dial_async (const VtDialRequest *request,
                           GCancellable        *cancellable,
                           GAsyncReadyCallback  callback,
                           void                *user_data);
/* TRUE and both out parameters (transfer full), or FALSE with VT_ERROR: NOT_AUTHORISED (401, 403),
 * NOT_A_TUNNEL (no WebSocket there, a redirect), TLS (also one older than 1.2, and another
 * certificate than was pinned), INVALID_ARGUMENT (the URI), TIMED_OUT,
 * FAILED (what else there is, also an answer that another time may be different: 5xx, 408, 425,
 * 429). `outcome` is nullable; it says nothing of a dial that was cancelled. */
gboolean vt_dialer_dial_finish (GAsyncResult             *result,
                                SoupWebsocketConnection **connection,
                                VtGate                  **gate,
                                VtDialOutcome            *outcome,
                                GError                  **error);
