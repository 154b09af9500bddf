/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-client-struct-private.h"

#include <glib/gi18n-lib.h>

#include "vt-dialer-private.h"
#include "vt-error.h"
#include "vt-negotiation-private.h"
#include "vt-source-private.h"

/* A client that is being opened: the dial, and then a tunnel in which the server has not greeted
 * yet. The dial owns it while it lasts, and ends by itself; when it is given up, it loses its
 * client. With a tunnel it is the client's own. */
struct _VtClientOpening {
  VtClient *client;       /* not owned, NULL once given up */
  GTask *task;            /* owned, NULL once given up */
  GCancellable *dial;     /* owned */
  VtClientTunnel *tunnel; /* owned, NULL while dialling */
  GSource *watch;         /* owned, of the caller's cancellable, nullable */
};

static void
opening_free (VtClientOpening *self)
{
  g_clear_pointer (&self->tunnel, vt_client_tunnel_free);
  g_clear_pointer (&self->watch, vt_source_destroy);
  g_clear_object (&self->task);
  g_clear_object (&self->dial);
  g_free (self);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtClientOpening, opening_free)

static void
set_state (VtClient *self, VtClientState state)
{
  if (self->state == state)
    return;
  self->state = state;
  g_object_notify_by_pspec (G_OBJECT (self), vt_client_props[VT_CLIENT_PROP_STATE]);
}

static void
set_error (VtClient *self, const GError *error)
{
  if (self->error == error)
    return;
  g_clear_error (&self->error);
  self->error = error != NULL ? g_error_copy (error) : NULL;
  g_object_notify_by_pspec (G_OBJECT (self), vt_client_props[VT_CLIENT_PROP_ERROR]);
}

static void
notify_tunnel (VtClient *self)
{
  g_object_notify_by_pspec (G_OBJECT (self), vt_client_props[VT_CLIENT_PROP_PROTOCOL]);
  g_object_notify_by_pspec (G_OBJECT (self), vt_client_props[VT_CLIENT_PROP_RTT]);
}

/* The tunnel's streams may still have something to write. */
static void
retire_tunnel (VtClient *self)
{
  g_ptr_array_add (self->ending_tunnels, g_steal_pointer (&self->tunnel));
  notify_tunnel (self);
}

/* The one way into the state closed. Who waits for it is called back when the handlers of the
 * notifications have been. `error` is NULL if it was the application's wish, or the
 * server's in order. */
static void
become_closed (VtClient *self, const GError *error)
{
  g_autoptr(GPtrArray) closings = g_steal_pointer (&self->closings);

  self->closings = g_ptr_array_new_with_free_func (g_object_unref);
  g_object_freeze_notify (G_OBJECT (self));
  if (self->tunnel != NULL)
    retire_tunnel (self);
  /* Closed is closed: why it became so is not forgotten by closing it once more. */
  if (self->state != VT_CLIENT_STATE_CLOSED)
    set_error (self, error);
  set_state (self, VT_CLIENT_STATE_CLOSED);
  vt_client_release_forwards (self, error);
  /* What the forwards listened on is closed with the tunnel. */
  vt_client_answer_unlistens (self);
  g_object_thaw_notify (G_OBJECT (self));

  for (unsigned int i = 0; i < closings->len; i++)
    g_task_return_boolean (closings->pdata[i], TRUE);
}

static void
become_open (VtClient *self, VtClientTunnel *tunnel)
{
  g_object_freeze_notify (G_OBJECT (self));
  self->tunnel = tunnel;
  set_state (self, VT_CLIENT_STATE_OPEN);
  vt_client_send_listens (self);
  notify_tunnel (self);
  g_object_thaw_notify (G_OBJECT (self));
}

static void
tunnel_ready_cb (void *user_data)
{
  g_autoptr(VtClient) self = g_object_ref (user_data);
  g_autoptr(VtClientOpening) opening = g_steal_pointer (&self->opening);

  become_open (self, g_steal_pointer (&opening->tunnel));
  g_task_return_boolean (opening->task, TRUE);
}

/* The tunnel is over before the server has greeted. */
static void
fail_opening (VtClient *self, const GError *error)
{
  g_autoptr(VtClientOpening) opening = g_steal_pointer (&self->opening);
  g_autoptr(GError) why = NULL;

  g_ptr_array_add (self->ending_tunnels, g_steal_pointer (&opening->tunnel));
  why = error != NULL ? g_error_copy (error)
                      : g_error_new_literal (VT_ERROR, VT_ERROR_FAILED,
                                             _ ("The server closed the tunnel at once"));
  become_closed (self, why);
  g_task_return_error (opening->task, g_steal_pointer (&why));
}

static void
tunnel_listened_cb (VtForward *forward, guint16 port, const GError *error, void *user_data)
{
  g_autoptr(VtClient) self = g_object_ref (user_data);

  vt_client_listened (self, forward, port, error);
}

static void
tunnel_unlistened_cb (guint32 id, void *user_data)
{
  g_autoptr(VtClient) self = g_object_ref (user_data);

  vt_client_unlistened (self, id);
}

static void
tunnel_stream_opened_cb (VtStream *stream, void *user_data)
{
  g_autoptr(VtClient) self = g_object_ref (user_data);

  vt_client_emit_stream_opened (self, stream);
}

static void
tunnel_stream_closed_cb (VtStream *stream, const GError *error, void *user_data)
{
  g_autoptr(VtClient) self = g_object_ref (user_data);

  vt_client_emit_stream_closed (self, stream, error);
}

static void
tunnel_rtt_measured_cb (gint64 rtt, void *user_data)
{
  g_autoptr(VtClient) self = g_object_ref (user_data);

  g_object_notify_by_pspec (G_OBJECT (self), vt_client_props[VT_CLIENT_PROP_RTT]);
}

static void
tunnel_closed_cb (const GError *error, void *user_data)
{
  g_autoptr(VtClient) self = g_object_ref (user_data);
  gboolean wished = self->state == VT_CLIENT_STATE_CLOSING;

  if (self->opening != NULL)
    fail_opening (self, error);
  else
    become_closed (self, wished ? NULL : error);
}

static void
tunnel_gone_cb (VtClientTunnel *tunnel, void *user_data)
{
  g_autoptr(VtClient) self = g_object_ref (user_data);

  g_ptr_array_remove (self->ending_tunnels, tunnel);
}

static SoupSession *
get_session (VtClient *self)
{
  if (self->session != NULL)
    return self->session;
  if (self->own_session == NULL)
    self->own_session =
        soup_session_new_with_options ("user-agent", "libvtunnel/" VT_VERSION_STRING, NULL);
  return self->own_session;
}

static VtClientTunnel *
new_tunnel (VtClient *self, SoupWebsocketConnection *connection, VtGate *gate)
{
  const VtClientTunnelHandlers handlers = {
    .ready = tunnel_ready_cb,
    .listened = tunnel_listened_cb,
    .unlistened = tunnel_unlistened_cb,
    .stream_opened = tunnel_stream_opened_cb,
    .stream_closed = tunnel_stream_closed_cb,
    .rtt_measured = tunnel_rtt_measured_cb,
    .closed = tunnel_closed_cb,
    .gone = tunnel_gone_cb,
  };
  VtMuxConfig config;

  vt_mux_config_init (&config, VT_MUX_CLIENT);
  config.protocol = vt_negotiation_get_protocol (connection);
  config.ping_interval = (gint64) self->ping_interval * G_TIME_SPAN_SECOND;
  config.ping_timeout = (gint64) self->ping_timeout * G_TIME_SPAN_SECOND;
  return vt_client_tunnel_new (connection, gate, soup_session_get_tls_database (get_session (self)),
                               &config, &handlers, self);
}

static void
dialled_cb (GObject *source, GAsyncResult *result, void *user_data)
{
  g_autoptr(VtClientOpening) opening = user_data;
  g_autoptr(SoupWebsocketConnection) connection = NULL;
  g_autoptr(VtGate) gate = NULL;
  g_autoptr(GError) error = NULL;
  g_autoptr(VtClient) self = NULL;

  if (vt_dialer_dial_finish (result, &connection, &gate, NULL, &error) && opening->client == NULL)
    vt_gate_abort (gate, FALSE);
  if (opening->client == NULL)
    return;

  self = g_object_ref (opening->client);
  if (error != NULL)
    {
      self->opening = NULL;
      become_closed (self, error);
      g_task_return_error (opening->task, g_steal_pointer (&error));
      return;
    }

  /* From here on it is the client's. */
  opening->tunnel = new_tunnel (self, g_steal_pointer (&connection), g_steal_pointer (&gate));
  g_steal_pointer (&opening);
  if (vt_client_tunnel_is_ready (self->opening->tunnel))
    tunnel_ready_cb (self);
}

/* Gives the dial or the tunnel up at once. The task of the open is the caller's to answer. */
static GTask *
give_up_opening (VtClient *self)
{
  VtClientOpening *opening = g_steal_pointer (&self->opening);
  GTask *task = g_steal_pointer (&opening->task);
  g_autoptr(GCancellable) dial = g_object_ref (opening->dial);

  opening->client = NULL;
  g_clear_pointer (&opening->watch, vt_source_destroy);
  /* The latter may end the dial, and `opening` with it. */
  if (opening->tunnel != NULL)
    opening_free (opening);
  else
    g_cancellable_cancel (dial);
  return task;
}

static gboolean
open_cancelled_cb (GCancellable *cancellable, gpointer user_data)
{
  g_autoptr(VtClient) self = g_object_ref (user_data);
  g_autoptr(GTask) task = give_up_opening (self);

  become_closed (self, NULL);
  g_task_return_error_if_cancelled (task);
  return G_SOURCE_REMOVE;
}

static void
start_dial (VtClient *self, GTask *task, const GPtrArray *headers)
{
  const VtDialRequest request = {
    .session = get_session (self),
    .uri = self->uri,
    .headers = headers,
    .subprotocols = vt_negotiation_get_subprotocols (vt_negotiation_limit (self->max_protocol)),
  };
  VtClientOpening *opening = g_new0 (VtClientOpening, 1);

  opening->client = self;
  opening->task = g_object_ref (task);
  opening->dial = g_cancellable_new ();
  opening->watch =
      vt_source_watch_cancellable (g_task_get_cancellable (task), open_cancelled_cb, self);
  self->opening = opening;
  vt_dialer_dial_async (&request, opening->dial, dialled_cb, opening);
}

/* Closes a client that has no tunnel. */
static void
close_without_tunnel (VtClient *self)
{
  g_autoptr(GTask) task = self->opening != NULL ? give_up_opening (self) : NULL;

  become_closed (self, NULL);
  if (task != NULL)
    g_task_return_new_error (task, VT_ERROR, VT_ERROR_CANCELLED, _ ("The client was closed"));
}

void
vt_client_end (VtClient *self)
{
  g_clear_pointer (&self->tunnel, vt_client_tunnel_free);
  g_ptr_array_set_size (self->ending_tunnels, 0);
  close_without_tunnel (self);
}

static gboolean
close_cancelled_cb (GCancellable *cancellable, gpointer user_data)
{
  g_autoptr(GTask) task = g_object_ref (user_data);
  VtClient *self = g_task_get_source_object (task);

  if (g_ptr_array_remove (self->closings, task))
    g_task_return_error_if_cancelled (task);
  return G_SOURCE_REMOVE;
}

/**
 * vt_client_open_async:
 * @self: a client
 * @cancellable: (nullable): to give up
 * @callback: (scope async): called when the client is open, or cannot be
 * @user_data: data for @callback
 *
 * Connects to the server.
 *
 * What [method@Vt.Client.listen_async] was called for before is asked for as soon as the tunnel is
 * open. If it cannot be opened, those calls fail as well. Connecting keeps the client alive, and
 * takes 40 seconds at most: 30 for the connection, and 10 for a server that speaks version 2 of the
 * protocol to greet.
 *
 * A client that is closed can be opened again.
 *
 * Since: 1.0
 */
void
vt_client_open_async (VtClient *self,
                      GCancellable *cancellable,
                      GAsyncReadyCallback callback,
                      gpointer user_data)
{
  g_autoptr(GTask) task = NULL;
  g_autoptr(GPtrArray) headers = NULL;
  g_autoptr(GError) error = NULL;

  g_return_if_fail (VT_IS_CLIENT (self));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, vt_client_open_async);
  if (self->state != VT_CLIENT_STATE_CLOSED)
    {
      g_task_return_new_error (task, G_IO_ERROR, G_IO_ERROR_PENDING,
                               _ ("The client is not closed, so it cannot be opened"));
      return;
    }
  if (g_task_return_error_if_cancelled (task))
    return;

  g_object_freeze_notify (G_OBJECT (self));
  set_error (self, NULL);
  set_state (self, VT_CLIENT_STATE_CONNECTING);
  headers = vt_client_request_build (self->request, &error);
  if (headers != NULL)
    start_dial (self, task, headers);
  else
    become_closed (self, error);
  g_object_thaw_notify (G_OBJECT (self));
  if (error != NULL)
    g_task_return_error (task, g_steal_pointer (&error));
}

/**
 * vt_client_open_finish:
 * @self: a client
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Finishes [method@Vt.Client.open_async].
 *
 * The error is one of [error@Vt.Error]: %VT_ERROR_NOT_AUTHORISED, %VT_ERROR_NOT_A_TUNNEL if
 * something else answers there, %VT_ERROR_TLS, %VT_ERROR_TIMED_OUT, %VT_ERROR_INVALID_ARGUMENT for
 * an address that is none, and for a secret that would travel unencrypted, %VT_ERROR_CANCELLED if
 * the client was closed meanwhile, or %VT_ERROR_FAILED. A cancelled call fails with
 * `G_IO_ERROR_CANCELLED`, one for a client that is not closed with `G_IO_ERROR_PENDING`.
 *
 * Returns: %TRUE if the client is open, %FALSE with @error set if not
 *
 * Since: 1.0
 */
gboolean
vt_client_open_finish (VtClient *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (VT_IS_CLIENT (self), FALSE);
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);

  return g_task_propagate_boolean (G_TASK (result), error);
}

/**
 * vt_client_close_async:
 * @self: a client
 * @cancellable: (nullable): to give up waiting
 * @callback: (scope async): called when the client is closed
 * @user_data: data for @callback
 *
 * Closes the client: its streams end, and the server is told.
 *
 * This takes a few seconds at most, whatever the server does, and keeps the client alive meanwhile.
 * Closing a client that is connecting gives that up; closing one that is closed does nothing.
 * Giving up waiting does not keep the tunnel open.
 *
 * All forwards are set free; after opening the client anew, the application listens anew.
 *
 * Since: 1.0
 */
void
vt_client_close_async (VtClient *self,
                       GCancellable *cancellable,
                       GAsyncReadyCallback callback,
                       gpointer user_data)
{
  g_autoptr(GTask) task = NULL;

  g_return_if_fail (VT_IS_CLIENT (self));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, vt_client_close_async);
  g_ptr_array_add (self->closings, g_object_ref (task));
  if (self->tunnel == NULL)
    {
      close_without_tunnel (self);
      return;
    }
  if (cancellable != NULL)
    g_task_set_task_data (task, vt_source_watch_cancellable (cancellable, close_cancelled_cb, task),
                          vt_source_destroy);
  vt_client_tunnel_close (self->tunnel);
  set_state (self, VT_CLIENT_STATE_CLOSING);
}

/**
 * vt_client_close_finish:
 * @self: a client
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Finishes [method@Vt.Client.close_async].
 *
 * Returns: %TRUE if the client is closed; %FALSE with `G_IO_ERROR_CANCELLED` if the call was
 *   cancelled
 *
 * Since: 1.0
 */
gboolean
vt_client_close_finish (VtClient *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (VT_IS_CLIENT (self), FALSE);
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);

  return g_task_propagate_boolean (G_TASK (result), error);
}
