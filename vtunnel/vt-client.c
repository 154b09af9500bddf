/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-client.h"

#include "vt-client-struct-private.h"
#include "vt-enum-types.h"
#include "vt-negotiation-private.h"

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
 * ## Lifetime
 *
 * Whoever holds a reference keeps the client alive, and so does a call to open or to close it that
 * is under way. When the client goes, all that it does ends at once: close it first to end in
 * order.
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
 * @VT_CLIENT_STATE_CLOSING: being closed by the application
 *
 * The states of a [class@Vt.Client].
 *
 * Since: 1.0
 */

#define DEFAULT_PING_INTERVAL 30
#define DEFAULT_PING_TIMEOUT 15

enum { SIGNAL_STREAM_OPENED, SIGNAL_STREAM_CLOSED, N_SIGNALS };

static unsigned int signals[N_SIGNALS];

GParamSpec *vt_client_props[VT_CLIENT_PROP_STREAMS + 1];

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
vt_client_get_property (GObject *object, unsigned int property_id, GValue *value, GParamSpec *pspec)
{
  VtClient *self = VT_CLIENT (object);

  switch ((VtClientProp) property_id)
    {
    case VT_CLIENT_PROP_URI:
      g_value_set_string (value, self->uri);
      break;
    case VT_CLIENT_PROP_STATE:
      g_value_set_enum (value, self->state);
      break;
    case VT_CLIENT_PROP_ERROR:
      g_value_set_boxed (value, self->error);
      break;
    case VT_CLIENT_PROP_PING_INTERVAL:
      g_value_set_uint (value, self->ping_interval);
      break;
    case VT_CLIENT_PROP_PING_TIMEOUT:
      g_value_set_uint (value, self->ping_timeout);
      break;
    case VT_CLIENT_PROP_SOUP_SESSION:
      g_value_set_object (value, self->session);
      break;
    case VT_CLIENT_PROP_MAX_PROTOCOL:
      g_value_set_uint (value, self->max_protocol);
      break;
    case VT_CLIENT_PROP_PROTOCOL:
      g_value_set_uint (value, vt_client_get_protocol (self));
      break;
    case VT_CLIENT_PROP_RTT:
      g_value_set_int64 (value, vt_client_get_rtt (self));
      break;
    case VT_CLIENT_PROP_LAST_SEEN:
      g_value_set_int64 (value, vt_client_get_last_seen (self));
      break;
    case VT_CLIENT_PROP_FORWARDS:
      g_value_set_object (value, self->forwards);
      break;
    case VT_CLIENT_PROP_STREAMS:
      g_value_set_object (value, self->streams);
      break;
    case VT_CLIENT_PROP_TOKEN:
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, property_id, pspec);
    }
}

static void
vt_client_set_property (GObject *object,
                        unsigned int property_id,
                        const GValue *value,
                        GParamSpec *pspec)
{
  VtClient *self = VT_CLIENT (object);

  switch ((VtClientProp) property_id)
    {
    case VT_CLIENT_PROP_URI:
      self->uri = g_value_dup_string (value);
      break;
    case VT_CLIENT_PROP_PING_INTERVAL:
      vt_client_set_ping_interval (self, g_value_get_uint (value));
      break;
    case VT_CLIENT_PROP_PING_TIMEOUT:
      vt_client_set_ping_timeout (self, g_value_get_uint (value));
      break;
    case VT_CLIENT_PROP_SOUP_SESSION:
      vt_client_set_soup_session (self, g_value_get_object (value));
      break;
    case VT_CLIENT_PROP_TOKEN:
      vt_client_set_token (self, g_value_get_string (value));
      break;
    case VT_CLIENT_PROP_MAX_PROTOCOL:
      vt_client_set_max_protocol (self, g_value_get_uint (value));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, property_id, pspec);
    }
}

static void
vt_client_dispose (GObject *object)
{
  VtClient *self = VT_CLIENT (object);

  vt_client_end (self);
  g_clear_object (&self->session);
  g_clear_object (&self->own_session);
  G_OBJECT_CLASS (vt_client_parent_class)->dispose (object);
}

static void
vt_client_finalize (GObject *object)
{
  VtClient *self = VT_CLIENT (object);

  g_clear_object (&self->forwards);
  g_clear_object (&self->streams);
  g_clear_pointer (&self->listens, g_hash_table_unref);
  g_clear_pointer (&self->unlistens, g_hash_table_unref);
  g_clear_pointer (&self->ending_tunnels, g_ptr_array_unref);
  g_clear_pointer (&self->closings, g_ptr_array_unref);
  g_clear_pointer (&self->request, vt_client_request_free);
  g_clear_pointer (&self->uri, g_free);
  g_clear_error (&self->error);
  G_OBJECT_CLASS (vt_client_parent_class)->finalize (object);
}

static void
install_settings (void)
{
  const GParamFlags flags = G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;

  /**
   * VtClient:uri: (getter get_uri)
   *
   * The server's address, as `wss://tunnel.example.org/`. `ws`, `wss`, `http` and `https` are
   * taken; the latter two mean the former.
   *
   * Since: 1.0
   */
  vt_client_props[VT_CLIENT_PROP_URI] =
      g_param_spec_string ("uri", NULL, NULL, NULL,
                           flags | G_PARAM_READWRITE | G_PARAM_CONSTRUCT_ONLY);
  /**
   * VtClient:ping-interval: (getter get_ping_interval) (setter set_ping_interval)
   *
   * How often the client makes sure that the server is still there, in seconds; 0 turns that off.
   * It takes effect when the client is next opened.
   *
   * Since: 1.0
   */
  vt_client_props[VT_CLIENT_PROP_PING_INTERVAL] =
      g_param_spec_uint ("ping-interval", NULL, NULL, 0, G_MAXUINT16, DEFAULT_PING_INTERVAL,
                         flags | G_PARAM_READWRITE);
  /**
   * VtClient:ping-timeout: (getter get_ping_timeout) (setter set_ping_timeout)
   *
   * How long the server may take to show any sign of life after it was asked for one, in seconds.
   * It takes effect when the client is next opened.
   *
   * Since: 1.0
   */
  vt_client_props[VT_CLIENT_PROP_PING_TIMEOUT] =
      g_param_spec_uint ("ping-timeout", NULL, NULL, 1, G_MAXUINT16, DEFAULT_PING_TIMEOUT,
                         flags | G_PARAM_READWRITE);
}

static void
install_connection (void)
{
  const GParamFlags flags = G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;

  /**
   * VtClient:soup-session: (getter get_soup_session) (setter set_soup_session)
   *
   * What the client connects through: it brings the proxy, the TLS database, cookies, credentials
   * and a logger. Nothing of it is changed. With %NULL the client uses one of its own, with
   * libsoup's defaults. It takes effect when the client is next opened.
   *
   * Its TLS database is also what the certificates of `tls://` targets are verified with. Targets
   * are never reached through its proxy.
   *
   * Since: 1.0
   */
  vt_client_props[VT_CLIENT_PROP_SOUP_SESSION] =
      g_param_spec_object ("soup-session", NULL, NULL, SOUP_TYPE_SESSION,
                           flags | G_PARAM_READWRITE);
  /**
   * VtClient:token: (setter set_token)
   *
   * The secret that the server knows the client by. It can be written only.
   *
   * Since: 1.0
   */
  vt_client_props[VT_CLIENT_PROP_TOKEN] =
      g_param_spec_string ("token", NULL, NULL, NULL, flags | G_PARAM_WRITABLE);
  /**
   * VtClient:max-protocol: (getter get_max_protocol) (setter set_max_protocol)
   *
   * The highest version of the protocol that the client offers. With 1 it is what the programs that
   * came before this library speak, whatever the server knows; with 2 the server chooses. It takes
   * effect when the client is next opened; what came of it is in [property@Vt.Client:protocol].
   *
   * Since: 1.0
   */
  vt_client_props[VT_CLIENT_PROP_MAX_PROTOCOL] =
      g_param_spec_uint ("max-protocol", NULL, NULL, 1, 2, VT_NEGOTIATION_DEFAULT_MAX,
                         flags | G_PARAM_READWRITE);
}

static void
install_status (void)
{
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;

  /**
   * VtClient:state: (getter get_state)
   *
   * Whether there is a tunnel.
   *
   * Since: 1.0
   */
  vt_client_props[VT_CLIENT_PROP_STATE] =
      g_param_spec_enum ("state", NULL, NULL, VT_TYPE_CLIENT_STATE, VT_CLIENT_STATE_CLOSED, flags);
  /**
   * VtClient:error: (getter get_error)
   *
   * Why the client is closed: an error of [error@Vt.Error]. %NULL while it is not, if it never was
   * open, and if it was closed in order by either side.
   *
   * Since: 1.0
   */
  vt_client_props[VT_CLIENT_PROP_ERROR] =
      g_param_spec_boxed ("error", NULL, NULL, G_TYPE_ERROR, flags);
  /**
   * VtClient:protocol: (getter get_protocol)
   *
   * The version of the protocol that both sides speak, 0 while the client is not open.
   *
   * Since: 1.0
   */
  vt_client_props[VT_CLIENT_PROP_PROTOCOL] =
      g_param_spec_uint ("protocol", NULL, NULL, 0, G_MAXUINT, 0, flags);
  /**
   * VtClient:rtt: (getter get_rtt)
   *
   * How long the last message to the server and its answer took, in microseconds; -1 while that is
   * not known.
   *
   * Since: 1.0
   */
  vt_client_props[VT_CLIENT_PROP_RTT] =
      g_param_spec_int64 ("rtt", NULL, NULL, -1, G_MAXINT64, -1, flags);
  /**
   * VtClient:last-seen: (getter get_last_seen)
   *
   * When anything came from the server, in microseconds as of [func@GLib.get_monotonic_time]; 0
   * while the client is not open. It does not notify.
   *
   * Since: 1.0
   */
  vt_client_props[VT_CLIENT_PROP_LAST_SEEN] =
      g_param_spec_int64 ("last-seen", NULL, NULL, 0, G_MAXINT64, 0, flags);
}

static void
install_lists (void)
{
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;

  /**
   * VtClient:forwards: (getter get_forwards)
   *
   * The [class@Vt.Forward]s that the server listens for, or is or will be asked to.
   *
   * Since: 1.0
   */
  vt_client_props[VT_CLIENT_PROP_FORWARDS] =
      g_param_spec_object ("forwards", NULL, NULL, G_TYPE_LIST_MODEL, flags);
  /**
   * VtClient:streams: (getter get_streams)
   *
   * The [class@Vt.Stream]s that are open. The list keeps none of them alive.
   *
   * Since: 1.0
   */
  vt_client_props[VT_CLIENT_PROP_STREAMS] =
      g_param_spec_object ("streams", NULL, NULL, G_TYPE_LIST_MODEL, flags);
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

  object_class->get_property = vt_client_get_property;
  object_class->set_property = vt_client_set_property;
  object_class->dispose = vt_client_dispose;
  object_class->finalize = vt_client_finalize;

  install_settings ();
  install_connection ();
  install_status ();
  install_lists ();
  g_object_class_install_properties (object_class, G_N_ELEMENTS (vt_client_props), vt_client_props);
  install_signals ();
}

static void
vt_client_init (VtClient *self)
{
  self->ping_interval = DEFAULT_PING_INTERVAL;
  self->ping_timeout = DEFAULT_PING_TIMEOUT;
  self->max_protocol = VT_NEGOTIATION_DEFAULT_MAX;
  self->request = vt_client_request_new ();
  self->forwards = vt_list_new (VT_TYPE_FORWARD);
  self->streams = vt_list_new (VT_TYPE_STREAM);
  self->listens = g_hash_table_new (NULL, NULL);
  self->unlistens = g_hash_table_new (NULL, NULL);
  self->ending_tunnels = g_ptr_array_new_with_free_func ((GDestroyNotify) vt_client_tunnel_free);
  self->closings = g_ptr_array_new_with_free_func (g_object_unref);
}
