/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-head-rewriter-private.h"

#include <string.h>

#define X VT_FORWARDED_HEADERS_X_FORWARDED
#define F VT_FORWARDED_HEADERS_FORWARDED
#define IPV6 "2001:db8::7"

typedef struct {
  VtForwardedHeaders headers;
  const char *host; /* nullable */
  const char *user; /* nullable */
  const char *input;
  const char *expected; /* NULL: the connection is broken */
} Case;

#define GET "GET / HTTP/1.1\r\n"
#define HOST "Host: a.example\r\n"
#define END "\r\n"
#define ADDED                                                                                      \
  "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Host: a.example\r\nX-Forwarded-Proto: http\r\n"

static const Case cases[] = {
  { X, NULL, "192.0.2.1", GET HOST END, GET HOST ADDED END },
  { X, NULL, IPV6, GET HOST END,
    GET HOST "X-Forwarded-For: " IPV6 "\r\nX-Forwarded-Host: a.example\r\n"
             "X-Forwarded-Proto: http\r\n" END },
  { X, NULL, NULL, GET HOST "X-Forwarded-For: 127.0.0.1\r\n" END,
    GET HOST "X-Forwarded-For: 127.0.0.1, unknown\r\nX-Forwarded-Host: a.example\r\n"
             "X-Forwarded-Proto: http\r\n" END },
  { F, NULL, "192.0.2.1", GET HOST END,
    GET HOST "Forwarded: for=192.0.2.1;host=a.example;proto=http\r\n" END },
  { F, NULL, IPV6, GET "Host: [::1]:80\r\n" END,
    GET "Host: [::1]:80\r\nForwarded: for=\"[" IPV6 "]\";host=\"[::1]:80\";proto=http\r\n" END },
  { F, NULL, NULL, GET HOST END,
    GET HOST "Forwarded: for=unknown;host=a.example;proto=http\r\n" END },
  { X | F, NULL, "192.0.2.1", GET HOST END,
    GET HOST ADDED "Forwarded: for=192.0.2.1;host=a.example;proto=http\r\n" END },
  /* The user's own host is told, whatever becomes of it. */
  { X, "b.example", "192.0.2.1", GET HOST "X: y\r\n" END,
    GET "Host: b.example\r\nX: y\r\n" ADDED END },
  { F, "b.example", "192.0.2.1", GET HOST END,
    GET "Host: b.example\r\nForwarded: for=192.0.2.1;host=a.example;proto=http\r\n" END },
  /* A host that is none is not told on. */
  { X | F, NULL, "192.0.2.1", GET "Host: a\"b\r\n" END,
    GET "Host: a\"b\r\nX-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: http\r\n"
        "Forwarded: for=192.0.2.1;proto=http\r\n" END },
  { X, NULL, "192.0.2.1", "GET / HTTP/1.0\r\n\r\n",
    "GET / HTTP/1.0\r\nX-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: http\r\n\r\n" },
  /* What a proxy in front has said stays, and what is known is behind it. */
  { X, NULL, "192.0.2.1",
    GET HOST
    "x-forwarded-for: 198.51.100.1\r\nX-Forwarded-Proto: https\r\n"
    "X-Forwarded-Host: www.example\r\nX-FORWARDED-FOR:198.51.100.2 , 198.51.100.3 \r\n" END,
    GET HOST "X-Forwarded-Proto: https\r\nX-Forwarded-Host: www.example\r\n"
             "X-Forwarded-For: 198.51.100.1, 198.51.100.2 , 198.51.100.3, 192.0.2.1\r\n" END },
  { F, NULL, "192.0.2.1", GET HOST "Forwarded: for=\"a\\\"b\";by=c\r\nFORWARDED: for=d\r\n" END,
    GET HOST
    "Forwarded: for=\"a\\\"b\";by=c, for=d, for=192.0.2.1;host=a.example;proto=http\r\n" END },
  { X, NULL, "192.0.2.1", GET HOST "X-Forwarded-For:\r\n" END, GET HOST ADDED END },
  { X, NULL, "192.0.2.1", GET HOST "X-Forwarded-For: 198.51.100.1\r\n ,198.51.100.2\r\n" END,
    GET HOST "X-Forwarded-For: 198.51.100.1   ,198.51.100.2, 192.0.2.1\r\n"
             "X-Forwarded-Host: a.example\r\nX-Forwarded-Proto: http\r\n" END },
  /* In an open quote it would be lost. */
  { F, NULL, "192.0.2.1", GET HOST "Forwarded: for=a;x=\"\r\nForwarded: for=b\r\n" END,
    GET HOST "Forwarded: for=b, for=192.0.2.1;host=a.example;proto=http\r\n" END },
  { F, NULL, "192.0.2.1", GET HOST "Forwarded: for=a;x=\"\\\r\n" END,
    GET HOST "Forwarded: for=192.0.2.1;host=a.example;proto=http\r\n" END },
  /* Names that many servers cannot tell from those. */
  { X | F, NULL, "192.0.2.1",
    GET HOST "X_Forwarded_For: 127.0.0.1\r\nX-Forwarded_Proto: https\r\nx_forwarded_host: b\r\n"
             "X-Forwarded: a\r\nX-Forwarded-Forx: a\r\n" END,
    GET HOST "X-Forwarded: a\r\nX-Forwarded-Forx: a\r\n" ADDED
             "Forwarded: for=192.0.2.1;host=a.example;proto=http\r\n" END },
  /* Only those that are asked for are touched. */
  { F, NULL, "192.0.2.1", GET HOST "X-Forwarded-For: a\r\n" END,
    GET HOST "X-Forwarded-For: a\r\nForwarded: for=192.0.2.1;host=a.example;proto=http\r\n" END },
  /* Each request of a connection, and no body. */
  { X, NULL, "192.0.2.1",
    GET HOST "Content-Length: 9\r\n" END "GET / HTT" GET HOST "Transfer-Encoding: chunked\r\n" END
             "5\r\nHost:\r\n0\r\n\r\n\r\n" GET HOST END,
    GET HOST "Content-Length: 9\r\n" ADDED END "GET / HTT" GET HOST
             "Transfer-Encoding: chunked\r\n" ADDED END
             "5\r\nHost:\r\n0\r\n\r\n\r\n" GET HOST ADDED END },
  { X, NULL, "192.0.2.1", "GET / HTTP/1.1\nHost: a.example\n\n",
    "GET / HTTP/1.1\nHost: a.example\nX-Forwarded-For: 192.0.2.1\nX-Forwarded-Host: a.example\n"
    "X-Forwarded-Proto: http\n\n" },
  /* A WebSocket, and one that was refused. */
  { X, NULL, "192.0.2.1", GET HOST "Upgrade: websocket\r\n" END "\x81\x80mask" GET,
    GET HOST "Upgrade: websocket\r\n" ADDED END "\x81\x80mask" GET },
  { X, NULL, "192.0.2.1", GET HOST "Upgrade: websocket\r\n" END "\x02xx",
    GET HOST "Upgrade: websocket\r\n" ADDED END "\x02xx" },
  { X, NULL, "192.0.2.1", GET HOST "Upgrade: websocket\r\n" END GET HOST END,
    GET HOST "Upgrade: websocket\r\n" ADDED END GET HOST ADDED END },
  { X, NULL, "192.0.2.1", "CONNECT a:1 HTTP/1.1\r\n" HOST END "\x16\x03",
    "CONNECT a:1 HTTP/1.1\r\n" HOST ADDED END "\x16\x03" },
  /* What could be read in another way by the target. */
  { X, NULL, "192.0.2.1", "\x16\x03\x01", NULL },
  { X, NULL, "192.0.2.1", "SSH-2.0-x\r\n", NULL },
  { X, NULL, "192.0.2.1", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", NULL },
  { X, NULL, "192.0.2.1", "GET /\r\n\r\n", NULL },
  { X, NULL, "192.0.2.1", GET "X-Forwarded-For : 127.0.0.1\r\n" END, NULL },
  { X, NULL, "192.0.2.1", GET " X-Forwarded-For: 127.0.0.1\r\n" END, NULL },
  { X, NULL, "192.0.2.1", GET "X: y\rX-Forwarded-For: 127.0.0.1\r\n" END, NULL },
  { X, NULL, "192.0.2.1", "\r\rGET / HTTP/1.1\r\n\r\n", NULL },
  { F, NULL, "192.0.2.1", GET HOST "Transfer-Encoding: gzip\r\n" END, NULL },
  { X, NULL, "192.0.2.1", GET HOST "Transfer-Encoding: chunked\r\n" END "5 x\n", NULL },
  { X, NULL, "192.0.2.1", GET HOST "Upgrade: h2c\r\n" END "PRI * HTTP/2.0\r\n\r\n", NULL },
  { X, NULL, "192.0.2.1", GET HOST "Upgrade: x\r\n" END " GET / HTTP/1.1\r\n" END, NULL },
  { X, NULL, "192.0.2.1", GET HOST "Upgrade: x\r\n" END "\tGET / HTTP/1.1\r\n" END, NULL },
  { X, NULL, "192.0.2.1", GET HOST "Upgrade: x\r\n" END GET HOST END "\x81", NULL },
  /* With another host alone, all of these pass. */
  { 0, "b.example", NULL, "SSH-2.0-x\r\n", "SSH-2.0-x\r\n" },
  { 0, "b.example", NULL, GET "X-Forwarded-For : a\r\n" END, GET "X-Forwarded-For : a\r\n" END },
  { 0, "b.example", NULL, GET HOST "X_Forwarded_For: a\r\nForwarded: \"\r\n" END,
    GET "Host: b.example\r\nX_Forwarded_For: a\r\nForwarded: \"\r\n" END },
};

/* NULL if the connection is broken, with what went out before. */
static char *
run (const Case *test, size_t piece)
{
  g_autoptr(GSocketAddress) user =
      test->user != NULL ? g_inet_socket_address_new_from_string (test->user, 1) : NULL;
  g_autoptr(VtHeadRewriter) rewriter =
      vt_head_rewriter_new (vt_head_changes_new (test->host, test->headers, user));
  g_autoptr(GByteArray) output = g_byte_array_new ();
  size_t length = strlen (test->input);
  gboolean good = TRUE;

  for (size_t at = 0; at < length; at += piece)
    {
      size_t n = MIN (piece, length - at);
      g_autofree uint8_t *copy = g_memdup2 (test->input + at, n);

      good = vt_head_rewriter_push (rewriter, copy, n, output);
    }
  vt_head_rewriter_flush (rewriter, output);
  g_byte_array_append (output, (const uint8_t *) "", 1);
  return good ? g_strdup ((const char *) output->data) : NULL;
}

static void
test_cases (void)
{
  static const size_t pieces[] = { 1, 7, 1000 };

  for (size_t i = 0; i < G_N_ELEMENTS (pieces) * G_N_ELEMENTS (cases); i++)
    {
      const Case *test = &cases[i / G_N_ELEMENTS (pieces)];
      g_autofree char *output = run (test, pieces[i % G_N_ELEMENTS (pieces)]);
      g_autofree char *shown = g_strescape (test->input, NULL);

      g_test_message ("%s", shown);
      g_assert_cmpstr (output, ==, test->expected);
    }
}

/* What is held back when the user ends is no request. */
static void
test_flush (void)
{
  const Case cut = { X, NULL, "192.0.2.1", GET "X-Forwarded-For: a\r\n", NULL };
  g_autofree char *output = run (&cut, 1000);

  g_assert_cmpstr (output, ==, "");
}

static void
test_endless (void)
{
  g_autofree char *head = g_strnfill (70 * 1024, 'a');
  Case endless = { X, NULL, "192.0.2.1", head, NULL };
  g_autofree char *output = NULL;

  memcpy (head, GET "X: ", strlen (GET "X: "));
  output = run (&endless, 1000);
  g_assert_null (output);
}

static void
test_nothing (void)
{
  g_assert_null (vt_head_changes_new (NULL, VT_FORWARDED_HEADERS_NONE, NULL));
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/head-changes/cases", test_cases);
  g_test_add_func ("/head-changes/flush", test_flush);
  g_test_add_func ("/head-changes/endless", test_endless);
  g_test_add_func ("/head-changes/nothing", test_nothing);
  return g_test_run ();
}
