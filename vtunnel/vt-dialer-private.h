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
} VtDialRequest;

void vt_dialer_dial_async (const VtDialRequest *request,
                           GCancellable        *cancellable,
                           GAsyncReadyCallback  callback,
                           void                *user_data);
/* TRUE and both out parameters (transfer full), or FALSE with VT_ERROR: NOT_AUTHORISED (401, 403),
 * NOT_A_TUNNEL (no WebSocket there, a redirect), TLS, INVALID_ARGUMENT (the URI), TIMED_OUT,
 * FAILED. */
gboolean vt_dialer_dial_finish (GAsyncResult             *result,
                                SoupWebsocketConnection **connection,
                                VtGate                  **gate,
                                GError                  **error);
