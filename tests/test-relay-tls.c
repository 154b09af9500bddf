/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-relay-private.h"

#include <errno.h>
#include <string.h>

#include "loopback.h"
#include "relay-fixture.h"
#include "vt-error-private.h"

static const GError *
first_end (GPtrArray *ends)
{
  return g_ptr_array_index (ends, 0);
}

static void
expect_end (RelayFixture *self, int code)
{
  RUN_UNTIL (self->target_ends->len == 1);
  g_assert_error (first_end (self->target_ends), VT_ERROR, code);
}

static void
echo_ended_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr(GIOStream) tls = user_data;

  g_output_stream_splice_finish (G_OUTPUT_STREAM (source), result, NULL);
}

/* A TLS server that echoes, on the next connection to the target's port. */
static void
start_tls_echo (RelayFixture *self)
{
  g_autofree char *path = g_test_build_filename (G_TEST_DIST, "data", "localhost.pem", NULL);
  g_autoptr(GError) error = NULL;
  g_autoptr(GTlsCertificate) certificate = g_tls_certificate_new_from_file (path, &error);
  g_autoptr(GSocket) socket = NULL;
  g_autoptr(GSocketConnection) connection = NULL;
  g_autoptr(GIOStream) tls = NULL;
  int fd = -1;

  g_assert_no_error (error);
  RUN_UNTIL ((fd = loopback_accept (self->target_listener)) >= 0);
  socket = g_socket_new_from_fd (fd, &error);
  g_assert_no_error (error);
  connection = g_socket_connection_factory_create_connection (socket);
  tls = g_tls_server_connection_new (G_IO_STREAM (connection), certificate, &error);
  g_assert_no_error (error);
  g_output_stream_splice_async (g_io_stream_get_output_stream (tls),
                                g_io_stream_get_input_stream (tls),
                                G_OUTPUT_STREAM_SPLICE_CLOSE_SOURCE
                                    | G_OUTPUT_STREAM_SPLICE_CLOSE_TARGET,
                                G_PRIORITY_DEFAULT, NULL, echo_ended_cb, g_object_ref (tls));
}

static void
aim_at_tls (RelayFixture *self)
{
  g_autofree char *text = g_strdup_printf ("tls://localhost:%u", self->target_port);

  relay_fixture_aim (self, text);
  vt_forward_set_host_header_mode (self->forward, VT_HOST_HEADER_KEEP);
}

static Talker *
connect_without_target (RelayFixture *self)
{
  Talker *user;
  int listener = self->target_listener;

  /* The fixture must not take the connection that is for TLS. */
  self->target_listener = -1;
  user = relay_fixture_connect (self);
  self->target_listener = listener;
  return user;
}

static void
test_untrusted (RelayFixture *self, gconstpointer data)
{
  Talker *user;

  aim_at_tls (self);
  user = connect_without_target (self);
  start_tls_echo (self);
  RUN_UNTIL (user->error == ECONNRESET);
  expect_end (self, VT_ERROR_TLS);
}

static void
test_no_tls (RelayFixture *self, gconstpointer data)
{
  Talker *user;
  Talker *target;

  aim_at_tls (self);
  user = relay_fixture_connect (self);
  target = relay_fixture_target (self, 0);
  talker_say (target, "SSH-2.0-something else entirely\r\n");
  RUN_UNTIL (user->error == ECONNRESET);
  expect_end (self, VT_ERROR_TLS);
}

/* Makes the test's certificate one that the system trusts. */
static void
trust_test_certificate (void)
{
  GTlsBackend *backend = g_tls_backend_get_default ();
  g_autofree char *path = g_test_build_filename (G_TEST_DIST, "data", "localhost.pem", NULL);
  g_autoptr(GError) error = NULL;
  g_autoptr(GTlsDatabase) database = g_tls_file_database_new (path, &error);

  g_assert_no_error (error);
  g_tls_backend_set_default_database (backend, database);
}

static void
test_trusted (RelayFixture *self, gconstpointer data)
{
  const size_t length = 3 * 1024 * 1024 + 5;
  g_autofree char *block = g_malloc (length);
  Talker *user;

  for (size_t i = 0; i < length; i++)
    block[i] = i * 31 + i / 257;
  trust_test_certificate ();
  aim_at_tls (self);
  user = connect_without_target (self);
  start_tls_echo (self);
  talker_send (user, block, length);
  RUN_UNTIL (user->received->len == length);
  g_assert_true (memcmp (user->received->data, block, length) == 0);
  talker_end (user);
  RUN_UNTIL (self->target_ends->len == 1);
  g_assert_no_error (first_end (self->target_ends));
  g_tls_backend_set_default_database (g_tls_backend_get_default (), NULL);
}

int
main (int argc, char **argv)
{
  g_autoptr(VtPoller) poller = NULL;

  g_test_init (&argc, &argv, NULL);
  poller = loopback_warm_up ();
#define ADD(path, func)                                                                            \
  g_test_add ("/relay/tls/" path, RelayFixture, NULL, relay_fixture_set_up, func,                  \
              relay_fixture_tear_down)
  ADD ("untrusted", test_untrusted);
  ADD ("no-tls", test_no_tls);
  ADD ("trusted", test_trusted);
#undef ADD
  return g_test_run ();
}
