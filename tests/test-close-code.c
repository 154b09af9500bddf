/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-close-code-private.h"

#include <string.h>

#include <gio/gio.h>

#include "vt-error-private.h"

#define NO_ERROR -1

/* How links end, and what that means. */
typedef struct {
  unsigned int code; /* the other side's, 0: none */
  int own;           /* what this side noticed, of VtError */
  int expected;      /* what is told */
  gboolean resumes;
} Ending;

static const Ending endings[] = {
  /* The other side has said why. */
  { 1000, NO_ERROR, NO_ERROR, FALSE },
  { 1001, NO_ERROR, VT_ERROR_SHUTTING_DOWN, TRUE },
  { 1002, NO_ERROR, VT_ERROR_PROTOCOL, FALSE },
  { 1003, NO_ERROR, VT_ERROR_PROTOCOL, FALSE },
  { 1005, NO_ERROR, NO_ERROR, TRUE },
  { 1006, NO_ERROR, VT_ERROR_FAILED, TRUE },
  { 1007, NO_ERROR, VT_ERROR_PROTOCOL, FALSE },
  { 1008, NO_ERROR, VT_ERROR_LIMIT, FALSE },
  { 1009, NO_ERROR, VT_ERROR_LIMIT, FALSE },
  { 1010, NO_ERROR, VT_ERROR_FAILED, TRUE },
  { 1011, NO_ERROR, VT_ERROR_FAILED, TRUE },
  { 1012, NO_ERROR, VT_ERROR_FAILED, TRUE },
  { 1013, NO_ERROR, VT_ERROR_FAILED, TRUE },
  { 4000, NO_ERROR, VT_ERROR_FAILED, TRUE },
  { 4001, NO_ERROR, VT_ERROR_CANCELLED, FALSE },
  { 4002, NO_ERROR, VT_ERROR_LIMIT, TRUE },
  /* It has not, and the link is just gone. */
  { 0, NO_ERROR, NO_ERROR, TRUE },
  { 0, VT_ERROR_FAILED, VT_ERROR_FAILED, TRUE },
  { 0, VT_ERROR_TIMED_OUT, VT_ERROR_TIMED_OUT, TRUE },
  /* It has broken the rules, whatever it says then. */
  { 0, VT_ERROR_PROTOCOL, VT_ERROR_PROTOCOL, FALSE },
  { 0, VT_ERROR_LIMIT, VT_ERROR_LIMIT, FALSE },
  { 1000, VT_ERROR_PROTOCOL, VT_ERROR_PROTOCOL, FALSE },
  { 1001, VT_ERROR_PROTOCOL, VT_ERROR_PROTOCOL, FALSE },
  { 1002, VT_ERROR_LIMIT, VT_ERROR_LIMIT, FALSE },
  { 4002, VT_ERROR_LIMIT, VT_ERROR_LIMIT, FALSE },
  /* It has said why, and the link broke before this side had answered. */
  { 1000, VT_ERROR_FAILED, NO_ERROR, FALSE },
  { 1001, VT_ERROR_FAILED, VT_ERROR_SHUTTING_DOWN, TRUE },
  { 1002, VT_ERROR_FAILED, VT_ERROR_PROTOCOL, FALSE },
  { 1008, VT_ERROR_FAILED, VT_ERROR_LIMIT, FALSE },
  { 1013, VT_ERROR_FAILED, VT_ERROR_FAILED, TRUE },
  { 4001, VT_ERROR_FAILED, VT_ERROR_CANCELLED, FALSE },
  { 4002, VT_ERROR_FAILED, VT_ERROR_LIMIT, TRUE },
};

static void
test_endings (void)
{
  for (size_t i = 0; i < G_N_ELEMENTS (endings); i++)
    {
      const Ending *ending = &endings[i];
      g_autoptr(GError) own = NULL;
      g_autoptr(GError) told = NULL;

      g_test_message ("%u, %d", ending->code, ending->own);
      if (ending->own != NO_ERROR)
        own = g_error_new_literal (VT_ERROR, ending->own, "Own");
      told = vt_close_code_to_error (ending->code, "Theirs", own);
      if (ending->expected == NO_ERROR)
        g_assert_no_error (told);
      else
        g_assert_error (told, VT_ERROR, ending->expected);
      g_assert_cmpint (vt_close_code_allows_resuming (ending->code, own), ==, ending->resumes);
    }
}

static char *
describe (unsigned int code, const char *reason)
{
  g_autoptr(GError) error = vt_close_code_to_error (code, reason, NULL);

  return g_strdup (error->message);
}

/* The code, and a reason that is the other side's and may be anything. */
static void
test_texts (void)
{
  g_autofree char *without = describe (1001, NULL);
  g_autofree char *empty = describe (1001, "");
  g_autofree char *with = describe (1013, "full %s\n\033[31m");

  g_assert_nonnull (strstr (without, "1001"));
  g_assert_cmpstr (without, ==, empty);
  g_assert_nonnull (strstr (with, "1013"));
  g_assert_nonnull (strstr (with, "full %s\\n"));
  g_assert_null (strchr (with, '\n'));
  g_assert_null (strchr (with, '\033'));
}

/* An error from elsewhere is told as one of ours, and means nothing but that the link is gone. */
static void
test_foreign_error (void)
{
  g_autoptr(GError) own =
      g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED, "Reset by peer");
  g_autoptr(GError) told = vt_close_code_to_error (0, NULL, own);

  g_assert_true (told->domain == VT_ERROR);
  g_assert_true (vt_close_code_allows_resuming (0, own));
}

static void
test_for_error (void)
{
  const struct {
    int error;
    unsigned int code;
  } table[] = {
    { VT_ERROR_PROTOCOL, 1002 }, { VT_ERROR_LIMIT, 1008 },         { VT_ERROR_TIMED_OUT, 1001 },
    { VT_ERROR_FAILED, 1002 },   { VT_ERROR_SHUTTING_DOWN, 1001 },
  };

  for (size_t i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_autoptr(GError) error = g_error_new_literal (VT_ERROR, table[i].error, "So");

      g_assert_cmpuint (vt_close_code_for_error (error), ==, table[i].code);
    }
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/close-code/endings", test_endings);
  g_test_add_func ("/close-code/texts", test_texts);
  g_test_add_func ("/close-code/foreign-error", test_foreign_error);
  g_test_add_func ("/close-code/for-error", test_for_error);
  return g_test_run ();
}
