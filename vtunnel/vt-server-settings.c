/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-server-private.h"

#include "vt-negotiation-private.h"
#include "vt-text-private.h"

void
vt_server_init_settings (VtServer *self)
{
  self->path = g_strdup (VT_SERVER_DEFAULT_PATH);
  self->bind_address = g_strdup (VT_SERVER_DEFAULT_BIND_ADDRESS);
  self->allowed_ports = vt_port_ranges_parse (VT_SERVER_DEFAULT_PORTS, NULL);
  self->ping_interval = VT_SERVER_DEFAULT_PING_INTERVAL;
  self->ping_timeout = VT_SERVER_DEFAULT_PING_TIMEOUT;
  self->resume_timeout = VT_SERVER_DEFAULT_RESUME_TIMEOUT;
  self->max_sessions = VT_SERVER_DEFAULT_SESSIONS;
  self->max_forwards = VT_SERVER_DEFAULT_FORWARDS;
  self->max_streams = VT_SERVER_DEFAULT_STREAMS;
  self->max_head_size = VT_SERVER_DEFAULT_HEAD_SIZE;
  self->request_timeout = VT_SERVER_DEFAULT_REQUEST_TIMEOUT;
  self->max_message_size = VT_MUX_MAX_MESSAGE;
  self->max_json_depth = VT_JSON_MAX_DEPTH;
  self->max_window = VT_MUX_MAX_WINDOW;
  self->max_opening = VT_SERVER_DEFAULT_OPENING;
  self->max_accept_rate = VT_SERVER_DEFAULT_ACCEPT_RATE;
  self->max_buffer = VT_SERVER_DEFAULT_BUFFER;
  self->max_reset_rate = VT_SERVER_DEFAULT_RESET_RATE;
  self->max_ping_rate = VT_SERVER_DEFAULT_PING_RATE;
  self->max_control_rate = VT_SERVER_DEFAULT_CONTROL_RATE;
  self->max_sessions_per_address = VT_SERVER_DEFAULT_SESSIONS_PER_ADDRESS;
  self->max_protocol = VT_NEGOTIATION_DEFAULT_MAX;
}

void
vt_server_clear_settings (VtServer *self)
{
  g_clear_pointer (&self->path, g_free);
  g_clear_pointer (&self->bind_address, g_free);
  g_clear_pointer (&self->allowed_ports, vt_port_ranges_free);
  g_clear_pointer (&self->proxy_protocol_ports, vt_port_ranges_free);
  g_clear_pointer (&self->allowed_origins, g_strfreev);
  g_clear_object (&self->tls_certificate);
  g_clear_object (&self->client_authorities);
}

static void
notify (VtServer *self, VtServerProperty property)
{
  g_object_notify_by_pspec (G_OBJECT (self), vt_server_props[property]);
}

static void
set_text (VtServer *self, char **field, const char *value, VtServerProperty property)
{
  if (g_strcmp0 (*field, value) == 0)
    return;
  g_free (*field);
  *field = g_strdup (value);
  notify (self, property);
}

void
vt_server_set_number (VtServer *self,
                      unsigned int *field,
                      unsigned int value,
                      VtServerProperty property)
{
  if (*field == value)
    return;
  *field = value;
  /* The ports for names are the server's own, and of no session that is to begin. */
  if (property == VT_SERVER_PROP_MAX_ACCEPT_RATE && self->host_front != NULL)
    vt_host_front_set_max_rate (self->host_front, value);
  notify (self, property);
}

/**
 * vt_server_get_path: (get-property path)
 * @self: a server
 *
 * Gets the path that clients connect to.
 *
 * Returns: the path; `/` takes any
 *
 * Since: 1.0
 */
const char *
vt_server_get_path (VtServer *self)
{
  g_return_val_if_fail (VT_IS_SERVER (self), NULL);

  return self->path;
}

/**
 * vt_server_set_path: (set-property path)
 * @self: a server
 * @path: a path, which begins with `/`
 *
 * Sets the path that clients connect to, on the ports that [method@Vt.Server.listen] opens; `/`
 * takes any but `/health`.
 *
 * Since: 1.0
 */
void
vt_server_set_path (VtServer *self, const char *path)
{
  g_return_if_fail (VT_IS_SERVER (self));
  g_return_if_fail (path != NULL && path[0] == '/');

  set_text (self, &self->path, path, VT_SERVER_PROP_PATH);
}

/**
 * vt_server_get_bind_address: (get-property bind-address)
 * @self: a server
 *
 * Gets where the ports for clients are opened.
 *
 * Returns: the address; `localhost` is both loopback addresses
 *
 * Since: 1.0
 */
const char *
vt_server_get_bind_address (VtServer *self)
{
  g_return_val_if_fail (VT_IS_SERVER (self), NULL);

  return self->bind_address;
}

/**
 * vt_server_set_bind_address: (set-property bind-address)
 * @self: a server
 * @address: (nullable): a literal address, `localhost` or `*`; %NULL is `localhost`
 *
 * Sets where the ports for clients are opened, for sessions that begin from now on.
 *
 * Beyond loopback, clients get no port while [property@Vt.Server:allow-anonymous] is %FALSE.
 *
 * Since: 1.0
 */
void
vt_server_set_bind_address (VtServer *self, const char *address)
{
  g_return_if_fail (VT_IS_SERVER (self));

  set_text (self, &self->bind_address, address != NULL ? address : VT_SERVER_DEFAULT_BIND_ADDRESS,
            VT_SERVER_PROP_BIND_ADDRESS);
}

/**
 * vt_server_get_allowed_ports: (get-property allowed-ports)
 * @self: a server
 *
 * Gets which ports clients may ask for.
 *
 * Returns: the ports, such as `80,443,8000-8999`
 *
 * Since: 1.0
 */
const char *
vt_server_get_allowed_ports (VtServer *self)
{
  g_return_val_if_fail (VT_IS_SERVER (self), NULL);

  return vt_port_ranges_get_text (self->allowed_ports);
}

/**
 * vt_server_set_allowed_ports:
 * @self: a server
 * @ranges: ports from 1 to 65535 and ranges of them, with commas between: `80,443,8000-8999`
 * @error: return location for an error
 *
 * Sets which ports clients may ask for, from now on. Ports that are open stay open.
 *
 * Port 0, with which the server picks a free port, may always be asked for.
 *
 * Returns: %TRUE, or %FALSE with %VT_ERROR_INVALID_ARGUMENT if @ranges is written otherwise, which
 *   changes nothing
 *
 * Since: 1.0
 */
gboolean
vt_server_set_allowed_ports (VtServer *self, const char *ranges, GError **error)
{
  VtPortRanges *parsed;

  g_return_val_if_fail (VT_IS_SERVER (self), FALSE);
  g_return_val_if_fail (ranges != NULL, FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  parsed = vt_port_ranges_parse (ranges, error);
  if (parsed == NULL)
    return FALSE;
  if (g_strcmp0 (ranges, vt_port_ranges_get_text (self->allowed_ports)) == 0)
    {
      vt_port_ranges_free (parsed);
      return TRUE;
    }
  vt_port_ranges_free (self->allowed_ports);
  self->allowed_ports = parsed;
  notify (self, VT_SERVER_PROP_ALLOWED_PORTS);
  return TRUE;
}

/**
 * vt_server_get_proxy_protocol_ports: (get-property proxy-protocol-ports)
 * @self: a server
 *
 * Gets to which ports users come through a proxy that speaks the PROXY protocol.
 *
 * Returns: (nullable) (transfer none): the ports, such as `80,443,8000-8999`, or %NULL for none
 *
 * Since: 1.0
 */
const char *
vt_server_get_proxy_protocol_ports (VtServer *self)
{
  g_return_val_if_fail (VT_IS_SERVER (self), NULL);

  return self->proxy_protocol_ports != NULL ? vt_port_ranges_get_text (self->proxy_protocol_ports)
                                            : NULL;
}

gboolean
vt_server_expects_proxy (VtServer *self, guint16 port)
{
  return self->proxy_protocol_ports != NULL
         && vt_port_ranges_contain (self->proxy_protocol_ports, port);
}

/**
 * vt_server_set_proxy_protocol_ports:
 * @self: a server
 * @ranges: (nullable): ports from 1 to 65535 and ranges of them, with commas between, `1-65535` for
 *   all; %NULL for none
 * @error: return location for an error
 *
 * Sets to which ports users come through a proxy that speaks the PROXY protocol. It counts for
 * ports that are opened from now on: those that are open stay as they are.
 *
 * Returns: %TRUE, or %FALSE with %VT_ERROR_INVALID_ARGUMENT if @ranges is written otherwise, which
 *   changes nothing
 *
 * Since: 1.0
 */
gboolean
vt_server_set_proxy_protocol_ports (VtServer *self, const char *ranges, GError **error)
{
  g_autoptr(VtPortRanges) parsed = NULL;

  g_return_val_if_fail (VT_IS_SERVER (self), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  if (ranges != NULL)
    {
      parsed = vt_port_ranges_parse (ranges, error);
      if (parsed == NULL)
        return FALSE;
    }
  if (g_strcmp0 (ranges, vt_server_get_proxy_protocol_ports (self)) == 0)
    return TRUE;
  g_clear_pointer (&self->proxy_protocol_ports, vt_port_ranges_free);
  self->proxy_protocol_ports = g_steal_pointer (&parsed);
  notify (self, VT_SERVER_PROP_PROXY_PROTOCOL_PORTS);
  return TRUE;
}

/**
 * vt_server_get_allowed_origins: (get-property allowed-origins)
 * @self: a server
 *
 * Gets the origins from which web pages may connect.
 *
 * Returns: (transfer none) (nullable) (array zero-terminated=1): the origins, or %NULL for
 *   none
 *
 * Since: 1.0
 */
const char *const *
vt_server_get_allowed_origins (VtServer *self)
{
  g_return_val_if_fail (VT_IS_SERVER (self), NULL);

  return (const char *const *) self->allowed_origins;
}

/**
 * vt_server_set_allowed_origins: (set-property allowed-origins)
 * @self: a server
 * @origins: (nullable) (array zero-terminated=1): origins such as `https://example.com`, or %NULL
 *   for none
 *
 * Sets the origins from which web pages may connect. They are compared as they are written, but for
 * the case of letters.
 *
 * Since: 1.0
 */
void
vt_server_set_allowed_origins (VtServer *self, const char *const *origins)
{
  g_return_if_fail (VT_IS_SERVER (self));

  if (vt_text_is_same_list (self->allowed_origins, origins))
    return;
  g_strfreev (self->allowed_origins);
  self->allowed_origins = g_strdupv ((char **) origins);
  notify (self, VT_SERVER_PROP_ALLOWED_ORIGINS);
}

/**
 * vt_server_get_allow_anonymous: (get-property allow-anonymous)
 * @self: a server
 *
 * Gets whether everybody who can reach the server may be a client.
 *
 * Returns: %TRUE if everybody may
 *
 * Since: 1.0
 */
gboolean
vt_server_get_allow_anonymous (VtServer *self)
{
  g_return_val_if_fail (VT_IS_SERVER (self), FALSE);

  return self->allow_anonymous;
}

/**
 * vt_server_set_allow_anonymous: (set-property allow-anonymous)
 * @self: a server
 * @allow: whether everybody may be a client
 *
 * Sets whether everybody who can reach the server may be a client.
 *
 * While nobody can, the server only listens on loopback addresses, and only takes clients that
 * address it as localhost and that no proxy has forwarded.
 *
 * Since: 1.0
 */
void
vt_server_set_allow_anonymous (VtServer *self, gboolean allow)
{
  g_return_if_fail (VT_IS_SERVER (self));

  allow = !!allow;
  if (self->allow_anonymous == allow)
    return;
  self->allow_anonymous = allow;
  notify (self, VT_SERVER_PROP_ALLOW_ANONYMOUS);
}

/**
 * vt_server_get_tls_certificate: (get-property tls-certificate)
 * @self: a server
 *
 * Gets the certificate of the server's own ports.
 *
 * Returns: (transfer none) (nullable): the certificate, or %NULL if they do without TLS
 *
 * Since: 1.0
 */
GTlsCertificate *
vt_server_get_tls_certificate (VtServer *self)
{
  g_return_val_if_fail (VT_IS_SERVER (self), NULL);

  return self->tls_certificate;
}

/**
 * vt_server_set_tls_certificate: (set-property tls-certificate)
 * @self: a server
 * @certificate: (nullable): a certificate with its key, or %NULL to do without TLS
 *
 * Sets the certificate of the server's own ports, for connections that come from now on. What
 * clients of an attached [class@Soup.Server] see is that server's.
 *
 * Since: 1.0
 */
void
vt_server_set_tls_certificate (VtServer *self, GTlsCertificate *certificate)
{
  g_return_if_fail (VT_IS_SERVER (self));
  g_return_if_fail (certificate == NULL || G_IS_TLS_CERTIFICATE (certificate));

  if (g_set_object (&self->tls_certificate, certificate))
    notify (self, VT_SERVER_PROP_TLS_CERTIFICATE);
}

/**
 * vt_server_get_ping_interval: (get-property ping-interval)
 * @self: a server
 *
 * Gets after how long without a sign of life clients are pinged.
 *
 * Returns: the time in seconds, or 0 if they are not
 *
 * Since: 1.0
 */
unsigned int
vt_server_get_ping_interval (VtServer *self)
{
  g_return_val_if_fail (VT_IS_SERVER (self), 0);

  return self->ping_interval;
}

/**
 * vt_server_set_ping_interval: (set-property ping-interval)
 * @self: a server
 * @seconds: seconds, at most 65535; 0 turns pings off
 *
 * Sets after how long without a sign of life clients are pinged, for sessions that begin from now
 * on.
 *
 * Since: 1.0
 */
void
vt_server_set_ping_interval (VtServer *self, unsigned int seconds)
{
  g_return_if_fail (VT_IS_SERVER (self));
  g_return_if_fail (seconds <= G_MAXUINT16);

  vt_server_set_number (self, &self->ping_interval, seconds, VT_SERVER_PROP_PING_INTERVAL);
}

/**
 * vt_server_get_ping_timeout: (get-property ping-timeout)
 * @self: a server
 *
 * Gets how long a client has for answering a ping.
 *
 * Returns: the time in seconds
 *
 * Since: 1.0
 */
unsigned int
vt_server_get_ping_timeout (VtServer *self)
{
  g_return_val_if_fail (VT_IS_SERVER (self), 0);

  return self->ping_timeout;
}

/**
 * vt_server_set_ping_timeout: (set-property ping-timeout)
 * @self: a server
 * @seconds: seconds, 1 to 65535
 *
 * Sets how long a client has for answering a ping, for sessions that begin from now on.
 *
 * Since: 1.0
 */
void
vt_server_set_ping_timeout (VtServer *self, unsigned int seconds)
{
  g_return_if_fail (VT_IS_SERVER (self));
  g_return_if_fail (seconds >= 1 && seconds <= G_MAXUINT16);

  vt_server_set_number (self, &self->ping_timeout, seconds, VT_SERVER_PROP_PING_TIMEOUT);
}

/**
 * vt_server_get_resume_timeout: (get-property resume-timeout)
 * @self: a server
 *
 * Gets how long a client that has lost its connection has for coming back.
 *
 * Returns: the time in seconds, or 0 if its session ends with the connection
 *
 * Since: 1.0
 */
unsigned int
vt_server_get_resume_timeout (VtServer *self)
{
  g_return_val_if_fail (VT_IS_SERVER (self), 0);

  return self->resume_timeout;
}

/**
 * vt_server_set_resume_timeout: (set-property resume-timeout)
 * @self: a server
 * @seconds: seconds, at most 65535; with 0 a session ends with its connection
 *
 * Sets how long a client that has lost its connection has for coming back, for sessions that begin
 * from now on. See [property@Vt.Server:resume-timeout].
 *
 * Since: 1.0
 */
void
vt_server_set_resume_timeout (VtServer *self, unsigned int seconds)
{
  g_return_if_fail (VT_IS_SERVER (self));
  g_return_if_fail (seconds <= G_MAXUINT16);

  vt_server_set_number (self, &self->resume_timeout, seconds, VT_SERVER_PROP_RESUME_TIMEOUT);
}

/**
 * vt_server_get_max_protocol: (get-property max-protocol)
 * @self: a server
 *
 * Gets the highest version of the protocol that is spoken with a client that offers it.
 *
 * Returns: the version, 1 or 2
 *
 * Since: 1.0
 */
unsigned int
vt_server_get_max_protocol (VtServer *self)
{
  g_return_val_if_fail (VT_IS_SERVER (self), 0);

  return self->max_protocol;
}

/**
 * vt_server_set_max_protocol: (set-property max-protocol)
 * @self: a server
 * @version: a version, 1 or 2
 *
 * Sets the highest version of the protocol that is spoken with a client that offers it, for clients
 * that connect from now on.
 *
 * Since: 1.0
 */
void
vt_server_set_max_protocol (VtServer *self, unsigned int version)
{
  g_return_if_fail (VT_IS_SERVER (self));
  g_return_if_fail (version >= 1 && version <= 2);

  vt_server_set_number (self, &self->max_protocol, version, VT_SERVER_PROP_MAX_PROTOCOL);
}

/**
 * vt_server_get_sessions: (get-property sessions)
 * @self: a server
 *
 * Gets the clients that are connected, or have lost their connection and may come back.
 *
 * Returns: (transfer none): a list of [class@Vt.Session]
 *
 * Since: 1.0
 */
GListModel *
vt_server_get_sessions (VtServer *self)
{
  g_return_val_if_fail (VT_IS_SERVER (self), NULL);

  return G_LIST_MODEL (self->sessions);
}
