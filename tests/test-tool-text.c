/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-tool-text.h"

#include <locale.h>

#include "vt-tool-format.h"
#include "vt-tool-graph.h"
#include "vt-tool-table.h"

#define HIGHEST G_MAXUINT64

/* Takes `got`. */
static void
assert_text (char *got, const char *expected)
{
  g_assert_cmpstr (got, ==, expected);
  g_free (got);
}

static void
test_clean (void)
{
  assert_text (vt_tool_text_clean (NULL), "");
  assert_text (vt_tool_text_clean ("größer → 名前"), "größer → 名前");
  assert_text (vt_tool_text_clean ("\033[31m\r\n\t\x7f"),
               "\\u001b[31m\\u000d\\u000a\\u0009\\u007f");
  assert_text (vt_tool_text_clean ("a\xc2\x9b"
                                   "b\u202ec\u2066d\u200be\u2028f"),
               "a\\u009bb\\u202ec\\u2066d\\u200be\\u2028f");
  assert_text (vt_tool_text_clean ("a\U000e0041b"), "a\\ue0041b");
  assert_text (vt_tool_text_clean ("a\xff\x1b"), "a�\\u001b");
}

static void
test_ascii (void)
{
  assert_text (vt_tool_text_to_ascii ("9000 → „größer“ … 名\n"),
               "9000 -> \"groesser\" ... ?\\u000a");
}

static void
test_fit (void)
{
  g_assert_cmpuint (vt_tool_text_width ("a名e\u0301"), ==, 4);
  assert_text (vt_tool_text_fit ("abc", 3, "…"), "abc");
  assert_text (vt_tool_text_fit ("abcd", 3, "…"), "ab…");
  assert_text (vt_tool_text_fit ("名前名", 4, "…"), "名…");
  assert_text (vt_tool_text_fit ("名前", 1, "…"), "…");
  assert_text (vt_tool_text_fit ("abcd", 0, "…"), "");
}

static void
test_break (void)
{
  g_assert_cmpuint (vt_tool_text_break ("one two three", 20), ==, 13);
  g_assert_cmpuint (vt_tool_text_break ("one two three", 9), ==, 7);
  g_assert_cmpuint (vt_tool_text_break ("one two three", 7), ==, 7);
  g_assert_cmpuint (vt_tool_text_break ("one two three", 6), ==, 3);
  g_assert_cmpuint (vt_tool_text_break ("onetwothree", 4), ==, 4);
  g_assert_cmpuint (vt_tool_text_break ("名前", 1), ==, 3);
  g_assert_cmpuint (vt_tool_text_break ("名前", 0), ==, 3);
}

static void
test_bytes (void)
{
  assert_text (vt_tool_format_bytes (0), "0 B");
  assert_text (vt_tool_format_bytes (999), "999 B");
  assert_text (vt_tool_format_bytes (1000), "1.0 kB");
  assert_text (vt_tool_format_bytes (9949), "9.9 kB");
  assert_text (vt_tool_format_bytes (9951), "10 kB");
  assert_text (vt_tool_format_bytes (999499), "999 kB");
  assert_text (vt_tool_format_bytes (999500), "1.0 MB");
  assert_text (vt_tool_format_bytes (HIGHEST), "18 EB");
  assert_text (vt_tool_format_rate (1234567), "1.2 MB/s");
}

static void
test_ages (void)
{
  assert_text (vt_tool_format_age (-5), "0 s");
  assert_text (vt_tool_format_age (59 * G_TIME_SPAN_SECOND), "59 s");
  assert_text (vt_tool_format_age (60 * G_TIME_SPAN_SECOND), "1 min");
  assert_text (vt_tool_format_age (47 * G_TIME_SPAN_HOUR), "47 h");
  assert_text (vt_tool_format_age (48 * G_TIME_SPAN_HOUR), "2 d");
  assert_text (vt_tool_format_age (G_MAXINT64), "99999 d");
  assert_text (vt_tool_format_round_trip (-1), NULL);
  assert_text (vt_tool_format_round_trip (4200), "4.2 ms");
  assert_text (vt_tool_format_round_trip (123456), "123 ms");
  assert_text (vt_tool_format_time (G_GINT64_CONSTANT (1795546453000000)), "2026-11-24T18:54:13Z");
  assert_text (vt_tool_format_time (G_MAXINT64), "?");
}

static void
test_codes (void)
{
  assert_text (vt_tool_format_code ("io.github.vtunnel.Vtunnel1.Error.NotAuthorised"),
               "not-authorised");
  assert_text (vt_tool_format_code ("Tls"), "tls");
  assert_text (vt_tool_format_code (""), "");
}

static void
test_graph (void)
{
  const guint64 values[] = { 0, 1, 70, 35, 0 };
  const guint64 nothing[] = { 0, 0 };
  const guint64 large[] = { HIGHEST, HIGHEST / 2, 1 };

  assert_text (vt_tool_graph_draw (values, 5, 5, TRUE), "▁▂█▅▁");
  assert_text (vt_tool_graph_draw (values, 5, 5, FALSE), "_.#=_");
  assert_text (vt_tool_graph_draw (values, 5, 7, FALSE), "  _.#=_");
  /* Only what is shown says what the highest is. */
  assert_text (vt_tool_graph_draw (values, 5, 2, TRUE), "█▁");
  assert_text (vt_tool_graph_draw (nothing, 2, 3, TRUE), " ▁▁");
  assert_text (vt_tool_graph_draw (large, 3, 3, TRUE), "█▅▂");
  assert_text (vt_tool_graph_draw (NULL, 0, 2, TRUE), "  ");
  assert_text (vt_tool_graph_draw (values, 5, 0, TRUE), "");
}

static VtToolTable *
make_table (void)
{
  static const VtToolColumn columns[] = {
    { "NAME", 4, FALSE },
    { "STATE", 0, FALSE },
    { "SERVER", 6, FALSE },
    { "N", 0, TRUE },
  };
  VtToolTable *table = vt_tool_table_new (columns, G_N_ELEMENTS (columns));

  vt_tool_table_add (table, VT_TOOL_STYLE_BOLD, g_strdup ("web"));
  vt_tool_table_add (table, VT_TOOL_STYLE_GOOD, g_strdup ("connected"));
  vt_tool_table_add (table, VT_TOOL_STYLE_PLAIN, g_strdup ("wss://example.org/"));
  vt_tool_table_add (table, VT_TOOL_STYLE_PLAIN, g_strdup ("7"));
  vt_tool_table_add (table, VT_TOOL_STYLE_BOLD, g_strdup ("名前\033"));
  vt_tool_table_add (table, VT_TOOL_STYLE_BAD, g_strdup ("failed"));
  vt_tool_table_add (table, VT_TOOL_STYLE_PLAIN, g_strdup (""));
  vt_tool_table_add (table, VT_TOOL_STYLE_PLAIN, g_strdup ("1234"));
  return table;
}

static void
test_table (void)
{
  g_autoptr(VtToolTable) table = make_table ();
  VtToolLook look = { .width = 0, .utf8 = TRUE };

  assert_text (vt_tool_table_layout (table, &look),
               "NAME        STATE      SERVER                 N\n"
               "web         connected  wss://example.org/     7\n"
               "名前\\u001b  failed                         1234\n");
  look.width = 36;
  assert_text (vt_tool_table_layout (table, &look), "NAME      STATE      SERVER        N\n"
                                                    "web       connected  wss://ex…     7\n"
                                                    "名前\\u0…  failed                1234\n");
  look.width = 10;
  assert_text (vt_tool_table_layout (table, &look), "NAME  STA…\nweb   con…\n名…   fai…\n");
}

static void
test_empty_table (void)
{
  static const VtToolColumn columns[] = { { "NAME", 4, FALSE } };
  g_autoptr(VtToolTable) table = vt_tool_table_new (columns, 1);
  VtToolLook look = { .width = 0, .utf8 = TRUE };

  assert_text (vt_tool_table_layout (table, &look), "");
}

int
main (int argc, char *argv[])
{
  setlocale (LC_ALL, "");
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/tool-text/clean", test_clean);
  g_test_add_func ("/tool-text/ascii", test_ascii);
  g_test_add_func ("/tool-text/fit", test_fit);
  g_test_add_func ("/tool-text/break", test_break);
  g_test_add_func ("/tool-format/bytes", test_bytes);
  g_test_add_func ("/tool-format/ages", test_ages);
  g_test_add_func ("/tool-format/codes", test_codes);
  g_test_add_func ("/tool-graph/draw", test_graph);
  g_test_add_func ("/tool-table/widths", test_table);
  g_test_add_func ("/tool-table/empty", test_empty_table);
  return g_test_run ();
}
