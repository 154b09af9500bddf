/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "mux-pair.h"

#define SECOND ((gint64) G_USEC_PER_SEC)
#define MIB (1024 * 1024)
#define PING "{\"type\":\"ping\"}"

static Side *
new_side (VtMuxRole role)
{
  g_autoptr(VtClock) clock = vt_clock_new_fake ();

  return side_new (role, clock, NULL);
}

static void
test_pings (void)
{
  Side *client = new_side (VT_MUX_CLIENT);
  Side *server = new_side (VT_MUX_SERVER);

  for (unsigned int i = 0; i < 5; i++)
    {
      vt_clock_advance (client->clock, 30 * SECOND - 1);
      side_expect_sent (client, "");
      vt_clock_advance (client->clock, 1);
      side_expect_sent (client, PING);
      vt_mux_note_alive (client->mux);
    }
  vt_clock_advance (server->clock, 44 * SECOND);
  side_expect_sent (server, "");
  side_free (client);
  side_free (server);
}

static void
test_rtt (void)
{
  Side *client = new_side (VT_MUX_CLIENT);

  g_assert_cmpint (vt_mux_get_rtt (client->mux), ==, -1);
  side_say (client, "{\"type\":\"pong\"}");
  vt_clock_advance (client->clock, 30 * SECOND + 25000);
  side_say (client, "{\"type\":\"pong\"}");
  side_expect_heard (client, "rtt 25000");
  g_assert_cmpint (vt_mux_get_rtt (client->mux), ==, 25000);
  side_say (client, "{\"type\":\"pong\"}");
  side_expect_heard (client, "");

  /* The answer to the second ping comes after the third was sent, and so do the others. */
  vt_clock_advance (client->clock, 30 * SECOND);
  vt_mux_note_alive (client->mux);
  vt_clock_advance (client->clock, 30 * SECOND);
  side_say (client, "{\"type\":\"pong\"}");
  side_expect_heard (client, "rtt 30025000");
  vt_clock_advance (client->clock, 30 * SECOND);
  side_say (client, "{\"type\":\"pong\"}");
  side_expect_heard (client, "");
  side_say (client, "{\"type\":\"pong\"}");
  side_expect_heard (client, "rtt 25000");
  side_free (client);
}

static void
check_dead (VtMuxRole role)
{
  Side *side = new_side (role);

  vt_clock_advance (side->clock, 45 * SECOND - 1);
  side_expect_heard (side, "");
  side_say (side, "{\"type\":\"nothing\"}");
  g_assert_cmpint (vt_mux_get_last_seen (side->mux), ==, 45 * SECOND - 1);
  vt_clock_advance (side->clock, 20 * SECOND);
  vt_mux_note_alive (side->mux);
  vt_clock_advance (side->clock, 45 * SECOND - 1);
  side_expect_heard (side, "");
  vt_clock_advance (side->clock, 2);
  side_expect_heard (side, "silent");
  g_assert_null (side->mux);
  side_free (side);
}

static void
test_dead_peer (void)
{
  check_dead (VT_MUX_CLIENT);
  check_dead (VT_MUX_SERVER);
}

/* Who was stopped gives the other side the time for an answer, but only once for a silence. */
static void
check_stopped (VtMuxRole role)
{
  Side *side = new_side (role);

  vt_clock_oversleep (side->clock, 60 * SECOND);
  vt_clock_advance (side->clock, 15 * SECOND - 1);
  side_expect_heard (side, "");
  vt_mux_note_alive (side->mux);
  vt_clock_oversleep (side->clock, 60 * SECOND);
  vt_clock_advance (side->clock, 15 * SECOND - 1);
  side_expect_heard (side, "");
  vt_clock_oversleep (side->clock, SECOND);
  vt_clock_advance (side->clock, 0);
  side_expect_heard (side, "silent");
  side_free (side);
}

static void
test_stopped (void)
{
  check_stopped (VT_MUX_CLIENT);
  check_stopped (VT_MUX_SERVER);
}

static void
test_off (void)
{
  g_autoptr(VtClock) clock = vt_clock_new_fake ();
  VtMuxConfig config;
  Side *client;

  vt_mux_config_init (&config, VT_MUX_CLIENT);
  config.ping_interval = 0;
  client = side_new (VT_MUX_CLIENT, clock, &config);
  vt_clock_advance (clock, 86400 * SECOND);
  side_expect_sent (client, "");
  side_expect_heard (client, "");
  side_free (client);
}

/* Between the failure and its telling nothing is handed out, and nothing is lost in memory. */
static void
test_nothing_after_failure (void)
{
  g_autoptr(GError) error = NULL;
  Side *server = new_side (VT_MUX_SERVER);
  User *user;
  size_t space;

  side_say (server, "{\"type\":\"listen\",\"port\":8080}");
  vt_mux_listen_accept (server->mux, 1, NULL, 8080);
  user = side_open (server, 1);
  server->queued = 8 * MIB;
  side_say (server, "{\"type\":\"ping\"}");
  g_string_truncate (server->heard, 0);
  g_string_truncate (server->sent, 0);
  side_say (server, "{\"type\":\"listen\",\"port\":8081}");
  side_say_data (server, 1, 10);
  g_assert_null (vt_mux_open_stream (server->mux, 1, NULL, NULL, &error));
  g_assert_nonnull (error);
  g_assert_null (vt_mux_stream_begin_write (user->stream, &space));
  vt_mux_stream_shutdown (user->stream);
  side_expect_sent (server, "");
  side_expect_heard (server, "");
  vt_clock_advance (server->clock, 1);
  side_expect_heard (server, "failed limit");
  side_free (server);
}

static void
test_while_paused (void)
{
  Side *client = new_side (VT_MUX_CLIENT);
  User *user;

  vt_mux_listen (client->mux, 1, &(VtMuxListen){ .port = 8080 });
  client->lazy = client->quiet = TRUE;
  side_say (client, "{\"type\":\"listen_ok\",\"port\":8080}");
  side_say (client, "{\"type\":\"connect\",\"port\":8080,\"stream_id\":1}");
  user = side_get_user (client, 0);
  vt_clock_advance (client->clock, 30 * SECOND);
  side_say_data (client, 1, MIB);
  g_assert_false (client->reading);
  g_string_truncate (client->sent, 0);
  g_string_truncate (client->heard, 0);

  /* The ping that was on its way says nothing any more, others go on. */
  side_say (client, "{\"type\":\"pong\"}");
  vt_clock_advance (client->clock, 180 * SECOND);
  side_expect_heard (client, "");
  side_expect_sent (client, PING "\n" PING "\n" PING "\n" PING "\n" PING "\n" PING);
  vt_mux_stream_consume (user->stream, MIB);
  g_assert_true (client->reading);

  /* Then it begins anew. */
  vt_clock_advance (client->clock, 45 * SECOND - 1);
  side_expect_heard (client, "");
  vt_clock_advance (client->clock, 2);
  side_expect_heard (client, "silent");
  side_free (client);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/mux/keepalive/pings", test_pings);
  g_test_add_func ("/mux/keepalive/rtt", test_rtt);
  g_test_add_func ("/mux/keepalive/dead-peer", test_dead_peer);
  g_test_add_func ("/mux/keepalive/stopped", test_stopped);
  g_test_add_func ("/mux/keepalive/off", test_off);
  g_test_add_func ("/mux/keepalive/nothing-after-failure", test_nothing_after_failure);
  g_test_add_func ("/mux/keepalive/while-paused", test_while_paused);
  return g_test_run ();
}
