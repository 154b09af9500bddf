/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "dialer-fixture.h"
#include "vt-dialer-error-private.h"

/* Every status that is registered, and some that are not. */
static const unsigned int statuses[] = {
  200, 201, 202, 203, 204, 205, 206, 207, 208, 226, 300, 301, 302, 303, 304, 305,
  306, 307, 308, 400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 412,
  413, 414, 415, 416, 417, 421, 422, 423, 424, 425, 426, 428, 429, 431, 451, 499,
  500, 501, 502, 503, 504, 505, 506, 507, 508, 510, 511, 522, 599, 600, 999,
};

static gboolean
is_worth_another_try (unsigned int status)
{
  return status == 408 || status == 425 || status == 429 || (status >= 500 && status < 600);
}

static int
get_code (unsigned int status)
{
  if (status == 401 || status == 403 || status == 407)
    return VT_ERROR_NOT_AUTHORISED;
  return is_worth_another_try (status) ? VT_ERROR_FAILED : VT_ERROR_NOT_A_TUNNEL;
}

static char *
get_part (DialFixture *self, unsigned int status)
{
  const char *where = self->uri;

  if (status == 407)
    return g_strdup ("the proxy on the way asks for a name and a password");
  if (get_code (status) == VT_ERROR_NOT_A_TUNNEL)
    return g_strdup_printf ("%s: the server answered %u Words: no WebSocket there", where, status);
  return g_strdup_printf ("%s: the server answered %u Words", where, status);
}

static void
dial (DialFixture *self, unsigned int status, const char *fields)
{
  g_autofree char *answer =
      g_strdup_printf ("HTTP/1.1 %u Words\r\nContent-Length: 0\r\n%s\r\n", status, fields);
  g_autofree char *part = get_part (self, status);
  g_autoptr(RawLink) link = NULL;
  g_autofree char *head = NULL;

  dial_fixture_start (self);
  link = raw_server_wait_link (self->server);
  head = raw_link_read_head (link);
  raw_link_send (link, answer, strlen (answer));
  dial_fixture_expect_error (self, get_code (status), part);
}

static void
test_status (DialFixture *self, const void *data)
{
  unsigned int status = GPOINTER_TO_UINT (data);

  dial (self, status, "");
  dial_fixture_expect_outcome (self, !is_worth_another_try (status), 0);
  if (get_code (status) == VT_ERROR_FAILED)
    g_assert_null (strstr (self->error->message, "WebSocket"));
}

static const struct {
  const char *name;
  unsigned int status;
  const char *fields;
  unsigned int seconds;
} waits[] = {
  { "unavailable", 503, "Retry-After: 7\r\n", 7 },
  { "too-many", 429, "Retry-After: 120\r\n", 120 },
  { "spaces", 503, "Retry-After:   7  \r\n", 7 },
  { "zeros", 503, "Retry-After: 007\r\n", 7 },
  { "none", 503, "Retry-After: 0\r\n", 0 },
  { "most", 503, "Retry-After: 3600\r\n", 3600 },
  { "more-than-most", 503, "Retry-After: 3601\r\n", 3600 },
  { "more-than-fits", 503, "Retry-After: 99999999999999999999999999\r\n", 3600 },
  { "negative", 503, "Retry-After: -7\r\n", 0 },
  { "positive", 503, "Retry-After: +7\r\n", 0 },
  { "fraction", 503, "Retry-After: 7.5\r\n", 0 },
  { "empty", 503, "Retry-After:\r\n", 0 },
  { "word", 503, "Retry-After: soon\r\n", 0 },
  { "date", 503, "Retry-After: Fri, 31 Dec 2100 23:59:59 GMT\r\n", 0 },
  { "other-status", 500, "Retry-After: 7\r\n", 0 },
  { "hopeless-status", 404, "Retry-After: 7\r\n", 0 },
};

static void
test_retry_after (DialFixture *self, const void *data)
{
  size_t i = GPOINTER_TO_SIZE (data);

  dial (self, waits[i].status, waits[i].fields);
  dial_fixture_expect_outcome (self, !is_worth_another_try (waits[i].status), waits[i].seconds);
}

/* What needs a network that behaves badly: judged without one. */
typedef GQuark (*DomainFunc) (void);

static const struct {
  const char *name;
  DomainFunc domain;
  int code;
  gboolean hopeless;
} failures[] = {
  { "name-not-found", g_resolver_error_quark, G_RESOLVER_ERROR_NOT_FOUND, FALSE },
  { "name-not-now", g_resolver_error_quark, G_RESOLVER_ERROR_TEMPORARY_FAILURE, FALSE },
  { "unreachable", g_io_error_quark, G_IO_ERROR_NETWORK_UNREACHABLE, FALSE },
  { "host-unreachable", g_io_error_quark, G_IO_ERROR_HOST_UNREACHABLE, FALSE },
  { "refused", g_io_error_quark, G_IO_ERROR_CONNECTION_REFUSED, FALSE },
  { "timed-out", g_io_error_quark, G_IO_ERROR_TIMED_OUT, FALSE },
  { "closed", g_io_error_quark, G_IO_ERROR_CONNECTION_CLOSED, FALSE },
  { "no-descriptors", g_io_error_quark, G_IO_ERROR_TOO_MANY_OPEN_FILES, FALSE },
  { "proxy-fails", g_io_error_quark, G_IO_ERROR_PROXY_FAILED, FALSE },
  { "proxy-asks", g_io_error_quark, G_IO_ERROR_PROXY_NEED_AUTH, TRUE },
  { "proxy-refuses", g_io_error_quark, G_IO_ERROR_PROXY_AUTH_FAILED, TRUE },
  { "proxy-forbids", g_io_error_quark, G_IO_ERROR_PROXY_NOT_ALLOWED, TRUE },
  { "tls-cut", g_tls_error_quark, G_TLS_ERROR_EOF, FALSE },
  { "tls-misc", g_tls_error_quark, G_TLS_ERROR_MISC, FALSE },
  { "tls-not-tls", g_tls_error_quark, G_TLS_ERROR_NOT_TLS, FALSE },
  { "tls-handshake", g_tls_error_quark, G_TLS_ERROR_HANDSHAKE, FALSE },
  { "tls-certificate", g_tls_error_quark, G_TLS_ERROR_BAD_CERTIFICATE, TRUE },
  { "tls-unavailable", g_tls_error_quark, G_TLS_ERROR_UNAVAILABLE, TRUE },
  { "tls-asks-for-one", g_tls_error_quark, G_TLS_ERROR_CERTIFICATE_REQUIRED, TRUE },
  { "no-http", soup_session_error_quark, SOUP_SESSION_ERROR_PARSING, FALSE },
  { "no-websocket", soup_websocket_error_quark, SOUP_WEBSOCKET_ERROR_BAD_HANDSHAKE, FALSE },
};

static void
test_failure (const void *data)
{
  size_t i = GPOINTER_TO_SIZE (data);
  g_autoptr(GError) error = g_error_new_literal (failures[i].domain (), failures[i].code, "words");
  g_autoptr(SoupMessage) message = soup_message_new (SOUP_METHOD_GET, "wss://example.org/");
  const VtDialerFailure failure = { .message = message };
  VtDialOutcome outcome = vt_dialer_error_judge (&failure, error);

  g_assert_cmpint (outcome.hopeless, ==, failures[i].hopeless);
  g_assert_cmpuint (outcome.retry_after, ==, 0);
}

/* What there is then is a cancellation of ours, whatever libsoup makes of it. */
static void
test_failure_deadline (void)
{
  g_autoptr(GError) error =
      g_error_new_literal (SOUP_WEBSOCKET_ERROR, SOUP_WEBSOCKET_ERROR_NOT_WEBSOCKET, "words");
  g_autoptr(SoupMessage) message = soup_message_new (SOUP_METHOD_GET, "wss://example.org/");
  const VtDialerFailure failure = { .message = message, .timed_out = TRUE, .deadline_seconds = 30 };
  g_autoptr(GError) told = vt_dialer_error_new (&failure, error);

  g_assert_error (told, VT_ERROR, VT_ERROR_TIMED_OUT);
  g_assert_false (vt_dialer_error_judge (&failure, error).hopeless);
}

#define ADD(data, func)                                                                            \
  g_test_add (path, DialFixture, data, dial_fixture_set_up, func, dial_fixture_tear_down)

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  for (size_t i = 0; i < G_N_ELEMENTS (statuses); i++)
    {
      g_autofree char *path = g_strdup_printf ("/dialer/status/%u", statuses[i]);

      ADD (GUINT_TO_POINTER (statuses[i]), test_status);
    }
  for (size_t i = 0; i < G_N_ELEMENTS (waits); i++)
    {
      g_autofree char *path = g_strdup_printf ("/dialer/retry-after/%s", waits[i].name);

      ADD (GSIZE_TO_POINTER (i), test_retry_after);
    }
  for (size_t i = 0; i < G_N_ELEMENTS (failures); i++)
    {
      g_autofree char *path = g_strdup_printf ("/dialer/failure/%s", failures[i].name);

      g_test_add_data_func (path, GSIZE_TO_POINTER (i), test_failure);
    }
  g_test_add_func ("/dialer/failure/deadline", test_failure_deadline);
  return g_test_run ();
}
