/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-http-page-private.h"

#include <string.h>

#define BODY                                                                                       \
  "<!DOCTYPE html>\n"                                                                              \
  "<html lang=\"en\">\n"                                                                           \
  "<meta charset=\"utf-8\">\n"                                                                     \
  "<meta name=\"viewport\" content=\"width=device-width\">\n"                                      \
  "<title>%u %s</title>\n"                                                                         \
  "<h1>%u %s</h1>\n"                                                                               \
  "<p>%s</p>\n"                                                                                    \
  "</html>\n"

typedef struct {
  unsigned int status;
  const char *reason;
  const char *text;
} Page;

/* In English, as nobody knows the reader's language here; what is wrong with a target is not the
 * reader's to know. */
static const Page pages[] = {
  { 400, "Bad Request", "The request is malformed." },
  { 404, "Not Found", "Nothing is here by this name." },
  { 405, "Method Not Allowed", "This is no proxy: CONNECT is not for here." },
  { 408, "Request Timeout", "The request did not come in time." },
  { 431, "Request Header Fields Too Large", "The head of the request is too large." },
  { 502, "Bad Gateway",
    "The service behind this address cannot be reached, or does not answer as it should. Please "
    "try again in a while." },
  { 503, "Service Unavailable",
    "There are too many connections to this address. Please try again in a while." },
  { 504, "Gateway Timeout",
    "The service behind this address did not answer in time. Please try again in a while." },
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
  g_autofree char *body =
      g_strdup_printf (BODY, page->status, page->reason, page->status, page->reason, page->text);
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
