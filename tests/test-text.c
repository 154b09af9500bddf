/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-text-private.h"

#include <string.h>

static const struct {
  const char *text;
  gssize length;
  const char *expected;
} cases[] = {
  { NULL, -1, "(none)" },
  { NULL, 7, "(none)" },
  { "", -1, "" },
  { "text", 0, "" },
  { "it's plain", -1, "it's plain" },
  { "only this", 4, "only" },
  { "Grüße, 世界 🚇", -1, "Grüße, 世界 🚇" },
  { "a\nb\rc\td", -1, "a\\nb\\rc\\td" },
  { "\033[31m\007\177", -1, "\\x1b[31m\\x07\\x7f" },
  { "a\0b", 3, "a\\x00b" },
  { "say \"hi\" \\o/", -1, "say \\\"hi\\\" \\\\o/" },
  { "\xff\xfe.\xc3", -1, "\\xff\\xfe.\\xc3" },
  { "ü", 1, "\\xc3" },
  { "\xc0\xaf", -1, "\\xc0\\xaf" },
  { "\xed\xa0\x80", -1, "\\xed\\xa0\\x80" },
  { "\xf4\x90\x80\x80", -1, "\\xf4\\x90\\x80\\x80" },
  { "\xc2\x9b", -1, "\\u{009b}" },
  { "\u202a\u202b\u202c\u202d\u202e", -1, "\\u{202a}\\u{202b}\\u{202c}\\u{202d}\\u{202e}" },
  { "\u2066\u2067\u2068\u2069", -1, "\\u{2066}\\u{2067}\\u{2068}\\u{2069}" },
  { "\u200e\u200f\u061c\ufeff\u200b", -1, "\\u{200e}\\u{200f}\\u{061c}\\u{feff}\\u{200b}" },
  { "\u2028\u2029", -1, "\\u{2028}\\u{2029}" },
  { "\U000e0041", -1, "\\u{e0041}" },
  { "👩\u200d🚀", -1, "👩\u200d🚀" },
};

static void
test_table (void)
{
  for (size_t i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *escaped = vt_text_escape (cases[i].text, cases[i].length);

      g_assert_cmpstr (escaped, ==, cases[i].expected);
    }
}

static char *
repeat (const char *piece, int n)
{
  GString *text = g_string_new (NULL);

  while (n-- > 0)
    g_string_append (text, piece);
  return g_string_free (text, FALSE);
}

/* Cuts `n` times `piece` and expects `n_kept` times `escaped` of it. */
static void
check_length (const char *piece, int n, const char *escaped, int n_kept, const char *tail)
{
  g_autofree char *text = repeat (piece, n);
  g_autofree char *kept = repeat (escaped, n_kept);
  g_autofree char *expected = g_strconcat (kept, tail, NULL);
  g_autofree char *actual = vt_text_escape (text, -1);

  g_assert_cmpstr (actual, ==, expected);
}

static void
test_truncation (void)
{
  check_length ("a", 200, "a", 200, "");
  check_length ("a", 201, "a", 200, "…");
  check_length ("世", 200, "世", 200, "");
  check_length ("世", 5000, "世", 200, "…");
  /* An escape is not cut either. */
  check_length ("\033", 50, "\\x1b", 50, "");
  check_length ("\u202e", 100, "\\u{202e}", 25, "…");
  check_length ("\u2028", 26, "\\u{2028}", 25, "…");
}

static void
test_any_bytes (void)
{
  for (int round = 0; round < 2000; round++)
    {
      char bytes[64];
      g_autofree char *escaped = NULL;

      for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char) g_test_rand_int_range (0, 256);
      escaped = vt_text_escape (bytes, sizeof bytes);
      g_assert_true (g_utf8_validate (escaped, -1, NULL));
      g_assert_cmpint (g_utf8_strlen (escaped, -1), <=, 201);
      g_assert_null (strpbrk (escaped, "\n\r\t\033"));
    }
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/text/escape/table", test_table);
  g_test_add_func ("/text/escape/truncation", test_truncation);
  g_test_add_func ("/text/escape/any-bytes", test_any_bytes);
  return g_test_run ();
}
