/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include <glib.h>

#include "vt-negotiation-private.h"

static void
test_limit (void)
{
  g_unsetenv ("VT_PROTOCOL");
  g_assert_cmpuint (vt_negotiation_limit (1), ==, 1);
  g_assert_cmpuint (vt_negotiation_limit (2), ==, 2);
  g_setenv ("VT_PROTOCOL", "1", TRUE);
  g_assert_cmpuint (vt_negotiation_limit (1), ==, 1);
  g_assert_cmpuint (vt_negotiation_limit (2), ==, 1);
  /* It never allows what the program does not want. */
  g_setenv ("VT_PROTOCOL", "2", TRUE);
  g_assert_cmpuint (vt_negotiation_limit (1), ==, 1);
  g_assert_cmpuint (vt_negotiation_limit (2), ==, 2);
  g_unsetenv ("VT_PROTOCOL");
}

static GLogWriterOutput
note_message (GLogLevelFlags level, const GLogField *fields, size_t n_fields, gpointer user_data)
{
  GString *messages = user_data;

  for (size_t i = 0; i < n_fields; i++)
    if (g_str_equal (fields[i].key, "MESSAGE"))
      g_string_append_printf (messages, "%s;", (const char *) fields[i].value);
  return G_LOG_WRITER_HANDLED;
}

/* Told once, and ignored. */
static void
test_limit_unknown (void)
{
  static const char *const values[] = { "3\n", "", "v2", "1 " };
  g_autoptr(GString) messages = g_string_new (NULL);

  g_log_set_writer_func (note_message, messages, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS (values); i++)
    {
      g_setenv ("VT_PROTOCOL", values[i], TRUE);
      g_assert_cmpuint (vt_negotiation_limit (1), ==, 1);
      g_assert_cmpuint (vt_negotiation_limit (2), ==, 2);
    }
  g_unsetenv ("VT_PROTOCOL");
  g_assert_cmpstr (messages->str, ==,
                   "VT_PROTOCOL is “3\\n”, which is no version of the protocol: 1 and 2 are;");
}

static void
test_subprotocols (void)
{
  const char *const expected[] = { "vtunnel.v2", NULL };

  g_assert_null (vt_negotiation_get_subprotocols (1));
  g_assert_cmpstrv (vt_negotiation_get_subprotocols (2), expected);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/negotiation/limit/known", test_limit);
  g_test_add_func ("/negotiation/subprotocols", test_subprotocols);
  /* Last, because the writer of messages stays. */
  g_test_add_func ("/negotiation/limit/unknown", test_limit_unknown);
  return g_test_run ();
}
