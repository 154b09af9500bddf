/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-listener-private.h"

#include <unistd.h>

#include "loopback.h"
#include "time-skip.h"

/* How fast a port accepts, and that it does not while it is held. */

#define MANY 30

typedef struct {
  VtListener *listener; /* owned */
  unsigned int n_accepted;
  unsigned int hold_at; /* it is held when so many were let in; 0: never */
  int users[MANY];      /* owned */
} Door;

static void
accepted_cb (int fd, GSocketAddress *remote, GSocketAddress *local, void *user_data)
{
  Door *self = user_data;

  close (fd);
  if (++self->n_accepted == self->hold_at)
    vt_listener_set_held (self->listener, TRUE);
}

/* Everybody who will ever come waits. */
static void
door_open (Door *self, unsigned int max_rate)
{
  g_autoptr(GError) error = NULL;

  *self = (Door){ 0 };
  self->listener = vt_listener_new ("127.0.0.1", 0, accepted_cb, self, &error);
  g_assert_no_error (error);
  vt_listener_set_max_rate (self->listener, max_rate);
  for (unsigned int i = 0; i < MANY; i++)
    self->users[i] = loopback_connect (vt_listener_get_port (self->listener));
}

static void
door_close (Door *self)
{
  vt_listener_free (self->listener);
  for (unsigned int i = 0; i < MANY; i++)
    close (self->users[i]);
}

/* Whatever is ready is done; a loop that would sleep is not waited for. */
static void
turn (void)
{
  for (int i = 0; i < 20; i++)
    g_main_context_iteration (NULL, FALSE);
}

/* Two seconds' worth at once, then so many a second, and what is not used is saved up. */
static void
test_rate (void)
{
  Door door;

  time_freeze ();
  door_open (&door, 4);
  turn ();
  g_assert_cmpuint (door.n_accepted, ==, 8);
  time_skip (20 * G_TIME_SPAN_MILLISECOND);
  turn ();
  g_assert_cmpuint (door.n_accepted, ==, 9);
  time_skip (220 * G_TIME_SPAN_MILLISECOND);
  turn ();
  g_assert_cmpuint (door.n_accepted, ==, 9);
  time_skip (20 * G_TIME_SPAN_MILLISECOND);
  turn ();
  g_assert_cmpuint (door.n_accepted, ==, 10);
  for (unsigned int i = 11; i < 14; i++)
    {
      time_skip (G_TIME_SPAN_SECOND / 4);
      turn ();
      g_assert_cmpuint (door.n_accepted, ==, i);
    }
  time_skip (G_TIME_SPAN_SECOND);
  turn ();
  g_assert_cmpuint (door.n_accepted, ==, 17);
  time_skip (G_TIME_SPAN_MINUTE);
  turn ();
  g_assert_cmpuint (door.n_accepted, ==, 25);
  door_close (&door);
  time_thaw ();
}

static void
test_no_rate (void)
{
  Door door;

  time_freeze ();
  door_open (&door, 0);
  turn ();
  g_assert_cmpuint (door.n_accepted, ==, MANY);
  door_close (&door);
  time_thaw ();
}

/* At once, in the middle of a dispatch too; others wait, and nobody is lost. */
static void
test_held (void)
{
  Door door;

  door_open (&door, 0);
  vt_listener_set_held (door.listener, TRUE);
  turn ();
  g_assert_cmpuint (door.n_accepted, ==, 0);
  door.hold_at = 7;
  vt_listener_set_held (door.listener, FALSE);
  turn ();
  g_assert_cmpuint (door.n_accepted, ==, 7);
  vt_listener_set_held (door.listener, FALSE);
  turn ();
  g_assert_cmpuint (door.n_accepted, ==, MANY);
  door_close (&door);
}

/* What one of them ends, the other has still to say something about. */
static void
test_both (void)
{
  Door door;

  time_freeze ();
  door_open (&door, 1);
  turn ();
  g_assert_cmpuint (door.n_accepted, ==, 2);
  vt_listener_set_held (door.listener, TRUE);
  time_skip (2 * G_TIME_SPAN_SECOND);
  turn ();
  g_assert_cmpuint (door.n_accepted, ==, 2);
  vt_listener_set_held (door.listener, FALSE);
  turn ();
  g_assert_cmpuint (door.n_accepted, ==, 4);
  vt_listener_set_held (door.listener, TRUE);
  vt_listener_set_held (door.listener, FALSE);
  turn ();
  g_assert_cmpuint (door.n_accepted, ==, 4);
  door_close (&door);
  time_thaw ();
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/listener/pace/rate", test_rate);
  g_test_add_func ("/listener/pace/no-rate", test_no_rate);
  g_test_add_func ("/listener/pace/held", test_held);
  g_test_add_func ("/listener/pace/both", test_both);
  return g_test_run ();
}
