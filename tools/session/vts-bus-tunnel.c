/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vts-bus-tunnel.h"

#include <glib/gi18n.h>
#include <string.h>

#include "vts-values.h"

/* Between two changes of ActiveStreams. */
#define STREAMS_INTERVAL G_TIME_SPAN_SECOND

struct _VtsBusTunnel {
  VtsBus *bus;                          /* not owned, the owner's */
  VtsManager *manager;                  /* owned */
  VtsTunnel *tunnel;                    /* owned */
  VtunnelSessionObjectSkeleton *object; /* owned */
  VtunnelSessionTunnel *skeleton;       /* owned */
  GSource *streams_timer;               /* owned, nullable */
  gint64 streams_told;                  /* when, of the monotonic clock */
};

/* A call that is answered later. */
typedef struct {
  VtsBus *bus;                       /* owned */
  VtunnelSessionTunnel *skeleton;    /* owned */
  GDBusMethodInvocation *invocation; /* owned, until it is answered */
} Call;

static Call *
call_new (VtsBusTunnel *self, GDBusMethodInvocation *invocation)
{
  Call *call = g_new0 (Call, 1);

  vts_bus_begin_call (self->bus);
  call->bus = self->bus;
  call->skeleton = g_object_ref (self->skeleton);
  call->invocation = invocation;
  return call;
}

static void
call_free (Call *self)
{
  g_object_unref (self->skeleton);
  vts_bus_end_call (self->bus);
  g_free (self);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Call, call_free)

/* Nobody but its owner may do anything to the tunnel of a caller; all may look. */
static gboolean
refuse (VtsBusTunnel *self, GDBusMethodInvocation *invocation, gboolean needs_service)
{
  const char *owner = vts_tunnel_get_owner (self->tunnel);

  if (!vts_bus_admit (self->bus, invocation, needs_service))
    return TRUE;
  if (owner == NULL || g_strcmp0 (g_dbus_method_invocation_get_sender (invocation), owner) == 0)
    return FALSE;
  g_dbus_method_invocation_return_error_literal (invocation, VTUNNEL_SESSION_ERROR,
                                                 VTUNNEL_SESSION_ERROR_NOT_AUTHORISED,
                                                 _ ("This tunnel belongs to another program"));
  return TRUE;
}

static gboolean
open_cb (VtsBusTunnel *self, GDBusMethodInvocation *invocation)
{
  if (refuse (self, invocation, TRUE))
    return G_DBUS_METHOD_INVOCATION_HANDLED;
  vtunnel_session_tunnel_complete_open (self->skeleton, invocation);
  vts_tunnel_open (self->tunnel, TRUE);
  return G_DBUS_METHOD_INVOCATION_HANDLED;
}

static void
closed_cb (GObject *source, GAsyncResult *result, void *user_data)
{
  g_autoptr(Call) call = user_data;

  vts_tunnel_close_finish (VTS_TUNNEL (source), result);
  vtunnel_session_tunnel_complete_close (call->skeleton, call->invocation);
}

static gboolean
close_cb (VtsBusTunnel *self, GDBusMethodInvocation *invocation)
{
  if (!refuse (self, invocation, FALSE))
    vts_tunnel_close_async (self->tunnel, closed_cb, call_new (self, invocation));
  return G_DBUS_METHOD_INVOCATION_HANDLED;
}

static void
deleted_cb (GObject *source, GAsyncResult *result, void *user_data)
{
  g_autoptr(Call) call = user_data;
  GError *error = NULL;

  if (vts_manager_delete_finish (VTS_MANAGER (source), result, &error))
    vtunnel_session_tunnel_complete_delete (call->skeleton, call->invocation);
  else
    g_dbus_method_invocation_take_error (call->invocation, error);
}

static gboolean
delete_cb (VtsBusTunnel *self, GDBusMethodInvocation *invocation)
{
  /* This object goes with it. */
  if (!refuse (self, invocation, FALSE))
    vts_manager_delete_async (self->manager, self->tunnel, deleted_cb, call_new (self, invocation));
  return G_DBUS_METHOD_INVOCATION_HANDLED;
}

static gboolean
update_cb (VtsBusTunnel *self, GDBusMethodInvocation *invocation, GVariant *changes)
{
  g_autoptr(VtsSettings) settings = NULL;
  GError *error = NULL;

  if (refuse (self, invocation, FALSE))
    return G_DBUS_METHOD_INVOCATION_HANDLED;
  settings = vts_values_read_changes (vts_tunnel_get_settings (self->tunnel), changes, &error);
  if (settings != NULL && vts_manager_update (self->manager, self->tunnel, settings, &error))
    vtunnel_session_tunnel_complete_update (self->skeleton, invocation);
  else
    g_dbus_method_invocation_take_error (invocation, error);
  return G_DBUS_METHOD_INVOCATION_HANDLED;
}

static void
secrets_set_cb (GObject *source, GAsyncResult *result, void *user_data)
{
  g_autoptr(Call) call = user_data;
  GError *error = NULL;

  if (vts_manager_set_token_finish (VTS_MANAGER (source), result, &error))
    vtunnel_session_tunnel_complete_set_secrets (call->skeleton, call->invocation);
  else
    g_dbus_method_invocation_take_error (call->invocation, error);
}

static gboolean
set_secrets_cb (VtsBusTunnel *self,
                GDBusMethodInvocation *invocation,
                GVariant *secrets,
                const char *word)
{
  VtsStorage storage = VTS_STORAGE_NONE;
  char *token = NULL;
  GError *error = NULL;

  if (refuse (self, invocation, strcmp (word, "memory") == 0))
    return G_DBUS_METHOD_INVOCATION_HANDLED;
  token = vts_values_read_token (secrets, &error);
  if (token != NULL && vts_values_read_storage (word, &storage, &error))
    vts_manager_set_token_async (self->manager, self->tunnel, token, storage, secrets_set_cb,
                                 call_new (self, invocation));
  else
    g_dbus_method_invocation_take_error (invocation, error);
  vts_secrets_wipe (token);
  return G_DBUS_METHOD_INVOCATION_HANDLED;
}

static gboolean
get_statistics_cb (VtsBusTunnel *self, GDBusMethodInvocation *invocation)
{
  if (vts_bus_admit (self->bus, invocation, FALSE))
    vtunnel_session_tunnel_complete_get_statistics (self->skeleton, invocation,
                                                    vts_values_write_statistics (self->tunnel));
  return G_DBUS_METHOD_INVOCATION_HANDLED;
}

/* What is the same as before is not told of, and the skeleton tells of all at once. */
static void
changed_cb (VtsBusTunnel *self)
{
  const VtsSettings *settings = vts_tunnel_get_settings (self->tunnel);

  vtunnel_session_tunnel_set_name (self->skeleton, settings->name);
  vtunnel_session_tunnel_set_uri (self->skeleton, settings->uri);
  vtunnel_session_tunnel_set_forwards (self->skeleton, vts_values_write_forwards (settings));
  vtunnel_session_tunnel_set_autoconnect (self->skeleton, settings->autoconnect);
  vtunnel_session_tunnel_set_state (self->skeleton,
                                    vts_state_to_word (vts_tunnel_get_state (self->tunnel)));
  vtunnel_session_tunnel_set_last_error (self->skeleton, vts_values_write_error (
                                                             vts_tunnel_get_error (self->tunnel)));
  vtunnel_session_tunnel_set_connected_since (self->skeleton,
                                              vts_tunnel_get_connected_since (self->tunnel));
  vtunnel_session_tunnel_set_next_retry (self->skeleton, vts_tunnel_get_next_retry (self->tunnel));
}

static void
stop_timer (VtsBusTunnel *self)
{
  if (self->streams_timer != NULL)
    g_source_destroy (self->streams_timer);
  g_clear_pointer (&self->streams_timer, g_source_unref);
}

static gboolean
tell_streams_cb (void *user_data)
{
  VtsBusTunnel *self = user_data;

  stop_timer (self);
  self->streams_told = g_get_monotonic_time ();
  vtunnel_session_tunnel_set_active_streams (self->skeleton,
                                             vts_tunnel_get_n_streams (self->tunnel));
  return G_SOURCE_REMOVE;
}

static void
streams_changed_cb (VtsBusTunnel *self)
{
  gint64 wait = self->streams_told + STREAMS_INTERVAL - g_get_monotonic_time ();

  if (self->streams_timer != NULL)
    return;
  /* An idle at the least: what is opened and closed at once is no change. */
  self->streams_timer = g_timeout_source_new ((unsigned int) (MAX (wait, 0) / 1000));
  g_source_set_static_name (self->streams_timer, "vtunnel-session: ActiveStreams");
  g_source_set_callback (self->streams_timer, tell_streams_cb, self, NULL);
  g_source_attach (self->streams_timer, g_main_context_get_thread_default ());
}

static void
connect_handlers (VtsBusTunnel *self)
{
  const struct {
    const char *signal;
    GCallback callback;
  } handlers[] = {
    { "handle-open", G_CALLBACK (open_cb) },
    { "handle-close", G_CALLBACK (close_cb) },
    { "handle-delete", G_CALLBACK (delete_cb) },
    { "handle-update", G_CALLBACK (update_cb) },
    { "handle-set-secrets", G_CALLBACK (set_secrets_cb) },
    { "handle-get-statistics", G_CALLBACK (get_statistics_cb) },
  };

  for (size_t i = 0; i < G_N_ELEMENTS (handlers); i++)
    g_signal_connect_swapped (self->skeleton, handlers[i].signal, handlers[i].callback, self);
  g_signal_connect_swapped (self->tunnel, "changed", G_CALLBACK (changed_cb), self);
  g_signal_connect_swapped (self->tunnel, "streams-changed", G_CALLBACK (streams_changed_cb), self);
}

char *
vts_bus_tunnel_make_path (VtsTunnel *tunnel)
{
  return g_strconcat (OBJECT_PATH "/Tunnels/", vts_tunnel_get_id (tunnel), NULL);
}

VtsBusTunnel *
vts_bus_tunnel_new (VtsBus *bus, VtsManager *manager, VtsTunnel *tunnel)
{
  VtsBusTunnel *self = g_new0 (VtsBusTunnel, 1);
  const char *owner = vts_tunnel_get_owner (tunnel);
  g_autofree char *path = vts_bus_tunnel_make_path (tunnel);

  self->bus = bus;
  self->manager = g_object_ref (manager);
  self->tunnel = g_object_ref (tunnel);
  self->object = vtunnel_session_object_skeleton_new (path);
  self->skeleton = vtunnel_session_tunnel_skeleton_new ();
  vtunnel_session_tunnel_set_id (self->skeleton, vts_tunnel_get_id (tunnel));
  vtunnel_session_tunnel_set_lifetime (self->skeleton,
                                       vts_lifetime_to_word (vts_tunnel_get_lifetime (tunnel)));
  vtunnel_session_tunnel_set_owner (self->skeleton, owner != NULL ? owner : "");
  connect_handlers (self);
  changed_cb (self);
  vtunnel_session_object_skeleton_set_tunnel (self->object, self->skeleton);
  return self;
}

void
vts_bus_tunnel_free (VtsBusTunnel *self)
{
  stop_timer (self);
  g_signal_handlers_disconnect_by_data (self->tunnel, self);
  g_signal_handlers_disconnect_by_data (self->skeleton, self);
  g_object_unref (self->skeleton);
  g_object_unref (self->object);
  g_object_unref (self->tunnel);
  g_object_unref (self->manager);
  g_free (self);
}

VtunnelSessionObjectSkeleton *
vts_bus_tunnel_get_object (VtsBusTunnel *self)
{
  return self->object;
}
