/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-arrivals-private.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loopback.h"

#define HEADER "PROXY TCP4 192.0.2.1 198.51.100.7 51000 443\r\n"
#define BINARY_LOCAL "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"

/* Who has come, and what became of them. */
typedef struct {
  VtPoller *poller;       /* owned */
  VtClock *clock;         /* owned, a fake one */
  VtArrivals *arrivals;   /* owned, nullable */
  GSocketAddress *remote; /* owned, of every connection */
  GSocketAddress *local;  /* owned, the same */
  GString *said;          /* owned: who was handed on */
  int fd;                 /* owned: the last that was handed on, -1 */
  gboolean free_in_callback;
  unsigned int n_refused;
  unsigned int n_descriptors;
} Fixture;

static void
add_address (GString *text, GSocketAddress *address)
{
  g_autofree char *word =
      address != NULL ? g_socket_connectable_to_string (G_SOCKET_CONNECTABLE (address)) : NULL;

  g_string_append_printf (text, "%s ", word != NULL ? word : "none");
}

static void
arrived_cb (int fd, GSocketAddress *remote, GSocketAddress *local, void *user_data)
{
  Fixture *self = user_data;

  add_address (self->said, remote);
  add_address (self->said, local);
  if (self->fd >= 0)
    close (self->fd);
  self->fd = fd;
  if (self->free_in_callback)
    g_clear_pointer (&self->arrivals, vt_arrivals_free);
}

static void
refused_cb (void *user_data)
{
  ((Fixture *) user_data)->n_refused++;
}

static void
set_up (Fixture *self, gconstpointer data)
{
  self->poller = loopback_warm_up ();
  self->n_descriptors = loopback_count_descriptors ();
  self->clock = vt_clock_new_fake ();
  self->arrivals = vt_arrivals_new (self->clock, arrived_cb, refused_cb, self);
  self->remote = g_inet_socket_address_new_from_string ("127.0.0.1", 1);
  self->local = g_inet_socket_address_new_from_string ("127.0.0.1", 2);
  self->said = g_string_new (NULL);
  self->fd = -1;
}

static void
tear_down (Fixture *self, gconstpointer data)
{
  g_clear_pointer (&self->arrivals, vt_arrivals_free);
  if (self->fd >= 0)
    close (self->fd);
  g_assert_cmpuint (loopback_count_descriptors (), ==, self->n_descriptors);
  g_object_unref (self->remote);
  g_object_unref (self->local);
  g_string_free (self->said, TRUE);
  vt_clock_unref (self->clock);
  vt_poller_unref (self->poller);
}

/* Gives the other end. */
static int
come_with (Fixture *self, const void *data, size_t length)
{
  int fds[2];
  char byte;

  loopback_pair (fds);
  if (length > 0)
    {
      g_assert_cmpint (write (fds[0], data, length), ==, (gssize) length);
      RUN_UNTIL (recv (fds[1], &byte, 1, MSG_PEEK) == 1);
    }
  vt_arrivals_add (self->arrivals, fds[1], self->remote, self->local);
  return fds[0];
}

static int
come (Fixture *self, const char *text)
{
  return come_with (self, text, strlen (text));
}

static void
assert_reset (int fd)
{
  char byte;
  gssize n;

  RUN_UNTIL ((n = loopback_read (fd, &byte, 1)) != -EAGAIN);
  g_assert_cmpint (n, ==, -ECONNRESET);
  close (fd);
}

/* What follows the header is all there. */
static void
assert_rest (Fixture *self, const char *rest)
{
  char buffer[64] = "";
  gssize n;

  if (rest[0] == '\0')
    {
      g_assert_cmpint (loopback_read (self->fd, buffer, sizeof buffer), ==, -EAGAIN);
      return;
    }
  RUN_UNTIL ((n = loopback_read (self->fd, buffer, sizeof buffer - 1)) > 0);
  g_assert_cmpstr (buffer, ==, rest);
}

static void
test_at_once (Fixture *self, gconstpointer data)
{
  int fd = come (self, HEADER "hello");

  g_assert_cmpstr (self->said->str, ==, "192.0.2.1:51000 198.51.100.7:443 ");
  assert_rest (self, "hello");
  close (fd);
  g_string_truncate (self->said, 0);
  fd = come (self, "PROXY UNKNOWN\r\n");
  g_assert_cmpstr (self->said->str, ==, "127.0.0.1:1 127.0.0.1:2 ");
  assert_rest (self, "");
  close (fd);
  g_string_truncate (self->said, 0);
  fd = come_with (self, BINARY_LOCAL, sizeof BINARY_LOCAL - 1);
  g_assert_cmpstr (self->said->str, ==, "127.0.0.1:1 127.0.0.1:2 ");
  close (fd);
  g_assert_cmpuint (self->n_refused, ==, 0);
}

static gboolean
tick_cb (gpointer user_data)
{
  return G_SOURCE_CONTINUE;
}

/* Byte by byte, and between them the main loop sleeps: what was read of the header is not there to
 * be read any more. */
static void
test_piecemeal (Fixture *self, gconstpointer data)
{
  int fd = come (self, "");

  for (const char *p = HEADER; *p != '\0'; p++)
    {
      g_autoptr(GSource) tick = g_timeout_source_new (2);

      g_assert_cmpstr (self->said->str, ==, "");
      g_assert_cmpint (write (fd, p, 1), ==, 1);
      g_source_set_callback (tick, tick_cb, NULL, NULL);
      g_source_attach (tick, NULL);
      if (p[1] != '\0')
        {
          g_main_context_iteration (NULL, TRUE);
          while (g_main_context_iteration (NULL, FALSE))
            ;
        }
      g_source_destroy (tick);
    }
  RUN_UNTIL (self->said->len > 0);
  g_assert_cmpstr (self->said->str, ==, "192.0.2.1:51000 198.51.100.7:443 ");
  g_assert_cmpuint (vt_arrivals_get_n_waiting (self->arrivals), ==, 0);
  loopback_write (fd, "x");
  assert_rest (self, "x");
  close (fd);
}

/* A part of a header that stays a part wakes nobody up. */
static void
test_silence (Fixture *self, gconstpointer data)
{
  int fd = come (self, "PROXY TCP4 ");
  gint64 end = g_get_monotonic_time () + 20 * G_TIME_SPAN_SECOND;
  unsigned int n_quiet = 0;

  g_assert_cmpuint (vt_arrivals_get_n_waiting (self->arrivals), ==, 1);
  while (n_quiet < 100 && g_get_monotonic_time () < end)
    n_quiet = g_main_context_iteration (NULL, FALSE) ? 0 : n_quiet + 1;
  g_assert_cmpuint (n_quiet, ==, 100);
  close (fd);
  RUN_UNTIL (self->n_refused == 1);
}

static void
test_bad (Fixture *self, gconstpointer data)
{
  static const char *const texts[] = { "GET / HTTP/1.1\r\n", "PROXY TCP4 a b 1 2\r\n",
                                       "\r\n\r\nX" };

  for (unsigned int i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      assert_reset (come (self, texts[i]));
      g_assert_cmpuint (self->n_refused, ==, i + 1);
    }
  assert_reset (come (self, "PROXY TCP4 192.0.2.1\n"));
  g_assert_cmpstr (self->said->str, ==, "");
}

/* Who ends before the header has, and who says nothing. */
static void
test_gone (Fixture *self, gconstpointer data)
{
  int fd = come (self, "PROXY TCP4 192.0.2.1");
  int silent = come (self, "");

  shutdown (fd, SHUT_WR);
  assert_reset (fd);
  vt_clock_advance (self->clock, 5 * G_TIME_SPAN_SECOND - 1);
  g_assert_cmpuint (self->n_refused, ==, 1);
  vt_clock_advance (self->clock, 1);
  g_assert_cmpuint (self->n_refused, ==, 2);
  assert_reset (silent);
}

/* Those who fill the room are let go one after the other; who speaks is heard. */
static void
test_full (Fixture *self, gconstpointer data)
{
  int fds[257];
  int fd;

  for (unsigned int i = 0; i < G_N_ELEMENTS (fds); i++)
    fds[i] = come (self, "");
  g_assert_cmpuint (vt_arrivals_get_n_waiting (self->arrivals), ==, 256);
  g_assert_cmpuint (self->n_refused, ==, 1);
  assert_reset (fds[0]);
  fd = come (self, HEADER);
  g_assert_cmpstr (self->said->str, ==, "192.0.2.1:51000 198.51.100.7:443 ");
  g_assert_cmpuint (vt_arrivals_get_n_waiting (self->arrivals), ==, 256);
  close (fd);
  g_clear_pointer (&self->arrivals, vt_arrivals_free);
  for (unsigned int i = 1; i < G_N_ELEMENTS (fds); i++)
    assert_reset (fds[i]);
}

/* Whoever is told may take all away: when it is told at once, and later. */
static void
test_free (Fixture *self, gconstpointer data)
{
  int other = come (self, "");
  int fd;

  self->free_in_callback = TRUE;
  fd = come (self, HEADER);
  g_assert_null (self->arrivals);
  assert_reset (other);
  close (fd);

  self->arrivals = vt_arrivals_new (self->clock, arrived_cb, refused_cb, self);
  fd = come (self, "PROXY ");
  loopback_write (fd, "UNKNOWN\r\nrest");
  RUN_UNTIL (self->arrivals == NULL);
  assert_rest (self, "rest");
  close (fd);
}

#define ADD(name, func) g_test_add ("/arrivals/" name, Fixture, NULL, set_up, func, tear_down)

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  ADD ("at-once", test_at_once);
  ADD ("piecemeal", test_piecemeal);
  ADD ("silence", test_silence);
  ADD ("bad", test_bad);
  ADD ("gone", test_gone);
  ADD ("full", test_full);
  ADD ("free", test_free);
  return g_test_run ();
}
