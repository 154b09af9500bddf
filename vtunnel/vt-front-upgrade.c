/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-front-upgrade-private.h"

#include <string.h>

#include "vt-loopback-private.h"

/* libsoup has no names for this and VT_UPGRADE_TOO_MANY_REQUESTS. */
#define STATUS_UPGRADE_REQUIRED 426

#define VERDICT(status, text) ((VtUpgradeVerdict){ (status), (text) })
#define PASSED VERDICT (0, NULL)
#define BAD_REQUEST(text) VERDICT (SOUP_STATUS_BAD_REQUEST, text)
#define FORBIDDEN(text) VERDICT (SOUP_STATUS_FORBIDDEN, text)

/* A status of 0: the request passed, and the next check looks at it. */
typedef VtUpgradeVerdict (*Check) (SoupServerMessage *message, const VtFrontPolicy *policy);

static unsigned int
count_header (SoupMessageHeaders *headers, const char *wanted)
{
  SoupMessageHeadersIter iter;
  const char *name;
  const char *value;
  unsigned int n = 0;

  soup_message_headers_iter_init (&iter, headers);
  while (soup_message_headers_iter_next (&iter, &name, &value))
    if (g_ascii_strcasecmp (name, wanted) == 0)
      n++;
  return n;
}

static gboolean
is_http_1_1 (SoupServerMessage *message)
{
  return soup_server_message_get_http_version (message) == SOUP_HTTP_1_1;
}

static gboolean
is_health_request (SoupServerMessage *message)
{
  const char *method = soup_server_message_get_method (message);

  return (method == SOUP_METHOD_GET || method == SOUP_METHOD_HEAD)
         && strcmp (g_uri_get_path (soup_server_message_get_uri (message)), "/health") == 0;
}

/* Whatever two programs on the way could understand in two ways is refused, so that no proxy can
 * be made to take for a request what the tunnel takes for its bytes. */
static VtUpgradeVerdict
check_framing (SoupServerMessage *message, const VtFrontPolicy *policy)
{
  SoupMessageHeaders *headers = soup_server_message_get_request_headers (message);
  unsigned int n_hosts = count_header (headers, "Host");

  if (count_header (headers, "Transfer-Encoding") > 0)
    return BAD_REQUEST ("A request with a Transfer-Encoding is not taken.\n");
  if (count_header (headers, "Content-Length") > 1)
    return BAD_REQUEST ("More than one Content-Length.\n");
  if (vt_upgrade_has_body (message))
    return BAD_REQUEST ("A request with a body is not taken.\n");
  if (n_hosts > 1 || (n_hosts == 0 && is_http_1_1 (message)))
    return BAD_REQUEST ("Exactly one Host header is needed.\n");
  return PASSED;
}

static VtUpgradeVerdict
check_health (SoupServerMessage *message, const VtFrontPolicy *policy)
{
  return is_health_request (message) ? VERDICT (SOUP_STATUS_OK, "ok") : PASSED;
}

static VtUpgradeVerdict
check_other_health (SoupServerMessage *message, const VtFrontPolicy *policy)
{
  if (strcmp (g_uri_get_path (soup_server_message_get_uri (message)), "/health") != 0)
    return PASSED;
  return VERDICT (SOUP_STATUS_METHOD_NOT_ALLOWED, "/health takes GET and HEAD only.\n");
}

static VtUpgradeVerdict
check_path (SoupServerMessage *message, const VtFrontPolicy *policy)
{
  const char *path = g_uri_get_path (soup_server_message_get_uri (message));

  if (strcmp (policy->path, "/") == 0 || strcmp (policy->path, path) == 0)
    return PASSED;
  return VERDICT (SOUP_STATUS_NOT_FOUND, "There is nothing here.\n");
}

static VtUpgradeVerdict
check_is_upgrade (SoupServerMessage *message, const VtFrontPolicy *policy)
{
  if (is_http_1_1 (message) && vt_upgrade_is_requested (message))
    return PASSED;
  return VERDICT (STATUS_UPGRADE_REQUIRED,
                  "This is a vtunnel server: connect with a WebSocket client.\n");
}

static VtUpgradeVerdict
check_handshake (SoupServerMessage *message, const VtFrontPolicy *policy)
{
  SoupMessageHeaders *headers = soup_server_message_get_request_headers (message);

  if (!soup_message_headers_header_equals (headers, "Sec-WebSocket-Version", "13"))
    return VERDICT (STATUS_UPGRADE_REQUIRED, "Only version 13 of WebSocket is spoken here.\n");
  if (count_header (headers, "Sec-WebSocket-Key") != 1
      || !soup_websocket_server_check_handshake (message, NULL, NULL, NULL, NULL))
    return BAD_REQUEST ("This is not a valid WebSocket handshake.\n");
  return PASSED;
}

static gboolean
is_allowed_origin (const char *origin, const char *const *allowed)
{
  for (size_t i = 0; allowed != NULL && allowed[i] != NULL; i++)
    if (g_ascii_strcasecmp (allowed[i], origin) == 0)
      return TRUE;
  return FALSE;
}

/* A browser says from which page a request comes; no other program does. Without this any web page
 * could use the tunnels of those who look at it. */
static VtUpgradeVerdict
check_origin (SoupServerMessage *message, const VtFrontPolicy *policy)
{
  SoupMessageHeadersIter iter;
  const char *name;
  const char *value;

  soup_message_headers_iter_init (&iter, soup_server_message_get_request_headers (message));
  while (soup_message_headers_iter_next (&iter, &name, &value))
    if (g_ascii_strcasecmp (name, "Origin") == 0
        && !is_allowed_origin (value, policy->allowed_origins))
      return FORBIDDEN ("Web pages of this origin may not connect: it is not among the server's"
                        " allowed-origins.\n");
  return PASSED;
}

static gboolean
is_proxy_header (const char *name)
{
  static const char *const names[] = { "Forwarded", "Via", "X-Real-IP" };

  for (size_t i = 0; i < G_N_ELEMENTS (names); i++)
    if (g_ascii_strcasecmp (name, names[i]) == 0)
      return TRUE;
  return g_ascii_strncasecmp (name, "X-Forwarded-", strlen ("X-Forwarded-")) == 0
         || g_ascii_strncasecmp (name, "CF-", strlen ("CF-")) == 0;
}

static gboolean
is_addressed_to_loopback (SoupServerMessage *message)
{
  SoupMessageHeaders *headers = soup_server_message_get_request_headers (message);
  const char *host = soup_message_headers_get_one (headers, "Host");
  const char *target = g_uri_get_host (soup_server_message_get_uri (message));
  g_autofree char *bracketed = NULL;

  /* A request line can name a host of its own, which counts more than the header. */
  bracketed = strchr (target, ':') != NULL ? g_strdup_printf ("[%s]", target) : g_strdup (target);
  return host != NULL && vt_loopback_is_host (host) && vt_loopback_is_host (bracketed);
}

/* A listener on loopback says little about who is there: behind a proxy everybody comes from
 * 127.0.0.1, and a name that a web page's owner points at 127.0.0.1 leads a browser here. */
static VtUpgradeVerdict
check_local (SoupServerMessage *message, const VtFrontPolicy *policy)
{
  if (policy->allow_anonymous || policy->asks_who)
    return PASSED;
  if (!is_addressed_to_loopback (message))
    return FORBIDDEN ("This server takes only clients that address it as localhost. To let"
                      " everybody in, set its allow-anonymous property.\n");
  if (vt_upgrade_is_forwarded (message))
    return FORBIDDEN ("This server takes only clients of the same machine, and a proxy has"
                      " forwarded this request. To let everybody in, set its allow-anonymous"
                      " property.\n");
  return PASSED;
}

static VtUpgradeVerdict
run_checks (const Check *checks,
            size_t n_checks,
            SoupServerMessage *message,
            const VtFrontPolicy *policy)
{
  for (size_t i = 0; i < n_checks; i++)
    {
      VtUpgradeVerdict verdict = checks[i](message, policy);

      if (verdict.status != 0)
        return verdict;
    }
  return VERDICT (SOUP_STATUS_SWITCHING_PROTOCOLS, NULL);
}

VtUpgradeVerdict
vt_upgrade_check_own (SoupServerMessage *message, const VtFrontPolicy *policy)
{
  static const Check checks[] = {
    check_framing,    check_health,    check_other_health, check_path,
    check_is_upgrade, check_handshake, check_origin,       check_local
  };

  return run_checks (checks, G_N_ELEMENTS (checks), message, policy);
}

VtUpgradeVerdict
vt_upgrade_check_attached (SoupServerMessage *message, const VtFrontPolicy *policy)
{
  static const Check checks[] = { check_framing, check_is_upgrade, check_handshake, check_origin,
                                  check_local };

  return run_checks (checks, G_N_ELEMENTS (checks), message, policy);
}

/* A browser must neither read a page for another one nor show it within another one. What somebody
 * has clicked on is fine: nobody but them sees what comes. */
static VtUpgradeVerdict
check_same_site (SoupServerMessage *message)
{
  SoupMessageHeaders *headers = soup_server_message_get_request_headers (message);
  const char *site = soup_message_headers_get_one (headers, "Sec-Fetch-Site");
  const char *mode = soup_message_headers_get_one (headers, "Sec-Fetch-Mode");

  if (count_header (headers, "Origin") > 0)
    return FORBIDDEN ("Web pages may not read this.\n");
  if (site != NULL && strcmp (site, "none") != 0 && strcmp (site, "same-origin") != 0
      && g_strcmp0 (mode, "navigate") != 0)
    return FORBIDDEN ("Web pages of other sites may not read this.\n");
  return PASSED;
}

static gboolean
is_from_loopback (SoupServerMessage *message)
{
  GSocketAddress *remote = soup_server_message_get_remote_address (message);

  return G_IS_INET_SOCKET_ADDRESS (remote)
         && g_inet_address_get_is_loopback (
             g_inet_socket_address_get_address (G_INET_SOCKET_ADDRESS (remote)));
}

VtUpgradeVerdict
vt_upgrade_check_simple (SoupServerMessage *message)
{
  const char *method = soup_server_message_get_method (message);
  VtUpgradeVerdict verdict = check_framing (message, NULL);

  if (verdict.status != 0)
    return verdict;
  if (method != SOUP_METHOD_GET && method != SOUP_METHOD_HEAD)
    return VERDICT (SOUP_STATUS_METHOD_NOT_ALLOWED, "This takes GET and HEAD only.\n");
  return VERDICT (SOUP_STATUS_OK, NULL);
}

VtUpgradeVerdict
vt_upgrade_check_page (SoupServerMessage *message, gboolean is_local)
{
  VtUpgradeVerdict verdict = vt_upgrade_check_simple (message);

  if (verdict.status != SOUP_STATUS_OK)
    return verdict;
  verdict = check_same_site (message);
  if (verdict.status != 0)
    return verdict;
  if (is_local
      && (!is_from_loopback (message) || !is_addressed_to_loopback (message)
          || vt_upgrade_is_forwarded (message)))
    return FORBIDDEN ("This is only for who is on the server's machine, and addresses it as"
                      " localhost, with no proxy between.\n");
  return VERDICT (SOUP_STATUS_OK, NULL);
}

VtUpgradeVerdict
vt_upgrade_check_rest (SoupServerMessage *message)
{
  static const Check checks[] = { check_framing, check_health, check_other_health };
  VtUpgradeVerdict verdict = run_checks (checks, G_N_ELEMENTS (checks), message, NULL);

  if (verdict.status != SOUP_STATUS_SWITCHING_PROTOCOLS)
    return verdict;
  return VERDICT (SOUP_STATUS_NOT_FOUND,
                  "There is nothing here but /health, /ready, /metrics and /status.\n");
}

gboolean
vt_upgrade_is_requested (SoupServerMessage *message)
{
  SoupMessageHeaders *headers = soup_server_message_get_request_headers (message);

  return soup_server_message_get_method (message) == SOUP_METHOD_GET
         && soup_message_headers_header_contains (headers, "Connection", "upgrade")
         && soup_message_headers_header_equals (headers, "Upgrade", "websocket");
}

gboolean
vt_upgrade_is_forwarded (SoupServerMessage *message)
{
  SoupMessageHeadersIter iter;
  const char *name;
  const char *value;

  soup_message_headers_iter_init (&iter, soup_server_message_get_request_headers (message));
  while (soup_message_headers_iter_next (&iter, &name, &value))
    if (is_proxy_header (name))
      return TRUE;
  return FALSE;
}

const char *
vt_upgrade_get_header_list (SoupServerMessage *message, const char *name)
{
  return soup_message_headers_get_list (soup_server_message_get_request_headers (message), name);
}

gboolean
vt_upgrade_has_body (SoupServerMessage *message)
{
  SoupMessageHeaders *headers = soup_server_message_get_request_headers (message);
  const char *length = soup_message_headers_get_one (headers, "Content-Length");

  if (count_header (headers, "Transfer-Encoding") > 0
      || count_header (headers, "Content-Length") > 1)
    return TRUE;
  return length != NULL && strcmp (length, "0") != 0;
}

static const char *
get_phrase (unsigned int status)
{
  switch (status)
    {
    case STATUS_UPGRADE_REQUIRED:
      return "Upgrade Required";
    case VT_UPGRADE_TOO_MANY_REQUESTS:
      return "Too Many Requests";
    default:
      return soup_status_get_phrase (status);
    }
}

static void
add_retry_after (SoupMessageHeaders *headers, unsigned int seconds)
{
  g_autofree char *text = g_strdup_printf ("%u", seconds);

  soup_message_headers_replace (headers, "Retry-After", text);
}

void
vt_upgrade_answer (SoupServerMessage *message, const VtUpgradeVerdict *verdict)
{
  SoupMessageHeaders *headers = soup_server_message_get_response_headers (message);

  soup_server_message_set_status (message, verdict->status, get_phrase (verdict->status));
  /* libsoup would answer with a part for each of thousands of ranges. */
  soup_message_headers_remove (soup_server_message_get_request_headers (message), "Range");
  soup_message_headers_replace (headers, "Connection", "close");
  if (verdict->status == STATUS_UPGRADE_REQUIRED)
    {
      soup_message_headers_append (headers, "Connection", "Upgrade");
      soup_message_headers_replace (headers, "Upgrade", "websocket");
      soup_message_headers_replace (headers, "Sec-WebSocket-Version", "13");
    }
  if (verdict->status == SOUP_STATUS_METHOD_NOT_ALLOWED)
    soup_message_headers_replace (headers, "Allow", "GET, HEAD");
  if (verdict->status == SOUP_STATUS_UNAUTHORIZED)
    {
      soup_message_headers_append (headers, "WWW-Authenticate", "Bearer realm=\"vtunnel\"");
      soup_message_headers_append (headers, "WWW-Authenticate", "Basic realm=\"vtunnel\"");
    }
  if (verdict->retry_after > 0)
    add_retry_after (headers, verdict->retry_after);
  soup_server_message_set_response (message, "text/plain; charset=utf-8", SOUP_MEMORY_STATIC,
                                    verdict->text, strlen (verdict->text));
}

char *
vt_upgrade_format_answer (const VtUpgradeVerdict *verdict)
{
  return g_strdup_printf ("HTTP/1.1 %u %s\r\n"
                          "Server: vtunnel\r\n"
                          "Connection: close\r\n"
                          "Content-Type: text/plain; charset=utf-8\r\n"
                          "Content-Length: %zu\r\n"
                          "\r\n"
                          "%s",
                          verdict->status, get_phrase (verdict->status), strlen (verdict->text),
                          verdict->text);
}
