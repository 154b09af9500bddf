/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-server-private.h"

/**
 * vt_server_get_allow_streams: (get-property allow-streams)
 * @self: a server
 *
 * Gets whether clients may have forwards without a port, whose streams the application opens.
 *
 * Returns: %TRUE if they may
 *
 * Since: 1.0
 */
gboolean
vt_server_get_allow_streams (VtServer *self)
{
  g_return_val_if_fail (VT_IS_SERVER (self), FALSE);

  return self->allow_streams;
}

/**
 * vt_server_set_allow_streams: (set-property allow-streams)
 * @self: a server
 * @allow: whether clients may have forwards without a port
 *
 * Sets whether clients may have forwards without a port, whose streams the application opens.
 * Those that are there stay.
 *
 * Since: 1.0
 */
void
vt_server_set_allow_streams (VtServer *self, gboolean allow)
{
  g_return_if_fail (VT_IS_SERVER (self));

  allow = !!allow;
  if (self->allow_streams == allow)
    return;
  self->allow_streams = allow;
  g_object_notify_by_pspec (G_OBJECT (self), vt_server_props[VT_SERVER_PROP_ALLOW_STREAMS]);
}

/**
 * vt_server_get_max_sessions: (get-property max-sessions)
 * @self: a server
 *
 * Gets how many clients may be connected at a time.
 *
 * Returns: the number of clients
 *
 * Since: 1.0
 */
unsigned int
vt_server_get_max_sessions (VtServer *self)
{
  g_return_val_if_fail (VT_IS_SERVER (self), 0);

  return self->max_sessions;
}

/**
 * vt_server_set_max_sessions: (set-property max-sessions)
 * @self: a server
 * @max: a number of clients
 *
 * Sets how many clients may be connected at a time. Those that are connected stay connected.
 *
 * Since: 1.0
 */
void
vt_server_set_max_sessions (VtServer *self, unsigned int max)
{
  g_return_if_fail (VT_IS_SERVER (self));

  vt_server_set_number (self, &self->max_sessions, max, VT_SERVER_PROP_MAX_SESSIONS);
}

/**
 * vt_server_get_max_forwards: (get-property max-forwards)
 * @self: a server
 *
 * Gets how many forwards each client may have at a time.
 *
 * Returns: the number of forwards
 *
 * Since: 1.0
 */
unsigned int
vt_server_get_max_forwards (VtServer *self)
{
  g_return_val_if_fail (VT_IS_SERVER (self), 0);

  return self->max_forwards;
}

/**
 * vt_server_set_max_forwards: (set-property max-forwards)
 * @self: a server
 * @max: a number of forwards
 *
 * Sets how many forwards each client may have at a time, for sessions that begin from now on.
 *
 * Since: 1.0
 */
void
vt_server_set_max_forwards (VtServer *self, unsigned int max)
{
  g_return_if_fail (VT_IS_SERVER (self));

  vt_server_set_number (self, &self->max_forwards, max, VT_SERVER_PROP_MAX_FORWARDS);
}

/**
 * vt_server_get_max_streams: (get-property max-streams)
 * @self: a server
 *
 * Gets how many streams each client may have at a time.
 *
 * Returns: the number of streams
 *
 * Since: 1.0
 */
unsigned int
vt_server_get_max_streams (VtServer *self)
{
  g_return_val_if_fail (VT_IS_SERVER (self), 0);

  return self->max_streams;
}

/**
 * vt_server_set_max_streams: (set-property max-streams)
 * @self: a server
 * @max: a number of streams, at least 1
 *
 * Sets how many streams each client may have at a time, for sessions that begin from now on.
 *
 * Since: 1.0
 */
void
vt_server_set_max_streams (VtServer *self, unsigned int max)
{
  g_return_if_fail (VT_IS_SERVER (self));
  g_return_if_fail (max > 0);

  vt_server_set_number (self, &self->max_streams, max, VT_SERVER_PROP_MAX_STREAMS);
}

/**
 * vt_server_get_max_buffer: (get-property max-buffer)
 * @self: a server
 *
 * Gets how much of each client's memory the server keeps at most.
 *
 * Returns: the number of bytes
 *
 * Since: 1.0
 */
guint64
vt_server_get_max_buffer (VtServer *self)
{
  g_return_val_if_fail (VT_IS_SERVER (self), 0);

  return self->max_buffer;
}

/**
 * vt_server_set_max_buffer: (set-property max-buffer)
 * @self: a server
 * @bytes: a number of bytes, at least 1048576 (1 MiB)
 *
 * Sets how much of each client's memory the server keeps at most, for sessions that begin from now
 * on. See [property@Vt.Server:max-buffer].
 *
 * Since: 1.0
 */
void
vt_server_set_max_buffer (VtServer *self, guint64 bytes)
{
  g_return_if_fail (VT_IS_SERVER (self));
  g_return_if_fail (bytes >= VT_SERVER_MIN_BUFFER);

  if (self->max_buffer == bytes)
    return;
  self->max_buffer = bytes;
  g_object_notify_by_pspec (G_OBJECT (self), vt_server_props[VT_SERVER_PROP_MAX_BUFFER]);
}
