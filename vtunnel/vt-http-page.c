/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-http-page-private.h"

#include <string.h>

typedef struct {
  unsigned int status;
  const char *reason;
  const char *text;
} Page;

/* In English, as nobody knows the reader's language here. */
static const Page pages[] = {
  { 400, "Bad Request", "The request is malformed." },
  { 404, "Not Found", "Nothing is here by this name." },
  { 405, "Method Not Allowed", "This is no proxy: CONNECT is not for here." },
  { 408, "Request Timeout", "The request did not come in time." },
  { 431, "Request Header Fields Too Large", "The head of the request is too large." },
  { 502, "Bad Gateway", "The program behind this name does not answer as it should." },
  { 503, "Service Unavailable", "There are too many connections to this name. Try again later." },
  { 504, "Gateway Timeout", "The program behind this name did not answer in time." },
  { 505, "HTTP Version Not Supported", "Only HTTP/1.0 and HTTP/1.1 are spoken here." },
};

static const Page *
find (unsigned int status)
{
  for (size_t i = 0; i < G_N_ELEMENTS (pages); i++)
    if (pages[i].status == status)
      return &pages[i];
  g_assert_not_reached ();
}

/* What else the head says. */
static const char *
find_field (unsigned int status)
{
  switch (status)
    {
    case 405:
      return "Allow: GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS\r\n";
    case 503:
      return "Retry-After: 1\r\n";
    default:
      return "";
    }
}

GByteArray *
vt_http_page_new (unsigned int status, gboolean without_body)
{
  const Page *page = find (status);
  g_autofree char *body = g_strdup_printf (
      "<!DOCTYPE html>\n<html lang=\"en\"><title>%u %s</title>\n<h1>%s</h1>\n<p>%s</p>\n</html>\n",
      page->status, page->reason, page->reason, page->text);
  g_autofree char *answer =
      g_strdup_printf ("HTTP/1.1 %u %s\r\nContent-Type: text/html; charset=utf-8\r\n"
                       "Content-Length: %zu\r\nCache-Control: no-store\r\nConnection: close\r\n%s"
                       "\r\n%s",
                       page->status, page->reason, strlen (body), find_field (status),
                       without_body ? "" : body);
  GByteArray *bytes = g_byte_array_new ();

  g_byte_array_append (bytes, (const uint8_t *) answer, (unsigned int) strlen (answer));
  return bytes;
}
