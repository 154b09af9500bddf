/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-loopback-private.h"

#include <string.h>

#include <gio/gio.h>

static gboolean
is_loopback_literal (const char *text, GSocketFamily family)
{
  g_autoptr(GInetAddress) address = g_inet_address_new_from_string (text);

  return address != NULL && g_inet_address_get_family (address) == family
         && g_inet_address_get_is_loopback (address);
}

static gboolean
is_localhost_name (const char *name)
{
  size_t length = strlen (name);
  const char *tail = "localhost";
  size_t tail_length = strlen (tail);

  /* A dot at the end only says that the name is complete. */
  if (length > 0 && name[length - 1] == '.')
    length--;
  if (length < tail_length
      || g_ascii_strncasecmp (name + length - tail_length, tail, tail_length) != 0)
    return FALSE;
  return length == tail_length || name[length - tail_length - 1] == '.';
}

static gboolean
is_name (const char *text)
{
  return *text != '\0'
         && strspn (text, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "-._") == strlen (text);
}

/* What follows the host: nothing, or a colon and a port. */
static gboolean
is_port_suffix (const char *text)
{
  size_t digits;

  if (*text == '\0')
    return TRUE;
  digits = strspn (text + 1, G_CSET_DIGITS);
  return *text == ':' && digits > 0 && digits <= 5 && text[1 + digits] == '\0';
}

gboolean
vt_loopback_is_address (const char *address)
{
  g_return_val_if_fail (address != NULL, FALSE);

  return g_ascii_strcasecmp (address, "localhost") == 0
         || is_loopback_literal (address, G_SOCKET_FAMILY_IPV4)
         || is_loopback_literal (address, G_SOCKET_FAMILY_IPV6);
}

gboolean
vt_loopback_is_host (const char *host)
{
  const char *end;
  g_autofree char *name = NULL;

  g_return_val_if_fail (host != NULL, FALSE);

  if (*host == '[')
    {
      end = strchr (host, ']');
      if (end == NULL || !is_port_suffix (end + 1))
        return FALSE;
      name = g_strndup (host + 1, end - host - 1);
      return is_loopback_literal (name, G_SOCKET_FAMILY_IPV6);
    }
  end = host + strcspn (host, ":");
  if (!is_port_suffix (end))
    return FALSE;
  name = g_strndup (host, end - host);
  return is_name (name)
         && (is_localhost_name (name) || is_loopback_literal (name, G_SOCKET_FAMILY_IPV4));
}
