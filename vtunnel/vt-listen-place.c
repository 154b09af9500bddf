/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-listen-place-private.h"

#include <string.h>

#include <gio/gio.h>

#include "vt-loopback-private.h"

gboolean
vt_listen_place_covers (const char *place, const char *address)
{
  g_autoptr(GInetAddress) outer = g_inet_address_new_from_string (place);
  g_autoptr(GInetAddress) inner = g_inet_address_new_from_string (address);

  if (g_str_equal (place, "*") || g_str_equal (place, address))
    return TRUE;
  if (g_str_equal (place, "localhost"))
    return vt_loopback_is_address (address);
  if (outer == NULL || inner == NULL
      || g_inet_address_get_family (outer) != g_inet_address_get_family (inner))
    return FALSE;
  return g_inet_address_get_is_any (outer) || g_inet_address_equal (outer, inner);
}

/* The literal addresses that a place stands for, one or two; of one that is none, itself. */
static char **
expand (const char *place)
{
  size_t length = strlen (place);

  if (g_str_equal (place, "localhost"))
    return g_strsplit ("127.0.0.1 ::1", " ", 0);
  if (g_str_equal (place, "*"))
    return g_strsplit ("0.0.0.0 ::", " ", 0);
  if (length > 2 && place[0] == '[' && place[length - 1] == ']')
    {
      char **literal = g_new0 (char *, 2);

      literal[0] = g_strndup (place + 1, length - 2);
      return literal;
    }
  return g_strsplit (place, " ", 1);
}

gboolean
vt_listen_place_overlaps (const char *place, const char *other)
{
  g_auto(GStrv) these = expand (place);
  g_auto(GStrv) those = expand (other);

  for (char **one = these; *one != NULL; one++)
    for (char **another = those; *another != NULL; another++)
      if (vt_listen_place_covers (*one, *another) || vt_listen_place_covers (*another, *one))
        return TRUE;
  return FALSE;
}
