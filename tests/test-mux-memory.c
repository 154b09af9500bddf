/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "mux-pair.h"

#include "vt-byte-queue-private.h"
#include "vt-error-private.h"

#define SECOND ((gint64) G_USEC_PER_SEC)
#define MIB (1024 * 1024)

/* A client with lazy users of `n` streams. */
static Side *
new_client (const VtMuxConfig *config, unsigned int n)
{
  g_autoptr(VtClock) clock = vt_clock_new_fake ();
  VtMuxConfig quiet;
  Side *client;

  vt_mux_config_init (&quiet, VT_MUX_CLIENT);
  quiet.ping_interval = 0;
  client = side_new (VT_MUX_CLIENT, clock, config != NULL ? config : &quiet);
  vt_mux_listen (client->mux, 1, &(VtMuxListen){ .port = 8080 });
  client->lazy = TRUE;
  side_say (client, "{\"type\":\"listen_ok\",\"port\":8080}");
  for (unsigned int i = 0; i < n; i++)
    {
      side_say (client, "{\"type\":\"connect\",\"port\":8080,\"stream_id\":%u}", i + 1);
      user_listen (side_get_user (client, i));
    }
  g_string_truncate (client->heard, 0);
  g_string_truncate (client->sent, 0);
  return client;
}

/* Gives how many messages of this size one stream takes until reading pauses. */
static unsigned int
fill (Side *client, guint32 stream_id, size_t size)
{
  unsigned int n = 0;

  while (client->reading)
    {
      side_say_data (client, stream_id, size);
      n++;
    }
  return n;
}

static void
test_marks (void)
{
  Side *client = new_client (NULL, 2);
  User *first = side_get_user (client, 0);
  unsigned int n;

  side_say_data (client, 2, 100 * 1024);
  n = fill (client, 1, 32 * 1024);
  g_assert_cmpuint (n, ==, 29);

  /* What still comes is kept. */
  side_say_data (client, 1, 32 * 1024);
  vt_mux_stream_consume (first->stream, 16 * 32 * 1024);
  g_assert_false (client->reading);
  vt_mux_stream_consume (first->stream, 2 * 32 * 1024);
  g_assert_true (client->reading);
  user_read_all (first);
  g_assert_cmpuint (first->received->len, ==, 12 * 32 * 1024);
  g_assert_cmpuint (client->n_pauses, ==, 1);
  side_free (client);
}

static void
test_small_max_buffer (void)
{
  VtMuxConfig config;
  Side *client;

  vt_mux_config_init (&config, VT_MUX_CLIENT);
  config.max_buffer = 64 * 1024;
  client = new_client (&config, 1);
  g_assert_cmpuint (fill (client, 1, 32 * 1024), ==, 2);
  side_free (client);
}

/* One that reads all at once in `readable` causes no pause at all. */
static void
test_reader (void)
{
  Side *client = new_client (NULL, 1);

  side_get_user (client, 0)->reads = TRUE;
  side_say_data (client, 1, 2 * MIB);
  g_assert_cmpuint (client->n_pauses, ==, 0);
  side_free (client);
}

/* Single bytes are put together; what they cost is counted, and it is not much more than they. */
static void
test_single_bytes (void)
{
  Side *client = new_client (NULL, 1);
  User *user = side_get_user (client, 0);
  unsigned int n = fill (client, 1, 1);

  g_assert_cmpuint (n, >, MIB - MIB / 16);
  g_assert_cmpuint (n, <=, MIB - 128 * (MIB / 4096 - 10));
  user_read_all (user);
  g_assert_cmpuint (user->received->len, ==, n);
  g_assert_true (client->reading);
  side_free (client);
}

/* Many streams with a byte each cost more than those bytes. */
static void
test_many_streams (void)
{
  Side *client = new_client (NULL, 8192);
  unsigned int n = 0;

  while (client->reading && n < 8192)
    side_say_data (client, ++n, 1);
  g_assert_cmpuint (n, ==, (MIB + 128) / 129);
  side_free (client);
}

static void
test_stall (void)
{
  Side *client = new_client (NULL, 3);
  User *reader = side_get_user (client, 0), *stalled = side_get_user (client, 1);
  User *small = side_get_user (client, 2);

  side_say_data (client, 1, MIB / 4);
  side_say_data (client, 3, 10);
  fill (client, 2, 32 * 1024);

  /* The one that takes a byte now and then is not to blame; the smallest one not before it must. */
  vt_clock_advance (client->clock, 299 * SECOND);
  vt_mux_stream_consume (reader->stream, 1);
  side_expect_sent (client, "");
  g_string_truncate (stalled->heard, 0);
  vt_clock_advance (client->clock, SECOND);
  vt_clock_advance (client->clock, 1);
  user_expect (stalled, "C");
  g_assert_error (stalled->error, VT_ERROR, VT_ERROR_TIMED_OUT);
  side_expect_sent (client, "{\"type\":\"close\",\"stream_id\":2}");
  g_assert_true (client->reading);
  g_assert_false (vt_mux_stream_at_end (stalled->stream));
  user_read_all (stalled);
  g_assert_cmpuint (stalled->received->len, ==, 0);
  g_assert_cmpuint (vt_mux_get_n_streams (client->mux), ==, 2);
  user_read_all (small);
  g_assert_cmpuint (small->received->len, ==, 10);
  side_free (client);
}

/* A slow one that takes something all the time is left alone, until it does not any more. */
static void
test_stall_slow (void)
{
  Side *client = new_client (NULL, 1);
  User *user = side_get_user (client, 0);

  fill (client, 1, 32 * 1024);
  for (unsigned int i = 0; i < 10; i++)
    {
      vt_clock_advance (client->clock, 200 * SECOND);
      vt_mux_stream_consume (user->stream, 1000);
    }
  side_expect_sent (client, "");
  vt_clock_advance (client->clock, 300 * SECOND - 1);
  side_expect_sent (client, "");
  vt_clock_advance (client->clock, 1);
  side_expect_sent (client, "{\"type\":\"close\",\"stream_id\":1}");
  g_assert_true (client->reading);
  side_free (client);
}

/* One that ended in order keeps what it was promised, but holds up nobody any more. */
static void
test_stall_ended (void)
{
  Side *client = new_client (NULL, 3);
  User *user = side_get_user (client, 0);
  size_t length = fill (client, 1, 32 * 1024) * 32 * 1024;

  side_say (client, "{\"type\":\"close\",\"stream_id\":1}");
  vt_clock_advance (client->clock, 299 * SECOND);
  g_assert_false (client->reading);
  vt_clock_advance (client->clock, SECOND);
  g_assert_true (client->reading);
  g_assert_true (g_str_has_suffix (user->heard->str, "rc"));

  /* The next one is to blame for itself, and the first one's bytes count for nobody. */
  fill (client, 2, 32 * 1024);
  vt_clock_advance (client->clock, 300 * SECOND);
  g_assert_true (client->reading);
  g_assert_cmpuint (vt_mux_get_n_streams (client->mux), ==, 1);
  fill (client, 3, 32 * 1024);
  user_read_all (user);
  g_assert_cmpuint (user->received->len, ==, length);
  g_assert_false (client->reading);
  user_read_all (side_get_user (client, 2));
  g_assert_true (client->reading);
  side_free (client);
}

/* And even of these there cannot be any number. */
static void
test_stall_ended_many (void)
{
  VtMuxConfig config;
  Side *client;

  vt_mux_config_init (&config, VT_MUX_CLIENT);
  config.ping_interval = 0;
  config.max_buffer = 4 * MIB;
  client = new_client (&config, 10);
  for (unsigned int i = 1; i <= 10 && client->mux != NULL; i++)
    {
      fill (client, i, 32 * 1024);
      side_say (client, "{\"type\":\"close\",\"stream_id\":%u}", i);
      vt_clock_advance (client->clock, 300 * SECOND);
      vt_clock_advance (client->clock, 1);
    }
  side_expect_heard (client, "failed limit");
  side_free (client);
}

/* Bytes count until they are consumed or their stream is let go of. */
static void
test_freed (void)
{
  Side *client = new_client (NULL, 1);

  fill (client, 1, 32 * 1024);
  side_say (client, "{\"type\":\"close\",\"stream_id\":1}");
  g_assert_false (client->reading);
  user_release (side_get_user (client, 0));
  g_assert_true (client->reading);

  side_say (client, "{\"type\":\"connect\",\"port\":8080,\"stream_id\":2}");
  fill (client, 2, 32 * 1024);
  vt_mux_stream_reset (side_get_user (client, 1)->stream, NULL);
  g_assert_true (client->reading);
  side_free (client);
}

static void
test_queue (void)
{
  for (unsigned int round = 0; round < 2000; round++)
    {
      VtByteQueue queue = { 0 };
      size_t pushed = 0, taken = 0;

      for (unsigned int i = 0; i < 40; i++)
        {
          size_t size = (size_t) g_test_rand_int_range (0, g_test_rand_bit () ? 40 : 3000);
          uint8_t *data = g_malloc (size + 1);
          g_autoptr(GBytes) bytes = g_bytes_new_take (data, size);
          const uint8_t *there;
          size_t length;

          for (size_t j = 0; j < size; j++)
            data[j] = pattern_at (round, pushed + j);
          vt_byte_queue_push (&queue, bytes);
          pushed += size;

          there = vt_byte_queue_peek (&queue, &length);
          g_assert_cmpuint (length, <=, queue.length);
          g_assert_cmpint (there == NULL, ==, pushed == taken);
          for (size_t j = 0; j < length; j++)
            g_assert_cmpuint (there[j], ==, pattern_at (round, taken + j));
          length = (size_t) g_test_rand_int_range (0, (int) (pushed - taken) + 1);
          vt_byte_queue_consume (&queue, length);
          taken += length;
          g_assert_cmpuint (queue.length, ==, pushed - taken);
          g_assert_cmpuint (queue.cost, >=, queue.length);
          g_assert_cmpuint (queue.cost, ==,
                            queue.length + queue.pieces.length * VT_BYTE_QUEUE_PIECE_COST);
        }
      vt_byte_queue_clear (&queue);
    }
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/mux/memory/marks", test_marks);
  g_test_add_func ("/mux/memory/small-max-buffer", test_small_max_buffer);
  g_test_add_func ("/mux/memory/reader", test_reader);
  g_test_add_func ("/mux/memory/single-bytes", test_single_bytes);
  g_test_add_func ("/mux/memory/many-streams", test_many_streams);
  g_test_add_func ("/mux/memory/stall", test_stall);
  g_test_add_func ("/mux/memory/stall-slow", test_stall_slow);
  g_test_add_func ("/mux/memory/stall-ended", test_stall_ended);
  g_test_add_func ("/mux/memory/stall-ended-many", test_stall_ended_many);
  g_test_add_func ("/mux/memory/freed", test_freed);
  g_test_add_func ("/mux/memory/queue", test_queue);
  return g_test_run ();
}
