/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-tls-accept-private.h"

#include <unistd.h>

#include <vtunnel/vt-error.h>

#include "loopback.h"

#ifdef __SANITIZE_ADDRESS__
/* LeakSanitizer crashes on the thread-local storage of modules that are loaded later, as GIO's TLS
 * is. */
__attribute__ ((visibility ("default"))) const char *__asan_default_options (void);

const char *
__asan_default_options (void)
{
  return "detect_leaks=0";
}
#endif

#define DEADLINE (10 * G_USEC_PER_SEC)

typedef struct {
  VtClock *clock;               /* owned, a fake one */
  VtTlsAcceptor *acceptor;      /* owned */
  GTlsCertificate *certificate; /* owned */
  GCancellable *cancellable;    /* owned */
  GArray *fds;                  /* owned, the peers' ends that are not closed */
  unsigned int n_arrived;
  unsigned int n_accepted;
  unsigned int n_late;
  unsigned int n_cancelled;
  unsigned int n_failed;
} Fixture;

static void
setup (Fixture *self, const void *data)
{
  g_autofree char *path = g_test_build_filename (G_TEST_DIST, "data", "localhost.pem", NULL);
  g_autoptr(GError) error = NULL;

  self->clock = vt_clock_new_fake ();
  self->acceptor = vt_tls_acceptor_new (self->clock);
  self->certificate = g_tls_certificate_new_from_file (path, &error);
  g_assert_no_error (error);
  self->cancellable = g_cancellable_new ();
  self->fds = g_array_new (FALSE, FALSE, sizeof (int));
}

static unsigned int
count_ended (Fixture *self)
{
  return self->n_accepted + self->n_late + self->n_cancelled + self->n_failed;
}

static void
close_peers (Fixture *self)
{
  for (unsigned int i = 0; i < self->fds->len; i++)
    close (g_array_index (self->fds, int, i));
  g_array_set_size (self->fds, 0);
}

static void
teardown (Fixture *self, const void *data)
{
  g_cancellable_cancel (self->cancellable);
  RUN_UNTIL ((vt_clock_advance (self->clock, 1), count_ended (self) == self->n_arrived));
  close_peers (self);
  vt_tls_acceptor_unref (self->acceptor);
  vt_clock_unref (self->clock);
  g_object_unref (self->certificate);
  g_object_unref (self->cancellable);
  g_array_unref (self->fds);
}

static void
accepted_cb (GObject *source, GAsyncResult *result, void *user_data)
{
  Fixture *self = user_data;
  g_autoptr(GError) error = NULL;
  g_autoptr(GIOStream) tls = vt_tls_accept_finish (result, &error);

  if (tls != NULL)
    self->n_accepted++;
  else if (g_error_matches (error, VT_ERROR, VT_ERROR_TIMED_OUT))
    self->n_late++;
  else if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    self->n_cancelled++;
  else
    self->n_failed++;
}

static GIOStream *
wrap (int fd)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GSocket) socket = g_socket_new_from_fd (fd, &error);

  g_assert_no_error (error);
  return G_IO_STREAM (g_socket_connection_factory_create_connection (socket));
}

/* A connection of a peer that says only this. */
static void
arrive (Fixture *self, const char *says)
{
  g_autoptr(GIOStream) base = NULL;
  int fds[2];

  loopback_pair (fds);
  g_array_append_val (self->fds, fds[1]);
  base = wrap (fds[0]);
  loopback_write (fds[1], says);
  self->n_arrived++;
  vt_tls_accept_async (self->acceptor, base, self->certificate, DEADLINE, self->cancellable,
                       accepted_cb, self);
}

/* The first byte of a greeting. */
#define SLOWLY "\x16"

static void
greeted_cb (GObject *source, GAsyncResult *result, void *user_data)
{
  g_autoptr(GIOStream) client = user_data;
  g_autoptr(GError) error = NULL;

  g_tls_connection_handshake_finish (G_TLS_CONNECTION (client), result, &error);
  g_assert_no_error (error);
}

/* A connection of a peer that does it right. */
static void
arrive_properly (Fixture *self)
{
  g_autoptr(GIOStream) base = NULL;
  g_autoptr(GIOStream) peer = NULL;
  g_autoptr(GError) error = NULL;
  g_autoptr(GTlsDatabase) trusted = NULL;
  g_autofree char *path = g_test_build_filename (G_TEST_DIST, "data", "localhost.pem", NULL);
  g_autoptr(GSocketConnectable) identity = g_network_address_new ("localhost", 1);
  GIOStream *client;
  int fds[2];

  loopback_pair (fds);
  base = wrap (fds[0]);
  peer = wrap (fds[1]);
  self->n_arrived++;
  vt_tls_accept_async (self->acceptor, base, self->certificate, DEADLINE, self->cancellable,
                       accepted_cb, self);
  trusted = g_tls_file_database_new (path, &error);
  g_assert_no_error (error);
  client = g_tls_client_connection_new (peer, identity, &error);
  g_assert_no_error (error);
  g_tls_connection_set_database (G_TLS_CONNECTION (client), trusted);
  g_tls_connection_handshake_async (G_TLS_CONNECTION (client), G_PRIORITY_DEFAULT, NULL, greeted_cb,
                                    client);
}

/* Does what can be done at once. */
static void
settle (void)
{
  while (g_main_context_iteration (NULL, FALSE))
    ;
}

static unsigned int
count_threads (void)
{
  g_autoptr(GDir) dir = g_dir_open ("/proc/self/task", 0, NULL);
  unsigned int n = 0;

  while (g_dir_read_name (dir) != NULL)
    n++;
  return n;
}

static void
queried_cb (GObject *source, GAsyncResult *result, void *user_data)
{
  g_autoptr(GFileInfo) info = g_file_query_info_finish (G_FILE (source), result, NULL);

  *(gboolean *) user_data = info != NULL;
}

/* What GIO does in its threads is done, with no more of them than there must be. */
static void
expect_free_threads (void)
{
  g_autoptr(GFile) file = g_file_new_for_path ("/");
  gboolean queried = FALSE;

  g_file_query_info_async (file, "standard::*", G_FILE_QUERY_INFO_NONE, G_PRIORITY_DEFAULT, NULL,
                           queried_cb, &queried);
  RUN_UNTIL (queried);
  g_assert_cmpuint (count_threads (), <, 20);
}

static void
test_one (Fixture *self, const void *data)
{
  arrive_properly (self);
  RUN_UNTIL (self->n_accepted == 1);
  arrive (self, "GET / HTTP/1.1\r\n\r\n");
  RUN_UNTIL (self->n_failed == 1);
}

static void
test_slow (Fixture *self, const void *data)
{
  for (unsigned int i = 0; i < 50; i++)
    arrive (self, SLOWLY);
  settle ();
  expect_free_threads ();
  g_assert_cmpuint (count_ended (self), ==, 0);

  /* Those who gave up make room. */
  close_peers (self);
  RUN_UNTIL (count_ended (self) == 50);
  g_assert_cmpuint (self->n_failed, ==, 50);
  arrive_properly (self);
  RUN_UNTIL (self->n_accepted == 1);
}

static void
test_silent (Fixture *self, const void *data)
{
  for (unsigned int i = 0; i < 50; i++)
    arrive (self, "");
  arrive_properly (self);
  RUN_UNTIL (self->n_accepted == 1);
  g_assert_cmpuint (count_ended (self), ==, 1);
  vt_clock_advance (self->clock, DEADLINE);
  RUN_UNTIL (self->n_late == 50);
}

static void
test_turn (Fixture *self, const void *data)
{
  for (unsigned int i = 0; i < VT_TLS_MAX_RUNNING; i++)
    arrive (self, SLOWLY);
  settle ();
  /* As long as nobody waits, they have the time that they like. */
  vt_clock_advance (self->clock, VT_TLS_TURN + 1);
  settle ();
  g_assert_cmpuint (count_ended (self), ==, 0);
  arrive_properly (self);
  RUN_UNTIL ((vt_clock_advance (self->clock, 1), self->n_accepted == 1));
  /* One place was enough. */
  g_assert_cmpuint (self->n_late, ==, 1);
}

/* It counts from the arrival, for those who wait for their turn too. */
static void
test_deadline (Fixture *self, const void *data)
{
  for (unsigned int i = 0; i < VT_TLS_MAX_RUNNING; i++)
    arrive (self, SLOWLY);
  settle ();
  vt_clock_advance (self->clock, DEADLINE - 1);
  arrive (self, "");
  settle ();
  vt_clock_advance (self->clock, 1);
  RUN_UNTIL (self->n_late == VT_TLS_MAX_RUNNING);
  vt_clock_advance (self->clock, DEADLINE - 2);
  g_assert_cmpuint (count_ended (self), ==, VT_TLS_MAX_RUNNING);
  vt_clock_advance (self->clock, 1);
  RUN_UNTIL (self->n_late == VT_TLS_MAX_RUNNING + 1);
}

static void
test_cancel (Fixture *self, const void *data)
{
  for (unsigned int i = 0; i < 10; i++)
    arrive (self, i < 2 ? "" : SLOWLY);
  settle ();
  g_cancellable_cancel (self->cancellable);
  arrive (self, "");
  vt_clock_advance (self->clock, 1);
  RUN_UNTIL (self->n_cancelled == 11);
  g_assert_cmpuint (count_ended (self), ==, 11);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, func) g_test_add (path, Fixture, NULL, setup, func, teardown)
  ADD ("/tls-accept/one", test_one);
  ADD ("/tls-accept/slow", test_slow);
  ADD ("/tls-accept/silent", test_silent);
  ADD ("/tls-accept/turn", test_turn);
  ADD ("/tls-accept/deadline", test_deadline);
  ADD ("/tls-accept/cancel", test_cancel);
#undef ADD
  return g_test_run ();
}
