/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "mux-pair.h"

#define SECOND G_TIME_SPAN_SECOND
#define PATIENCE (5 * SECOND)
#define MIB (1024 * 1024)

/* A question of its own to the other side, outside of the usual ones. */

static Side *
new_side (VtMuxRole role, unsigned int protocol)
{
  g_autoptr(VtClock) clock = NULL;

  if (protocol == 2)
    return side_new_v2 (role, NULL);
  clock = vt_clock_new_fake ();
  return side_new (role, clock, NULL);
}

/* In v1 only a client asks so; a server's link does it. */
static void
expect_asked (Side *side, VtMuxRole role)
{
  g_autofree char *ping = side->protocol == 1
                              ? g_strdup ("{\"type\":\"ping\"}")
                              : g_strdup_printf ("{\"type\":\"ping\",\"t\":%" G_GINT64_FORMAT "}",
                                                 vt_clock_get_time (side->clock));

  side_expect_sent (side, side->protocol == 2 || role == VT_MUX_CLIENT ? ping : "");
}

static void
check_silence (VtMuxRole role, unsigned int protocol)
{
  Side *side = new_side (role, protocol);

  vt_clock_advance (side->clock, SECOND);
  vt_mux_probe (side->mux, PATIENCE);
  expect_asked (side, role);
  vt_clock_advance (side->clock, PATIENCE - 1);
  side_expect_heard (side, "");
  vt_clock_advance (side->clock, 1);
  side_expect_heard (side, "silent");
  side_free (side);
}

static void
check_life (VtMuxRole role, unsigned int protocol)
{
  Side *side = new_side (role, protocol);

  for (unsigned int i = 0; i < 3; i++)
    {
      vt_clock_advance (side->clock, SECOND);
      vt_mux_probe (side->mux, PATIENCE);
      expect_asked (side, role);
      vt_clock_advance (side->clock, PATIENCE - 1);
      vt_mux_note_alive (side->mux);
      vt_clock_advance (side->clock, PATIENCE);
      side_expect_heard (side, "");
      side_expect_sent (side, "");
    }
  side_free (side);
}

static void
for_each_kind (void (*check) (VtMuxRole role, unsigned int protocol))
{
  for (unsigned int protocol = 1; protocol <= 2; protocol++)
    {
      check (VT_MUX_CLIENT, protocol);
      check (VT_MUX_SERVER, protocol);
    }
}

static void
test_silence (void)
{
  for_each_kind (check_silence);
}

static void
test_life (void)
{
  for_each_kind (check_life);
}

/* The answer gives the round-trip time, and the next usual ping is an interval after this one. */
static void
test_ping (void)
{
  Side *client = new_side (VT_MUX_CLIENT, 2);

  vt_clock_advance (client->clock, 20 * SECOND);
  vt_mux_probe (client->mux, PATIENCE);
  expect_asked (client, VT_MUX_CLIENT);
  vt_clock_advance (client->clock, 700);
  side_say (client, "{\"type\":\"pong\",\"t\":20000000}");
  side_expect_heard (client, "rtt 700");
  vt_clock_advance (client->clock, 30 * SECOND - 701);
  side_expect_sent (client, "");
  vt_clock_advance (client->clock, 1);
  expect_asked (client, VT_MUX_CLIENT);
  side_free (client);
}

/* Whoever does not ping otherwise does it this once. */
static void
test_without_pings (void)
{
  VtMuxConfig config;
  Side *client;

  vt_mux_config_init (&config, VT_MUX_CLIENT);
  config.ping_interval = 0;
  client = side_new_v2 (VT_MUX_CLIENT, &config);
  vt_clock_advance (client->clock, SECOND);
  vt_mux_probe (client->mux, PATIENCE);
  expect_asked (client, VT_MUX_CLIENT);
  vt_mux_note_alive (client->mux);
  vt_clock_advance (client->clock, 3600 * SECOND);
  side_expect_sent (client, "");
  side_expect_heard (client, "");
  side_free (client);
}

/* Another question while the first stands neither asks nor gives more time. */
static void
test_twice (void)
{
  Side *client = new_side (VT_MUX_CLIENT, 2);

  vt_clock_advance (client->clock, SECOND);
  vt_mux_probe (client->mux, PATIENCE);
  expect_asked (client, VT_MUX_CLIENT);
  vt_clock_advance (client->clock, 3 * SECOND);
  vt_mux_probe (client->mux, PATIENCE);
  side_expect_sent (client, "");
  vt_clock_advance (client->clock, 2 * SECOND);
  side_expect_heard (client, "silent");
  side_free (client);
}

/* Who was stopped has not listened meanwhile: the whole time again, but only once for a silence. */
static void
check_stopped (VtMuxRole role, unsigned int protocol)
{
  Side *side = new_side (role, protocol);

  vt_clock_advance (side->clock, SECOND);
  vt_mux_probe (side->mux, PATIENCE);
  expect_asked (side, role);
  vt_clock_oversleep (side->clock, PATIENCE + SECOND);
  vt_clock_advance (side->clock, PATIENCE - 1);
  side_expect_heard (side, "");
  vt_clock_oversleep (side->clock, SECOND);
  vt_clock_advance (side->clock, 0);
  side_expect_heard (side, "silent");
  side_free (side);
}

static void
check_stopped_and_life (VtMuxRole role, unsigned int protocol)
{
  Side *side = new_side (role, protocol);

  for (unsigned int i = 0; i < 2; i++)
    {
      vt_clock_advance (side->clock, SECOND);
      vt_mux_probe (side->mux, PATIENCE);
      expect_asked (side, role);
      vt_clock_oversleep (side->clock, PATIENCE + SECOND);
      vt_clock_advance (side->clock, 1);
      vt_mux_note_alive (side->mux);
      vt_clock_advance (side->clock, 2 * PATIENCE);
      side_expect_heard (side, "");
    }
  side_free (side);
}

static void
test_stopped (void)
{
  for_each_kind (check_stopped);
  for_each_kind (check_stopped_and_life);
}

/* Without a link there is nobody to ask, and what was asked over the last one is not waited for. */
static void
test_suspended (void)
{
  Side *client = new_side (VT_MUX_CLIENT, 2);

  vt_mux_suspend (client->mux);
  vt_mux_probe (client->mux, PATIENCE);
  vt_clock_advance (client->clock, 3600 * SECOND);
  side_expect_sent (client, "");
  vt_mux_resume (client->mux);
  expect_asked (client, VT_MUX_CLIENT);
  vt_clock_advance (client->clock, PATIENCE);
  side_expect_heard (client, "");

  vt_mux_probe (client->mux, PATIENCE);
  expect_asked (client, VT_MUX_CLIENT);
  vt_mux_suspend (client->mux);
  vt_clock_advance (client->clock, 3600 * SECOND);
  vt_mux_resume (client->mux);
  vt_clock_advance (client->clock, 2 * PATIENCE);
  side_expect_heard (client, "");
  side_free (client);
}

/* Who does not read cannot hear. */
static void
test_paused (void)
{
  Side *client = new_side (VT_MUX_CLIENT, 1);

  vt_mux_listen (client->mux, 1, &(VtMuxListen){ .port = 8080 });
  client->lazy = client->quiet = TRUE;
  side_say (client, "{\"type\":\"listen_ok\",\"port\":8080}");
  side_say (client, "{\"type\":\"connect\",\"port\":8080,\"stream_id\":1}");
  side_say_data (client, 1, MIB);
  g_assert_false (client->reading);
  g_string_truncate (client->heard, 0);
  vt_clock_advance (client->clock, SECOND);
  vt_mux_probe (client->mux, PATIENCE);
  vt_clock_advance (client->clock, 2 * PATIENCE);
  side_expect_heard (client, "");
  side_free (client);
}

static void
test_failed (void)
{
  Side *client = new_side (VT_MUX_CLIENT, 2);

  vt_clock_advance (client->clock, SECOND);
  vt_mux_probe (client->mux, PATIENCE);
  expect_asked (client, VT_MUX_CLIENT);
  side_say (client, "nonsense");
  vt_mux_probe (client->mux, PATIENCE);
  side_expect_sent (client, "");
  vt_clock_advance (client->clock, 2 * PATIENCE);
  side_expect_heard (client, "failed protocol");
  side_free (client);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/mux/probe/silence", test_silence);
  g_test_add_func ("/mux/probe/life", test_life);
  g_test_add_func ("/mux/probe/ping", test_ping);
  g_test_add_func ("/mux/probe/without-pings", test_without_pings);
  g_test_add_func ("/mux/probe/twice", test_twice);
  g_test_add_func ("/mux/probe/stopped", test_stopped);
  g_test_add_func ("/mux/probe/suspended", test_suspended);
  g_test_add_func ("/mux/probe/paused", test_paused);
  g_test_add_func ("/mux/probe/failed", test_failed);
  return g_test_run ();
}
