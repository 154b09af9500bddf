/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-local-end-private.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loopback.h"
#include "vt-socket-private.h"

/* Every test runs with both kinds: a descriptor in the poller, and a GIOStream around one. */
typedef struct {
  VtLocalEnd *end;
  int near; /* the end's */
  int far;  /* the test's */
  GIOCondition seen;
  unsigned int n_calls;
  unsigned int n_descriptors;
} Fixture;

static void
local_cb (GIOCondition condition, void *user_data)
{
  Fixture *self = user_data;

  self->seen |= condition;
  self->n_calls++;
  /* Level-triggered: the tests want to hear of it once. */
  if (self->end != NULL)
    vt_local_end_set_condition (self->end, 0);
}

static void
set_up (Fixture *self, gconstpointer as_stream)
{
  int fds[2];

  self->n_descriptors = loopback_count_descriptors ();
  loopback_pair (fds);
  self->near = fds[0];
  self->far = fds[1];
  if (as_stream == NULL)
    self->end = vt_local_end_new_for_fd (self->near, NULL, 0, local_cb, self, NULL);
  else
    {
      g_autoptr(GSocket) socket = g_socket_new_from_fd (self->near, NULL);
      g_autoptr(GSocketConnection) connection =
          g_socket_connection_factory_create_connection (socket);

      self->end = vt_local_end_new_for_stream (G_IO_STREAM (connection), local_cb, self);
    }
  g_assert_nonnull (self->end);
}

/* Whatever the test did, all descriptors are closed in the end. */
static void
tear_down (Fixture *self, gconstpointer as_stream)
{
  if (self->end != NULL)
    vt_local_end_reset (self->end);
  if (self->far >= 0)
    close (self->far);
  RUN_UNTIL (loopback_count_descriptors () == self->n_descriptors);
}

static void
test_read (Fixture *self, gconstpointer as_stream)
{
  char buffer[16];
  g_autoptr(GError) error = NULL;

  g_assert_cmpint (vt_local_end_read (self->end, buffer, sizeof buffer, &error), ==, -1);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK);
  g_clear_error (&error);

  vt_local_end_set_condition (self->end, G_IO_IN);
  loopback_write (self->far, "hello");
  RUN_UNTIL (self->n_calls > 0);
  g_assert_cmpuint (self->seen, ==, G_IO_IN);
  g_assert_cmpint (vt_local_end_read (self->end, buffer, sizeof buffer, &error), ==, 5);
  g_assert_no_error (error);
  g_assert_cmpmem (buffer, 5, "hello", 5);

  g_assert_cmpint (shutdown (self->far, SHUT_WR), ==, 0);
  vt_local_end_set_condition (self->end, G_IO_IN);
  RUN_UNTIL (self->n_calls > 1);
  g_assert_cmpint (vt_local_end_read (self->end, buffer, sizeof buffer, &error), ==, 0);
  g_assert_no_error (error);
}

#ifdef HAVE_EPOLL
/* What was said before its peer's end is known to be the last before it is read. */
static void
test_last (Fixture *self, gconstpointer as_stream)
{
  char buffer[16];

  vt_local_end_set_condition (self->end, G_IO_IN);
  loopback_write (self->far, "hello");
  RUN_UNTIL (self->n_calls > 0);
  g_assert_false (vt_local_end_is_last (self->end));

  g_assert_cmpint (shutdown (self->far, SHUT_WR), ==, 0);
  vt_local_end_set_condition (self->end, G_IO_IN);
  RUN_UNTIL (self->n_calls > 1);
  g_assert_true (vt_local_end_is_last (self->end));
  g_assert_cmpint (vt_local_end_read (self->end, buffer, sizeof buffer, NULL), ==, 5);
  g_assert_cmpint (vt_local_end_read (self->end, buffer, sizeof buffer, NULL), ==, 0);
}
#endif

static void
test_reset_by_peer (Fixture *self, gconstpointer as_stream)
{
  char buffer[16];
  g_autoptr(GError) error = NULL;

  vt_local_end_set_condition (self->end, G_IO_IN);
  loopback_reset (self->far);
  self->far = -1;
  RUN_UNTIL (self->n_calls > 0);
  g_assert_cmpint (vt_local_end_read (self->end, buffer, sizeof buffer, &error), ==, -1);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED);
}

/* A peer that left is no reason for the main loop to spin while nobody asks. */
static void
test_no_condition (Fixture *self, gconstpointer as_stream)
{
  loopback_reset (self->far);
  self->far = -1;
  for (unsigned int i = 0; i < 5; i++)
    loopback_iterate ();
  g_assert_cmpuint (self->n_calls, ==, 0);
}

static void
fill (Fixture *self, size_t *length)
{
  char block[4096] = { 0 };
  g_autoptr(GError) error = NULL;
  gssize n;

  while ((n = vt_local_end_write (self->end, block, sizeof block, &error)) > 0)
    *length += n;
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK);
}

static void
test_write (Fixture *self, gconstpointer as_stream)
{
  char buffer[65536];
  size_t length = 0;

  fill (self, &length);
  g_assert_cmpuint (length, >, 0);
  vt_local_end_set_condition (self->end, G_IO_OUT);
  loopback_iterate ();
  g_assert_cmpuint (self->n_calls, ==, 0);
  RUN_UNTIL (loopback_read (self->far, buffer, sizeof buffer) < 0 || self->n_calls > 0);
  RUN_UNTIL (loopback_read (self->far, buffer, sizeof buffer) > 0 || self->n_calls > 0);
  RUN_UNTIL (self->n_calls > 0);
  g_assert_cmpuint (self->seen, ==, G_IO_OUT);
}

static void
test_write_to_nobody (Fixture *self, gconstpointer as_stream)
{
  g_autoptr(GError) error = NULL;

  loopback_reset (self->far);
  self->far = -1;
  g_assert_cmpint (vt_local_end_write (self->end, "x", 1, &error), ==, -1);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED);
}

static gboolean
read_more (int fd, size_t *length, gssize *last)
{
  char buffer[65536];

  while ((*last = loopback_read (fd, buffer, sizeof buffer)) > 0)
    *length += *last;
  return *last != -EAGAIN;
}

/* Unread input would turn a plain close into a reset that destroys what is still to be sent. */
static void
test_close_tail (Fixture *self, gconstpointer as_stream)
{
  size_t sent = 0, received = 0;
  gssize last;

  loopback_write (self->far, "nobody reads this");
  fill (self, &sent);
  vt_local_end_close (g_steal_pointer (&self->end));
  RUN_UNTIL (read_more (self->far, &received, &last));
  g_assert_cmpint (last, ==, 0);
  g_assert_cmpuint (received, ==, sent);
}

static void
test_close_drains (Fixture *self, gconstpointer as_stream)
{
  char byte;

  vt_local_end_close (g_steal_pointer (&self->end));
  RUN_UNTIL (loopback_read (self->far, &byte, 1) == 0);
  for (unsigned int i = 0; i < 10; i++)
    {
      loopback_write (self->far, "still here");
      loopback_iterate ();
    }
  g_assert_cmpint (loopback_read (self->far, &byte, 1), ==, 0);
  g_assert_cmpuint (loopback_count_descriptors (), >=, self->n_descriptors + 2);
}

/* Takes 5 s of real time. */
static void
test_close_timeout (Fixture *self, gconstpointer as_stream)
{
  vt_local_end_close (g_steal_pointer (&self->end));
  RUN_UNTIL (fcntl (self->near, F_GETFD) == -1);
}

/* Where nothing can come any more, there is nothing to wait for; and what was written arrives. */
static void
test_close_ended (Fixture *self, gconstpointer as_stream)
{
  size_t sent = 0, received = 0;
  gssize last;
  char byte;

  g_assert_cmpint (shutdown (self->far, SHUT_WR), ==, 0);
  RUN_UNTIL (vt_local_end_read (self->end, &byte, 1, NULL) == 0);
  fill (self, &sent);
  vt_local_end_close (g_steal_pointer (&self->end));
  g_assert_cmpint (fcntl (self->near, F_GETFD), ==, -1);
  RUN_UNTIL (read_more (self->far, &received, &last));
  g_assert_cmpint (last, ==, 0);
  g_assert_cmpuint (received, ==, sent);
}

/* It need not be asked for what it begins with. */
static void
test_first_condition (Fixture *self, gconstpointer as_stream)
{
  int fds[2];

  vt_local_end_reset (self->end);
  close (self->far);
  loopback_pair (fds);
  self->near = fds[0];
  self->far = fds[1];
  self->end = vt_local_end_new_for_fd (self->near, NULL, G_IO_IN, local_cb, self, NULL);
  loopback_write (self->far, "hello");
  RUN_UNTIL (self->n_calls > 0);
  g_assert_cmpuint (self->seen, ==, G_IO_IN);
}

static void
test_reset (Fixture *self, gconstpointer as_stream)
{
  char byte;

  vt_local_end_reset (g_steal_pointer (&self->end));
  RUN_UNTIL (loopback_read (self->far, &byte, 1) == -ECONNRESET);
}

static void
read_all (int fd)
{
  char buffer[65536];

  while (loopback_read (fd, buffer, sizeof buffer) > 0)
    ;
}

/* What has left, whether or not it was read, is not counted; what the peer has no room for is. */
static void
test_unsent (Fixture *self, gconstpointer as_stream)
{
  size_t length = 0;

  g_assert_cmpint (vt_local_end_get_unsent (self->end), ==, 0);
  g_assert_cmpint (vt_local_end_write (self->end, "hello", 5, NULL), ==, 5);
  g_assert_cmpint (vt_local_end_get_unsent (self->end), ==, 0);
  fill (self, &length);
  g_assert_cmpint (vt_local_end_get_unsent (self->end), >, 0);
  g_assert_cmpint (vt_local_end_get_unsent (self->end), <, length);
  RUN_UNTIL ((read_all (self->far), vt_local_end_get_unsent (self->end) == 0));
}

/* A Unix socket's peer has all at once: it counts until it is read, at no more than it is. */
static void
test_unsent_unix (void)
{
  char block[4096] = { 0 };
  VtLocalEnd *end;
  gssize unsent;
  int fds[2];

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), ==, 0);
  end = vt_local_end_new_for_fd (fds[0], NULL, 0, NULL, NULL, NULL);
  g_assert_cmpint (vt_local_end_get_unsent (end), ==, 0);
  for (unsigned int i = 0; i < 16; i++)
    g_assert_cmpint (vt_local_end_write (end, block, sizeof block, NULL), ==, sizeof block);
  unsent = vt_local_end_get_unsent (end);
  g_assert_cmpint (unsent, >, 16 * sizeof block / 2);
  g_assert_cmpint (unsent, <=, 16 * sizeof block);
  read_all (fds[1]);
  g_assert_cmpint (vt_local_end_get_unsent (end), ==, 0);
  vt_local_end_reset (end);
  close (fds[1]);
}

/* What is no such socket, whatever else the system would say of it. */
static void
test_unsent_unknown (void)
{
  int datagrams = socket (AF_INET, SOCK_DGRAM, 0);
  int fds[2];

  g_assert_cmpint (datagrams, >=, 0);
  g_assert_cmpint (vt_socket_get_unsent (datagrams), ==, -1);
  close (datagrams);

  g_assert_cmpint (pipe (fds), ==, 0);
  g_assert_cmpint (vt_socket_get_unsent (fds[1]), ==, -1);
  close (fds[0]);
  g_assert_cmpint (vt_socket_get_unsent (fds[0]), ==, -1);
  close (fds[1]);
}

static void
test_no_delay (Fixture *self, gconstpointer as_stream)
{
  int on = 0;
  socklen_t length = sizeof on;

  g_assert_cmpint (getsockopt (self->near, IPPROTO_TCP, TCP_NODELAY, &on, &length), ==, 0);
  g_assert_cmpint (on, !=, 0);
}

static void
test_owner (void)
{
  unsigned int n_descriptors = loopback_count_descriptors ();
  g_autoptr(GSocket) socket = NULL;
  GSocketConnection *connection;
  VtLocalEnd *end;
  int fds[2];
  char byte;

  loopback_pair (fds);
  socket = g_socket_new_from_fd (fds[0], NULL);
  connection = g_socket_connection_factory_create_connection (socket);
  end = vt_local_end_new_for_fd (fds[0], G_IO_STREAM (connection), 0, NULL, NULL, NULL);
  vt_local_end_reset (end);
  g_assert_true (g_socket_is_closed (socket));
  RUN_UNTIL (loopback_read (fds[1], &byte, 1) == -ECONNRESET);
  close (fds[1]);
  g_assert_cmpuint (loopback_count_descriptors (), ==, n_descriptors);
}

static void
test_unwatchable (void)
{
#ifdef HAVE_EPOLL
  g_autoptr(GError) error = NULL;
  g_autofree char *path = g_build_filename (g_get_tmp_dir (), "vt-local-end-XXXXXX", NULL);
  int fd = g_mkstemp (path);

  unlink (path);
  g_assert_null (vt_local_end_new_for_fd (fd, NULL, 0, NULL, NULL, &error));
  g_assert_nonnull (error);
  g_assert_cmpint (fcntl (fd, F_GETFD), ==, -1);
#else
  g_test_skip ("poll () watches anything");
#endif
}

static void
add (const char *name, void (*func) (Fixture *, gconstpointer))
{
  g_autofree char *fd_path = g_strconcat ("/local-end/fd/", name, NULL);
  g_autofree char *stream_path = g_strconcat ("/local-end/stream/", name, NULL);

  g_test_add (fd_path, Fixture, NULL, set_up, func, tear_down);
  g_test_add (stream_path, Fixture, "stream", set_up, func, tear_down);
}

int
main (int argc, char **argv)
{
  g_autoptr(VtPoller) poller = NULL;

  g_test_init (&argc, &argv, NULL);
  poller = loopback_warm_up ();
  add ("read", test_read);
  add ("read/reset-by-peer", test_reset_by_peer);
  add ("condition/none", test_no_condition);
  add ("write", test_write);
  add ("write/to-nobody", test_write_to_nobody);
  add ("unsent", test_unsent);
  add ("close/tail", test_close_tail);
  add ("close/drains", test_close_drains);
  add ("close/timeout", test_close_timeout);
  add ("reset", test_reset);
#ifdef HAVE_EPOLL
  g_test_add ("/local-end/fd/last", Fixture, NULL, set_up, test_last, tear_down);
#endif
  g_test_add ("/local-end/fd/no-delay", Fixture, NULL, set_up, test_no_delay, tear_down);
  g_test_add ("/local-end/fd/close/ended", Fixture, NULL, set_up, test_close_ended, tear_down);
  g_test_add ("/local-end/fd/condition/first", Fixture, NULL, set_up, test_first_condition,
              tear_down);
  g_test_add_func ("/local-end/fd/unsent/unix", test_unsent_unix);
  g_test_add_func ("/local-end/fd/unsent/unknown", test_unsent_unknown);
  g_test_add_func ("/local-end/fd/owner", test_owner);
  g_test_add_func ("/local-end/fd/unwatchable", test_unwatchable);
  return g_test_run ();
}
