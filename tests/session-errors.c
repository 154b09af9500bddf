/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

/* A program that uses the client library: what it gets when the service refuses, and what tunnels
 * have failed with, a line each. The arguments are paths: of a tunnel of another program, and of
 * those that have failed. test-session-errors.py runs it. */

#include <vtunnel-session/vtunnel-session.h>

#define NAME "io.github.vtunnel.Vtunnel1"
#define ROOT "/io/github/vtunnel/Vtunnel1"

/* Not one of these mentions the error domain before there is an error. */
static void
show (GError *error)
{
  const char *name = error != NULL ? vtunnel_session_error_get_name (error) : "none";

  g_print ("%s\n", name != NULL ? name : error->message);
  g_clear_error (&error);
}

static VtunnelSessionTunnel *
get_tunnel (const char *path)
{
  return vtunnel_session_tunnel_proxy_new_for_bus_sync (G_BUS_TYPE_SESSION, G_DBUS_PROXY_FLAGS_NONE,
                                                        NAME, path, NULL, NULL);
}

static char *
create (VtunnelSessionManager *manager, const char *forwards, const char *options)
{
  GError *error = NULL;
  char *path = NULL;

  vtunnel_session_manager_call_create_tunnel_sync (manager, "ws://localhost:1/",
                                                   g_variant_new_parsed (forwards),
                                                   g_variant_new_parsed (options),
                                                   G_DBUS_CALL_FLAGS_NONE, -1, &path, NULL, &error);
  if (error != NULL)
    show (error);
  return path;
}

/* As an error of C, and not only as a name. */
static void
show_last_error (const char *path)
{
  g_autoptr(VtunnelSessionTunnel) tunnel = get_tunnel (path);
  const char *name = NULL;
  const char *message = NULL;

  g_variant_get (vtunnel_session_tunnel_get_last_error (tunnel), "(&s&s)", &name, &message);
  show (g_dbus_error_new_for_dbus_error (name, message));
}

int
main (int argc, char **argv)
{
  g_autoptr(VtunnelSessionManager) manager =
      vtunnel_session_manager_proxy_new_for_bus_sync (G_BUS_TYPE_SESSION, G_DBUS_PROXY_FLAGS_NONE,
                                                      NAME, ROOT "/Manager", NULL, NULL);
  g_autoptr(VtunnelSessionTunnel) other = get_tunnel (argv[1]);
  g_autoptr(VtunnelSessionTunnel) own = NULL;
  g_autoptr(GString) many = g_string_new ("[('0', '1', @a{sv} {})");
  g_autofree char *path = NULL;
  GError *error = NULL;

  vtunnel_session_manager_call_find_tunnel_sync (manager, "none", G_DBUS_CALL_FLAGS_NONE, -1, &path,
                                                 NULL, &error);
  show (error);
  error = NULL;
  vtunnel_session_tunnel_call_open_sync (other, G_DBUS_CALL_FLAGS_NONE, -1, NULL, &error);
  show (error);
  create (manager, "@a(ssa{sv}) []", "{'unknown': <1>}");
  for (unsigned int i = 0; i < 64; i++)
    g_string_append (many, ", ('0', '1', {})");
  g_string_append (many, "]");
  create (manager, many->str, "@a{sv} {}");
  create (manager, "@a(ssa{sv}) []", "{'lifetime': <'persistent'>}");
  path = create (manager, "@a(ssa{sv}) []", "@a{sv} {}");
  own = get_tunnel (path);
  error = NULL;
  vtunnel_session_tunnel_call_set_secrets_sync (own, g_variant_new_parsed ("{'token': <'x'>}"),
                                                "keyring", G_DBUS_CALL_FLAGS_NONE, -1, NULL,
                                                &error);
  show (error);
  for (int i = 2; i < argc; i++)
    show_last_error (argv[i]);
  return 0;
}
