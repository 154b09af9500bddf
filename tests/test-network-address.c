/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-network-address-private.h"

#include <gio/gunixsocketaddress.h>
#include <ifaddrs.h>
#include <netinet/in.h>

/* The last one stands in an address of another family. */
static const char *const interface_addresses[] = {
  "127.0.0.1", "::1", "192.0.2.7", "2001:db8::7", "fe80::7", "2001:db8::9",
};

/* The interfaces of a machine: those above, and one without any address. */
typedef struct {
  struct ifaddrs entries[G_N_ELEMENTS (interface_addresses) + 1];
  struct sockaddr_storage addresses[G_N_ELEMENTS (interface_addresses)];
} Interfaces;

/* GInetAddress leaves mapped addresses as they are, and GInetSocketAddress understands scopes. */
static GSocketAddress *
make_address (const char *text)
{
  g_autoptr(GInetAddress) address = g_inet_address_new_from_string (text);
  GSocketAddress *scoped;

  if (address != NULL)
    return g_inet_socket_address_new (address, 4711);
  scoped = g_inet_socket_address_new_from_string (text, 4711);
  g_assert_nonnull (scoped);
  return scoped;
}

static void
interfaces_init (Interfaces *self)
{
  *self = (Interfaces){ 0 };
  self->entries[0].ifa_next = &self->entries[1];
  for (size_t i = 0; i < G_N_ELEMENTS (interface_addresses); i++)
    {
      g_autoptr(GSocketAddress) address = make_address (interface_addresses[i]);
      struct ifaddrs *entry = &self->entries[i + 1];

      g_assert_true (g_socket_address_to_native (address, &self->addresses[i],
                                                 sizeof self->addresses[i], NULL));
      entry->ifa_addr = (struct sockaddr *) &self->addresses[i];
      if (i + 1 < G_N_ELEMENTS (interface_addresses))
        entry->ifa_next = entry + 1;
      else
        entry->ifa_addr->sa_family = AF_PACKET;
    }
}

static const struct {
  const char *name;
  const char *address;
  gboolean is_there;
} cases[] = {
  { "ipv4", "192.0.2.7", TRUE },
  { "ipv4-other", "192.0.2.1", FALSE },
  { "ipv4-mapped", "::ffff:192.0.2.7", TRUE },
  { "ipv4-mapped-other", "::ffff:192.0.2.1", FALSE },
  { "ipv4-compatible", "::192.0.2.7", FALSE },
  { "ipv6", "2001:db8::7", TRUE },
  { "ipv6-other", "2001:db8::1", FALSE },
  { "other-family", "2001:db8::9", FALSE },
  { "ipv6-scope", "fe80::7%1", TRUE },
  { "ipv6-scope-other", "fe80::1%1", FALSE },
};

static void
test_among (const void *data)
{
  size_t i = GPOINTER_TO_SIZE (data);
  g_autoptr(GSocketAddress) address = make_address (cases[i].address);
  Interfaces interfaces;

  interfaces_init (&interfaces);
  g_assert_cmpint (vt_network_has_address_among (interfaces.entries, address), ==,
                   cases[i].is_there);
  g_assert_false (vt_network_has_address_among (NULL, address));
}

/* Those that need no interface. */
static const char *const always[] = {
  "127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1", "0.0.0.0", "::", "::ffff:0.0.0.0",
};

static void
test_always (void)
{
  g_autoptr(GSocketAddress) path = g_unix_socket_address_new ("/run/nobody");

  for (size_t i = 0; i < G_N_ELEMENTS (always); i++)
    {
      g_autoptr(GSocketAddress) address = make_address (always[i]);

      g_test_message ("%s", always[i]);
      g_assert_true (vt_network_has_address_among (NULL, address));
    }
  g_assert_true (vt_network_has_address_among (NULL, path));
  g_assert_true (vt_network_has_address_among (NULL, NULL));
}

/* On the machine where the test runs: what it has, and what nobody has (RFC 5737). */
static void
test_real (void)
{
  g_autoptr(GSocketAddress) nobody = make_address ("192.0.2.1");
  g_autoptr(GSocketAddress) loopback = make_address ("127.0.0.1");
  struct ifaddrs *interfaces = NULL;

  g_assert_cmpint (getifaddrs (&interfaces), ==, 0);
  for (const struct ifaddrs *at = interfaces; at != NULL; at = at->ifa_next)
    {
      int family = at->ifa_addr != NULL ? at->ifa_addr->sa_family : AF_UNSPEC;
      g_autoptr(GSocketAddress) address = NULL;

      if (family != AF_INET && family != AF_INET6)
        continue;
      address = g_socket_address_new_from_native (at->ifa_addr, family == AF_INET
                                                                    ? sizeof (struct sockaddr_in)
                                                                    : sizeof (struct sockaddr_in6));
      g_assert_true (vt_network_has_address (address));
    }
  freeifaddrs (interfaces);
  g_assert_true (vt_network_has_address (loopback));
  g_assert_false (vt_network_has_address (nobody));
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *path = g_strdup_printf ("/network-address/among/%s", cases[i].name);

      g_test_add_data_func (path, GSIZE_TO_POINTER (i), test_among);
    }
  g_test_add_func ("/network-address/always", test_always);
  g_test_add_func ("/network-address/real", test_real);
  return g_test_run ();
}
