/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

/* How many clients an address may have, and how fast each of them may be. */

#include "vt-server-private.h"

/**
 * vt_server_get_max_sessions_per_address: (get-property max-sessions-per-address)
 * @self: a server
 *
 * Gets how many clients may be connected from one address at a time.
 *
 * Returns: the number of clients, or 0 if there is no limit
 *
 * Since: 1.0
 */
unsigned int
vt_server_get_max_sessions_per_address (VtServer *self)
{
  g_return_val_if_fail (VT_IS_SERVER (self), 0);

  return self->max_sessions_per_address;
}

/**
 * vt_server_set_max_sessions_per_address: (set-property max-sessions-per-address)
 * @self: a server
 * @max: a number of clients; 0 is any number
 *
 * Sets how many clients may be connected from one address at a time. Those that are connected stay
 * connected.
 * See [property@Vt.Server:max-sessions-per-address].
 *
 * Since: 1.0
 */
void
vt_server_set_max_sessions_per_address (VtServer *self, unsigned int max)
{
  g_return_if_fail (VT_IS_SERVER (self));

  vt_server_set_number (self, &self->max_sessions_per_address, max,
                        VT_SERVER_PROP_MAX_SESSIONS_PER_ADDRESS);
}

/**
 * vt_server_get_max_control_rate: (get-property max-control-rate)
 * @self: a server
 *
 * Gets how many control messages a second each client may send, pings aside.
 *
 * Returns: the number of messages, or 0 if there is no limit
 *
 * Since: 1.0
 */
unsigned int
vt_server_get_max_control_rate (VtServer *self)
{
  g_return_val_if_fail (VT_IS_SERVER (self), 0);

  return self->max_control_rate;
}

/**
 * vt_server_set_max_control_rate: (set-property max-control-rate)
 * @self: a server
 * @max: a number of messages; 0 is any number
 *
 * Sets how many control messages a second each client may send, pings aside. It counts for sessions
 * that begin from
 * now on. See [property@Vt.Server:max-control-rate].
 *
 * Since: 1.0
 */
void
vt_server_set_max_control_rate (VtServer *self, unsigned int max)
{
  g_return_if_fail (VT_IS_SERVER (self));

  vt_server_set_number (self, &self->max_control_rate, max, VT_SERVER_PROP_MAX_CONTROL_RATE);
}

/**
 * vt_server_get_max_ping_rate: (get-property max-ping-rate)
 * @self: a server
 *
 * Gets how many pings a second each client may send.
 *
 * Returns: the number of pings, or 0 if there is no limit
 *
 * Since: 1.0
 */
unsigned int
vt_server_get_max_ping_rate (VtServer *self)
{
  g_return_val_if_fail (VT_IS_SERVER (self), 0);

  return self->max_ping_rate;
}

/**
 * vt_server_set_max_ping_rate: (set-property max-ping-rate)
 * @self: a server
 * @max: a number of pings; 0 is any number
 *
 * Sets how many pings a second each client may send. It counts for sessions that begin from
 * now on. See [property@Vt.Server:max-ping-rate].
 *
 * Since: 1.0
 */
void
vt_server_set_max_ping_rate (VtServer *self, unsigned int max)
{
  g_return_if_fail (VT_IS_SERVER (self));

  vt_server_set_number (self, &self->max_ping_rate, max, VT_SERVER_PROP_MAX_PING_RATE);
}

/**
 * vt_server_get_max_reset_rate: (get-property max-reset-rate)
 * @self: a server
 *
 * Gets how many streams a second each client may reset.
 *
 * Returns: the number of streams, or 0 if there is no limit
 *
 * Since: 1.0
 */
unsigned int
vt_server_get_max_reset_rate (VtServer *self)
{
  g_return_val_if_fail (VT_IS_SERVER (self), 0);

  return self->max_reset_rate;
}

/**
 * vt_server_set_max_reset_rate: (set-property max-reset-rate)
 * @self: a server
 * @max: a number of streams; 0 is any number
 *
 * Sets how many streams a second each client may reset. It counts for sessions that begin from
 * now on. See [property@Vt.Server:max-reset-rate].
 *
 * Since: 1.0
 */
void
vt_server_set_max_reset_rate (VtServer *self, unsigned int max)
{
  g_return_if_fail (VT_IS_SERVER (self));

  vt_server_set_number (self, &self->max_reset_rate, max, VT_SERVER_PROP_MAX_RESET_RATE);
}
