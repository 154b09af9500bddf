/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vts-error.h"

#include <vtunnel/vtunnel.h>

/* The words of docs/protocol.md, once more. */
static const VtunnelSessionError table[] = {
  [VT_ERROR_FAILED] = VTUNNEL_SESSION_ERROR_CONNECTION_FAILED,
  [VT_ERROR_PROTOCOL] = VTUNNEL_SESSION_ERROR_PROTOCOL,
  [VT_ERROR_ADDRESS_IN_USE] = VTUNNEL_SESSION_ERROR_ADDRESS_IN_USE,
  [VT_ERROR_PERMISSION_DENIED] = VTUNNEL_SESSION_ERROR_PERMISSION_DENIED,
  [VT_ERROR_INVALID_ARGUMENT] = VTUNNEL_SESSION_ERROR_INVALID_ARGUMENT,
  [VT_ERROR_LIMIT] = VTUNNEL_SESSION_ERROR_LIMIT,
  [VT_ERROR_TARGET_UNREACHABLE] = VTUNNEL_SESSION_ERROR_CONNECTION_FAILED,
  [VT_ERROR_TARGET_REFUSED] = VTUNNEL_SESSION_ERROR_CONNECTION_FAILED,
  [VT_ERROR_CANCELLED] = VTUNNEL_SESSION_ERROR_CONNECTION_FAILED,
  [VT_ERROR_TIMED_OUT] = VTUNNEL_SESSION_ERROR_CONNECTION_FAILED,
  [VT_ERROR_SHUTTING_DOWN] = VTUNNEL_SESSION_ERROR_CONNECTION_FAILED,
  [VT_ERROR_NOT_RESUMED] = VTUNNEL_SESSION_ERROR_CONNECTION_FAILED,
  [VT_ERROR_NOT_AUTHORISED] = VTUNNEL_SESSION_ERROR_NOT_AUTHORISED,
  [VT_ERROR_NOT_A_TUNNEL] = VTUNNEL_SESSION_ERROR_PROTOCOL,
  [VT_ERROR_TLS] = VTUNNEL_SESSION_ERROR_TLS,
};

GError *
vts_error_from (const GError *error)
{
  VtunnelSessionError code = VTUNNEL_SESSION_ERROR_CONNECTION_FAILED;

  if (error->domain == VTUNNEL_SESSION_ERROR)
    return g_error_copy (error);
  if (error->domain == VT_ERROR && error->code >= 0 && error->code < (int) G_N_ELEMENTS (table))
    code = table[error->code];
  return g_error_new_literal (VTUNNEL_SESSION_ERROR, (int) code, error->message);
}

GError *
vts_error_invalid (const char *reason)
{
  return g_error_new_literal (VTUNNEL_SESSION_ERROR, VTUNNEL_SESSION_ERROR_INVALID_ARGUMENT,
                              reason);
}
