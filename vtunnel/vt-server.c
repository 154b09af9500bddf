/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-server-private.h"

#include <string.h>

#include <glib/gi18n-lib.h>
#include "vt-error.h"
#include "vt-session.h"
#include "vt-stream.h"

#include "vt-negotiation-private.h"
#include "vt-server-session-private.h"
#include "vt-source-private.h"

/**
 * VtServer:
 *
 * The side of the tunnel that users can reach: takes clients, and opens ports for them.
 *
 * Clients come in on ports that the server opens itself, by [method@Vt.Server.listen], or through
 * a [class@Soup.Server] that the application has anyway, by [method@Vt.Server.attach]. Each
 * client is a [class@Vt.Session], each port that it asks for a [class@Vt.Forward], each
 * connection that comes to such a port a [class@Vt.Stream]; the server makes all of these by
 * itself, and tells by signals.
 *
 * A new server is safe rather than useful to everybody: it listens on loopback addresses only,
 * and so do the ports that it opens for its clients. See [property@Vt.Server:allow-anonymous],
 * [property@Vt.Server:bind-address], [property@Vt.Server:allowed-ports] and
 * [signal@Vt.Server::listen-requested].
 *
 * ```c
 * g_autoptr(VtServer) server = vt_server_new ();
 * g_autoptr(GError) error = NULL;
 *
 * if (!vt_server_listen (server, "localhost", 8080, &error))
 *   g_error ("%s", error->message);
 * g_signal_connect (server, "session-opened", G_CALLBACK (session_opened_cb), NULL);
 * g_main_loop_run (loop);
 * ```
 *
 * A server works in the thread-default main context of the moment in which it was made, and is used
 * from that thread only. When the last reference is dropped, everything ends at once and nothing is
 * told any more; [method@Vt.Server.close_async] takes leave of the clients first.
 *
 * Since: 1.0
 */

unsigned int vt_server_signals[VT_SERVER_SIGNAL_STREAM_CLOSED + 1];

G_DEFINE_FINAL_TYPE (VtServer, vt_server, G_TYPE_OBJECT)

static void
get_policy_cb (VtFrontPolicy *policy, void *user_data)
{
  VtServer *self = user_data;

  policy->path = self->path;
  policy->allowed_origins = (const char *const *) self->allowed_origins;
  policy->allow_anonymous = self->allow_anonymous;
  policy->tls_certificate = self->tls_certificate;
  policy->max_protocol = vt_negotiation_limit (self->max_protocol);
}

static gboolean
is_full_cb (void *user_data)
{
  VtServer *self = user_data;

  return vt_server_is_closing (self) || g_hash_table_size (self->work) >= self->max_sessions;
}

static void
connected_cb (SoupWebsocketConnection *connection,
              VtGate *gate,
              GSocketAddress *client,
              void *user_data)
{
  vt_server_open_session (user_data, connection, gate, client);
}

static gboolean
vt_server_real_listen_requested (VtServer *self, VtSession *session, VtForward *forward)
{
  return TRUE;
}

static void
vt_server_dispose (GObject *object)
{
  VtServer *self = VT_SERVER (object);
  GHashTableIter iter;
  void *work;

  g_clear_pointer (&self->front, vt_front_free);
  g_hash_table_iter_init (&iter, self->work);
  while (g_hash_table_iter_next (&iter, &work, NULL))
    {
      g_hash_table_iter_steal (&iter);
      vt_list_remove (self->sessions, vt_server_session_get_session (work));
      vt_server_session_free (work);
      /* Whoever watches a list or a forward is still told, and could do anything. */
      g_hash_table_iter_init (&iter, self->work);
    }
  G_OBJECT_CLASS (vt_server_parent_class)->dispose (object);
}

static void
vt_server_finalize (GObject *object)
{
  VtServer *self = VT_SERVER (object);

  vt_server_clear_settings (self);
  g_object_unref (self->sessions);
  g_hash_table_unref (self->work);
  g_ptr_array_unref (self->closes);
  G_OBJECT_CLASS (vt_server_parent_class)->finalize (object);
}

static void
define_session_signals (GType type)
{
  /**
   * VtServer::session-opened:
   * @self: the server
   * @session: the new session
   *
   * A client has connected, and speaks the protocol. It has no forwards yet.
   *
   * Since: 1.0
   */
  vt_server_signals[VT_SERVER_SIGNAL_SESSION_OPENED] =
      g_signal_new ("session-opened", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1,
                    VT_TYPE_SESSION);

  /**
   * VtServer::session-closed:
   * @self: the server
   * @session: the session
   * @error: (nullable): why it ended, or %NULL if the client or [method@Vt.Session.close] ended it
   *
   * A session is over. Its streams were told of before, and its ports are closed.
   *
   * Since: 1.0
   */
  vt_server_signals[VT_SERVER_SIGNAL_SESSION_CLOSED] =
      g_signal_new ("session-closed", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 2,
                    VT_TYPE_SESSION, G_TYPE_ERROR);

  /**
   * VtServer::listen-requested:
   * @self: the server
   * @session: the client's session
   * @forward: what it asks for
   *
   * A client asks for a port, which the server's settings allow. The port is not open yet. The
   * first handler decides; without any, every request is granted. A handler that throws an
   * exception, in a language that has them, denies the request.
   *
   * Returns: %TRUE to open the port, %FALSE to refuse it with %VT_ERROR_PERMISSION_DENIED
   *
   * Since: 1.0
   */
  vt_server_signals[VT_SERVER_SIGNAL_LISTEN_REQUESTED] =
      g_signal_new_class_handler ("listen-requested", type, G_SIGNAL_RUN_LAST,
                                  G_CALLBACK (vt_server_real_listen_requested),
                                  g_signal_accumulator_first_wins, NULL, NULL, G_TYPE_BOOLEAN, 2,
                                  VT_TYPE_SESSION, VT_TYPE_FORWARD);
}

static void
define_stream_signals (GType type)
{
  /**
   * VtServer::stream-opened:
   * @self: the server
   * @session: the session of the client that the stream goes to
   * @stream: the new stream
   *
   * A user has connected to a port of a client's. The server moves the stream's bytes by itself.
   *
   * Since: 1.0
   */
  vt_server_signals[VT_SERVER_SIGNAL_STREAM_OPENED] =
      g_signal_new ("stream-opened", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 2,
                    VT_TYPE_SESSION, VT_TYPE_STREAM);

  /**
   * VtServer::stream-closed:
   * @self: the server
   * @session: the session
   * @stream: the stream
   * @error: (nullable): why it broke off, or %NULL if it ended in order
   *
   * A stream is over.
   *
   * Since: 1.0
   */
  vt_server_signals[VT_SERVER_SIGNAL_STREAM_CLOSED] =
      g_signal_new ("stream-closed", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 3,
                    VT_TYPE_SESSION, VT_TYPE_STREAM, G_TYPE_ERROR);
}

static void
vt_server_class_init (VtServerClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->dispose = vt_server_dispose;
  object_class->finalize = vt_server_finalize;
  vt_server_install_properties (object_class);
  define_session_signals (G_TYPE_FROM_CLASS (klass));
  define_stream_signals (G_TYPE_FROM_CLASS (klass));
}

static void
vt_server_init (VtServer *self)
{
  static const VtFrontHandlers handlers = {
    .get_policy = get_policy_cb,
    .connected = connected_cb,
    .is_full = is_full_cb,
  };

  vt_server_init_settings (self);
  self->sessions = vt_list_new (VT_TYPE_SESSION);
  self->work = g_hash_table_new (NULL, NULL);
  self->closes = g_ptr_array_new_with_free_func (g_object_unref);
  self->front = vt_front_new (&handlers, self);
}

/**
 * vt_server_new:
 *
 * Creates a server, which takes no clients yet.
 *
 * It works in the thread-default main context of this moment.
 *
 * Returns: (transfer full): a new server
 *
 * Since: 1.0
 */
VtServer *
vt_server_new (void)
{
  return g_object_new (VT_TYPE_SERVER, NULL);
}

/**
 * vt_server_listen:
 * @self: a server
 * @address: (nullable): a literal address, `localhost` (both loopback addresses, 127.0.0.1 and ::1)
 *   or `*` (all addresses); %NULL is `localhost`
 * @port: a TCP port, or 0 for any that is free
 * @error: return location for an error
 *
 * Opens a port for clients to connect to. A server can have several.
 *
 * Clients connect with `ws:`, or with `wss:` if there is a
 * [property@Vt.Server:tls-certificate]. `GET /health` is answered with `ok`.
 *
 * Returns: %TRUE, or %FALSE with %VT_ERROR_ADDRESS_IN_USE, %VT_ERROR_PERMISSION_DENIED (by the
 *   system, or beyond loopback without [property@Vt.Server:allow-anonymous]),
 *   %VT_ERROR_INVALID_ARGUMENT (no address of this machine), %VT_ERROR_LIMIT (no descriptors are
 *   left), %VT_ERROR_SHUTTING_DOWN (the server is closing) or %VT_ERROR_FAILED
 *
 * Since: 1.0
 */
gboolean
vt_server_listen (VtServer *self, const char *address, guint16 port, GError **error)
{
  g_return_val_if_fail (VT_IS_SERVER (self), FALSE);
  g_return_val_if_fail (self->front != NULL, FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  if (vt_server_is_closing (self))
    {
      g_set_error_literal (error, VT_ERROR, VT_ERROR_SHUTTING_DOWN, _ ("The server is closing"));
      return FALSE;
    }
  return vt_front_listen (self->front, address != NULL ? address : "localhost", port, error);
}

/**
 * vt_server_get_ports:
 * @self: a server
 * @n_ports: (out) (optional): return location for the number of ports
 *
 * Gets the ports that [method@Vt.Server.listen] has opened, in their order: what became of port 0.
 *
 * Returns: (transfer full) (array length=n_ports) (nullable): the ports, or %NULL if there are none
 *
 * Since: 1.0
 */
guint16 *
vt_server_get_ports (VtServer *self, size_t *n_ports)
{
  GArray *ports;

  g_return_val_if_fail (VT_IS_SERVER (self), NULL);

  ports = self->front != NULL ? vt_front_get_ports (self->front) : NULL;
  if (n_ports != NULL)
    *n_ports = ports != NULL ? ports->len : 0;
  return ports != NULL ? g_memdup2 (ports->data, ports->len * sizeof (guint16)) : NULL;
}

/**
 * vt_server_attach:
 * @self: a server
 * @server: an HTTP server of the application's
 * @path: the path at which clients connect, which begins with `/`
 *
 * Takes clients through an HTTP server that the application has anyway.
 *
 * Requests for exactly @path that ask for a WebSocket are clients', unless @server has answered
 * them when their headers had come, by an authentication or an early handler; all other requests
 * stay with @server. It should have no WebSocket handler of its own at @path.
 *
 * What [property@Vt.Server:allow-anonymous] and [property@Vt.Server:allowed-origins] say holds here
 * too. How slow and how large requests may be is up to @server.
 *
 * Since: 1.0
 */
void
vt_server_attach (VtServer *self, SoupServer *server, const char *path)
{
  g_return_if_fail (VT_IS_SERVER (self));
  g_return_if_fail (self->front != NULL);
  g_return_if_fail (SOUP_IS_SERVER (server));
  g_return_if_fail (path != NULL && path[0] == '/');

  vt_front_attach (self->front, server, path);
}

/**
 * vt_server_handle_connection:
 * @self: a server
 * @connection: the server's side of a WebSocket, which is open
 *
 * Takes a client whose WebSocket the application has accepted, and checked, by itself.
 *
 * Nothing of the application's may send on it or listen to it any more. Prefer
 * [method@Vt.Server.listen] or [method@Vt.Server.attach] where possible: with a connection that was
 * made elsewhere, the server cannot know how much is waiting to be sent, cannot pause a client that
 * sends more than users read, and cannot keep a busy client from holding up the main context. So
 * what it needs of memory is not bounded.
 *
 * The application also decides on the protocol: version 2 is spoken if the subprotocol
 * `vtunnel.v2` was agreed upon ([method@Soup.WebsocketConnection.get_protocol]), and version 1 with
 * any other connection. To offer it, name it in the `protocols` of
 * [method@Soup.Server.add_websocket_handler], which then refuses clients that ask for other
 * subprotocols only, and takes those that ask for none. [property@Vt.Server:max-protocol] has no
 * say here.
 *
 * With as many sessions as [property@Vt.Server:max-sessions] allows, and while the server closes,
 * the connection is closed.
 *
 * Since: 1.0
 */
void
vt_server_handle_connection (VtServer *self, SoupWebsocketConnection *connection)
{
  GIOStream *stream;
  g_autoptr(GSocketAddress) client = NULL;

  g_return_if_fail (VT_IS_SERVER (self));
  g_return_if_fail (self->front != NULL);
  g_return_if_fail (SOUP_IS_WEBSOCKET_CONNECTION (connection));
  g_return_if_fail (soup_websocket_connection_get_connection_type (connection)
                    == SOUP_WEBSOCKET_CONNECTION_SERVER);
  g_return_if_fail (soup_websocket_connection_get_state (connection) == SOUP_WEBSOCKET_STATE_OPEN);

  if (is_full_cb (self))
    {
      soup_websocket_connection_close (connection,
                                       vt_server_is_closing (self)
                                           ? SOUP_WEBSOCKET_CLOSE_GOING_AWAY
                                           : SOUP_WEBSOCKET_CLOSE_POLICY_VIOLATION,
                                       vt_server_is_closing (self) ? "shutting down"
                                                                   : "too many clients");
      return;
    }
  stream = soup_websocket_connection_get_io_stream (connection);
  if (G_IS_SOCKET_CONNECTION (stream))
    client = g_socket_connection_get_remote_address (G_SOCKET_CONNECTION (stream), NULL);
  vt_server_open_session (self, g_object_ref (connection), NULL, client);
}

static gboolean
close_cancelled_cb (GCancellable *cancellable, gpointer user_data)
{
  g_autoptr(GTask) task = g_object_ref (user_data);
  VtServer *self = g_task_get_source_object (task);

  if (g_ptr_array_remove (self->closes, task))
    g_task_return_error_if_cancelled (task);
  return G_SOURCE_REMOVE;
}

/**
 * vt_server_close_async:
 * @self: a server
 * @cancellable: (nullable): a cancellable
 * @callback: (scope async) (closure user_data): called when the server is closed
 * @user_data: data for @callback
 *
 * Closes the server's ports, leaves the HTTP servers that it is attached to, and ends all sessions.
 *
 * Clients are told that the server shuts down; those that do not answer are cut off after 5
 * seconds. Afterwards the server can listen again. Cancelling ends only the waiting, not the
 * closing.
 *
 * Since: 1.0
 */
void
vt_server_close_async (VtServer *self,
                       GCancellable *cancellable,
                       GAsyncReadyCallback callback,
                       gpointer user_data)
{
  GTask *task;
  GHashTableIter iter;
  void *work;

  g_return_if_fail (VT_IS_SERVER (self));
  g_return_if_fail (self->front != NULL);
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, vt_server_close_async);
  if (cancellable != NULL)
    g_task_set_task_data (task, vt_source_watch_cancellable (cancellable, close_cancelled_cb, task),
                          vt_source_destroy);
  g_ptr_array_add (self->closes, task);
  vt_front_stop (self->front);
  /* Each ends in a later dispatch. */
  g_hash_table_iter_init (&iter, self->work);
  while (g_hash_table_iter_next (&iter, &work, NULL))
    vt_server_session_close (work, SOUP_WEBSOCKET_CLOSE_GOING_AWAY, "shutting down");
  vt_server_complete_closes (self);
}

/**
 * vt_server_close_finish:
 * @self: a server
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Finishes what [method@Vt.Server.close_async] began.
 *
 * Returns: %TRUE once the server is closed, or %FALSE with %G_IO_ERROR_CANCELLED if the waiting was
 *   cancelled
 *
 * Since: 1.0
 */
gboolean
vt_server_close_finish (VtServer *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (VT_IS_SERVER (self), FALSE);
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);

  return g_task_propagate_boolean (G_TASK (result), error);
}
