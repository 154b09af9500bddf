/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-listener-private.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "descriptors.h"
#include "vt-error-private.h"

#define DEADLINE (20 * G_TIME_SPAN_SECOND)
#define RESERVE 64

/* A listener and whom it let in. */
typedef struct {
  VtListener *listener;
  GArray *accepted;
  char *last_remote;
  char *last_local;     /* with the port */
  unsigned int free_at; /* frees the listener when so many were let in */
} Door;

static void
accepted_cb (int fd, GSocketAddress *remote, GSocketAddress *local, void *user_data)
{
  Door *door = user_data;
  GInetSocketAddress *inet = G_INET_SOCKET_ADDRESS (remote);

  g_assert_true (fcntl (fd, F_GETFL) & O_NONBLOCK);
  g_assert_true (fcntl (fd, F_GETFD) & FD_CLOEXEC);
  g_array_append_val (door->accepted, fd);
  g_free (door->last_remote);
  door->last_remote = g_inet_address_to_string (g_inet_socket_address_get_address (inet));
  g_free (door->last_local);
  door->last_local = g_socket_connectable_to_string (G_SOCKET_CONNECTABLE (local));
  if (door->accepted->len == door->free_at)
    g_clear_pointer (&door->listener, vt_listener_free);
}

static void
door_open (Door *self, const char *address, guint16 port)
{
  g_autoptr(GError) error = NULL;

  *self = (Door){ .accepted = g_array_new (FALSE, FALSE, sizeof (int)) };
  self->listener = vt_listener_new (address, port, accepted_cb, self, &error);
  g_assert_no_error (error);
  g_assert_nonnull (self->listener);
}

static void
door_close (Door *self)
{
  g_clear_pointer (&self->listener, vt_listener_free);
  close_all (self->accepted);
  g_array_unref (self->accepted);
  g_free (self->last_remote);
  g_free (self->last_local);
}

static void
run_until_accepted (Door *self, unsigned int n)
{
  gint64 end = g_get_monotonic_time () + DEADLINE;

  while (self->accepted->len < n)
    {
      g_assert_cmpint (g_get_monotonic_time (), <, end);
      g_main_context_iteration (NULL, FALSE);
    }
}

/* The kernel completes it without the listener's doing. -1 if the machine has no such address. */
static int
connect_to (const char *address, guint16 port)
{
  g_autoptr(GSocketAddress) to = g_inet_socket_address_new_from_string (address, port);
  struct sockaddr_storage native = { 0 };
  int fd;

  g_assert_true (g_socket_address_to_native (to, &native, sizeof native, NULL));
  fd = socket (native.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd >= 0
      && connect (fd, (struct sockaddr *) &native,
                  (socklen_t) g_socket_address_get_native_size (to))
             == 0)
    return fd;
  if (fd >= 0)
    close (fd);
  return -1;
}

static gboolean
has_ipv6 (void)
{
  struct sockaddr_in6 native = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
  int fd = socket (AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  gboolean works = fd >= 0 && bind (fd, (struct sockaddr *) &native, sizeof native) == 0;

  if (fd >= 0)
    close (fd);
  return works;
}

static void
check_reached (Door *door, const char *address, const char *remote)
{
  unsigned int n = door->accepted->len;
  guint16 port = vt_listener_get_port (door->listener);
  g_autoptr(GSocketAddress) to = g_inet_socket_address_new_from_string (address, port);
  g_autofree char *local = g_socket_connectable_to_string (G_SOCKET_CONNECTABLE (to));
  int fd = connect_to (address, port);

  g_assert_cmpint (fd, >=, 0);
  run_until_accepted (door, n + 1);
  g_assert_cmpstr (door->last_remote, ==, remote);
  g_assert_cmpstr (door->last_local, ==, local);
  close (fd);
}

static void
test_both_families (void)
{
  static const char *const addresses[] = { "localhost", "*" };

  for (size_t i = 0; i < G_N_ELEMENTS (addresses); i++)
    {
      Door door;

      door_open (&door, addresses[i], 0);
      g_assert_cmpint (vt_listener_get_port (door.listener), >, 0);
      check_reached (&door, "127.0.0.1", "127.0.0.1");
      if (has_ipv6 ())
        check_reached (&door, "::1", "::1");
      door_close (&door);
    }
}

static void
test_literals (void)
{
  static const struct {
    const char *address;
    const char *name;
    gboolean reaches_ipv4;
    gboolean reaches_ipv6;
  } cases[] = {
    { "127.0.0.1", "127.0.0.1", TRUE, FALSE }, { "127.0.0.2", "127.0.0.2", FALSE, FALSE },
    { "0.0.0.0", "0.0.0.0", TRUE, FALSE },     { "::1", "::1", FALSE, TRUE },
    { "[::1]", "::1", FALSE, TRUE },           { "::", "::", FALSE, TRUE },
  };

  for (size_t i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      Door door;
      guint16 port;
      int fd4, fd6;

      if (strchr (cases[i].name, ':') != NULL && !has_ipv6 ())
        continue;
      door_open (&door, cases[i].address, 0);
      port = vt_listener_get_port (door.listener);
      g_assert_cmpstr (vt_listener_get_address (door.listener), ==, cases[i].name);
      fd4 = connect_to ("127.0.0.1", port);
      fd6 = connect_to ("::1", port);
      g_assert_cmpint (fd4 >= 0, ==, cases[i].reaches_ipv4);
      g_assert_cmpint (fd6 >= 0, ==, cases[i].reaches_ipv6);
      close (MAX (fd4, fd6));
      door_close (&door);
    }
}

static void
check_refused (const char *address, guint16 port, VtError code, const char *message)
{
  g_autoptr(GError) error = NULL;

  g_assert_null (vt_listener_new (address, port, accepted_cb, NULL, &error));
  g_assert_error (error, VT_ERROR, (int) code);
  if (!g_pattern_match_simple (message, error->message))
    g_error ("“%s” does not match “%s”", error->message, message);
}

static void
test_in_use (void)
{
  g_autofree char *message = NULL;
  guint16 port;
  Door door;

  door_open (&door, "127.0.0.1", 0);
  port = vt_listener_get_port (door.listener);
  message = g_strdup_printf ("Port %u on 127.0.0.1 is already in use", port);
  check_refused ("127.0.0.1", port, VT_ERROR_ADDRESS_IN_USE, message);
  check_refused ("localhost", port, VT_ERROR_ADDRESS_IN_USE, message);
  check_refused ("*", port, VT_ERROR_ADDRESS_IN_USE, "Port * on 0.0.0.0 is already in use");
  door_close (&door);

  /* Nothing is left behind: neither by the one that failed, nor by the one that was freed. */
  door_open (&door, "localhost", port);
  g_assert_cmpint (vt_listener_get_port (door.listener), ==, port);
  door_close (&door);
}

/* One family of two is in use: no half a port. */
static void
test_half_in_use (void)
{
  guint16 port;
  Door door;

  door_open (&door, "::1", 0);
  port = vt_listener_get_port (door.listener);
  check_refused ("localhost", port, VT_ERROR_ADDRESS_IN_USE, "Port * on ::1 is already in use");
  g_assert_cmpint (connect_to ("127.0.0.1", port), ==, -1);
  door_close (&door);
}

static void
test_invalid (void)
{
  static const char *const names[] = { "example.com",  "",  "127.0.0", "[127.0.0.1", "a\nb",
                                       "127.0.0.1:80", "[]" };

  for (size_t i = 0; i < G_N_ELEMENTS (names); i++)
    check_refused (names[i], 0, VT_ERROR_INVALID_ARGUMENT, "*is no IP address*localhost*");
  check_refused ("a\nb", 0, VT_ERROR_INVALID_ARGUMENT, "“a\\nb”*");
  check_refused ("192.0.2.1", 0, VT_ERROR_INVALID_ARGUMENT,
                 "192.0.2.1 is no address of this machine");
}

/* Containers may let everybody open every port. */
static gboolean
has_privileged_ports (void)
{
  g_autofree char *first = NULL;

  return !g_file_get_contents ("/proc/sys/net/ipv4/ip_unprivileged_port_start", &first, NULL, NULL)
         || atoi (first) > 1;
}

/* In a process of its own, since root has to become somebody else for it. */
static void
test_privileged (void)
{
  if (g_test_subprocess ())
    {
      if (geteuid () == 0)
        g_assert_cmpint (setresuid (65534, 65534, 65534), ==, 0);
      check_refused ("127.0.0.1", 1, VT_ERROR_PERMISSION_DENIED,
                     "*port 1 on 127.0.0.1 is not permitted*");
      return;
    }
  g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
  g_test_trap_assert_passed ();
}

static void
test_burst (void)
{
  g_autoptr(GArray) clients = g_array_new (FALSE, FALSE, sizeof (int));
  unsigned int most = 0;
  Door door;

  door_open (&door, "127.0.0.1", 0);
  for (int i = 0; i < 500; i++)
    {
      int fd = connect_to ("127.0.0.1", vt_listener_get_port (door.listener));

      g_assert_cmpint (fd, >=, 0);
      g_array_append_val (clients, fd);
    }
  while (door.accepted->len < 500)
    {
      unsigned int before = door.accepted->len;

      g_main_context_iteration (NULL, TRUE);
      most = MAX (most, door.accepted->len - before);
    }
  g_assert_cmpuint (most, <=, 64);
  close_all (clients);
  door_close (&door);
}

/* The function frees the listener while others wait: they get an end, not a crash. */
static void
test_free_within (void)
{
  int clients[3];
  guint16 port;
  Door door;

  door_open (&door, "localhost", 0);
  door.free_at = 2;
  port = vt_listener_get_port (door.listener);
  for (int i = 0; i < 3; i++)
    clients[i] = connect_to ("127.0.0.1", port);
  run_until_accepted (&door, 2);
  for (int i = 0; i < 10; i++)
    g_main_context_iteration (NULL, FALSE);
  g_assert_null (door.listener);
  g_assert_cmpuint (door.accepted->len, ==, 2);
  g_assert_cmpint (connect_to ("127.0.0.1", port), ==, -1);
  for (int i = 0; i < 3; i++)
    close (clients[i]);
  door_close (&door);
}

static int n_messages;

static GLogWriterOutput
count_messages (GLogLevelFlags level, const GLogField *fields, size_t n_fields, gpointer user_data)
{
  if (level == G_LOG_LEVEL_MESSAGE)
    n_messages++;
  return g_log_writer_default (level, fields, n_fields, user_data);
}

/* Turns the loop for a second and says how often. */
static int
count_turns (void)
{
  gint64 end = g_get_monotonic_time () + G_TIME_SPAN_SECOND;
  int n_turns = 0;

  while (g_get_monotonic_time () < end)
    {
      g_main_context_iteration (NULL, TRUE);
      n_turns++;
    }
  return n_turns;
}

/* With the guard, and with descriptors really at an end, nothing spins, nothing is lost, and who
 * waited is served when there are descriptors again. */
static void
test_end_of_descriptors (void)
{
  g_autoptr(GArray) clients = g_array_new (FALSE, FALSE, sizeof (int));
  g_autoptr(GArray) taken = g_array_new (FALSE, FALSE, sizeof (int));
  g_autoptr(GError) error = NULL;
  unsigned int n_before;
  Door door;

  if (!g_test_subprocess ())
    {
      g_test_trap_subprocess (NULL, 0, 0);
      g_test_trap_assert_passed ();
      g_test_trap_assert_stderr ("*connections have to wait*connections are accepted*");
      return;
    }
  g_log_set_writer_func (count_messages, NULL, NULL);
  set_limit (256);
  door_open (&door, "localhost", 0);
  for (int i = 0; i < 120; i++)
    {
      int fd = connect_to ("127.0.0.1", vt_listener_get_port (door.listener));

      g_assert_cmpint (fd, >=, 0);
      g_array_append_val (clients, fd);
    }
  g_assert_cmpint (count_turns (), <, 30);
  n_before = door.accepted->len;
  g_assert_cmpuint (n_before, >, 30);
  g_assert_cmpuint (n_before, <, 120);
  g_assert_cmpint (count_free (256), ==, RESERVE);
  g_assert_null (vt_listener_new ("127.0.0.1", 0, accepted_cb, NULL, &error));
  g_assert_error (error, VT_ERROR, VT_ERROR_LIMIT);

  while (take (taken))
    continue;
  g_assert_cmpint (count_turns (), <, 30);
  g_assert_cmpuint (door.accepted->len, ==, n_before);
  g_assert_cmpint (n_messages, ==, 1);

  close_all (taken);
  close_all (door.accepted);
  run_until_accepted (&door, 120 - n_before);
  g_assert_cmpint (n_messages, ==, 2);
  close_all (clients);
  door_close (&door);
}

/* 2,000 open ports. */
static GPtrArray *
open_many (const char *address)
{
  g_autoptr(GPtrArray) many = g_ptr_array_new_with_free_func ((GDestroyNotify) vt_listener_free);
  struct rlimit limit;

  getrlimit (RLIMIT_NOFILE, &limit);
  g_assert_cmpuint (limit.rlim_cur, >=, 2600);
  for (int i = 0; i < 2000; i++)
    {
      g_autoptr(GError) error = NULL;

      g_ptr_array_add (many, vt_listener_new (address, 0, accepted_cb, NULL, &error));
      g_assert_no_error (error);
    }
  return g_steal_pointer (&many);
}

static void
test_many_listeners (void)
{
  g_autoptr(GPtrArray) others = open_many ("127.0.0.1");
  gint64 begun;
  Door door;

  g_assert_nonnull (others);
  door_open (&door, "127.0.0.1", 0);
  begun = g_get_monotonic_time ();
  for (int i = 0; i < 200; i++)
    check_reached (&door, "127.0.0.1", "127.0.0.1");
  g_test_message ("%" G_GINT64_FORMAT " µs for each connection",
                  (g_get_monotonic_time () - begun) / 200);
  door_close (&door);
}

/* With 2,000 ports of IPv6 taken, what the system gives for IPv4 is not always free there. */
static void
test_port_of_both (void)
{
  g_autoptr(GPtrArray) others = open_many ("::1");

  g_assert_nonnull (others);
  for (int i = 0; i < 100; i++)
    {
      Door door;

      door_open (&door, "localhost", 0);
      check_reached (&door, "127.0.0.1", "127.0.0.1");
      check_reached (&door, "::1", "::1");
      door_close (&door);
    }
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  set_limit (8192);
  g_test_add_func ("/listener/address/both-families", test_both_families);
  g_test_add_func ("/listener/address/literals", test_literals);
  g_test_add_func ("/listener/address/invalid", test_invalid);
  g_test_add_func ("/listener/port/in-use", test_in_use);
  if (has_ipv6 ())
    {
      g_test_add_func ("/listener/port/half-in-use", test_half_in_use);
      g_test_add_func ("/listener/port/of-both", test_port_of_both);
    }
  if (has_privileged_ports ())
    g_test_add_func ("/listener/port/privileged", test_privileged);
  g_test_add_func ("/listener/accept/burst", test_burst);
  g_test_add_func ("/listener/accept/free-within", test_free_within);
  g_test_add_func ("/listener/accept/many-listeners", test_many_listeners);
  g_test_add_func ("/listener/descriptors/end-of-them", test_end_of_descriptors);
  return g_test_run ();
}
