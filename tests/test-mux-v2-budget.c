/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "window-reader.h"

#include "vt-error.h"

/* What all windows of a session have together. */

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

/* On a short path: what they share, and the least of it. */
#define SHORT 512
#define SHARED (32 * 384 * 1000)
#define WIDEST (192 * KIB)
#define LEAST (32 * KIB)

static size_t
get_share (unsigned int n)
{
  return 16 * KIB + SHARED / n;
}

/* In so many round trips. */
static void
take_from (Side *side, unsigned int first, unsigned int last, gint64 rtt, unsigned int n_trips)
{
  for (unsigned int trip = 0; trip < n_trips; trip++)
    for (unsigned int id = first; id <= last; id++)
      take_all (side, id, id == first ? rtt : 0);
}

static void
expect_windows (Side *side, unsigned int first, unsigned int last, size_t least, size_t most)
{
  for (unsigned int id = first; id <= last; id++)
    {
      g_assert_cmpuint (get_stream (side, id)->window, >=, least);
      g_assert_cmpuint (get_stream (side, id)->window, <=, most);
    }
}

/* So many have as much as one alone, and one more makes it less. */
static void
test_share (void)
{
  Side *client = new_reader (NULL, SHORT, 68);

  take_from (client, 1, 68, SHORT, 12);
  expect_windows (client, 1, 68, WIDEST, WIDEST);
  side_free (client);

  client = new_reader (NULL, SHORT, 69);
  take_from (client, 1, 69, SHORT, 12);
  expect_windows (client, 1, 69, get_share (69) * 9 / 10, get_share (69));
  g_assert_cmpuint (vt_mux_v2_get (client->mux)->promised, <=, 69 * get_share (69));
  side_free (client);
}

/* Those who have not used theirs count no more than if they were not there. */
static void
test_share_idle (void)
{
  Side *client = new_reader (NULL, SHORT, 1000);

  take_from (client, 1000, 1000, SHORT, 4);
  expect_windows (client, 1000, 1000, WIDEST, WIDEST);
  side_free (client);
}

/* Nor do those who have left. */
static void
test_share_left (void)
{
  Side *client = new_reader (NULL, SHORT, 100);

  take_from (client, 1, 100, SHORT, 12);
  for (unsigned int id = 1; id <= 80; id++)
    side_say_frames (client, id % 2 == 0 ? "EOF %u" : "RESET %u failed", id);
  g_assert_cmpuint (vt_mux_v2_get (client->mux)->n_wide, ==, 20);
  take_from (client, 81, 100, SHORT, 4);
  expect_windows (client, 81, 100, WIDEST, WIDEST);
  side_free (client);
}

/* Who was there first has no more than who comes later. */
static void
test_share_late (void)
{
  Side *client = new_reader (NULL, SHORT, 128);

  take_from (client, 1, 64, SHORT, 6);
  expect_windows (client, 1, 64, WIDEST, WIDEST);
  take_from (client, 1, 128, SHORT, 12);
  expect_windows (client, 1, 128, get_share (128) * 9 / 10, get_share (128));
  side_free (client);
}

/* Who stands still with it all leaves little for the others, but each some. */
static void
test_share_stalled (void)
{
  Side *client = new_reader (NULL, SHORT, 200);

  take_from (client, 1, 68, SHORT, 12);
  for (unsigned int id = 1; id <= 68; id++)
    side_say_frames (client, "DATA %u 65536; DATA %u 65536; DATA %u 65536", id, id, id);
  take_from (client, 69, 200, SHORT, 6);
  expect_windows (client, 1, 68, WIDEST, WIDEST);
  expect_windows (client, 69, 200, LEAST, LEAST);
  side_free (client);
}

static void
leave_unread (Side *side, unsigned int id)
{
  for (guint32 left = get_stream (side, id)->window; left > 0; left -= MIN (left, 64 * KIB))
    side_say_frames (side, "DATA %u %u", id, MIN (left, 64 * KIB));
}

/* Beside fifty who stand still, one has as much as alone on a fast machine. */
static void
test_share_fast (void)
{
  Side *client = new_reader (NULL, SHORT, 51);

  take_from (client, 1, 50, SHORT, 6);
  for (unsigned int id = 1; id <= 50; id++)
    leave_unread (client, id);
  take_from (client, 51, 51, SHORT / 2, 120);
  expect_windows (client, 1, 50, WIDEST, WIDEST);
  expect_windows (client, 51, 51, 4 * WIDEST, 4 * WIDEST);
  side_free (client);
}

/* Those who grew so fast and stand still then leave something to a few that come later. */
static void
test_share_stalled_fast (void)
{
  Side *client = new_reader (NULL, SHORT, 20);
  unsigned int id = 0;

  do
    {
      id++;
      take_from (client, id, id, SHORT / 2, id == 1 ? 100 : 30);
      leave_unread (client, id);
    }
  while (get_stream (client, id)->window >= 2 * WIDEST);
  g_assert_cmpuint (id, >, 10);
  take_from (client, id + 1, id + 3, SHORT, 8);
  expect_windows (client, id + 1, id + 3, WIDEST, SHARED / 64 + 16 * KIB);
  side_free (client);
}

/* 69 of them, whose share it is that binds on the shortest path. */
static guint32
get_narrowest (gint64 rtt)
{
  Side *client = new_reader (NULL, rtt, 69);
  guint32 narrowest = G_MAXUINT32;

  take_from (client, 1, 69, rtt, 10);
  for (unsigned int id = 1; id <= 69; id++)
    narrowest = MIN (narrowest, get_stream (client, id)->window);
  side_free (client);
  return narrowest;
}

/* There is more of it from a millisecond on. */
static void
test_share_long_path (void)
{
  g_assert_cmpuint (get_narrowest (MS), <=, get_share (69));
  g_assert_cmpuint (get_narrowest (MS * 3 / 2), >, get_share (69) * 5 / 4);
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
  g_test_add_func ("/mux-v2/budget/half", test_budget);
  g_test_add_func ("/mux-v2/budget/owed", test_budget_owed);
  g_test_add_func ("/mux-v2/budget/unread", test_budget_unread);
  g_test_add_func ("/mux-v2/budget/share", test_share);
  g_test_add_func ("/mux-v2/budget/share/idle", test_share_idle);
  g_test_add_func ("/mux-v2/budget/share/left", test_share_left);
  g_test_add_func ("/mux-v2/budget/share/late", test_share_late);
  g_test_add_func ("/mux-v2/budget/share/stalled", test_share_stalled);
  g_test_add_func ("/mux-v2/budget/share/fast", test_share_fast);
  g_test_add_func ("/mux-v2/budget/share/stalled-fast", test_share_stalled_fast);
  g_test_add_func ("/mux-v2/budget/share/long-path", test_share_long_path);
  g_test_add_func ("/mux-v2/budget/no-room-client", test_no_room_client);
  g_test_add_func ("/mux-v2/budget/no-room-server", test_no_room_server);
  return g_test_run ();
}
