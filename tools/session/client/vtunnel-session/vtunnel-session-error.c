/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vtunnel-session-error.h"

#include <gio/gio.h>

#define NAME(last) BUS_NAME ".Error." last

static const GDBusErrorEntry entries[] = {
  { VTUNNEL_SESSION_ERROR_NO_SUCH_TUNNEL, NAME ("NoSuchTunnel") },
  { VTUNNEL_SESSION_ERROR_NOT_AUTHORISED, NAME ("NotAuthorised") },
  { VTUNNEL_SESSION_ERROR_CONNECTION_FAILED, NAME ("ConnectionFailed") },
  { VTUNNEL_SESSION_ERROR_TLS, NAME ("Tls") },
  { VTUNNEL_SESSION_ERROR_ADDRESS_IN_USE, NAME ("AddressInUse") },
  { VTUNNEL_SESSION_ERROR_PERMISSION_DENIED, NAME ("PermissionDenied") },
  { VTUNNEL_SESSION_ERROR_PROTOCOL, NAME ("Protocol") },
  { VTUNNEL_SESSION_ERROR_SECRETS_UNAVAILABLE, NAME ("SecretsUnavailable") },
  { VTUNNEL_SESSION_ERROR_LIMIT, NAME ("Limit") },
  { VTUNNEL_SESSION_ERROR_INVALID_ARGUMENT, NAME ("InvalidArgument") },
};

GQuark
vtunnel_session_error_quark (void)
{
  static size_t quark = 0;

  g_dbus_error_register_error_domain ("vtunnel-session-error-quark", &quark, entries,
                                      G_N_ELEMENTS (entries));
  return (GQuark) quark;
}

const char *
vtunnel_session_error_get_name (const GError *error)
{
  if (error->domain != VTUNNEL_SESSION_ERROR)
    return NULL;
  for (size_t i = 0; i < G_N_ELEMENTS (entries); i++)
    if (entries[i].error_code == error->code)
      return entries[i].dbus_error_name;
  return NULL;
}

/* GDBus makes an error of the domain only if it knows it before the answer arrives: whoever asks
 * for it when there is an error already would be too late. */
static void register_at_load (void) __attribute__ ((constructor));

static void
register_at_load (void)
{
  vtunnel_session_error_quark ();
}
