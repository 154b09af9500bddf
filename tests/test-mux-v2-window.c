/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "window-reader.h"

#include <string.h>

#include "vt-error.h"

/* The limit moves once a quarter of the window was taken, and says what may come from then on. */
static void
test_quarter (void)
{
  Side *client = new_reader (NULL, UNKNOWN, 1);

  take (client, 1, 4095);
  expect_sent_soon (client, "");
  take (client, 1, 1);
  expect_sent_soon (client, "CREDIT 1 20480");
  side_say_frames (client, "DATA 1 16384");
  expect_sent_soon (client, "");
  vt_mux_stream_consume (get_stream (client, 1), 4000);
  expect_sent_soon (client, "");
  vt_mux_stream_consume (get_stream (client, 1), 4000);
  expect_sent_soon (client, "CREDIT 1 28480");
  vt_mux_stream_discard (get_stream (client, 1));
  expect_sent_soon (client, "CREDIT 1 36864");
  side_free (client);
}

/* One a stream, whichever place it has. */
static void
test_together (void)
{
  Side *client = new_reader (NULL, UNKNOWN, 2);

  side_say_frames (client, "DATA 1 16384; DATA 2 16384");
  vt_mux_stream_consume (get_stream (client, 1), 5000);
  vt_mux_stream_consume (get_stream (client, 2), 6000);
  vt_mux_stream_accept (get_stream (client, 2));
  vt_mux_stream_consume (get_stream (client, 1), 5000);
  vt_mux_stream_consume (get_stream (client, 2), 6000);
  expect_sent_soon (client, "CREDIT 1 26384; CREDIT 2 28384; OPENED 2");

  /* What has left cannot be said otherwise any more. */
  vt_mux_stream_consume (get_stream (client, 1), 5000);
  side_say (client, "{\"type\":\"ping\",\"t\":5}");
  vt_mux_stream_discard (get_stream (client, 1));
  take (client, 1, 5000);
  expect_sent_soon (client, "CREDIT 1 31384\n"
                            "{\"type\":\"pong\",\"t\":5}\n"
                            "CREDIT 1 37768");
  side_free (client);
}

/* Who has ended, or is gone, gets none. */
static void
test_none (void)
{
  Side *client = new_reader (NULL, UNKNOWN, 3);
  VtMuxV2 *v2 = vt_mux_v2_get (client->mux);

  g_assert_cmpuint (v2->promised, ==, 3 * 16 * KIB);
  take (client, 2, 1000);
  g_assert_cmpuint (v2->owed, ==, 1000);
  side_say_frames (client, "DATA 1 16384; EOF 1; DATA 2 9000; RESET 2 failed; DATA 3 10000");
  g_assert_cmpuint (v2->promised, ==, 6384);
  g_assert_cmpuint (v2->owed, ==, 0);
  vt_mux_stream_discard (get_stream (client, 1));
  vt_mux_stream_discard (get_stream (client, 2));
  vt_mux_stream_reset (get_stream (client, 3), NULL);
  vt_mux_stream_discard (get_stream (client, 3));
  g_assert_cmpuint (v2->promised, ==, 0);
  expect_sent_soon (client, "RESET 3 cancelled");
  side_free (client);
}

/* Windows of less than four bytes. */
static void
test_tiny (void)
{
  VtMuxConfig config;

  for (unsigned int window = 1; window < 4; window++)
    {
      g_autofree char *credit = g_strdup_printf ("CREDIT 1 %u", window + 1);
      Side *client;

      vt_mux_config_init (&config, VT_MUX_CLIENT);
      config.max_buffer = 8 * window;
      config.max_streams = 8;
      client = new_reader (&config, RTT, 1);
      vt_mux_stream_discard (get_stream (client, 1));
      expect_sent_soon (client, "");
      take (client, 1, 1);
      vt_mux_stream_discard (get_stream (client, 1));
      expect_sent_soon (client, credit);
      vt_mux_stream_discard (get_stream (client, 1));
      expect_sent_soon (client, "");
      side_free (client);
    }
}

/* A stream that drains more than half of its window in a round trip has one twice as wide. */
static void
test_grows (void)
{
  Side *client = new_reader (NULL, RTT, 1);

  vt_clock_advance (client->clock, RTT - 1);
  take (client, 1, 8 * KIB + 1);
  expect_sent_soon (client, "CREDIT 1 24577");
  expect_window (client, 1, 16 * KIB);
  take (client, 1, 8 * KIB - 1);
  expect_sent_soon (client, "CREDIT 1 49152");
  expect_window (client, 1, 32 * KIB);
  /* Exactly half. */
  vt_clock_advance (client->clock, RTT - 1);
  take (client, 1, 16 * KIB);
  expect_window (client, 1, 32 * KIB);
  /* Twice as much in twice the time. */
  vt_clock_advance (client->clock, 2 * RTT);
  take (client, 1, 32 * KIB);
  expect_window (client, 1, 32 * KIB);
  vt_clock_advance (client->clock, RTT);
  take (client, 1, 16 * KIB + 1);
  expect_window (client, 1, 64 * KIB);
  side_free (client);
}

/* No window is wider than what a fast path brings in a round trip. */
static void
test_stops (void)
{
  static const struct {
    gint64 rtt;
    guint32 widest;
  } cases[] = {
    { 10, 192 * KIB },          { 512, 192 * KIB },    { MS, 384 * MS },
    { 43 * MS, 43 * 384 * MS }, { 44 * MS, 16 * MIB }, { G_TIME_SPAN_HOUR, 16 * MIB },
  };

  for (unsigned int i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      Side *client = new_reader (NULL, cases[i].rtt, 1);
      VtMuxStream *stream = get_stream (client, 1);

      for (guint32 window = 16 * KIB; window < cases[i].widest; window *= 2)
        {
          expect_window (client, 1, window);
          take_all (client, 1, MAX (cases[i].rtt, MS));
        }
      expect_window (client, 1, cases[i].widest);
      take_all (client, 1, MAX (cases[i].rtt, MS));
      expect_window (client, 1, cases[i].widest);
      g_assert_cmpuint (stream->granted, ==, stream->bytes_received + cases[i].widest);
      side_free (client);
    }
}

/* Streams that drain fast have wider ones, up to a limit. */
static void
test_pace (void)
{
  Side *client = new_reader (NULL, 512, 1);

  for (unsigned int i = 0; i < 100; i++)
    take_all (client, 1, 256);
  expect_window (client, 1, 768 * KIB);
  side_free (client);
}

/* All windows together grow into one half of what there is, and new streams have the other. */
static void
test_budget (void)
{
  VtMuxConfig config;
  Side *client;
  VtMuxV2 *v2;

  vt_mux_config_init (&config, VT_MUX_CLIENT);
  config.max_buffer = 2 * MIB;
  config.max_streams = 64;
  client = new_reader (&config, RTT, 8);
  v2 = vt_mux_v2_get (client->mux);
  for (unsigned int round = 0; round < 60; round++)
    {
      vt_clock_advance (client->clock, RTT);
      for (unsigned int id = 1; id <= 8; id++)
        take_all (client, id, 0);
      g_assert_cmpuint (v2->promised + client->mux->buffered, <=, MIB);
    }
  g_assert_cmpuint (v2->promised, >, MIB * 3 / 4);
  for (unsigned int id = 1; id <= 8; id++)
    g_assert_cmpuint (get_stream (client, id)->window, >=, 64 * KIB);
  side_free (client);
}

/* All streams have taken a little less than lets their limits move, and new ones come: when the
 * limits move after all, it is not too much. */
static void
test_budget_owed (void)
{
  VtMuxConfig config;
  Side *client;
  unsigned int id;

  vt_mux_config_init (&config, VT_MUX_CLIENT);
  config.max_buffer = 2 * MIB;
  config.max_streams = 128;
  client = new_reader (&config, RTT, 8);
  for (unsigned int round = 0; round < 60; round++)
    for (id = 1; id <= 8; id++)
      take_all (client, id, id == 1 ? RTT : 0);
  for (id = 1; id <= 8; id++)
    take (client, id, get_stream (client, id)->window / 4 - 1);
  for (id = 9; id <= 128; id++)
    side_say_frames (client, "OPEN %u on 1", id);
  g_assert_cmpuint (client->users->len, <, 80);
  g_assert_cmpuint (client->users->len, >, 64);
  for (id = 1; id <= 8; id++)
    take (client, id, 1);
  g_assert_cmpuint (vt_mux_v2_get (client->mux)->promised, <=, 2 * MIB);
  for (id = 1; id <= 8; id++)
    side_say_frames (client, "RESET %u failed", id);
  g_assert_cmpuint (vt_mux_v2_get (client->mux)->owed, ==, 0);
  side_free (client);
}

/* What is unread is in the budget, too. */
static void
test_budget_unread (void)
{
  VtMuxConfig config;
  Side *client;

  vt_mux_config_init (&config, VT_MUX_CLIENT);
  config.max_buffer = 64 * KIB;
  config.max_streams = 4;
  client = new_reader (&config, RTT, 2);
  side_say_frames (client, "DATA 2 16384");
  take_all (client, 1, RTT);
  /* Nothing is left of one half. */
  expect_window (client, 1, 16 * KIB);
  side_free (client);
}

/* Nobody knows how long a round trip is, until a credit was answered. */
static void
test_unknown_rtt (void)
{
  Side *client = new_reader (NULL, UNKNOWN, 1);

  take_all (client, 1, RTT);
  expect_window (client, 1, 16 * KIB);
  take_all (client, 1, RTT);
  expect_window (client, 1, 32 * KIB);
  side_free (client);
}

static void
expect_min_trip (Side *side, gint64 trip)
{
  g_assert_cmpint (vt_mux_v2_get (side->mux)->min_trip, ==, trip);
}

/* A credit is answered by the first byte beyond the limit before it. */
static void
test_credit_rtt (void)
{
  Side *client = new_reader (NULL, RTT, 1);

  take (client, 1, 4 * KIB);
  vt_clock_advance (client->clock, 2 * MS);
  take (client, 1, 12 * KIB);
  expect_min_trip (client, UNKNOWN);
  vt_clock_advance (client->clock, MS);
  take (client, 1, 4 * KIB);
  expect_min_trip (client, 3 * MS);
  /* The ping took longer. */
  expect_window (client, 1, 32 * KIB);

  take_all (client, 1, 2 * MS);
  expect_min_trip (client, 2 * MS);
  take_all (client, 1, 5 * MS);
  take_all (client, 1, 5 * MS);
  expect_min_trip (client, 2 * MS);
  side_free (client);
}

/* The shortest round trip counts, and nothing below half a millisecond. */
static void
test_shortest_rtt (void)
{
  Side *client = new_reader (NULL, 10, 1);
  VtMuxConfig config;

  take_all (client, 1, 511);
  expect_window (client, 1, 16 * KIB);
  take_all (client, 1, 1);
  expect_window (client, 1, 32 * KIB);
  side_free (client);

  vt_mux_config_init (&config, VT_MUX_CLIENT);
  client = new_reader (&config, RTT, 1);
  vt_clock_advance (client->clock, 30 * G_TIME_SPAN_SECOND - RTT);
  vt_clock_advance (client->clock, RTT * 20);
  side_say (client, "{\"type\":\"pong\",\"t\":%u}", 30 * G_USEC_PER_SEC);
  g_assert_cmpint (vt_mux_get_rtt (client->mux), ==, RTT * 20);
  take (client, 1, 1);
  take_all (client, 1, RTT);
  expect_window (client, 1, 32 * KIB);
  side_free (client);
}

/* Where the path is short and the queues are full, a window still becomes as wide as the shortest
 * path asks for, and none any wider. */
static void
test_loaded (void)
{
  Side *client = new_reader (NULL, 10 * MS, 1);

  for (guint32 window = 16 * KIB; window < 192 * KIB; window *= 2)
    {
      expect_window (client, 1, window);
      take_all (client, 1, RTT);
    }
  expect_window (client, 1, 256 * KIB);
  take_all (client, 1, 20 * MS);
  expect_window (client, 1, 256 * KIB);
  side_free (client);
}

/* Nobody knows when it drains so little: the queues, or its reader. */
static void
test_loaded_grows_not (void)
{
  Side *client = new_reader (NULL, MS, 1);

  take_all (client, 1, 2 * RTT);
  expect_window (client, 1, 16 * KIB);
  /* In pieces, with pauses: more than half within that time. */
  for (unsigned int i = 0; i < 2; i++)
    {
      vt_clock_advance (client->clock, RTT / 2);
      take (client, 1, 4 * KIB);
      expect_window (client, 1, 16 * KIB);
    }
  vt_clock_advance (client->clock, RTT / 2);
  take (client, 1, 4 * KIB);
  expect_window (client, 1, 16 * KIB);
  vt_clock_advance (client->clock, RTT / 2 - 1);
  take (client, 1, 4 * KIB + 1);
  expect_window (client, 1, 32 * KIB);
  side_free (client);
}

static Side *
new_wide_reader (guint32 window)
{
  Side *client = new_reader (NULL, RTT, 1);

  while (get_stream (client, 1)->window < window)
    take_all (client, 1, RTT);
  expect_window (client, 1, window);
  vt_clock_advance (client->clock, 1);
  g_string_truncate (client->sent, 0);
  return client;
}

/* Who drains a fraction of its window loses half of it each round trip. */
static void
test_shrinks (void)
{
  Side *client = new_wide_reader (256 * KIB);

  vt_clock_advance (client->clock, RTT - 1);
  take (client, 1, 32 * KIB);
  expect_window (client, 1, 256 * KIB);
  vt_clock_advance (client->clock, RTT);
  take (client, 1, 32 * KIB - 1);
  expect_window (client, 1, 128 * KIB);
  vt_clock_advance (client->clock, 2 * RTT);
  take (client, 1, 1);
  expect_window (client, 1, 32 * KIB);
  vt_clock_advance (client->clock, 1000 * RTT);
  take (client, 1, 1);
  expect_window (client, 1, 16 * KIB);
  side_free (client);
}

/* Not within the time that a round trip takes through full queues, however short the path is. */
static void
test_shrinks_late (void)
{
  Side *client = new_reader (NULL, 500, 1);

  for (unsigned int i = 0; i < 4; i++)
    take_all (client, 1, 512);
  expect_window (client, 1, 192 * KIB);
  for (unsigned int i = 0; i < 49; i++)
    {
      vt_clock_advance (client->clock, MS);
      take (client, 1, 1);
    }
  expect_window (client, 1, 192 * KIB);
  vt_clock_advance (client->clock, MS);
  take (client, 1, 192 * KIB / 8 - 50);
  expect_window (client, 1, 96 * KIB);
  side_free (client);
}

/* What it needs in a round trip, it keeps. */
static void
test_shrinks_to_use (void)
{
  Side *client = new_wide_reader (1024 * KIB);

  vt_clock_advance (client->clock, 100 * RTT - 1);
  take (client, 1, 1000 * KIB);
  expect_window (client, 1, 16 * KIB);
  side_free (client);

  client = new_wide_reader (1024 * KIB);
  vt_clock_advance (client->clock, 10 * RTT - 1);
  take (client, 1, 1000 * KIB);
  expect_window (client, 1, 100 * KIB);
  side_free (client);
}

/* A stream that stands still keeps what it was granted, and gets no more until that is used. */
static void
test_stall (void)
{
  Side *client = new_wide_reader (256 * KIB);
  VtMuxStream *stream = get_stream (client, 1);
  guint64 granted = stream->granted;
  VtMuxV2 *v2 = vt_mux_v2_get (client->mux);

  side_say_frames (client, "DATA 1 60000");
  vt_clock_advance (client->clock, 100 * RTT);
  vt_mux_stream_consume (stream, 1);
  expect_window (client, 1, 16 * KIB);
  vt_mux_stream_discard (stream);
  g_assert_cmpuint (stream->granted, ==, granted);
  g_assert_cmpuint (v2->promised, ==, granted - stream->bytes_received);
  expect_sent_soon (client, "");
  take (client, 1, granted - stream->bytes_received - 12 * KIB - 1);
  expect_sent_soon (client, "");
  take (client, 1, 1);
  g_assert_cmpuint (stream->granted, ==, stream->bytes_received + 16 * KIB);
  side_free (client);
}

/* A new stream is refused while there is no room for what it may send. */
static void
test_no_room_client (void)
{
  VtMuxConfig config;
  Side *client;

  vt_mux_config_init (&config, VT_MUX_CLIENT);
  config.max_buffer = 64 * KIB;
  config.max_streams = 4;
  client = new_reader (&config, RTT, 1);
  take_all (client, 1, RTT);
  expect_window (client, 1, 20 * KIB);
  expect_sent_soon (client, "CREDIT 1 36864");
  side_say_frames (client, "OPEN 2 on 1; OPEN 3 on 1; OPEN 4 on 1");
  expect_sent_soon (client, "RESET 4 limit Too many connections");
  side_say_frames (client, "EOF 2; OPEN 5 on 1");
  expect_sent_soon (client, "");
  g_assert_cmpuint (client->users->len, ==, 4);
  side_free (client);
}

static void
test_no_room_server (void)
{
  g_autoptr(GError) error = NULL;
  VtMuxConfig config;
  Side *server;

  vt_mux_config_init (&config, VT_MUX_SERVER);
  config.max_buffer = 64 * KIB;
  config.max_streams = 4;
  server = side_new_v2 (VT_MUX_SERVER, &config);
  vt_clock_advance (server->clock, RTT);
  side_say (server, "{\"type\":\"pong\",\"t\":0}");
  side_open (server, 1);
  side_say_frames (server, "OPENED 1");
  take_all (server, 1, RTT);
  expect_window (server, 1, 20 * KIB);
  side_open (server, 1);
  side_open (server, 1);
  vt_clock_advance (server->clock, 1);
  g_string_truncate (server->sent, 0);
  g_assert_null (vt_mux_open_stream (server->mux, 1, NULL, NULL, &error));
  g_assert_error (error, VT_ERROR, VT_ERROR_LIMIT);
  expect_sent_soon (server, "");
  side_say_frames (server, "RESET 2 failed");
  g_assert_cmpuint (vt_mux_stream_get_id (side_open (server, 1)->stream), ==, 4);
  side_free (server);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/mux-v2/credit/quarter", test_quarter);
  g_test_add_func ("/mux-v2/credit/together", test_together);
  g_test_add_func ("/mux-v2/credit/none", test_none);
  g_test_add_func ("/mux-v2/credit/tiny", test_tiny);
  g_test_add_func ("/mux-v2/window/grows", test_grows);
  g_test_add_func ("/mux-v2/window/stops", test_stops);
  g_test_add_func ("/mux-v2/window/pace", test_pace);
  g_test_add_func ("/mux-v2/window/budget", test_budget);
  g_test_add_func ("/mux-v2/window/budget-owed", test_budget_owed);
  g_test_add_func ("/mux-v2/window/budget-unread", test_budget_unread);
  g_test_add_func ("/mux-v2/window/unknown-rtt", test_unknown_rtt);
  g_test_add_func ("/mux-v2/window/credit-rtt", test_credit_rtt);
  g_test_add_func ("/mux-v2/window/shortest-rtt", test_shortest_rtt);
  g_test_add_func ("/mux-v2/window/loaded", test_loaded);
  g_test_add_func ("/mux-v2/window/loaded/grows-not", test_loaded_grows_not);
  g_test_add_func ("/mux-v2/window/shrinks", test_shrinks);
  g_test_add_func ("/mux-v2/window/shrinks-late", test_shrinks_late);
  g_test_add_func ("/mux-v2/window/shrinks-to-use", test_shrinks_to_use);
  g_test_add_func ("/mux-v2/window/stall", test_stall);
  g_test_add_func ("/mux-v2/window/no-room-client", test_no_room_client);
  g_test_add_func ("/mux-v2/window/no-room-server", test_no_room_server);
  return g_test_run ();
}
