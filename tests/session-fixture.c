/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "session-fixture.h"

#include "scratch.h"
#include "vts-secrets-file.h"

static void keyring_init_secrets (VtsSecretsInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (DummyKeyring,
                               dummy_keyring,
                               G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (VTS_TYPE_SECRETS, keyring_init_secrets))

static void
fail (GTask *task)
{
  g_task_return_new_error (task, VTUNNEL_SESSION_ERROR, VTUNNEL_SESSION_ERROR_SECRETS_UNAVAILABLE,
                           "locked");
}

static void
keyring_lookup (VtsSecrets *secrets, const char *id, gboolean interactive, GTask *task)
{
  DummyKeyring *self = DUMMY_KEYRING (secrets);

  self->n_lookups++;
  self->was_interactive = interactive;
  if (self->waits)
    g_set_object (&self->waiting, task);
  else if (self->locked)
    fail (task);
  else
    g_task_return_pointer (task, g_strdup (g_hash_table_lookup (self->tokens, id)), g_free);
}

static void
keyring_save (VtsSecrets *secrets,
              const char *id,
              const char *label,
              const char *token,
              GTask *task)
{
  DummyKeyring *self = DUMMY_KEYRING (secrets);

  if (self->locked)
    {
      fail (task);
      return;
    }
  if (token != NULL)
    g_hash_table_insert (self->tokens, g_strdup (id), g_strdup (token));
  else
    g_hash_table_remove (self->tokens, id);
  g_task_return_boolean (task, TRUE);
}

static void
keyring_init_secrets (VtsSecretsInterface *iface)
{
  iface->lookup = keyring_lookup;
  iface->save = keyring_save;
}

static void
dummy_keyring_finalize (GObject *object)
{
  DummyKeyring *self = DUMMY_KEYRING (object);

  g_hash_table_unref (self->tokens);
  g_clear_object (&self->waiting);
  G_OBJECT_CLASS (dummy_keyring_parent_class)->finalize (object);
}

static void
dummy_keyring_class_init (DummyKeyringClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = dummy_keyring_finalize;
}

static void
dummy_keyring_init (DummyKeyring *self)
{
  self->tokens = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
}

void
dummy_keyring_answer (DummyKeyring *self)
{
  g_autoptr(GTask) task = g_steal_pointer (&self->waiting);

  if (!g_task_return_error_if_cancelled (task))
    fail (task);
}

static gboolean
tick_cb (void *user_data)
{
  return G_SOURCE_CONTINUE;
}

void
session_turn (void)
{
  g_autoptr(GSource) tick = g_timeout_source_new (2);

  g_source_set_callback (tick, tick_cb, NULL, NULL);
  g_source_attach (tick, NULL);
  g_main_context_iteration (NULL, TRUE);
  g_source_destroy (tick);
}

static void
failed_cb (VtsTunnel *tunnel, const GError *error, SessionFixture *self)
{
  g_string_append (self->log, "!");
}

static void
added_cb (SessionFixture *self, VtsTunnel *tunnel)
{
  g_string_append (self->log, "+");
  g_signal_connect (tunnel, "failed", G_CALLBACK (failed_cb), self);
}

static void
removed_cb (SessionFixture *self, VtsTunnel *tunnel)
{
  g_string_append (self->log, "-");
}

static void
begin_server (SessionFixture *self)
{
  g_autoptr(GError) error = NULL;
  g_autofree guint16 *ports = NULL;
  size_t n_ports = 0;

  self->server = vt_server_new ();
  vt_server_listen (self->server, "127.0.0.1", 0, &error);
  g_assert_no_error (error);
  ports = vt_server_get_ports (self->server, &n_ports);
  self->uri = g_strdup_printf ("ws://127.0.0.1:%u/", ports[0]);
}

void
session_fixture_set_up (SessionFixture *self, const void *data)
{
  g_autofree char *secrets = NULL;
  g_autoptr(VtsSecretsFile) file = NULL;

  self->scratch = g_dir_make_tmp ("session-XXXXXX", NULL);
  self->folder = g_build_filename (self->scratch, "tunnels", NULL);
  secrets = g_build_filename (self->scratch, "secrets", NULL);
  file = vts_secrets_file_new (secrets);
  self->keyring = g_object_new (TYPE_DUMMY_KEYRING, NULL);
  self->vault = vts_vault_new (VTS_SECRETS (file), VTS_SECRETS (self->keyring));
  self->manager = vts_manager_new (vts_store_new (self->folder), self->vault);
  self->log = g_string_new (NULL);
  g_signal_connect_swapped (self->manager, "added", G_CALLBACK (added_cb), self);
  g_signal_connect_swapped (self->manager, "removed", G_CALLBACK (removed_cb), self);
  begin_server (self);
}

static void
set_cb (GObject *source, GAsyncResult *result, void *user_data)
{
  g_set_object ((GAsyncResult **) user_data, result);
}

static void
close_server (SessionFixture *self)
{
  g_autoptr(GAsyncResult) result = NULL;

  vt_server_close_async (self->server, NULL, set_cb, &result);
  SESSION_WAIT (result != NULL);
  vt_server_close_finish (self->server, result, NULL);
  g_clear_object (&result);
  g_assert_finalize_object (self->server);
}

void
session_fixture_tear_down (SessionFixture *self, const void *data)
{
  g_autoptr(GAsyncResult) result = NULL;

  vts_manager_close_async (self->manager, set_cb, &result);
  SESSION_WAIT (result != NULL);
  vts_manager_close_finish (self->manager, result);
  g_clear_object (&result);
  close_server (self);
  while (g_main_context_iteration (NULL, FALSE))
    continue;
  g_assert_finalize_object (self->manager);
  g_assert_finalize_object (self->vault);
  g_assert_finalize_object (self->keyring);
  scratch_remove (self->scratch);
  g_string_free (self->log, TRUE);
  g_free (self->uri);
  g_free (self->folder);
  g_free (self->scratch);
}

static void
free_forward (void *forward)
{
  vts_forward_free (forward);
}

VtsSettings *
session_fixture_settings (const char *uri, const char *name, ...)
{
  g_autoptr(GPtrArray) forwards = g_ptr_array_new_with_free_func (free_forward);
  g_autoptr(GError) error = NULL;
  VtsSettings *settings = vts_settings_new (uri, &error);
  const char *text = NULL;
  va_list texts;

  g_assert_no_error (error);
  va_start (texts, name);
  while ((text = va_arg (texts, const char *)) != NULL)
    {
      g_auto(GStrv) sides = g_strsplit (text, "=", 2);

      g_ptr_array_add (forwards, vts_forward_new (sides[0], sides[1], NULL, &error));
      g_assert_no_error (error);
    }
  va_end (texts);
  g_assert_true (vts_settings_set_name (settings, name, NULL));
  g_assert_true (vts_settings_set_forwards (settings, forwards, NULL));
  return settings;
}

VtsTunnel *
session_fixture_create_with (SessionFixture *self,
                             const VtsSettings *settings,
                             VtsLifetime lifetime,
                             const char *owner)
{
  g_autoptr(GError) error = NULL;
  VtsTunnel *tunnel = vts_manager_create (self->manager, settings, lifetime, owner, &error);

  g_assert_no_error (error);
  return tunnel;
}

VtsTunnel *
session_fixture_create (SessionFixture *self)
{
  g_autoptr(VtsSettings) settings =
      session_fixture_settings (self->uri, "", "0=localhost:1", NULL);

  return session_fixture_create_with (self, settings, VTS_LIFETIME_SESSION, NULL);
}

void
session_fixture_close (VtsTunnel *tunnel)
{
  g_autoptr(GAsyncResult) result = NULL;

  vts_tunnel_close_async (tunnel, set_cb, &result);
  SESSION_WAIT (result != NULL);
  vts_tunnel_close_finish (tunnel, result);
}

gboolean
session_fixture_set_token (SessionFixture *self,
                           VtsTunnel *tunnel,
                           const char *token,
                           VtsStorage storage,
                           GError **error)
{
  g_autoptr(GAsyncResult) result = NULL;

  vts_manager_set_token_async (self->manager, tunnel, token, storage, set_cb, &result);
  SESSION_WAIT (result != NULL);
  return vts_manager_set_token_finish (self->manager, result, error);
}

gboolean
session_fixture_delete (SessionFixture *self, VtsTunnel *tunnel, GError **error)
{
  g_autoptr(GAsyncResult) result = NULL;

  vts_manager_delete_async (self->manager, tunnel, set_cb, &result);
  SESSION_WAIT (result != NULL);
  return vts_manager_delete_finish (self->manager, result, error);
}
