/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-host-name-private.h"

#include <string.h>

#include "vt-error.h"
#include "vt-host-table-private.h"

#define LABEL_63 "abcdefghijklmnopqrstuvwxyz-0123456789-abcdefghijklmnopqrstuvwxy"
#define NAME_251                                                                                   \
  LABEL_63 "." LABEL_63 "." LABEL_63 ".abcdefghijklmnopqrstuvwxyz-0123456789-abcdefghijklmnopqrstu"

typedef struct {
  const char *text;
  const char *expected; /* NULL: it is none */
} Vector;

static const Vector patterns[] = {
  { "a.example", "a.example" },
  { "A.Example", "a.example" },
  { "a.example.", "a.example" },
  { "localhost", "localhost" },
  { "*.a.example", "*.a.example" },
  { "*.example", "*.example" },
  { "xn--bcher-kva.example", "xn--bcher-kva.example" },
  { "b\303\274cher.example", "xn--bcher-kva.example" },
  { "*.B\303\234CHER.example", "*.xn--bcher-kva.example" },
  { "1.2.a", "1.2.a" },
  { NAME_251, NAME_251 },
  { LABEL_63 ".a", LABEL_63 ".a" },
  { "*." NAME_251, "*." NAME_251 },
  { "*." NAME_251 "x", NULL },
  { NAME_251 "xyz", NULL },
  { "x" LABEL_63 ".a", NULL },
  { "", NULL },
  { ".", NULL },
  { "*", NULL },
  { "*.", NULL },
  { "*.*.a", NULL },
  { "a.*.b", NULL },
  { "*a.b", NULL },
  { "a..b", NULL },
  { ".a", NULL },
  { "a.b..", NULL },
  { "-a.b", NULL },
  { "a-.b", NULL },
  { "a_b.c", NULL },
  { "a b.c", NULL },
  { "a:80", NULL },
  { "127.0.0.1", NULL },
  { "127.1", NULL },
  { "9000", NULL },
  { "9000a", NULL },
  { "::1", NULL },
  { "a.\377.b", NULL },
  { "a/b.c", NULL },
};

static const Vector authorities[] = {
  { "a.example", "a.example" },
  { "A.EXAMPLE:8080", "a.example" },
  { "a.example.:80", "a.example" },
  { "a.example:", "a.example" },
  { "a_b.example", "a_b.example" },
  { "127.0.0.1:80", "127.0.0.1" },
  { "[::1]:80", "::1" },
  { "[::1]", "::1" },
  { "[::1]x", NULL },
  { "[::1", NULL },
  { "[a]", NULL },
  { "a:b", NULL },
  { "a:80:80", NULL },
  { "a:123456", NULL },
  { "", NULL },
  { ":80", NULL },
  { "u@a.example", NULL },
  { "a.example/", NULL },
  { "a b", NULL },
  { "b\303\274cher.example", NULL },
};

static void
test_patterns (void)
{
  for (size_t i = 0; i < G_N_ELEMENTS (patterns); i++)
    {
      g_autofree char *normalized = vt_host_pattern_normalize (patterns[i].text);

      g_assert_cmpstr (normalized, ==, patterns[i].expected);
    }
}

static void
test_lists_of_patterns (void)
{
  const char *const right[] = { "A.example", "*.b.example", NULL };
  const char *const expected[] = { "a.example", "*.b.example", NULL };
  const char *const wrong[] = { "a.example", "b\nc", NULL };
  g_autoptr(GError) error = NULL;
  g_auto(GStrv) normalized = vt_host_patterns_normalize (right, &error);

  g_assert_no_error (error);
  g_assert_cmpstrv (normalized, expected);
  g_assert_null (vt_host_patterns_normalize (wrong, &error));
  g_assert_error (error, VT_ERROR, VT_ERROR_INVALID_ARGUMENT);
  g_assert_nonnull (strstr (error->message, "“b\\nc”"));
}

static void
test_authorities (void)
{
  for (size_t i = 0; i < G_N_ELEMENTS (authorities); i++)
    {
      const char *text = authorities[i].text;
      g_autofree char *host = vt_host_name_from_authority (text, strlen (text));

      g_assert_cmpstr (host, ==, authorities[i].expected);
    }
  g_assert_null (vt_host_name_from_authority ("a\0b", 3));
}

static void
test_covers (void)
{
  g_assert_true (vt_host_pattern_covers ("a.example", "a.example"));
  g_assert_false (vt_host_pattern_covers ("a.example", "b.example"));
  g_assert_false (vt_host_pattern_covers ("a.example", "x.a.example"));
  g_assert_false (vt_host_pattern_covers ("a.example", "*.a.example"));
  g_assert_true (vt_host_pattern_covers ("*.example", "a.example"));
  g_assert_true (vt_host_pattern_covers ("*.example", "b.a.example"));
  g_assert_true (vt_host_pattern_covers ("*.example", "*.example"));
  g_assert_true (vt_host_pattern_covers ("*.example", "*.a.example"));
  g_assert_false (vt_host_pattern_covers ("*.a.example", "*.example"));
  g_assert_false (vt_host_pattern_covers ("*.example", "example"));
  g_assert_false (vt_host_pattern_covers ("*.example", "aexample"));
}

static void
test_table (void)
{
  const char *const first[] = { "a.example", "*.b.example", NULL };
  const char *const second[] = { "*.example", "c.b.example", "x.y.b.example", NULL };
  const char *const third[] = { "d.example", "*.b.example", NULL };
  g_autoptr(VtHostTable) table = vt_host_table_new ();
  int one, two, three;

  g_assert_null (vt_host_table_claim (table, first, &one));
  g_assert_null (vt_host_table_claim (table, second, &two));
  g_assert_cmpstr (vt_host_table_claim (table, third, &three), ==, "*.b.example");
  g_assert_cmpstr (vt_host_table_claim (table, third, &one), ==, "*.b.example");

  g_assert_true (vt_host_table_find (table, "a.example") == &one);
  g_assert_true (vt_host_table_find (table, "d.example") == &two);
  g_assert_true (vt_host_table_find (table, "b.example") == &two);
  g_assert_true (vt_host_table_find (table, "c.b.example") == &two);
  g_assert_true (vt_host_table_find (table, "d.b.example") == &one);
  g_assert_true (vt_host_table_find (table, "e.d.b.example") == &one);
  g_assert_true (vt_host_table_find (table, "x.y.b.example") == &two);
  g_assert_true (vt_host_table_find (table, "y.b.example") == &one);
  g_assert_null (vt_host_table_find (table, "example"));
  g_assert_null (vt_host_table_find (table, "a.test"));
  g_assert_null (vt_host_table_find (table, "."));
  g_assert_true (vt_host_table_get_owner (table, "*.b.example") == &one);
  g_assert_null (vt_host_table_get_owner (table, "d.example"));

  /* Only what is one's own. */
  vt_host_table_release (table, second, &one);
  g_assert_true (vt_host_table_find (table, "d.example") == &two);
  vt_host_table_release (table, first, &one);
  g_assert_true (vt_host_table_find (table, "a.example") == &two);
  g_assert_null (vt_host_table_claim (table, third, &three));
  g_assert_true (vt_host_table_find (table, "d.b.example") == &three);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/host-name/patterns", test_patterns);
  g_test_add_func ("/host-name/lists", test_lists_of_patterns);
  g_test_add_func ("/host-name/authorities", test_authorities);
  g_test_add_func ("/host-name/covers", test_covers);
  g_test_add_func ("/host-table/owners", test_table);

  return g_test_run ();
}
