/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include <vtunnel/vt-error.h>

#include "vt-forwarded-private.h"

typedef struct {
  const char *name;
  const char *forwarded;
  const char *x_forwarded_for;
  VtForwarded result;
  const char *client; /* with its port, if it has one */
} Case;

#define NOT VT_FORWARDED_NOT
#define KNOWN VT_FORWARDED_KNOWN
#define UNKNOWN VT_FORWARDED_UNKNOWN
#define CONFLICT VT_FORWARDED_CONFLICT

/* 10.0.0.0/8 and 2001:db8:ff::/48 are trusted. */
static const Case cases[] = {
  { "none", NULL, NULL, NOT, NULL },
  { "x/one", NULL, "192.0.2.1", KNOWN, "192.0.2.1" },
  { "x/port", NULL, "192.0.2.1:4711", KNOWN, "192.0.2.1:4711" },
  { "x/v6", NULL, "2001:db8::1", KNOWN, "2001:db8::1" },
  { "x/brackets", NULL, "[2001:db8::1]", KNOWN, "2001:db8::1" },
  { "x/v6-port", NULL, "[2001:db8::1]:80", KNOWN, "[2001:db8::1]:80" },
  { "x/mapped", NULL, "::ffff:192.0.2.1", KNOWN, "192.0.2.1" },
  { "x/mapped-trusted", NULL, "192.0.2.1, ::ffff:10.0.0.1", KNOWN, "192.0.2.1" },
  { "x/chain", NULL, "192.0.2.1, 10.0.0.1,10.2.3.4", KNOWN, "192.0.2.1" },
  { "x/forged", NULL, "198.51.100.1, 192.0.2.1, 10.0.0.1", KNOWN, "192.0.2.1" },
  { "x/forged-trusted", NULL, "10.9.9.9, 192.0.2.1", KNOWN, "192.0.2.1" },
  { "x/forged-junk", NULL, "junk, , [, 192.0.2.1", KNOWN, "192.0.2.1" },
  { "x/all-trusted", NULL, "10.0.0.9, 10.0.0.1", KNOWN, "10.0.0.9" },
  { "x/unknown", NULL, "192.0.2.1, unknown, 10.0.0.1", UNKNOWN, NULL },
  { "x/empty", NULL, "", NOT, NULL },
  { "x/empty-last", NULL, "192.0.2.1,", UNKNOWN, NULL },
  { "x/junk", NULL, "192.0.2.1.1", UNKNOWN, NULL },
  { "x/port-large", NULL, "192.0.2.1:65536", UNKNOWN, NULL },
  { "x/port-none", NULL, "192.0.2.1:", UNKNOWN, NULL },
  { "x/bracket-junk", NULL, "[2001:db8::1]80", UNKNOWN, NULL },
  { "x/bracket-open", NULL, "[2001:db8::1", UNKNOWN, NULL },
  { "x/name", NULL, "example.org", UNKNOWN, NULL },
  { "rfc/one", "for=192.0.2.1", NULL, KNOWN, "192.0.2.1" },
  { "rfc/case", "FOR=192.0.2.1;Proto=https", NULL, KNOWN, "192.0.2.1" },
  { "rfc/quoted", "for=\"192.0.2.1:80\"", NULL, KNOWN, "192.0.2.1:80" },
  { "rfc/v6", "by=10.0.0.1;for=\"[2001:db8::1]:4711\"", NULL, KNOWN, "[2001:db8::1]:4711" },
  { "rfc/escaped", "for=\"192.0.2.\\1\"", NULL, KNOWN, "192.0.2.1" },
  { "rfc/chain", "for=192.0.2.1, for=10.0.0.1 , for=\"[2001:db8:ff::1]\"", NULL, KNOWN,
    "192.0.2.1" },
  { "rfc/forged", "for=198.51.100.1, for=192.0.2.1;by=10.0.0.2", NULL, KNOWN, "192.0.2.1" },
  { "rfc/comma-in-quotes", "host=\"a,for=198.51.100.1\";for=192.0.2.1", NULL, KNOWN, "192.0.2.1" },
  { "rfc/hidden", "for=192.0.2.1, for=_hidden", NULL, UNKNOWN, NULL },
  { "rfc/unknown", "for=unknown", NULL, UNKNOWN, NULL },
  { "rfc/no-for", "proto=https", NULL, UNKNOWN, NULL },
  { "rfc/empty", "", NULL, UNKNOWN, NULL },
  { "rfc/for-twice", "for=192.0.2.1;for=198.51.100.1", NULL, CONFLICT, NULL },
  { "rfc/open-quote", "for=\"192.0.2.1", NULL, CONFLICT, NULL },
  { "rfc/open-escape", "for=\"192.0.2.1\\", NULL, CONFLICT, NULL },
  { "rfc/no-value", "for", NULL, CONFLICT, NULL },
  { "rfc/junk", "for=192.0.2.1 junk", NULL, CONFLICT, NULL },
  { "rfc/no-name", "=192.0.2.1", NULL, CONFLICT, NULL },
  { "both/same", "for=192.0.2.1", "192.0.2.1", KNOWN, "192.0.2.1" },
  { "both/port", "for=\"192.0.2.1:80\"", "192.0.2.1", KNOWN, "192.0.2.1:80" },
  { "both/chain", "for=192.0.2.1, for=10.0.0.1", "198.51.100.1, 192.0.2.1", KNOWN, "192.0.2.1" },
  { "both/other", "for=192.0.2.1", "198.51.100.1", CONFLICT, NULL },
  { "both/unknown", "for=unknown", "198.51.100.1", CONFLICT, NULL },
  { "both/junk", "=", "198.51.100.1", CONFLICT, NULL },
};

static VtTrustedProxies *
new_proxies (void)
{
  static const char *const texts[] = { "10.0.0.0/8", "2001:db8:ff::/48", NULL };
  g_autoptr(GError) error = NULL;
  VtTrustedProxies *proxies = vt_trusted_proxies_parse (texts, &error);

  g_assert_no_error (error);
  return proxies;
}

static char *
format (GSocketAddress *address)
{
  GInetSocketAddress *inet = G_INET_SOCKET_ADDRESS (address);

  if (g_inet_socket_address_get_port (inet) == 0)
    return g_inet_address_to_string (g_inet_socket_address_get_address (inet));
  return g_socket_connectable_to_string (G_SOCKET_CONNECTABLE (address));
}

static void
test_client (const void *data)
{
  const Case *one = data;
  g_autoptr(VtTrustedProxies) proxies = new_proxies ();
  g_autoptr(GSocketAddress) client = NULL;
  g_autofree char *text = NULL;

  g_assert_cmpint (vt_forwarded_find_client (proxies, one->forwarded, one->x_forwarded_for,
                                             &client),
                   ==, one->result);
  text = client != NULL ? format (client) : NULL;
  g_assert_cmpstr (text, ==, one->client);
}

static void
test_networks (void)
{
  static const char *const bad[] = { "",          "example.org", "10.0.0.0/33", "10.0.0.1/8",
                                     "10.0.0.0/", "10.0.0.0/-1", "[::1]",       "*" };
  static const struct {
    const char *address;
    gboolean trusted;
  } some[] = { { "10.0.0.1", TRUE },        { "10.255.255.255", TRUE }, { "11.0.0.0", FALSE },
               { "2001:db8:ff:1::", TRUE }, { "2001:db8:fe::", FALSE }, { "::1", FALSE } };
  g_autoptr(VtTrustedProxies) proxies = new_proxies ();

  for (size_t i = 0; i < G_N_ELEMENTS (some); i++)
    {
      g_autoptr(GInetAddress) address = g_inet_address_new_from_string (some[i].address);

      g_assert_cmpint (vt_trusted_proxies_contain (proxies, address), ==, some[i].trusted);
    }
  for (size_t i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      const char *const texts[] = { "192.0.2.1", bad[i], NULL };
      g_autoptr(GError) error = NULL;

      g_assert_null (vt_trusted_proxies_parse (texts, &error));
      g_assert_error (error, VT_ERROR, VT_ERROR_INVALID_ARGUMENT);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *path = g_strconcat ("/forwarded/client/", cases[i].name, NULL);

      g_test_add_data_func (path, &cases[i], test_client);
    }
  g_test_add_func ("/forwarded/networks", test_networks);
  return g_test_run ();
}
