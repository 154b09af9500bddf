/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-proxy-reader-private.h"

#include <string.h>

#include "vt-text-private.h"

/* The sections named here are those of HAProxy's proxy-protocol.txt. */
#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define SIGNATURE_LENGTH 12
#define PREFIX "PROXY "
#define UNKNOWN "UNKNOWN"
#define MAX_LINE 107

#define HEAD_LENGTH 16
#define VERSION_AND_LOCAL 0x20
#define VERSION_AND_PROXY 0x21
#define UNSPEC 0x00
#define TCP_OVER_IPV4 0x11
#define TCP_OVER_IPV6 0x21
#define UNIX_STREAM 0x31

#define IPV4_LENGTH 4
#define IPV6_LENGTH 16
#define UNIX_LENGTH 108
#define TLV_HEAD 3

void
vt_proxy_source_clear (VtProxySource *self)
{
  g_clear_object (&self->source);
  g_clear_object (&self->destination);
}

static gboolean
is_mapped (GSocketAddress *address)
{
  static const uint8_t mapped[] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
  GInetAddress *host = g_inet_socket_address_get_address (G_INET_SOCKET_ADDRESS (address));

  return g_inet_address_get_family (host) == G_SOCKET_FAMILY_IPV6
         && memcmp (g_inet_address_to_bytes (host), mapped, sizeof mapped) == 0;
}

static void
unmap (GSocketAddress **address)
{
  GInetSocketAddress *inet = G_INET_SOCKET_ADDRESS (*address);
  const uint8_t *bytes = g_inet_address_to_bytes (g_inet_socket_address_get_address (inet))
                         + IPV6_LENGTH - IPV4_LENGTH;
  g_autoptr(GInetAddress) host = g_inet_address_new_from_bytes (bytes, G_SOCKET_FAMILY_IPV4);
  GSocketAddress *plain = g_inet_socket_address_new (host, g_inet_socket_address_get_port (inet));

  g_object_unref (*address);
  *address = plain;
}

/* A proxy that listens for both families says so of its users of IPv4. Both or none: two addresses
 * of a connection are of one family. */
static void
unmap_both (VtProxySource *source)
{
  if (!is_mapped (source->source) || !is_mapped (source->destination))
    return;
  unmap (&source->source);
  unmap (&source->destination);
}

/* Section 2.1: the address is of the family that was said, and the port a number without zeros in
 * front of it. */
static GSocketAddress *
parse_address (const char *host, const char *port, GSocketFamily family)
{
  g_autoptr(GInetAddress) address = NULL;
  guint16 number = 0;

  if (host[strspn (host, "0123456789abcdefABCDEF.:")] != '\0')
    return NULL;
  address = g_inet_address_new_from_string (host);
  if (address == NULL || g_inet_address_get_family (address) != family)
    return NULL;
  if (!vt_text_read_port (port, 0, &number) || (port[0] == '0' && port[1] != '\0'))
    return NULL;
  return g_inet_socket_address_new (address, number);
}

/* What stands between "PROXY " and the end of the line. What follows UNKNOWN is to be ignored. */
static gboolean
parse_line (const char *line, VtProxySource *source)
{
  g_auto(GStrv) words = g_strsplit (line, " ", -1);
  GSocketFamily family = G_SOCKET_FAMILY_IPV4;

  if (g_strcmp0 (words[0], UNKNOWN) == 0)
    return TRUE;
  if (g_strv_length (words) != 5)
    return FALSE;
  if (g_str_equal (words[0], "TCP6"))
    family = G_SOCKET_FAMILY_IPV6;
  else if (!g_str_equal (words[0], "TCP4"))
    return FALSE;
  source->source = parse_address (words[1], words[3], family);
  source->destination = parse_address (words[2], words[4], family);
  if (source->source == NULL || source->destination == NULL)
    return FALSE;
  unmap_both (source);
  return TRUE;
}

/* Section 2.1: a line of at most 107 bytes. Neither of the two characters at its end can stand in
 * it alone, nor a NUL, which would hide what follows. */
static VtProxyReaderResult
read_version_1 (const uint8_t *data, size_t length, VtProxySource *source)
{
  size_t end = strlen (PREFIX);
  g_autofree char *line = NULL;

  while (end < MIN (length, MAX_LINE) && data[end] != '\r' && data[end] != '\n'
         && data[end] != '\0')
    end++;
  if (end + 2 > MAX_LINE)
    return VT_PROXY_READER_BAD;
  if (end == length || (end + 1 == length && data[end] == '\r'))
    return VT_PROXY_READER_MORE;
  if (data[end] != '\r' || data[end + 1] != '\n')
    return VT_PROXY_READER_BAD;

  line = g_strndup ((const char *) data + strlen (PREFIX), end - strlen (PREFIX));
  if (!parse_line (line, source))
    return VT_PROXY_READER_BAD;
  source->length = end + 2;
  return VT_PROXY_READER_DONE;
}

static size_t
read_uint16 (const uint8_t *data)
{
  return (size_t) data[0] << 8 | data[1];
}

static GSocketAddress *
new_address (const uint8_t *bytes, GSocketFamily family, const uint8_t *port)
{
  g_autoptr(GInetAddress) host = g_inet_address_new_from_bytes (bytes, family);

  return g_inet_socket_address_new (host, (guint16) read_uint16 (port));
}

/* Section 2.2: the source's and the destination's address, then their ports. */
static void
take_addresses (const uint8_t *data, size_t size, VtProxySource *source)
{
  GSocketFamily family = size == IPV4_LENGTH ? G_SOCKET_FAMILY_IPV4 : G_SOCKET_FAMILY_IPV6;
  const uint8_t *ports = data + 2 * size;

  source->source = new_address (data, family, ports);
  source->destination = new_address (data + size, family, ports + 2);
  unmap_both (source);
}

/* Section 2.2.1: what follows the addresses is a row of fields that fill it. */
static gboolean
has_whole_fields (const uint8_t *data, size_t length)
{
  while (length > 0)
    {
      size_t size = length >= TLV_HEAD ? TLV_HEAD + read_uint16 (data + 1) : G_MAXSIZE;

      if (size > length)
        return FALSE;
      data += size;
      length -= size;
    }
  return TRUE;
}

/* What a connection that is somebody's says. Of what is no TCP over IP, the addresses are of no use
 * here; a datagram cannot have become a connection. */
static gboolean
parse_block (uint8_t family, const uint8_t *block, size_t length, VtProxySource *source)
{
  size_t n_addresses = 0;

  if (family == TCP_OVER_IPV4)
    n_addresses = 2 * IPV4_LENGTH + 4;
  else if (family == TCP_OVER_IPV6)
    n_addresses = 2 * IPV6_LENGTH + 4;
  else if (family == UNIX_STREAM)
    n_addresses = 2 * UNIX_LENGTH;
  else if (family != UNSPEC)
    return FALSE;

  if (length < n_addresses || !has_whole_fields (block + n_addresses, length - n_addresses))
    return FALSE;
  if (family == TCP_OVER_IPV4)
    take_addresses (block, IPV4_LENGTH, source);
  else if (family == TCP_OVER_IPV6)
    take_addresses (block, IPV6_LENGTH, source);
  return TRUE;
}

/* Section 2.2. LOCAL is a connection of the proxy's own, which asks whether all is well: what else
 * the header says is to be skipped. */
static VtProxyReaderResult
read_version_2 (const uint8_t *data, size_t length, VtProxySource *source)
{
  size_t whole;

  if (length > SIGNATURE_LENGTH && data[12] != VERSION_AND_LOCAL && data[12] != VERSION_AND_PROXY)
    return VT_PROXY_READER_BAD;
  if (length < HEAD_LENGTH)
    return VT_PROXY_READER_MORE;
  whole = HEAD_LENGTH + read_uint16 (data + 14);
  if (whole > VT_PROXY_READER_MAX_BYTES)
    return VT_PROXY_READER_BAD;
  if (length < whole)
    return VT_PROXY_READER_MORE;
  if (data[12] == VERSION_AND_PROXY
      && !parse_block (data[13], data + HEAD_LENGTH, whole - HEAD_LENGTH, source))
    return VT_PROXY_READER_BAD;
  source->length = whole;
  return VT_PROXY_READER_DONE;
}

static gboolean
begins_with (const uint8_t *data, size_t length, const char *prefix, size_t n_prefix)
{
  return memcmp (data, prefix, MIN (length, n_prefix)) == 0;
}

static VtProxyReaderResult
read_any (const uint8_t *data, size_t length, VtProxySource *source)
{
  if (length == 0)
    return VT_PROXY_READER_MORE;
  if (begins_with (data, length, PREFIX, strlen (PREFIX)))
    return length < strlen (PREFIX) ? VT_PROXY_READER_MORE : read_version_1 (data, length, source);
  if (begins_with (data, length, SIGNATURE, SIGNATURE_LENGTH))
    return read_version_2 (data, length, source);
  return VT_PROXY_READER_BAD;
}

VtProxyReaderResult
vt_proxy_reader_read (const uint8_t *data, size_t length, VtProxySource *source)
{
  VtProxyReaderResult result;

  *source = (VtProxySource){ 0 };
  result = read_any (data, length, source);
  if (result != VT_PROXY_READER_DONE)
    vt_proxy_source_clear (source);
  return result;
}
