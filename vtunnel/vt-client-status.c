/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-client-struct-private.h"

/**
 * vt_client_get_state: (get-property state)
 * @self: a client
 *
 * Gets whether there is a tunnel.
 *
 * Returns: the state
 *
 * Since: 1.0
 */
VtClientState
vt_client_get_state (VtClient *self)
{
  g_return_val_if_fail (VT_IS_CLIENT (self), VT_CLIENT_STATE_CLOSED);

  return self->state;
}

/**
 * vt_client_get_error: (get-property error)
 * @self: a client
 *
 * Gets why there is no connection: why the client is closed, or, while it is reconnecting, why the
 * connection was lost or the last attempt failed.
 *
 * Returns: (nullable) (transfer none): an error of [error@Vt.Error], valid until it changes; %NULL
 *   while there is a connection, if the client never was open, and if it was closed in order
 *
 * Since: 1.0
 */
const GError *
vt_client_get_error (VtClient *self)
{
  g_return_val_if_fail (VT_IS_CLIENT (self), NULL);

  return self->error;
}

/**
 * vt_client_get_protocol: (get-property protocol)
 * @self: a client
 *
 * Gets the version of the protocol that both sides speak.
 *
 * Returns: the version, or 0 while there is no session
 *
 * Since: 1.0
 */
unsigned int
vt_client_get_protocol (VtClient *self)
{
  g_return_val_if_fail (VT_IS_CLIENT (self), 0);

  return self->tunnel != NULL ? vt_client_tunnel_get_protocol (self->tunnel) : 0;
}

/**
 * vt_client_get_rtt: (get-property rtt)
 * @self: a client
 *
 * Gets how long the last message to the server and its answer took.
 *
 * Returns: microseconds, or -1 while that is not known
 *
 * Since: 1.0
 */
gint64
vt_client_get_rtt (VtClient *self)
{
  g_return_val_if_fail (VT_IS_CLIENT (self), -1);

  return self->rtt;
}

/**
 * vt_client_get_last_seen: (get-property last-seen)
 * @self: a client
 *
 * Gets when anything came from the server.
 *
 * Returns: microseconds, as of [func@GLib.get_monotonic_time], or 0 while there is no session
 *
 * Since: 1.0
 */
gint64
vt_client_get_last_seen (VtClient *self)
{
  g_return_val_if_fail (VT_IS_CLIENT (self), 0);

  return self->tunnel != NULL ? vt_client_tunnel_get_last_seen (self->tunnel) : 0;
}

/**
 * vt_client_get_next_retry: (get-property next-retry)
 * @self: a client
 *
 * Gets when the client next tries to connect.
 *
 * Returns: microseconds, as of [func@GLib.get_monotonic_time], or 0 unless it waits for that
 *
 * Since: 1.0
 */
gint64
vt_client_get_next_retry (VtClient *self)
{
  g_return_val_if_fail (VT_IS_CLIENT (self), 0);

  return self->retry.next;
}

/**
 * vt_client_get_n_resumed: (get-property n-resumed)
 * @self: a client
 *
 * Gets how often the session went on over another connection, since the client was last opened.
 *
 * Returns: the number
 *
 * Since: 1.0
 */
unsigned int
vt_client_get_n_resumed (VtClient *self)
{
  g_return_val_if_fail (VT_IS_CLIENT (self), 0);

  return self->n_resumed;
}

/**
 * vt_client_get_forwards: (get-property forwards)
 * @self: a client
 *
 * Gets the forwards that the server listens for, or is or will be asked to.
 *
 * Returns: (transfer none): a list of [class@Vt.Forward], which changes
 *
 * Since: 1.0
 */
GListModel *
vt_client_get_forwards (VtClient *self)
{
  g_return_val_if_fail (VT_IS_CLIENT (self), NULL);

  return G_LIST_MODEL (self->forwards);
}

/**
 * vt_client_get_streams: (get-property streams)
 * @self: a client
 *
 * Gets the streams that are open.
 *
 * Returns: (transfer none): a list of [class@Vt.Stream], which changes, and keeps none of them
 *   alive
 *
 * Since: 1.0
 */
GListModel *
vt_client_get_streams (VtClient *self)
{
  g_return_val_if_fail (VT_IS_CLIENT (self), NULL);

  return G_LIST_MODEL (self->streams);
}
