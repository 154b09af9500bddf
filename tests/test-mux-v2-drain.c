/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "window-reader.h"

/* A window follows what has left for the reader, not what was taken on the way to it. */

/* One whose user can tell, and has nothing yet. */
static Side *
new_telling_reader (gint64 rtt)
{
  Side *client = new_reader (NULL, rtt, 1);
  User *user = side_get_user (client, 0);

  user->unsent = 0;
  user_listen (user);
  return client;
}

/* All that may come in one round trip was taken, and this is what has not left afterwards. */
static void
take_all_but (Side *side, gint64 trip, gssize unsent)
{
  side_get_user (side, 0)->unsent = unsent;
  take_all (side, 1, trip);
}

/* Nothing of it has left. */
static void
pile_up (Side *side, gint64 trip)
{
  User *user = side_get_user (side, 0);
  VtMuxStream *stream = user->stream;

  take_all_but (side, trip, user->unsent + (gssize) (stream->granted - stream->bytes_received));
}

/* A user who never reads. */
static void
test_stands (void)
{
  Side *client = new_telling_reader (RTT);

  for (unsigned int i = 0; i < 100; i++)
    pile_up (client, RTT);
  expect_window (client, 1, 16 * KIB);
  g_assert_cmpint (side_get_user (client, 0)->unsent, >, 100 * 12 * KIB);
  side_free (client);
}

/* It begins to read: as much leaves as comes, however much stands there, and then some more. */
static void
test_leaves (void)
{
  Side *client = new_telling_reader (RTT);

  for (unsigned int i = 0; i < 10; i++)
    pile_up (client, RTT);
  expect_window (client, 1, 16 * KIB);
  take_all_but (client, RTT, side_get_user (client, 0)->unsent);
  expect_window (client, 1, 32 * KIB);
  take_all_but (client, RTT, side_get_user (client, 0)->unsent - 64 * KIB);
  expect_window (client, 1, 64 * KIB);
  take_all_but (client, RTT, 0);
  expect_window (client, 1, 128 * KIB);
  side_free (client);
}

/* More than half of the window. */
static void
test_half (void)
{
  Side *client = new_telling_reader (RTT);

  take_all_but (client, RTT, 8 * KIB);
  expect_window (client, 1, 16 * KIB);
  take_all_but (client, RTT, 16 * KIB - 1);
  expect_window (client, 1, 32 * KIB);
  side_free (client);
}

/* What had come before is no reason for a wider window: it is not what the other side sends. */
static void
test_catches_up (void)
{
  Side *client = new_telling_reader (RTT);

  for (unsigned int i = 0; i < 4; i++)
    pile_up (client, RTT);
  side_get_user (client, 0)->unsent = 0;
  vt_clock_advance (client->clock, RTT);
  take (client, 1, 8 * KIB);
  expect_window (client, 1, 16 * KIB);
  side_free (client);
}

/* On a short path, where an epoch goes on until it was enough, or full queues take no longer. */
static void
test_near (void)
{
  Side *client = new_telling_reader (512);
  User *user = side_get_user (client, 0);

  for (unsigned int i = 0; i < 40; i++)
    pile_up (client, MS);
  expect_window (client, 1, 16 * KIB);
  /* It sends 1 KiB in a millisecond. */
  for (unsigned int i = 0; i < 9; i++)
    {
      expect_window (client, 1, 16 * KIB);
      take_all_but (client, MS, user->unsent + 15 * KIB);
    }
  expect_window (client, 1, 32 * KIB);
  side_free (client);
}

/* One that had read, and does not any more, loses what its window had grown to while the kernel
 * still takes what comes. */
static void
test_shrinks (void)
{
  Side *client = new_telling_reader (RTT);
  User *user = side_get_user (client, 0);

  while (user->stream->window < MIB)
    take_all_but (client, RTT, 0);
  for (guint32 window = MIB; window > 16 * KIB; window /= 2)
    {
      expect_window (client, 1, window);
      pile_up (client, RTT);
    }
  expect_window (client, 1, 16 * KIB);
  side_free (client);
}

/* Who cannot say, or not at both ends of an epoch, is believed to send all away. */
static void
test_unknown (void)
{
  Side *client = new_telling_reader (RTT);

  take_all_but (client, RTT, -1);
  expect_window (client, 1, 32 * KIB);
  take_all_but (client, RTT, MIB);
  expect_window (client, 1, 64 * KIB);
  /* Here it is known at both. */
  take_all_but (client, RTT, 2 * MIB);
  expect_window (client, 1, 32 * KIB);
  take_all_but (client, RTT, -1);
  expect_window (client, 1, 64 * KIB);
  side_free (client);
}

static void
ignore_cb (VtMuxStream *stream, void *user_data)
{
}

static void
test_nobody_to_ask (void)
{
  static const VtMuxStreamHandlers handlers = { .readable = ignore_cb };
  Side *client = new_telling_reader (RTT);

  vt_mux_stream_set_handlers (get_stream (client, 1), &handlers, NULL);
  take_all (client, 1, RTT);
  expect_window (client, 1, 32 * KIB);
  vt_mux_stream_set_handlers (get_stream (client, 1), NULL, NULL);
  take_all (client, 1, RTT);
  expect_window (client, 1, 64 * KIB);
  side_free (client);
}

/* Each question is a system call. */
static void
test_asked (void)
{
  Side *client = new_telling_reader (512);
  User *user = side_get_user (client, 0);

  for (unsigned int i = 0; i < 49; i++)
    {
      vt_clock_advance (client->clock, MS);
      take (client, 1, 100);
    }
  g_assert_cmpuint (user->n_asked, ==, 0);
  vt_clock_advance (client->clock, MS);
  take (client, 1, 100);
  g_assert_cmpuint (user->n_asked, ==, 1);

  /* Once for each that widens it, and then for each half of it in a round trip. */
  for (guint32 window = 16 * KIB; window < 192 * KIB; window *= 2)
    take_all (client, 1, MS);
  expect_window (client, 1, 192 * KIB);
  g_assert_cmpuint (user->n_asked, ==, 5);
  vt_clock_advance (client->clock, 512);
  for (unsigned int i = 0; i < 96; i++)
    take (client, 1, KIB);
  g_assert_cmpuint (user->n_asked, ==, 5);
  take (client, 1, 1);
  g_assert_cmpuint (user->n_asked, ==, 6);
  side_free (client);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/mux-v2/drain/stands", test_stands);
  g_test_add_func ("/mux-v2/drain/leaves", test_leaves);
  g_test_add_func ("/mux-v2/drain/half", test_half);
  g_test_add_func ("/mux-v2/drain/catches-up", test_catches_up);
  g_test_add_func ("/mux-v2/drain/near", test_near);
  g_test_add_func ("/mux-v2/drain/shrinks", test_shrinks);
  g_test_add_func ("/mux-v2/drain/unknown", test_unknown);
  g_test_add_func ("/mux-v2/drain/nobody-to-ask", test_nobody_to_ask);
  g_test_add_func ("/mux-v2/drain/asked", test_asked);
  return g_test_run ();
}
