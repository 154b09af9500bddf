/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include <vtunnel/vtunnel.h>

static void
listening_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr(GError) error = NULL;

  if (vt_client_listen_finish (VT_CLIENT (source), result, &error))
    g_print ("Port %u\n", vt_forward_get_bound_port (user_data));
  else
    g_printerr ("%s\n", error->message);
}

int
main (int argc, char **argv)
{
  g_autoptr(GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  g_autoptr(VtClient) client = vt_client_new (argv[1]);         /* ws://127.0.0.1:3001 */
  g_autoptr(VtTarget) target = vt_target_parse (argv[2], NULL); /* localhost:3000 */
  g_autoptr(VtForward) forward = vt_forward_new (0, target);

  vt_client_listen_async (client, forward, NULL, listening_cb, forward);
  vt_client_open_async (client, NULL, NULL, NULL);
  g_main_loop_run (loop);
  return 0;
}
