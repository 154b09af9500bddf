/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-error-private.h"

/**
 * VtError:
 * @VT_ERROR_FAILED: something went wrong that no other code says better
 * @VT_ERROR_PROTOCOL: the peer broke the rules of the protocol
 * @VT_ERROR_ADDRESS_IN_USE: the port is taken already
 * @VT_ERROR_PERMISSION_DENIED: the peer, its policy or the system does not permit it
 * @VT_ERROR_INVALID_ARGUMENT: what was asked for makes no sense, or not on this machine
 * @VT_ERROR_LIMIT: a limit is reached; later it may work
 * @VT_ERROR_TARGET_UNREACHABLE: the target of a forward cannot be reached
 * @VT_ERROR_TARGET_REFUSED: the target of a forward refused the connection
 * @VT_ERROR_CANCELLED: it was cancelled, or the one it was for is gone
 * @VT_ERROR_TIMED_OUT: there was no answer in time
 * @VT_ERROR_SHUTTING_DOWN: the peer, or this side, is ending its work
 * @VT_ERROR_NOT_RESUMED: the tunnel is back, but the server no longer knew the session
 * @VT_ERROR_NOT_AUTHORISED: the server does not accept who is asking
 * @VT_ERROR_NOT_A_TUNNEL: something answers at the address, but no tunnel server
 * @VT_ERROR_TLS: no secure connection could be made, or the certificate is not trusted
 *
 * What can go wrong in a tunnel.
 *
 * More codes may be added; treat one that you do not know as %VT_ERROR_FAILED.
 *
 * Since: 1.0
 */

/**
 * VT_ERROR:
 *
 * The error domain of the library. Its codes are of [error@Vt.Error].
 *
 * Since: 1.0
 */

/**
 * vt_error_quark:
 *
 * Gets the error domain of the library.
 *
 * Returns: the quark of [error@Vt.Error]
 *
 * Since: 1.0
 */
/* The formatter takes the quark's name for a subtraction. */
/* clang-format off */
G_DEFINE_QUARK (vt-error-quark, vt_error)
/* clang-format on */

static const char *const words[] = {
  [VT_ERROR_FAILED] = "failed",
  [VT_ERROR_PROTOCOL] = "protocol",
  [VT_ERROR_ADDRESS_IN_USE] = "address-in-use",
  [VT_ERROR_PERMISSION_DENIED] = "permission-denied",
  [VT_ERROR_INVALID_ARGUMENT] = "invalid",
  [VT_ERROR_LIMIT] = "limit",
  [VT_ERROR_TARGET_UNREACHABLE] = "target-unreachable",
  [VT_ERROR_TARGET_REFUSED] = "target-refused",
  [VT_ERROR_CANCELLED] = "cancelled",
  [VT_ERROR_TIMED_OUT] = "timed-out",
  [VT_ERROR_SHUTTING_DOWN] = "shutting-down",
  [VT_ERROR_NOT_RESUMED] = "not-resumed",
  [VT_ERROR_NOT_AUTHORISED] = "not-authorised",
  [VT_ERROR_NOT_A_TUNNEL] = "not-a-tunnel",
  [VT_ERROR_TLS] = "tls",
};

const char *
vt_error_code_to_word (int code)
{
  if (code < 0 || code >= (int) G_N_ELEMENTS (words))
    return words[VT_ERROR_FAILED];
  return words[code];
}

gboolean
vt_error_code_from_word (const char *word, int *code)
{
  for (size_t i = 0; i < G_N_ELEMENTS (words); i++)
    {
      if (g_strcmp0 (word, words[i]) != 0)
        continue;
      *code = (int) i;
      return TRUE;
    }
  return FALSE;
}

static VtError
code_of_io_error (int code, VtError fallback)
{
  switch (code)
    {
    case G_IO_ERROR_ADDRESS_IN_USE:
      return VT_ERROR_ADDRESS_IN_USE;
    case G_IO_ERROR_PERMISSION_DENIED:
      return VT_ERROR_PERMISSION_DENIED;
    case G_IO_ERROR_INVALID_ARGUMENT:
    case G_IO_ERROR_INVALID_FILENAME:
      return VT_ERROR_INVALID_ARGUMENT;
    case G_IO_ERROR_TOO_MANY_OPEN_FILES:
      return VT_ERROR_LIMIT;
    case G_IO_ERROR_CANCELLED:
      return VT_ERROR_CANCELLED;
    case G_IO_ERROR_TIMED_OUT:
      return VT_ERROR_TIMED_OUT;
    default:
      return fallback;
    }
}

GError *
vt_error_from_platform (const GError *error, VtError fallback)
{
  VtError code = fallback;

  if (error->domain == VT_ERROR)
    return g_error_copy (error);
  if (error->domain == G_IO_ERROR)
    code = code_of_io_error (error->code, fallback);
  else if (error->domain == G_TLS_ERROR)
    code = VT_ERROR_TLS;
  return g_error_new_literal (VT_ERROR, (int) code, error->message);
}

gboolean
vt_error_is_same (const GError *error, const GError *other)
{
  if (error == NULL || other == NULL)
    return error == other;
  return g_error_matches (error, other->domain, other->code)
         && g_str_equal (error->message, other->message);
}
