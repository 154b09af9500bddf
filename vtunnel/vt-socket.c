/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-socket-private.h"

#include <errno.h>
#include <sys/socket.h>

static gssize
fail (GError **error, int code)
{
  g_set_error_literal (error, G_IO_ERROR, g_io_error_from_errno (code), g_strerror (code));
  return -1;
}

gssize
vt_socket_read (int fd, void *buffer, size_t size, GError **error)
{
  gssize n;

  do
    n = recv (fd, buffer, size, MSG_DONTWAIT);
  while (n < 0 && errno == EINTR);
  return n < 0 ? fail (error, errno) : n;
}

gssize
vt_socket_write (int fd, const void *data, size_t length, GError **error)
{
  gssize n;

  do
    n = send (fd, data, length, MSG_DONTWAIT | MSG_NOSIGNAL);
  while (n < 0 && errno == EINTR);
  return n < 0 ? fail (error, errno) : n;
}

void
vt_socket_arm_reset (int fd)
{
  const struct linger linger = { .l_onoff = 1, .l_linger = 0 };

  setsockopt (fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

GSocket *
vt_socket_find (GIOStream *stream)
{
  /* GTlsConnection and libsoup's private SoupIOStream each have their own word for it. */
  static const char *const names[] = { "base-io-stream", "base-iostream" };

  if (G_IS_SOCKET_CONNECTION (stream))
    return g_object_ref (g_socket_connection_get_socket (G_SOCKET_CONNECTION (stream)));

  for (unsigned int i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autoptr(GIOStream) below = NULL;

      if (g_object_class_find_property (G_OBJECT_GET_CLASS (stream), names[i]) == NULL)
        continue;
      g_object_get (stream, names[i], &below, NULL);
      if (G_IS_IO_STREAM (below))
        return vt_socket_find (below);
    }
  return NULL;
}
