/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-head-rewriter-private.h"

#include <string.h>

#define HOST "new.example"

/* A request that is rewritten wherever it stands for one, and what becomes of it. */
#define OLD "GET /next HTTP/1.1\r\nHost: old.example\r\n\r\n"
#define NEW "GET /next HTTP/1.1\r\nHost: new.example\r\n\r\n"

/* What HTTP/2 begins with. */
#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

typedef struct {
  const char *input;
  size_t input_length;
  const char *expected;
  size_t expected_length;
} Vector;

#define BECOMES(input, expected)                                                                   \
  {                                                                                                \
    input, sizeof (input) - 1, expected, sizeof (expected) - 1                                     \
  }
#define STAYS(input) BECOMES (input, input)

/* The start of a request with a body, before and after. */
#define OLD_POST "POST / HTTP/1.1\r\nHost: old.example\r\n"
#define NEW_POST "POST / HTTP/1.1\r\nHost: new.example\r\n"
#define POST(rest_before, rest_after) BECOMES (OLD_POST rest_before, NEW_POST rest_after)
#define POST_STAYS(rest) STAYS (OLD_POST rest)

static const Vector heads[] = {
  BECOMES (OLD, NEW),
  BECOMES (OLD OLD OLD, NEW NEW NEW),
  BECOMES ("\r\n\n\r\n" OLD "\r\n" OLD, "\r\n\n\r\n" NEW "\r\n" NEW),
  BECOMES ("GET / HTTP/1.1\r\nAccept: */*\r\nhOsT:old\r\nX: y\r\n\r\n",
           "GET / HTTP/1.1\r\nAccept: */*\r\nhOsT: new.example\r\nX: y\r\n\r\n"),
  BECOMES ("GET / HTTP/1.1\r\nHost: \t old \t \r\n\r\n" OLD,
           "GET / HTTP/1.1\r\nHost: new.example\r\n\r\n" NEW),
  BECOMES ("GET / HTTP/1.1\r\nHost:\r\n\r\n", "GET / HTTP/1.1\r\nHost: new.example\r\n\r\n"),
  BECOMES ("GET / HTTP/1.1\nHost: old\nX: y\n\n" OLD,
           "GET / HTTP/1.1\nHost: new.example\nX: y\n\n" NEW),
  BECOMES ("GET / HTTP/1.1\r\nHost: a\nHost: b\r\n\n" OLD,
           "GET / HTTP/1.1\r\nHost: new.example\nHost: new.example\r\n\n" NEW),
  BECOMES ("GET / HTTP/1.1\r\nHost:\r\n a\r\n\tb\r\nX: y\r\n\r\n" OLD,
           "GET / HTTP/1.1\r\nHost: new.example\r\nX: y\r\n\r\n" NEW),
  STAYS ("GET / HTTP/1.1\r\nX: y\r\n Host: old\r\n \r\nHosts: a\r\nX-Host: b\r\nHos: c\r\n\r\n"),
  STAYS ("GET / HTTP/1.0\r\n\r\n"),
  BECOMES ("GET / HTTP/1.0\r\n\r\n" OLD, "GET / HTTP/1.0\r\n\r\n" NEW),
  BECOMES ("GET http://old.example/ HTTP/1.1\r\nHost: old.example\r\n\r\n",
           "GET http://old.example/ HTTP/1.1\r\nHost: new.example\r\n\r\n"),
  BECOMES ("OPTIONS * HTTP/1.9\r\nHost: old\r\n\r\n",
           "OPTIONS * HTTP/1.9\r\nHost: new.example\r\n\r\n"),
  BECOMES ("M-SEARCH!#$%&'*+.^_`|~0123456789 \303\274 HTTP/1.1\r\nHost: old\r\n\r\n",
           "M-SEARCH!#$%&'*+.^_`|~0123456789 \303\274 HTTP/1.1\r\nHost: new.example\r\n\r\n"),
  BECOMES ("GET / HTTP/1.1\r\nX: \001\377\r\nHost: old\r\n\r\n",
           "GET / HTTP/1.1\r\nX: \001\377\r\nHost: new.example\r\n\r\n"),
};

static const Vector bodies[] = {
  POST ("Content-Length: 0\r\n\r\n" OLD, "Content-Length: 0\r\n\r\n" NEW),
  POST ("Content-Length: 11\r\n\r\nHost: x\r\n\r\n" OLD,
        "Content-Length: 11\r\n\r\nHost: x\r\n\r\n" NEW),
  POST ("content-length: 41\r\nExpect: 100-continue\r\n\r\n" OLD OLD,
        "content-length: 41\r\nExpect: 100-continue\r\n\r\n" OLD NEW),
  POST ("Content-Length: 3\r\nContent-Length: 003\r\n\r\nabc" OLD,
        "Content-Length: 3\r\nContent-Length: 003\r\n\r\nabc" NEW),
  POST ("Content-Length: 3 , 3\r\n\r\nabc\r\n" OLD, "Content-Length: 3 , 3\r\n\r\nabc\r\n" NEW),
  POST ("Content-Length:\r\n 3\r\n\r\nabc" OLD, "Content-Length:\r\n 3\r\n\r\nabc" NEW),
  POST ("Transfer-Encoding: chunked\r\n\r\n29\r\n" OLD "\r\n0\r\n\r\n" OLD,
        "Transfer-Encoding: chunked\r\n\r\n29\r\n" OLD "\r\n0\r\n\r\n" NEW),
  POST ("Transfer-Encoding: chunked\r\n\r\n000A ;a=\"b;\n\"\r\nHost: x\r\n\n" OLD,
        "Transfer-Encoding: chunked\r\n\r\n000A ;a=\"b;\n\"\r\nHost: x\r\n\n" OLD),
  POST ("Transfer-Encoding: chunked\r\n\r\n0a;a=\"b\"\r\n0123456789\r\n1\r\nx\r\n00;y\r\n"
        "Host: x\r\nY: z\r\n\r\n" OLD,
        "Transfer-Encoding: chunked\r\n\r\n0a;a=\"b\"\r\n0123456789\r\n1\r\nx\r\n00;y\r\n"
        "Host: x\r\nY: z\r\n\r\n" NEW),
  POST ("Transfer-Encoding: gzip\r\nTRANSFER-ENCODING: , Chunked ,\r\n\r\n0\r\nX: y\n\n" OLD,
        "Transfer-Encoding: gzip\r\nTRANSFER-ENCODING: , Chunked ,\r\n\r\n0\r\nX: y\n\n" NEW),
  POST ("Content-Length: 100\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" OLD,
        "Content-Length: 100\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" NEW),
};

/* What says nothing certain about where the body ends goes through as it came, and so does all that
 * follows. */
static const Vector hostile[] = {
  POST_STAYS ("Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc" OLD),
  POST_STAYS ("Content-Length: 3, 4\r\n\r\nabc" OLD),
  POST_STAYS ("Content-Length: +3\r\n\r\nabc" OLD),
  POST_STAYS ("Content-Length: -3\r\n\r\nabc" OLD),
  POST_STAYS ("Content-Length: 0x3\r\n\r\nabc" OLD),
  POST_STAYS ("Content-Length: 3 3\r\n\r\nabc" OLD),
  POST_STAYS ("Content-Length: \r\n\r\n" OLD),
  POST_STAYS ("Content-Length: 18446744073709551619\r\n\r\nabc" OLD),
  POST_STAYS ("Transfer-Encoding: gzip\r\n\r\nabc" OLD),
  POST_STAYS ("Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n" OLD),
  POST_STAYS ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" OLD),
  POST_STAYS ("Transfer-Encoding: chunked;a=\"b\"\r\n\r\n0\r\n\r\n" OLD),
  POST_STAYS ("Transfer-Encoding: x;a=\"b, chunked\r\n\r\n0\r\n\r\n" OLD),
  POST_STAYS ("Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" OLD),
  POST_STAYS ("Transfer-Encoding: \r\n\r\n" OLD),
  POST_STAYS ("Content-Length : 3\r\n\r\nabc" OLD),
  POST_STAYS ("no colon\r\n\r\n" OLD),
  POST_STAYS (": no name\r\n\r\n" OLD),
  POST_STAYS ("N\303\244me: x\r\n\r\n" OLD),
  POST_STAYS ("X: \0\r\n\r\n" OLD),
  POST_STAYS ("X: a\rb\r\n\r\n" OLD),
  POST_STAYS ("X: a\r\r\n\r\n" OLD),
  STAYS ("POST / HTTP/1.0\r\nHost: old\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" OLD),
  STAYS ("GET / HTTP/1.1\r\n Host: old\r\n\r\n" OLD),
  STAYS ("GET / HTTP/1.1\r\n Folded: at once\r\nHost: old\r\n\r\n" OLD),
  POST ("Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n" OLD,
        "Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n" OLD),
  POST ("Transfer-Encoding: chunked\r\n\r\n\r\n" OLD, "Transfer-Encoding: chunked\r\n\r\n\r\n" OLD),
  POST ("Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n" OLD,
        "Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n" OLD),
  POST ("Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n\r\n" OLD,
        "Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n\r\n" OLD),
  POST ("Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n" OLD,
        "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n" OLD),
  POST ("Transfer-Encoding: chunked\r\n\r\n1\r\naX\n0\r\n\r\n" OLD,
        "Transfer-Encoding: chunked\r\n\r\n1\r\naX\n0\r\n\r\n" OLD),
  POST ("Transfer-Encoding: chunked\r\n\r\n1;\n\r\na\r\n0\r\n\r\n" OLD,
        "Transfer-Encoding: chunked\r\n\r\n1;\n\r\na\r\n0\r\n\r\n" OLD),
  POST ("Transfer-Encoding: chunked\r\n\r\n1;\0\r\na\r\n0\r\n\r\n" OLD,
        "Transfer-Encoding: chunked\r\n\r\n1;\0\r\na\r\n0\r\n\r\n" OLD),
  POST ("Transfer-Encoding: chunked\r\n\r\n1\r\na\n0\r\n\r\n" OLD,
        "Transfer-Encoding: chunked\r\n\r\n1\r\na\n0\r\n\r\n" OLD),
  POST ("Transfer-Encoding: chunked\r\n\r\n0\r\r\n\r\n" OLD,
        "Transfer-Encoding: chunked\r\n\r\n0\r\r\n\r\n" OLD),
  POST ("Transfer-Encoding: chunked\r\n\r\n0\r\nX: a\rb\r\n\r\n" OLD,
        "Transfer-Encoding: chunked\r\n\r\n0\r\nX: a\rb\r\n\r\n" OLD),
};

static const Vector other_protocols[] = {
  STAYS (""),
  STAYS ("SSH-2.0-OpenSSH_9.2\r\n" OLD),
  STAYS ("SSH-2.0-OpenSSH_9.2 Debian\r\n" OLD),
  STAYS ("\026\003\001\002\000\001\000" OLD),
  STAYS (PREFACE OLD),
  STAYS ("EHLO old.example\r\nHost: old\r\n\r\n" OLD),
  STAYS ("GET /\r\n" OLD),
  STAYS ("GET  / HTTP/1.1\r\nHost: old\r\n\r\n"),
  STAYS ("GET /  HTTP/1.1\r\nHost: old\r\n\r\n"),
  STAYS ("GET / HTTP/1.1 \r\nHost: old\r\n\r\n"),
  STAYS ("GET / HTTP/1.11\r\nHost: old\r\n\r\n"),
  STAYS ("GET / HTTP/1.\r\nHost: old\r\n\r\n"),
  STAYS ("GET / http/1.1\r\nHost: old\r\n\r\n"),
  STAYS ("GET / HTTP/1.1\r\r\nHost: old\r\n\r\n"),
  STAYS ("GET /\tHTTP/1.1\r\nHost: old\r\n\r\n"),
  STAYS (" GET / HTTP/1.1\r\nHost: old\r\n\r\n"),
  STAYS ("\r\r\n" OLD),
  STAYS ("\rGET / HTTP/1.1\r\nHost: old\r\n\r\n"),
  STAYS ("HTTP/1.1 200 OK\r\nHost: old\r\n\r\n"),
  STAYS ("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG / HTTP/1.1\r\nHost: old\r\n\r\n"),
  BECOMES (OLD "\201\205abcd" OLD, NEW "\201\205abcd" OLD),
  BECOMES ("CONNECT old:80 HTTP/1.1\r\nHost: old:80\r\n\r\n\026\003\001" OLD,
           "CONNECT old:80 HTTP/1.1\r\nHost: new.example\r\n\r\n\026\003\001" OLD),
  BECOMES ("CONNECT old:80 HTTP/1.1\r\nHost: old:80\r\n\r\n"
           "CONNECT old:80 HTTP/1.1\r\nHost: a\r\n\r\n",
           "CONNECT old:80 HTTP/1.1\r\nHost: new.example\r\n\r\n"
           "CONNECT old:80 HTTP/1.1\r\nHost: new.example\r\n\r\n"),
  BECOMES (
      "GET / HTTP/1.1\r\nHost: old\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
      "\202\376\001\000" OLD OLD,
      "GET / HTTP/1.1\r\nHost: new.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
      "\202\376\001\000" OLD OLD),
  BECOMES ("GET / HTTP/1.1\r\nHost: old\r\nUpgrade: h2c\r\n\r\n" PREFACE OLD,
           "GET / HTTP/1.1\r\nHost: new.example\r\nUpgrade: h2c\r\n\r\n" PREFACE OLD),
  STAYS ("GET / HTTP/1.1\r\nHost: old\r\nunfinished"),
  BECOMES (OLD "GET / HTT", NEW "GET / HTT"),
};

static void
push (VtHeadRewriter *rewriter, const void *data, size_t length, GByteArray *output)
{
  /* A copy of its own lets the sanitizer see a read beyond the end. */
  g_autofree uint8_t *copy = g_memdup2 (data, length);

  vt_head_rewriter_push (rewriter, copy, length, output);
}

/* Pushes what stands before `split` and then the rest, in pieces of at most `piece`. */
static GByteArray *
run (const Vector *vector, size_t split, size_t piece)
{
  g_autoptr(VtHeadRewriter) rewriter =
      vt_head_rewriter_new (vt_head_changes_new (HOST, VT_FORWARDED_HEADERS_NONE, NULL));
  GByteArray *output = g_byte_array_new ();
  size_t length;

  push (rewriter, vector->input, split, output);
  for (size_t done = split; done < vector->input_length; done += length)
    {
      length = MIN (piece, vector->input_length - done);
      push (rewriter, vector->input + done, length, output);
    }
  vt_head_rewriter_flush (rewriter, output);
  return output;
}

static void
assert_run (const Vector *vector, size_t split, size_t piece)
{
  g_autoptr(GByteArray) output = run (vector, split, piece);

  /* memcmp () takes no NULL, which an array that nothing was added to has. */
  if (output->len != vector->expected_length
      || (output->len > 0 && memcmp (output->data, vector->expected, output->len) != 0))
    {
      g_autofree char *input = g_strescape (vector->input, NULL);
      g_autofree char *got = g_strndup ((const char *) output->data, output->len);
      g_autofree char *escaped = g_strescape (got, NULL);

      g_error ("split at %zu, pieces of %zu: %s became %s", split, piece, input, escaped);
    }
}

typedef struct {
  const Vector *vectors;
  unsigned int n_vectors;
} Table;

static void
test_table (const void *user_data)
{
  const Table *table = user_data;

  for (unsigned int i = 0; i < table->n_vectors; i++)
    {
      const Vector *vector = &table->vectors[i];

      assert_run (vector, 0, 1);
      for (size_t split = 0; split <= vector->input_length; split++)
        assert_run (vector, split, G_MAXSIZE);
    }
}

/* How much of it comes out before more goes in: nothing is held back longer than it must be. */
static void
test_at_once (void)
{
  static const struct {
    const char *input;
    size_t held;
  } cases[] = {
    { "\026", 0 },
    { "\r\n\r", 0 },
    { "G", 1 },
    { "SSH-2.0-OpenSSH_9.2\r", 0 },
    { "USER me\r", 0 },
    { "GET / HTTP/2", 0 },
    { "GET / HTTP/1", 12 },
    { "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF", 32 },
    { "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG", 0 },
    { OLD, 0 },
    { OLD_POST "Content-Length: 9\r\n\r\nGET", 0 },
    { OLD_POST "Content-Length: 3\r\n\r\nGET", 0 },
    { OLD_POST "Content-Length: 3\r\n\r\nGETGET", 3 },
    { OLD_POST "Transfer-Encoding: chunked\r\n\r\n", 0 },
    { OLD_POST "Transfer-Encoding: chunked\r\n\r\n5", 0 },
    { OLD_POST "Transfer-Encoding: chunked\r\n\r\n5;abc", 0 },
    { OLD_POST "Transfer-Encoding: chunked\r\n\r\n5\r\nGET", 0 },
    { OLD_POST "Transfer-Encoding: chunked\r\n\r\n0\r\nHost: a\r\n", 0 },
  };

  for (unsigned int i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr(VtHeadRewriter) rewriter =
          vt_head_rewriter_new (vt_head_changes_new (HOST, VT_FORWARDED_HEADERS_NONE, NULL));
      g_autoptr(GByteArray) output = g_byte_array_new ();

      /* The new host is as long as the old one. */
      push (rewriter, cases[i].input, strlen (cases[i].input), output);
      g_assert_cmpuint (output->len, ==, strlen (cases[i].input) - cases[i].held);
      vt_head_rewriter_flush (rewriter, output);
      g_assert_cmpuint (output->len, ==, strlen (cases[i].input));
    }
}

/* A head of 64 KiB is the longest that is rewritten. */
static void
test_long_heads (void)
{
  static const char start[] = "GET / HTTP/1.1\r\nHost: old.example\r\nX: ";

  for (size_t length = 64 * 1024 - 2; length <= 64 * 1024 + 2; length++)
    {
      g_autofree char *input = g_strnfill (length, 'x');
      g_autofree char *expected = NULL;

      memcpy (input, start, strlen (start));
      memcpy (input + length - 4, "\r\n\r\n", 4);
      expected = g_strdup (input);
      if (length <= 64 * 1024)
        memcpy (strstr (expected, "old"), "new", 3);
      {
        const Vector vector = { input, length, expected, length };

        assert_run (&vector, 0, G_MAXSIZE);
        assert_run (&vector, 0, 1000);
        assert_run (&vector, length - 1, 1);
      }
    }
}

/* Nothing is ever held beyond the limit, whatever is sent. */
static void
test_endless_head (void)
{
  g_autoptr(VtHeadRewriter) rewriter =
      vt_head_rewriter_new (vt_head_changes_new (HOST, VT_FORWARDED_HEADERS_NONE, NULL));
  g_autoptr(GByteArray) output = g_byte_array_new ();
  size_t pushed = strlen ("GET / HTTP/1.1\r\n");

  push (rewriter, "GET / HTTP/1.1\r\n", pushed, output);
  for (unsigned int i = 0; i < 20000; i++)
    {
      push (rewriter, "A: b\r\n", 6, output);
      pushed += 6;
      g_assert_cmpuint (pushed - output->len, <=, 64 * 1024);
    }
  g_assert_cmpuint (output->len, ==, pushed);
}

/* A request in two forms, as it is sent and as it has to arrive, made of random parts. */
typedef struct {
  GString *sent;
  GString *expected;
} Pair;

static unsigned int
random_below (unsigned int n)
{
  return (unsigned int) g_test_rand_int_range (0, (int) n);
}

static const char *
pick (const char *const *choices, unsigned int n)
{
  return choices[random_below (n)];
}

#define PICK(...)                                                                                  \
  pick ((const char *const[]){ __VA_ARGS__ },                                                      \
        sizeof ((const char *const[]){ __VA_ARGS__ }) / sizeof (const char *))

static void
add (Pair *pair, const char *text)
{
  g_string_append (pair->sent, text);
  g_string_append (pair->expected, text);
}

static void
add_host (Pair *pair, const char *line_end)
{
  const char *name = PICK ("Host", "host", "HOST", "hoSt");
  const char *value = PICK ("a", "  a.example:80 \t", "", "\r\n a", "[::1]", "a\n\tb\r\n c");

  g_string_append_printf (pair->sent, "%s:%s%s", name, value, line_end);
  g_string_append_printf (pair->expected, "%s: " HOST "%s", name, line_end);
}

/* Text that looks like what the rewriter searches for, with every byte in it now and then. */
static GString *
random_body (void)
{
  GString *body = g_string_new (NULL);

  for (unsigned int i = random_below (6); i > 0; i--)
    switch (random_below (5))
      {
      case 0:
        g_string_append (body, OLD);
        break;
      case 1:
        g_string_append (body, "Host: old\r\n");
        break;
      case 2:
        g_string_append (body, "0\r\n\r\n");
        break;
      case 3:
        g_string_append (body, "\r\n\r\n");
        break;
      default:
        g_string_append_c (body, (char) random_below (256));
      }
  return body;
}

static void
add_both (Pair *pair, const char *data, size_t length)
{
  g_string_append_len (pair->sent, data, (gssize) length);
  g_string_append_len (pair->expected, data, (gssize) length);
}

static void
add_chunks (Pair *pair, const GString *body)
{
  for (size_t done = 0; done < body->len;)
    {
      size_t length = 1 + random_below ((unsigned int) (body->len - done));
      g_autofree char *size = g_strdup_printf ("%s%x%s\r\n", PICK ("", "00"), (unsigned int) length,
                                               PICK ("", ";a", " ; Host=\"x\"", ";"));

      add (pair, size);
      add_both (pair, body->str + done, length);
      add (pair, "\r\n");
      done += length;
    }
  add (pair, PICK ("0", "000", "0;last"));
  add (pair, "\r\n");
  add (pair, PICK ("", "Host: old\r\n", "X: y\r\nHost: old\n"));
  add (pair, PICK ("\r\n", "\n"));
}

static void
add_fields (Pair *pair, const char *line_end, unsigned int n)
{
  while (n-- > 0)
    {
      add (pair,
           PICK ("Accept: */*", "X-Host: old", "X: Host: old", "Empty:", "Folded: a\r\n Host: b"));
      add (pair, line_end);
    }
}

static void
add_request (Pair *pair)
{
  const char *line_end = PICK ("\r\n", "\r\n", "\n");
  g_autoptr(GString) body = random_body ();
  unsigned int framing = random_below (3);

  add (pair, PICK ("", "", "\r\n"));
  add (pair, PICK ("GET", "POST", "PATCH", "X-Y_Z"));
  add (pair, PICK (" / HTTP/1.1", " http://old.example/ HTTP/1.1", " /?Host:%20x HTTP/1.1"));
  add (pair, line_end);
  add_fields (pair, line_end, random_below (3));
  for (unsigned int i = PICK ("1", "1", "1", "0", "2")[0] - '0'; i > 0; i--)
    add_host (pair, line_end);
  add_fields (pair, line_end, random_below (3));
  if (framing == 1)
    {
      g_autofree char *length = g_strdup_printf ("Content-Length: %zu%s", body->len, line_end);

      add (pair, length);
    }
  if (framing == 2)
    {
      add (pair, PICK ("Transfer-Encoding: chunked",
                       "Content-Length: 7\r\ntransfer-encoding:gzip,chunked"));
      add (pair, line_end);
    }
  add (pair, line_end);
  if (framing == 1)
    add_both (pair, body->str, body->len);
  if (framing == 2)
    add_chunks (pair, body);
}

static void
assert_random_pieces (const Pair *pair)
{
  g_autoptr(VtHeadRewriter) rewriter =
      vt_head_rewriter_new (vt_head_changes_new (HOST, VT_FORWARDED_HEADERS_NONE, NULL));
  g_autoptr(GByteArray) output = g_byte_array_new ();
  size_t length;
  unsigned int longest = 1 + random_below (200);

  for (size_t done = 0; done < pair->sent->len; done += length)
    {
      length = 1 + random_below (longest);
      length = MIN (length, pair->sent->len - done);
      push (rewriter, pair->sent->str + done, length, output);
    }
  /* Each request is complete: nothing may wait for the flush. */
  g_assert_cmpmem (output->data, output->len, pair->expected->str, pair->expected->len);
}

static void
test_random (void)
{
  for (unsigned int i = 0; i < 3000; i++)
    {
      Pair pair = { g_string_new (NULL), g_string_new (NULL) };

      for (unsigned int n = 1 + random_below (5); n > 0; n--)
        add_request (&pair);
      if (random_below (4) == 0)
        add (&pair, "\026\003\001" OLD OLD);
      assert_random_pieces (&pair);
      g_string_free (pair.sent, TRUE);
      g_string_free (pair.expected, TRUE);
    }
}

/* Whatever is sent, what comes out is at most as different as the Host fields are. Without one, it
 * is the same. */
static void
test_noise (void)
{
  static const char *const words[] = { "GET ",    "/",  " HTTP/1.1",
                                       "\r\n",    "\n", "\r",
                                       "Host",    ":",  " ",
                                       "5",       "a",  "Transfer-Encoding",
                                       "chunked", ",",  "Content-Length",
                                       "0",       "\t", "ffffffffffffffff" };

  for (unsigned int i = 0; i < 5000; i++)
    {
      g_autoptr(GString) input = g_string_new (random_below (2) != 0 ? "GET / HTTP/1.1\r\n" : "");

      for (unsigned int n = random_below (40); n > 0; n--)
        {
          const char *word = words[random_below (G_N_ELEMENTS (words))];

          if (strcmp (word, "Host") != 0)
            g_string_append (input, word);
        }
      {
        const Vector vector = { input->str, input->len, input->str, input->len };

        assert_run (&vector, random_below ((unsigned int) input->len + 1), 1 + random_below (20));
      }
    }
}

int
main (int argc, char *argv[])
{
  static const Table tables[] = {
    { heads, G_N_ELEMENTS (heads) },
    { bodies, G_N_ELEMENTS (bodies) },
    { hostile, G_N_ELEMENTS (hostile) },
    { other_protocols, G_N_ELEMENTS (other_protocols) },
  };

  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func ("/head-rewriter/vectors/heads", &tables[0], test_table);
  g_test_add_data_func ("/head-rewriter/vectors/bodies", &tables[1], test_table);
  g_test_add_data_func ("/head-rewriter/vectors/hostile", &tables[2], test_table);
  g_test_add_data_func ("/head-rewriter/vectors/other-protocols", &tables[3], test_table);
  g_test_add_func ("/head-rewriter/at-once", test_at_once);
  g_test_add_func ("/head-rewriter/long-heads", test_long_heads);
  g_test_add_func ("/head-rewriter/endless-head", test_endless_head);
  g_test_add_func ("/head-rewriter/random", test_random);
  g_test_add_func ("/head-rewriter/noise", test_noise);
  return g_test_run ();
}
