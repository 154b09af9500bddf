/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-client-struct-private.h"

#include "vt-enum-types.h"
#include "vt-negotiation-private.h"

#define DEFAULT_PING_INTERVAL 30
#define DEFAULT_PING_TIMEOUT 15
#define DEFAULT_RECONNECT_MIN 1.0
#define DEFAULT_RECONNECT_MAX 30.0

GParamSpec *vt_client_props[VT_CLIENT_PROP_STREAMS + 1];

/* Those of reconnection. FALSE for any other. */
static gboolean
get_reconnection (VtClient *self, VtClientProp property, GValue *value)
{
  switch (property)
    {
    case VT_CLIENT_PROP_RECONNECT:
      g_value_set_boolean (value, self->reconnect);
      break;
    case VT_CLIENT_PROP_RECONNECT_MIN:
      g_value_set_double (value, self->reconnect_min);
      break;
    case VT_CLIENT_PROP_RECONNECT_MAX:
      g_value_set_double (value, self->reconnect_max);
      break;
    case VT_CLIENT_PROP_RETRY_FIRST:
      g_value_set_boolean (value, self->retry_first);
      break;
    case VT_CLIENT_PROP_NEXT_RETRY:
      g_value_set_int64 (value, self->retry.next);
      break;
    case VT_CLIENT_PROP_N_RESUMED:
      g_value_set_uint (value, self->n_resumed);
      break;
    default:
      return FALSE;
    }
  return TRUE;
}

static void
vt_client_get_property (GObject *object, unsigned int property_id, GValue *value, GParamSpec *pspec)
{
  VtClient *self = VT_CLIENT (object);

  if (get_reconnection (self, (VtClientProp) property_id, value))
    return;
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
    case VT_CLIENT_PROP_PINS:
      g_value_set_boxed (value, self->pins);
      break;
    case VT_CLIENT_PROP_TLS_CERTIFICATE:
      g_value_set_object (value, self->certificate);
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
    case VT_CLIENT_PROP_TLS_CERTIFICATE:
      vt_client_set_tls_certificate (self, g_value_get_object (value));
      break;
    case VT_CLIENT_PROP_TOKEN:
      vt_client_set_token (self, g_value_get_string (value));
      break;
    case VT_CLIENT_PROP_MAX_PROTOCOL:
      vt_client_set_max_protocol (self, g_value_get_uint (value));
      break;
    case VT_CLIENT_PROP_RECONNECT:
      vt_client_set_reconnect (self, g_value_get_boolean (value));
      break;
    case VT_CLIENT_PROP_RECONNECT_MIN:
      vt_client_set_reconnect_min (self, g_value_get_double (value));
      break;
    case VT_CLIENT_PROP_RECONNECT_MAX:
      vt_client_set_reconnect_max (self, g_value_get_double (value));
      break;
    case VT_CLIENT_PROP_RETRY_FIRST:
      vt_client_set_retry_first (self, g_value_get_boolean (value));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, property_id, pspec);
    }
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
   * It takes effect when the client next connects.
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
   * It takes effect when the client next connects.
   *
   * Since: 1.0
   */
  vt_client_props[VT_CLIENT_PROP_PING_TIMEOUT] =
      g_param_spec_uint ("ping-timeout", NULL, NULL, 1, G_MAXUINT16, DEFAULT_PING_TIMEOUT,
                         flags | G_PARAM_READWRITE);
}

static void
install_identity (void)
{
  const GParamFlags flags = G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;

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
   * VtClient:pins: (getter get_pins)
   *
   * The certificates of which the server has to show one, and that are taken whatever else is to be
   * said of them; %NULL where any will do that is trusted otherwise. Set by
   * [method@Vt.Client.set_pins].
   *
   * Since: 1.0
   */
  vt_client_props[VT_CLIENT_PROP_PINS] =
      g_param_spec_boxed ("pins", NULL, NULL, G_TYPE_STRV, flags | G_PARAM_READABLE);
  /**
   * VtClient:tls-certificate: (getter get_tls_certificate) (setter set_tls_certificate)
   *
   * The client's own certificate, with its key, for a server that asks for one; %NULL for none. It
   * takes effect when the client next connects.
   *
   * Since: 1.0
   */
  vt_client_props[VT_CLIENT_PROP_TLS_CERTIFICATE] =
      g_param_spec_object ("tls-certificate", NULL, NULL, G_TYPE_TLS_CERTIFICATE,
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
   * libsoup's defaults. It takes effect when the client next connects.
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
   * VtClient:max-protocol: (getter get_max_protocol) (setter set_max_protocol)
   *
   * The highest version of the protocol that the client offers. With 1 it is what the programs that
   * came before this library speak, whatever the server knows; with 2 the server chooses. It takes
   * effect when the client next connects; what came of it is in [property@Vt.Client:protocol].
   *
   * Since: 1.0
   */
  vt_client_props[VT_CLIENT_PROP_MAX_PROTOCOL] =
      g_param_spec_uint ("max-protocol", NULL, NULL, 1, 2, VT_NEGOTIATION_DEFAULT_MAX,
                         flags | G_PARAM_READWRITE);
}

static void
install_reconnection (void)
{
  const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;

  /**
   * VtClient:reconnect: (getter get_reconnect) (setter set_reconnect)
   *
   * Whether a client that loses its connection tries to get it back. When this becomes %FALSE while
   * it does, the client closes.
   *
   * Since: 1.0
   */
  vt_client_props[VT_CLIENT_PROP_RECONNECT] =
      g_param_spec_boolean ("reconnect", NULL, NULL, TRUE, flags);
  /**
   * VtClient:reconnect-min: (getter get_reconnect_min) (setter set_reconnect_min)
   *
   * The longest that the client waits before it first tries to connect again, in seconds; the
   * shortest is half of it. The same holds for asking again for a forward. It takes effect with the
   * next wait.
   *
   * Since: 1.0
   */
  vt_client_props[VT_CLIENT_PROP_RECONNECT_MIN] =
      g_param_spec_double ("reconnect-min", NULL, NULL, VT_CLIENT_RECONNECT_SHORTEST,
                           VT_CLIENT_RECONNECT_LONGEST, DEFAULT_RECONNECT_MIN, flags);
  /**
   * VtClient:reconnect-max: (getter get_reconnect_max) (setter set_reconnect_max)
   *
   * The longest that the client ever waits before it tries again, in seconds, unless the server
   * asks it to wait longer. It counts where it is below [property@Vt.Client:reconnect-min]. It
   * takes effect with the next wait.
   *
   * Since: 1.0
   */
  vt_client_props[VT_CLIENT_PROP_RECONNECT_MAX] =
      g_param_spec_double ("reconnect-max", NULL, NULL, VT_CLIENT_RECONNECT_SHORTEST,
                           VT_CLIENT_RECONNECT_LONGEST, DEFAULT_RECONNECT_MAX, flags);
  /**
   * VtClient:retry-first: (getter get_retry_first) (setter set_retry_first)
   *
   * Whether opening goes on after an attempt that failed, in the state
   * %VT_CLIENT_STATE_CONNECTING, until it succeeds, or it turns out that it cannot.
   *
   * Since: 1.0
   */
  vt_client_props[VT_CLIENT_PROP_RETRY_FIRST] =
      g_param_spec_boolean ("retry-first", NULL, NULL, FALSE, flags);
}

static void
install_attempts (void)
{
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;

  /**
   * VtClient:next-retry: (getter get_next_retry)
   *
   * When the client next tries to connect, in microseconds as of [func@GLib.get_monotonic_time]; 0
   * unless it waits for that.
   *
   * Since: 1.0
   */
  vt_client_props[VT_CLIENT_PROP_NEXT_RETRY] =
      g_param_spec_int64 ("next-retry", NULL, NULL, 0, G_MAXINT64, 0, flags);
  /**
   * VtClient:n-resumed: (getter get_n_resumed)
   *
   * How often a lost connection was replaced by another one, and the session went on, since the
   * client was last opened.
   *
   * Since: 1.0
   */
  vt_client_props[VT_CLIENT_PROP_N_RESUMED] =
      g_param_spec_uint ("n-resumed", NULL, NULL, 0, G_MAXUINT, 0, flags);
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
   * Why there is no connection: an error of [error@Vt.Error].
   *
   * If the client is closed, it says why; %NULL if it never was open, and if it was closed in order
   * by either side. While it is reconnecting, and while it goes on connecting because of
   * [property@Vt.Client:retry-first], it says why the connection was lost or why the last attempt
   * failed. It is %NULL in the other states.
   *
   * Since: 1.0
   */
  vt_client_props[VT_CLIENT_PROP_ERROR] =
      g_param_spec_boxed ("error", NULL, NULL, G_TYPE_ERROR, flags);
  /**
   * VtClient:protocol: (getter get_protocol)
   *
   * The version of the protocol that both sides speak; 0 while there is no session. While the
   * client is reconnecting, it is that of the session that it hopes to go on with, if there is one.
   *
   * Since: 1.0
   */
  vt_client_props[VT_CLIENT_PROP_PROTOCOL] =
      g_param_spec_uint ("protocol", NULL, NULL, 0, G_MAXUINT, 0, flags);
  /**
   * VtClient:rtt: (getter get_rtt)
   *
   * How long the last message to the server and its answer took, in microseconds; -1 while that is
   * not known. While the client is reconnecting, it stays as it was.
   *
   * Since: 1.0
   */
  vt_client_props[VT_CLIENT_PROP_RTT] =
      g_param_spec_int64 ("rtt", NULL, NULL, -1, G_MAXINT64, -1, flags);
  /**
   * VtClient:last-seen: (getter get_last_seen)
   *
   * When anything came from the server, in microseconds as of [func@GLib.get_monotonic_time]; 0
   * while there is no session, as with [property@Vt.Client:protocol]. It does not notify.
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

void
vt_client_install_properties (GObjectClass *klass)
{
  klass->get_property = vt_client_get_property;
  klass->set_property = vt_client_set_property;

  install_settings ();
  install_identity ();
  install_connection ();
  install_reconnection ();
  install_status ();
  install_attempts ();
  install_lists ();
  g_object_class_install_properties (klass, G_N_ELEMENTS (vt_client_props), vt_client_props);
}

void
vt_client_init_settings (VtClient *self)
{
  self->ping_interval = DEFAULT_PING_INTERVAL;
  self->ping_timeout = DEFAULT_PING_TIMEOUT;
  self->max_protocol = VT_NEGOTIATION_DEFAULT_MAX;
  self->reconnect = TRUE;
  self->reconnect_min = DEFAULT_RECONNECT_MIN;
  self->reconnect_max = DEFAULT_RECONNECT_MAX;
}
