/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include <string.h>

#include "vt-http-fields-private.h"
#include "vt-http-page-private.h"
#include "vt-http-request-private.h"
#include "vt-http-response-private.h"

/* Requests. */

#define GET "GET / HTTP/1.1\r\nHost: a.example\r\n"
#define POST "POST / HTTP/1.1\r\nHost: a.example\r\n"

typedef struct {
  const char *head;
  const char *host; /* NULL: `number` is the status */
  guint64 number;   /* the length of the body; chunked is CHUNKED */
} Request;

#define CHUNKED G_MAXUINT64

static const Request requests[] = {
  { GET "\r\n", "a.example", 0 },
  { "GET /a?b#c HTTP/1.1\r\nX: y\r\nhOST:\tA.example.:80 \t\r\n\r\n", "a.example", 0 },
  { "GET / HTTP/1.0\r\nHost: a.example\r\n\r\n", "a.example", 0 },
  { "GET http://a.example HTTP/1.1\r\nHost: a.example\r\n\r\n", "a.example", 0 },
  { "GET HTTPS://A.example:443/x?y HTTP/1.1\r\nHost: a.example:443\r\n\r\n", "a.example", 0 },
  { "OPTIONS * HTTP/1.1\r\nHost: a.example\r\n\r\n", "a.example", 0 },
  { "M-SEARCH!#$%&'*+.^_`|~ / HTTP/1.1\r\nHost: a\r\n\r\n", "a", 0 },
  { "GET /\303\274 HTTP/1.1\r\nHost: a\r\nX: \303\274\377\r\n\r\n", "a", 0 },
  { POST "Content-Length: 0\r\n\r\n", "a.example", 0 },
  { POST "content-length: 0012\r\n\r\n", "a.example", 12 },
  { POST "Transfer-Encoding: Chunked\r\n\r\n", "a.example", CHUNKED },
  { POST "Transfer-Encoding: gzip, chunked\r\n\r\n", "a.example", CHUNKED },
  { "GET / HTTP/1.1\r\n\r\n", NULL, 400 },
  { "GET / HTTP/1.1\r\nHost:\r\n\r\n", NULL, 400 },
  { "GET / HTTP/1.0\r\n\r\n", NULL, 400 },
  { GET "Host: a.example\r\n\r\n", NULL, 400 },
  { "GET / HTTP/1.1\r\n Host: a.example\r\n\r\n", NULL, 400 },
  { GET " folded\r\n\r\n", NULL, 400 },
  { GET "X : y\r\n\r\n", NULL, 400 },
  { GET ": y\r\n\r\n", NULL, 400 },
  { GET "no colon\r\n\r\n", NULL, 400 },
  { GET "X: a\nY: b\r\n\r\n", NULL, 400 },
  { GET "X: a\rb\r\n\r\n", NULL, 400 },
  { GET "X: \001\r\n\r\n", NULL, 400 },
  { GET "X: \177\r\n\r\n", NULL, 400 },
  { "GET / HTTP/1.1\nHost: a\n\r\n\r\n", NULL, 400 },
  { "GET /  HTTP/1.1\r\nHost: a\r\n\r\n", NULL, 400 },
  { "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", NULL, 400 },
  { "GET /\tx HTTP/1.1\r\nHost: a\r\n\r\n", NULL, 400 },
  { " GET / HTTP/1.1\r\nHost: a\r\n\r\n", NULL, 400 },
  { "G(T / HTTP/1.1\r\nHost: a\r\n\r\n", NULL, 400 },
  { "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG / HTTP/1.1\r\nHost: a\r\n\r\n", NULL, 400 },
  { "GET /\r\n\r\n", NULL, 400 },
  { "\r\n\r\n", NULL, 400 },
  { "GET / HTTP/1.1\r\n\r\n\r\n", NULL, 400 },
  { "GET * HTTP/1.1\r\nHost: a\r\n\r\n", NULL, 400 },
  { "GET a HTTP/1.1\r\nHost: a\r\n\r\n", NULL, 400 },
  { "GET http://b HTTP/1.1\r\nHost: a\r\n\r\n", NULL, 400 },
  { "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", NULL, 400 },
  { "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", NULL, 400 },
  { "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", NULL, 400 },
  { "GET http:a HTTP/1.1\r\nHost: a\r\n\r\n", NULL, 400 },
  { POST "Content-Length: \r\n\r\n", NULL, 400 },
  { POST "Content-Length: -1\r\n\r\n", NULL, 400 },
  { POST "Content-Length: 0x1\r\n\r\n", NULL, 400 },
  { POST "Content-Length: 1 1\r\n\r\n", NULL, 400 },
  { POST "Content-Length: 1,1\r\n\r\n", NULL, 400 },
  { POST "Content-Length: 1000000000000000000\r\n\r\n", NULL, 400 },
  { POST "Content-Length: 1\r\nContent-Length: 1\r\n\r\n", NULL, 400 },
  { POST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", NULL, 400 },
  { POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", NULL, 400 },
  { POST "Transfer-Encoding: chunked, chunked\r\n\r\n", NULL, 400 },
  { POST "Transfer-Encoding: chunked, gzip\r\n\r\n", NULL, 400 },
  { POST "Transfer-Encoding: chunked;a=b\r\n\r\n", NULL, 400 },
  { POST "Transfer-Encoding: \"x\", chunked\r\n\r\n", NULL, 400 },
  { POST "Transfer-Encoding: \013chunked\r\n\r\n", NULL, 400 },
  { POST "Transfer-Encoding: , chunked\r\n\r\n", NULL, 400 },
  { POST "Transfer-Encoding:\r\n\r\n", NULL, 400 },
  { "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", NULL, 400 },
  { "CONNECT /a HTTP/1.1\r\nHost: a\r\n\r\n", NULL, 405 },
  { "GET / HTTP/2.0\r\nHost: a\r\n\r\n", NULL, 505 },
  { "GET / HTTP/1.2\r\nHost: a\r\n\r\n", NULL, 505 },
  { "PRI * HTTP/2.0\r\n\r\n", NULL, 505 },
};

static void
test_requests (void)
{
  for (size_t i = 0; i < G_N_ELEMENTS (requests); i++)
    {
      const Request *vector = &requests[i];
      g_autofree char *shown = g_strescape (vector->head, NULL);
      g_auto(VtHttpRequest) request = { 0 };

      g_test_message ("%s", shown);
      vt_http_request_parse (&request, (const uint8_t *) vector->head, strlen (vector->head));
      g_assert_cmpstr (request.host, ==, vector->host);
      g_assert_cmpuint (request.status, ==, vector->host == NULL ? vector->number : 0);
      if (vector->host == NULL)
        continue;
      g_assert_cmpint (request.body.chunked, ==, vector->number == CHUNKED);
      g_assert_cmpint (request.has_body, ==, vector->number != 0);
      if (vector->number != CHUNKED)
        g_assert_cmpuint (request.body.length, ==, vector->number);
    }
}

static void
check_flags (const char *head, gboolean persistent, gboolean upgrade, gboolean is_head)
{
  g_auto(VtHttpRequest) request = { 0 };

  vt_http_request_parse (&request, (const uint8_t *) head, strlen (head));
  g_assert_cmpuint (request.status, ==, 0);
  g_assert_cmpint (request.persistent, ==, persistent);
  g_assert_cmpint (request.upgrade, ==, upgrade);
  g_assert_cmpint (request.is_head, ==, is_head);
}

#define GET_1_0 "GET / HTTP/1.0\r\nHost: a\r\n"

static void
test_flags (void)
{
  check_flags (GET "\r\n", TRUE, FALSE, FALSE);
  check_flags (GET "Connection: x, Close\r\n\r\n", FALSE, FALSE, FALSE);
  check_flags (GET_1_0 "\r\n", FALSE, FALSE, FALSE);
  check_flags (GET_1_0 "Connection: Keep-Alive\r\n\r\n", TRUE, FALSE, FALSE);
  check_flags (GET "Upgrade: x\r\n\r\n", TRUE, FALSE, FALSE);
  check_flags (GET "Connection: upgrade\r\n\r\n", TRUE, FALSE, FALSE);
  check_flags (GET "Upgrade: x\r\nConnection: keep-alive, Upgrade\r\n\r\n", TRUE, TRUE, FALSE);
  check_flags (GET_1_0 "Upgrade: x\r\nConnection: upgrade\r\n\r\n", FALSE, FALSE, FALSE);
  check_flags ("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", TRUE, FALSE, TRUE);
  check_flags ("head / HTTP/1.1\r\nHost: a\r\n\r\n", TRUE, FALSE, FALSE);
}

/* Responses. */

#define OK "HTTP/1.1 200 OK\r\n"
#define MORE "HTTP/1.1 200 OK\r\n\r\nmore"

typedef struct {
  const char *input;
  const char *passed; /* of it: the beginning; NULL: all */
  const char *end;    /* d: it is complete, e: with the stream, s: another protocol, b: broken */
  gboolean to_head;
} Response;

static const Response responses[] = {
  { OK "\r\nbody", NULL, "e" },
  { OK "Content-Length: 4\r\n\r\nbody" MORE, OK "Content-Length: 4\r\n\r\nbody", "d" },
  { OK "Content-Length: 0\r\n\r\n" MORE, OK "Content-Length: 0\r\n\r\n", "d" },
  { OK "Content-Length: 4\r\n\r\n" MORE, OK "Content-Length: 4\r\n\r\n", "d", TRUE },
  { OK "Transfer-Encoding: chunked\r\n\r\n" MORE, OK "Transfer-Encoding: chunked\r\n\r\n", "d",
    TRUE },
  { OK "\r\n" MORE, OK "\r\n", "d", TRUE },
  { "HTTP/1.1 204\r\nContent-Length: 4\r\n\r\n" MORE, "HTTP/1.1 204\r\nContent-Length: 4\r\n\r\n",
    "d" },
  { "HTTP/1.1 304 \r\n\r\n" MORE, "HTTP/1.1 304 \r\n\r\n", "d" },
  { "HTTP/1.1 100 \303\274\r\n\r\nHTTP/1.1 103 X\r\nA: b\r\n\r\n" OK "Content-Length: 1\r\n\r\nx",
    NULL, "d" },
  { OK "Transfer-Encoding: chunked\r\n\r\n2;a=b\r\nab\r\n0\r\nX: y\r\n\r\n" MORE,
    OK "Transfer-Encoding: chunked\r\n\r\n2;a=b\r\nab\r\n0\r\nX: y\r\n\r\n", "d" },
  { OK "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" MORE,
    OK "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "d" },
  { OK "Transfer-Encoding: gzip\r\n\r\nrest", NULL, "e" },
  { "HTTP/1.1 101 X\r\nUpgrade: x\r\n\r\nother bytes \r\n\r\n", NULL, "s" },
  { "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", NULL, "d" },
  { OK "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "", "b" },
  { OK "Content-Length: 1\r\nContent-Length: 1\r\n\r\n", "", "b" },
  { "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "", "b" },
  { OK "Transfer-Encoding: chunked\r\n\r\nx", OK "Transfer-Encoding: chunked\r\n\r\n", "b" },
  { OK "Transfer-Encoding: chunked\r\n\r\n1 \r\n", OK "Transfer-Encoding: chunked\r\n\r\n1", "b" },
  { OK "Transfer-Encoding: chunked\r\n\r\n0\r\n\n", OK "Transfer-Encoding: chunked\r\n\r\n0\r\n",
    "b" },
  { "HTTP/1.1 200 OK\nX: y\n\r\n\r\n", "", "b" },
  { OK "X: y\n\r\n\r\n", "", "b" },
  { OK " X: y\r\n\r\n", "", "b" },
  { "HTTP/1.1 20 OK\r\n\r\n", "", "b" },
  { "HTTP/1.1 2000 OK\r\n\r\n", "", "b" },
  { "HTTP/1.1 099 OK\r\n\r\n", "", "b" },
  { "HTTP/1.1  200 OK\r\n\r\n", "", "b" },
  { "HTTP/2.0 200 OK\r\n\r\n", "", "b" },
  { "HTTP/1.2 200 OK\r\n\r\n", "", "b" },
  { "SSH-2.0-x\r\n\r\n", "", "b" },
  { "\r\n\r\n", "", "b" },
};

static char
get_end (const VtHttpResponse *response)
{
  return response->done ? 'd' : response->until_end ? 'e' : response->switched ? 's' : '-';
}

/* Returns what has passed; `pieces` are as large as they come, or 0. */
static GString *
feed (VtHttpResponse *response, const char *input, size_t piece, char *end)
{
  GString *passed = g_string_new (NULL);
  size_t length = strlen (input);
  size_t at = 0;
  size_t taken;

  while (at < length && !response->done)
    {
      size_t n = piece == 0 ? (size_t) g_test_rand_int_range (1, 40) : piece;

      n = MIN (n, length - at);
      switch (vt_http_response_walk (response, (const uint8_t *) input + at, n, &taken))
        {
        case VT_HTTP_RESPONSE_PASS:
          g_string_append_len (passed, input + at, (gssize) taken);
          break;
        case VT_HTTP_RESPONSE_HELD:
          g_string_append_len (passed, (const char *) response->held->data, response->held->len);
          g_clear_pointer (&response->held, g_byte_array_unref);
          break;
        case VT_HTTP_RESPONSE_HOLD:
          break;
        case VT_HTTP_RESPONSE_BROKEN:
        default:
          *end = 'b';
          return passed;
        }
      g_assert_cmpuint (taken, >=, 1);
      g_assert_cmpuint (taken, <=, n);
      at += taken;
    }
  *end = get_end (response);
  return passed;
}

static void
check_response (const Response *vector, size_t piece)
{
  const char *expected = vector->passed != NULL ? vector->passed : vector->input;
  g_autofree char *shown = g_strescape (vector->input, NULL);
  VtHttpResponse response = { 0 };
  g_autoptr(GString) passed = NULL;
  char end = '-';

  vt_http_response_begin (&response, vector->to_head, vector->end[0] == 's');
  passed = feed (&response, vector->input, piece, &end);
  g_test_message ("%s", shown);
  g_assert_cmpint (end, ==, vector->end[0]);
  /* How much of a body passes before what is broken in it is found, hangs on the pieces. */
  if (end == 'b')
    g_assert_true (g_str_has_prefix (expected, passed->str));
  else
    g_assert_cmpstr (passed->str, ==, expected);
  vt_http_response_clear (&response);
}

static void
test_responses (void)
{
  for (size_t i = 0; i < G_N_ELEMENTS (responses); i++)
    {
      check_response (&responses[i], G_MAXSIZE);
      check_response (&responses[i], 1);
      for (unsigned int j = 0; j < 20; j++)
        check_response (&responses[i], 0);
    }
}

static void
test_unasked_switch (void)
{
  static const Response unasked = { "HTTP/1.1 101 X\r\n\r\n", "", "b" };

  check_response (&unasked, G_MAXSIZE);
  check_response (&unasked, 1);
}

static void
test_large_head (void)
{
  g_autoptr(GString) head = g_string_new (OK "X: ");
  VtHttpResponse response = { 0 };
  g_autoptr(GString) passed = NULL;
  char end = '-';

  while (head->len < 64 * 1024)
    g_string_append_c (head, 'x');
  g_string_append (head, "\r\n\r\n");
  vt_http_response_begin (&response, FALSE, FALSE);
  passed = feed (&response, head->str, 1000, &end);
  g_assert_cmpint (end, ==, 'b');
  g_assert_cmpuint (response.held->len, <=, 64 * 1024);
  vt_http_response_clear (&response);
}

static void
test_persistence (void)
{
  static const struct {
    const char *head;
    gboolean persistent;
  } heads[] = {
    { OK "Content-Length: 0\r\n\r\n", TRUE },
    { OK "Content-Length: 0\r\nConnection: close\r\n\r\n", FALSE },
    { OK "\r\n", FALSE },
    { "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", FALSE },
    { "HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n", TRUE },
  };

  for (size_t i = 0; i < G_N_ELEMENTS (heads); i++)
    {
      VtHttpResponse response = { 0 };
      char end;
      g_autoptr(GString) passed = feed (&response, heads[i].head, G_MAXSIZE, &end);

      g_assert_cmpint (response.persistent, ==, heads[i].persistent);
      vt_http_response_clear (&response);
    }
}

/* A page is an answer that the walker understands. */
static void
test_pages (void)
{
  static const unsigned int statuses[] = { 400, 404, 405, 408, 431, 502, 503, 504, 505 };

  for (size_t i = 0; i < G_N_ELEMENTS (statuses) * 2; i++)
    {
      gboolean to_head = i % 2 == 1;
      g_autoptr(GByteArray) page = vt_http_page_new (statuses[i / 2], to_head);
      g_autofree char *text = g_strndup ((const char *) page->data, page->len);
      VtHttpResponse response = { 0 };
      g_autoptr(GString) passed = NULL;
      char end;

      vt_http_response_begin (&response, to_head, FALSE);
      passed = feed (&response, text, G_MAXSIZE, &end);
      g_assert_cmpint (end, ==, 'd');
      g_assert_cmpuint (passed->len, ==, page->len);
      g_assert_false (response.persistent);
      vt_http_response_clear (&response);
    }
}

static void
test_head_end (void)
{
  const uint8_t *head = (const uint8_t *) GET "\r\nmore";
  size_t end = strlen (GET "\r\n");
  size_t seen = 0;

  for (size_t length = 0; length < end; length++)
    g_assert_cmpuint (vt_http_head_find_end (head, length, &seen), ==, 0);
  g_assert_cmpuint (vt_http_head_find_end (head, end, &seen), ==, end);
  seen = 0;
  g_assert_cmpuint (vt_http_head_find_end (head, end + 4, &seen), ==, end);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/http-walk/requests", test_requests);
  g_test_add_func ("/http-walk/flags", test_flags);
  g_test_add_func ("/http-walk/responses", test_responses);
  g_test_add_func ("/http-walk/unasked-switch", test_unasked_switch);
  g_test_add_func ("/http-walk/large-head", test_large_head);
  g_test_add_func ("/http-walk/persistence", test_persistence);
  g_test_add_func ("/http-walk/pages", test_pages);
  g_test_add_func ("/http-walk/head-end", test_head_end);

  return g_test_run ();
}
