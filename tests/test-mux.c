/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "mux-pair.h"

#include <string.h>

#include "vt-error-private.h"

static void
test_open_data_close (void)
{
  Side *client, *server;
  User *a, *b;

  pair_new (&client, &server);
  a = side_open (server, 1);
  g_assert_cmpuint (vt_mux_stream_get_id (a->stream), ==, 1);
  pair_settle (client, server);
  side_expect_heard (client, "stream_opened 1 on 1");
  user_expect (a, "o");
  b = side_get_user (client, 0);

  a->seed = 7;
  b->seed = 8;
  user_write (a, 100000);
  user_write (b, 50000);
  pair_settle (client, server);
  user_expect_received (a, 8, 50000);
  user_expect_received (b, 7, 100000);
  g_assert_cmpuint (vt_mux_stream_get_bytes_sent (a->stream), ==, 100000);
  g_assert_cmpuint (vt_mux_stream_get_bytes_received (b->stream), ==, 100000);
  g_assert_cmpuint (vt_mux_get_n_streams (server->mux), ==, 1);
  g_assert_false (vt_mux_stream_can_half_close (a->stream));
  g_string_truncate (a->heard, 0);
  g_string_truncate (b->heard, 0);

  /* What was written before arrives before the end. */
  user_write (a, 1000);
  vt_mux_stream_shutdown (a->stream);
  user_expect (a, "");
  g_assert_cmpuint (vt_mux_get_n_streams (server->mux), ==, 0);
  pair_settle (client, server);
  user_expect (a, "rc");
  user_expect (b, "rrc");
  user_expect_received (b, 7, 101000);
  g_assert_true (vt_mux_stream_at_end (b->stream));
  g_assert_cmpuint (vt_mux_get_n_streams (client->mux), ==, 0);
  user_listen (a);
  pair_settle (client, server);
  user_expect (a, "rc");
  pair_free (client, server);
}

static Side *
client_with_port (VtClock *clock)
{
  Side *self = side_new (VT_MUX_CLIENT, clock, NULL);

  vt_mux_listen (self->mux, 1, &(VtMuxListen){ .port = 8080 });
  side_say (self, "{\"type\":\"listen_ok\",\"port\":8080}");
  side_expect_sent (self, "{\"type\":\"listen\",\"port\":8080}");
  side_expect_heard (self, "listen_ok 1 8080 confirmed");
  return self;
}

static void
test_close_echo (void)
{
  g_autoptr(VtClock) clock = vt_clock_new_fake ();
  Side *client = client_with_port (clock);
  User *user;

  side_say (client, "{\"type\":\"connect\",\"port\":8080,\"stream_id\":5}");
  user = side_get_user (client, 0);
  side_say_data (client, 5, 3);
  user_expect (user, "r");
  side_say (client, "{\"type\":\"close\",\"stream_id\":5}");
  side_expect_sent (client, "{\"type\":\"close\",\"stream_id\":5}");
  user_expect (user, "rc");

  /* It is gone: nothing is answered twice, and nothing more is sent. */
  side_say (client, "{\"type\":\"close\",\"stream_id\":5}");
  side_say_data (client, 5, 3);
  vt_clock_advance (clock, 1);
  user_expect (user, "");
  vt_mux_stream_shutdown (user->stream);
  vt_mux_stream_reset (user->stream, NULL);
  side_expect_sent (client, "");
  g_assert_cmpuint (user->received->len, ==, 3);
  side_free (client);
}

/* Events come in their order, even where the peer is quicker than the main loop. */
static void
test_order (void)
{
  g_autoptr(VtClock) clock = vt_clock_new_fake ();
  Side *server = side_new (VT_MUX_SERVER, clock, NULL);
  User *user;

  side_say (server, "{\"type\":\"listen\",\"port\":8080}");
  vt_mux_listen_accept (server->mux, 1, NULL, 8080);
  user = side_open (server, 1);
  side_say_data (server, 1, 5);
  user_expect (user, "");
  vt_clock_advance (clock, 1);
  user_expect (user, "or");
  side_free (server);
}

static void
test_own_close (void)
{
  g_autoptr(VtClock) clock = vt_clock_new_fake ();
  Side *client = client_with_port (clock);
  User *user;

  client->lazy = TRUE;
  side_say (client, "{\"type\":\"connect\",\"port\":8080,\"stream_id\":5}");
  user = side_get_user (client, 0);
  user_listen (user);
  vt_mux_stream_accept (user->stream);
  side_say_data (client, 5, 3000);
  vt_mux_stream_shutdown (user->stream);
  vt_mux_stream_shutdown (user->stream);
  side_expect_sent (client, "{\"type\":\"close\",\"stream_id\":5}");
  side_say (client, "{\"type\":\"close\",\"stream_id\":5}");
  side_say_data (client, 5, 3);
  side_expect_sent (client, "");

  /* What had come stays there to be read, by whoever listens last too. */
  user_expect (user, "r");
  vt_clock_advance (clock, 1);
  user_expect (user, "rc");
  user_listen (user);
  user_expect (user, "");
  g_assert_false (vt_mux_stream_at_end (user->stream));
  vt_clock_advance (clock, 1);
  user_expect (user, "rc");
  user_read_all (user);
  g_assert_cmpuint (user->received->len, ==, 3000);
  g_assert_true (vt_mux_stream_at_end (user->stream));
  side_free (client);
}

static void
test_unknown (void)
{
  g_autoptr(VtClock) clock = vt_clock_new_fake ();
  Side *client = client_with_port (clock);
  Side *server = side_new (VT_MUX_SERVER, clock, NULL);

  side_say_data (client, 5, 3);
  side_say (client, "{\"type\":\"close\",\"stream_id\":5}");
  side_say (client, "{\"type\":\"close\"}");
  side_say (client, "{\"type\":\"listen\",\"port\":9000}");
  side_say (client, "{\"type\":\"ping\"}");
  side_say (client, "{\"type\":\"pong\"}");
  side_say (client, "{\"type\":\"hello\"}");
  side_say (client, "{\"type\":\"connect\",\"port\":8080}");
  side_expect_sent (client, "");
  side_say (client, "{\"type\":\"connect\",\"port\":8081,\"stream_id\":6}");
  side_expect_sent (client, "{\"type\":\"close\",\"stream_id\":6}");
  side_expect_heard (client, "");

  side_say_data (server, 5, 3);
  side_say (server, "{\"type\":\"close\",\"stream_id\":5}");
  side_say (server, "{\"type\":\"connect\",\"port\":8080,\"stream_id\":5}");
  side_say (server, "{\"type\":\"listen_ok\",\"port\":8080}");
  side_say (server, "{\"type\":\"unlisten\",\"port\":8080}");
  side_say (server, "{\"type\":\"unlisten\"}");
  side_say (server, "{\"type\":\"pong\"}");
  side_expect_sent (server, "");
  side_expect_heard (server, "");
  side_free (client);
  side_free (server);
}

/* A connection with the number of one that lives does not replace it. */
static void
test_same_number (void)
{
  g_autoptr(VtClock) clock = vt_clock_new_fake ();
  Side *client = client_with_port (clock);

  side_say (client, "{\"type\":\"connect\",\"port\":8080,\"stream_id\":5}");
  side_expect_heard (client, "stream_opened 5 on 1");
  side_say (client, "{\"type\":\"connect\",\"port\":8080,\"stream_id\":5}");
  side_expect_heard (client, "");
  side_expect_sent (client, "");
  side_say_data (client, 5, 3);
  user_expect (side_get_user (client, 0), "r");
  side_free (client);
}

static void
test_before_accept (void)
{
  g_autoptr(VtClock) clock = vt_clock_new_fake ();
  Side *client = client_with_port (clock);
  User *user;

  client->lazy = TRUE;
  side_say (client, "{\"type\":\"connect\",\"port\":8080,\"stream_id\":5}");
  side_say_data (client, 5, 2000);
  side_say_data (client, 5, 5);
  user = side_get_user (client, 0);
  user_listen (user);
  user_expect (user, "");
  vt_clock_advance (clock, 1);
  user_expect (user, "r");

  /* Nothing is written before it is accepted; then comes the turn that was asked for. */
  user_write (user, 3);
  side_expect_sent (client, "");
  vt_mux_stream_accept (user->stream);
  side_expect_sent (client, "");
  user_expect (user, "");
  vt_clock_advance (clock, 1);
  user_expect (user, "w");
  g_assert_cmpuint (user->written, ==, 3);
  user_read_all (user);
  g_assert_cmpuint (user->received->len, ==, 2005);
  side_free (client);
}

static void
test_early_reset (void)
{
  g_autoptr(VtClock) clock = vt_clock_new_fake ();
  g_autoptr(GError) error = g_error_new_literal (VT_ERROR, VT_ERROR_TARGET_REFUSED, "no");
  Side *client = client_with_port (clock);
  User *user;

  client->lazy = TRUE;
  side_say (client, "{\"type\":\"connect\",\"port\":8080,\"stream_id\":5}");
  side_say_data (client, 5, 2000);
  user = side_get_user (client, 0);
  user_listen (user);
  user_write (user, 100);
  vt_mux_stream_reset (user->stream, error);
  vt_clock_advance (clock, 10);
  user_expect (user, "");
  vt_mux_stream_reset (user->stream, error);
  vt_mux_stream_accept (user->stream);
  side_expect_sent (client, "{\"type\":\"close\",\"stream_id\":5}");
  side_say (client, "{\"type\":\"close\",\"stream_id\":5}");
  vt_clock_advance (clock, 10);
  user_expect (user, "");
  side_expect_sent (client, "");
  user_read_all (user);
  g_assert_cmpuint (user->received->len, ==, 0);
  g_assert_cmpuint (vt_mux_get_n_streams (client->mux), ==, 0);
  side_free (client);
}

/* Nobody listened while the stream came, carried bytes and went. */
static void
test_late_listener (void)
{
  g_autoptr(VtClock) clock = vt_clock_new_fake ();
  Side *client = client_with_port (clock);
  User *user;

  client->lazy = TRUE;
  side_say (client, "{\"type\":\"connect\",\"port\":8080,\"stream_id\":5}");
  user = side_get_user (client, 0);
  side_say_data (client, 5, 2000);
  side_say (client, "{\"type\":\"close\",\"stream_id\":5}");
  vt_clock_advance (clock, 10);
  user->reads = TRUE;
  user_listen (user);
  user_expect (user, "");
  vt_clock_advance (clock, 1);
  user_expect (user, "rc");
  g_assert_cmpuint (user->received->len, ==, 2000);
  side_free (client);
}

/* One write each, whoever wants how much. */
static void
test_turns_are_fair (void)
{
  Side *client, *server;
  User *users[3];

  pair_new (&client, &server);
  for (unsigned int i = 0; i < 3; i++)
    users[i] = side_open (server, 1);
  for (unsigned int i = 0; i < 3; i++)
    user_write (users[i], 8 * 1024 * 1024);
  /* The first one had the empty link to itself. */
  g_assert_cmpuint (users[0]->written, >, 64 * 1024);
  g_assert_cmpuint (users[0]->written, <=, 128 * 1024);
  g_assert_cmpuint (users[1]->written, ==, 0);

  for (size_t before = users[0]->written; users[0]->written < 7 * 1024 * 1024;)
    {
      g_assert_cmpuint (server->queued, <, (128 + 48) * 1024);
      g_assert_cmpuint (side_deliver (client, 3), >, 0);
      g_assert_cmpint (ABS ((gssize) (users[0]->written - before) - (gssize) users[1]->written), <=,
                       32 * 1024);
      g_assert_cmpint (ABS ((gssize) users[1]->written - (gssize) users[2]->written), <=,
                       32 * 1024);
    }
  pair_settle (client, server);
  for (unsigned int i = 0; i < 3; i++)
    user_expect_received (side_get_user (client, i), users[i]->seed, 8 * 1024 * 1024);
  pair_free (client, server);
}

/* A refused stream hears `writable` once, and not at all when it does not want to any more. */
static void
test_turns_cancel (void)
{
  Side *client, *server;
  User *busy, *other, *third;
  size_t space;

  pair_new (&client, &server);
  busy = side_open (server, 1);
  other = side_open (server, 1);
  third = side_open (server, 1);
  vt_clock_advance (server->clock, 1);
  user_write (busy, 1024 * 1024);
  user_expect (busy, "o");
  g_assert_null (vt_mux_stream_begin_write (other->stream, &space));
  g_assert_null (vt_mux_stream_begin_write (other->stream, &space));
  g_assert_null (vt_mux_stream_begin_write (third->stream, &space));
  g_assert_cmpuint (space, ==, 0);
  vt_mux_stream_cancel_write (third->stream);
  pair_settle (client, server);
  user_expect (other, "ow");
  user_expect (third, "o");
  g_assert_cmpuint (busy->written, ==, 1024 * 1024);

  /* A place that is taken back sends nothing. */
  server->n_messages = 0;
  g_assert_nonnull (vt_mux_stream_begin_write (other->stream, &space));
  g_assert_cmpuint (space, >=, 1);
  vt_mux_stream_end_write (other->stream, 0);
  g_assert_cmpuint (server->n_messages, ==, 0);
  pair_free (client, server);
}

/* Streams that end while they wait in line leave it. */
static void
test_turns_end (void)
{
  Side *client, *server;
  User *users[4];

  pair_new (&client, &server);
  for (unsigned int i = 0; i < 4; i++)
    users[i] = side_open (server, 1);
  pair_settle (client, server);
  for (unsigned int i = 0; i < 4; i++)
    user_write (users[i], 512 * 1024);
  vt_mux_stream_reset (users[1]->stream, NULL);
  user_release (users[1]);
  vt_mux_stream_shutdown (users[2]->stream);
  pair_settle (client, server);
  g_assert_cmpuint (users[0]->written, ==, 512 * 1024);
  g_assert_cmpuint (users[1]->written, ==, 0);
  g_assert_cmpuint (users[3]->written, ==, 512 * 1024);
  user_expect (users[2], "orc");
  pair_free (client, server);
}

/* A link that is never full does not keep the main loop for itself. */
static void
test_turns_budget (void)
{
  static const size_t much = 8 * 1024 * 1024;
  g_autoptr(VtClock) clock = vt_clock_get (NULL);
  Side *client = client_with_port (clock);
  unsigned int n_dispatches = 0;
  User *users[2];

  client->lazy = TRUE;
  for (unsigned int i = 0; i < 2; i++)
    {
      side_say (client, "{\"type\":\"connect\",\"port\":8080,\"stream_id\":%u}", i + 1);
      users[i] = side_get_user (client, i);
      user_listen (users[i]);
      user_write (users[i], much);
      vt_mux_stream_accept (users[i]->stream);
    }
  while (users[0]->written < much || users[1]->written < much)
    {
      g_assert_cmpint (ABS ((gssize) (users[0]->written - users[1]->written)), <=, 32 * 1024);
      g_main_context_iteration (NULL, TRUE);
      n_dispatches++;
    }
  g_assert_cmpuint (n_dispatches, >, 5);
  side_free (client);
}

static void
test_limits (void)
{
  g_autoptr(VtClock) clock = vt_clock_new_fake ();
  g_autoptr(GError) error = NULL;
  VtMuxConfig config;
  Side *client, *server;

  vt_mux_config_init (&config, VT_MUX_CLIENT);
  config.max_streams = 2;
  client = side_new (VT_MUX_CLIENT, clock, &config);
  config.role = VT_MUX_SERVER;
  server = side_new (VT_MUX_SERVER, clock, &config);

  vt_mux_listen (client->mux, 1, &(VtMuxListen){ .port = 8080 });
  side_say (client, "{\"type\":\"listen_ok\",\"port\":8080}");
  for (unsigned int i = 1; i <= 3; i++)
    side_say (client, "{\"type\":\"connect\",\"port\":8080,\"stream_id\":%u}", i);
  side_expect_sent (client, "{\"type\":\"listen\",\"port\":8080}\n"
                            "{\"type\":\"close\",\"stream_id\":3}");
  g_assert_cmpuint (client->users->len, ==, 2);

  side_say (server, "{\"type\":\"listen\",\"port\":8080}");
  g_assert_null (vt_mux_open_stream (server->mux, 1, NULL, NULL, &error));
  g_assert_error (error, VT_ERROR, VT_ERROR_CANCELLED);
  g_clear_error (&error);
  vt_mux_listen_accept (server->mux, 1, NULL, 8080);
  side_open (server, 1);
  side_open (server, 1);
  g_assert_null (vt_mux_open_stream (server->mux, 1, NULL, NULL, &error));
  g_assert_error (error, VT_ERROR, VT_ERROR_LIMIT);
  side_expect_sent (server, "{\"type\":\"listen_ok\",\"port\":8080}\n"
                            "{\"type\":\"connect\",\"port\":8080,\"stream_id\":1}\n"
                            "{\"type\":\"connect\",\"port\":8080,\"stream_id\":2}");
  side_free (client);
  side_free (server);
}

/* A peer that asks and asks, and does not read the answers. */
static void
test_unread_answers (void)
{
  g_autoptr(VtClock) clock = vt_clock_new_fake ();
  VtMuxConfig config;
  Side *server;
  Side *peer = side_new (VT_MUX_CLIENT, clock, NULL);
  unsigned int n = 0;

  vt_mux_config_init (&config, VT_MUX_SERVER);
  config.max_ping_rate = 0;
  server = side_new (VT_MUX_SERVER, clock, &config);
  pair_join (server, peer);
  while (server->mux != NULL && n++ < 1000000)
    {
      side_say (server, "{\"type\":\"ping\"}");
      if (server->queued > 4 * 1024 * 1024)
        vt_clock_advance (clock, 1);
    }
  g_assert_null (server->mux);
  side_expect_heard (server, "failed limit");
  g_assert_cmpuint (server->queued, <, 5 * 1024 * 1024);
  pair_free (server, peer);
}

static unsigned int n_complaints;
static char last_complaint[512];

/* g_test_expect_message () does not see structured logging. */
static GLogWriterOutput
log_writer (GLogLevelFlags level, const GLogField *fields, size_t n_fields, void *user_data)
{
  for (size_t i = 0; i < n_fields; i++)
    if ((level & G_LOG_LEVEL_MESSAGE) != 0 && g_str_equal (fields[i].key, "MESSAGE"))
      {
        n_complaints++;
        g_strlcpy (last_complaint, fields[i].value, sizeof last_complaint);
      }
  return g_log_writer_default (level, fields, n_fields, user_data);
}

static void
test_garbage (void)
{
  g_autoptr(VtClock) clock = vt_clock_new_fake ();
  Side *client = client_with_port (clock);

  side_say (client, "{\"type\":\"connect\",\"port\":8080,\"stream_id\":5}");
  side_say (client, "gar\nbage");
  g_assert_cmpuint (n_complaints, ==, 1);
  g_assert_nonnull (strstr (last_complaint, "gar\\nbage"));
  /* The next ones within the second are not worth a line. */
  side_say (client, "{\"type\":\"close\",\"stream_id\":5.0}");
  side_say (client, "{\"type\":\"data\",\"stream_id\":5,\"data\":\"A\"}");
  side_expect_sent (client, "");
  side_say_data (client, 5, 3);
  g_assert_cmpuint (side_get_user (client, 0)->received->len, ==, 3);
  g_assert_cmpuint (n_complaints, ==, 1);
  vt_clock_advance (clock, G_USEC_PER_SEC);
  side_say (client, "more");
  g_assert_cmpuint (n_complaints, ==, 2);
  side_free (client);
}

static void
test_lifetime (void)
{
  g_autoptr(GError) error = g_error_new_literal (VT_ERROR, VT_ERROR_SHUTTING_DOWN, "so");
  Side *client, *server;
  User *a, *b, *deaf;
  size_t space;

  pair_new (&client, &server);
  client->lazy = TRUE;
  a = side_open (server, 1);
  side_open (server, 1);
  user_write (a, 5000);
  pair_settle (client, server);
  b = side_get_user (client, 0);
  deaf = side_get_user (client, 1);
  user_listen (b);
  vt_mux_stream_accept (b->stream);
  vt_clock_advance (client->clock, 1);
  user_expect (b, "r");

  side_drop_mux (client, error);
  user_expect (b, "C");
  g_assert_error (b->error, VT_ERROR, VT_ERROR_SHUTTING_DOWN);
  user_read_all (b);
  user_expect_received (b, a->seed, 5000);
  g_assert_false (vt_mux_stream_at_end (b->stream));
  g_assert_null (vt_mux_stream_begin_write (b->stream, &space));
  vt_mux_stream_cancel_write (b->stream);
  vt_mux_stream_shutdown (b->stream);
  vt_mux_stream_accept (b->stream);
  user_listen (deaf);
  vt_clock_advance (client->clock, 1);
  user_expect (deaf, "C");
  vt_mux_stream_reset (deaf->stream, NULL);
  pair_free (client, server);
}

/* A stream that its user has let go of ends with the mux. */
static void
test_lifetime_released (void)
{
  Side *client, *server;

  pair_new (&client, &server);
  user_release (side_open (server, 1));
  user_release (side_open (server, 1));
  pair_settle (client, server);
  user_release (side_get_user (client, 0));
  user_write (side_get_user (client, 1), 500);
  vt_mux_stream_shutdown (side_get_user (client, 1)->stream);
  pair_settle (client, server);
  g_assert_cmpuint (vt_mux_get_n_streams (server->mux), ==, 1);
  pair_free (client, server);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_log_set_writer_func (log_writer, NULL, NULL);
  g_test_add_func ("/mux/stream/open-data-close", test_open_data_close);
  g_test_add_func ("/mux/stream/close-echo", test_close_echo);
  g_test_add_func ("/mux/stream/order", test_order);
  g_test_add_func ("/mux/stream/own-close", test_own_close);
  g_test_add_func ("/mux/stream/unknown", test_unknown);
  g_test_add_func ("/mux/stream/same-number", test_same_number);
  g_test_add_func ("/mux/stream/before-accept", test_before_accept);
  g_test_add_func ("/mux/stream/early-reset", test_early_reset);
  g_test_add_func ("/mux/stream/late-listener", test_late_listener);
  g_test_add_func ("/mux/turns/fair", test_turns_are_fair);
  g_test_add_func ("/mux/turns/cancel", test_turns_cancel);
  g_test_add_func ("/mux/turns/end", test_turns_end);
  g_test_add_func ("/mux/turns/budget", test_turns_budget);
  g_test_add_func ("/mux/limits/streams", test_limits);
  g_test_add_func ("/mux/limits/unread-answers", test_unread_answers);
  g_test_add_func ("/mux/garbage", test_garbage);
  g_test_add_func ("/mux/lifetime/mux-goes", test_lifetime);
  g_test_add_func ("/mux/lifetime/released", test_lifetime_released);
  return g_test_run ();
}
