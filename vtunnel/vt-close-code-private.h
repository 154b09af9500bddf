/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <glib.h>

/* What the close codes of a WebSocket mean for a tunnel: docs/protocol.md. Pure. */

/* Beside those of RFC 6455. IANA's 1013, Try Again Later, is none that libsoup sends or takes: it
 * makes 1002 of it. */
#define VT_CLOSE_REPLACED 4001  /* a newer link carries the session */
#define VT_CLOSE_TRY_AGAIN 4002 /* too many clients: later there may be fewer */

/* A new error for how a link ended, as its `closed` tells it; NULL if that was in order. */
GError *vt_close_code_to_error (unsigned int code, const char *reason, const GError *error);
/* What the other side is told when this one gives up with an error. */
unsigned int vt_close_code_for_error (const GError *error);
/* Whether a session can go on over another link after this one ended so. */
gboolean vt_close_code_allows_resuming (unsigned int code, const GError *error);
