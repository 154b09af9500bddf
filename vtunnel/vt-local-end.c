/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-local-end-private.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vt-local-end-kind-private.h"
#include "vt-poller-private.h"
#include "vt-socket-private.h"

/* What one dispatch reads and drops at most of an end that is closed. */
#define DRAIN_PIECE 16384
#define DRAIN_PIECES 16

/* A socket in the poller. */
typedef struct {
  VtLocalEnd base;
  int fd;                 /* owned, unless there is an `owner` */
  GIOStream *owner;       /* owned, nullable: closes `fd` */
  VtWatch *watch;         /* owned */
  VtTimer *timer;         /* owned; NULL until it is closed and lingers */
  GByteArray *unread;     /* owned, nullable: comes before what is in the socket */
  GIOCondition condition; /* what is waited for, but for the sake of `unread` */
  unsigned int ended : 1; /* its peer has ended, and all that it sent was read */
  unsigned int shut : 1;  /* its peer was told that no more comes */
} FdEnd;

/* The socket is closed by itself and first: a TLS connection that is disposed of would otherwise
 * try to say goodbye, and block. */
static void
close_fd (int fd, GIOStream *owner)
{
  g_autoptr(GSocket) socket = owner != NULL ? vt_socket_find (owner) : NULL;

  if (socket != NULL)
    g_socket_close (socket, NULL);
  if (owner != NULL)
    g_object_unref (owner);
  else
    close (fd);
}

static void
fd_end_free (FdEnd *self)
{
  g_clear_pointer (&self->watch, vt_watch_free);
  g_clear_pointer (&self->timer, vt_timer_free);
  g_clear_pointer (&self->unread, g_byte_array_unref);
  close_fd (self->fd, self->owner);
  g_free (self);
}

/* Bytes that are here already are as good as some in the socket, of which the kernel does not know:
 * it says that there is room to write, which is true most times, and comes without delay. */
static void
watch_for (FdEnd *self)
{
  gboolean pretends = self->unread != NULL && (self->condition & G_IO_IN) != 0;

  vt_watch_set_condition (self->watch, self->condition | (pretends ? G_IO_OUT : 0));
}

static size_t
take_unread (FdEnd *self, void *buffer, size_t size)
{
  size_t n = MIN (size, self->unread->len);

  memcpy (buffer, self->unread->data, n);
  if (n < self->unread->len)
    g_byte_array_remove_range (self->unread, 0, (unsigned int) n);
  else
    g_clear_pointer (&self->unread, g_byte_array_unref);
  watch_for (self);
  return n;
}

static gssize
fd_end_read (VtLocalEnd *end, void *buffer, size_t size, GError **error)
{
  FdEnd *self = (FdEnd *) end;
  gssize n;

  if (self->unread != NULL)
    return (gssize) take_unread (self, buffer, size);
  n = vt_socket_read (self->fd, buffer, size, error);

  self->ended = self->ended || (n == 0 && size > 0);
  return n;
}

static gssize
fd_end_write (VtLocalEnd *end, const void *data, size_t length, GError **error)
{
  return vt_socket_write (((FdEnd *) end)->fd, data, length, error);
}

static gssize
fd_end_get_unsent (VtLocalEnd *end)
{
  return vt_socket_get_unsent (((FdEnd *) end)->fd);
}

static void
fd_end_set_condition (VtLocalEnd *end, GIOCondition condition)
{
  FdEnd *self = (FdEnd *) end;

  self->condition = condition;
  watch_for (self);
}

static void
fd_end_shutdown_write (VtLocalEnd *end)
{
  FdEnd *self = (FdEnd *) end;

  if (!self->shut)
    shutdown (self->fd, SHUT_WR);
  self->shut = TRUE;
}

static void
drain (FdEnd *self)
{
  char buffer[DRAIN_PIECE];

  for (unsigned int i = 0; i < DRAIN_PIECES; i++)
    {
      gssize n = recv (self->fd, buffer, sizeof buffer, MSG_DONTWAIT);

      if (n > 0 || (n < 0 && errno == EINTR))
        continue;
      if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK))
        fd_end_free (self);
      return;
    }
}

static void
linger_timeout_cb (void *user_data)
{
  fd_end_free (user_data);
}

static void
watch_cb (GIOCondition condition, void *user_data)
{
  FdEnd *self = user_data;

  self->base.is_last = self->base.is_last || (condition & VT_POLLER_LAST) != 0;
  if (self->timer != NULL)
    drain (self);
  else if (self->unread != NULL && (self->condition & G_IO_IN) != 0)
    self->base.func (condition | G_IO_IN, self->base.user_data);
  else
    self->base.func (condition, self->base.user_data);
}

/* Input that nobody reads would turn the close into a reset, and destroy what is still to be sent:
 * so the end lives on until there can be none any more. */
static void
fd_end_close (VtLocalEnd *end)
{
  FdEnd *self = (FdEnd *) end;
  g_autoptr(VtClock) clock = NULL;

  if (self->ended)
    {
      fd_end_free (self);
      return;
    }
  clock = vt_clock_get (NULL);
  g_clear_pointer (&self->unread, g_byte_array_unref);
  self->timer = vt_timer_new (clock, "local end lingers", linger_timeout_cb, self);
  vt_timer_start (self->timer, VT_LOCAL_END_LINGER);
  fd_end_shutdown_write (end);
  fd_end_set_condition (end, G_IO_IN);
}

static void
fd_end_reset (VtLocalEnd *end)
{
  FdEnd *self = (FdEnd *) end;

  vt_socket_arm_reset (self->fd);
  fd_end_free (self);
}

static const VtLocalEndKind fd_kind = {
  .read = fd_end_read,
  .write = fd_end_write,
  .get_unsent = fd_end_get_unsent,
  .set_condition = fd_end_set_condition,
  .shutdown_write = fd_end_shutdown_write,
  .close = fd_end_close,
  .reset = fd_end_reset,
};

VtLocalEnd *
vt_local_end_new_for_fd (int fd,
                         GIOStream *owner,
                         GIOCondition condition,
                         VtLocalEndFunc func,
                         void *user_data,
                         GError **error)
{
  g_autoptr(VtPoller) poller = vt_poller_get (NULL);
  FdEnd *self = g_new0 (FdEnd, 1);
  const int on = 1;

  self->base.kind = &fd_kind;
  self->base.func = func;
  self->base.user_data = user_data;
  self->fd = fd;
  self->owner = owner;
  self->condition = condition;
  self->watch = vt_watch_new (poller, fd, condition, watch_cb, self, error);
  if (self->watch == NULL)
    {
      fd_end_free (self);
      return NULL;
    }

  /* Fails on a Unix socket, which has nothing to delay. */
  setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return &self->base;
}

void
vt_local_end_unread (VtLocalEnd *end, GByteArray *bytes)
{
  FdEnd *self = (FdEnd *) end;

  g_assert (end->kind == &fd_kind);

  if (bytes->len == 0)
    return;
  g_clear_pointer (&self->unread, g_byte_array_unref);
  self->unread = g_byte_array_ref (bytes);
  watch_for (self);
}

VtLocalEnd *
vt_local_end_new (int fd,
                  GIOStream *connection,
                  GIOCondition condition,
                  VtLocalEndFunc func,
                  void *user_data,
                  GError **error)
{
  GSocket *socket;

  if (fd >= 0)
    return vt_local_end_new_for_fd (fd, NULL, condition, func, user_data, error);
  if (!G_IS_SOCKET_CONNECTION (connection))
    return vt_local_end_new_for_stream (connection, func, user_data);
  socket = g_socket_connection_get_socket (G_SOCKET_CONNECTION (connection));
  return vt_local_end_new_for_fd (g_socket_get_fd (socket), g_object_ref (connection), condition,
                                  func, user_data, error);
}

gssize
vt_local_end_read (VtLocalEnd *self, void *buffer, size_t size, GError **error)
{
  return self->kind->read (self, buffer, size, error);
}

gboolean
vt_local_end_is_last (VtLocalEnd *self)
{
  return self->is_last;
}

gssize
vt_local_end_write (VtLocalEnd *self, const void *data, size_t length, GError **error)
{
  return self->kind->write (self, data, length, error);
}

gssize
vt_local_end_get_unsent (VtLocalEnd *self)
{
  return self->kind->get_unsent (self);
}

void
vt_local_end_set_condition (VtLocalEnd *self, GIOCondition condition)
{
  self->kind->set_condition (self, condition);
}

void
vt_local_end_shutdown_write (VtLocalEnd *self)
{
  self->kind->shutdown_write (self);
}

void
vt_local_end_close (VtLocalEnd *self)
{
  self->kind->close (self);
}

void
vt_local_end_reset (VtLocalEnd *self)
{
  self->kind->reset (self);
}

gboolean
vt_local_end_has_left (const GError *error)
{
  static const int codes[] = { G_IO_ERROR_CONNECTION_CLOSED, G_IO_ERROR_CLOSED,
                               G_IO_ERROR_TIMED_OUT, G_IO_ERROR_HOST_UNREACHABLE,
                               G_IO_ERROR_NETWORK_UNREACHABLE };

  for (size_t i = 0; i < G_N_ELEMENTS (codes); i++)
    if (g_error_matches (error, G_IO_ERROR, codes[i]))
      return TRUE;
  return error->domain == G_TLS_ERROR;
}
