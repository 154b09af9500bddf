/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vts-notifier.h"

#include <glib/gi18n.h>

#define NAME "org.freedesktop.Notifications"
#define PATH "/org/freedesktop/Notifications"

void
vts_notifier_tell (GDBusConnection *connection, VtsTunnel *tunnel, const GError *error)
{
  g_autofree char *summary = NULL;
  g_autofree char *valid = NULL;
  g_autofree char *body = NULL;
  GVariantBuilder actions;
  GVariantBuilder hints;

  if (vts_tunnel_get_lifetime (tunnel) == VTS_LIFETIME_CALLER)
    return;
  summary = g_strdup_printf (_ ("The tunnel “%s” has failed"), vts_tunnel_get_title (tunnel));
  /* It may hold what a server wrote, and a body can be markup. */
  valid = g_utf8_make_valid (error->message, -1);
  body = g_markup_escape_text (valid, -1);
  g_variant_builder_init (&actions, G_VARIANT_TYPE_STRING_ARRAY);
  g_variant_builder_init (&hints, G_VARIANT_TYPE_VARDICT);
  g_dbus_connection_call (connection, NAME, PATH, NAME, "Notify",
                          g_variant_new ("(susssasa{sv}i)", "vtunnel", 0, "network-error", summary,
                                         body, &actions, &hints, -1),
                          NULL, G_DBUS_CALL_FLAGS_NONE, -1, NULL, NULL, NULL);
}
