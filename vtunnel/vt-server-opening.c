/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

/* How many users may wait to be served, and how fast they may come. */

#include "vt-server-private.h"

/**
 * vt_server_get_max_opening: (get-property max-opening)
 * @self: a server
 *
 * Gets how many streams of each client may wait for its answer at a time.
 *
 * Returns: the number of streams
 *
 * Since: 1.0
 */
unsigned int
vt_server_get_max_opening (VtServer *self)
{
  g_return_val_if_fail (VT_IS_SERVER (self), 0);

  return self->max_opening;
}

/**
 * vt_server_set_max_opening: (set-property max-opening)
 * @self: a server
 * @max: a number of streams, at least 1
 *
 * Sets how many streams of each client may wait for its answer at a time, for sessions that begin
 * from now on. See [property@Vt.Server:max-opening].
 *
 * Since: 1.0
 */
void
vt_server_set_max_opening (VtServer *self, unsigned int max)
{
  g_return_if_fail (VT_IS_SERVER (self));
  g_return_if_fail (max > 0);

  vt_server_set_number (self, &self->max_opening, max, VT_SERVER_PROP_MAX_OPENING);
}

/**
 * vt_server_get_max_accept_rate: (get-property max-accept-rate)
 * @self: a server
 *
 * Gets how many users a second each port of a client's takes.
 *
 * Returns: the number of users, or 0 if there is no limit
 *
 * Since: 1.0
 */
unsigned int
vt_server_get_max_accept_rate (VtServer *self)
{
  g_return_val_if_fail (VT_IS_SERVER (self), 0);

  return self->max_accept_rate;
}

/**
 * vt_server_set_max_accept_rate: (set-property max-accept-rate)
 * @self: a server
 * @max: a number of users; 0 is any number
 *
 * Sets how many users a second each port of a client's takes, for sessions that begin from now on,
 * and each port for users by host name, at once.
 * See [property@Vt.Server:max-accept-rate].
 *
 * Since: 1.0
 */
void
vt_server_set_max_accept_rate (VtServer *self, unsigned int max)
{
  g_return_if_fail (VT_IS_SERVER (self));

  vt_server_set_number (self, &self->max_accept_rate, max, VT_SERVER_PROP_MAX_ACCEPT_RATE);
}
