/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "session-fixture.h"

#include "free-port.h"

/* What becomes of a tunnel, with a server and without a bus. */

static void
wait_for_state (VtsTunnel *tunnel, VtsState state)
{
  SESSION_WAIT (vts_tunnel_get_state (tunnel) == state);
}

static VtForward *
get_forward (VtsTunnel *tunnel, unsigned int index)
{
  return vts_tunnel_get_forwards (tunnel)->pdata[index];
}

static void
test_life (SessionFixture *self, const void *data)
{
  VtsTunnel *tunnel = session_fixture_create (self);

  g_assert_cmpint (vts_tunnel_get_state (tunnel), ==, VTS_STATE_INACTIVE);
  for (int i = 0; i < 2; i++)
    {
      gint64 before = g_get_real_time ();

      vts_tunnel_open (tunnel, FALSE);
      g_assert_cmpint (vts_tunnel_get_state (tunnel), ==, VTS_STATE_CONNECTING);
      wait_for_state (tunnel, VTS_STATE_CONNECTED);
      g_assert_cmpint (vts_tunnel_get_connected_since (tunnel), >=, before);
      SESSION_WAIT (vt_forward_get_bound_port (get_forward (tunnel, 0)) != 0);
      session_fixture_close (tunnel);
      g_assert_cmpint (vts_tunnel_get_state (tunnel), ==, VTS_STATE_INACTIVE);
      g_assert_cmpint (vts_tunnel_get_connected_since (tunnel), ==, 0);
      g_assert_null (vts_tunnel_get_error (tunnel));
    }
  g_assert_cmpstr (self->log->str, ==, "+");
}

static void
count_cb (GObject *source, GAsyncResult *result, void *user_data)
{
  vts_tunnel_close_finish (VTS_TUNNEL (source), result);
  ++*(unsigned int *) user_data;
}

/* Opening and closing in any order: the last word counts, and each call is answered. */
static void
test_last_word (SessionFixture *self, const void *data)
{
  VtsTunnel *tunnel = session_fixture_create (self);
  unsigned int n_closed = 0;

  vts_tunnel_open (tunnel, FALSE);
  vts_tunnel_close_async (tunnel, count_cb, &n_closed);
  vts_tunnel_open (tunnel, FALSE);
  wait_for_state (tunnel, VTS_STATE_CONNECTED);
  SESSION_WAIT (n_closed == 1);

  vts_tunnel_close_async (tunnel, count_cb, &n_closed);
  vts_tunnel_open (tunnel, FALSE);
  vts_tunnel_close_async (tunnel, count_cb, &n_closed);
  SESSION_WAIT (n_closed == 3);
  g_assert_cmpint (vts_tunnel_get_state (tunnel), ==, VTS_STATE_INACTIVE);
}

/* One that waits for its server makes its next attempt when somebody opens it. */
static void
test_open_while_waiting (SessionFixture *self, const void *data)
{
  guint16 port = find_free_port ();
  g_autofree char *uri = g_strdup_printf ("ws://127.0.0.1:%u/", port);
  g_autoptr(VtsSettings) settings = session_fixture_settings (uri, "", "0=localhost:1", NULL);
  g_autoptr(GError) error = NULL;
  VtsTunnel *tunnel = session_fixture_create_with (self, settings, VTS_LIFETIME_SESSION, NULL);

  vts_tunnel_open (tunnel, FALSE);
  g_object_set (vts_tunnel_get_client (tunnel), "reconnect-min", 600.0, "reconnect-max", 600.0,
                NULL);
  wait_for_state (tunnel, VTS_STATE_WAITING);
  g_assert_error (vts_tunnel_get_error (tunnel), VTUNNEL_SESSION_ERROR,
                  VTUNNEL_SESSION_ERROR_CONNECTION_FAILED);
  g_assert_cmpint (vts_tunnel_get_next_retry (tunnel), >,
                   g_get_real_time () + 100 * G_TIME_SPAN_SECOND);

  vt_server_listen (self->server, "127.0.0.1", port, &error);
  g_assert_no_error (error);
  vts_tunnel_open (tunnel, TRUE);
  g_assert_cmpint (vts_tunnel_get_state (tunnel), ==, VTS_STATE_CONNECTING);
  g_assert_cmpint (vts_tunnel_get_next_retry (tunnel), ==, 0);
  wait_for_state (tunnel, VTS_STATE_CONNECTED);
  g_assert_null (vts_tunnel_get_error (tunnel));
  g_assert_cmpstr (self->log->str, ==, "+");
}

/* With nothing forwarded there is no tunnel: it fails, and says so once, each time. */
static void
test_refused (SessionFixture *self, const void *data)
{
  g_autoptr(VtsSettings) settings =
      session_fixture_settings (self->uri, "", "5001=localhost:1", "5002=localhost:1", NULL);
  VtsTunnel *tunnel = session_fixture_create_with (self, settings, VTS_LIFETIME_SESSION, NULL);

  g_assert_true (vt_server_set_allowed_ports (self->server, "5000", NULL));
  vts_tunnel_open (tunnel, FALSE);
  wait_for_state (tunnel, VTS_STATE_FAILED);
  g_assert_error (vts_tunnel_get_error (tunnel), VTUNNEL_SESSION_ERROR,
                  VTUNNEL_SESSION_ERROR_PERMISSION_DENIED);
  g_assert_cmpstr (self->log->str, ==, "+!");
  session_fixture_close (tunnel);
  g_assert_cmpint (vts_tunnel_get_state (tunnel), ==, VTS_STATE_INACTIVE);
  g_assert_null (vts_tunnel_get_error (tunnel));
  vts_tunnel_open (tunnel, FALSE);
  wait_for_state (tunnel, VTS_STATE_FAILED);
  g_assert_cmpstr (self->log->str, ==, "+!!");
}

static void
test_one_refused (SessionFixture *self, const void *data)
{
  g_autoptr(VtsSettings) settings =
      session_fixture_settings (self->uri, "", "80=localhost:1", "0=localhost:1", NULL);
  g_autoptr(VtsSettings) fewer = session_fixture_settings (self->uri, "", "0=localhost:1", NULL);
  VtsTunnel *tunnel = session_fixture_create_with (self, settings, VTS_LIFETIME_SESSION, NULL);
  VtForward *kept = get_forward (tunnel, 1);
  guint16 port = 0;

  vts_tunnel_open (tunnel, FALSE);
  SESSION_WAIT (vts_tunnel_get_error (tunnel) != NULL);
  g_assert_cmpint (vts_tunnel_get_state (tunnel), ==, VTS_STATE_CONNECTED);
  SESSION_WAIT ((port = vt_forward_get_bound_port (kept)) != 0);
  /* Without it, the other one is what it was. */
  g_assert_true (vts_manager_update (self->manager, tunnel, fewer, NULL));
  g_assert_true (get_forward (tunnel, 0) == kept);
  g_assert_cmpuint (vt_forward_get_bound_port (kept), ==, port);
  g_assert_cmpstr (self->log->str, ==, "+");
}

/* A token that is not to be had is no failure: nobody is told, and it is tried again. */
static void
test_locked (SessionFixture *self, const void *data)
{
  VtsTunnel *tunnel = session_fixture_create (self);

  g_assert_true (session_fixture_set_token (self, tunnel, "secret", VTS_STORAGE_KEYRING, NULL));
  self->keyring->locked = TRUE;
  vts_tunnel_open (tunnel, TRUE);
  wait_for_state (tunnel, VTS_STATE_NEEDS_SECRETS);
  g_assert_true (self->keyring->was_interactive);
  g_assert_error (vts_tunnel_get_error (tunnel), VTUNNEL_SESSION_ERROR,
                  VTUNNEL_SESSION_ERROR_SECRETS_UNAVAILABLE);
  vts_secrets_emit_appeared (VTS_SECRETS (self->keyring));
  SESSION_WAIT (self->keyring->n_lookups == 2
                && vts_tunnel_get_state (tunnel) == VTS_STATE_NEEDS_SECRETS);
  g_assert_false (self->keyring->was_interactive);

  self->keyring->locked = FALSE;
  vts_secrets_emit_appeared (VTS_SECRETS (self->keyring));
  wait_for_state (tunnel, VTS_STATE_CONNECTED);
  g_assert_cmpuint (self->keyring->n_lookups, ==, 3);
  g_assert_cmpstr (self->log->str, ==, "+");
}

/* An answer that comes when nobody waits for it any more. */
static void
test_closed_during_lookup (SessionFixture *self, const void *data)
{
  VtsTunnel *tunnel = session_fixture_create (self);

  g_assert_true (session_fixture_set_token (self, tunnel, "secret", VTS_STORAGE_KEYRING, NULL));
  self->keyring->waits = TRUE;
  vts_tunnel_open (tunnel, TRUE);
  g_assert_cmpint (vts_tunnel_get_state (tunnel), ==, VTS_STATE_CONNECTING);
  session_fixture_close (tunnel);
  g_assert_cmpint (vts_tunnel_get_state (tunnel), ==, VTS_STATE_INACTIVE);
  dummy_keyring_answer (self->keyring);
  self->keyring->waits = FALSE;
  vts_tunnel_open (tunnel, TRUE);
  wait_for_state (tunnel, VTS_STATE_CONNECTED);
  g_assert_cmpstr (self->log->str, ==, "+");
}

static void
test_deleted_during_lookup (SessionFixture *self, const void *data)
{
  VtsTunnel *tunnel = session_fixture_create (self);
  g_autoptr(GError) error = NULL;

  g_assert_true (session_fixture_set_token (self, tunnel, "secret", VTS_STORAGE_KEYRING, NULL));
  self->keyring->waits = TRUE;
  vts_tunnel_open (tunnel, TRUE);
  session_fixture_delete (self, tunnel, &error);
  g_assert_no_error (error);
  dummy_keyring_answer (self->keyring);
  SESSION_WAIT (g_hash_table_size (self->keyring->tokens) == 0);
  g_assert_cmpstr (self->log->str, ==, "+-");
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  SESSION_TEST ("/session-tunnel/life", test_life);
  SESSION_TEST ("/session-tunnel/last-word", test_last_word);
  SESSION_TEST ("/session-tunnel/open-while-waiting", test_open_while_waiting);
  SESSION_TEST ("/session-tunnel/refused", test_refused);
  SESSION_TEST ("/session-tunnel/one-refused", test_one_refused);
  SESSION_TEST ("/session-tunnel/locked", test_locked);
  SESSION_TEST ("/session-tunnel/closed-during-lookup", test_closed_during_lookup);
  SESSION_TEST ("/session-tunnel/deleted-during-lookup", test_deleted_during_lookup);
  return g_test_run ();
}
