/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "dialer-fixture.h"

static char *
get_data_path (const char *name)
{
  return g_test_build_filename (G_TEST_DIST, "data", name, NULL);
}

static GTlsCertificate *
load_certificate (void)
{
  g_autofree char *certificate_path = get_data_path ("tls-cert.pem");
  g_autofree char *key_path = get_data_path ("tls-key.pem");
  g_autoptr(GError) error = NULL;
  GTlsCertificate *certificate =
      g_tls_certificate_new_from_files (certificate_path, key_path, &error);

  g_assert_no_error (error);
  return certificate;
}

static void
set_up_tls (DialFixture *self, const void *data)
{
  g_autoptr(GTlsCertificate) certificate = load_certificate ();

  self->session = soup_session_new ();
  self->cancellable = g_cancellable_new ();
  self->server = raw_server_new (certificate);
  self->uri = raw_server_get_uri (self->server, "wss");
  self->messages = g_string_new (NULL);
}

static void
trust_certificate (DialFixture *self)
{
  g_autofree char *path = get_data_path ("tls-cert.pem");
  g_autoptr(GError) error = NULL;
  g_autoptr(GTlsDatabase) database = g_tls_file_database_new (path, &error);

  g_assert_no_error (error);
  soup_session_set_tls_database (self->session, database);
}

static void
test_tls_untrusted (DialFixture *self, const void *data)
{
  g_autoptr(RawLink) link = NULL;

  dial_fixture_start (self);
  link = raw_server_wait_link (self->server);
  RAW_WAIT (raw_link_is_ended (link));
  dial_fixture_expect_error (self, VT_ERROR_TLS, "it is signed by nobody who is trusted here");
}

static void
test_tls_not_tls (DialFixture *self, const void *data)
{
  g_autoptr(RawLink) link = NULL;

  g_free (self->uri);
  self->uri = raw_server_get_uri (self->server, "wss");
  dial_fixture_start (self);
  link = raw_server_wait_link (self->server);
  raw_link_send (link, "SSH-2.0-OpenSSH_9.2\r\n", 21);
  dial_fixture_expect_error (self, VT_ERROR_TLS, "no secure connection");
}

static void
test_tls_trusted (DialFixture *self, const void *data)
{
  trust_certificate (self);
  dial_fixture_start (self);
  dial_fixture_check_tail (self, raw_server_wait_link (self->server), 4000);
}

/* The server of the fixture is the proxy, and plays the server behind it too. */
static void
use_proxy (DialFixture *self, const char *uri)
{
  g_autofree char *proxy = raw_server_get_uri (self->server, "http");
  g_autoptr(GProxyResolver) resolver = g_simple_proxy_resolver_new (proxy, NULL);

  soup_session_set_proxy_resolver (self->session, resolver);
  g_free (self->uri);
  self->uri = g_strdup (uri);
}

static void
test_proxy_plain (DialFixture *self, const void *data)
{
  use_proxy (self, "ws://localhost:1/");
  dial_fixture_start (self);
  dial_fixture_check_tail (self, raw_server_wait_link (self->server), 4000);
}

static void
test_proxy_tls (DialFixture *self, const void *data)
{
  g_autoptr(GTlsCertificate) certificate = load_certificate ();
  const char *answer = "HTTP/1.1 200 Connected\r\n\r\n";
  g_autofree char *head = NULL;
  RawLink *link;

  trust_certificate (self);
  use_proxy (self, "wss://localhost:1/");
  dial_fixture_start (self);
  link = raw_server_wait_link (self->server);
  head = raw_link_read_head (link);
  g_assert_true (g_str_has_prefix (head, "CONNECT localhost:1 HTTP/1.1\r\n"));
  raw_link_send (link, answer, strlen (answer));
  raw_link_start_tls (link, certificate);
  dial_fixture_check_tail (self, link, 4000);
}

static void
test_proxy_refuses (DialFixture *self, const void *data)
{
  const char *answer = "HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n";
  g_autofree char *head = NULL;
  g_autoptr(RawLink) link = NULL;

  use_proxy (self, "wss://localhost:1/");
  dial_fixture_start (self);
  link = raw_server_wait_link (self->server);
  head = raw_link_read_head (link);
  raw_link_send (link, answer, strlen (answer));
  dial_fixture_expect_error (self, VT_ERROR_NOT_AUTHORISED, "proxy");
}

#define ADD(path, set_up, func)                                                                    \
  g_test_add (path, DialFixture, NULL, set_up, func, dial_fixture_tear_down)

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  ADD ("/dialer/tls/untrusted", set_up_tls, test_tls_untrusted);
  ADD ("/dialer/tls/trusted", set_up_tls, test_tls_trusted);
  ADD ("/dialer/tls/not-tls", dial_fixture_set_up, test_tls_not_tls);
  ADD ("/dialer/proxy/plain", dial_fixture_set_up, test_proxy_plain);
  ADD ("/dialer/proxy/tls", dial_fixture_set_up, test_proxy_tls);
  ADD ("/dialer/proxy/refuses", dial_fixture_set_up, test_proxy_refuses);
  return g_test_run ();
}
