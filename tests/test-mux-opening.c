/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "mux-pair.h"
#include "vt-error.h"
#include "vt-mux-internal-private.h"

#define SECOND ((gint64) G_USEC_PER_SEC)
#define RESET_OF(id) "RESET " id " timed-out The client did not answer in time"

/* The server's streams whose client does not answer. Nobody is pinged: a client that says nothing
 * at all would be missed first. */
static Side *
new_server (unsigned int max_opening)
{
  VtMuxConfig config;
  Side *server;

  vt_mux_config_init (&config, VT_MUX_SERVER);
  config.ping_interval = 0;
  config.max_opening = max_opening;
  server = side_new_v2 (VT_MUX_SERVER, &config);
  return server;
}

static void
pass (Side *server, gint64 microseconds)
{
  vt_clock_advance (server->clock, microseconds);
}

static void
open_streams (Side *server, unsigned int n)
{
  for (unsigned int i = 0; i < n; i++)
    side_open (server, 1);
  pass (server, 1);
  g_string_truncate (server->sent, 0);
  g_string_truncate (server->heard, 0);
}

static void
expect_timed_out (Side *server, unsigned int index)
{
  User *user = side_get_user (server, index);

  user_expect (user, "C");
  g_assert_error (user->error, VT_ERROR, VT_ERROR_TIMED_OUT);
}

/* In 45 s and no sooner; where others were there before, a third of it later at the most. */
static void
test_timeout (void)
{
  Side *server = new_server (1024);

  open_streams (server, 1);
  pass (server, SECOND);
  open_streams (server, 1);
  pass (server, 44 * SECOND - 10);
  side_expect_sent (server, "");
  pass (server, 10);
  side_expect_sent (server, RESET_OF ("1"));
  expect_timed_out (server, 0);
  pass (server, 15 * SECOND - 20);
  side_expect_sent (server, "");
  pass (server, 20);
  side_expect_sent (server, RESET_OF ("2"));
  expect_timed_out (server, 1);
  g_assert_cmpuint (vt_mux_get_n_streams (server->mux), ==, 0);

  /* What was on its way is no error. */
  side_say_frames (server, "OPENED 1; DATA 1 9; RESET 2 failed");
  pass (server, 1);
  side_expect_sent (server, "");
  side_expect_heard (server, "");

  /* When there was nobody for a while, it begins anew. */
  pass (server, 100 * SECOND);
  open_streams (server, 1);
  pass (server, 45 * SECOND - 10);
  side_expect_sent (server, "");
  pass (server, 10);
  side_expect_sent (server, RESET_OF ("3"));
  side_free (server);
}

/* Those that were answered stay, and those that came late. */
static void
test_others_stay (void)
{
  Side *server = new_server (1024);

  open_streams (server, 3);
  side_say_frames (server, "OPENED 1; RESET 2 target-refused");
  pass (server, 30 * SECOND);
  open_streams (server, 1);
  pass (server, 30 * SECOND);
  side_expect_sent (server, RESET_OF ("3"));
  user_expect (side_get_user (server, 0), "o");
  user_expect (side_get_user (server, 1), "C");
  expect_timed_out (server, 2);
  user_expect (side_get_user (server, 3), "");
  side_say_frames (server, "OPENED 4");
  pass (server, 1000 * SECOND);
  side_expect_sent (server, "");
  g_assert_cmpuint (vt_mux_get_n_streams (server->mux), ==, 2);
  side_free (server);
}

/* Users who wait outside are let in when those who held the places are gone. */
static void
test_makes_room (void)
{
  Side *server = new_server (2);

  open_streams (server, 2);
  pass (server, 45 * SECOND);
  side_expect_heard (server, "not crowded");
  side_open (server, 1);
  side_free (server);
}

static void
leave_cb (gboolean crowded, void *user_data)
{
  for (unsigned int i = 0; i < 4 && !crowded; i++)
    vt_mux_stream_reset (side_get_user (user_data, i)->stream, NULL);
}

/* Whoever hears of the room may end what was to end next. */
static void
test_ended_meanwhile (void)
{
  Side *server = new_server (4);

  open_streams (server, 4);
  server->mux->handlers.crowded = leave_cb;
  pass (server, 60 * SECOND);
  g_assert_cmpuint (vt_mux_get_n_streams (server->mux), ==, 0);
  g_assert_cmpuint (server->mux->n_opening, ==, 0);
  side_free (server);
}

/* A client that is lost for a while has the whole time again when it is back. */
static void
test_suspended (void)
{
  Side *server = new_server (1024);

  open_streams (server, 1);
  pass (server, 44 * SECOND);
  vt_mux_suspend (server->mux);
  open_streams (server, 1);
  pass (server, 1000 * SECOND);
  vt_mux_resume (server->mux);
  pass (server, 45 * SECOND - 10);
  user_expect (side_get_user (server, 0), "");
  pass (server, 20);
  expect_timed_out (server, 0);
  expect_timed_out (server, 1);
  side_free (server);
}

/* v1 cannot say that a target has answered. */
static void
test_v1 (void)
{
  Side *client, *server;

  pair_new (&client, &server);
  client->lazy = TRUE;
  side_open (server, 1);
  pair_settle (client, server);
  for (unsigned int i = 0; i < 10; i++)
    {
      pass (server, 20 * SECOND);
      pair_settle (client, server);
    }
  g_assert_cmpuint (vt_mux_get_n_streams (server->mux), ==, 1);
  pair_free (client, server);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/mux/opening/timeout", test_timeout);
  g_test_add_func ("/mux/opening/others-stay", test_others_stay);
  g_test_add_func ("/mux/opening/makes-room", test_makes_room);
  g_test_add_func ("/mux/opening/ended-meanwhile", test_ended_meanwhile);
  g_test_add_func ("/mux/opening/suspended", test_suspended);
  g_test_add_func ("/mux/opening/v1", test_v1);
  return g_test_run ();
}
