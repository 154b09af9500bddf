/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include <vtunnel/vtunnel.h>

#include "raw-peer.h"

static gboolean
is_true (void *user_data)
{
  return *(gboolean *) user_data;
}

static gboolean
has_no_sessions (void *user_data)
{
  return g_list_model_get_n_items (vt_server_get_sessions (user_data)) == 0;
}

static void
cancelled_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr(GError) error = NULL;
  gboolean *cancelled = user_data;

  g_assert_false (vt_server_close_finish (VT_SERVER (source), result, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  *cancelled = TRUE;
}

/* Whoever does not want to wait for a silent client need not; the closing goes on. */
static void
test_close_cancelled (void)
{
  g_autoptr(VtServer) server = vt_server_new ();
  g_autofree guint16 *ports = NULL;
  g_autoptr(GError) error = NULL;
  g_autoptr(GCancellable) cancellable = g_cancellable_new ();
  RawPeer *silent;
  gboolean cancelled = FALSE;

  vt_server_listen (server, "127.0.0.1", 0, &error);
  g_assert_no_error (error);
  ports = vt_server_get_ports (server, NULL);
  silent = raw_peer_new_websocket (ports[0], "/");
  vt_server_close_async (server, cancellable, cancelled_cb, &cancelled);
  g_cancellable_cancel (cancellable);
  raw_wait (is_true, &cancelled);
  g_assert_cmpuint (g_list_model_get_n_items (vt_server_get_sessions (server)), ==, 1);
  g_assert_cmpuint (raw_peer_read_close (silent), ==, 1001);
  raw_peer_free (silent);
  raw_wait (has_no_sessions, server);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/server/close/cancelled", test_close_cancelled);
  return g_test_run ();
}
