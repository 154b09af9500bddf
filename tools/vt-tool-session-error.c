/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-tool-session-error.h"

#include <glib/gi18n.h>
#include <string.h>

#define OF_SERVICE BUS_NAME ".Error."
#define OF_BUS "org.freedesktop.DBus.Error."

/* The formatter takes the quark's name for a subtraction. */
/* clang-format off */
G_DEFINE_QUARK (vt-tool-error-quark, vt_tool_error)
/* clang-format on */

static gboolean
is_of (const char *name, const char *prefix, const char *last)
{
  return g_str_has_prefix (name, prefix) && strcmp (name + strlen (prefix), last) == 0;
}

static VtToolStatus
get_status (const char *error_name)
{
  if (is_of (error_name, OF_SERVICE, "NoSuchTunnel"))
    return VT_TOOL_NO_SUCH_TUNNEL;
  if (is_of (error_name, OF_SERVICE, "NotAuthorised"))
    return VT_TOOL_NOT_AUTHORISED;
  if (is_of (error_name, OF_SERVICE, "InvalidArgument")
      || is_of (error_name, OF_BUS, "InvalidArgs"))
    return VT_TOOL_USAGE;
  return VT_TOOL_FAILED;
}

/* What the bus says of a service that it cannot have started has different names, by who starts
 * it. */
static gboolean
is_about_start (const char *error_name)
{
  return g_str_has_prefix (error_name, OF_BUS "Spawn.")
         || g_str_has_prefix (error_name, "org.freedesktop.systemd1.")
         || is_of (error_name, OF_BUS, "TimedOut");
}

/* A message of our own for what the bus, and not the service, answers; NULL if there is none. */
static char *
explain (const char *error_name, const char *text)
{
  if (is_of (error_name, OF_BUS, "ServiceUnknown") || is_of (error_name, OF_BUS, "NameHasNoOwner"))
    return g_strdup (_ ("The session service vtunnel-session is not installed, or not for this "
                        "session bus"));
  if (is_about_start (error_name))
    return g_strdup_printf (_ ("The session service cannot be started: %s"), text);
  if (is_of (error_name, OF_BUS, "NoReply"))
    return g_strdup (_ ("The session service ended before it answered"));
  if (is_of (error_name, OF_BUS, "Timeout"))
    return g_strdup (_ ("The session service does not answer"));
  if (is_of (error_name, OF_BUS, "UnknownMethod") || is_of (error_name, OF_BUS, "UnknownInterface"))
    return g_strdup_printf (_ ("The session service is of a version that does not know this: %s"),
                            text);
  if (is_of (error_name, OF_BUS, "AccessDenied"))
    return g_strdup_printf (_ ("The session bus does not permit it: %s"), text);
  return NULL;
}

/* GDBus writes the name before the text, and only takes it away from what it knows. */
static char *
get_text (const GError *error)
{
  g_autoptr(GError) copy = g_error_copy (error);

  g_dbus_error_strip_remote_error (copy);
  return g_strdup (copy->message);
}

static GError *
new_without_name (const GError *error)
{
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT))
    return g_error_new_literal (VT_TOOL_ERROR, VT_TOOL_FAILED,
                                _ ("The session service does not answer"));
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CLOSED))
    return g_error_new_literal (VT_TOOL_ERROR, VT_TOOL_FAILED, _ ("The session bus has ended"));
  return g_error_new_literal (VT_TOOL_ERROR, VT_TOOL_FAILED, error->message);
}

GError *
vt_tool_session_error_new_no_such_tunnel (const char *name)
{
  return g_error_new (VT_TOOL_ERROR, VT_TOOL_NO_SUCH_TUNNEL,
                      _ ("There is no tunnel “%s”; “vtunnel-tool list” shows those that there are"),
                      name);
}

GError *
vt_tool_session_error_new (const GError *error, const char *name)
{
  g_autofree char *error_name = g_dbus_error_get_remote_error (error);
  g_autofree char *text = get_text (error);
  g_autofree char *explanation = NULL;

  if (error_name == NULL)
    return new_without_name (error);
  /* The object of a tunnel that was removed meanwhile is not there any more. */
  if (name != NULL
      && (is_of (error_name, OF_SERVICE, "NoSuchTunnel")
          || is_of (error_name, OF_BUS, "UnknownObject")))
    return vt_tool_session_error_new_no_such_tunnel (name);
  explanation = explain (error_name, text);
  return g_error_new_literal (VT_TOOL_ERROR, (int) get_status (error_name),
                              explanation != NULL ? explanation : text);
}

gboolean
vt_tool_session_error_is (const GError *error, const char *last)
{
  g_autofree char *error_name = g_dbus_error_get_remote_error (error);

  return error_name != NULL && is_of (error_name, OF_SERVICE, last);
}

/* A tunnel fails with these when the server refuses all its forwards. */
static gboolean
is_refusal (const char *error_name)
{
  return is_of (error_name, OF_SERVICE, "AddressInUse")
         || is_of (error_name, OF_SERVICE, "PermissionDenied");
}

GError *
vt_tool_session_error_new_for_name (const char *error_name, const char *message)
{
  VtToolStatus status = is_refusal (error_name) ? VT_TOOL_REFUSED : get_status (error_name);

  return g_error_new_literal (VT_TOOL_ERROR, (int) status,
                              message[0] != '\0' ? message : _ ("It failed without a reason"));
}
