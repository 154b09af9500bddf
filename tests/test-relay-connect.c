/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-relay-connect-private.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "free-port.h"
#include "loopback.h"

/* One attempt, and what it came to. */
typedef struct {
  VtRelayConnect *connect;
  int fd;
  GError *error;
  unsigned int n_calls;
  unsigned int n_descriptors;
} Fixture;

static void
set_up (Fixture *self, gconstpointer data)
{
  self->n_descriptors = loopback_count_descriptors ();
  self->fd = -1;
}

static void
connected_cb (int fd, const GError *error, void *user_data)
{
  Fixture *self = user_data;

  self->n_calls++;
  self->fd = fd;
  self->error = error != NULL ? g_error_copy (error) : NULL;
  g_clear_pointer (&self->connect, vt_relay_connect_free);
}

static void
start (Fixture *self, const char *text)
{
  g_autoptr(VtTarget) target = vt_target_parse (text, NULL);

  self->connect = vt_relay_connect_new (target, connected_cb, self);
  g_assert_nonnull (self->connect);
  vt_relay_connect_start (self->connect);
}

static void
start_port (Fixture *self, const char *host, guint16 port)
{
  g_autofree char *text = g_strdup_printf ("%s:%u", host, port);

  start (self, text);
}

static void
tear_down (Fixture *self, gconstpointer data)
{
  g_clear_pointer (&self->connect, vt_relay_connect_free);
  if (self->fd >= 0)
    close (self->fd);
  g_clear_error (&self->error);
  g_assert_cmpuint (loopback_count_descriptors (), ==, self->n_descriptors);
}

static void
expect_connected (Fixture *self, int family)
{
  struct sockaddr_storage peer = { 0 };
  socklen_t length = sizeof peer;

  g_assert_no_error (self->error);
  g_assert_cmpuint (self->n_calls, ==, 1);
  g_assert_true (fcntl (self->fd, F_GETFL) & O_NONBLOCK);
  g_assert_true (fcntl (self->fd, F_GETFD) & FD_CLOEXEC);
  g_assert_cmpint (getpeername (self->fd, (struct sockaddr *) &peer, &length), ==, 0);
  g_assert_cmpint (peer.ss_family, ==, family);
}

/* On the other loopback, the same port as somebody has on the first one. -1 without IPv6. */
static int
listen_on_ipv6 (guint16 port, int backlog)
{
  struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_port = htons (port) };
  int fd = socket (AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  int yes = 1;

  address.sin6_addr = in6addr_loopback;
  if (fd < 0)
    return -1;
  setsockopt (fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes);
  if (bind (fd, (struct sockaddr *) &address, sizeof address) == 0 && listen (fd, backlog) == 0)
    return fd;
  close (fd);
  return -1;
}

static void
test_at_once (Fixture *self, gconstpointer data)
{
  guint16 port;
  int listener = loopback_listen (&port);

  start_port (self, "127.0.0.1", port);
  expect_connected (self, AF_INET);
  close (listener);
}

static void
test_refused (Fixture *self, gconstpointer data)
{
  start_port (self, data, find_free_port ());
  RUN_UNTIL (self->n_calls > 0);
  g_assert_error (self->error, G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED);
  g_assert_true (g_str_has_prefix (self->error->message, "Could not connect to "));
}

static void
test_localhost_ipv4 (Fixture *self, gconstpointer data)
{
  guint16 port;
  int listener = loopback_listen (&port);

  start_port (self, "localhost", port);
  RUN_UNTIL (self->n_calls > 0);
  expect_connected (self, AF_INET);
  close (listener);
}

/* Who listens on both is reached as GIO would reach them. */
static void
test_localhost_both (Fixture *self, gconstpointer data)
{
  guint16 port;
  int listener = loopback_listen (&port);
  int other = listen_on_ipv6 (port, 16);

  if (other < 0)
    g_test_skip ("no IPv6");
  else
    {
      start_port (self, "LocalHost", port);
      RUN_UNTIL (self->n_calls > 0);
      expect_connected (self, AF_INET6);
      close (other);
    }
  close (listener);
}

/* Connects until the kernel answers nobody any more. */
static void
fill_queue (GArray *waiting, int family, guint16 port)
{
  struct sockaddr_in ipv4 = { .sin_family = AF_INET, .sin_port = htons (port) };
  struct sockaddr_in6 ipv6 = { .sin6_family = AF_INET6, .sin6_port = htons (port) };

  ipv4.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
  ipv6.sin6_addr = in6addr_loopback;
  for (unsigned int i = 0; i < 4; i++)
    {
      int fd = socket (family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

      if (family == AF_INET)
        connect (fd, (struct sockaddr *) &ipv4, sizeof ipv4);
      else
        connect (fd, (struct sockaddr *) &ipv6, sizeof ipv6);
      g_array_append_val (waiting, fd);
    }
}

static void
close_all (GArray *fds)
{
  for (unsigned int i = 0; i < fds->len; i++)
    close (g_array_index (fds, int, i));
}

/* An address that says nothing does not keep the other one from being tried. */
static void
test_localhost_silent (Fixture *self, gconstpointer data)
{
  g_autoptr(GArray) waiting = g_array_new (FALSE, FALSE, sizeof (int));
  guint16 port;
  int listener = loopback_listen (&port);
  int other = listen_on_ipv6 (port, 0);

  if (other < 0)
    g_test_skip ("no IPv6");
  else
    {
      fill_queue (waiting, AF_INET6, port);
      start_port (self, "localhost", port);
      g_assert_cmpuint (self->n_calls, ==, 0);
      RUN_UNTIL (self->n_calls > 0);
      expect_connected (self, AF_INET);
      close (other);
    }
  close_all (waiting);
  close (listener);
}

/* A connection that stands only after a while: there was no room for it at first. */
static void
test_later (Fixture *self, gconstpointer data)
{
  g_autoptr(GArray) waiting = g_array_new (FALSE, FALSE, sizeof (int));
  guint16 port;
  int listener = loopback_listen (&port);
  int fd;

  g_assert_cmpint (listen (listener, 0), ==, 0);
  fill_queue (waiting, AF_INET, port);
  start_port (self, "127.0.0.1", port);
  g_assert_cmpuint (self->n_calls, ==, 0);
  close_all (waiting);
  while ((fd = loopback_accept (listener)) >= 0)
    close (fd);
  RUN_UNTIL (self->n_calls > 0);
  expect_connected (self, AF_INET);
  close (listener);
}

static void
test_given_up (Fixture *self, gconstpointer data)
{
  g_autoptr(GArray) waiting = g_array_new (FALSE, FALSE, sizeof (int));
  guint16 port;
  int listener = loopback_listen (&port);

  g_assert_cmpint (listen (listener, 0), ==, 0);
  fill_queue (waiting, AF_INET, port);
  start_port (self, "127.0.0.1", port);
  g_assert_nonnull (self->connect);
  g_clear_pointer (&self->connect, vt_relay_connect_free);
  loopback_iterate ();
  g_assert_cmpuint (self->n_calls, ==, 0);
  close_all (waiting);
  close (listener);
}

static void
test_unix (Fixture *self, gconstpointer data)
{
  g_autofree char *directory = g_dir_make_tmp ("vt-connect-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (directory, "socket", NULL);
  g_autofree char *text = g_strconcat ("unix:", path, NULL);
  int listener = loopback_listen_unix (path);

  start (self, text);
  expect_connected (self, AF_UNIX);
  close (listener);
  g_unlink (path);
  g_rmdir (directory);
}

static void
test_abstract (Fixture *self, gconstpointer data)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "\0vt-connect" };
  int listener = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  socklen_t length = offsetof (struct sockaddr_un, sun_path) + sizeof "vt-connect";

  g_assert_cmpint (bind (listener, (struct sockaddr *) &address, length), ==, 0);
  g_assert_cmpint (listen (listener, 1), ==, 0);
  start (self, "unix:@vt-connect");
  expect_connected (self, AF_UNIX);
  close (listener);
}

/* For those, somebody has to be asked. */
static void
test_not_here (void)
{
  static const char *const texts[] = { "example.com:80", "[fe80::1%lo]:80", "a.localhost:80" };

  for (unsigned int i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      g_autoptr(VtTarget) target = vt_target_parse (texts[i], NULL);

      g_assert_nonnull (target);
      g_assert_null (vt_relay_connect_new (target, connected_cb, NULL));
    }
}

int
main (int argc, char **argv)
{
  g_autoptr(VtPoller) poller = NULL;

  g_test_init (&argc, &argv, NULL);
  poller = loopback_warm_up ();
#define ADD(path, data, func)                                                                      \
  g_test_add ("/relay-connect/" path, Fixture, data, set_up, func, tear_down)
  ADD ("at-once", NULL, test_at_once);
  ADD ("refused/address", "127.0.0.1", test_refused);
  ADD ("refused/localhost", "localhost", test_refused);
  ADD ("localhost/ipv4", NULL, test_localhost_ipv4);
  ADD ("localhost/both", NULL, test_localhost_both);
  ADD ("localhost/silent", NULL, test_localhost_silent);
  ADD ("later", NULL, test_later);
  ADD ("given-up", NULL, test_given_up);
  ADD ("unix", NULL, test_unix);
  ADD ("unix/abstract", NULL, test_abstract);
#undef ADD
  g_test_add_func ("/relay-connect/not-here", test_not_here);
  return g_test_run ();
}
