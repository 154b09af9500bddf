/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

/* How large and how slow what clients send may be. */

#include "vt-server-private.h"

/**
 * vt_server_get_max_head_size: (get-property max-head-size)
 * @self: a server
 *
 * Gets how many bytes the head of a request may have.
 *
 * Returns: the number of bytes
 *
 * Since: 1.0
 */
unsigned int
vt_server_get_max_head_size (VtServer *self)
{
  g_return_val_if_fail (VT_IS_SERVER (self), 0);

  return self->max_head_size;
}

/**
 * vt_server_set_max_head_size: (set-property max-head-size)
 * @self: a server
 * @bytes: a number of bytes, from 1024 to 65536
 *
 * Sets how many bytes the head of a request may have, for connections that come from now on. See
 * [property@Vt.Server:max-head-size].
 *
 * Since: 1.0
 */
void
vt_server_set_max_head_size (VtServer *self, unsigned int bytes)
{
  g_return_if_fail (VT_IS_SERVER (self));
  g_return_if_fail (bytes >= VT_SERVER_MIN_HEAD_SIZE && bytes <= VT_SERVER_MOST_HEAD_SIZE);

  vt_server_set_number (self, &self->max_head_size, bytes, VT_SERVER_PROP_MAX_HEAD_SIZE);
}

/**
 * vt_server_get_request_timeout: (get-property request-timeout)
 * @self: a server
 *
 * Gets how long a connection has for its request.
 *
 * Returns: the time, in seconds
 *
 * Since: 1.0
 */
unsigned int
vt_server_get_request_timeout (VtServer *self)
{
  g_return_val_if_fail (VT_IS_SERVER (self), 0);

  return self->request_timeout;
}

/**
 * vt_server_set_request_timeout: (set-property request-timeout)
 * @self: a server
 * @seconds: a time, from 1 to 65535 s
 *
 * Sets how long a connection has for its request, for those that come from now on. See
 * [property@Vt.Server:request-timeout].
 *
 * Since: 1.0
 */
void
vt_server_set_request_timeout (VtServer *self, unsigned int seconds)
{
  g_return_if_fail (VT_IS_SERVER (self));
  g_return_if_fail (seconds > 0 && seconds <= G_MAXUINT16);

  vt_server_set_number (self, &self->request_timeout, seconds, VT_SERVER_PROP_REQUEST_TIMEOUT);
}

/**
 * vt_server_get_max_message_size: (get-property max-message-size)
 * @self: a server
 *
 * Gets how many bytes a message of a client's may have.
 *
 * Returns: the number of bytes
 *
 * Since: 1.0
 */
unsigned int
vt_server_get_max_message_size (VtServer *self)
{
  g_return_val_if_fail (VT_IS_SERVER (self), 0);

  return self->max_message_size;
}

/**
 * vt_server_set_max_message_size: (set-property max-message-size)
 * @self: a server
 * @bytes: a number of bytes, from 65536 (64 KiB) to 1048576 (1 MiB)
 *
 * Sets how many bytes a message of a client's may have, for connections that come from now on. Set
 * it before clients come: see [property@Vt.Server:max-message-size].
 *
 * Since: 1.0
 */
void
vt_server_set_max_message_size (VtServer *self, unsigned int bytes)
{
  g_return_if_fail (VT_IS_SERVER (self));
  g_return_if_fail (bytes >= VT_CONTROL_MIN_MESSAGE && bytes <= VT_MUX_MAX_MESSAGE);

  vt_server_set_number (self, &self->max_message_size, bytes, VT_SERVER_PROP_MAX_MESSAGE_SIZE);
}

/**
 * vt_server_get_max_json_depth: (get-property max-json-depth)
 * @self: a server
 *
 * Gets how deep what a client sends may be nested.
 *
 * Returns: the number of levels
 *
 * Since: 1.0
 */
unsigned int
vt_server_get_max_json_depth (VtServer *self)
{
  g_return_val_if_fail (VT_IS_SERVER (self), 0);

  return self->max_json_depth;
}

/**
 * vt_server_set_max_json_depth: (set-property max-json-depth)
 * @self: a server
 * @levels: a number of levels, from 2 to 64
 *
 * Sets how deep what a client sends may be nested, for sessions that begin from now on. See
 * [property@Vt.Server:max-json-depth].
 *
 * Since: 1.0
 */
void
vt_server_set_max_json_depth (VtServer *self, unsigned int levels)
{
  g_return_if_fail (VT_IS_SERVER (self));
  g_return_if_fail (levels >= VT_SERVER_MIN_JSON_DEPTH && levels <= VT_SERVER_MOST_JSON_DEPTH);

  vt_server_set_number (self, &self->max_json_depth, levels, VT_SERVER_PROP_MAX_JSON_DEPTH);
}

/**
 * vt_server_get_max_window: (get-property max-window)
 * @self: a server
 *
 * Gets how many bytes of one stream may wait for its user.
 *
 * Returns: the number of bytes
 *
 * Since: 1.0
 */
unsigned int
vt_server_get_max_window (VtServer *self)
{
  g_return_val_if_fail (VT_IS_SERVER (self), 0);

  return self->max_window;
}

/**
 * vt_server_set_max_window: (set-property max-window)
 * @self: a server
 * @bytes: a number of bytes, from 16384 (16 KiB) to 16777216 (16 MiB)
 *
 * Sets how many bytes of one stream may wait for its user, for sessions that begin from now on. See
 * [property@Vt.Server:max-window].
 *
 * Since: 1.0
 */
void
vt_server_set_max_window (VtServer *self, unsigned int bytes)
{
  g_return_if_fail (VT_IS_SERVER (self));
  g_return_if_fail (bytes >= VT_CONTROL_WINDOW && bytes <= VT_MUX_MAX_WINDOW);

  vt_server_set_number (self, &self->max_window, bytes, VT_SERVER_PROP_MAX_WINDOW);
}
