/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "loopback.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define FLAGS (SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC)

static gboolean
wake_up_cb (gpointer user_data)
{
  return G_SOURCE_CONTINUE;
}

void
loopback_iterate (void)
{
  GMainContext *context = g_main_context_get_thread_default ();
  g_autoptr(GSource) source = g_timeout_source_new (100);

  g_source_set_callback (source, wake_up_cb, NULL, NULL);
  g_source_attach (source, context);
  g_main_context_iteration (context, TRUE);
  g_source_destroy (source);
}

static guint16
port_of (int fd)
{
  struct sockaddr_in address;
  socklen_t length = sizeof address;

  g_assert_cmpint (getsockname (fd, (struct sockaddr *) &address, &length), ==, 0);
  return ntohs (address.sin_port);
}

static int
bind_at (guint16 port)
{
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons (port) };
  const int yes = 1;
  int fd = socket (AF_INET, FLAGS, 0);

  if (port != 0)
    g_assert_cmpint (setsockopt (fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes), ==, 0);
  address.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (bind (fd, (struct sockaddr *) &address, sizeof address), ==, 0);
  return fd;
}

static int
bind_somewhere (void)
{
  return bind_at (0);
}

int
loopback_listen_at (guint16 port)
{
  int fd = bind_at (port);

  g_assert_cmpint (listen (fd, 1024), ==, 0);
  return fd;
}

int
loopback_listen (guint16 *port)
{
  int fd = loopback_listen_at (0);

  *port = port_of (fd);
  return fd;
}

int
loopback_listen_unix (const char *path)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  int fd = socket (AF_UNIX, FLAGS, 0);

  g_assert_cmpint (fd, >=, 0);
  g_strlcpy (address.sun_path, path, sizeof address.sun_path);
  g_assert_cmpint (bind (fd, (struct sockaddr *) &address, sizeof address), ==, 0);
  g_assert_cmpint (listen (fd, 1024), ==, 0);
  return fd;
}

int
loopback_accept (int listener)
{
  int fd = accept4 (listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

  g_assert_true (fd >= 0 || errno == EAGAIN);
  return fd;
}

int
loopback_connect (guint16 port)
{
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons (port) };
  int fd = socket (AF_INET, FLAGS, 0);

  g_assert_cmpint (fd, >=, 0);
  address.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
  if (connect (fd, (struct sockaddr *) &address, sizeof address) != 0)
    g_assert_cmpint (errno, ==, EINPROGRESS);
  return fd;
}

void
loopback_pair (int fds[2])
{
  guint16 port;
  int listener = loopback_listen (&port);

  fds[0] = loopback_connect (port);
  RUN_UNTIL ((fds[1] = loopback_accept (listener)) >= 0);
  close (listener);
}

gssize
loopback_read (int fd, void *buffer, size_t size)
{
  gssize n = read (fd, buffer, size);

  return n < 0 ? -errno : n;
}

void
loopback_write (int fd, const char *text)
{
  g_assert_cmpint (write (fd, text, strlen (text)), ==, (gssize) strlen (text));
}

void
loopback_reset (int fd)
{
  const struct linger linger = { .l_onoff = 1, .l_linger = 0 };

  setsockopt (fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
  close (fd);
}

unsigned int
loopback_count_descriptors (void)
{
  g_autoptr(GDir) dir = g_dir_open ("/proc/self/fd", 0, NULL);
  unsigned int n = 0;

  g_assert_nonnull (dir);
  while (g_dir_read_name (dir) != NULL)
    n++;
  return n - 1; /* the directory's own */
}

static void
no_work (GTask *task, gpointer source, gpointer task_data, GCancellable *cancellable)
{
  g_task_return_boolean (task, TRUE);
}

VtPoller *
loopback_warm_up (void)
{
  g_autoptr(VtPoller) poller = vt_poller_get (NULL);
  g_autoptr(GTask) task = g_task_new (NULL, NULL, NULL, NULL);
  int fd = bind_somewhere ();
  VtWatch *watch = vt_watch_new (poller, fd, 0, NULL, NULL, NULL);

  g_assert_nonnull (watch);
  vt_watch_free (watch);
  close (fd);
  g_task_run_in_thread (task, no_work);
  RUN_UNTIL (g_task_get_completed (task));
  return g_steal_pointer (&poller);
}
