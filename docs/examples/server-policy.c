/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

/* A server with a policy of its own: server-policy [PORT]
 *
 * A client may have two ports, of 9000 to 9009 or such as the server chooses. */

#include <stdlib.h>
#include <vtunnel/vtunnel.h>

static gboolean
listen_requested_cb (VtServer *server, VtSession *session, VtForward *forward, gpointer user_data)
{
  guint16 port = vt_forward_get_listen_port (forward);
  unsigned int n_forwards = g_list_model_get_n_items (vt_session_get_forwards (session));
  gboolean granted = (port == 0 || (port >= 9000 && port <= 9009)) && n_forwards < 2;

  g_print ("Session %.8s: port %u %s\n", vt_session_get_id (session), port,
           granted ? "granted" : "denied");
  return granted;
}

int
main (int argc, char **argv)
{
  g_autoptr(GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  g_autoptr(VtServer) server = vt_server_new ();
  g_autofree guint16 *ports = NULL;
  g_autoptr(GError) error = NULL;

  vt_server_set_max_sessions (server, 100);
  vt_server_set_max_streams (server, 200);
  g_signal_connect (server, "listen-requested", G_CALLBACK (listen_requested_cb), NULL);
  if (!vt_server_listen (server, "localhost", argc > 1 ? atoi (argv[1]) : 3001, &error))
    {
      g_printerr ("%s\n", error->message);
      return 1;
    }
  ports = vt_server_get_ports (server, NULL);
  g_print ("Port %u\n", ports[0]);
  g_main_loop_run (loop);
  return 0;
}
