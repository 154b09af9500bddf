/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <vtunnel-session/vtunnel-session-extern.h>

G_BEGIN_DECLS

/* What the session service answers with, and what it says of a tunnel in LastError. On the bus each
 * has a name, io.github.vtunnel.Vtunnel1.Error.NoSuchTunnel and so on. */
typedef enum {
  VTUNNEL_SESSION_ERROR_NO_SUCH_TUNNEL,
  VTUNNEL_SESSION_ERROR_NOT_AUTHORISED,
  VTUNNEL_SESSION_ERROR_CONNECTION_FAILED,
  VTUNNEL_SESSION_ERROR_TLS,
  VTUNNEL_SESSION_ERROR_ADDRESS_IN_USE,
  VTUNNEL_SESSION_ERROR_PERMISSION_DENIED,
  VTUNNEL_SESSION_ERROR_PROTOCOL,
  VTUNNEL_SESSION_ERROR_SECRETS_UNAVAILABLE,
  VTUNNEL_SESSION_ERROR_LIMIT,
  VTUNNEL_SESSION_ERROR_INVALID_ARGUMENT,
} VtunnelSessionError;

/* The domain is registered with GDBus when the library is loaded, so that already the first answer
 * of a proxy is of it. */
#define VTUNNEL_SESSION_ERROR vtunnel_session_error_quark ()
VTUNNEL_SESSION_EXTERN
GQuark vtunnel_session_error_quark (void);

/* The name that an error of the domain has on the bus: a static text, or NULL for another domain or
 * code. */
VTUNNEL_SESSION_EXTERN
const char *vtunnel_session_error_get_name (const GError *error);

G_END_DECLS
