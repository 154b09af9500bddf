/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include <string.h>

#include "vt-head-guard-private.h"

#define GET "GET / HTTP/1.1\r\n"

static const struct {
  const char *bytes;
  /* How much of it is handed on, before and after the answer. */
  const char *first;
  const char *second;
} heads[] = {
  { GET "Host: a\r\n\r\nGET /b", GET "Host: a\r\n\r\n", "GET /b" },
  { "GET / HTTP/1.0\nHost: a\n\nPUT /", "GET / HTTP/1.0\nHost: a\n\n", "PUT /" },
  { "GET / HTTP/1.0\r\nHost: a\n\r\nHEAD ", "GET / HTTP/1.0\r\nHost: a\n\r\n", "HEAD " },
  { "\r\n\r\nGET /\r\n\r\nGET", "\r\n\r\nGET /\r\n\r\n", "GET" },
  { GET "A:\r\nB:c\r\nC: \t\xff:\t\r\n\r\n", GET "A:\r\nB:c\r\nC: \t\xff:\t\r\n\r\n", "" },
  { "PUT\t/ H\r\ncontent-Length: 3\r\n\r\nabcmore", "PUT\t/ H\r\ncontent-Length: 3\r\n\r\nabcmore",
    "" },
  { "PUT / H\nX-Content-Length: x\n\nGET", "PUT / H\nX-Content-Length: x\n\n", "GET" },
  { "PUT / H\nContent-Lengthy: x\n\nGET", "PUT / H\nContent-Lengthy: x\n\n", "GET" },
  { GET "Content-Length: 0\r\n\r\nGET", GET "Content-Length: 0\r\n\r\n", "GET" },
  { GET "Content-Length:0\t \n\nGET", GET "Content-Length:0\t \n\n", "GET" },
  { GET "Content-Length: 123456789012345678\r\n\r\n\x01",
    GET "Content-Length: 123456789012345678\r\n\r\n\x01", "" },
  { GET "Transfer-Encodings: x\r\n\r\nGET", GET "Transfer-Encodings: x\r\n\r\n", "GET" },
  { GET "Host: a\r\n", GET "Host: a\r\n", "" },
};

static void
test_heads (void)
{
  for (size_t i = 0; i < G_N_ELEMENTS (heads); i++)
    for (size_t cut = 0; cut <= strlen (heads[i].bytes); cut++)
      {
        const uint8_t *bytes = (const uint8_t *) heads[i].bytes;
        size_t length = strlen (heads[i].bytes);
        VtHeadGuard guard;
        size_t passed = 0;

        vt_head_guard_init (&guard, 100);
        passed = vt_head_guard_inspect (&guard, bytes, cut);
        passed += vt_head_guard_inspect (&guard, bytes + passed, length - passed);
        g_assert_cmpuint (passed, ==, strlen (heads[i].first));
        vt_head_guard_next (&guard);
        passed = vt_head_guard_inspect (&guard, bytes + passed, length - passed);
        g_assert_cmpuint (passed, ==, strlen (heads[i].second));
        g_assert_false (guard.too_long);
        g_assert_cmpstr (guard.fault, ==, NULL);
      }
}

/* Up to `at`, where what is wrong shows, they are handed on. */
static const struct {
  const char *at;
  const char *from;
  const char *says;
} faults[] = {
  { GET "Transfer-Encoding", ": chunked\r\n", "Transfer-Encoding" },
  { GET "A: b\ntRANSFER-eNCODING", ":\n", "Transfer-Encoding" },
  { GET "Content-Length: 1\r\nTransfer-Encoding", ": x\r\n", "Transfer-Encoding" },
  { GET "Content-Length: 0\r\ncontent-length", ": 0\r\n", "More than one" },
  { GET "Content-Length: ", "+1\r\n", "Malformed Content-Length" },
  { GET "Content-Length: ", "-1\r\n", "Malformed Content-Length" },
  { GET "Content-Length: 0", "x1\r\n", "Malformed Content-Length" },
  { GET "Content-Length: 0", ", 0\r\n", "Malformed Content-Length" },
  { GET "Content-Length: 1 ", "1\r\n", "Malformed Content-Length" },
  { GET "Content-Length:\r", "\n", "Malformed Content-Length" },
  { GET "Content-Length: ", "\n", "Malformed Content-Length" },
  { GET "Content-Length: 000000000000000000", "0\r\n", "Malformed Content-Length" },
  { GET "Content-Length: 0\r\n", " 1\r\n", "Malformed header" },
  { GET "A: b\r\n", "\tc\r\n", "Malformed header" },
  { GET, " A: b\r\n", "Malformed header" },
  { GET "Content-Length", " : 1\r\n", "Malformed header" },
  { GET "Transfer-Encoding", "\t: 1\r\n", "Malformed header" },
  { GET, ": b\r\n", "Malformed header" },
  { GET "A\r", "\n", "Malformed header" },
  { GET "A", "\n", "Malformed header" },
  { GET "A", "\xc3\xa4: b\r\n", "Malformed header" },
  { GET "A", "(b): c\r\n", "Malformed header" },
  { GET "Transfer\r", "-Encoding: x\r\n", "Control" },
  { GET "A: b\r", "Transfer-Encoding: x\r\n", "Control" },
  { GET "A: b\r", "\r\n", "Control" },
  { GET "A: ", "\x7f\r\n", "Control" },
  { "GET /", "\x01 HTTP/1.1\r\n", "Control" },
  { "\r", "GET / HTTP/1.1\r\n", "Control" },
  { "get", " / HTTP/1.1\r\n", "Unknown method" },
  { "BREW", " / HTTP/1.1\r\n", "Unknown method" },
  { "GETTINGTOOLONGFORANYBODY", " / HTTP/1.1\r\n", "Unknown method" },
  { "", " GET / HTTP/1.1\r\n", "Unknown method" },
  { "GE", "\x01T / HTTP/1.1\r\n", "Control" },
  { "junk\r", "\n", "Malformed request line" },
  { GET "\r\nGET / HTTP/1.1\r\nTransfer-Encoding", ": x", "Transfer-Encoding" },
};

static void
test_faults (void)
{
  for (size_t i = 0; i < G_N_ELEMENTS (faults); i++)
    {
      g_autofree char *text = g_strconcat (faults[i].at, faults[i].from, NULL);
      const uint8_t *bytes = (const uint8_t *) text;
      size_t length = strlen (text);

      for (size_t cut = 0; cut <= length; cut++)
        {
          VtHeadGuard guard;
          size_t passed = 0;

          vt_head_guard_init (&guard, 100);
          for (unsigned int j = 0; j < 2; j++)
            {
              passed += vt_head_guard_inspect (&guard, bytes + passed, MAX (cut, passed) - passed);
              vt_head_guard_next (&guard);
              passed += vt_head_guard_inspect (&guard, bytes + passed, length - passed);
              vt_head_guard_next (&guard);
            }
          if (guard.fault == NULL || strstr (guard.fault, faults[i].says) == NULL
              || passed != strlen (faults[i].at))
            g_test_fail_printf ("%zu, cut at %zu: “%s” at %zu", i, cut, guard.fault, passed);
          /* It stays. */
          g_assert_cmpuint (vt_head_guard_inspect (&guard, bytes, length), ==, 0);
        }
    }
}

/* libsoup drops them, so that they could hide a name. */
static void
test_zero (void)
{
  static const uint8_t bytes[] = GET "Trans\0fer-Encoding: x\r\n\r\n";
  VtHeadGuard guard;

  vt_head_guard_init (&guard, 100);
  g_assert_cmpuint (vt_head_guard_inspect (&guard, bytes, sizeof bytes - 1), ==,
                    strlen (GET "Trans"));
  g_assert_nonnull (guard.fault);
}

static void
test_too_long (void)
{
  const char *endless = GET "A: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\r\n\r\n";
  const char *body = "PUT / HTTP/1.1\r\nContent-Length: 999\r\n\r\n................";
  const uint8_t *texts[] = { (const uint8_t *) endless, (const uint8_t *) body };

  for (size_t i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      size_t length = strlen ((const char *) texts[i]);
      VtHeadGuard guard;

      vt_head_guard_init (&guard, length);
      g_assert_cmpuint (vt_head_guard_inspect (&guard, texts[i], length), ==, length);
      g_assert_false (guard.too_long);
      vt_head_guard_init (&guard, length - 1);
      g_assert_cmpuint (vt_head_guard_inspect (&guard, texts[i], length), ==, length - 1);
      g_assert_true (guard.too_long);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/head-guard/end", test_heads);
  g_test_add_func ("/head-guard/faults", test_faults);
  g_test_add_func ("/head-guard/zero", test_zero);
  g_test_add_func ("/head-guard/too-long", test_too_long);
  return g_test_run ();
}
