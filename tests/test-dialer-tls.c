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
  dial_fixture_expect_outcome (self, TRUE, 0);
}

/* The connection is cut in the middle of the handshake: after none, or some, of what a server says
 * first, or after an alert. */
typedef struct {
  const char *name;
  const char *bytes;
  size_t length;
  gboolean is_reset;
} TlsCut;

static const TlsCut tls_cuts[] = {
  { "at-once", "", 0, FALSE },
  { "at-once-by-reset", "", 0, TRUE },
  { "half-a-record", "\x16\x03\x03\x00\x7a\x02\x00\x00", 8, FALSE },
  { "half-a-record-by-reset", "\x16\x03\x03\x00\x7a\x02\x00\x00", 8, TRUE },
  { "alert", "\x15\x03\x03\x00\x02\x02\x50", 7, FALSE },
};

static void
test_tls_cut (DialFixture *self, const void *data)
{
  const TlsCut *cut = data;
  g_autoptr(RawLink) link = NULL;

  g_free (self->uri);
  self->uri = raw_server_get_uri (self->server, "wss");
  dial_fixture_start (self);
  link = raw_server_wait_link (self->server);
  raw_link_send (link, cut->bytes, cut->length);
  raw_settle ();
  /* Reads what there is: left unread, it would make a reset of any end. */
  raw_link_is_ended (link);
  if (cut->is_reset)
    raw_link_reset (link);
  else
    g_clear_pointer (&link, raw_link_free);
  dial_fixture_expect_error (self, VT_ERROR_TLS, "no secure connection");
  dial_fixture_expect_outcome (self, FALSE, 0);
}

static gboolean
accept_cb (SoupMessage *message,
           GTlsCertificate *certificate,
           GTlsCertificateFlags flags,
           void *data)
{
  g_assert_cmpint (flags, !=, 0);
  return TRUE;
}

static void
queued_cb (SoupSession *session, SoupMessage *message, void *data)
{
  g_signal_connect (message, "accept-certificate", G_CALLBACK (accept_cb), NULL);
}

/* After the handshake, with a certificate that only the application trusts. */
static void
test_tls_cut_accepted (DialFixture *self, const void *data)
{
  g_autoptr(RawLink) link = NULL;
  g_autofree char *head = NULL;

  g_signal_connect (self->session, "request-queued", G_CALLBACK (queued_cb), NULL);
  dial_fixture_start (self);
  link = raw_server_wait_link (self->server);
  head = raw_link_read_head (link);
  g_clear_pointer (&link, raw_link_free);
  RAW_WAIT (self->done);
  g_assert_nonnull (self->error);
  dial_fixture_expect_outcome (self, FALSE, 0);
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
  dial_fixture_expect_outcome (self, FALSE, 0);
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

static const struct {
  const char *name;
  const char *answer;
  int code;
  const char *part;
  gboolean hopeless;
} refusals[] = {
  { "refuses", "HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n", VT_ERROR_NOT_AUTHORISED,
    "proxy", TRUE },
  { "forbids", "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", VT_ERROR_NOT_AUTHORISED,
    "403 Forbidden", TRUE },
  { "fails", "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", VT_ERROR_FAILED,
    "502 Bad Gateway", FALSE },
};

static void
test_proxy_refuses (DialFixture *self, const void *data)
{
  size_t i = GPOINTER_TO_SIZE (data);
  g_autofree char *head = NULL;
  g_autoptr(RawLink) link = NULL;

  use_proxy (self, "wss://localhost:1/");
  dial_fixture_start (self);
  link = raw_server_wait_link (self->server);
  head = raw_link_read_head (link);
  raw_link_send (link, refusals[i].answer, strlen (refusals[i].answer));
  dial_fixture_expect_error (self, refusals[i].code, refusals[i].part);
  dial_fixture_expect_outcome (self, refusals[i].hopeless, 0);
}

#define ADD_WITH(path, data, set_up, func)                                                         \
  g_test_add (path, DialFixture, data, set_up, func, dial_fixture_tear_down)
#define ADD(path, set_up, func) ADD_WITH (path, NULL, set_up, func)

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  ADD ("/dialer/tls/untrusted", set_up_tls, test_tls_untrusted);
  ADD ("/dialer/tls/trusted", set_up_tls, test_tls_trusted);
  ADD ("/dialer/tls/not-tls", dial_fixture_set_up, test_tls_not_tls);
  for (size_t i = 0; i < G_N_ELEMENTS (tls_cuts); i++)
    {
      g_autofree char *path = g_strdup_printf ("/dialer/tls/cut/%s", tls_cuts[i].name);

      ADD_WITH (path, &tls_cuts[i], dial_fixture_set_up, test_tls_cut);
    }
  ADD ("/dialer/tls/cut/accepted", set_up_tls, test_tls_cut_accepted);
  ADD ("/dialer/proxy/plain", dial_fixture_set_up, test_proxy_plain);
  ADD ("/dialer/proxy/tls", dial_fixture_set_up, test_proxy_tls);
  for (size_t i = 0; i < G_N_ELEMENTS (refusals); i++)
    {
      g_autofree char *path = g_strdup_printf ("/dialer/proxy/%s", refusals[i].name);

      ADD_WITH (path, GSIZE_TO_POINTER (i), dial_fixture_set_up, test_proxy_refuses);
    }
  return g_test_run ();
}
