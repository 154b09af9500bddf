/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vts-tunnel-private.h"

#include <string.h>

#include "vts-error.h"

static const char *const lifetime_words[] = { "caller", "session", "persistent" };
static const char *const state_words[] = { "inactive", "connecting",    "connected",
                                           "waiting",  "needs-secrets", "failed" };

enum { SIGNAL_CHANGED, SIGNAL_STREAMS_CHANGED, SIGNAL_FAILED, N_SIGNALS };

static unsigned int signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (VtsTunnel, vts_tunnel, G_TYPE_OBJECT)

const char *
vts_lifetime_to_word (VtsLifetime lifetime)
{
  return lifetime_words[lifetime];
}

gboolean
vts_lifetime_from_word (const char *word, VtsLifetime *lifetime)
{
  for (size_t i = 0; i < G_N_ELEMENTS (lifetime_words); i++)
    {
      if (strcmp (word, lifetime_words[i]) != 0)
        continue;
      *lifetime = (VtsLifetime) i;
      return TRUE;
    }
  return FALSE;
}

const char *
vts_state_to_word (VtsState state)
{
  return state_words[state];
}

void
vts_tunnel_emit_streams_changed (VtsTunnel *self)
{
  g_signal_emit (self, signals[SIGNAL_STREAMS_CHANGED], 0);
}

void
vts_tunnel_set_state (VtsTunnel *self, VtsState state, const GError *error)
{
  g_autoptr(VtsTunnel) alive = g_object_ref (self);
  gboolean has_failed = state == VTS_STATE_FAILED && self->state != VTS_STATE_FAILED;
  GError *own = error != NULL ? vts_error_from (error) : NULL;

  g_clear_error (&self->error);
  self->error = own;
  self->state = state;
  if (state != VTS_STATE_CONNECTED)
    self->connected_since = 0;
  else if (self->connected_since == 0)
    self->connected_since = g_get_real_time ();
  g_signal_emit (self, signals[SIGNAL_CHANGED], 0);
  if (has_failed && self->error == own && own != NULL)
    g_signal_emit (self, signals[SIGNAL_FAILED], 0, own);
}

static void
vts_tunnel_dispose (GObject *object)
{
  VtsTunnel *self = VTS_TUNNEL (object);

  if (self->lookup != NULL)
    g_cancellable_cancel (self->lookup);
  g_clear_object (&self->lookup);
  vts_tunnel_drop_client (self);
  g_clear_object (&self->vault);
  G_OBJECT_CLASS (vts_tunnel_parent_class)->dispose (object);
}

static void
vts_tunnel_finalize (GObject *object)
{
  VtsTunnel *self = VTS_TUNNEL (object);

  g_free (self->id);
  g_free (self->owner);
  vts_settings_free (self->settings);
  g_ptr_array_unref (self->forwards);
  g_ptr_array_unref (self->closings);
  g_clear_error (&self->error);
  g_clear_error (&self->refused);
  G_OBJECT_CLASS (vts_tunnel_parent_class)->finalize (object);
}

static void
vts_tunnel_class_init (VtsTunnelClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->dispose = vts_tunnel_dispose;
  object_class->finalize = vts_tunnel_finalize;
  signals[SIGNAL_CHANGED] = g_signal_new ("changed", VTS_TYPE_TUNNEL, G_SIGNAL_RUN_LAST, 0, NULL,
                                          NULL, NULL, G_TYPE_NONE, 0);
  signals[SIGNAL_STREAMS_CHANGED] =
      g_signal_new ("streams-changed", VTS_TYPE_TUNNEL, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                    G_TYPE_NONE, 0);
  signals[SIGNAL_FAILED] = g_signal_new ("failed", VTS_TYPE_TUNNEL, G_SIGNAL_RUN_LAST, 0, NULL,
                                         NULL, NULL, G_TYPE_NONE, 1, G_TYPE_ERROR);
}

static void
vts_tunnel_init (VtsTunnel *self)
{
  self->forwards = g_ptr_array_new_with_free_func (g_object_unref);
  self->closings = g_ptr_array_new_with_free_func (g_object_unref);
}

VtsTunnel *
vts_tunnel_new (const char *id,
                VtsLifetime lifetime,
                const char *owner,
                const VtsSettings *settings,
                VtsVault *vault)
{
  VtsTunnel *self = g_object_new (VTS_TYPE_TUNNEL, NULL);

  self->id = g_strdup (id);
  self->lifetime = lifetime;
  self->owner = g_strdup (owner);
  self->vault = g_object_ref (vault);
  self->settings = vts_settings_copy (settings);
  vts_tunnel_make_forwards (self, settings);
  return self;
}

const char *
vts_tunnel_get_id (VtsTunnel *self)
{
  return self->id;
}

VtsLifetime
vts_tunnel_get_lifetime (VtsTunnel *self)
{
  return self->lifetime;
}

const char *
vts_tunnel_get_owner (VtsTunnel *self)
{
  return self->owner;
}

const VtsSettings *
vts_tunnel_get_settings (VtsTunnel *self)
{
  return self->settings;
}

VtsState
vts_tunnel_get_state (VtsTunnel *self)
{
  return self->state;
}

const GError *
vts_tunnel_get_error (VtsTunnel *self)
{
  return self->error;
}

gint64
vts_tunnel_get_connected_since (VtsTunnel *self)
{
  return self->connected_since;
}

gint64
vts_tunnel_get_next_retry (VtsTunnel *self)
{
  gint64 at = self->state == VTS_STATE_WAITING ? vt_client_get_next_retry (self->client) : 0;

  /* Only once: the two clocks are never read at the same moment. */
  if (at != self->retry_at)
    self->next_retry = at != 0 ? g_get_real_time () + (at - g_get_monotonic_time ()) : 0;
  self->retry_at = at;
  return self->next_retry;
}

const char *
vts_tunnel_get_title (VtsTunnel *self)
{
  return self->settings->name[0] != '\0' ? self->settings->name : self->id;
}

VtClient *
vts_tunnel_get_client (VtsTunnel *self)
{
  return self->client;
}

GPtrArray *
vts_tunnel_get_forwards (VtsTunnel *self)
{
  return self->forwards;
}

static void
look_for_token_cb (GObject *source, GAsyncResult *result, void *user_data)
{
  g_autoptr(VtsTunnel) self = user_data;
  g_autoptr(GError) error = NULL;
  char *token = vts_vault_lookup_finish (VTS_VAULT (source), result, &error);

  /* Given up meanwhile; another look may be under way. */
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED) || self->lookup == NULL)
    {
      vts_secrets_wipe (token);
      return;
    }
  g_clear_object (&self->lookup);
  if (token != NULL)
    vts_tunnel_start_client (self, token);
  else
    {
      self->phase = VTS_PHASE_IDLE;
      vts_tunnel_set_state (self, VTS_STATE_NEEDS_SECRETS, error);
    }
  vts_secrets_wipe (token);
}

void
vts_tunnel_open (VtsTunnel *self, gboolean interactive)
{
  g_autoptr(VtsTunnel) alive = g_object_ref (self);

  if (self->phase == VTS_PHASE_CLOSING)
    self->reopen = TRUE;
  if (self->phase == VTS_PHASE_OPEN)
    vt_client_retry_now (self->client);
  if (self->phase != VTS_PHASE_IDLE)
    return;
  if (self->settings->storage == VTS_STORAGE_NONE)
    {
      vts_tunnel_start_client (self, NULL);
      return;
    }
  self->phase = VTS_PHASE_LOOKUP;
  self->lookup = g_cancellable_new ();
  vts_vault_lookup_async (self->vault, self->settings->storage, self->id, interactive, self->lookup,
                          look_for_token_cb, g_object_ref (self));
  vts_tunnel_set_state (self, VTS_STATE_CONNECTING, NULL);
}

void
vts_tunnel_client_ended (VtsTunnel *self, const GError *error)
{
  g_autoptr(VtsTunnel) alive = g_object_ref (self);
  g_autoptr(GPtrArray) closings = g_steal_pointer (&self->closings);
  g_autoptr(GError) refused = g_steal_pointer (&self->refused);
  const GError *why = refused != NULL ? refused : error;
  gboolean reopen = self->reopen;

  self->closings = g_ptr_array_new_with_free_func (g_object_unref);
  self->reopen = FALSE;
  self->phase = VTS_PHASE_IDLE;
  vts_tunnel_set_state (self, why != NULL ? VTS_STATE_FAILED : VTS_STATE_INACTIVE, why);
  for (unsigned int i = 0; i < closings->len; i++)
    g_task_return_boolean (closings->pdata[i], TRUE);
  if (reopen)
    vts_tunnel_open (self, FALSE);
}

void
vts_tunnel_close_async (VtsTunnel *self, GAsyncReadyCallback callback, gpointer user_data)
{
  g_autoptr(GTask) task = g_task_new (self, NULL, callback, user_data);

  g_task_set_source_tag (task, vts_tunnel_close_async);
  self->reopen = FALSE;
  g_clear_error (&self->refused);
  g_ptr_array_add (self->closings, g_object_ref (task));
  if (self->phase == VTS_PHASE_OPEN)
    vts_tunnel_stop_client (self);
  else if (self->phase != VTS_PHASE_CLOSING)
    {
      if (self->lookup != NULL)
        g_cancellable_cancel (self->lookup);
      g_clear_object (&self->lookup);
      vts_tunnel_client_ended (self, NULL);
    }
}

void
vts_tunnel_close_finish (VtsTunnel *self, GAsyncResult *result)
{
  g_task_propagate_boolean (G_TASK (result), NULL);
}

void
vts_tunnel_change (VtsTunnel *self, const VtsSettings *settings)
{
  if (vts_settings_equal (self->settings, settings))
    return;
  vts_tunnel_make_forwards (self, settings);
  vts_settings_free (self->settings);
  self->settings = vts_settings_copy (settings);
  g_signal_emit (self, signals[SIGNAL_CHANGED], 0);
}

void
vts_tunnel_retry_secrets (VtsTunnel *self)
{
  if (self->state == VTS_STATE_NEEDS_SECRETS)
    vts_tunnel_open (self, FALSE);
}
