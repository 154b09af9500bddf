/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include <gio/gio.h>
#include <string.h>
#include <vtunnel/vtunnel.h>

#include "vts-error.h"

#define PREFIX "io.github.vtunnel.Vtunnel1.Error."

/* As docs/session.md has it. */
static const struct {
  VtError code;
  const char *name;
} table[] = {
  { VT_ERROR_FAILED, "ConnectionFailed" },
  { VT_ERROR_PROTOCOL, "Protocol" },
  { VT_ERROR_ADDRESS_IN_USE, "AddressInUse" },
  { VT_ERROR_PERMISSION_DENIED, "PermissionDenied" },
  { VT_ERROR_INVALID_ARGUMENT, "InvalidArgument" },
  { VT_ERROR_LIMIT, "Limit" },
  { VT_ERROR_TARGET_UNREACHABLE, "ConnectionFailed" },
  { VT_ERROR_TARGET_REFUSED, "ConnectionFailed" },
  { VT_ERROR_CANCELLED, "ConnectionFailed" },
  { VT_ERROR_TIMED_OUT, "ConnectionFailed" },
  { VT_ERROR_SHUTTING_DOWN, "ConnectionFailed" },
  { VT_ERROR_NOT_RESUMED, "ConnectionFailed" },
  { VT_ERROR_NOT_AUTHORISED, "NotAuthorised" },
  { VT_ERROR_NOT_A_TUNNEL, "Protocol" },
  { VT_ERROR_TLS, "Tls" },
};

/* One that the library gets is not forgotten here. */
static void
test_table (void)
{
  g_autoptr(GEnumClass) codes = g_type_class_ref (VT_TYPE_ERROR);

  g_assert_cmpuint (codes->n_values, ==, G_N_ELEMENTS (table));
  for (size_t i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_autoptr(GError) error = g_error_new_literal (VT_ERROR, (int) table[i].code, "why");
      g_autoptr(GError) told = vts_error_from (error);
      const char *name = vtunnel_session_error_get_name (told);

      g_assert_true (told->domain == VTUNNEL_SESSION_ERROR);
      g_assert_true (g_str_has_prefix (name, PREFIX));
      g_assert_cmpstr (name + strlen (PREFIX), ==, table[i].name);
      g_assert_cmpstr (told->message, ==, "why");
    }
}

static void
test_others (void)
{
  const GError unknown = { VT_ERROR, 1000, (char *) "why" };
  const GError foreign = { G_IO_ERROR, G_IO_ERROR_CLOSED, (char *) "why" };
  const GError own = { VTUNNEL_SESSION_ERROR, VTUNNEL_SESSION_ERROR_LIMIT, (char *) "why" };
  g_autoptr(GError) of_unknown = vts_error_from (&unknown);
  g_autoptr(GError) of_foreign = vts_error_from (&foreign);
  g_autoptr(GError) of_own = vts_error_from (&own);

  g_assert_error (of_unknown, VTUNNEL_SESSION_ERROR, VTUNNEL_SESSION_ERROR_CONNECTION_FAILED);
  g_assert_error (of_foreign, VTUNNEL_SESSION_ERROR, VTUNNEL_SESSION_ERROR_CONNECTION_FAILED);
  g_assert_error (of_own, VTUNNEL_SESSION_ERROR, VTUNNEL_SESSION_ERROR_LIMIT);
  g_assert_null (vtunnel_session_error_get_name (&foreign));
}

/* To a name and back, as an answer travels. */
static void
test_names (void)
{
  for (int code = 0; code <= VTUNNEL_SESSION_ERROR_INVALID_ARGUMENT; code++)
    {
      const GError error = { VTUNNEL_SESSION_ERROR, code, (char *) "why" };
      g_autofree char *encoded = g_dbus_error_encode_gerror (&error);
      g_autoptr(GError) back = g_dbus_error_new_for_dbus_error (encoded, "why");

      g_assert_cmpstr (encoded, ==, vtunnel_session_error_get_name (&error));
      g_assert_true (g_str_has_prefix (encoded, PREFIX));
      g_assert_error (back, VTUNNEL_SESSION_ERROR, code);
    }
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/session-error/table", test_table);
  g_test_add_func ("/session-error/others", test_others);
  g_test_add_func ("/session-error/names", test_names);
  return g_test_run ();
}
