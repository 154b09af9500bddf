/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-proxy-header-private.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>

/* The sections named here are those of HAProxy's proxy-protocol.txt. */
#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define SIGNATURE_LENGTH 12
#define VERSION_2_LOCAL 0x20
#define VERSION_2_PROXY 0x21
#define TCP_OVER_IPV4 0x11
#define TCP_OVER_IPV6 0x21
#define UNSPEC 0x00

#define UNKNOWN_LINE "PROXY UNKNOWN\r\n"

#define IPV4_LENGTH 4
#define IPV6_LENGTH 16

typedef struct {
  size_t length; /* IPV4_LENGTH or IPV6_LENGTH; 0 if it is not known */
  uint8_t bytes[IPV6_LENGTH];
  guint16 port;
} Endpoint;

/* An IPv4 user of a port that was opened for both families has a mapped address there. */
static void
unmap (Endpoint *endpoint)
{
  static const uint8_t mapped[] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

  if (endpoint->length != IPV6_LENGTH || memcmp (endpoint->bytes, mapped, sizeof (mapped)) != 0)
    return;
  memmove (endpoint->bytes, endpoint->bytes + sizeof (mapped), IPV4_LENGTH);
  endpoint->length = IPV4_LENGTH;
}

static Endpoint
get_endpoint (GSocketAddress *address)
{
  Endpoint endpoint = { 0 };

  if (G_IS_INET_SOCKET_ADDRESS (address))
    {
      GInetSocketAddress *inet = G_INET_SOCKET_ADDRESS (address);
      GInetAddress *host = g_inet_socket_address_get_address (inet);

      endpoint.length = g_inet_address_get_native_size (host);
      memcpy (endpoint.bytes, g_inet_address_to_bytes (host), endpoint.length);
      endpoint.port = g_inet_socket_address_get_port (inet);
      unmap (&endpoint);
    }
  return endpoint;
}

/* Section 2.1 allows hexadecimal digits only in an IPv6 address, and the platform writes the old
 * IPv4-compatible ones (::192.0.2.1) with dots. */
static char *
write_ipv6 (const uint8_t *bytes)
{
  char buffer[INET6_ADDRSTRLEN];
  GString *groups;

  inet_ntop (AF_INET6, bytes, buffer, sizeof (buffer));
  if (strchr (buffer, '.') == NULL)
    return g_strdup (buffer);

  groups = g_string_new (NULL);
  for (unsigned int i = 0; i < IPV6_LENGTH; i += 2)
    g_string_append_printf (groups, "%s%x", i > 0 ? ":" : "",
                            (unsigned int) bytes[i] << 8 | bytes[i + 1]);
  return g_string_free (groups, FALSE);
}

static char *
write_address (const Endpoint *endpoint)
{
  char buffer[INET_ADDRSTRLEN];

  if (endpoint->length == IPV6_LENGTH)
    return write_ipv6 (endpoint->bytes);
  inet_ntop (AF_INET, endpoint->bytes, buffer, sizeof (buffer));
  return g_strdup (buffer);
}

/* Section 2.1: one line of text. */
static GBytes *
new_version_1 (const Endpoint *source, const Endpoint *destination, gboolean is_known)
{
  g_autofree char *from = NULL;
  g_autofree char *to = NULL;
  char *line;

  if (!is_known)
    return g_bytes_new_static (UNKNOWN_LINE, strlen (UNKNOWN_LINE));

  from = write_address (source);
  to = write_address (destination);
  line = g_strdup_printf ("PROXY TCP%c %s %s %u %u\r\n", source->length == IPV4_LENGTH ? '4' : '6',
                          from, to, source->port, destination->port);
  return g_bytes_new_take (line, strlen (line));
}

static void
append_uint16 (GByteArray *header, guint16 value)
{
  guint16 big_endian = GUINT16_TO_BE (value);

  g_byte_array_append (header, (const uint8_t *) &big_endian, sizeof (big_endian));
}

/* Section 2.2. Somebody's connection whose addresses cannot be told is the command PROXY with the
 * family UNSPEC and no addresses; LOCAL is for connections of the sender's own. */
static GBytes *
new_version_2 (const Endpoint *source, const Endpoint *destination, gboolean is_known)
{
  GByteArray *header = g_byte_array_new ();
  uint8_t family = UNSPEC;

  if (is_known)
    family = source->length == IPV4_LENGTH ? TCP_OVER_IPV4 : TCP_OVER_IPV6;
  g_byte_array_append (header, (const uint8_t *) SIGNATURE, SIGNATURE_LENGTH);
  g_byte_array_append (header, (const uint8_t[]){ VERSION_2_PROXY, family }, 2);
  if (!is_known)
    append_uint16 (header, 0);
  else
    {
      append_uint16 (header, (guint16) (2 * source->length + 2 * sizeof (guint16)));
      g_byte_array_append (header, source->bytes, (unsigned int) source->length);
      g_byte_array_append (header, destination->bytes, (unsigned int) destination->length);
      append_uint16 (header, source->port);
      append_uint16 (header, destination->port);
    }
  return g_byte_array_free_to_bytes (header);
}

GBytes *
vt_proxy_header_new (unsigned int version, GSocketAddress *source, GSocketAddress *destination)
{
  Endpoint from = get_endpoint (source);
  Endpoint to = get_endpoint (destination);
  gboolean is_known = from.length > 0 && from.length == to.length;

  g_assert (version == 1 || version == 2);

  if (version == 1)
    return new_version_1 (&from, &to, is_known);
  return new_version_2 (&from, &to, is_known);
}

GBytes *
vt_proxy_header_new_local (unsigned int version)
{
  static const uint8_t local[] = { VERSION_2_LOCAL, UNSPEC, 0, 0 };
  GByteArray *header;

  g_assert (version == 1 || version == 2);

  if (version == 1)
    return g_bytes_new_static (UNKNOWN_LINE, strlen (UNKNOWN_LINE));
  header = g_byte_array_new ();
  g_byte_array_append (header, (const uint8_t *) SIGNATURE, SIGNATURE_LENGTH);
  g_byte_array_append (header, local, sizeof local);
  return g_byte_array_free_to_bytes (header);
}
