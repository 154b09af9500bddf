/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-server-private.h"

#include "vt-session.h"
#include "vt-stream.h"

#include "vt-close-code-private.h"
#include "vt-negotiation-private.h"

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
 * and so do the ports that it opens for its clients. To serve others than this machine, say who
 * may come, with [property@Vt.Server:access]. See also [property@Vt.Server:allow-anonymous],
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
 * told any more; [method@Vt.Server.close_async] takes leave of the clients first, and
 * [method@Vt.Server.drain_async] lets them finish what they do.
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
  policy->asks_who = self->access != NULL;
  policy->tls_certificate = self->tls_certificate;
  policy->max_head = self->max_head_size;
  policy->request_timeout = (gint64) self->request_timeout * G_TIME_SPAN_SECOND;
  policy->client_authorities = self->client_authorities;
  policy->max_protocol = vt_negotiation_limit (self->max_protocol);
}

static gboolean
recognise_cb (SoupServerMessage *message,
              VtFrontGuest *guest,
              VtUpgradeVerdict *verdict,
              void *user_data)
{
  return vt_server_recognise (user_data, message, guest, verdict);
}

static const char *
get_refusal_cb (const VtFrontGuest *guest, void *user_data)
{
  static const char *const texts[] = {
    [VT_SERVER_FULL] = "This server has as many clients as it takes.\n",
    [VT_SERVER_CROWDED] = "This server has as many clients from this address as it takes.\n",
    [VT_SERVER_LEAVING] = "This server is shutting down.\n",
  };

  VtServerAdmission admission =
      vt_server_get_admission (user_data, guest->protocol, guest->address, guest->grant);

  vt_server_note_admission (user_data, admission);
  return texts[admission];
}

static gboolean
is_ready_cb (void *user_data)
{
  return vt_server_is_ready (user_data);
}

static char *
write_page_cb (VtFrontPage page, void *user_data)
{
  return vt_server_write_page (user_data, page);
}

static void
connected_cb (SoupWebsocketConnection *connection,
              VtGate *gate,
              const VtFrontGuest *guest,
              void *user_data)
{
  vt_server_open_session (user_data, connection, gate, guest->address, guest->grant);
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

  g_clear_pointer (&self->front, vt_front_free);
  g_clear_pointer (&self->host_front, vt_host_front_free);
  g_clear_pointer (&self->drain, vt_timer_free);
  g_hash_table_remove_all (self->arrivals);
  vt_server_drop_work (self);
  vt_server_drop_access (self);
  G_OBJECT_CLASS (vt_server_parent_class)->dispose (object);
}

static void
vt_server_finalize (GObject *object)
{
  VtServer *self = VT_SERVER (object);

  vt_server_clear_settings (self);
  vt_server_clear_access (self);
  vt_server_clear_names (self);
  g_object_unref (self->sessions);
  g_hash_table_unref (self->arrivals);
  g_hash_table_unref (self->names);
  g_hash_table_unref (self->work);
  vt_clock_unref (self->clock);
  vt_counters_unref (self->counters);
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
   * A client has connected, and speaks the protocol. It has no forwards yet. One that comes back to
   * its session is not told of again; see [property@Vt.Session:n-resumed].
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
   * It is asked for forwards of all kinds: see [property@Vt.Forward:listen-kind].
   *
   * Returns: %TRUE to grant the forward, %FALSE to refuse it with %VT_ERROR_PERMISSION_DENIED
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
   * A user has connected to a port of a client's, and the server moves the stream's bytes by
   * itself; or the application has asked for a stream, with
   * [method@Vt.Session.open_stream_async], and has it when the client has answered.
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
    .recognise = recognise_cb,
    .connected = connected_cb,
    .get_refusal = get_refusal_cb,
    .is_ready = is_ready_cb,
    .write_page = write_page_cb,
  };

  vt_server_init_settings (self);
  self->sessions = vt_list_new (VT_TYPE_SESSION);
  self->arrivals = vt_server_new_arrivals ();
  self->work = g_hash_table_new (NULL, NULL);
  self->names = g_hash_table_new (g_str_hash, g_str_equal);
  self->clock = vt_clock_get (NULL);
  self->drain = vt_server_new_drain_timer (self);
  vt_server_init_access (self);
  self->counters = vt_counters_new ();
  self->started_at = g_get_real_time ();
  self->closes = g_ptr_array_new_with_free_func (g_object_unref);
  self->front = vt_front_new (&handlers, self);
  vt_front_set_counters (self->front, self->counters);
  vt_server_init_names (self);
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
 * [property@Vt.Server:tls-certificate]. `GET /health` is answered with `ok`, and `GET /ready` with
 * status 200 while a client is connected, and 503 otherwise. `/metrics` and `/status` show whoever
 * runs the server what happens on it: clients of [property@Vt.Server:access] whose entry says
 * `status=true`, or without access those on the same machine. See also
 * [method@Vt.Server.listen_status].
 *
 * Returns: %TRUE, or %FALSE with %VT_ERROR_ADDRESS_IN_USE, %VT_ERROR_PERMISSION_DENIED (by the
 *   system, or beyond loopback with neither [property@Vt.Server:access] nor
 *   [property@Vt.Server:allow-anonymous]),
 *   %VT_ERROR_INVALID_ARGUMENT (no address of this machine), %VT_ERROR_LIMIT (no descriptors are
 *   left), %VT_ERROR_SHUTTING_DOWN (the server closes or drains) or %VT_ERROR_FAILED
 *
 * Since: 1.0
 */
gboolean
vt_server_listen (VtServer *self, const char *address, guint16 port, GError **error)
{
  g_return_val_if_fail (VT_IS_SERVER (self), FALSE);
  g_return_val_if_fail (self->front != NULL, FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  if (!vt_server_check_running (self, error))
    return FALSE;
  return vt_front_listen (self->front, address != NULL ? address : "localhost", port, error);
}

/**
 * vt_server_listen_socket:
 * @self: a server
 * @socket: a TCP socket, of IPv4 or IPv6, that listens
 * @error: return location for an error
 *
 * Takes clients on a socket that somebody else has opened, such as a service manager, as
 * [method@Vt.Server.listen] does on one of its own. A server can have several.
 *
 * Connections that came before are served, too. The server works with a duplicate, made
 * non-blocking: whoever else has the socket keeps the port open, and may not accept from it
 * meanwhile. Unix sockets are not taken: whether their clients are on this machine only is not to
 * be seen from an address.
 *
 * Returns: %TRUE, or %FALSE with %VT_ERROR_INVALID_ARGUMENT (no TCP socket that listens),
 *   %VT_ERROR_PERMISSION_DENIED (beyond loopback with neither [property@Vt.Server:access] nor
 *   [property@Vt.Server:allow-anonymous]), %VT_ERROR_LIMIT (no descriptors are left),
 *   %VT_ERROR_SHUTTING_DOWN (the server closes or drains) or %VT_ERROR_FAILED
 *
 * Since: 1.0
 */
gboolean
vt_server_listen_socket (VtServer *self, GSocket *socket, GError **error)
{
  g_return_val_if_fail (VT_IS_SERVER (self), FALSE);
  g_return_val_if_fail (self->front != NULL, FALSE);
  g_return_val_if_fail (G_IS_SOCKET (socket), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  if (!vt_server_check_running (self, error))
    return FALSE;
  return vt_front_listen_socket (self->front, g_socket_get_fd (socket), error);
}

/**
 * vt_server_get_ports:
 * @self: a server
 * @n_ports: (out) (optional): return location for the number of ports
 *
 * Gets the ports of [method@Vt.Server.listen] and [method@Vt.Server.listen_socket], in their order:
 * what became of port 0.
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
 * them when their headers had come, by an authentication ([class@Soup.AuthDomain], which a client
 * answers with the name and password in its address) or an early handler; all other requests
 * stay with @server. It should have no WebSocket handler of its own at @path.
 *
 * What [property@Vt.Server:access], [property@Vt.Server:allow-anonymous] and
 * [property@Vt.Server:allowed-origins] say holds here too. How slow and how large
 * requests may be is up to @server.
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
 * Who the client is remains the application's to check, too: [property@Vt.Server:access] is not
 * asked, and the session has no [property@Vt.Session:user].
 *
 * With as many sessions as [property@Vt.Server:max-sessions] allows, and while the server closes or
 * drains, the connection is closed, unless it is one of a client that comes back.
 *
 * Since: 1.0
 */
void
vt_server_handle_connection (VtServer *self, SoupWebsocketConnection *connection)
{
  VtServerAdmission admission;
  GIOStream *stream;
  g_autoptr(GSocketAddress) client = NULL;

  g_return_if_fail (VT_IS_SERVER (self));
  g_return_if_fail (self->front != NULL);
  g_return_if_fail (SOUP_IS_WEBSOCKET_CONNECTION (connection));
  g_return_if_fail (soup_websocket_connection_get_connection_type (connection)
                    == SOUP_WEBSOCKET_CONNECTION_SERVER);
  g_return_if_fail (soup_websocket_connection_get_state (connection) == SOUP_WEBSOCKET_STATE_OPEN);

  stream = soup_websocket_connection_get_io_stream (connection);
  if (G_IS_SOCKET_CONNECTION (stream))
    client = g_socket_connection_get_remote_address (G_SOCKET_CONNECTION (stream), NULL);
  admission =
      vt_server_get_admission (self, vt_negotiation_get_protocol (connection), client, NULL);
  if (admission != VT_SERVER_WELCOME)
    {
      gboolean leaving = admission == VT_SERVER_LEAVING;

      vt_server_note_admission (self, admission);
      soup_websocket_connection_close (connection,
                                       leaving ? SOUP_WEBSOCKET_CLOSE_GOING_AWAY
                                               : VT_CLOSE_TRY_AGAIN,
                                       vt_server_get_refusal (admission));
      return;
    }
  vt_server_open_session (self, g_object_ref (connection), NULL, client, NULL);
}
