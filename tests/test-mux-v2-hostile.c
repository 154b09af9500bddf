/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "mux-pair.h"

#include <string.h>

#include "vt-error.h"
#include "vt-mux-internal-private.h"

/* Peers that break the rules, and peers that look as if they did. */

#define KIB 1024

typedef struct {
  const char *name;
  const char *before; /* frames; NULL if there are none */
  const char *frames; /* NULL: `text` it is */
  const char *text;
} Case;

/* What each client has before: stream 3 is open and answered, stream 5 open and not answered, 6 is
 * gone, 1, 2 and 4 never were. */
static const Case client_cases[] = {
  { "beyond-limit", "DATA 3 16384", "DATA 3 1", NULL },
  { "beyond-limit-at-once", NULL, "DATA 3 16385", NULL },
  { "beyond-limit-unanswered", "DATA 5 16384", "DATA 5 1", NULL },
  { "data-after-eof", "DATA 3 5; EOF 3", "DATA 3 1", NULL },
  { "eof-after-eof", "EOF 3", "EOF 3", NULL },
  { "opened-to-client", NULL, "OPENED 3", NULL },
  { "opened-to-client-unanswered", NULL, "OPENED 5", NULL },
  { "open-same", NULL, "OPEN 5 on 1", NULL },
  { "open-lower", NULL, "OPEN 4 on 1", NULL },
  { "open-gone", NULL, "OPEN 6 on 1", NULL },
  { "data-never-opened", NULL, "DATA 7 1", NULL },
  { "eof-never-opened", NULL, "EOF 7", NULL },
  { "reset-never-opened", NULL, "RESET 7 failed", NULL },
  { "credit-never-opened", NULL, "CREDIT 7 5", NULL },
  { "opened-never-opened", NULL, "OPENED 4294967295", NULL },
  { "ack-in-batch", NULL, "DATA 3 1; ACK 5", NULL },
  { "ack-at-front", NULL, "ACK 5; DATA 3 1", NULL },
  { "stream-0", NULL, "DATA 0 5", NULL },
  { "empty-data", NULL, "DATA 3 0", NULL },
  { "large-frame", NULL, "DATA 6 65537", NULL },
  { "hello", NULL, NULL,
    "{\"type\":\"hello\",\"window\":1,\"max_frame\":1,\"max_message\":65536}" },
  { "welcome", NULL, NULL,
    "{\"type\":\"welcome\",\"session\":\"s\",\"secret\":\"s\",\"resume_timeout\":0,\"window\":1,"
    "\"max_frame\":1,\"max_message\":65536}" },
  { "no-type", NULL, NULL, "{\"id\":5}" },
  { "no-object", NULL, NULL, "[]" },
  { "no-json", NULL, NULL, "so" },
  { "no-text", NULL, NULL, "" },
  { "listen-ok-port-0", NULL, NULL, "{\"type\":\"listen_ok\",\"id\":9,\"port\":0}" },
};

/* What each server has before: stream 1 is open and answered, 2 open and not, 3 is gone. */
static const Case server_cases[] = {
  { "beyond-limit", "DATA 1 16384", "DATA 1 1", NULL },
  { "data-before-opened", NULL, "DATA 2 1", NULL },
  { "eof-before-opened", NULL, "EOF 2", NULL },
  { "opened-twice", NULL, "OPENED 1", NULL },
  { "open", NULL, "OPEN 4 on 1", NULL },
  { "open-same", NULL, "OPEN 1 on 1", NULL },
  { "open-gone", NULL, "OPEN 3 on 1", NULL },
  { "data-after-eof", "EOF 1", "DATA 1 1", NULL },
  { "eof-after-eof", "EOF 1", "EOF 1", NULL },
  { "data-never-opened", NULL, "DATA 4 1", NULL },
  { "opened-never-opened", NULL, "OPENED 4", NULL },
  { "reset-never-opened", NULL, "RESET 4 failed", NULL },
  { "listen-used-before", NULL, NULL, "{\"type\":\"listen\",\"id\":1,\"port\":8081}" },
  { "listen-without-id", NULL, NULL, "{\"type\":\"listen\",\"port\":8081}" },
  { "listen-with-id-0", NULL, NULL, "{\"type\":\"listen\",\"id\":0,\"port\":8081}" },
  { "ping-without-t", NULL, NULL, "{\"type\":\"ping\"}" },
};

static Side *
new_client (void)
{
  Side *client = side_new_v2 (VT_MUX_CLIENT, NULL);

  vt_mux_listen (client->mux, 9, &(VtMuxListen){ .port = 8081 });
  side_say_frames (client, "OPEN 3 on 1; OPEN 5 on 1; OPEN 6 on 1; RESET 6 failed");
  vt_mux_stream_accept (side_get_user (client, 0)->stream);
  return client;
}

static Side *
new_server (void)
{
  Side *server = side_new_v2 (VT_MUX_SERVER, NULL);

  for (unsigned int i = 0; i < 3; i++)
    side_open (server, 1)->reads = FALSE;
  side_say_frames (server, "OPENED 1; RESET 3 failed");
  return server;
}

static Side *
new_side (VtMuxRole role)
{
  Side *side = role == VT_MUX_CLIENT ? new_client () : new_server ();

  for (unsigned int i = 0; i < side->users->len; i++)
    user_listen (side_get_user (side, i));
  vt_clock_advance (side->clock, 10);
  for (unsigned int i = 0; i < side->users->len; i++)
    g_string_truncate (side_get_user (side, i)->heard, 0);
  g_string_truncate (side->heard, 0);
  g_string_truncate (side->sent, 0);
  return side;
}

static void
say (Side *side, const char *frames, const char *text)
{
  if (frames != NULL)
    side_say_frames (side, "%s", frames);
  else
    side_say (side, "%s", text);
}

/* The session ends, from a later dispatch; nothing is said any more, and what came is untouched. */
static void
expect_protocol_error (Side *side, unsigned int n_bytes)
{
  User *first = side_get_user (side, 0);

  g_assert_nonnull (side->mux);
  g_assert_error (side->mux->failure, VT_ERROR, VT_ERROR_PROTOCOL);
  side_expect_heard (side, "");
  g_assert_null (strpbrk (first->heard->str, "cC"));
  user_read_all (first);
  g_assert_cmpuint (first->received->len, ==, n_bytes);
  vt_clock_advance (side->clock, 10);
  side_expect_heard (side, "failed protocol");
  side_expect_sent (side, "");
  for (unsigned int i = 0; i < 2; i++)
    g_assert_error (side_get_user (side, i)->error, VT_ERROR, VT_ERROR_PROTOCOL);
}

static unsigned int
count_bytes (const Case *tested, unsigned int stream)
{
  g_autofree char *frame = g_strdup_printf ("DATA %u ", stream);
  const char *before = tested->before != NULL ? strstr (tested->before, frame) : NULL;

  return before != NULL ? (unsigned int) atoi (before + strlen (frame)) : 0;
}

static void
check_case (const Case *tested, VtMuxRole role)
{
  Side *side = new_side (role);
  unsigned int n_bytes = count_bytes (tested, role == VT_MUX_CLIENT ? 3 : 1);

  if (tested->before != NULL)
    side_say_frames (side, "%s", tested->before);
  g_assert_no_error (side->mux->failure);
  say (side, tested->frames, tested->text);
  /* What stood before it in its message has come. */
  n_bytes += g_str_equal (tested->name, "ack-in-batch") ? 1 : 0;
  expect_protocol_error (side, n_bytes);
  side_free (side);
}

static void
test_client_case (const void *user_data)
{
  check_case (user_data, VT_MUX_CLIENT);
}

static void
test_server_case (const void *user_data)
{
  check_case (user_data, VT_MUX_SERVER);
}

/* One byte changed, or one too few, or nothing at all. */
static void
check_bytes (const char *frames, size_t at, uint8_t value, gssize length)
{
  g_autoptr(GBytes) good = wire_compose (frames);
  g_autoptr(GBytes) bad = NULL;
  size_t size = length < 0 ? g_bytes_get_size (good) : (size_t) length;
  uint8_t *bytes = g_memdup2 (g_bytes_get_data (good, NULL), g_bytes_get_size (good));
  Side *client = new_side (VT_MUX_CLIENT);

  bytes[at] = value;
  bad = g_bytes_new_take (bytes, size);
  g_assert_false (vt_mux_receive (client->mux, FALSE, bad));
  /* After a failure nothing is received. */
  g_assert_false (vt_mux_receive (client->mux, FALSE, good));
  expect_protocol_error (client, 0);
  side_free (client);
}

static void
test_bytes (void)
{
  check_bytes ("DATA 3 5", 0, 8, -1);
  check_bytes ("DATA 3 5", 0, 0, -1);
  check_bytes ("DATA 3 5", 1, 1, -1);
  check_bytes ("DATA 3 5", 2, 128, -1);
  check_bytes ("DATA 3 5", 3, 1, -1);
  check_bytes ("DATA 3 5", 11, 6, -1);
  check_bytes ("DATA 3 5", 8, 255, -1);
  check_bytes ("EOF 3", 11, 1, -1);
  check_bytes ("CREDIT 3 5", 11, 7, -1);
  check_bytes ("RESET 3 failed", 11, 3, -1);
  check_bytes ("OPEN 7 on 1", 16, 5, -1);
  check_bytes ("DATA 3 5", 0, 3, 16);
  check_bytes ("EOF 3", 0, 4, 11);
  check_bytes ("EOF 3", 0, 4, 1);
  check_bytes ("EOF 3", 0, 4, 0);
}

/* What stood behind the fault does nothing. */
static void
test_rest_of_message (void)
{
  Side *client = new_side (VT_MUX_CLIENT);

  side_say_frames (client, "DATA 3 7; OPENED 3; DATA 3 1; RESET 5 failed; OPEN 7 on 1");
  g_assert_cmpuint (client->users->len, ==, 3);
  expect_protocol_error (client, 7);
  side_free (client);
}

/* A stream that is gone here may not be gone there yet. */
static void
test_gone (void)
{
  Side *client = new_side (VT_MUX_CLIENT);
  Side *server = new_side (VT_MUX_SERVER);

  side_say_frames (client, "DATA 6 20000; EOF 6; EOF 6; RESET 6 failed; CREDIT 6 5; OPENED 6");
  side_say_frames (client, "DATA 1 1; EOF 2; CREDIT 4 7");
  side_say_frames (server, "OPENED 3; DATA 3 65536; EOF 3; RESET 3 failed; CREDIT 3 1; OPENED 3");
  for (unsigned int i = 0; i < 2; i++)
    {
      vt_mux_stream_reset (side_get_user (client, i)->stream, NULL);
      vt_mux_stream_reset (side_get_user (server, i)->stream, NULL);
    }
  side_say_frames (client, "DATA 3 20000; EOF 3; RESET 5 failed; CREDIT 5 5");
  side_say_frames (server, "DATA 2 20000; EOF 1; RESET 1 failed; CREDIT 1 5; OPENED 2");
  vt_clock_advance (client->clock, 10);
  vt_clock_advance (server->clock, 10);
  side_expect_sent (client, "RESET 3 cancelled; RESET 5 cancelled");
  side_expect_sent (server, "RESET 1 cancelled; RESET 2 cancelled");
  side_expect_heard (client, "");
  side_expect_heard (server, "");
  side_free (client);
  side_free (server);
}

static gboolean
receive_text (Side *side, const char *text)
{
  g_autoptr(GBytes) message = g_bytes_new_static (text, strlen (text));

  return vt_mux_receive (side->mux, TRUE, message);
}

static gboolean
receive_frames (Side *side, const char *frames)
{
  g_autoptr(GBytes) message = wire_compose (frames);

  return vt_mux_receive (side->mux, FALSE, message);
}

/* Which messages have a number. */
static void
test_counted (void)
{
  Side *client = new_side (VT_MUX_CLIENT);

  g_assert_true (receive_text (client, "{\"type\":\"telepathy\",\"id\":\"so\"}"));
  g_assert_true (receive_text (client, "{\"type\":\"listen\",\"id\":1}"));
  g_assert_true (receive_text (client, "{\"type\":\"unlisten_ok\",\"id\":77}"));
  g_assert_true (receive_text (client, "{\"type\":\"goaway\"}"));
  g_assert_false (receive_text (client, "{\"type\":\"ping\",\"t\":1}"));
  g_assert_false (receive_text (client, "{\"type\":\"pong\",\"t\":1}"));
  g_assert_true (receive_frames (client, "DATA 3 1"));
  g_assert_true (receive_frames (client, "DATA 6 1"));
  vt_clock_advance (client->clock, 10);
  side_expect_sent (client, "{\"type\":\"pong\",\"t\":1}");
  side_expect_heard (client, "going_away (null) 0");
  side_free (client);
}

/* Credit without a bound moves as much as the queue takes, and no more. */
static void
test_endless_credit (void)
{
  Side *client = new_side (VT_MUX_CLIENT);
  User *user = side_get_user (client, 0);

  side_say_frames (client, "CREDIT 3 18446744073709551615; CREDIT 3 5");
  client->queued = 72 * KIB;
  user_write (user, 1024 * KIB);
  g_assert_cmpuint (user->written, >=, 56 * KIB);
  g_assert_cmpuint (user->written, <=, 56 * KIB + 64 * KIB);
  side_free (client);
}

static void
test_max_streams (void)
{
  VtMuxConfig config;
  Side *client;

  vt_mux_config_init (&config, VT_MUX_CLIENT);
  config.max_streams = 2;
  client = side_new_v2 (VT_MUX_CLIENT, &config);
  side_say_frames (client, "OPEN 1 on 1; OPEN 2 on 1; OPEN 3 on 1; DATA 3 100; OPEN 4 on 1");
  vt_clock_advance (client->clock, 1);
  side_expect_sent (client,
                    "RESET 3 limit Too many connections; RESET 4 limit Too many connections");
  g_assert_cmpuint (client->users->len, ==, 2);
  side_say_frames (client, "RESET 2 failed; OPEN 9 on 1");
  g_assert_cmpuint (client->users->len, ==, 3);
  side_free (client);
}

static void
expect_no_room (Side *server)
{
  g_autoptr(GError) error = NULL;

  g_assert_null (vt_mux_open_stream (server->mux, 1, NULL, NULL, &error));
  g_assert_error (error, VT_ERROR, VT_ERROR_LIMIT);
}

/* Of those that a client has not answered, whatever becomes of them. Others are not counted. */
static void
test_max_opening (void)
{
  VtMuxConfig config;
  Side *server;

  vt_mux_config_init (&config, VT_MUX_SERVER);
  config.max_opening = 4;
  server = side_new_v2 (VT_MUX_SERVER, &config);
  for (unsigned int i = 0; i < 3; i++)
    side_open (server, 1);
  side_say_frames (server, "OPENED 1");
  side_open (server, 1);
  side_expect_heard (server, "");
  side_open (server, 1);
  side_expect_heard (server, "crowded");
  expect_no_room (server);
  side_say_frames (server, "RESET 2 failed; RESET 1 failed");
  side_expect_heard (server, "");
  vt_mux_stream_reset (side_get_user (server, 2)->stream, NULL);
  side_expect_heard (server, "not crowded");
  side_say_frames (server, "OPENED 4; OPENED 5; RESET 5 failed");
  for (unsigned int i = 0; i < 4; i++)
    side_open (server, 1);
  side_expect_heard (server, "crowded");
  expect_no_room (server);
  /* It ends like this: nothing is told any more. */
  side_free (server);
}

/* Whoever opens and resets streams faster than later dispatches come leaves none of them behind. */
static void
test_reset_at_once (void)
{
  Side *client = new_side (VT_MUX_CLIENT);
  User *user = side_get_user (client, 0);

  side_say_frames (client, "DATA 3 7; RESET 3 failed");
  user_expect (user, "rC");
  side_say_frames (client, "OPEN 7 on 1");
  user = side_get_user (client, 3);
  user_listen (user);
  side_say_frames (client, "RESET 7 failed");
  user_expect (user, "C");
  vt_clock_advance (client->clock, 10);
  user_expect (user, "");
  side_free (client);
}

/* One that asks on and on and reads no answer. */
static void
test_unread_answers (void)
{
  Side *server = side_new_v2 (VT_MUX_SERVER, NULL);
  unsigned int n = 0;

  server->mux->config.max_ping_rate = 0;
  server->queued = 1024 * KIB;
  for (; server->mux->failure == NULL && n < 1000; n++)
    {
      side_say (server, "{\"type\":\"ping\",\"t\":5}");
      server->queued += 10 * KIB;
    }
  g_assert_cmpuint (n, >, 250);
  g_assert_cmpuint (n, <, 320);
  vt_clock_advance (server->clock, 1);
  side_expect_heard (server, "failed limit");
  side_free (server);
}

/* Says it so often, and gives how often it was taken. */
static unsigned int
say_often (Side *server, const char *text, unsigned int times)
{
  unsigned int n = 0;

  for (unsigned int i = 0; i < times && server->mux->failure == NULL; i++, n++)
    side_say (server, "%s", text);
  return n - (server->mux->failure != NULL);
}

/* Two seconds' worth at once, and then so many a second. Each of them has a rate of its own. */
static void
test_rates (void)
{
  static const char ping[] = "{\"type\":\"ping\",\"t\":5}";
  static const char request[] = "{\"type\":\"unlisten\",\"id\":5}";
  Side *server = side_new_v2 (VT_MUX_SERVER, NULL);
  unsigned int n;

  g_assert_cmpuint (say_often (server, ping, 200), ==, 200);
  g_assert_cmpuint (say_often (server, request, 1900), ==, 1900);
  for (int i = 0; i < 60; i++)
    {
      vt_clock_advance (server->clock, G_TIME_SPAN_SECOND / 10);
      g_assert_cmpuint (say_often (server, ping, 10), ==, 10);
      g_assert_cmpuint (say_often (server, request, 100), ==, 100);
    }
  g_assert_cmpuint (say_often (server, ping, 10), ==, 0);
  vt_clock_advance (server->clock, 1);
  side_expect_heard (server, "failed limit");
  side_free (server);

  server = side_new_v2 (VT_MUX_SERVER, NULL);
  n = say_often (server, "{\"type\":\"from the future\"}", 5000);
  g_assert_cmpuint (n, >, 1900);
  g_assert_cmpuint (n, <=, 2000);
  side_free (server);
}

/* Of streams that a client resets, as of all that it asks for. */
static void
test_reset_rate (void)
{
  VtMuxConfig config;
  Side *server;

  vt_mux_config_init (&config, VT_MUX_SERVER);
  config.max_reset_rate = 2;
  server = side_new_v2 (VT_MUX_SERVER, &config);
  for (unsigned int i = 1; i <= 5; i++)
    {
      side_open (server, 1);
      side_say_frames (server, "RESET %u failed", server->mux->last_stream_id);
      g_assert_true ((server->mux->failure != NULL) == (i == 5));
    }
  vt_clock_advance (server->clock, 1);
  side_expect_heard (server, "failed limit");
  side_free (server);
}

/* One that acknowledges nothing of what it asks for. */
static void
test_no_acknowledgement (void)
{
  VtMuxConfig config;
  Side *server;
  size_t kept = 0;

  vt_mux_config_init (&config, VT_MUX_SERVER);
  config.max_buffer = 256 * KIB;
  config.max_streams = 16;
  config.max_control_rate = 0;
  server = side_new_v2 (VT_MUX_SERVER, &config);
  side_keep (server);
  for (unsigned int n = 0; server->mux->failure == NULL && n < 1000000; n++)
    {
      side_say (server, "{\"type\":\"unlisten\",\"id\":77}");
      kept = vt_replay_get_kept (server->replay);
    }
  g_assert_cmpuint (kept, >=, (256 + 4096) * KIB);
  g_assert_cmpuint (kept, <, (256 + 4097) * KIB);
  vt_clock_advance (server->clock, 1);
  side_expect_heard (server, "failed limit");
  side_free (server);
}

/* What is unread costs little more than its bytes, however it came. */
static void
check_cost (unsigned int n_messages, unsigned int piece, const char *padding)
{
  Side *client = new_side (VT_MUX_CLIENT);

  for (unsigned int i = 0; i < n_messages; i++)
    side_say_frames (client, "DATA 3 %u%s", piece, padding);
  g_assert_cmpuint (client->mux->buffered, >=, n_messages * piece);
  g_assert_cmpuint (client->mux->buffered, <=, n_messages * piece * 9 / 8 + 256);
  side_free (client);
}

static unsigned int n_freed;

static void
freed_cb (void *user_data)
{
  n_freed++;
  g_free (user_data);
}

/* No message is held, since what is not read at once is copied. */
static void
test_memory (void)
{
  Side *client = new_side (VT_MUX_CLIENT);

  check_cost (16000, 1, "");
  check_cost (500, 1, "; DATA 6 60000");
  check_cost (16, 1024, "");
  for (unsigned int i = 0; i < 10; i++)
    {
      g_autoptr(GBytes) composed = wire_compose ("DATA 3 1500; DATA 6 60000; DATA 3 1");
      size_t length = g_bytes_get_size (composed);
      uint8_t *copy = g_memdup2 (g_bytes_get_data (composed, NULL), length);
      g_autoptr(GBytes) message = g_bytes_new_with_free_func (copy, length, freed_cb, copy);

      vt_mux_receive (client->mux, FALSE, message);
    }
  g_assert_cmpuint (n_freed, ==, 10);
  side_get_user (client, 0)->reads = TRUE;
  user_read_all (side_get_user (client, 0));
  g_assert_cmpuint (side_get_user (client, 0)->received->len, ==, 15010);
  g_assert_cmpuint (client->mux->buffered, ==, 0);
  side_free (client);
}

static void
add_cases (const char *group, const Case *cases, size_t n_cases, GTestDataFunc func)
{
  for (size_t i = 0; i < n_cases; i++)
    {
      g_autofree char *path = g_strdup_printf ("/mux-v2/hostile/%s/%s", group, cases[i].name);

      g_test_add_data_func (path, &cases[i], func);
    }
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  add_cases ("to-client", client_cases, G_N_ELEMENTS (client_cases), test_client_case);
  add_cases ("to-server", server_cases, G_N_ELEMENTS (server_cases), test_server_case);
  g_test_add_func ("/mux-v2/hostile/bytes", test_bytes);
  g_test_add_func ("/mux-v2/hostile/rest-of-message", test_rest_of_message);
  g_test_add_func ("/mux-v2/hostile/unread-answers", test_unread_answers);
  g_test_add_func ("/mux-v2/hostile/no-acknowledgement", test_no_acknowledgement);
  g_test_add_func ("/mux-v2/hostile/reset-at-once", test_reset_at_once);
  g_test_add_func ("/mux-v2/hostile/max-streams", test_max_streams);
  g_test_add_func ("/mux-v2/hostile/max-opening", test_max_opening);
  g_test_add_func ("/mux-v2/hostile/rates", test_rates);
  g_test_add_func ("/mux-v2/hostile/reset-rate", test_reset_rate);
  g_test_add_func ("/mux-v2/hostile/memory", test_memory);
  g_test_add_func ("/mux-v2/peer/gone", test_gone);
  g_test_add_func ("/mux-v2/peer/counted", test_counted);
  g_test_add_func ("/mux-v2/peer/endless-credit", test_endless_credit);
  return g_test_run ();
}
