/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "mux-pair.h"

#include <string.h>

#include "vt-error.h"
#include "vt-mux-internal-private.h"

#define KIB 1024

static void
expect_address (GSocketAddress *address, const char *expected)
{
  g_autoptr(GSocketAddress) taken = address;
  g_autofree char *text =
      taken != NULL ? g_socket_connectable_to_string (G_SOCKET_CONNECTABLE (taken)) : NULL;

  g_assert_cmpstr (text, ==, expected);
}

static void
check_addresses (Side *client, Side *server, const char *from, const char *to)
{
  g_autoptr(GSocketAddress) user =
      from ? g_inet_socket_address_new_from_string (from, 4711) : NULL;
  g_autoptr(GSocketAddress) local = to ? g_inet_socket_address_new_from_string (to, 80) : NULL;
  g_autofree char *user_text =
      from ? g_strdup_printf (strchr (from, ':') ? "[%s]:4711" : "%s:4711", from) : NULL;
  g_autofree char *local_text =
      to ? g_strdup_printf (strchr (to, ':') ? "[%s]:80" : "%s:80", to) : NULL;
  User *opened;

  g_assert_nonnull (vt_mux_open_stream (server->mux, 1, user, local, NULL));
  pair_settle (client, server);
  opened = side_get_user (client, client->users->len - 1);
  expect_address (vt_mux_stream_dup_user_address (opened->stream), user_text);
  expect_address (vt_mux_stream_dup_local_address (opened->stream), local_text);
}

static void
test_addresses (void)
{
  Side *client, *server;

  pair_new_v2 (&client, &server, NULL);
  check_addresses (client, server, "192.0.2.7", "198.51.100.1");
  check_addresses (client, server, "2001:db8::7", "192.0.2.8");
  check_addresses (client, server, "192.0.2.9", "2001:db8::9");
  check_addresses (client, server, NULL, "192.0.2.8");
  check_addresses (client, server, "2001:db8::7", NULL);
  check_addresses (client, server, NULL, NULL);
  pair_free (client, server);
}

/* The client may read before it answers; what it writes goes behind the answer. */
static void
test_client_answers (void)
{
  Side *client = side_new_v2 (VT_MUX_CLIENT, NULL);
  User *user;

  side_say_frames (client, "OPEN 7 on 1; DATA 7 5");
  side_expect_heard (client, "stream_opened 7 on 1");
  user = side_get_user (client, 0);
  user->reads = TRUE;
  user_listen (user);
  user_write (user, 100);
  vt_clock_advance (client->clock, 10);
  user_expect (user, "r");
  user_expect_received (user, 7, 5);
  side_expect_sent (client, "");
  g_assert_true (vt_mux_stream_can_half_close (user->stream));

  vt_mux_stream_accept (user->stream);
  vt_mux_stream_accept (user->stream);
  side_expect_sent (client, "");
  vt_clock_advance (client->clock, 10);
  user_expect (user, "w");
  side_expect_sent (client, "OPENED 7; DATA 7 100");
  side_free (client);
}

/* The server may send at once, as much as a new stream takes. */
static void
test_server_begins (void)
{
  Side *server = side_new_v2 (VT_MUX_SERVER, NULL);
  User *user;

  side_greet (server, &(VtControlLimits){ 1000, 64 * KIB, 64 * KIB });
  g_string_truncate (server->sent, 0);
  user = side_open (server, 1);
  user_write (user, 3000);
  vt_clock_advance (server->clock, 10);
  side_expect_sent (server, "OPEN 1 on 1; DATA 1 1000");
  user_expect (user, "");

  side_say_frames (server, "CREDIT 1 1001");
  side_say_frames (server, "OPENED 1");
  vt_clock_advance (server->clock, 10);
  user_expect (user, "wo");
  side_expect_sent (server, "DATA 1 1");
  /* It never goes back; what is there of it can be used later. */
  side_say_frames (server, "CREDIT 1 5000; CREDIT 1 4999; CREDIT 1 0");
  vt_clock_advance (server->clock, 10);
  side_expect_sent (server, "DATA 1 1999");
  user_write (user, 5000);
  vt_clock_advance (server->clock, 10);
  side_expect_sent (server, "DATA 1 2000");
  side_say_frames (server, "CREDIT 1 18446744073709551615");
  user_write (user, 100 * KIB);
  vt_clock_advance (server->clock, 10);
  side_expect_sent (server, "DATA 1 65524\nDATA 1 39876");
  side_free (server);
}

/* Each direction ends by itself, whichever is the first. */
static void
check_half_close (gboolean server_first, gboolean readers_are_late)
{
  Side *client, *server;
  User *ends[2];

  pair_new_v2 (&client, &server, NULL);
  side_open (server, 1);
  pair_settle (client, server);
  ends[0] = side_get_user (server_first ? server : client, 0);
  ends[1] = side_get_user (server_first ? client : server, 0);
  ends[0]->seed = 5;
  ends[1]->seed = 6;
  ends[0]->reads = ends[1]->reads = !readers_are_late;
  user_write (ends[0], 1000);
  vt_mux_stream_shutdown (ends[0]->stream);
  vt_mux_stream_shutdown (ends[0]->stream);
  pair_settle (client, server);
  g_assert_cmpint (vt_mux_stream_at_end (ends[1]->stream), ==, !readers_are_late);
  g_assert_null (strpbrk (ends[0]->heard->str, "cC"));
  g_assert_null (strpbrk (ends[1]->heard->str, "cC"));

  user_write (ends[1], 2000);
  pair_settle (client, server);
  g_assert_false (vt_mux_stream_at_end (ends[0]->stream));
  g_assert_cmpuint (vt_mux_get_n_streams (client->mux), ==, 1);
  vt_mux_stream_shutdown (ends[1]->stream);
  pair_settle (client, server);
  for (unsigned int i = 0; i < 2; i++)
    {
      g_assert_cmpint (vt_mux_stream_at_end (ends[i]->stream), ==, !readers_are_late);
      user_read_all (ends[i]);
      g_assert_true (vt_mux_stream_at_end (ends[i]->stream));
      user_expect_received (ends[i], i == 0 ? 6 : 5, i == 0 ? 2000 : 1000);
      g_assert_cmpint (strcspn (ends[i]->heard->str, "cC"), ==, ends[i]->heard->len - 1);
      g_assert_no_error (ends[i]->error);
    }
  g_assert_cmpuint (vt_mux_get_n_streams (client->mux), ==, 0);
  g_assert_cmpuint (vt_mux_get_n_streams (server->mux), ==, 0);
  pair_free (client, server);
}

static void
test_half_close (void)
{
  for (unsigned int i = 0; i < 4; i++)
    check_half_close (i & 1, i & 2);
}

/* The client says with its answer that it has ended; until then the stream is there. */
static void
check_end_before_answer (gboolean server_first)
{
  Side *client = side_new_v2 (VT_MUX_CLIENT, NULL);
  User *user;

  side_say_frames (client, "OPEN 7 on 1");
  user = side_get_user (client, 0);
  user_listen (user);
  if (server_first)
    side_say_frames (client, "EOF 7");
  vt_mux_stream_shutdown (user->stream);
  if (!server_first)
    side_say_frames (client, "EOF 7");
  vt_clock_advance (client->clock, 10);
  user_expect (user, "r");
  side_expect_sent (client, "");
  g_assert_cmpuint (vt_mux_get_n_streams (client->mux), ==, 1);

  vt_mux_stream_accept (user->stream);
  vt_clock_advance (client->clock, 10);
  user_expect (user, "rc");
  side_expect_sent (client, "OPENED 7; EOF 7");
  g_assert_cmpuint (vt_mux_get_n_streams (client->mux), ==, 0);
  side_free (client);
}

static void
test_end_before_answer (void)
{
  check_end_before_answer (FALSE);
  check_end_before_answer (TRUE);
}

static void
meddle_shutdown (User *user)
{
  vt_mux_stream_shutdown (user->stream);
}

static void
meddle_reset (User *user)
{
  g_autoptr(GError) error = g_error_new_literal (VT_ERROR, VT_ERROR_LIMIT, "so");

  vt_mux_stream_reset (user->stream, error);
}

/* From within the news that the other side has ended. */
static void
test_end_in_readable (void)
{
  Side *client = side_new_v2 (VT_MUX_CLIENT, NULL);
  User *a, *b;

  side_say_frames (client, "OPEN 1 on 1; OPEN 2 on 1");
  a = side_get_user (client, 0);
  b = side_get_user (client, 1);
  user_listen (a);
  user_listen (b);
  vt_mux_stream_accept (a->stream);
  vt_mux_stream_accept (b->stream);
  vt_mux_stream_shutdown (b->stream);
  a->meddle = meddle_shutdown;
  b->meddle = meddle_reset;
  side_say_frames (client, "EOF 1; EOF 2");
  vt_clock_advance (client->clock, 10);
  user_expect (a, "rrc");
  user_expect (b, "r");
  g_assert_error (b->stream->error, VT_ERROR, VT_ERROR_LIMIT);
  side_expect_sent (client, "OPENED 1; OPENED 2; EOF 2; EOF 1; RESET 2 limit so");
  g_assert_cmpuint (vt_mux_get_n_streams (client->mux), ==, 0);
  side_free (client);
}

static void
check_reset (Side *client, Side *server, const GError *error, int code, const char *message)
{
  unsigned int n = client->users->len;
  User *ends[2];

  side_open (server, 1);
  pair_settle (client, server);
  ends[n % 2] = side_get_user (client, n);
  ends[!(n % 2)] = side_get_user (server, n);
  user_write (ends[0], 100);
  ends[1]->reads = FALSE;
  pair_settle (client, server);
  g_string_truncate (ends[0]->heard, 0);
  g_string_truncate (ends[1]->heard, 0);
  vt_mux_stream_reset (ends[0]->stream, error);
  pair_settle (client, server);
  user_expect (ends[0], "");
  user_expect (ends[1], "C");
  g_assert_error (ends[1]->error, VT_ERROR, code);
  g_assert_cmpstr (ends[1]->error->message, ==, message);
  /* It is not there any more. */
  user_read_all (ends[1]);
  g_assert_cmpuint (ends[1]->received->len, ==, 0);
  g_assert_cmpuint (vt_mux_get_n_streams (client->mux), ==, 1);
  g_assert_cmpuint (vt_mux_get_n_streams (server->mux), ==, 1);
}

static void
test_reset (void)
{
  g_autoptr(GError) foreign = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_EXISTS, "so");
  g_autoptr(GError) local = g_error_new_literal (VT_ERROR, VT_ERROR_TLS, "a\nb");
  Side *client, *server;
  User *bystander;

  pair_new_v2 (&client, &server, NULL);
  bystander = side_open (server, 1);
  pair_settle (client, server);
  for (int code = VT_ERROR_FAILED; code <= VT_ERROR_NOT_RESUMED; code++)
    {
      g_autoptr(GError) error = g_error_new (VT_ERROR, code, "Reason %d", code);

      check_reset (client, server, error, code, error->message);
    }
  check_reset (client, server, NULL, VT_ERROR_CANCELLED, "The other side reset the stream");
  check_reset (client, server, foreign, VT_ERROR_FAILED, "so");
  check_reset (client, server, local, VT_ERROR_FAILED, "a\\nb");
  user_write (bystander, 100000);
  pair_settle (client, server);
  user_expect_received (side_get_user (client, 0), 1, 100000);
  pair_free (client, server);
}

/* Frames of one dispatch leave together. */
static void
test_batch (void)
{
  Side *server = side_new_v2 (VT_MUX_SERVER, NULL);
  User *a, *b;

  a = side_open (server, 1);
  b = side_open (server, 1);
  user_write (a, 10);
  user_write (b, 20);
  user_write (a, 30);
  vt_mux_stream_shutdown (b->stream);
  side_open (server, 1);
  side_expect_sent (server, "");
  vt_clock_advance (server->clock, 1);
  side_expect_sent (
      server, "OPEN 1 on 1; OPEN 2 on 1; DATA 1 10; DATA 2 20; DATA 1 30; EOF 2; OPEN 3 on 1");
  vt_clock_advance (server->clock, 1000);
  side_expect_sent (server, "");

  /* What is control goes behind what was written before it. */
  user_write (a, 1);
  vt_mux_send_goaway (server->mux, "Done", 5);
  user_write (a, 2);
  vt_clock_advance (server->clock, 1);
  side_expect_sent (server, "DATA 1 1\n"
                            "{\"type\":\"goaway\",\"reason\":\"Done\",\"timeout\":5}\n"
                            "DATA 1 2");
  side_free (server);
}

/* Gives the bytes of data; of no message and no frame more than may be. */
static size_t
measure (const char *sent, const VtControlLimits *limits)
{
  g_auto(GStrv) messages = g_strsplit (sent, "\n", -1);
  size_t sum = 0;

  for (unsigned int i = 0; messages[i] != NULL && *messages[i] != '\0'; i++)
    {
      g_autoptr(GBytes) message = wire_compose (messages[i]);
      g_auto(GStrv) frames = g_strsplit (messages[i], "; ", -1);

      g_assert_cmpuint (g_bytes_get_size (message), <=, limits->max_message);
      for (unsigned int j = 0; frames[j] != NULL; j++)
        if (g_str_has_prefix (frames[j], "DATA 1 "))
          {
            g_assert_cmpint (atoi (frames[j] + 7), <=, MIN (limits->max_frame, 64 * KIB));
            sum += (size_t) atoi (frames[j] + 7);
          }
    }
  return sum;
}

static void
test_peer_limits (void)
{
  const VtControlLimits limits[] = {
    { 1024 * KIB, 64 * KIB, 256 * KIB }, { 1024 * KIB, 1024 * KIB - 12, 1024 * KIB },
    { 1024 * KIB, 64 * KIB, 64 * KIB },  { 1024 * KIB, 64 * KIB - 12, 64 * KIB },
    { 1024 * KIB, 1000, 64 * KIB },      { 10000, 1, 64 * KIB },
    { 1, 64 * KIB, 256 * KIB },
  };

  for (unsigned int i = 0; i < G_N_ELEMENTS (limits); i++)
    {
      Side *server = side_new_v2 (VT_MUX_SERVER, NULL);

      side_greet (server, &limits[i]);
      g_string_truncate (server->sent, 0);
      user_write (side_open (server, 1), 300 * KIB);
      vt_clock_advance (server->clock, 10);
      g_assert_cmpuint (measure (server->sent->str, &limits[i]), ==,
                        MIN (limits[i].window, 300 * KIB));
      side_free (server);
    }
}

/* A queue that is full holds back data, and nothing else. */
static void
test_full_queue (void)
{
  g_autoptr(GError) error = g_error_new_literal (VT_ERROR, VT_ERROR_TIMED_OUT, "so");
  Side *client = side_new_v2 (VT_MUX_CLIENT, NULL);
  User *a, *b;

  side_say_frames (client, "OPEN 1 on 1; OPEN 2 on 1; OPEN 3 on 1; DATA 1 16384");
  a = side_get_user (client, 0);
  b = side_get_user (client, 1);
  user_listen (a);
  client->queued = 128 * KIB;
  vt_mux_stream_accept (a->stream);
  user_write (a, 100);
  user_read_all (a);
  vt_mux_stream_reset (b->stream, error);
  vt_clock_advance (client->clock, 10);
  side_expect_sent (client, "OPENED 1; CREDIT 1 32768; RESET 2 timed-out so");
  side_say (client, "{\"type\":\"ping\",\"t\":5}");
  vt_mux_unlisten (client->mux, 1);
  side_expect_sent (client, "{\"type\":\"pong\",\"t\":5}\n{\"type\":\"unlisten\",\"id\":1}");
  client->queued = 128 * KIB - 1;
  vt_mux_note_writable (client->mux);
  vt_clock_advance (client->clock, 10);
  side_expect_sent (client, "DATA 1 100");
  side_free (client);
}

/* What is kept for the other side counts as what waits in the queue does. */
static void
test_full_replay (void)
{
  VtMuxConfig config;
  Side *client, *server;
  User *user;

  vt_mux_config_init (&config, VT_MUX_SERVER);
  config.max_buffer = 64 * KIB;
  config.max_streams = 2;
  pair_new_v2 (&client, &server, &config);
  user = side_open (server, 1);
  user_write (user, 200 * KIB);
  for (unsigned int i = 0; i < 50; i++)
    {
      vt_clock_advance (client->clock, 1);
      side_deliver (client, G_MAXUINT);
      side_deliver (server, G_MAXUINT);
    }
  g_assert_cmpuint (user->written, >=, 64 * KIB);
  g_assert_cmpuint (user->written, <, 100 * KIB);
  g_assert_cmpuint (client->users->len, ==, 1);
  g_assert_cmpuint (side_get_user (client, 0)->received->len, ==, user->written);
  vt_clock_advance (client->clock, 200000);
  pair_settle (client, server);
  g_assert_cmpuint (user->written, >=, 128 * KIB);
  pair_free (client, server);
}

/* Between two frames of a stream, each other one that waits has one. */
static void
test_turns (void)
{
  static const unsigned int n = 6;
  Side *server = side_new_v2 (VT_MUX_SERVER, NULL);
  g_auto(GStrv) frames = NULL;
  unsigned int at = 0;

  side_greet (server, &(VtControlLimits){ 1024 * KIB, 64 * KIB, 256 * KIB });
  server->queued = 256 * KIB;
  for (unsigned int i = 1; i <= n; i++)
    user_write (side_open (server, 1), i == 4 ? 100 : 600 * KIB);
  vt_clock_advance (server->clock, 1);
  g_string_truncate (server->sent, 0);
  server->queued = 0;
  vt_mux_note_writable (server->mux);
  vt_clock_advance (server->clock, 1);
  g_strdelimit (server->sent->str, "\n", ';');
  frames = g_strsplit_set (server->sent->str, ";", -1);
  for (unsigned int round = 0; round < 5; round++)
    for (unsigned int i = 1; i <= n; i++)
      {
        g_autofree char *expected = g_strdup_printf ("DATA %u ", i);

        if (i != 4 || round == 0)
          g_assert_true (g_str_has_prefix (g_strchug (frames[at++]), expected));
      }
  side_free (server);
}

/* Numbers end; the session does with its last stream. */
static void
test_numbers (void)
{
  g_autoptr(GError) error = NULL;
  Side *client, *server;
  User *user;

  pair_new_v2 (&client, &server, NULL);
  server->mux->last_stream_id = G_MAXUINT32 - 1;
  user = side_open (server, 1);
  g_assert_cmpuint (vt_mux_stream_get_id (user->stream), ==, G_MAXUINT32);
  for (unsigned int i = 0; i < 2; i++)
    {
      g_assert_null (vt_mux_open_stream (server->mux, 1, NULL, NULL, &error));
      g_assert_error (error, VT_ERROR, VT_ERROR_SHUTTING_DOWN);
      g_clear_error (&error);
    }
  pair_settle (client, server);
  side_expect_heard (client, "stream_opened 4294967295 on 1\n"
                             "going_away The session has used up its numbers 0");
  user_write (user, 50000);
  user_write (side_get_user (client, 0), 50000);
  pair_settle (client, server);
  user_expect_received (user, G_MAXUINT32, 50000);
  user_expect_received (side_get_user (client, 0), G_MAXUINT32, 50000);
  side_expect_heard (server, "");
  vt_mux_stream_shutdown (user->stream);
  vt_mux_stream_shutdown (side_get_user (client, 0)->stream);
  pair_settle (client, server);
  side_expect_heard (server, "failed shutting-down");
  pair_free (client, server);
}

/* Both sides can say it, and say it once. */
static void
test_goaway (void)
{
  Side *client, *server;

  pair_new_v2 (&client, &server, NULL);
  for (unsigned int i = 0; i < 2; i++)
    {
      vt_mux_send_goaway (client->mux, "Enough", 0);
      vt_mux_send_goaway (server->mux, NULL, 30);
    }
  pair_settle (client, server);
  side_expect_heard (client, "going_away (null) 30");
  side_expect_heard (server, "going_away Enough 0");
  pair_free (client, server);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/mux-v2/stream/addresses", test_addresses);
  g_test_add_func ("/mux-v2/stream/client-answers", test_client_answers);
  g_test_add_func ("/mux-v2/stream/server-begins", test_server_begins);
  g_test_add_func ("/mux-v2/stream/half-close", test_half_close);
  g_test_add_func ("/mux-v2/stream/end-before-answer", test_end_before_answer);
  g_test_add_func ("/mux-v2/stream/end-in-readable", test_end_in_readable);
  g_test_add_func ("/mux-v2/stream/reset", test_reset);
  g_test_add_func ("/mux-v2/batch/one-dispatch", test_batch);
  g_test_add_func ("/mux-v2/batch/peer-limits", test_peer_limits);
  g_test_add_func ("/mux-v2/turns/full-queue", test_full_queue);
  g_test_add_func ("/mux-v2/turns/full-replay", test_full_replay);
  g_test_add_func ("/mux-v2/turns/order", test_turns);
  g_test_add_func ("/mux-v2/goaway/numbers", test_numbers);
  g_test_add_func ("/mux-v2/goaway/said", test_goaway);
  return g_test_run ();
}
