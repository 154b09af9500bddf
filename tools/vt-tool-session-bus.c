/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-tool-session-bus.h"

#include <glib/gi18n.h>
#include <string.h>

#define DEFAULT_TIMEOUT 25 /* seconds, as GDBus has it */
#define MAX_TIMEOUT 3600

/* A call starts the service, and tells why it cannot; making a proxy does neither. */
#define PROXY_FLAGS G_DBUS_PROXY_FLAGS_DO_NOT_AUTO_START_AT_CONSTRUCTION

void
vt_tool_session_options_clear (VtToolSessionOptions *self)
{
  g_free (self->common.name);
  g_free (self->timeout);
}

GOptionEntry
vt_tool_session_timeout_entry (VtToolSessionOptions *self)
{
  const GOptionEntry entry = {
    "timeout",
    0,
    0,
    G_OPTION_ARG_STRING,
    &self->timeout,
    N_ ("Give up on a silent service (25)"),
    N_ ("SECONDS"),
  };

  return entry;
}

static gboolean
read_timeout (const char *text, int *timeout, GError **error)
{
  guint64 seconds = DEFAULT_TIMEOUT;

  if (text != NULL && !g_ascii_string_to_unsigned (text, 10, 1, MAX_TIMEOUT, &seconds, NULL))
    {
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                   _ ("%s “%s”: a number from %u to %u is needed"), "--timeout", text, 1,
                   MAX_TIMEOUT);
      return FALSE;
    }
  *timeout = (int) seconds * 1000;
  return TRUE;
}

/* Takes the error of a call, and gives that of the command. */
static void
translate (GError **error, const char *name, GError *failure)
{
  g_propagate_error (error, vt_tool_session_error_new (failure, name));
  g_error_free (failure);
}

gboolean
vt_tool_session_open (VtToolSession *self, const VtToolSessionOptions *options, GError **error)
{
  GError *failure = NULL;

  if (!read_timeout (options->timeout, &self->timeout, error))
    return FALSE;
  self->bus = g_bus_get_sync (G_BUS_TYPE_SESSION, NULL, &failure);
  if (self->bus == NULL)
    {
      g_set_error (error, VT_TOOL_ERROR, VT_TOOL_FAILED, _ ("There is no session bus: %s"),
                   failure->message);
      g_error_free (failure);
      return FALSE;
    }
  g_dbus_connection_set_exit_on_close (self->bus, FALSE);
  self->manager =
      vtunnel_session_manager_proxy_new_sync (self->bus,
                                              PROXY_FLAGS
                                                  | G_DBUS_PROXY_FLAGS_DO_NOT_LOAD_PROPERTIES
                                                  | G_DBUS_PROXY_FLAGS_DO_NOT_CONNECT_SIGNALS,
                                              BUS_NAME, VT_TOOL_SESSION_MANAGER, NULL, &failure);
  if (self->manager == NULL)
    {
      translate (error, NULL, failure);
      return FALSE;
    }
  g_dbus_proxy_set_default_timeout (G_DBUS_PROXY (self->manager), self->timeout);
  return TRUE;
}

void
vt_tool_session_clear (VtToolSession *self)
{
  g_clear_object (&self->manager);
  g_clear_object (&self->bus);
}

VtunnelSessionTunnel *
vt_tool_session_get (VtToolSession *self, const char *path, gboolean watch, GError **error)
{
  GDBusProxyFlags flags =
      watch ? G_DBUS_PROXY_FLAGS_NONE
            : G_DBUS_PROXY_FLAGS_DO_NOT_LOAD_PROPERTIES | G_DBUS_PROXY_FLAGS_DO_NOT_CONNECT_SIGNALS;
  GError *failure = NULL;
  VtunnelSessionTunnel *tunnel =
      vtunnel_session_tunnel_proxy_new_sync (self->bus, PROXY_FLAGS | flags, BUS_NAME, path, NULL,
                                             &failure);

  if (tunnel != NULL)
    g_dbus_proxy_set_default_timeout (G_DBUS_PROXY (tunnel), self->timeout);
  else
    translate (error, NULL, failure);
  return tunnel;
}

/* FindTunnel finds no tunnel by a name that several have: that is worth another word. */
static gboolean
is_ambiguous (VtToolSession *self, const char *name)
{
  g_autoptr(GPtrArray) tunnels = vt_tool_session_list (self, NULL);
  unsigned int n = 0;

  for (unsigned int i = 0; tunnels != NULL && i < tunnels->len; i++)
    {
      const VtToolTunnel *tunnel = tunnels->pdata[i];

      n += strcmp (tunnel->name, name) == 0;
    }
  return n > 1;
}

VtunnelSessionTunnel *
vt_tool_session_find (VtToolSession *self, const char *name, gboolean watch, GError **error)
{
  g_autoptr(GError) reason = NULL;
  g_autofree char *path = NULL;
  GError *failure = NULL;

  if (vtunnel_session_manager_call_find_tunnel_sync (self->manager, name, G_DBUS_CALL_FLAGS_NONE,
                                                     -1, &path, NULL, &failure))
    return vt_tool_session_get (self, path, watch, error);
  reason = vt_tool_session_error_new (failure, name);
  g_error_free (failure);
  if (reason->code == VT_TOOL_NO_SUCH_TUNNEL && is_ambiguous (self, name))
    g_set_error (error, VT_TOOL_ERROR, VT_TOOL_NO_SUCH_TUNNEL,
                 _ ("Several tunnels are called “%s”: name one by its id, which "
                    "“vtunnel-tool list --json” tells"),
                 name);
  else
    g_propagate_error (error, g_steal_pointer (&reason));
  return NULL;
}

/* One answer from one call that starts the service: with a GDBusObjectManagerClient, one that
 * cannot be started would look like one without tunnels. */
GPtrArray *
vt_tool_session_list (VtToolSession *self, GError **error)
{
  g_autoptr(GPtrArray) tunnels = NULL;
  g_autoptr(GVariant) answer = NULL;
  g_autoptr(GVariantIter) objects = NULL;
  GError *failure = NULL;
  const char *path = NULL;
  GVariant *interfaces = NULL;

  answer = g_dbus_connection_call_sync (self->bus, BUS_NAME, OBJECT_PATH,
                                        "org.freedesktop.DBus.ObjectManager", "GetManagedObjects",
                                        NULL, G_VARIANT_TYPE ("(a{oa{sa{sv}}})"),
                                        G_DBUS_CALL_FLAGS_NONE, self->timeout, NULL, &failure);
  if (answer == NULL)
    {
      translate (error, NULL, failure);
      return NULL;
    }
  tunnels = g_ptr_array_new_with_free_func ((GDestroyNotify) vt_tool_tunnel_free);
  g_variant_get (answer, "(a{oa{sa{sv}}})", &objects);
  while (g_variant_iter_loop (objects, "{&o@a{sa{sv}}}", &path, &interfaces))
    {
      g_autoptr(GVariant) properties =
          g_variant_lookup_value (interfaces, VT_TOOL_SESSION_TUNNEL_INTERFACE,
                                  G_VARIANT_TYPE_VARDICT);
      VtToolTunnel *tunnel = NULL;

      if (properties == NULL)
        continue;
      tunnel = vt_tool_tunnel_new (path);
      vt_tool_tunnel_set_properties (tunnel, properties);
      g_ptr_array_add (tunnels, tunnel);
    }
  g_ptr_array_sort (tunnels, vt_tool_tunnel_compare);
  return g_steal_pointer (&tunnels);
}
