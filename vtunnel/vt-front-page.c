/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-front-page-private.h"

#include <string.h>

#include "vt-front-guest-private.h"
#include "vt-front-upgrade-private.h"
#include "vt-metrics-private.h"
#include "vt-status-page-private.h"

/* A request for a WebSocket is for none. */
static VtFrontPage
find_page (SoupServerMessage *message)
{
  GUri *uri = soup_server_message_get_uri (message);
  const char *path = g_uri_get_path (uri);

  if (vt_upgrade_is_requested (message))
    return VT_FRONT_PAGE_NONE;
  if (strcmp (path, "/ready") == 0)
    return VT_FRONT_PAGE_READY;
  if (strcmp (path, "/status") == 0)
    return VT_FRONT_PAGE_STATUS;
  if (strcmp (path, "/metrics") != 0)
    return VT_FRONT_PAGE_NONE;
  return g_strcmp0 (g_uri_get_query (uri), "sessions=1") == 0 ? VT_FRONT_PAGE_SESSION_METRICS
                                                              : VT_FRONT_PAGE_METRICS;
}

/* Like /health, it is for who asks with nothing but a path, and says nothing of anybody. */
static gboolean
serve_ready (SoupServerMessage *message, gboolean is_ready, VtUpgradeVerdict *refusal)
{
  const VtUpgradeVerdict answers[] = {
    { SOUP_STATUS_SERVICE_UNAVAILABLE, "No client is connected.\n", 0 },
    { SOUP_STATUS_OK, "ready\n", 0 },
  };

  *refusal = vt_upgrade_check_simple (message);
  if (refusal->status != SOUP_STATUS_OK)
    return FALSE;
  vt_upgrade_answer (message, &answers[is_ready]);
  return TRUE;
}

/* On loopback ports for pages, and where nobody is asked for a token, those who are on this
 * machine; and else those whose entry says so. */
static VtUpgradeVerdict
check_reader (SoupServerMessage *message,
              gboolean is_local,
              const VtFrontPolicy *policy,
              const VtFrontHandlers *handlers,
              void *user_data)
{
  gboolean asks = policy->asks_who && !is_local;
  VtUpgradeVerdict verdict = vt_upgrade_check_page (message, !asks);
  g_autoptr(VtFrontGuest) guest = NULL;

  if (verdict.status != SOUP_STATUS_OK || !asks)
    return verdict;
  guest = vt_front_guest_new (message, policy->max_protocol);
  if (handlers->recognise (message, guest, &verdict, user_data)
      && !(guest->grant != NULL && guest->grant->entry->status))
    verdict = (VtUpgradeVerdict){ SOUP_STATUS_FORBIDDEN,
                                  "This is only for clients whose entry has status=true.\n", 0 };
  return verdict;
}

/* Takes the text. The answer closes the connection, as all do. */
static void
answer (SoupServerMessage *message, VtFrontPage page, char *text)
{
  SoupMessageHeaders *headers = soup_server_message_get_response_headers (message);
  gboolean is_status = page == VT_FRONT_PAGE_STATUS;

  soup_server_message_set_status (message, SOUP_STATUS_OK, NULL);
  /* libsoup would answer with a part for each of thousands of ranges. */
  soup_message_headers_remove (soup_server_message_get_request_headers (message), "Range");
  soup_message_headers_replace (headers, "Connection", "close");
  soup_message_headers_replace (headers, "Cache-Control", "no-store");
  soup_message_headers_replace (headers, "X-Content-Type-Options", "nosniff");
  soup_message_headers_replace (headers, "Cross-Origin-Resource-Policy", "same-origin");
  soup_message_headers_replace (headers, "Referrer-Policy", "no-referrer");
  soup_message_headers_replace (headers, "Content-Security-Policy", VT_STATUS_PAGE_POLICY);
  soup_server_message_set_response (message, is_status ? VT_STATUS_PAGE_TYPE : VT_METRICS_TYPE,
                                    SOUP_MEMORY_TAKE, text, strlen (text));
}

gboolean
vt_front_page_serve (SoupServerMessage *message,
                     gboolean is_local,
                     const VtFrontPolicy *policy,
                     const VtFrontHandlers *handlers,
                     void *user_data,
                     VtUpgradeVerdict *refusal)
{
  VtFrontPage page = handlers->write_page != NULL ? find_page (message) : VT_FRONT_PAGE_NONE;

  if (page == VT_FRONT_PAGE_NONE)
    return FALSE;
  if (page == VT_FRONT_PAGE_READY)
    return serve_ready (message, handlers->is_ready (user_data), refusal);
  *refusal = check_reader (message, is_local, policy, handlers, user_data);
  if (refusal->status != SOUP_STATUS_OK)
    return FALSE;
  answer (message, page, handlers->write_page (page, user_data));
  return TRUE;
}
