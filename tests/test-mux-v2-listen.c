/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "mux-pair.h"

#include "vt-error.h"

#define SECOND G_TIME_SPAN_SECOND

static Side *
new_side (VtMuxRole role, gint64 ping_interval)
{
  g_autoptr(VtClock) clock = vt_clock_new_fake ();
  VtMuxConfig config;

  vt_mux_config_init (&config, role);
  config.protocol = 2;
  config.ping_interval = ping_interval;
  return side_new (role, clock, &config);
}

/* One that does not ping. */
static Side *
new_quiet_side (VtMuxRole role)
{
  Side *side = new_side (role, 0);

  side_greet (side, NULL);
  g_string_truncate (side->sent, 0);
  return side;
}

static void
refuse (Side *server, guint32 id, VtError code, const char *message)
{
  g_autoptr(GError) error = g_error_new_literal (VT_ERROR, (int) code, message);

  vt_mux_listen_refuse (server->mux, id, error, 0);
}

/* All that can be asked for arrives. */
static void
test_dialogue (void)
{
  static const char *const names[] = { "a.example", "b.example", NULL };
  Side *client, *server;

  pair_new_v2 (&client, &server, NULL);
  vt_mux_listen (client->mux, 2, &(VtMuxListen){ .address = "::1", .port = 80 });
  vt_mux_listen (client->mux, 4, &(VtMuxListen){ .kind = VT_CONTROL_KIND_HTTP, .names = names });
  vt_mux_listen (client->mux, 5, &(VtMuxListen){ .kind = VT_CONTROL_KIND_NONE });
  vt_mux_listen (client->mux, 6, &(VtMuxListen){ .port = 0 });
  pair_settle (client, server);
  side_expect_heard (server, "listen_requested 2 80 at ::1\n"
                             "listen_requested 4 0 kind 1 for a.example for b.example\n"
                             "listen_requested 5 0 kind 2\n"
                             "listen_requested 6 0");
  vt_mux_listen_accept (server->mux, 6, NULL, 4711);
  refuse (server, 2, VT_ERROR_ADDRESS_IN_USE, "Taken\nby another");
  refuse (server, 4, VT_ERROR_NOT_AUTHORISED, "So");
  vt_mux_listen_accept (server->mux, 5, "192.0.2.1", 1);
  pair_settle (client, server);
  side_expect_heard (client, "listen_ok 6 4711 confirmed\n"
                             "listen_failed 2 address-in-use Taken\\nby another\n"
                             "listen_failed 4 not-authorised So\n"
                             "listen_ok 5 1 confirmed at 192.0.2.1");

  /* An answer counts once. */
  refuse (server, 6, VT_ERROR_FAILED, "No");
  vt_mux_listen_accept (server->mux, 6, NULL, 4712);
  vt_mux_listen_accept (server->mux, 2, NULL, 4712);
  vt_mux_listen_accept (server->mux, 99, NULL, 4712);
  refuse (server, 99, VT_ERROR_FAILED, "No");
  pair_settle (client, server);
  side_expect_heard (client, "");
  pair_free (client, server);
}

/* When it may work, where that is known, is the other side's to say. */
static void
test_retry_after (void)
{
  g_autoptr(GError) full = g_error_new_literal (VT_ERROR, VT_ERROR_LIMIT, "Full");
  Side *client = new_quiet_side (VT_MUX_CLIENT), *server = new_quiet_side (VT_MUX_SERVER);

  server->quiet = TRUE;
  side_say (server, "{\"type\":\"listen\",\"id\":1,\"port\":80}");
  vt_mux_listen_refuse (server->mux, 1, full, 30);
  side_expect_sent (server, "{\"type\":\"listen_err\",\"id\":1,\"code\":\"limit\","
                            "\"error\":\"Full\",\"retry_after\":30}");
  vt_mux_listen (client->mux, 1, &(VtMuxListen){ .port = 80 });
  side_say (client, "{\"type\":\"listen_err\",\"id\":1,\"code\":\"limit\",\"error\":\"Full\","
                    "\"retry_after\":4294967295}");
  side_expect_heard (client, "listen_failed 1 limit Full in 4294967295 s");
  side_free (client);
  side_free (server);
}

static void
test_unlisten (void)
{
  g_autoptr(GError) error = NULL;
  Side *client, *server;
  User *user;

  pair_new_v2 (&client, &server, NULL);
  user = side_open (server, 1);
  pair_settle (client, server);
  side_expect_heard (client, "stream_opened 1 on 1");
  g_assert_true (vt_mux_unlisten (client->mux, 1));
  g_assert_true (vt_mux_unlisten (client->mux, 1));
  g_assert_false (vt_mux_unlisten (client->mux, 2));
  side_expect_heard (client, "");
  pair_settle (client, server);
  side_expect_heard (server, "unlistened 1");
  side_expect_heard (client, "unlisten_done 1");
  g_assert_false (vt_mux_unlisten (client->mux, 1));
  g_assert_null (vt_mux_open_stream (server->mux, 1, NULL, NULL, &error));
  g_assert_error (error, VT_ERROR, VT_ERROR_CANCELLED);
  /* Streams go on. */
  user_write (user, 50000);
  pair_settle (client, server);
  user_expect_received (side_get_user (client, 0), 1, 50000);
  pair_free (client, server);
}

/* Whoever is the first, nobody is told of a port that nobody wants. */
static void
test_unlisten_early (void)
{
  g_autoptr(GError) error = NULL;
  Side *client, *server;

  pair_new_v2 (&client, &server, NULL);
  /* Before the request was seen, before it was answered, and while the answer is on its way. */
  vt_mux_listen (client->mux, 2, &(VtMuxListen){ .port = 80 });
  g_assert_true (vt_mux_unlisten (client->mux, 2));
  vt_mux_listen (client->mux, 3, &(VtMuxListen){ .port = 80 });
  vt_mux_listen (client->mux, 4, &(VtMuxListen){ .port = 80 });
  vt_mux_listen (client->mux, 5, &(VtMuxListen){ .port = 80 });
  pair_settle (client, server);
  g_assert_null (vt_mux_open_stream (server->mux, 3, NULL, NULL, &error));
  g_assert_error (error, VT_ERROR, VT_ERROR_CANCELLED);
  vt_mux_listen_accept (server->mux, 4, NULL, 81);
  refuse (server, 5, VT_ERROR_LIMIT, "No");
  for (guint32 id = 3; id <= 5; id++)
    g_assert_true (vt_mux_unlisten (client->mux, id));
  side_deliver (server, G_MAXUINT);
  vt_mux_listen_accept (server->mux, 2, NULL, 81);
  vt_mux_listen_accept (server->mux, 3, NULL, 81);
  pair_settle (client, server);
  side_expect_heard (server, "listen_requested 2 80\nunlistened 2\n"
                             "listen_requested 3 80\nlisten_requested 4 80\nlisten_requested 5 80\n"
                             "unlistened 3\nunlistened 4");
  side_expect_heard (client, "unlisten_done 2\nunlisten_done 3\nunlisten_done 4\nunlisten_done 5");
  pair_free (client, server);
}

/* A server that does not answer. */
static void
test_timeouts (void)
{
  Side *client = new_quiet_side (VT_MUX_CLIENT);

  vt_mux_listen (client->mux, 1, &(VtMuxListen){ .port = 80 });
  vt_mux_listen (client->mux, 2, &(VtMuxListen){ .port = 81 });
  side_say (client, "{\"type\":\"listen_ok\",\"id\":2,\"port\":81}");
  side_expect_heard (client, "listen_ok 2 81 confirmed");
  g_string_truncate (client->sent, 0);
  vt_clock_advance (client->clock, 30 * SECOND - 1);
  side_expect_heard (client, "");
  vt_clock_advance (client->clock, 1);
  side_expect_heard (client, "listen_failed 1 timed-out The server does not answer");
  side_expect_sent (client, "{\"type\":\"unlisten\",\"id\":1}");
  side_say (client, "{\"type\":\"listen_ok\",\"id\":1,\"port\":80}");
  side_say (client, "{\"type\":\"unlisten_ok\",\"id\":1}");
  g_assert_true (vt_mux_unlisten (client->mux, 2));
  side_expect_heard (client, "");
  vt_clock_advance (client->clock, 30 * SECOND - 1);
  side_expect_heard (client, "");
  g_assert_true (vt_mux_unlisten (client->mux, 2));
  vt_clock_advance (client->clock, 1);
  side_expect_heard (client, "unlisten_done 2");
  side_say (client, "{\"type\":\"unlisten_ok\",\"id\":2}");
  vt_clock_advance (client->clock, 3600 * SECOND);
  side_expect_heard (client, "");
  side_expect_sent (client, "{\"type\":\"unlisten\",\"id\":2}");
  side_free (client);
}

/* A port that was open, and that the server has lost; and answers to nothing. */
static void
test_lost (void)
{
  Side *client = side_new_v2 (VT_MUX_CLIENT, NULL);

  side_say (client, "{\"type\":\"unlisten_ok\",\"id\":1}");
  side_say (client, "{\"type\":\"listen_ok\",\"id\":1,\"port\":8081}");
  side_say (client, "{\"type\":\"listen_ok\",\"id\":3,\"port\":8081}");
  side_say (client, "{\"type\":\"listen_err\",\"id\":3,\"code\":\"limit\"}");
  side_expect_heard (client, "");
  side_say (client, "{\"type\":\"listen_err\",\"id\":1,\"code\":\"later-word\"}");
  side_expect_heard (client, "listen_failed 1 failed The server refuses the port");
  g_assert_false (vt_mux_unlisten (client->mux, 1));
  side_expect_sent (client, "");
  side_free (client);
}

/* Streams come only where somebody listens. */
static void
test_open_elsewhere (void)
{
  Side *client = side_new_v2 (VT_MUX_CLIENT, NULL);

  vt_mux_listen (client->mux, 2, &(VtMuxListen){ .port = 80 });
  side_say_frames (client, "OPEN 1 on 2; OPEN 2 on 3; OPEN 3 on 1; DATA 1 10; DATA 2 10");
  vt_mux_unlisten (client->mux, 1);
  g_string_truncate (client->sent, 0);
  side_expect_heard (client, "stream_opened 3 on 1");
  side_say_frames (client, "OPEN 4 on 1");
  vt_clock_advance (client->clock, 1);
  side_expect_sent (client, "RESET 4 cancelled Nothing listens there any more");
  side_free (client);
}

static void
test_server_bounds (void)
{
  Side *server = new_quiet_side (VT_MUX_SERVER);

  server->quiet = TRUE;
  side_say (server, "{\"type\":\"unlisten\",\"id\":1}");
  side_expect_sent (server, "{\"type\":\"unlisten_ok\",\"id\":1}");
  for (unsigned int id = 1; id <= 1024; id++)
    side_say (server, "{\"type\":\"listen\",\"id\":%u,\"port\":80}", id);
  side_expect_sent (server, "");
  side_say (server, "{\"type\":\"listen\",\"id\":2000,\"port\":80}");
  side_expect_sent (server, "{\"type\":\"listen_err\",\"id\":2000,\"code\":\"limit\","
                            "\"error\":\"Too many requests are waiting for an answer\"}");
  /* Each that is answered, however, or taken back makes room for one. */
  vt_mux_listen_accept (server->mux, 1, NULL, 80);
  refuse (server, 2, VT_ERROR_FAILED, "No");
  side_say (server, "{\"type\":\"unlisten\",\"id\":3}");
  side_say (server, "{\"type\":\"unlisten\",\"id\":1}");
  g_string_truncate (server->sent, 0);
  for (unsigned int id = 2001; id <= 2003; id++)
    side_say (server, "{\"type\":\"listen\",\"id\":%u,\"port\":80}", id);
  side_expect_sent (server, "");
  side_say (server, "{\"type\":\"listen\",\"id\":2004,\"port\":80}");
  g_assert_cmpuint (server->sent->len, >, 0);
  side_expect_heard (server, "unlistened 3\nunlistened 1");
  side_free (server);
}

/* An id is good once: neither one that was taken back or refused, nor one below. */
static void
test_ids (void)
{
  static const char *const wrong[] = { "5", "4", "3" };

  for (size_t i = 0; i < G_N_ELEMENTS (wrong); i++)
    {
      Side *server = new_quiet_side (VT_MUX_SERVER);

      server->quiet = TRUE;
      side_say (server, "{\"type\":\"listen\",\"id\":4,\"port\":80}");
      refuse (server, 4, VT_ERROR_FAILED, "No");
      side_say (server, "{\"type\":\"listen\",\"id\":5,\"port\":80}");
      side_say (server, "{\"type\":\"unlisten\",\"id\":5}");
      side_expect_heard (server, "unlistened 5");
      side_say (server, "{\"type\":\"listen\",\"id\":%s,\"port\":80}", wrong[i]);
      vt_clock_advance (server->clock, 10);
      side_expect_heard (server, "failed protocol");
      side_free (server);
    }
}

/* Both sides ping when they have met, and each interval from then on. */
static void
test_pings (void)
{
  for (VtMuxRole role = VT_MUX_CLIENT; role <= VT_MUX_SERVER; role++)
    {
      Side *side = new_side (role, 30 * SECOND);

      vt_clock_advance (side->clock, 31 * SECOND);
      side_expect_sent (side, "");
      side_greet (side, NULL);
      side_expect_sent (side, "{\"type\":\"ping\",\"t\":31000000}");
      for (unsigned int i = 1; i < 4; i++)
        {
          g_autofree char *ping =
              g_strdup_printf ("{\"type\":\"ping\",\"t\":%u000000}", 31 + 30 * i);

          vt_mux_note_alive (side->mux);
          vt_clock_advance (side->clock, 30 * SECOND - 1);
          side_expect_sent (side, "");
          vt_clock_advance (side->clock, 1);
          side_expect_sent (side, ping);
        }
      vt_clock_advance (side->clock, 16 * SECOND);
      side_expect_heard (side, "silent");
      side_free (side);
    }
}

static void
say_pong (Side *side, gint64 t)
{
  side_say (side, "{\"type\":\"pong\",\"t\":%" G_GINT64_FORMAT "}", t);
}

static void
test_rtt (void)
{
  Side *side = new_side (VT_MUX_CLIENT, 30 * SECOND);

  vt_clock_advance (side->clock, 7);
  say_pong (side, 0);
  side_greet (side, NULL);
  vt_clock_advance (side->clock, 25000);
  say_pong (side, 6);
  say_pong (side, 8);
  say_pong (side, -7);
  side_expect_heard (side, "");
  g_assert_cmpint (vt_mux_get_rtt (side->mux), ==, -1);
  say_pong (side, 7);
  side_expect_heard (side, "rtt 25000");
  say_pong (side, 7);
  side_expect_heard (side, "");
  g_assert_cmpint (vt_mux_get_rtt (side->mux), ==, 25000);

  /* An answer that comes after the next ping says nothing of that. */
  vt_clock_advance (side->clock, 30 * SECOND - 25000);
  vt_mux_note_alive (side->mux);
  vt_clock_advance (side->clock, 30 * SECOND);
  say_pong (side, 7 + 30 * SECOND);
  side_expect_heard (side, "");
  vt_clock_advance (side->clock, 10);
  say_pong (side, 7 + 60 * SECOND);
  side_expect_heard (side, "rtt 10");
  side_free (side);
}

/* Without pings the round-trip time is measured all the same, and nobody is taken for dead. */
static void
test_no_pings (void)
{
  Side *side = new_side (VT_MUX_SERVER, 0);

  side_greet (side, NULL);
  side_expect_sent (side, "{\"type\":\"ping\",\"t\":0}");
  vt_clock_advance (side->clock, 10);
  say_pong (side, 0);
  side_expect_heard (side, "rtt 10");
  vt_clock_advance (side->clock, 24 * 3600 * SECOND);
  side_expect_sent (side, "");
  side_expect_heard (side, "");
  side_free (side);
}

/* What is asked is answered, with what was asked. */
static void
test_pong (void)
{
  Side *side = new_quiet_side (VT_MUX_SERVER);

  side_say (side, "{\"type\":\"ping\",\"t\":-17}");
  side_expect_sent (side, "{\"type\":\"pong\",\"t\":-17}");
  side_free (side);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/mux-v2/listen/dialogue", test_dialogue);
  g_test_add_func ("/mux-v2/listen/retry-after", test_retry_after);
  g_test_add_func ("/mux-v2/listen/ids", test_ids);
  g_test_add_func ("/mux-v2/listen/unlisten", test_unlisten);
  g_test_add_func ("/mux-v2/listen/unlisten-early", test_unlisten_early);
  g_test_add_func ("/mux-v2/listen/timeouts", test_timeouts);
  g_test_add_func ("/mux-v2/listen/lost", test_lost);
  g_test_add_func ("/mux-v2/listen/open-elsewhere", test_open_elsewhere);
  g_test_add_func ("/mux-v2/listen/server-bounds", test_server_bounds);
  g_test_add_func ("/mux-v2/keepalive/pings", test_pings);
  g_test_add_func ("/mux-v2/keepalive/rtt", test_rtt);
  g_test_add_func ("/mux-v2/keepalive/no-pings", test_no_pings);
  g_test_add_func ("/mux-v2/keepalive/pong", test_pong);
  return g_test_run ();
}
