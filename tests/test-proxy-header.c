/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-proxy-header-private.h"

#include <stdint.h>

#include <gio/gunixsocketaddress.h>

typedef struct {
  /* Addresses, NULL for none, or a path for that of a Unix socket. */
  const char *source;
  guint16 source_port;
  const char *destination;
  guint16 destination_port;

  const char *text;
  /* What follows the signature in version 2, in hexadecimal digits. */
  const char *binary;
} Case;

#define UNKNOWN_TEXT "PROXY UNKNOWN\r\n"
#define UNKNOWN_BINARY "21000000"

static const Case cases[] = {
  { "192.0.2.1", 51000, "198.51.100.7", 443, "PROXY TCP4 192.0.2.1 198.51.100.7 51000 443\r\n",
    "2111000c"
    "c0000201"
    "c6336407"
    "c738"
    "01bb" },
  { "255.255.255.255", 65535, "255.255.255.255", 65535,
    "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
    "2111000c"
    "ffffffff"
    "ffffffff"
    "ffff"
    "ffff" },
  { "2001:db8::1", 1, "::1", 0, "PROXY TCP6 2001:db8::1 ::1 1 0\r\n",
    "21210024"
    "20010db8000000000000000000000001"
    "00000000000000000000000000000001"
    "0001"
    "0000" },
  { "::ffff:192.0.2.1", 51000, "::ffff:198.51.100.7", 443,
    "PROXY TCP4 192.0.2.1 198.51.100.7 51000 443\r\n",
    "2111000c"
    "c0000201"
    "c6336407"
    "c738"
    "01bb" },
  { "::ffff:192.0.2.1", 51000, "198.51.100.7", 443,
    "PROXY TCP4 192.0.2.1 198.51.100.7 51000 443\r\n",
    "2111000c"
    "c0000201"
    "c6336407"
    "c738"
    "01bb" },
  { "::192.0.2.1", 51000, "::1", 443, "PROXY TCP6 0:0:0:0:0:0:c000:201 ::1 51000 443\r\n",
    "21210024"
    "000000000000000000000000c0000201"
    "00000000000000000000000000000001"
    "c738"
    "01bb" },
  { "192.0.2.1", 51000, "::1", 443, UNKNOWN_TEXT, UNKNOWN_BINARY },
  { "::ffff:192.0.2.1", 51000, "::1", 443, UNKNOWN_TEXT, UNKNOWN_BINARY },
  { NULL, 0, "198.51.100.7", 443, UNKNOWN_TEXT, UNKNOWN_BINARY },
  { "192.0.2.1", 51000, NULL, 0, UNKNOWN_TEXT, UNKNOWN_BINARY },
  { NULL, 0, NULL, 0, UNKNOWN_TEXT, UNKNOWN_BINARY },
  { "/run/app.sock", 0, "/run/app.sock", 0, UNKNOWN_TEXT, UNKNOWN_BINARY },
};

static GSocketAddress *
new_address (const char *address, guint16 port)
{
  g_autoptr(GInetAddress) host = NULL;

  if (address == NULL)
    return NULL;
  if (address[0] == '/')
    return g_unix_socket_address_new (address);
  /* g_inet_socket_address_new_from_string () would turn a mapped address into one of IPv4. */
  host = g_inet_address_new_from_string (address);
  return g_inet_socket_address_new (host, port);
}

static GBytes *
make_header (unsigned int version, const Case *test)
{
  g_autoptr(GSocketAddress) source = new_address (test->source, test->source_port);
  g_autoptr(GSocketAddress) destination = new_address (test->destination, test->destination_port);

  return vt_proxy_header_new (version, source, destination);
}

static void
test_version_1 (void)
{
  for (unsigned int i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr(GBytes) header = make_header (1, &cases[i]);
      size_t length;
      const char *data = g_bytes_get_data (header, &length);
      g_autofree char *text = g_strndup (data, length);

      g_assert_cmpuint (length, ==, strlen (cases[i].text));
      g_assert_cmpuint (length, <=, 107); /* the longest that a receiver has to take */
      g_assert_cmpstr (text, ==, cases[i].text);
    }
}

static void
test_version_2 (void)
{
  static const uint8_t signature[] = { 0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
                                       0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a };

  for (unsigned int i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr(GBytes) header = make_header (2, &cases[i]);
      g_autoptr(GString) digits = g_string_new (NULL);
      size_t length;
      const uint8_t *data = g_bytes_get_data (header, &length);

      g_assert_cmpuint (length, >=, 16);
      g_assert_cmpmem (data, 12, signature, 12);
      for (size_t j = 12; j < length; j++)
        g_string_append_printf (digits, "%02x", data[j]);
      g_assert_cmpstr (digits->str, ==, cases[i].binary);
    }
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/proxy-header/version-1", test_version_1);
  g_test_add_func ("/proxy-header/version-2", test_version_2);
  return g_test_run ();
}
