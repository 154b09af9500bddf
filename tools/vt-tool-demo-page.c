/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-tool-demo-page.h"

#include <glib/gi18n.h>
#include <string.h>

#define PAGE "/io/github/vtunnel/tool/demo.html"
/* Everything that the page needs is in it, and what a reader sends can start nothing. */
#define POLICY "default-src 'none'; style-src 'unsafe-inline'; img-src data:"

/* What stands in the page for a text: @NAME@. */
static const struct {
  const char *name;
  const char *text;
} texts[] = {
  /* Translators: the code of your language, as HTML has it. */
  { "@LANGUAGE@", N_ ("en") },
  { "@TITLE@", N_ ("This page came through a tunnel") },
  { "@LEAD@",
    N_ ("Nobody opened a port for it. The program that wrote it called a server, and your "
        "request came back through that call.") },
  { "@BROWSER@", N_ ("Your browser") },
  { "@ASKED_FOR@", N_ ("asked for") },
  { "@SERVER@", N_ ("The server") },
  { "@SERVER_DOES@", N_ ("keeps the port open and sends everything through") },
  { "@WEBSOCKET@", N_ ("one WebSocket") },
  { "@CLIENT@", N_ ("The client") },
  { "@CLIENT_DOES@", N_ ("takes it out at the other end and connects to") },
  { "@PAGE@", N_ ("This page's program") },
  { "@PAGE_DOES@", N_ ("which only this machine can reach") },
  { "@COUNT_SAYS@",
    N_ ("is how many requests came through since the demo began. Reload the page, or "
        "change its path: this one is") },
  { "@NEXT@", N_ ("Your own program next:") },
};

/* '@' too, so that nothing a reader sends is taken for one of the page's own places. */
static char *
escape (const char *text)
{
  g_autofree char *valid = g_utf8_make_valid (text, -1);
  g_autofree char *markup = g_markup_escape_text (valid, -1);
  GString *escaped = g_string_new (markup);

  g_string_replace (escaped, "@", "&#64;", 0);
  return g_string_free (escaped, FALSE);
}

static void
put (GString *html, const char *name, const char *text)
{
  g_autofree char *escaped = escape (text);

  g_string_replace (html, name, escaped, 0);
}

static char *
write_page (SoupServerMessage *message, const char *path, unsigned int count, guint16 port)
{
  g_autoptr(GBytes) resource = g_resources_lookup_data (PAGE, G_RESOURCE_LOOKUP_FLAGS_NONE, NULL);
  const char *host =
      soup_message_headers_get_one (soup_server_message_get_request_headers (message), "Host");
  g_autofree char *number = g_strdup_printf ("%u", count);
  g_autofree char *origin = g_strdup_printf ("127.0.0.1:%u", port);
  GString *html = g_string_new_len (g_bytes_get_data (resource, NULL), g_bytes_get_size (resource));

  for (size_t i = 0; i < G_N_ELEMENTS (texts); i++)
    put (html, texts[i].name, _ (texts[i].text));
  put (html, "@COUNT@", number);
  put (html, "@ORIGIN@", origin);
  put (html, "@HOST@", host != NULL ? host : "127.0.0.1");
  put (html, "@PATH@", path);
  return g_string_free (html, FALSE);
}

static void
request_cb (SoupServer *server,
            SoupServerMessage *message,
            const char *path,
            GHashTable *query,
            void *user_data)
{
  unsigned int *count = user_data;
  const char *method = soup_server_message_get_method (message);
  SoupMessageHeaders *headers = soup_server_message_get_response_headers (message);
  char *html = NULL;

  if (!g_str_equal (method, "GET") && !g_str_equal (method, "HEAD"))
    {
      soup_message_headers_replace (headers, "Allow", "GET, HEAD");
      soup_server_message_set_status (message, SOUP_STATUS_METHOD_NOT_ALLOWED, NULL);
      return;
    }
  *count += 1;
  html = write_page (message, path, *count, vt_tool_demo_page_get_port (server));
  soup_message_headers_replace (headers, "Cache-Control", "no-store");
  soup_message_headers_replace (headers, "Content-Security-Policy", POLICY);
  soup_server_message_set_status (message, SOUP_STATUS_OK, NULL);
  soup_server_message_set_response (message, "text/html; charset=utf-8", SOUP_MEMORY_TAKE, html,
                                    strlen (html));
}

SoupServer *
vt_tool_demo_page_new (GError **error)
{
  g_autoptr(SoupServer) page = soup_server_new ("server-header", "vtunnel-tool ", NULL);

  soup_server_add_handler (page, NULL, request_cb, g_new0 (unsigned int, 1), g_free);
  if (!soup_server_listen_local (page, 0, SOUP_SERVER_LISTEN_IPV4_ONLY, error))
    return NULL;
  return g_steal_pointer (&page);
}

guint16
vt_tool_demo_page_get_port (SoupServer *page)
{
  GSList *uris = soup_server_get_uris (page);
  guint16 port = uris != NULL ? g_uri_get_port (uris->data) : 0;

  g_slist_free_full (uris, (GDestroyNotify) (void (*) (void)) g_uri_unref);
  return port;
}
