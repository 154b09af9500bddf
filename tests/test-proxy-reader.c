/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include <string.h>

#include "vt-proxy-header-private.h"
#include "vt-proxy-reader-private.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define SIGNATURE_LENGTH 12

typedef struct {
  const char *line;
  /* "HOST PORT HOST PORT"; "" where the header does not say; NULL: it is none. */
  const char *said;
} Line;

static const Line lines[] = {
  { "PROXY TCP4 192.0.2.1 198.51.100.7 51000 443\r\n", "192.0.2.1 51000 198.51.100.7 443" },
  { "PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\n", "0.0.0.0 0 255.255.255.255 65535" },
  { "PROXY TCP6 2001:DB8::1 ::1 1 0\r\n", "2001:db8::1 1 ::1 0" },
  { "PROXY TCP6 ::ffff:192.0.2.1 ::ffff:192.0.2.2 1 2\r\n", "192.0.2.1 1 192.0.2.2 2" },
  { "PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n", "::ffff:192.0.2.1 1 ::1 2" },
  { "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
    "65535 65535\r\n",
    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
    "65535" },
  { "PROXY UNKNOWN\r\n", "" },
  { "PROXY UNKNOWN 192.0.2.1 whatever \x01\xff\r\n", "" },
  { "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
    "" },
  /* One more than the longest. */
  { "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535 \r\n",
    NULL },
  { "PROXY UNKNOWNS\r\n", NULL },
  { "PROXY unknown\r\n", NULL },
  { "PROXY\r\n", NULL },
  { "PROXY \r\n", NULL },
  { "proxy UNKNOWN\r\n", NULL },
  { "PROXY UNKNOWN\n", NULL },
  { "PROXY UNKNOWN\rX", NULL },
  { "PROXY  TCP4 192.0.2.1 198.51.100.7 51000 443\r\n", NULL },
  { "PROXY TCP4  192.0.2.1 198.51.100.7 51000 443\r\n", NULL },
  { "PROXY TCP4 192.0.2.1 198.51.100.7 51000 443 \r\n", NULL },
  { "PROXY TCP4 192.0.2.1 198.51.100.7 51000\r\n", NULL },
  { "PROXY TCP4 192.0.2.1 198.51.100.7 51000 65536\r\n", NULL },
  { "PROXY TCP4 192.0.2.1 198.51.100.7 51000 0443\r\n", NULL },
  { "PROXY TCP4 192.0.2.1 198.51.100.7 51000 +443\r\n", NULL },
  { "PROXY TCP4 192.0.2.1 198.51.100.7 51000 -1\r\n", NULL },
  { "PROXY TCP4 192.0.2.1 198.51.100.7 51000 \r\n", NULL },
  { "PROXY TCP4 192.0.2.01 198.51.100.7 51000 443\r\n", NULL },
  { "PROXY TCP4 192.0.2 198.51.100.7 51000 443\r\n", NULL },
  { "PROXY TCP4 192.0.2.256 198.51.100.7 51000 443\r\n", NULL },
  { "PROXY TCP4 ::1 198.51.100.7 51000 443\r\n", NULL },
  { "PROXY TCP4 localhost 198.51.100.7 51000 443\r\n", NULL },
  { "PROXY TCP6 192.0.2.1 198.51.100.7 51000 443\r\n", NULL },
  { "PROXY TCP6 [::1] ::1 51000 443\r\n", NULL },
  { "PROXY TCP6 fe80::1%lo ::1 51000 443\r\n", NULL },
  { "PROXY TCP6 ::1::2 ::1 51000 443\r\n", NULL },
  { "PROXY TCP5 ::1 ::1 51000 443\r\n", NULL },
  { "PROXY UDP4 192.0.2.1 198.51.100.7 51000 443\r\n", NULL },
  { "GET / HTTP/1.1\r\n\r\n", NULL },
  { "P", "more" },
  { "PROXY", "more" },
  { "PROXY TCP4 192.0.2.1", "more" },
  { "PROXY UNKNOWN\r", "more" },
  { "", "more" },
  { "Q", NULL },
  { "PR0XY", NULL },
};

static void
add_address (GString *text, GSocketAddress *address)
{
  GInetSocketAddress *inet = G_INET_SOCKET_ADDRESS (address);
  g_autofree char *host = g_inet_address_to_string (g_inet_socket_address_get_address (inet));

  g_string_append_printf (text, "%s%s %u", text->len > 0 ? " " : "", host,
                          g_inet_socket_address_get_port (inet));
}

static char *
describe (const VtProxySource *source)
{
  GString *text = g_string_new (NULL);

  g_assert_true ((source->source == NULL) == (source->destination == NULL));
  if (source->source != NULL)
    {
      add_address (text, source->source);
      add_address (text, source->destination);
    }
  return g_string_free (text, FALSE);
}

/* In memory of its own, so that reading beyond it shows, and with what follows, which must make no
 * difference; all that is shorter must be taken for the beginning. */
static void
check (const uint8_t *data, size_t length, const char *said)
{
  static const uint8_t rest[] = "\r\nGET / HTTP/1.1\r\n\r\n";
  g_autoptr(GByteArray) more = g_byte_array_new ();
  g_auto(VtProxySource) source = { 0 };
  g_autofree char *text = NULL;
  VtProxyReaderResult result;

  for (size_t n = 0; n <= length; n++)
    {
      g_autofree uint8_t *copy = g_memdup2 (data, n);
      VtProxyReaderResult now = vt_proxy_reader_read (copy, n, &source);

      if (n < length && said != NULL)
        g_assert_cmpint (now, ==, VT_PROXY_READER_MORE);
      result = now;
    }
  if (said == NULL || g_str_equal (said, "more"))
    {
      g_assert_cmpint (result, ==, said == NULL ? VT_PROXY_READER_BAD : VT_PROXY_READER_MORE);
      return;
    }
  vt_proxy_source_clear (&source);
  g_byte_array_append (more, data, (unsigned int) length);
  g_byte_array_append (more, rest, sizeof rest);
  g_assert_cmpint (vt_proxy_reader_read (more->data, more->len, &source), ==, VT_PROXY_READER_DONE);
  g_assert_cmpuint (source.length, ==, length);
  text = describe (&source);
  g_assert_cmpstr (text, ==, said);
}

static void
test_version_1 (void)
{
  for (size_t i = 0; i < G_N_ELEMENTS (lines); i++)
    {
      g_test_message ("%" G_GSIZE_FORMAT, i);
      check ((const uint8_t *) lines[i].line, strlen (lines[i].line), lines[i].said);
    }
}

typedef struct {
  /* What follows the signature, in hexadecimal digits. */
  const char *digits;
  size_t n_zeros; /* and then */
  const char *said;
} Binary;

#define IPV4 "c0000201c6336407c73801bb"
#define IPV6                                                                                       \
  "20010db8000000000000000000000001"                                                               \
  "00000000000000000000000000000001"                                                               \
  "00010000"

static const Binary binaries[] = {
  { "2111000c" IPV4, 0, "192.0.2.1 51000 198.51.100.7 443" },
  { "21210024" IPV6, 0, "2001:db8::1 1 ::1 0" },
  { "21210024"
    "00000000000000000000ffffc0000201"
    "00000000000000000000ffffc0000202"
    "00010002",
    0, "192.0.2.1 1 192.0.2.2 2" },
  { "21000000", 0, "" },
  { "21000003"
    "ffffff",
    0, NULL },
  { "21000005"
    "0400020000",
    0, "" },
  { "213100d8", 216, "" },
  /* With fields: a name (02), a row of two, an empty one. */
  { "21110012" IPV4 "020003616263", 0, "192.0.2.1 51000 198.51.100.7 443" },
  { "21110015" IPV4 "020003616263"
    "040000",
    0, "192.0.2.1 51000 198.51.100.7 443" },
  { "2111000f" IPV4 "040001", 0, NULL },
  { "2111000e" IPV4 "0400", 0, NULL },
  { "21110012" IPV4 "020004616263", 0, NULL },
  /* A check of the proxy's own, whatever it says besides. */
  { "20000000", 0, "" },
  { "2011000c" IPV4, 0, "" },
  { "20ff0002"
    "ffff",
    0, "" },
  /* As long as it may be, and longer. */
  { "20000800", 2048, "" },
  { "20000801", 0, NULL },
  { "2000ffff", 0, NULL },
  { "21110800" IPV4 "0407f1", 2033, "192.0.2.1 51000 198.51.100.7 443" },
  /* Too short for what is said. */
  { "2111000b", 11, NULL },
  { "21110000", 0, NULL },
  { "21210023", 35, NULL },
  { "213100d7", 215, NULL },
  /* Datagrams, and what there is not. */
  { "2112000c" IPV4, 0, NULL },
  { "21220024" IPV6, 0, NULL },
  { "213200d8", 216, NULL },
  { "21010000", 0, NULL },
  { "2110000c" IPV4, 0, NULL },
  { "21410000", 0, NULL },
  { "22", 0, NULL },
  { "11", 0, NULL },
  { "31", 0, NULL },
  { "2f", 0, NULL },
  { "", 0, "more" },
  { "21", 0, "more" },
  { "2111000c"
    "c00002",
    0, "more" },
};

static GByteArray *
new_binary (const Binary *test)
{
  GByteArray *header = g_byte_array_new ();
  size_t n = strlen (test->digits) / 2;

  g_byte_array_append (header, (const uint8_t *) SIGNATURE, SIGNATURE_LENGTH);
  for (size_t i = 0; i < n + test->n_zeros; i++)
    {
      uint8_t byte = 0;

      if (i < n)
        byte = (uint8_t) (g_ascii_xdigit_value (test->digits[2 * i]) << 4
                          | g_ascii_xdigit_value (test->digits[2 * i + 1]));
      g_byte_array_append (header, &byte, 1);
    }
  return header;
}

static void
test_version_2 (void)
{
  for (size_t i = 0; i < G_N_ELEMENTS (binaries); i++)
    {
      g_autoptr(GByteArray) header = new_binary (&binaries[i]);

      g_test_message ("%" G_GSIZE_FORMAT, i);
      check (header->data, header->len, binaries[i].said);
    }
}

/* Whatever is wrong in the signature, at any of its bytes. */
static void
test_signature (void)
{
  for (unsigned int i = 0; i < SIGNATURE_LENGTH; i++)
    {
      uint8_t bytes[SIGNATURE_LENGTH];
      g_auto(VtProxySource) source = { 0 };

      memcpy (bytes, SIGNATURE, sizeof bytes);
      bytes[i] ^= 0x20;
      g_assert_cmpint (vt_proxy_reader_read (bytes, i + 1, &source), ==, VT_PROXY_READER_BAD);
    }
}

/* What our own client's side writes. */
static void
test_own (void)
{
  static const char *const hosts[] = { "192.0.2.1", "2001:db8::1", "::192.0.2.1" };

  for (unsigned int i = 0; i < 2 * G_N_ELEMENTS (hosts); i++)
    {
      const char *host = hosts[i / 2];
      g_autoptr(GSocketAddress) address = g_inet_socket_address_new_from_string (host, 4000);
      g_autoptr(GBytes) header = vt_proxy_header_new (i % 2 + 1, address, address);
      g_autofree char *said = NULL;
      g_autoptr(GInetAddress) canonical = g_inet_address_new_from_string (host);
      g_autofree char *text = g_inet_address_to_string (canonical);

      said = g_strdup_printf ("%s 4000 %s 4000", text, text);
      check (g_bytes_get_data (header, NULL), g_bytes_get_size (header), said);
    }
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/proxy-reader/version-1", test_version_1);
  g_test_add_func ("/proxy-reader/version-2", test_version_2);
  g_test_add_func ("/proxy-reader/signature", test_signature);
  g_test_add_func ("/proxy-reader/own", test_own);
  return g_test_run ();
}
