/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include <vtunnel-session/vtunnel-session.h>

/* Makes a tunnel that lasts as long as this program, and says what becomes of it. */

static void
changed_cb (VtunnelSessionTunnel *tunnel, GParamSpec *pspec, GMainLoop *loop)
{
  const char *state = vtunnel_session_tunnel_get_state (tunnel);
  const char *name = NULL;
  const char *message = NULL;

  g_print ("%s\n", state);
  if (!g_str_equal (state, "failed"))
    return;
  g_variant_get (vtunnel_session_tunnel_get_last_error (tunnel), "(&s&s)", &name, &message);
  g_printerr ("%s: %s\n", name, message);
  g_main_loop_quit (loop);
}

int
main (int argc, char **argv)
{
  g_autoptr(GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  g_autoptr(GError) error = NULL;
  g_autoptr(VtunnelSessionManager) manager = NULL;
  g_autoptr(VtunnelSessionTunnel) tunnel = NULL;
  g_autofree char *path = NULL;

  manager = vtunnel_session_manager_proxy_new_for_bus_sync (
      G_BUS_TYPE_SESSION, G_DBUS_PROXY_FLAGS_NONE, "io.github.vtunnel.Vtunnel1",
      "/io/github/vtunnel/Vtunnel1/Manager", NULL, &error);
  if (manager == NULL)
    g_error ("%s", error->message);

  /* argv: ws://127.0.0.1:3001 localhost:3000 */
  if (!vtunnel_session_manager_call_create_tunnel_sync (
          manager, argv[1], g_variant_new_parsed ("[('0', %s, @a{sv} {})]", argv[2]),
          g_variant_new_parsed ("@a{sv} {}"), G_DBUS_CALL_FLAGS_NONE, -1, &path, NULL, &error))
    {
      if (g_error_matches (error, VTUNNEL_SESSION_ERROR, VTUNNEL_SESSION_ERROR_INVALID_ARGUMENT))
        g_printerr ("That is wrong: %s\n", error->message);
      return 1;
    }
  tunnel =
      vtunnel_session_tunnel_proxy_new_for_bus_sync (G_BUS_TYPE_SESSION, G_DBUS_PROXY_FLAGS_NONE,
                                                     "io.github.vtunnel.Vtunnel1", path, NULL,
                                                     &error);
  if (tunnel == NULL)
    g_error ("%s", error->message);
  g_signal_connect (tunnel, "notify::state", G_CALLBACK (changed_cb), loop);
  vtunnel_session_tunnel_call_open (tunnel, G_DBUS_CALL_FLAGS_NONE, -1, NULL, NULL, NULL);
  g_main_loop_run (loop);
  return 0;
}
