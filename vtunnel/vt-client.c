/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-client.h"

#include "vt-client-struct-private.h"

/**
 * VtClient:
 *
 * The side of a tunnel that is behind a router or a firewall: it connects out to a server, and the
 * server opens ports for it.
 *
 * Each connection of a user to such a port is a [class@Vt.Stream], which comes through the client's
 * one WebSocket. It is joined with the target of its [class@Vt.Forward], or handed to the
 * application if the forward has none.
 *
 * ```c
 * g_autoptr(VtClient) client = vt_client_new ("wss://tunnel.example.org/");
 * g_autoptr(VtTarget) target = vt_target_parse ("localhost:3000", NULL);
 * g_autoptr(VtForward) forward = vt_forward_new (9000, target);
 *
 * vt_client_set_token (client, token);
 * vt_client_listen_async (client, forward, NULL, listened_cb, NULL);
 * vt_client_open_async (client, NULL, opened_cb, NULL);
 * ```
 *
 * ## Reconnection
 *
 * A client that was open, and loses its connection, connects again by itself, and tries for ever
 * unless [property@Vt.Client:reconnect] says otherwise: it is in the state
 * %VT_CLIENT_STATE_RECONNECTING meanwhile. Between attempts it waits, at random for between one
 * half and all of a time that doubles from [property@Vt.Client:reconnect-min] to
 * [property@Vt.Client:reconnect-max]; when the network changes or the machine has slept, or
 * [method@Vt.Client.retry_now] is called, it tries at once.
 *
 * With version 2 of the protocol the server keeps the session for a while. A client that comes back
 * in time goes on with it: its forwards and streams stay, and nothing that travelled is lost or
 * comes twice. Users only notice a pause. Otherwise, and always with version 1, its streams end,
 * and a new session begins, in which all forwards are asked for again.
 *
 * The client closes for good, and [property@Vt.Client:error] says why, when the server refuses it
 * or no longer accepts its token or shows a certificate that is not trusted, when another
 * connection has taken over its session, and when the server ends the session in order. Something
 * else that answers in the server's place, such as a network's page to log in, does not end it.
 * [signal@Vt.Client::stream-closed] has come for its streams before [property@Vt.Client:state] says
 * so, and before it says that another session has begun; only streams that had ended in order, and
 * still have something to write to their target, go on until that is done.
 *
 * ## Lifetime
 *
 * Whoever holds a reference keeps the client alive, and so does a call to open or to close it that
 * is under way. Reconnecting does not. When the client goes, all that it does ends at once: close
 * it first to end in order.
 *
 * A client owns the forwards that it was given, until it is closed or they are taken back. Streams
 * that a target serves live as long as they last; a stream that was handed to the application is
 * the application's alone.
 *
 * ## Threads
 *
 * A client belongs to the thread-default main context of the moment in which it is made, and is to
 * be used from there only. Nothing blocks.
 *
 * ## Security
 *
 * A name and a password in the address (`wss://me:secret@example.org/`) are for a server or a proxy
 * that asks for HTTP's Basic or Digest authentication; a [property@Vt.Client:token] is for a
 * [class@Vt.Server] that has an [property@Vt.Server:access].
 *
 * A token, a password in the address and an `Authorization` header are sent over `wss://`, and over
 * `ws://` only to this machine itself. Redirects are not followed. Certificates are verified by the
 * [property@Vt.Client:soup-session].
 *
 * Since: 1.0
 */

/**
 * VtClientState:
 * @VT_CLIENT_STATE_CLOSED: there is no connection; [property@Vt.Client:error] says why it ended
 * @VT_CLIENT_STATE_CONNECTING: being opened
 * @VT_CLIENT_STATE_OPEN: the tunnel is there
 * @VT_CLIENT_STATE_RECONNECTING: the connection was lost, and the client tries to get it back;
 *   [property@Vt.Client:error] says why there is none
 * @VT_CLIENT_STATE_CLOSING: being closed by the application
 *
 * The states of a [class@Vt.Client].
 *
 * Since: 1.0
 */

enum { SIGNAL_STREAM_OPENED, SIGNAL_STREAM_CLOSED, N_SIGNALS };

static unsigned int signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (VtClient, vt_client, G_TYPE_OBJECT)

void
vt_client_emit_stream_opened (VtClient *self, VtStream *stream)
{
  vt_list_append (self->streams, stream);
  g_signal_emit (self, signals[SIGNAL_STREAM_OPENED], 0, stream);
}

void
vt_client_emit_stream_closed (VtClient *self, VtStream *stream, const GError *error)
{
  vt_list_remove (self->streams, stream);
  g_signal_emit (self, signals[SIGNAL_STREAM_CLOSED], 0, stream, error);
}

static void
vt_client_dispose (GObject *object)
{
  VtClient *self = VT_CLIENT (object);

  vt_client_end (self);
  g_clear_object (&self->session);
  g_clear_object (&self->own_session);
  g_clear_object (&self->certificate);
  G_OBJECT_CLASS (vt_client_parent_class)->dispose (object);
}

static void
vt_client_finalize (GObject *object)
{
  VtClient *self = VT_CLIENT (object);

  vt_client_retry_clear (self);
  g_clear_object (&self->forwards);
  g_clear_object (&self->streams);
  g_clear_pointer (&self->listens, g_hash_table_unref);
  g_clear_pointer (&self->unlistens, g_hash_table_unref);
  g_clear_pointer (&self->ending_tunnels, g_ptr_array_unref);
  g_clear_pointer (&self->closings, g_ptr_array_unref);
  g_clear_pointer (&self->request, vt_client_request_free);
  g_clear_pointer (&self->pins, g_strfreev);
  g_clear_pointer (&self->uri, g_free);
  g_clear_error (&self->error);
  G_OBJECT_CLASS (vt_client_parent_class)->finalize (object);
}

static void
install_signals (void)
{
  /**
   * VtClient::stream-opened:
   * @self: the client
   * @stream: the new stream
   *
   * A user has connected to a port of one of the forwards.
   *
   * If the forward has no target, [signal@Vt.Forward::incoming] comes next.
   *
   * Since: 1.0
   */
  signals[SIGNAL_STREAM_OPENED] =
      g_signal_new ("stream-opened", VT_TYPE_CLIENT, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                    G_TYPE_NONE, 1, VT_TYPE_STREAM);
  /**
   * VtClient::stream-closed:
   * @self: the client
   * @stream: the stream
   * @error: (nullable): why it ended, or %NULL if it ended in order
   *
   * A stream is over. This does not come for streams that end because the client goes.
   *
   * Since: 1.0
   */
  signals[SIGNAL_STREAM_CLOSED] =
      g_signal_new ("stream-closed", VT_TYPE_CLIENT, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                    G_TYPE_NONE, 2, VT_TYPE_STREAM, G_TYPE_ERROR);
}

static void
vt_client_class_init (VtClientClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->dispose = vt_client_dispose;
  object_class->finalize = vt_client_finalize;

  vt_client_install_properties (object_class);
  install_signals ();
}

static void
vt_client_init (VtClient *self)
{
  vt_client_init_settings (self);
  vt_client_retry_init (self);
  self->rtt = -1;
  self->request = vt_client_request_new ();
  self->forwards = vt_list_new (VT_TYPE_FORWARD);
  self->streams = vt_list_new (VT_TYPE_STREAM);
  self->listens = g_hash_table_new (NULL, NULL);
  self->unlistens = g_hash_table_new (NULL, NULL);
  self->ending_tunnels = g_ptr_array_new_with_free_func ((GDestroyNotify) vt_client_tunnel_free);
  self->closings = g_ptr_array_new_with_free_func (g_object_unref);
}
