/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-forwarded-private.h"

#include <string.h>

#include <glib/gi18n-lib.h>
#include "vt-error.h"

#include "vt-text-private.h"

struct _VtTrustedProxies {
  GPtrArray *masks; /* owned, of GInetAddressMask */
};

/* GLib's own parser writes a warning for some of what people may write. */
static GInetAddressMask *
parse_mask (const char *text)
{
  g_auto(GStrv) parts = g_strsplit (text, "/", 2);
  g_autoptr(GInetAddress) address =
      parts[0] != NULL ? g_inet_address_new_from_string (parts[0]) : NULL;
  guint64 n_bits;

  if (address == NULL)
    return NULL;
  n_bits = 8 * g_inet_address_get_native_size (address);
  if (parts[1] != NULL && !g_ascii_string_to_unsigned (parts[1], 10, 0, n_bits, &n_bits, NULL))
    return NULL;
  return g_inet_address_mask_new (address, (unsigned int) n_bits, NULL);
}

VtTrustedProxies *
vt_trusted_proxies_parse (const char *const *texts, GError **error)
{
  g_autoptr(VtTrustedProxies) self = g_new0 (VtTrustedProxies, 1);

  self->masks = g_ptr_array_new_with_free_func (g_object_unref);
  for (size_t i = 0; texts != NULL && texts[i] != NULL; i++)
    {
      GInetAddressMask *mask = parse_mask (texts[i]);

      if (mask == NULL)
        {
          g_autofree char *escaped = vt_text_escape (texts[i], -1);

          g_set_error (error, VT_ERROR, VT_ERROR_INVALID_ARGUMENT,
                       _ ("“%s” is no address and no network, such as 192.0.2.1 or 10.0.0.0/8"),
                       escaped);
          return NULL;
        }
      g_ptr_array_add (self->masks, mask);
    }
  return g_steal_pointer (&self);
}

void
vt_trusted_proxies_free (VtTrustedProxies *self)
{
  g_ptr_array_unref (self->masks);
  g_free (self);
}

gboolean
vt_trusted_proxies_contain (VtTrustedProxies *self, GInetAddress *address)
{
  for (unsigned int i = 0; i < self->masks->len; i++)
    if (g_inet_address_mask_matches (self->masks->pdata[i], address))
      return TRUE;
  return FALSE;
}

/* ::ffff:192.0.2.1 is 192.0.2.1, and has to be told from it nowhere. */
static GInetAddress *
new_address (const char *text)
{
  static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
  g_autoptr(GInetAddress) address = g_inet_address_new_from_string (text);
  const unsigned char *bytes;

  if (address == NULL || g_inet_address_get_family (address) != G_SOCKET_FAMILY_IPV6)
    return g_steal_pointer (&address);
  bytes = g_inet_address_to_bytes (address);
  if (memcmp (bytes, mapped, sizeof mapped) != 0)
    return g_steal_pointer (&address);
  return g_inet_address_new_from_bytes (bytes + sizeof mapped, G_SOCKET_FAMILY_IPV4);
}

static GSocketAddress *
new_socket_address (const char *host, const char *port)
{
  g_autoptr(GInetAddress) address = new_address (host);
  guint16 number = 0;

  if (address == NULL || (port != NULL && !vt_text_read_port (port, 0, &number)))
    return NULL;
  return g_inet_socket_address_new (address, number);
}

/* "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:80". NULL for
 * anything else: "unknown", or a name that a proxy has made up. */
static GSocketAddress *
parse_node (const char *text)
{
  g_autofree char *host = g_strdup (text);
  char *end = strchr (host, ']');
  char *colon = strchr (host, ':');

  if (host[0] == '[' && end != NULL)
    {
      *end = '\0';
      if (end[1] != '\0' && end[1] != ':')
        return NULL;
      return new_socket_address (host + 1, end[1] == ':' ? end + 2 : NULL);
    }
  if (colon == NULL || strchr (colon + 1, ':') != NULL)
    return new_socket_address (host, NULL);
  *colon = '\0';
  return new_socket_address (host, colon + 1);
}

static char **
split_list (const char *text)
{
  char **parts = g_strsplit (text, ",", -1);

  for (char **part = parts; *part != NULL; part++)
    g_strstrip (*part);
  return parts;
}

/* A value, which may be quoted; `at` is moved behind it. NULL if a quote is not closed. */
static char *
take_value (const char **at)
{
  g_autoptr(GString) value = g_string_new (NULL);

  if (**at != '"')
    {
      size_t length = strcspn (*at, ",; \t\"");

      g_string_append_len (value, *at, (gssize) length);
      *at += length;
      return g_string_free (g_steal_pointer (&value), FALSE);
    }
  for ((*at)++; **at != '"'; (*at)++)
    {
      if (**at == '\\')
        (*at)++;
      if (**at == '\0')
        return NULL;
      g_string_append_c (value, **at);
    }
  (*at)++;
  return g_string_free (g_steal_pointer (&value), FALSE);
}

static void
skip_blanks (const char **at)
{
  *at += strspn (*at, " \t");
}

/* One pair of an element; what it is for goes into `node`, once. */
static gboolean
take_pair (const char **at, char **node)
{
  size_t length = strcspn (*at, "=,; \t\"");
  const char *name = *at;
  g_autofree char *value = NULL;

  if (length == 0 || name[length] != '=')
    return FALSE;
  *at += length + 1;
  value = take_value (at);
  if (value == NULL)
    return FALSE;
  if (length != strlen ("for") || g_ascii_strncasecmp (name, "for", length) != 0)
    return TRUE;
  if (*node != NULL)
    return FALSE;
  *node = g_steal_pointer (&value);
  return TRUE;
}

/* An element without `for` is of a proxy that does not say. */
static gboolean
take_element (const char **at, GPtrArray *nodes)
{
  g_autofree char *node = NULL;

  for (;;)
    {
      skip_blanks (at);
      if (**at != '\0' && **at != ',' && **at != ';' && !take_pair (at, &node))
        return FALSE;
      skip_blanks (at);
      if (**at != ';')
        break;
      (*at)++;
    }
  if (**at != '\0' && **at != ',')
    return FALSE;
  g_ptr_array_add (nodes, node != NULL ? g_steal_pointer (&node) : g_strdup (""));
  return TRUE;
}

/* What each proxy says of whom it had it from; NULL if that cannot be read. */
static char **
split_forwarded (const char *text)
{
  g_autoptr(GPtrArray) nodes = g_ptr_array_new_with_free_func (g_free);
  const char *at = text;

  for (;;)
    {
      if (!take_element (&at, nodes))
        return NULL;
      if (*at == '\0')
        break;
      at++;
    }
  g_ptr_array_add (nodes, NULL);
  return (char **) g_ptr_array_steal (nodes, NULL);
}

/* From the last one on, since only what a trusted proxy has added is known to be so. */
static VtForwarded
walk (VtTrustedProxies *proxies, char **nodes, GSocketAddress **client)
{
  g_autoptr(GSocketAddress) found = NULL;

  for (size_t i = g_strv_length (nodes); i > 0; i--)
    {
      g_clear_object (&found);
      found = parse_node (nodes[i - 1]);
      if (found == NULL)
        return VT_FORWARDED_UNKNOWN;
      if (!vt_trusted_proxies_contain (proxies, g_inet_socket_address_get_address (
                                                    G_INET_SOCKET_ADDRESS (found))))
        break;
    }
  *client = g_steal_pointer (&found);
  return *client != NULL ? VT_FORWARDED_KNOWN : VT_FORWARDED_NOT;
}

static VtForwarded
look (VtTrustedProxies *proxies, char **nodes, GSocketAddress **client)
{
  g_auto(GStrv) owned = nodes;

  return owned != NULL ? walk (proxies, owned, client) : VT_FORWARDED_CONFLICT;
}

static gboolean
is_same (GSocketAddress *one, GSocketAddress *other)
{
  return g_inet_address_equal (g_inet_socket_address_get_address (G_INET_SOCKET_ADDRESS (one)),
                               g_inet_socket_address_get_address (G_INET_SOCKET_ADDRESS (other)));
}

/* A proxy writes one of the two, and lets the other pass as the client has sent it. So where both
 * are there, and do not say the same, neither can be believed. */
VtForwarded
vt_forwarded_find_client (VtTrustedProxies *proxies,
                          const char *forwarded,
                          const char *x_forwarded_for,
                          GSocketAddress **client)
{
  g_autoptr(GSocketAddress) one = NULL;
  g_autoptr(GSocketAddress) other = NULL;
  VtForwarded first = VT_FORWARDED_NOT;
  VtForwarded second = VT_FORWARDED_NOT;

  *client = NULL;
  if (forwarded != NULL)
    first = look (proxies, split_forwarded (forwarded), &one);
  if (x_forwarded_for != NULL)
    second = look (proxies, split_list (x_forwarded_for), &other);
  if (forwarded != NULL && x_forwarded_for != NULL
      && (first != second || (one != NULL && !is_same (one, other))))
    return VT_FORWARDED_CONFLICT;
  *client = one != NULL ? g_steal_pointer (&one) : g_steal_pointer (&other);
  return forwarded != NULL ? first : second;
}
