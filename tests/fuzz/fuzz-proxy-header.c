/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include <arpa/inet.h>
#include <string.h>

#include "fuzz.h"
#include "vt-proxy-header-private.h"

/* The header of the PROXY protocol says the addresses that it was given, and is within what its
 * text allows. */

typedef struct {
  int family; /* of the header: AF_UNSPEC, AF_INET, AF_INET6 */
  uint8_t bytes[16];
  size_t length;
  guint16 port;
  GSocketAddress *address; /* owned, nullable */
} Place;

static void
take_place (FuzzInput *input, Place *place)
{
  static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
  uint8_t kind = fuzz_take_byte (input) % 4;
  g_autoptr(GInetAddress) host = NULL;

  *place = (Place){ .family = AF_UNSPEC };
  if (kind == 0)
    return;
  place->length = kind == 1 ? 4 : 16;
  for (size_t i = 0; i < place->length; i++)
    place->bytes[i] = kind == 3 && i < sizeof mapped ? mapped[i] : fuzz_take_byte (input);
  place->port = (guint16) fuzz_take_16 (input);
  host = g_inet_address_new_from_bytes (place->bytes,
                                        kind == 1 ? G_SOCKET_FAMILY_IPV4 : G_SOCKET_FAMILY_IPV6);
  place->address = g_inet_socket_address_new (host, place->port);
  if (place->length == 16 && memcmp (place->bytes, mapped, sizeof mapped) == 0)
    {
      memmove (place->bytes, place->bytes + sizeof mapped, 4);
      place->length = 4;
    }
  place->family = place->length == 4 ? AF_INET : AF_INET6;
}

static void
check_text_place (const Place *place, const char *host, const char *port)
{
  uint8_t bytes[16];

  g_assert_cmpint (inet_pton (place->family, host, bytes), ==, 1);
  g_assert_cmpmem (bytes, place->length, place->bytes, place->length);
  g_assert_cmpuint (g_ascii_strtoull (port, NULL, 10), ==, place->port);
  g_assert_true (place->family == AF_INET || strchr (host, '.') == NULL);
}

static void
check_text (const char *header, size_t length, const Place *from, const Place *to, gboolean known)
{
  g_autofree char *line = g_strndup (header, length);
  g_auto(GStrv) words = NULL;

  g_assert_cmpuint (strlen (line), ==, length);
  g_assert_cmpuint (length, <=, 107);
  g_assert_true (g_str_has_suffix (line, "\r\n"));
  line[length - 2] = '\0';
  g_assert_null (strpbrk (line, "\r\n"));
  words = g_strsplit (line, " ", -1);
  g_assert_cmpstr (words[0], ==, "PROXY");
  if (!known)
    {
      g_assert_cmpstr (words[1], ==, "UNKNOWN");
      return;
    }
  g_assert_cmpuint (g_strv_length (words), ==, 6);
  g_assert_cmpstr (words[1], ==, from->family == AF_INET ? "TCP4" : "TCP6");
  check_text_place (from, words[2], words[4]);
  check_text_place (to, words[3], words[5]);
}

static void
check_binary (const uint8_t *header,
              size_t length,
              const Place *from,
              const Place *to,
              gboolean known)
{
  size_t n_addresses = known ? 2 * from->length + 4 : 0;
  const uint8_t *ports = header + 16 + 2 * from->length;

  g_assert_cmpuint (length, ==, 16 + n_addresses);
  g_assert_cmpint (memcmp (header, "\r\n\r\n\0\r\nQUIT\n\x21", 13), ==, 0);
  g_assert_cmpuint (header[14] << 8 | header[15], ==, n_addresses);
  g_assert_cmphex (header[13], ==, !known ? 0 : from->family == AF_INET ? 0x11 : 0x21);
  if (!known)
    return;
  g_assert_cmpmem (header + 16, from->length, from->bytes, from->length);
  g_assert_cmpmem (header + 16 + from->length, to->length, to->bytes, to->length);
  g_assert_cmpuint (ports[0] << 8 | ports[1], ==, from->port);
  g_assert_cmpuint (ports[2] << 8 | ports[3], ==, to->port);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  FuzzInput input = { data, size };
  unsigned int version = fuzz_take_byte (&input) % 2 + 1;
  g_autoptr(GBytes) header = NULL;
  Place from, to;
  const uint8_t *bytes;
  size_t length;
  gboolean known;

  take_place (&input, &from);
  take_place (&input, &to);
  known = from.family != AF_UNSPEC && from.family == to.family;
  header = vt_proxy_header_new (version, from.address, to.address);
  bytes = g_bytes_get_data (header, &length);
  if (version == 1)
    check_text ((const char *) bytes, length, &from, &to, known);
  else
    check_binary (bytes, length, &from, &to, known);
  g_clear_object (&from.address);
  g_clear_object (&to.address);
  return 0;
}
