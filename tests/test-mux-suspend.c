/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "mux-pair.h"

#include <string.h>

#include "vt-error.h"
#include "vt-mux-v2-private.h"

/* A mux without a link, and with another one. */

#define SECOND G_TIME_SPAN_SECOND
#define MSEC G_TIME_SPAN_MILLISECOND
#define KIB ((size_t) 1024)

static void
expect_ping (Side *side)
{
  g_autofree char *ping = g_strdup_printf ("{\"type\":\"ping\",\"t\":%" G_GINT64_FORMAT "}",
                                           vt_clock_get_time (side->clock));

  side_expect_sent (side, ping);
}

static void
check_no_keepalive (VtMuxRole role)
{
  Side *side = side_new_v2 (role, NULL);

  vt_clock_advance (side->clock, 29 * SECOND);
  vt_mux_suspend (side->mux);
  vt_mux_suspend (side->mux);
  vt_clock_advance (side->clock, 3600 * SECOND);
  side_expect_sent (side, "");
  side_expect_heard (side, "");
  vt_mux_resume (side->mux);
  g_assert_cmpint (vt_mux_get_last_seen (side->mux), ==, 3629 * SECOND);
  expect_ping (side);
  vt_mux_resume (side->mux);
  side_expect_sent (side, "");

  /* The whole patience, though nothing was heard for an hour. */
  vt_clock_advance (side->clock, 30 * SECOND);
  expect_ping (side);
  vt_clock_advance (side->clock, 15 * SECOND - 1);
  side_expect_heard (side, "");
  vt_clock_advance (side->clock, 1);
  side_expect_heard (side, "silent");
  side_free (side);
}

static void
test_no_keepalive (void)
{
  check_no_keepalive (VT_MUX_CLIENT);
  check_no_keepalive (VT_MUX_SERVER);
}

/* Whoever is not there has not failed to answer. */
static void
test_no_answer_timeouts (void)
{
  VtMuxConfig config;
  Side *client;

  vt_mux_config_init (&config, VT_MUX_CLIENT);
  config.ping_interval = 0;
  client = side_new_v2 (VT_MUX_CLIENT, &config);
  vt_mux_listen (client->mux, 2, &(VtMuxListen){ .port = 80 });
  g_assert_true (vt_mux_unlisten (client->mux, 1));
  vt_clock_advance (client->clock, 30 * SECOND - 1);
  vt_mux_suspend (client->mux);
  vt_mux_listen (client->mux, 3, &(VtMuxListen){ .port = 81 });
  vt_mux_listen (client->mux, 4, &(VtMuxListen){ .port = 82 });
  g_assert_true (vt_mux_unlisten (client->mux, 4));
  vt_clock_advance (client->clock, 3600 * SECOND);
  side_expect_heard (client, "");
  vt_mux_resume (client->mux);
  vt_clock_advance (client->clock, 30 * SECOND - 1);
  side_expect_heard (client, "");
  side_say (client, "{\"type\":\"unlisten_ok\",\"id\":1}");
  side_expect_heard (client, "unlisten_done 1");
  side_say (client, "{\"type\":\"listen_ok\",\"id\":3,\"port\":81}");
  side_expect_heard (client, "listen_ok 3 81 confirmed");
  vt_clock_advance (client->clock, 1);
  /* In the order of a table. */
  g_assert_nonnull (strstr (client->heard->str, "listen_failed 2 timed-out"));
  g_assert_nonnull (strstr (client->heard->str, "unlisten_done 4"));
  g_string_truncate (client->heard, 0);

  /* One that is answered waits for nothing, then as before. */
  vt_mux_suspend (client->mux);
  vt_mux_resume (client->mux);
  vt_clock_advance (client->clock, 3600 * SECOND);
  side_expect_heard (client, "");
  side_free (client);
}

static void
say_pong (Side *side, gint64 t)
{
  side_say (side, "{\"type\":\"pong\",\"t\":%" G_GINT64_FORMAT "}", t);
}

/* The path may be another one: what is known of the old one is forgotten where it would bind. */
static void
test_rtt_anew (void)
{
  Side *side = side_new_v2 (VT_MUX_SERVER, NULL);
  gint64 resumed_at;

  vt_clock_advance (side->clock, 10);
  say_pong (side, 0);
  side_expect_heard (side, "rtt 10");
  vt_clock_advance (side->clock, 30 * SECOND - 10);
  vt_mux_suspend (side->mux);
  g_assert_cmpint (vt_mux_get_rtt (side->mux), ==, 10);
  vt_clock_advance (side->clock, 100 * SECOND);
  resumed_at = vt_clock_get_time (side->clock);
  vt_mux_resume (side->mux);
  g_assert_cmpint (side->mux->min_rtt, ==, -1);

  /* The answer to the last one over the link before. */
  say_pong (side, 30 * SECOND);
  side_expect_heard (side, "");
  vt_clock_advance (side->clock, 5000);
  say_pong (side, resumed_at);
  side_expect_heard (side, "rtt 5000");
  g_assert_cmpint (side->mux->min_rtt, ==, 5000);
  g_assert_cmpint (vt_mux_get_rtt (side->mux), ==, 5000);
  side_free (side);
}

/* What happens meanwhile is handed out as ever, for whoever keeps it. */
static void
test_handed_out (void)
{
  g_autoptr(GError) error = g_error_new_literal (VT_ERROR, VT_ERROR_LIMIT, "So");
  Side *server = side_new_v2 (VT_MUX_SERVER, NULL);
  User *user;

  vt_mux_suspend (server->mux);
  user = side_open (server, 1);
  vt_clock_advance (server->clock, 1);
  side_expect_sent (server, "OPEN 1 on 1");
  vt_mux_stream_reset (user->stream, error);
  vt_clock_advance (server->clock, 1);
  side_expect_sent (server, "RESET 1 limit So");
  user = side_open (server, 1);
  vt_mux_stream_shutdown (user->stream);
  vt_clock_advance (server->clock, 1);
  side_expect_sent (server, "OPEN 2 on 1; EOF 2");
  vt_mux_send_goaway (server->mux, "enough", 1);
  side_expect_sent (server, "{\"type\":\"goaway\",\"reason\":\"enough\",\"timeout\":1}");
  side_free (server);
}

static size_t
count_frames (Side *side, VtBinaryType type)
{
  return side->book.n_frames[type];
}

/* Bytes wait for a link, and nothing else does. */
static void
test_behind_without_link (void)
{
  Side *client, *server;
  User *near[3], *far[3], *late;

  pair_new_v2 (&client, &server, NULL);
  for (unsigned int i = 0; i < 3; i++)
    far[i] = side_open (server, 1);
  pair_settle (client, server);
  for (unsigned int i = 0; i < 3; i++)
    near[i] = side_get_user (client, i);
  near[0]->reads = FALSE;
  user_write (far[0], 10 * KIB);
  pair_settle (client, server);
  pair_cut (client, server);
  memset (client->book.n_frames, 0, sizeof client->book.n_frames);
  memset (server->book.n_frames, 0, sizeof server->book.n_frames);

  user_write (far[0], 100);
  user_write (far[1], 100);
  user_write (near[1], 100);
  user_read_all (near[0]);
  vt_mux_stream_shutdown (near[0]->stream);
  vt_mux_stream_reset (far[2]->stream, NULL);
  late = side_open (server, 1);
  user_write (late, 100);
  vt_clock_advance (server->clock, 3600 * SECOND);
  g_assert_cmpuint (count_frames (server, VT_BINARY_DATA), ==, 0);
  g_assert_cmpuint (count_frames (client, VT_BINARY_DATA), ==, 0);
  g_assert_cmpuint (count_frames (client, VT_BINARY_CREDIT), ==, 0);
  g_assert_cmpuint (count_frames (client, VT_BINARY_EOF), ==, 1);
  g_assert_cmpuint (count_frames (server, VT_BINARY_RESET), ==, 1);
  g_assert_cmpuint (count_frames (server, VT_BINARY_OPEN), ==, 1);

  pair_mend (client, server);
  vt_clock_advance (client->clock, 0);
  g_assert_cmpuint (count_frames (client, VT_BINARY_CREDIT), ==, 1);
  pair_settle (client, server);
  near[0]->reads = TRUE;
  user_read_all (near[0]);
  user_expect_received (near[0], 1, 10 * KIB + 100);
  user_expect_received (near[1], 2, 100);
  user_expect_received (far[1], 2, 100);
  user_expect_received (side_get_user (client, 3), 4, 100);
  g_assert_error (near[2]->error, VT_ERROR, VT_ERROR_CANCELLED);
  g_assert_true (vt_mux_stream_at_end (far[0]->stream));
  pair_free (client, server);
}

/* Nor do they leave before what was lost has. */
static void
test_behind_with_link (void)
{
  Side *client, *server;
  User *far[20], *late;
  size_t n_data;

  pair_new_v2 (&client, &server, NULL);
  for (unsigned int i = 0; i < G_N_ELEMENTS (far); i++)
    far[i] = side_open (server, 1);
  pair_settle (client, server);
  for (unsigned int i = 0; i < G_N_ELEMENTS (far); i++)
    user_write (far[i], 16 * KIB);
  vt_clock_advance (server->clock, 1);
  g_assert_cmpuint (server->queued, >=, 128 * KIB);
  n_data = count_frames (server, VT_BINARY_DATA);
  pair_cut (client, server);
  late = side_open (server, 1);
  user_write (late, 100);
  vt_clock_advance (server->clock, 1);

  pair_mend (client, server);
  g_assert_true (vt_replay_is_behind (server->replay));
  g_assert_cmpuint (server->queued, >=, 128 * KIB);
  vt_clock_advance (server->clock, 10);
  g_assert_cmpuint (count_frames (server, VT_BINARY_DATA), ==, n_data);
  /* Room for what is behind, and then for what waits. */
  side_deliver (client, 2);
  g_assert_false (vt_replay_is_behind (server->replay));
  vt_clock_advance (server->clock, 10);
  g_assert_cmpuint (count_frames (server, VT_BINARY_DATA), >, n_data);
  pair_settle (client, server);
  for (unsigned int i = 0; i < G_N_ELEMENTS (far); i++)
    user_expect_received (side_get_user (client, i), i + 1, 16 * KIB);
  user_expect_received (side_get_user (client, G_N_ELEMENTS (far)), late->seed, 100);
  pair_free (client, server);
}

/* What was written, and had not left yet, is behind what was lost: it has no place of its own in
 * the queue of the next link. */
static void
test_behind_batched (void)
{
  Side *client, *server;
  User *far[16];

  pair_new_v2 (&client, &server, NULL);
  for (unsigned int i = 0; i < G_N_ELEMENTS (far); i++)
    far[i] = side_open (server, 1);
  pair_settle (client, server);
  server->endless = TRUE;
  for (unsigned int i = 0; i < G_N_ELEMENTS (far); i++)
    user_write (far[i], 16 * KIB);
  server->endless = FALSE;
  g_assert_cmpuint (server->mux->batched, >, 0);

  pair_cut (client, server);
  pair_mend (client, server);
  vt_clock_advance (server->clock, 10);
  g_assert_true (vt_replay_is_behind (server->replay));
  g_assert_cmpuint (server->queued, <, 256 * KIB);
  pair_settle (client, server);
  for (unsigned int i = 0; i < G_N_ELEMENTS (far); i++)
    user_expect_received (side_get_user (client, i), i + 1, 16 * KIB);
  pair_free (client, server);
}

/* Users who come and go without a link leave their traces in what is kept. */
static void
test_too_much_kept (void)
{
  g_autoptr(GError) error = NULL;
  VtMuxConfig config;
  VtMuxStream *stream = NULL;
  Side *client, *server;
  size_t kept;

  vt_mux_config_init (&config, VT_MUX_SERVER);
  config.max_buffer = 128 * KIB;
  config.max_streams = 4;
  pair_new_v2 (&client, &server, &config);
  pair_cut (client, server);
  while ((stream = vt_mux_open_stream (server->mux, 1, NULL, NULL, &error)) != NULL)
    {
      vt_mux_stream_reset (stream, NULL);
      vt_clock_advance (server->clock, 1);
      g_assert_cmpuint (vt_replay_get_kept (server->replay), <, 130 * KIB);
    }
  g_assert_error (error, VT_ERROR, VT_ERROR_LIMIT);
  kept = vt_replay_get_kept (server->replay);
  g_assert_cmpuint (kept, >, 128 * KIB);
  g_assert_null (vt_mux_open_stream (server->mux, 1, NULL, NULL, NULL));
  vt_clock_advance (server->clock, 1);
  g_assert_cmpuint (vt_replay_get_kept (server->replay), ==, kept);

  pair_mend (client, server);
  pair_settle (client, server);
  vt_clock_advance (server->clock, 100 * MSEC);
  pair_settle (client, server);
  g_assert_cmpuint (vt_replay_get_kept (server->replay), ==, 0);
  side_open (server, 1);
  pair_free (client, server);
}

/* All that streams can say while there is nobody to hear it, each in a message of its own: that is
 * bounded too, and the other side is not blamed for it. */
static void
test_traces (void)
{
  g_autofree char *reason = g_strnfill (123, 'x');
  g_autoptr(GError) error = g_error_new_literal (VT_ERROR, VT_ERROR_LIMIT, reason);
  const unsigned int n = 16384;
  VtMuxConfig config;
  Side *client, *server;

  vt_mux_config_init (&config, VT_MUX_SERVER);
  config.max_buffer = KIB * KIB;
  config.max_streams = config.max_opening = n;
  pair_new_v2 (&client, &server, &config);
  for (unsigned int i = 0; i < n; i++)
    side_open (server, 1);
  pair_settle (client, server);
  for (unsigned int i = 0; i < n; i++)
    {
      side_get_user (server, i)->reads = FALSE;
      user_write (side_get_user (client, i), 64);
    }
  pair_settle (client, server);
  pair_cut (client, server);
  for (unsigned int i = 0; i < 6 * n; i++)
    {
      VtMuxStream *stream = side_get_user (server, i % n)->stream;

      if (i < 4 * n)
        vt_mux_stream_consume (stream, 16);
      else if (i < 5 * n)
        vt_mux_stream_shutdown (stream);
      else
        vt_mux_stream_reset (stream, error);
      vt_clock_advance (server->clock, 1);
    }
  g_assert_cmpuint (vt_replay_get_kept (server->replay), >, config.max_buffer + 4 * KIB * KIB);
  g_assert_cmpuint (vt_replay_get_kept (server->replay), <, config.max_buffer + n * KIB / 2);
  g_string_truncate (server->heard, 0);

  pair_mend (client, server);
  side_deliver (server, 1);
  vt_clock_advance (server->clock, 1);
  side_expect_heard (server, "");
  pair_settle (client, server);
  g_assert_nonnull (server->mux);
  pair_free (client, server);
}

/* A listen and its answer, each while the other side is not there. */
static void
test_requests (void)
{
  Side *client, *server;

  pair_new_v2 (&client, &server, NULL);
  pair_cut (client, server);
  vt_mux_listen (client->mux, 2, &(VtMuxListen){ .port = 80 });
  vt_clock_advance (client->clock, 100 * SECOND);
  pair_mend (client, server);
  side_deliver (server, G_MAXUINT);
  side_expect_heard (server, "listen_requested 2 80");
  pair_cut (client, server);
  vt_mux_listen_accept (server->mux, 2, NULL, 8080);
  vt_clock_advance (client->clock, 100 * SECOND);
  side_expect_heard (client, "");
  pair_mend (client, server);
  pair_settle (client, server);
  side_expect_heard (client, "listen_ok 2 8080 confirmed\nrtt 2");
  pair_free (client, server);
}

/* The owner suspends it because of the silence, or lets it go (as all other tests have it). */
static void
test_silent_then_suspended (void)
{
  Side *client = side_new_v2 (VT_MUX_CLIENT, NULL);

  client->suspends = TRUE;
  vt_clock_advance (client->clock, 45 * SECOND);
  side_expect_heard (client, "silent");
  g_string_truncate (client->sent, 0);
  vt_clock_advance (client->clock, 3600 * SECOND);
  side_expect_heard (client, "");
  side_expect_sent (client, "");
  vt_mux_resume (client->mux);
  expect_ping (client);
  vt_clock_advance (client->clock, 1);
  vt_mux_probe (client->mux, 5 * SECOND);
  vt_clock_advance (client->clock, 5 * SECOND);
  side_expect_heard (client, "silent");
  vt_clock_advance (client->clock, 3600 * SECOND);
  side_expect_heard (client, "");
  side_free (client);
}

/* A failure that is told when there is no link any more. */
static void
test_failed_then_suspended (void)
{
  Side *server = side_new_v2 (VT_MUX_SERVER, NULL);

  side_say (server, "nonsense");
  vt_mux_suspend (server->mux);
  vt_mux_resume (server->mux);
  side_expect_sent (server, "");
  side_expect_heard (server, "");
  vt_clock_advance (server->clock, 1);
  side_expect_heard (server, "failed protocol");
  side_free (server);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/mux/suspend/no-keepalive", test_no_keepalive);
  g_test_add_func ("/mux/suspend/no-answer-timeouts", test_no_answer_timeouts);
  g_test_add_func ("/mux/suspend/rtt-anew", test_rtt_anew);
  g_test_add_func ("/mux/suspend/handed-out", test_handed_out);
  g_test_add_func ("/mux/suspend/behind/without-link", test_behind_without_link);
  g_test_add_func ("/mux/suspend/behind/with-link", test_behind_with_link);
  g_test_add_func ("/mux/suspend/behind/batched", test_behind_batched);
  g_test_add_func ("/mux/suspend/too-much-kept", test_too_much_kept);
  g_test_add_func ("/mux/suspend/traces", test_traces);
  g_test_add_func ("/mux/suspend/requests", test_requests);
  g_test_add_func ("/mux/suspend/silent", test_silent_then_suspended);
  g_test_add_func ("/mux/suspend/failed", test_failed_then_suspended);
  return g_test_run ();
}
