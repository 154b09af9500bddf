/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-socket-private.h"

#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/uio.h>

#ifdef __linux__
#include <linux/sockios.h>
#include <sys/ioctl.h>
#endif

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

/* GIO's vectors are laid out as those of struct iovec are: its documentation says so. */
G_STATIC_ASSERT (sizeof (GInputVector) == sizeof (struct iovec));
G_STATIC_ASSERT (offsetof (GInputVector, size) == offsetof (struct iovec, iov_len));
G_STATIC_ASSERT (sizeof (GOutputVector) == sizeof (struct iovec));
G_STATIC_ASSERT (offsetof (GOutputVector, size) == offsetof (struct iovec, iov_len));

gssize
vt_socket_readv (int fd, const GInputVector *vectors, size_t n_vectors, GError **error)
{
  struct msghdr message = { .msg_iov = (struct iovec *) vectors, .msg_iovlen = n_vectors };
  gssize n;

  do
    n = recvmsg (fd, &message, MSG_DONTWAIT);
  while (n < 0 && errno == EINTR);
  return n < 0 ? fail (error, errno) : n;
}

gssize
vt_socket_writev (int fd, const GOutputVector *vectors, size_t n_vectors, GError **error)
{
  struct msghdr message = { .msg_iov = (struct iovec *) vectors, .msg_iovlen = n_vectors };
  gssize n;

  do
    n = sendmsg (fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  while (n < 0 && errno == EINTR);
  return n < 0 ? fail (error, errno) : n;
}

#ifdef __linux__
/* What counts there is the memory, which is up to twice the bytes of pieces that a busy stream
 * comes in, and several times those of smaller ones. */
static gssize
get_unread_of_unix (int fd)
{
  int domain = AF_UNSPEC;
  socklen_t size = sizeof domain;
  int memory;

  if (getsockopt (fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0 || domain != AF_UNIX
      || ioctl (fd, SIOCOUTQ, &memory) != 0)
    return -1;
  return memory / 2;
}

/* SIOCOUTQ would count what is on its way, which on a long path is much however fast it is. */
gssize
vt_socket_get_unsent (int fd)
{
  /* Of what this request writes, memory checkers know nothing. */
  int unsent = 0;

  return ioctl (fd, SIOCOUTQNSD, &unsent) == 0 ? unsent : get_unread_of_unix (fd);
}
#else
gssize
vt_socket_get_unsent (int fd)
{
  return -1;
}
#endif

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
