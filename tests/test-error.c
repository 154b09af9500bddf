/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-error-private.h"

static const struct {
  VtError code;
  const char *word;
} codes[] = {
  { VT_ERROR_FAILED, "failed" },
  { VT_ERROR_PROTOCOL, "protocol" },
  { VT_ERROR_ADDRESS_IN_USE, "address-in-use" },
  { VT_ERROR_PERMISSION_DENIED, "permission-denied" },
  { VT_ERROR_INVALID_ARGUMENT, "invalid" },
  { VT_ERROR_LIMIT, "limit" },
  { VT_ERROR_TARGET_UNREACHABLE, "target-unreachable" },
  { VT_ERROR_TARGET_REFUSED, "target-refused" },
  { VT_ERROR_CANCELLED, "cancelled" },
  { VT_ERROR_TIMED_OUT, "timed-out" },
  { VT_ERROR_SHUTTING_DOWN, "shutting-down" },
  { VT_ERROR_NOT_RESUMED, "not-resumed" },
  { VT_ERROR_NOT_AUTHORISED, "not-authorised" },
  { VT_ERROR_NOT_A_TUNNEL, "not-a-tunnel" },
  { VT_ERROR_TLS, "tls" },
};

static void
test_words (void)
{
  for (size_t i = 0; i < G_N_ELEMENTS (codes); i++)
    {
      int code = -1;

      g_assert_cmpstr (vt_error_code_to_word ((int) codes[i].code), ==, codes[i].word);
      g_assert_true (vt_error_code_from_word (codes[i].word, &code));
      g_assert_cmpint (code, ==, codes[i].code);
    }
}

static void
test_unknown_words (void)
{
  static const char *const unknown[] = {
    NULL, "", "Failed", "fail", "failed ", "invalid-argument"
  };
  int code = 77;

  for (size_t i = 0; i < G_N_ELEMENTS (unknown); i++)
    g_assert_false (vt_error_code_from_word (unknown[i], &code));
  g_assert_cmpint (code, ==, 77);
  g_assert_cmpstr (vt_error_code_to_word (-1), ==, "failed");
  g_assert_cmpstr (vt_error_code_to_word (G_N_ELEMENTS (codes)), ==, "failed");
}

static void
test_quark (void)
{
  g_assert_cmpstr (g_quark_to_string (VT_ERROR), ==, "vt-error-quark");
}

static void
test_from_platform (void)
{
  const struct {
    GQuark domain;
    int from;
    VtError to;
  } cases[] = {
    { G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE, VT_ERROR_ADDRESS_IN_USE },
    { G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED, VT_ERROR_PERMISSION_DENIED },
    { G_IO_ERROR, G_IO_ERROR_TIMED_OUT, VT_ERROR_TIMED_OUT },
    { G_IO_ERROR, G_IO_ERROR_CANCELLED, VT_ERROR_CANCELLED },
    { G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, VT_ERROR_INVALID_ARGUMENT },
    { G_IO_ERROR, G_IO_ERROR_INVALID_FILENAME, VT_ERROR_INVALID_ARGUMENT },
    { G_IO_ERROR, G_IO_ERROR_TOO_MANY_OPEN_FILES, VT_ERROR_LIMIT },
    { G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED, VT_ERROR_TARGET_UNREACHABLE },
    { G_TLS_ERROR, G_TLS_ERROR_BAD_CERTIFICATE, VT_ERROR_TLS },
    { G_RESOLVER_ERROR, G_RESOLVER_ERROR_NOT_FOUND, VT_ERROR_TARGET_UNREACHABLE },
    { VT_ERROR, VT_ERROR_LIMIT, VT_ERROR_LIMIT },
  };

  for (size_t i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr(GError) from = NULL;
      g_autoptr(GError) to = NULL;

      from = g_error_new_literal (cases[i].domain, cases[i].from, "100 %s");
      to = vt_error_from_platform (from, VT_ERROR_TARGET_UNREACHABLE);
      g_assert_error (to, VT_ERROR, (int) cases[i].to);
      g_assert_cmpstr (to->message, ==, "100 %s");
      g_assert_true (to != from);
    }
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/error/words/known", test_words);
  g_test_add_func ("/error/words/unknown", test_unknown_words);
  g_test_add_func ("/error/quark", test_quark);
  g_test_add_func ("/error/from-platform", test_from_platform);
  return g_test_run ();
}
