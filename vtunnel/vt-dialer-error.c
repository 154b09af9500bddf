/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-dialer-error-private.h"

#include <string.h>

#include <glib/gi18n-lib.h>

#include "vt-error.h"
#include "vt-text-private.h"

#define MAX_RETRY_AFTER 3600
/* Which libsoup has no names for. */
#define STATUS_TOO_EARLY 425
#define STATUS_TOO_MANY_REQUESTS 429

static const struct {
  GTlsCertificateFlags flag;
  const char *words;
} tls_words[] = {
  { G_TLS_CERTIFICATE_UNKNOWN_CA, N_ ("it is signed by nobody who is trusted here") },
  { G_TLS_CERTIFICATE_BAD_IDENTITY, N_ ("it is for another name") },
  { G_TLS_CERTIFICATE_NOT_ACTIVATED, N_ ("it is not valid yet") },
  { G_TLS_CERTIFICATE_EXPIRED, N_ ("it has expired") },
  { G_TLS_CERTIFICATE_REVOKED, N_ ("it was revoked") },
  { G_TLS_CERTIFICATE_INSECURE, N_ ("its algorithm is not secure") },
};

static char *
describe_uri (SoupMessage *message)
{
  return g_uri_to_string_partial (soup_message_get_uri (message),
                                  G_URI_HIDE_USERINFO | G_URI_HIDE_QUERY | G_URI_HIDE_FRAGMENT);
}

static char *
describe_host (SoupMessage *message)
{
  GUri *uri = soup_message_get_uri (message);
  const char *host = g_uri_get_host (uri);
  int port = g_uri_get_port (uri);

  if (port <= 0)
    port = g_str_equal (g_uri_get_scheme (uri), "wss") ? 443 : 80;
  if (strchr (host, ':') != NULL)
    return g_strdup_printf ("[%s]:%d", host, port);
  return g_strdup_printf ("%s:%d", host, port);
}

/* The HTTP answer that there was, 0 if there was none. */
static unsigned int
get_answer (const VtDialerFailure *failure, const GError *error)
{
  unsigned int status = failure->refused_status;

  if (status == 0 && error->domain == SOUP_WEBSOCKET_ERROR)
    status = soup_message_get_status (failure->message);
  return status >= SOUP_STATUS_OK ? status : 0;
}

/* Somebody answered, who may answer otherwise another time. */
static gboolean
is_passing (unsigned int status)
{
  return SOUP_STATUS_IS_SERVER_ERROR (status) || status == SOUP_STATUS_REQUEST_TIMEOUT
         || status == STATUS_TOO_EARLY || status == STATUS_TOO_MANY_REQUESTS;
}

/* An upgrade that is none of ours, or no HTTP at all; or a connection that was cut within the head
 * of an answer, since libsoup takes what came for all of it. So it can be mended by waiting:
 * whoever has not been there before does not wait. */
static gboolean
is_foreign (const GError *error)
{
  return error->domain == SOUP_WEBSOCKET_ERROR
         || g_error_matches (error, SOUP_SESSION_ERROR, SOUP_SESSION_ERROR_PARSING);
}

/* A certificate that is not trusted, or one of ours that is missing, or no TLS on this machine.
 * Any other failure is a handshake that broke off, as when a connection is cut. What libsoup says
 * of the certificate is not looked at: the application may have accepted it all the same. */
static gboolean
is_distrust (const GError *error)
{
  return g_error_matches (error, G_TLS_ERROR, G_TLS_ERROR_BAD_CERTIFICATE)
         || g_error_matches (error, G_TLS_ERROR, G_TLS_ERROR_CERTIFICATE_REQUIRED)
         || g_error_matches (error, G_TLS_ERROR, G_TLS_ERROR_UNAVAILABLE);
}

/* A SOCKS proxy that wants to know who asks, or does not let through. One that speaks HTTP says so
 * with a status. */
static gboolean
is_proxy_refusal (const GError *error)
{
  return g_error_matches (error, G_IO_ERROR, G_IO_ERROR_PROXY_AUTH_FAILED)
         || g_error_matches (error, G_IO_ERROR, G_IO_ERROR_PROXY_NEED_AUTH)
         || g_error_matches (error, G_IO_ERROR, G_IO_ERROR_PROXY_NOT_ALLOWED);
}

static GError *
error_for_status (SoupMessage *message, unsigned int status)
{
  g_autofree char *uri = describe_uri (message);
  g_autofree char *phrase = vt_text_escape (soup_message_get_reason_phrase (message), -1);
  const char *location =
      soup_message_headers_get_one (soup_message_get_response_headers (message), "Location");

  if (status == SOUP_STATUS_PROXY_UNAUTHORIZED)
    return g_error_new (VT_ERROR, VT_ERROR_NOT_AUTHORISED,
                        _ ("%s: the proxy on the way asks for a name and a password"), uri);
  if (status == SOUP_STATUS_UNAUTHORIZED || status == SOUP_STATUS_FORBIDDEN)
    return g_error_new (VT_ERROR, VT_ERROR_NOT_AUTHORISED, _ ("%s: the server answered %u %s"), uri,
                        status, phrase);
  if (is_passing (status))
    return g_error_new (VT_ERROR, VT_ERROR_FAILED, _ ("%s: the server answered %u %s"), uri, status,
                        phrase);
  if (SOUP_STATUS_IS_REDIRECTION (status) && location != NULL)
    {
      g_autofree char *escaped = vt_text_escape (location, -1);

      return g_error_new (
          VT_ERROR, VT_ERROR_NOT_A_TUNNEL,
          _ ("%s: the server answered %u %s and points to %s, which is not followed"), uri, status,
          phrase, escaped);
    }
  return g_error_new (VT_ERROR, VT_ERROR_NOT_A_TUNNEL,
                      _ ("%s: the server answered %u %s: no WebSocket there"), uri, status, phrase);
}

static GError *
error_for_tls (SoupMessage *message, const GError *error)
{
  GTlsCertificateFlags flags = soup_message_get_tls_peer_certificate_errors (message);
  g_autoptr(GPtrArray) words = g_ptr_array_new ();
  g_autofree char *host = describe_host (message);
  g_autofree char *joined = NULL;

  for (size_t i = 0; i < G_N_ELEMENTS (tls_words); i++)
    if (flags & tls_words[i].flag)
      g_ptr_array_add (words, (char *) _ (tls_words[i].words));
  if (words->len == 0)
    return g_error_new (VT_ERROR, VT_ERROR_TLS, _ ("%s: no secure connection: %s"), host,
                        error->message);
  g_ptr_array_add (words, NULL);
  joined = g_strjoinv (_ (", "), (char **) words->pdata);
  return g_error_new (VT_ERROR, VT_ERROR_TLS, _ ("%s: the server's certificate is not good: %s"),
                      host, joined);
}

static GError *
error_for_handshake (SoupMessage *message, const GError *error)
{
  g_autofree char *uri = describe_uri (message);

  return g_error_new (VT_ERROR, VT_ERROR_NOT_A_TUNNEL, _ ("%s: no WebSocket there: %s"), uri,
                      error->message);
}

GError *
vt_dialer_error_new (const VtDialerFailure *failure, const GError *error)
{
  g_autofree char *host = describe_host (failure->message);
  unsigned int status = get_answer (failure, error);

  if (status != 0)
    return error_for_status (failure->message, status);
  if (failure->unpinned != NULL)
    return g_error_new (VT_ERROR, VT_ERROR_TLS,
                        _ ("%s: the server's certificate is none of those that are pinned: %s"),
                        host, failure->unpinned);
  if (failure->old_tls)
    return g_error_new (VT_ERROR, VT_ERROR_TLS,
                        _ ("%s: the server speaks no TLS of version 1.2 or later"), host);
  if (failure->timed_out)
    return g_error_new (VT_ERROR, VT_ERROR_TIMED_OUT, _ ("%s: no answer within %u seconds"), host,
                        failure->deadline_seconds);
  if (is_foreign (error))
    return error_for_handshake (failure->message, error);
  if (error->domain == G_TLS_ERROR)
    return error_for_tls (failure->message, error);
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT))
    return g_error_new (VT_ERROR, VT_ERROR_TIMED_OUT, "%s: %s", host, error->message);
  return g_error_new (VT_ERROR, VT_ERROR_FAILED, "%s: %s", host, error->message);
}

/* Seconds; dates, which depend on two clocks, count as nothing said. */
static unsigned int
get_retry_after (SoupMessage *message, unsigned int status)
{
  const char *text =
      soup_message_headers_get_one (soup_message_get_response_headers (message), "Retry-After");

  if (status != SOUP_STATUS_SERVICE_UNAVAILABLE && status != STATUS_TOO_MANY_REQUESTS)
    return 0;
  if (text == NULL || text[strspn (text, "0123456789")] != '\0')
    return 0;
  return MIN (g_ascii_strtoull (text, NULL, 10), MAX_RETRY_AFTER);
}

VtDialOutcome
vt_dialer_error_judge (const VtDialerFailure *failure, const GError *error)
{
  VtDialOutcome outcome = { 0 };
  unsigned int status = get_answer (failure, error);

  if (status != 0)
    {
      outcome.hopeless = !is_passing (status);
      outcome.retry_after = get_retry_after (failure->message, status);
    }
  else if (!failure->timed_out)
    outcome.hopeless = failure->unpinned != NULL || failure->old_tls || is_proxy_refusal (error)
                       || is_distrust (error);
  return outcome;
}
