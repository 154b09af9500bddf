/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-server-private.h"

#include "vt-negotiation-private.h"

GParamSpec *vt_server_props[VT_SERVER_PROP_SESSIONS + 1];

/* As whom clients and users come. */
static gboolean
get_access (VtServer *self, VtServerProperty property, GValue *value)
{
  switch (property)
    {
    case VT_SERVER_PROP_ACCESS:
      g_value_set_object (value, self->access);
      break;
    case VT_SERVER_PROP_TRUSTED_PROXIES:
      g_value_set_boxed (value, self->proxy_texts);
      break;
    case VT_SERVER_PROP_CLIENT_AUTHORITIES:
      g_value_set_object (value, self->client_authorities);
      break;
    case VT_SERVER_PROP_PROXY_PROTOCOL_PORTS:
      g_value_set_string (value, vt_server_get_proxy_protocol_ports (self));
      break;
    default:
      return FALSE;
    }
  return TRUE;
}

static void
vt_server_get_property (GObject *object, unsigned int property_id, GValue *value, GParamSpec *pspec)
{
  VtServer *self = VT_SERVER (object);
  unsigned int *limit;

  if (get_access (self, (VtServerProperty) property_id, value)
      || vt_server_get_names_property (self, (VtServerProperty) property_id, value))
    return;
  switch ((VtServerProperty) property_id)
    {
    case VT_SERVER_PROP_PATH:
      g_value_set_string (value, self->path);
      break;
    case VT_SERVER_PROP_BIND_ADDRESS:
      g_value_set_string (value, self->bind_address);
      break;
    case VT_SERVER_PROP_ALLOWED_PORTS:
      g_value_set_string (value, vt_server_get_allowed_ports (self));
      break;
    case VT_SERVER_PROP_ALLOWED_ORIGINS:
      g_value_set_boxed (value, self->allowed_origins);
      break;
    case VT_SERVER_PROP_ALLOW_ANONYMOUS:
      g_value_set_boolean (value, self->allow_anonymous);
      break;
    case VT_SERVER_PROP_ALLOW_STREAMS:
      g_value_set_boolean (value, self->allow_streams);
      break;
    case VT_SERVER_PROP_TLS_CERTIFICATE:
      g_value_set_object (value, self->tls_certificate);
      break;
    case VT_SERVER_PROP_PING_INTERVAL:
      g_value_set_uint (value, self->ping_interval);
      break;
    case VT_SERVER_PROP_PING_TIMEOUT:
      g_value_set_uint (value, self->ping_timeout);
      break;
    case VT_SERVER_PROP_RESUME_TIMEOUT:
      g_value_set_uint (value, self->resume_timeout);
      break;
    case VT_SERVER_PROP_MAX_BUFFER:
      g_value_set_uint64 (value, self->max_buffer);
      break;
    case VT_SERVER_PROP_MAX_PROTOCOL:
      g_value_set_uint (value, self->max_protocol);
      break;
    case VT_SERVER_PROP_SESSIONS:
      g_value_set_object (value, self->sessions);
      break;
    default:
      limit = vt_server_find_limit (self, property_id);
      if (limit != NULL)
        g_value_set_uint (value, *limit);
      else
        G_OBJECT_WARN_INVALID_PROPERTY_ID (object, property_id, pspec);
    }
}

static void
vt_server_set_property (GObject *object,
                        unsigned int property_id,
                        const GValue *value,
                        GParamSpec *pspec)
{
  VtServer *self = VT_SERVER (object);
  unsigned int *limit;

  switch ((VtServerProperty) property_id)
    {
    case VT_SERVER_PROP_PATH:
      vt_server_set_path (self, g_value_get_string (value));
      break;
    case VT_SERVER_PROP_BIND_ADDRESS:
      vt_server_set_bind_address (self, g_value_get_string (value));
      break;
    case VT_SERVER_PROP_ALLOWED_ORIGINS:
      vt_server_set_allowed_origins (self, g_value_get_boxed (value));
      break;
    case VT_SERVER_PROP_ALLOW_ANONYMOUS:
      vt_server_set_allow_anonymous (self, g_value_get_boolean (value));
      break;
    case VT_SERVER_PROP_ALLOW_STREAMS:
      vt_server_set_allow_streams (self, g_value_get_boolean (value));
      break;
    case VT_SERVER_PROP_ACCESS:
      vt_server_set_access (self, g_value_get_object (value));
      break;
    case VT_SERVER_PROP_TLS_CERTIFICATE:
      vt_server_set_tls_certificate (self, g_value_get_object (value));
      break;
    case VT_SERVER_PROP_CLIENT_AUTHORITIES:
      vt_server_set_client_authorities (self, g_value_get_object (value));
      break;
    case VT_SERVER_PROP_PING_INTERVAL:
      vt_server_set_ping_interval (self, g_value_get_uint (value));
      break;
    case VT_SERVER_PROP_PING_TIMEOUT:
      vt_server_set_ping_timeout (self, g_value_get_uint (value));
      break;
    case VT_SERVER_PROP_RESUME_TIMEOUT:
      vt_server_set_resume_timeout (self, g_value_get_uint (value));
      break;
    case VT_SERVER_PROP_MAX_BUFFER:
      vt_server_set_max_buffer (self, g_value_get_uint64 (value));
      break;
    case VT_SERVER_PROP_MAX_PROTOCOL:
      vt_server_set_max_protocol (self, g_value_get_uint (value));
      break;
    default:
      limit = vt_server_find_limit (self, property_id);
      if (limit != NULL)
        vt_server_set_number (self, limit, g_value_get_uint (value), property_id);
      else
        G_OBJECT_WARN_INVALID_PROPERTY_ID (object, property_id, pspec);
    }
}

#define READABLE (G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY)
#define WRITABLE (G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY)

/* Where the server is to be found, and what it opens. */
static void
define_places (void)
{
  /**
   * VtServer:path: (getter get_path) (setter set_path)
   *
   * The path of the URI that clients connect to, on the ports that [method@Vt.Server.listen] opens;
   * `/` takes any path. `/health` is never a client's: it answers `ok`, for those who watch whether
   * the server is up.
   *
   * Since: 1.0
   */
  vt_server_props[VT_SERVER_PROP_PATH] =
      g_param_spec_string ("path", NULL, NULL, VT_SERVER_DEFAULT_PATH, WRITABLE);

  /**
   * VtServer:bind-address: (getter get_bind_address) (setter set_bind_address)
   *
   * Where the ports for clients are opened: a literal address, `localhost` (both loopback
   * addresses, 127.0.0.1 and ::1) or `*` (all addresses).
   *
   * A client that asks for an address of its own, as version 2 of the protocol lets it, gets it if
   * this covers it, and is refused with %VT_ERROR_PERMISSION_DENIED if not.
   *
   * Beyond loopback nothing is opened for clients while [property@Vt.Server:allow-anonymous] is
   * %FALSE: they are refused with %VT_ERROR_PERMISSION_DENIED.
   *
   * For a client that came in by [property@Vt.Server:access] its entry decides: where that says
   * nothing, this counts if it is loopback, and `localhost` if not.
   *
   * Since: 1.0
   */
  vt_server_props[VT_SERVER_PROP_BIND_ADDRESS] =
      g_param_spec_string ("bind-address", NULL, NULL, VT_SERVER_DEFAULT_BIND_ADDRESS, WRITABLE);

  /**
   * VtServer:allowed-ports: (getter get_allowed_ports)
   *
   * The ports that clients may ask for, such as `80,443,8000-8999`. Port 0, with which the server
   * picks a free one, may always be asked for. Set by [method@Vt.Server.set_allowed_ports].
   *
   * A client that came in by [property@Vt.Server:access] has the ports that its entry names
   * instead, or else those of these from 1024 on.
   *
   * Since: 1.0
   */
  vt_server_props[VT_SERVER_PROP_ALLOWED_PORTS] =
      g_param_spec_string ("allowed-ports", NULL, NULL, VT_SERVER_DEFAULT_PORTS, READABLE);
}

static void
define_fronts (void)
{
  /**
   * VtServer:proxy-protocol-ports: (getter get_proxy_protocol_ports)
   *
   * The ports, written as in [property@Vt.Server:allowed-ports], to which users come through a
   * proxy that speaks the PROXY protocol; %NULL for none. Set by
   * [method@Vt.Server.set_proxy_protocol_ports].
   *
   * The ports are those of clients, and those of [method@Vt.Server.listen_http]. A connection to
   * such a port has to begin with the header of version 1 or 2, within 5 seconds, or it is reset.
   * What it says is [property@Vt.Stream:user-address] then, on both sides. Whoever reaches the port
   * can say anything there, so only the proxy should.
   *
   * Since: 1.0
   */
  vt_server_props[VT_SERVER_PROP_PROXY_PROTOCOL_PORTS] =
      g_param_spec_string ("proxy-protocol-ports", NULL, NULL, NULL, READABLE);
}

/* What the application opens itself. */
static void
define_streams (void)
{
  /**
   * VtServer:allow-streams: (getter get_allow_streams) (setter set_allow_streams)
   *
   * Whether clients may have forwards of the kind %VT_LISTEN_KIND_NONE: no port is opened for them,
   * and the application opens their streams, with [method@Vt.Session.open_stream_async].
   *
   * While this is %FALSE they are refused with %VT_ERROR_INVALID_ARGUMENT. An application that sets
   * it says that it will use them. [property@Vt.Server:allowed-ports] and
   * [property@Vt.Server:bind-address] have no say over such forwards;
   * [property@Vt.Server:max-forwards] and [signal@Vt.Server::listen-requested] do.
   *
   * Since: 1.0
   */
  vt_server_props[VT_SERVER_PROP_ALLOW_STREAMS] =
      g_param_spec_boolean ("allow-streams", NULL, NULL, FALSE, WRITABLE);
}

/* As whom they may come. */
static void
define_access (void)
{
  /**
   * VtServer:access: (getter get_access) (setter set_access)
   *
   * Who may be a client, and what each of them may do; %NULL asks nobody for a token.
   *
   * With it, a client has to show a valid token, as [method@Vt.Client.set_token] does, or its name
   * and the token by HTTP's Basic authentication. [property@Vt.Session:user] then is its name.
   * Whoever cannot is answered with 401, and with 429 for a while if wrong tokens keep coming from
   * its address. The server may listen beyond loopback then. What a client may open is said by its
   * entry, and by [property@Vt.Server:bind-address] and [property@Vt.Server:allowed-ports] only
   * where that says nothing.
   *
   * What a proxy has forwarded is refused, unless it is one of
   * [property@Vt.Server:trusted-proxies].
   *
   * When it changes, a client whose entry or token is gone, or whose time is over, is sent away.
   *
   * Since: 1.0
   */
  vt_server_props[VT_SERVER_PROP_ACCESS] =
      g_param_spec_object ("access", NULL, NULL, VT_TYPE_ACCESS, WRITABLE);

  /**
   * VtServer:trusted-proxies: (getter get_trusted_proxies)
   *
   * The proxies, as addresses and networks, that are believed when they say who the client is, by
   * `Forwarded` or `X-Forwarded-For`; %NULL for none. Set by
   * [method@Vt.Server.set_trusted_proxies].
   *
   * [property@Vt.Session:client-address] then is the last address there that is not a trusted
   * proxy's. Such a proxy has to write one of the two headers, whatever the client has sent.
   *
   * Since: 1.0
   */
  vt_server_props[VT_SERVER_PROP_TRUSTED_PROXIES] =
      g_param_spec_boxed ("trusted-proxies", NULL, NULL, G_TYPE_STRV, READABLE);
}

/* Who may come. */
static void
define_admission (void)
{
  /**
   * VtServer:allowed-origins: (getter get_allowed_origins) (setter set_allowed_origins)
   *
   * The origins, such as `https://example.com`, from which web pages may connect. %NULL lets none
   * in. Only browsers tell an origin; other programs are not concerned.
   *
   * Since: 1.0
   */
  vt_server_props[VT_SERVER_PROP_ALLOWED_ORIGINS] =
      g_param_spec_boxed ("allowed-origins", NULL, NULL, G_TYPE_STRV, WRITABLE);

  /**
   * VtServer:allow-anonymous: (getter get_allow_anonymous) (setter set_allow_anonymous)
   *
   * Whether everybody who can reach the server may be a client. With [property@Vt.Server:access]
   * this has no say.
   *
   * While this is %FALSE, the server only listens on loopback addresses, and only takes clients
   * that address it as localhost and that no proxy has forwarded.
   *
   * Since: 1.0
   */
  vt_server_props[VT_SERVER_PROP_ALLOW_ANONYMOUS] =
      g_param_spec_boolean ("allow-anonymous", NULL, NULL, FALSE, WRITABLE);

  /**
   * VtServer:tls-certificate: (getter get_tls_certificate) (setter set_tls_certificate)
   *
   * The certificate, with its key, that makes `wss:` of what comes to the ports that
   * [method@Vt.Server.listen] opens; %NULL for none. It counts for connections that come from then
   * on.
   *
   * Since: 1.0
   */
  vt_server_props[VT_SERVER_PROP_TLS_CERTIFICATE] =
      g_param_spec_object ("tls-certificate", NULL, NULL, G_TYPE_TLS_CERTIFICATE, WRITABLE);
}

static void
define_client_authorities (void)
{
  /**
   * VtServer:client-authorities: (getter get_client_authorities) (setter set_client_authorities)
   *
   * Who may have signed the certificates that clients show on the server's own ports, over `wss:`;
   * %NULL asks no client for one.
   *
   * A client with such a certificate, whose one common name (CN) is that of an entry of
   * [property@Vt.Server:access] which has `certificate=true`, needs no token. A client without a
   * certificate may show a token as ever. One with a certificate that nobody of these has signed
   * gets no connection. It counts for connections that come from then on.
   *
   * Since: 1.0
   */
  vt_server_props[VT_SERVER_PROP_CLIENT_AUTHORITIES] =
      g_param_spec_object ("client-authorities", NULL, NULL, G_TYPE_TLS_DATABASE, WRITABLE);
}

static void
define_keepalive (void)
{
  /**
   * VtServer:ping-interval: (getter get_ping_interval) (setter set_ping_interval)
   *
   * After how many seconds without a sign of life a client is pinged; 0 turns pings off. It counts
   * for sessions that begin from then on.
   *
   * Since: 1.0
   */
  vt_server_props[VT_SERVER_PROP_PING_INTERVAL] =
      g_param_spec_uint ("ping-interval", NULL, NULL, 0, G_MAXUINT16,
                         VT_SERVER_DEFAULT_PING_INTERVAL, WRITABLE);

  /**
   * VtServer:ping-timeout: (getter get_ping_timeout) (setter set_ping_timeout)
   *
   * How many seconds a client has for answering a ping, before its connection counts as lost. Its
   * session then ends with %VT_ERROR_TIMED_OUT, or waits for it to come back, see
   * [property@Vt.Server:resume-timeout]. It counts for sessions that begin from then on.
   *
   * Since: 1.0
   */
  vt_server_props[VT_SERVER_PROP_PING_TIMEOUT] =
      g_param_spec_uint ("ping-timeout", NULL, NULL, 1, G_MAXUINT16, VT_SERVER_DEFAULT_PING_TIMEOUT,
                         WRITABLE);

  /**
   * VtServer:resume-timeout: (getter get_resume_timeout) (setter set_resume_timeout)
   *
   * How many seconds a client that has lost its connection has for coming back; 0 ends its session
   * with the connection.
   *
   * Until then its session stays as it is: its ports stay open, its streams and their users wait,
   * and so do new users. [property@Vt.Session:connected] tells of it. Nothing is lost when it comes
   * back; if it does not, the session ends with %VT_ERROR_NOT_RESUMED. A client that takes its
   * leave is not waited for, nor is one of version 1 of the protocol, which cannot come back.
   *
   * A port that is held for a client is refused to others with %VT_ERROR_ADDRESS_IN_USE, unless it
   * is the same user who asks for it.
   *
   * It counts for sessions that begin from then on.
   *
   * Since: 1.0
   */
  vt_server_props[VT_SERVER_PROP_RESUME_TIMEOUT] =
      g_param_spec_uint ("resume-timeout", NULL, NULL, 0, G_MAXUINT16,
                         VT_SERVER_DEFAULT_RESUME_TIMEOUT, WRITABLE);
}

static void
define_sessions (void)
{
  /**
   * VtServer:max-protocol: (getter get_max_protocol) (setter set_max_protocol)
   *
   * The highest version of the protocol that is spoken with a client that offers it: with 1, all
   * clients are spoken to as the programs that came before this library are. It counts for clients
   * that connect from then on; what came of it is in [property@Vt.Session:protocol].
   *
   * With [method@Vt.Server.handle_connection] it has no say.
   *
   * Since: 1.0
   */
  vt_server_props[VT_SERVER_PROP_MAX_PROTOCOL] =
      g_param_spec_uint ("max-protocol", NULL, NULL, 1, 2, VT_NEGOTIATION_DEFAULT_MAX, WRITABLE);

  /**
   * VtServer:sessions: (getter get_sessions)
   *
   * The clients that are connected, or have lost their connection and may come back, a list of
   * [class@Vt.Session].
   *
   * Since: 1.0
   */
  vt_server_props[VT_SERVER_PROP_SESSIONS] =
      g_param_spec_object ("sessions", NULL, NULL, G_TYPE_LIST_MODEL, READABLE);
}

void
vt_server_install_properties (GObjectClass *klass)
{
  klass->get_property = vt_server_get_property;
  klass->set_property = vt_server_set_property;
  define_places ();
  define_fronts ();
  vt_server_define_names ();
  define_streams ();
  define_access ();
  define_admission ();
  define_client_authorities ();
  define_keepalive ();
  vt_server_define_limits (WRITABLE);
  define_sessions ();
  g_object_class_install_properties (klass, G_N_ELEMENTS (vt_server_props), vt_server_props);
}
