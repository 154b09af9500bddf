/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-client-struct-private.h"

#include "vt-pins-private.h"

/**
 * vt_client_new:
 * @uri: the server's address, as `wss://tunnel.example.org/`
 *
 * Makes a client. An address that is none is told of by [method@Vt.Client.open_async].
 *
 * Returns: (transfer full): a new client, closed
 *
 * Since: 1.0
 */
VtClient *
vt_client_new (const char *uri)
{
  g_return_val_if_fail (uri != NULL, NULL);

  return g_object_new (VT_TYPE_CLIENT, "uri", uri, NULL);
}

/**
 * vt_client_get_uri: (get-property uri)
 * @self: a client
 *
 * Gets the server's address, as it was given.
 *
 * Returns: the address
 *
 * Since: 1.0
 */
const char *
vt_client_get_uri (VtClient *self)
{
  g_return_val_if_fail (VT_IS_CLIENT (self), NULL);

  return self->uri;
}

/**
 * vt_client_get_ping_interval: (get-property ping-interval)
 * @self: a client
 *
 * Gets how often the client makes sure that the server is still there.
 *
 * Returns: seconds; 0 if it does not
 *
 * Since: 1.0
 */
unsigned int
vt_client_get_ping_interval (VtClient *self)
{
  g_return_val_if_fail (VT_IS_CLIENT (self), 0);

  return self->ping_interval;
}

/**
 * vt_client_set_ping_interval: (set-property ping-interval)
 * @self: a client
 * @seconds: seconds, at most 65535; 0 turns it off
 *
 * Sets how often the client makes sure that the server is still there. It takes effect when the
 * client next connects.
 *
 * Since: 1.0
 */
void
vt_client_set_ping_interval (VtClient *self, unsigned int seconds)
{
  g_return_if_fail (VT_IS_CLIENT (self));
  g_return_if_fail (seconds <= G_MAXUINT16);

  if (self->ping_interval == seconds)
    return;
  self->ping_interval = seconds;
  g_object_notify_by_pspec (G_OBJECT (self), vt_client_props[VT_CLIENT_PROP_PING_INTERVAL]);
}

/**
 * vt_client_get_ping_timeout: (get-property ping-timeout)
 * @self: a client
 *
 * Gets how long the server may take to show any sign of life.
 *
 * Returns: seconds
 *
 * Since: 1.0
 */
unsigned int
vt_client_get_ping_timeout (VtClient *self)
{
  g_return_val_if_fail (VT_IS_CLIENT (self), 0);

  return self->ping_timeout;
}

/**
 * vt_client_set_ping_timeout: (set-property ping-timeout)
 * @self: a client
 * @seconds: seconds, 1 to 65535
 *
 * Sets how long the server may take to show any sign of life. It takes effect when the client
 * next connects.
 *
 * Since: 1.0
 */
void
vt_client_set_ping_timeout (VtClient *self, unsigned int seconds)
{
  g_return_if_fail (VT_IS_CLIENT (self));
  g_return_if_fail (seconds >= 1 && seconds <= G_MAXUINT16);

  if (self->ping_timeout == seconds)
    return;
  self->ping_timeout = seconds;
  g_object_notify_by_pspec (G_OBJECT (self), vt_client_props[VT_CLIENT_PROP_PING_TIMEOUT]);
}

/**
 * vt_client_get_soup_session: (get-property soup-session)
 * @self: a client
 *
 * Gets what the client connects through.
 *
 * Returns: (nullable) (transfer none): the session that was set, or %NULL if the client uses its
 *   own
 *
 * Since: 1.0
 */
SoupSession *
vt_client_get_soup_session (VtClient *self)
{
  g_return_val_if_fail (VT_IS_CLIENT (self), NULL);

  return self->session;
}

/**
 * vt_client_set_soup_session: (set-property soup-session)
 * @self: a client
 * @session: (nullable): a session of this thread, or %NULL to let the client use its own
 *
 * Sets what the client connects through: a session with a proxy, a TLS database, credentials,
 * cookies or a logger of the application's. It takes effect when the client next connects.
 *
 * Since: 1.0
 */
void
vt_client_set_soup_session (VtClient *self, SoupSession *session)
{
  g_return_if_fail (VT_IS_CLIENT (self));
  g_return_if_fail (session == NULL || SOUP_IS_SESSION (session));

  if (g_set_object (&self->session, session))
    g_object_notify_by_pspec (G_OBJECT (self), vt_client_props[VT_CLIENT_PROP_SOUP_SESSION]);
}

/**
 * vt_client_set_token: (set-property token)
 * @self: a client
 * @token: (nullable): the token, or %NULL for none
 *
 * Sets the secret that the server knows the client by, which is sent as `Authorization: Bearer`. It
 * takes effect when the client next connects, and nothing reads it back.
 *
 * Over `ws://`, opening fails unless the server is on this machine.
 *
 * Since: 1.0
 */
void
vt_client_set_token (VtClient *self, const char *token)
{
  g_return_if_fail (VT_IS_CLIENT (self));

  vt_client_request_set_token (self->request, token);
  g_object_notify_by_pspec (G_OBJECT (self), vt_client_props[VT_CLIENT_PROP_TOKEN]);
}

/**
 * vt_client_get_max_protocol: (get-property max-protocol)
 * @self: a client
 *
 * Gets the highest version of the protocol that the client offers.
 *
 * Returns: the version, 1 or 2
 *
 * Since: 1.0
 */
unsigned int
vt_client_get_max_protocol (VtClient *self)
{
  g_return_val_if_fail (VT_IS_CLIENT (self), 0);

  return self->max_protocol;
}

/**
 * vt_client_set_max_protocol: (set-property max-protocol)
 * @self: a client
 * @version: a version, 1 or 2
 *
 * Sets the highest version of the protocol that the client offers. It takes effect when the client
 * next connects.
 *
 * Since: 1.0
 */
void
vt_client_set_max_protocol (VtClient *self, unsigned int version)
{
  g_return_if_fail (VT_IS_CLIENT (self));
  g_return_if_fail (version >= 1 && version <= 2);

  if (self->max_protocol == version)
    return;
  self->max_protocol = version;
  g_object_notify_by_pspec (G_OBJECT (self), vt_client_props[VT_CLIENT_PROP_MAX_PROTOCOL]);
}

/**
 * vt_client_get_reconnect: (get-property reconnect)
 * @self: a client
 *
 * Gets whether the client tries to get a lost connection back.
 *
 * Returns: %TRUE if it does
 *
 * Since: 1.0
 */
gboolean
vt_client_get_reconnect (VtClient *self)
{
  g_return_val_if_fail (VT_IS_CLIENT (self), FALSE);

  return self->reconnect;
}

/**
 * vt_client_set_reconnect: (set-property reconnect)
 * @self: a client
 * @reconnect: whether to
 *
 * Sets whether the client tries to get a lost connection back. A client that is reconnecting, and
 * is not to any more, closes.
 *
 * Since: 1.0
 */
void
vt_client_set_reconnect (VtClient *self, gboolean reconnect)
{
  g_return_if_fail (VT_IS_CLIENT (self));

  if (self->reconnect == !!reconnect)
    return;
  self->reconnect = !!reconnect;
  vt_client_retry_update_watch (self);
  g_object_freeze_notify (G_OBJECT (self));
  g_object_notify_by_pspec (G_OBJECT (self), vt_client_props[VT_CLIENT_PROP_RECONNECT]);
  if (!self->reconnect && self->state == VT_CLIENT_STATE_RECONNECTING)
    {
      if (self->tunnel != NULL)
        vt_client_give_up_session (self, self->error);
      else
        vt_client_become_closed (self, self->error, NULL);
    }
  g_object_thaw_notify (G_OBJECT (self));
}

/**
 * vt_client_get_reconnect_min: (get-property reconnect-min)
 * @self: a client
 *
 * Gets the longest that the client waits before it first tries to connect again.
 *
 * Returns: seconds
 *
 * Since: 1.0
 */
double
vt_client_get_reconnect_min (VtClient *self)
{
  g_return_val_if_fail (VT_IS_CLIENT (self), 0);

  return self->reconnect_min;
}

static void
set_seconds (VtClient *self, double *value, double seconds, VtClientProp prop)
{
  if (*value == seconds)
    return;
  *value = seconds;
  g_object_notify_by_pspec (G_OBJECT (self), vt_client_props[prop]);
}

/**
 * vt_client_set_reconnect_min: (set-property reconnect-min)
 * @self: a client
 * @seconds: seconds, 0.001 to 86400
 *
 * Sets the longest that the client waits before it first tries to connect again. It takes effect
 * with the next wait.
 *
 * Since: 1.0
 */
void
vt_client_set_reconnect_min (VtClient *self, double seconds)
{
  g_return_if_fail (VT_IS_CLIENT (self));
  g_return_if_fail (seconds >= VT_CLIENT_RECONNECT_SHORTEST
                    && seconds <= VT_CLIENT_RECONNECT_LONGEST);

  set_seconds (self, &self->reconnect_min, seconds, VT_CLIENT_PROP_RECONNECT_MIN);
}

/**
 * vt_client_get_reconnect_max: (get-property reconnect-max)
 * @self: a client
 *
 * Gets the longest that the client ever waits before it tries again.
 *
 * Returns: seconds
 *
 * Since: 1.0
 */
double
vt_client_get_reconnect_max (VtClient *self)
{
  g_return_val_if_fail (VT_IS_CLIENT (self), 0);

  return self->reconnect_max;
}

/**
 * vt_client_set_reconnect_max: (set-property reconnect-max)
 * @self: a client
 * @seconds: seconds, 0.001 to 86400
 *
 * Sets the longest that the client ever waits before it tries again, unless the server asks it to
 * wait longer. It takes effect with the next wait.
 *
 * Since: 1.0
 */
void
vt_client_set_reconnect_max (VtClient *self, double seconds)
{
  g_return_if_fail (VT_IS_CLIENT (self));
  g_return_if_fail (seconds >= VT_CLIENT_RECONNECT_SHORTEST
                    && seconds <= VT_CLIENT_RECONNECT_LONGEST);

  set_seconds (self, &self->reconnect_max, seconds, VT_CLIENT_PROP_RECONNECT_MAX);
}

/**
 * vt_client_get_retry_first: (get-property retry-first)
 * @self: a client
 *
 * Gets whether opening goes on after an attempt that failed.
 *
 * Returns: %TRUE if it does
 *
 * Since: 1.0
 */
gboolean
vt_client_get_retry_first (VtClient *self)
{
  g_return_val_if_fail (VT_IS_CLIENT (self), FALSE);

  return self->retry_first;
}

/**
 * vt_client_set_retry_first: (set-property retry-first)
 * @self: a client
 * @retry_first: whether to
 *
 * Sets whether opening goes on after an attempt that failed, until it succeeds, or it turns out
 * that it cannot: for a client that is started with the machine, before the network is there. It
 * takes effect when an attempt fails.
 *
 * Since: 1.0
 */
void
vt_client_set_retry_first (VtClient *self, gboolean retry_first)
{
  g_return_if_fail (VT_IS_CLIENT (self));

  if (self->retry_first == !!retry_first)
    return;
  self->retry_first = !!retry_first;
  g_object_notify_by_pspec (G_OBJECT (self), vt_client_props[VT_CLIENT_PROP_RETRY_FIRST]);
}

/**
 * vt_client_get_pins: (get-property pins)
 * @self: a client
 *
 * Gets the certificates of which the server has to show one.
 *
 * Returns: (transfer none) (nullable) (array zero-terminated=1): the pins, or %NULL for none
 *
 * Since: 1.0
 */
const char *const *
vt_client_get_pins (VtClient *self)
{
  g_return_val_if_fail (VT_IS_CLIENT (self), NULL);

  return (const char *const *) self->pins;
}

/**
 * vt_client_set_pins:
 * @self: a client
 * @pins: (nullable) (array zero-terminated=1): for each certificate, `sha256:` and the SHA-256 of
 *   it in hexadecimal, as `openssl x509 -noout -fingerprint -sha256` prints it, with or without
 *   colons; %NULL for none
 * @error: return location for an error
 *
 * Sets of which certificates the server has to show one. No others are taken, whoever has signed
 * them; and these are, whoever has signed them, and for whatever name and time they are. Nothing
 * is sent to a server before it has shown one.
 *
 * It counts for `wss://`, and takes effect when the client next connects.
 *
 * Returns: %TRUE, or %FALSE with %VT_ERROR_INVALID_ARGUMENT if one of @pins is written otherwise,
 *   which changes nothing
 *
 * Since: 1.0
 */
gboolean
vt_client_set_pins (VtClient *self, const char *const *pins, GError **error)
{
  g_return_val_if_fail (VT_IS_CLIENT (self), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  if (!vt_pins_check (pins, error))
    return FALSE;
  g_strfreev (self->pins);
  self->pins = pins != NULL && pins[0] != NULL ? g_strdupv ((char **) pins) : NULL;
  g_object_notify_by_pspec (G_OBJECT (self), vt_client_props[VT_CLIENT_PROP_PINS]);
  return TRUE;
}

/**
 * vt_client_get_tls_certificate: (get-property tls-certificate)
 * @self: a client
 *
 * Gets the client's own certificate.
 *
 * Returns: (transfer none) (nullable): the certificate, or %NULL if it has none
 *
 * Since: 1.0
 */
GTlsCertificate *
vt_client_get_tls_certificate (VtClient *self)
{
  g_return_val_if_fail (VT_IS_CLIENT (self), NULL);

  return self->certificate;
}

/**
 * vt_client_set_tls_certificate: (set-property tls-certificate)
 * @self: a client
 * @certificate: (nullable): a certificate with its key, or %NULL for none
 *
 * Sets the client's own certificate, for a server that asks for one. It takes effect when the
 * client next connects.
 *
 * Since: 1.0
 */
void
vt_client_set_tls_certificate (VtClient *self, GTlsCertificate *certificate)
{
  g_return_if_fail (VT_IS_CLIENT (self));
  g_return_if_fail (certificate == NULL || G_IS_TLS_CERTIFICATE (certificate));

  if (g_set_object (&self->certificate, certificate))
    g_object_notify_by_pspec (G_OBJECT (self), vt_client_props[VT_CLIENT_PROP_TLS_CERTIFICATE]);
}

/**
 * vt_client_set_header:
 * @self: a client
 * @name: the name of a header
 * @value: (nullable): its value, or %NULL to leave the header out again
 *
 * Sets a header of the request that opens the tunnel, for a proxy or a gateway before the server.
 *
 * To pass what is no header, as a name with a space or a value with a line break, is an error of
 * the program. So are those that the WebSocket itself needs: `Connection`, `Content-Length`,
 * `Host`, `Transfer-Encoding`, `Upgrade`, and whatever begins with `Sec-WebSocket-`. A
 * [method@Vt.Client.set_token] overrides `Authorization`.
 *
 * It takes effect when the client next connects.
 *
 * Since: 1.0
 */
void
vt_client_set_header (VtClient *self, const char *name, const char *value)
{
  g_return_if_fail (VT_IS_CLIENT (self));
  g_return_if_fail (name != NULL);
  g_return_if_fail (vt_client_request_is_valid_header (name, value));

  vt_client_request_set_header (self->request, name, value);
}
