/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "session-fixture.h"

#include <stdio.h>

/* Which tunnels there are, what of them outlasts the process, and whether that is needed. */

static VtsTunnel *
create (SessionFixture *self, const char *name, VtsLifetime lifetime, const char *owner)
{
  g_autoptr(VtsSettings) settings = session_fixture_settings (self->uri, name, NULL);

  return session_fixture_create_with (self, settings, lifetime, owner);
}

static unsigned int
count (SessionFixture *self)
{
  return g_list_model_get_n_items (vts_manager_get_tunnels (self->manager));
}

static gboolean
has_file (SessionFixture *self, VtsTunnel *tunnel)
{
  g_autofree char *path =
      g_strdup_printf ("%s/%s.tunnel", self->folder, vts_tunnel_get_id (tunnel));

  return g_file_test (path, G_FILE_TEST_IS_REGULAR);
}

/* Where the tunnels would be, there is something else. */
static void
spoil_folder (SessionFixture *self)
{
  g_assert_true (g_file_set_contents (self->folder, "", 0, NULL));
}

static void
assert_no_such_tunnel (SessionFixture *self, const char *id)
{
  g_autoptr(GError) error = NULL;

  g_assert_null (vts_manager_find (self->manager, id, &error));
  g_assert_error (error, VTUNNEL_SESSION_ERROR, VTUNNEL_SESSION_ERROR_NO_SUCH_TUNNEL);
}

static void
test_find (SessionFixture *self, const void *data)
{
  VtsTunnel *web = create (self, "web", VTS_LIFETIME_SESSION, NULL);
  VtsTunnel *nameless = create (self, "", VTS_LIFETIME_SESSION, NULL);
  VtsTunnel *other = NULL;

  g_assert_true (vts_manager_find (self->manager, "web", NULL) == web);
  g_assert_true (vts_manager_find (self->manager, vts_tunnel_get_id (nameless), NULL) == nameless);
  assert_no_such_tunnel (self, "");
  assert_no_such_tunnel (self, "none");
  /* An id is one, whatever others are called. */
  other = create (self, vts_tunnel_get_id (web), VTS_LIFETIME_SESSION, NULL);
  g_assert_true (vts_manager_find (self->manager, vts_tunnel_get_id (web), NULL) == web);
  g_assert_true (session_fixture_delete (self, other, NULL));
  create (self, "web", VTS_LIFETIME_SESSION, NULL);
  assert_no_such_tunnel (self, "web");
}

static void
test_limit (SessionFixture *self, const void *data)
{
  g_autoptr(VtsSettings) settings = session_fixture_settings (self->uri, "", NULL);
  g_autoptr(GError) error = NULL;

  for (unsigned int i = 0; i < VTS_MAX_TUNNELS; i++)
    create (self, "", VTS_LIFETIME_CALLER, ":1.1");
  g_assert_null (
      vts_manager_create (self->manager, settings, VTS_LIFETIME_PERSISTENT, NULL, &error));
  g_assert_error (error, VTUNNEL_SESSION_ERROR, VTUNNEL_SESSION_ERROR_LIMIT);
  g_assert_false (g_file_test (self->folder, G_FILE_TEST_EXISTS));
  vts_manager_owner_left (self->manager, ":1.1");
  g_assert_cmpuint (count (self), ==, 0);
  create (self, "", VTS_LIFETIME_SESSION, NULL);
}

static void
test_owner_left (SessionFixture *self, const void *data)
{
  VtsTunnel *kept = create (self, "", VTS_LIFETIME_CALLER, ":1.12");

  create (self, "", VTS_LIFETIME_CALLER, ":1.1");
  create (self, "", VTS_LIFETIME_SESSION, NULL);
  create (self, "", VTS_LIFETIME_CALLER, ":1.1");
  vts_manager_owner_left (self->manager, ":1.1");
  g_assert_cmpuint (count (self), ==, 2);
  g_assert_true (vts_manager_find (self->manager, vts_tunnel_get_id (kept), NULL) == kept);
  g_assert_cmpstr (self->log->str, ==, "++++--");
}

/* What would be lost if the process ended. */
static void
test_is_needed (SessionFixture *self, const void *data)
{
  static const VtsLifetime passing[] = { VTS_LIFETIME_CALLER, VTS_LIFETIME_SESSION };
  VtsTunnel *tunnel = NULL;

  g_assert_false (vts_manager_is_needed (self->manager));
  for (size_t i = 0; i < G_N_ELEMENTS (passing); i++)
    {
      tunnel = create (self, "", passing[i], passing[i] == VTS_LIFETIME_CALLER ? ":1.1" : NULL);
      g_assert_true (vts_manager_is_needed (self->manager));
      g_assert_true (session_fixture_delete (self, tunnel, NULL));
      g_assert_false (vts_manager_is_needed (self->manager));
    }
  tunnel = create (self, "", VTS_LIFETIME_PERSISTENT, NULL);
  g_assert_false (vts_manager_is_needed (self->manager));
  vts_tunnel_open (tunnel, FALSE);
  g_assert_true (vts_manager_is_needed (self->manager));
  session_fixture_close (tunnel);
  g_assert_false (vts_manager_is_needed (self->manager));
  g_assert_true (session_fixture_set_token (self, tunnel, "x", VTS_STORAGE_FILE, NULL));
  g_assert_false (vts_manager_is_needed (self->manager));
  g_assert_true (session_fixture_set_token (self, tunnel, "x", VTS_STORAGE_MEMORY, NULL));
  g_assert_true (vts_manager_is_needed (self->manager));
  g_assert_true (session_fixture_set_token (self, tunnel, "", VTS_STORAGE_MEMORY, NULL));
  g_assert_false (vts_manager_is_needed (self->manager));
}

/* A second manager is what the next process would be. */
static VtsManager *
begin_again (SessionFixture *self)
{
  VtsManager *manager = vts_manager_new (vts_store_new (self->folder), self->vault);

  vts_manager_load (manager);
  return manager;
}

static void
test_persistent (SessionFixture *self, const void *data)
{
  g_autoptr(VtsSettings) settings = session_fixture_settings (self->uri, "web", NULL);
  g_autoptr(VtsSettings) renamed = session_fixture_settings (self->uri, "new", NULL);
  g_autoptr(VtsManager) next = NULL;
  VtsTunnel *tunnel = NULL;
  VtsTunnel *idle = create (self, "idle", VTS_LIFETIME_PERSISTENT, NULL);
  VtsTunnel *passing = create (self, "", VTS_LIFETIME_SESSION, NULL);

  settings->autoconnect = renamed->autoconnect = TRUE;
  tunnel = session_fixture_create_with (self, settings, VTS_LIFETIME_PERSISTENT, NULL);
  g_assert_true (has_file (self, tunnel) && has_file (self, idle) && !has_file (self, passing));
  g_assert_true (vts_manager_update (self->manager, tunnel, renamed, NULL));
  g_assert_true (session_fixture_delete (self, idle, NULL));

  next = begin_again (self);
  g_assert_cmpuint (g_list_model_get_n_items (vts_manager_get_tunnels (next)), ==, 1);
  tunnel = vts_manager_find (next, "new", NULL);
  g_assert_nonnull (tunnel);
  g_assert_cmpint (vts_tunnel_get_lifetime (tunnel), ==, VTS_LIFETIME_PERSISTENT);
  g_assert_cmpint (vts_tunnel_get_state (tunnel), ==, VTS_STATE_INACTIVE);
  vts_manager_autoconnect (next);
  SESSION_WAIT (vts_tunnel_get_state (tunnel) == VTS_STATE_CONNECTED);
  session_fixture_close (tunnel);
}

/* What cannot be saved does not happen. */
static void
test_not_saved (SessionFixture *self, const void *data)
{
  g_autoptr(VtsSettings) settings = session_fixture_settings (self->uri, "web", NULL);
  g_autoptr(GError) error = NULL;

  spoil_folder (self);
  g_assert_null (
      vts_manager_create (self->manager, settings, VTS_LIFETIME_PERSISTENT, NULL, &error));
  g_assert_error (error, VTUNNEL_SESSION_ERROR, VTUNNEL_SESSION_ERROR_PERMISSION_DENIED);
  g_assert_cmpuint (count (self), ==, 0);
  g_assert_cmpstr (self->log->str, ==, "");
  create (self, "", VTS_LIFETIME_SESSION, NULL);
}

static void
test_update_not_saved (SessionFixture *self, const void *data)
{
  VtsTunnel *tunnel = create (self, "before", VTS_LIFETIME_PERSISTENT, NULL);
  g_autoptr(VtsSettings) renamed = session_fixture_settings (self->uri, "after", NULL);
  g_autofree char *aside = g_strconcat (self->folder, "-aside", NULL);
  g_autoptr(GError) error = NULL;

  g_assert_cmpint (rename (self->folder, aside), ==, 0);
  spoil_folder (self);
  g_assert_false (vts_manager_update (self->manager, tunnel, renamed, &error));
  g_assert_error (error, VTUNNEL_SESSION_ERROR, VTUNNEL_SESSION_ERROR_PERMISSION_DENIED);
  g_assert_cmpstr (vts_tunnel_get_settings (tunnel)->name, ==, "before");
  g_clear_error (&error);
  /* Nor is it forgotten where its file stays. */
  g_assert_false (session_fixture_delete (self, tunnel, &error));
  g_assert_error (error, VTUNNEL_SESSION_ERROR, VTUNNEL_SESSION_ERROR_PERMISSION_DENIED);
  g_assert_cmpuint (count (self), ==, 1);
}

static gboolean
is_in_keyring (SessionFixture *self, VtsTunnel *tunnel)
{
  return g_hash_table_contains (self->keyring->tokens, vts_tunnel_get_id (tunnel));
}

/* A token is in one place at a time. */
static void
test_token_moves (SessionFixture *self, const void *data)
{
  VtsTunnel *tunnel = create (self, "", VTS_LIFETIME_PERSISTENT, NULL);
  g_autofree char *path =
      g_strdup_printf ("%s/secrets/%s", self->scratch, vts_tunnel_get_id (tunnel));
  g_autoptr(GError) error = NULL;

  g_assert_true (session_fixture_set_token (self, tunnel, "x", VTS_STORAGE_KEYRING, NULL));
  g_assert_true (is_in_keyring (self, tunnel));
  g_assert_true (session_fixture_set_token (self, tunnel, "x", VTS_STORAGE_FILE, NULL));
  SESSION_WAIT (!is_in_keyring (self, tunnel));
  g_assert_true (g_file_test (path, G_FILE_TEST_EXISTS));

  /* Where the new place refuses, it stays in the old one. */
  self->keyring->locked = TRUE;
  g_assert_false (session_fixture_set_token (self, tunnel, "y", VTS_STORAGE_KEYRING, &error));
  g_assert_error (error, VTUNNEL_SESSION_ERROR, VTUNNEL_SESSION_ERROR_SECRETS_UNAVAILABLE);
  g_assert_cmpint (vts_tunnel_get_settings (tunnel)->storage, ==, VTS_STORAGE_FILE);
  g_assert_true (g_file_test (path, G_FILE_TEST_EXISTS));

  g_assert_true (session_fixture_delete (self, tunnel, NULL));
  SESSION_WAIT (!g_file_test (path, G_FILE_TEST_EXISTS));
}

static void
refused_cb (GObject *source, GAsyncResult *result, void *user_data)
{
  g_assert_false (vts_manager_set_token_finish (VTS_MANAGER (source), result, user_data));
}

/* As where the service is built without one. */
static void
test_without_keyring (SessionFixture *self, const void *data)
{
  g_autoptr(VtsVault) vault = vts_vault_new (NULL, NULL);
  g_autoptr(VtsManager) manager = vts_manager_new (vts_store_new (self->folder), vault);
  g_autoptr(VtsSettings) settings = session_fixture_settings (self->uri, "", NULL);
  g_autoptr(GError) error = NULL;
  VtsTunnel *tunnel = vts_manager_create (manager, settings, VTS_LIFETIME_SESSION, NULL, NULL);

  g_assert_false (vts_vault_has (vault, VTS_STORAGE_KEYRING));
  settings->storage = VTS_STORAGE_KEYRING;
  g_assert_true (vts_manager_update (manager, tunnel, settings, NULL));
  vts_tunnel_open (tunnel, TRUE);
  SESSION_WAIT (vts_tunnel_get_state (tunnel) == VTS_STATE_NEEDS_SECRETS);
  g_assert_error (vts_tunnel_get_error (tunnel), VTUNNEL_SESSION_ERROR,
                  VTUNNEL_SESSION_ERROR_SECRETS_UNAVAILABLE);
  vts_manager_set_token_async (manager, tunnel, "x", VTS_STORAGE_KEYRING, refused_cb, &error);
  SESSION_WAIT (error != NULL);
  g_assert_error (error, VTUNNEL_SESSION_ERROR, VTUNNEL_SESSION_ERROR_SECRETS_UNAVAILABLE);
}

static void
closed_cb (GObject *source, GAsyncResult *result, void *user_data)
{
  vts_manager_close_finish (VTS_MANAGER (source), result);
  *(gboolean *) user_data = TRUE;
}

/* Persistent tunnels are closed, and all others are no more. */
static void
test_close (SessionFixture *self, const void *data)
{
  VtsTunnel *persistent = create (self, "", VTS_LIFETIME_PERSISTENT, NULL);
  VtsTunnel *passing = create (self, "", VTS_LIFETIME_SESSION, NULL);
  gboolean closed = FALSE;

  vts_tunnel_open (persistent, FALSE);
  vts_tunnel_open (passing, FALSE);
  SESSION_WAIT (vts_tunnel_get_state (persistent) == VTS_STATE_CONNECTED
                && vts_tunnel_get_state (passing) == VTS_STATE_CONNECTED);
  vts_manager_close_async (self->manager, closed_cb, &closed);
  g_assert_cmpuint (count (self), ==, 1);
  SESSION_WAIT (closed);
  g_assert_cmpint (vts_tunnel_get_state (persistent), ==, VTS_STATE_INACTIVE);
  g_assert_true (has_file (self, persistent));
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  SESSION_TEST ("/session-manager/find", test_find);
  SESSION_TEST ("/session-manager/limit", test_limit);
  SESSION_TEST ("/session-manager/owner-left", test_owner_left);
  SESSION_TEST ("/session-manager/is-needed", test_is_needed);
  SESSION_TEST ("/session-manager/persistent", test_persistent);
  SESSION_TEST ("/session-manager/not-saved", test_not_saved);
  SESSION_TEST ("/session-manager/update-not-saved", test_update_not_saved);
  SESSION_TEST ("/session-manager/token-moves", test_token_moves);
  SESSION_TEST ("/session-manager/without-keyring", test_without_keyring);
  SESSION_TEST ("/session-manager/close", test_close);
  return g_test_run ();
}
