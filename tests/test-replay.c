/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "replay-end.h"

#include "vt-error.h"

#define KIB ((size_t) 1024)
#define MSEC ((gint64) G_TIME_SPAN_MILLISECOND)

/* What a message costs besides its bytes. */
static size_t
measure_cost (void)
{
  g_autoptr(End) end = end_new ();

  hand_in (end, "", FALSE);
  return vt_replay_get_kept (end->replay);
}

static void
test_send_attached (void)
{
  g_autoptr(End) end = end_new ();

  attach (end, 0);
  expect_sent (end, "");
  hand_in (end, "one", FALSE);
  expect_sent (end, "one");
  hand_in (end, "two", TRUE);
  hand_in (end, "three", FALSE);
  expect_sent (end, "text:two three");
  vt_clock_advance (end->clock, 1000 * MSEC);
  expect_sent (end, "");
}

static void
test_send_before_a_link (void)
{
  g_autoptr(End) end = end_new ();

  hand_in (end, "one", FALSE);
  hand_in (end, "two", TRUE);
  vt_clock_advance (end->clock, 1000 * MSEC);
  expect_sent (end, "");
  attach (end, 0);
  expect_sent (end, "one text:two");
  hand_in (end, "three", FALSE);
  expect_sent (end, "three");
}

/* The order is that of handing in, even if a handler does it in the middle of a resumption. */
static void
test_send_from_the_handler (void)
{
  g_autoptr(End) end = end_new ();

  hand_in (end, "one", FALSE);
  hand_in (end, "two", FALSE);
  hand_in (end, "three", FALSE);
  end->send_before = 2;
  attach (end, 0);
  expect_sent (end, "one two three more");
  end->send_before = 5;
  hand_in (end, "five", FALSE);
  expect_sent (end, "five more");
}

static void
test_kept_counts (void)
{
  g_autoptr(End) end = end_new ();
  size_t cost = measure_cost ();

  g_assert_cmpuint (vt_replay_get_kept (end->replay), ==, 0);
  g_assert_cmpuint (cost, >, sizeof (void *));
  g_assert_cmpuint (cost, <, 200);
  hand_in_bytes (end, 1000);
  g_assert_cmpuint (vt_replay_get_kept (end->replay), ==, 1000 + cost);
  attach (end, 0);
  hand_in_bytes (end, 64 * KIB);
  hand_in_bytes (end, 10);
  g_assert_cmpuint (vt_replay_get_kept (end->replay), ==, 1010 + 64 * KIB + 3 * cost);
  acknowledge (end, 1);
  g_assert_cmpuint (vt_replay_get_kept (end->replay), ==, 10 + 64 * KIB + 2 * cost);
  vt_replay_detach (end->replay);
  g_assert_cmpuint (vt_replay_get_kept (end->replay), ==, 10 + 64 * KIB + 2 * cost);
  attach (end, 2);
  g_assert_cmpuint (vt_replay_get_kept (end->replay), ==, 10 + cost);
  acknowledge (end, 3);
  g_assert_cmpuint (vt_replay_get_kept (end->replay), ==, 0);
}

/* Between two sides that are quick no more is kept than what waits for its acknowledgement. */
static void
test_kept_bounded (void)
{
  g_autoptr(End) from = end_new ();
  g_autoptr(End) to = end_new ();
  size_t most = 0;

  attach (from, 0);
  attach (to, 0);
  for (unsigned int i = 0; i < 1000; i++)
    {
      guint64 received = 0;

      hand_in_bytes (from, 60 * KIB);
      most = MAX (most, vt_replay_get_kept (from->replay));
      vt_replay_note_received (to->replay, 60 * KIB);
      vt_clock_advance (to->clock, 0);
      for (unsigned int j = 0; j < to->sent->len; j++)
        {
          g_assert_true (read_ack (to->sent->pdata[j], &received));
          acknowledge (from, received);
        }
      g_ptr_array_set_size (to->sent, 0);
    }
  g_assert_cmpuint (most, >=, 128 * KIB);
  g_assert_cmpuint (most, <, 192 * KIB);
}

/* Positions go round in the ring while it grows, empties and grows again. */
static void
test_kept_many (void)
{
  g_autoptr(End) end = end_new ();
  unsigned int n = 0, forgotten = 0;

  attach (end, 0);
  for (unsigned int round = 0; round < 2; round++)
    {
      for (unsigned int step = 1; step < 4000; step *= 3)
        {
          GPtrArray *sent = end->sent;

          for (unsigned int i = 0; i < step; i++, n++)
            hand_in_bytes (end, n % 7);
          forgotten += (n - forgotten) / 2;
          acknowledge (end, forgotten);

          /* The very same, in order. */
          vt_replay_detach (end->replay);
          attach (end, forgotten);
          g_assert_cmpuint (sent->len, ==, n + n - forgotten);
          for (unsigned int i = forgotten; i < n; i++)
            g_assert_true (sent->pdata[i] == sent->pdata[n + i - forgotten]);
          g_ptr_array_set_size (sent, (int) n);
        }
      acknowledge (end, forgotten = n);
      g_assert_cmpuint (vt_replay_get_kept (end->replay), ==, 0);
    }
}

static void
count_down_cb (void *user_data)
{
  unsigned int *n = user_data;

  (*n)--;
}

static void
test_kept_no_longer (void)
{
  g_autoptr(End) end = end_new ();
  unsigned int n_live = 0;

  for (unsigned int i = 0; i < 5; i++)
    {
      g_autoptr(GBytes) message = g_bytes_new_with_free_func ("data", 4, count_down_cb, &n_live);

      n_live++;
      vt_replay_send (end->replay, message, FALSE);
    }
  attach (end, 0);
  g_ptr_array_set_size (end->sent, 0);
  g_assert_cmpuint (n_live, ==, 5);
  acknowledge (end, 2);
  g_assert_cmpuint (n_live, ==, 3);
  vt_replay_detach (end->replay);
  attach (end, 4);
  g_ptr_array_set_size (end->sent, 0);
  g_assert_cmpuint (n_live, ==, 1);
  g_clear_pointer (&end->replay, vt_replay_free);
  g_assert_cmpuint (n_live, ==, 0);
}

static void
expect_refused (End *self, gboolean attaching, guint64 received)
{
  g_autoptr(GError) error = NULL;
  size_t kept = vt_replay_get_kept (self->replay);

  if (attaching)
    g_assert_false (vt_replay_attach (self->replay, received, &error));
  else
    g_assert_false (vt_replay_acknowledge (self->replay, received, &error));
  g_assert_error (error, VT_ERROR, VT_ERROR_PROTOCOL);
  g_assert_cmpuint (vt_replay_get_kept (self->replay), ==, kept);
  expect_sent (self, "");
}

static void
test_acknowledge_bad_numbers (void)
{
  g_autoptr(End) end = end_new ();

  attach (end, 0);
  expect_refused (end, FALSE, 1);
  acknowledge (end, 0);
  hand_in (end, "one", FALSE);
  hand_in (end, "two", FALSE);
  hand_in (end, "three", FALSE);
  expect_sent (end, "one two three");
  expect_refused (end, FALSE, 4);
  expect_refused (end, FALSE, G_MAXUINT64);
  acknowledge (end, 2);
  acknowledge (end, 2);
  expect_refused (end, FALSE, 1);
  expect_refused (end, FALSE, 0);
  g_assert_false (vt_replay_acknowledge (end->replay, 0, NULL));
  acknowledge (end, 3);
  expect_refused (end, FALSE, 2);
}

static void
test_attach_bad_numbers (void)
{
  g_autoptr(End) end = end_new ();

  expect_refused (end, TRUE, 1);
  hand_in (end, "one", FALSE);
  /* Who has not been sent it cannot have it. */
  expect_refused (end, TRUE, 1);
  attach (end, 0);
  hand_in (end, "two", FALSE);
  expect_sent (end, "one two");
  acknowledge (end, 1);
  vt_replay_detach (end->replay);
  hand_in (end, "three", FALSE);
  expect_refused (end, TRUE, 0);
  expect_refused (end, TRUE, 3);
  expect_refused (end, TRUE, G_MAXUINT64);
  /* It is not attached, nothing was forgotten, and a good number is still welcome. */
  hand_in (end, "four", FALSE);
  expect_sent (end, "");
  attach (end, 1);
  expect_sent (end, "two three four");
}

static void
test_attach_resends (void)
{
  g_autoptr(End) end = end_new ();

  attach (end, 0);
  hand_in (end, "one", FALSE);
  hand_in (end, "two", TRUE);
  hand_in (end, "three", FALSE);
  vt_replay_detach (end->replay);
  hand_in (end, "four", TRUE);
  expect_sent (end, "one text:two three");
  attach (end, 1);
  expect_sent (end, "text:two three text:four");
  g_assert_true (end->sent->pdata[1] == end->sent->pdata[3]);
  g_assert_true (end->sent->pdata[2] == end->sent->pdata[4]);

  /* What the other side has said once holds on each link; what it has not is sent on each. */
  vt_replay_detach (end->replay);
  attach (end, 1);
  expect_sent (end, "text:two three text:four");
  vt_replay_detach (end->replay);
  attach (end, 4);
  expect_sent (end, "");
  g_assert_cmpuint (vt_replay_get_kept (end->replay), ==, 0);
}

static void
test_attach_broken_by_the_handler (void)
{
  g_autoptr(End) end = end_new ();

  hand_in (end, "one", FALSE);
  hand_in (end, "two", FALSE);
  hand_in (end, "three", FALSE);
  end->detach_after = 2;
  attach (end, 0);
  expect_sent (end, "one two");
  hand_in (end, "four", FALSE);
  expect_refused (end, TRUE, 3);
  attach (end, 1);
  expect_sent (end, "two three four");
}

static void
receive (End *self, unsigned int n, size_t length)
{
  for (unsigned int i = 0; i < n; i++)
    vt_replay_note_received (self->replay, length);
}

static void
test_ack_frame (void)
{
  const uint8_t expected[VT_BINARY_ACK_SIZE] = { 7, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                                                 0, 8, 0, 0, 0, 0, 0, 1, 2, 3 };
  g_autoptr(End) end = end_new ();
  GBytes *ack;

  receive (end, 0x010202, 1);
  attach (end, 0);
  receive (end, 1, 1);
  vt_clock_advance (end->clock, 100 * MSEC);
  expect_sent (end, "ack:66051");
  ack = end->sent->pdata[0];
  g_assert_cmpmem (g_bytes_get_data (ack, NULL), g_bytes_get_size (ack), expected, sizeof expected);
  /* It is not kept. */
  g_assert_cmpuint (vt_replay_get_kept (end->replay), ==, 0);
  acknowledge (end, 0);
  expect_refused (end, FALSE, 1);
}

/* After the first message, however many follow. */
static void
test_ack_delay (void)
{
  g_autoptr(End) end = end_new ();

  attach (end, 0);
  receive (end, 1, 10);
  vt_clock_advance (end->clock, 60 * MSEC);
  receive (end, 2, 10);
  vt_clock_advance (end->clock, 40 * MSEC - 1);
  expect_sent (end, "");
  vt_clock_advance (end->clock, 1);
  expect_sent (end, "ack:3");

  vt_clock_advance (end->clock, 1000 * MSEC);
  expect_sent (end, "");
  receive (end, 1, 0);
  vt_clock_advance (end->clock, 100 * MSEC - 1);
  expect_sent (end, "");
  vt_clock_advance (end->clock, 1);
  expect_sent (end, "ack:4");
}

/* At the end of a dispatch, one for all that came in it. */
static void
test_ack_bytes (void)
{
  g_autoptr(End) end = end_new ();

  attach (end, 0);
  receive (end, 1, 128 * KIB - 1);
  vt_clock_advance (end->clock, 1);
  expect_sent (end, "");
  receive (end, 1, 1);
  expect_sent (end, "");
  vt_clock_advance (end->clock, 0);
  expect_sent (end, "ack:2");

  receive (end, 20, 64 * KIB);
  expect_sent (end, "");
  vt_clock_advance (end->clock, 0);
  expect_sent (end, "ack:22");

  /* The count begins anew, and so does the time. */
  vt_clock_advance (end->clock, 70 * MSEC);
  receive (end, 1, 128 * KIB - 1);
  vt_clock_advance (end->clock, 100 * MSEC - 1);
  expect_sent (end, "");
  vt_clock_advance (end->clock, 1);
  expect_sent (end, "ack:23");
  receive (end, 1, 256 * KIB);
  vt_clock_advance (end->clock, 0);
  expect_sent (end, "ack:24");
  vt_clock_advance (end->clock, 1000 * MSEC);
  expect_sent (end, "");
}

/* What both sides have said when they met needs no acknowledgement. */
static void
test_ack_and_greeting (void)
{
  g_autoptr(End) end = end_new ();

  receive (end, 1, 10);
  vt_clock_advance (end->clock, 1000 * MSEC);
  expect_sent (end, "");
  attach (end, 0);
  receive (end, 1, 128 * KIB);
  receive (end, 1, 10);
  vt_replay_detach (end->replay);
  vt_clock_advance (end->clock, 1000 * MSEC);
  expect_sent (end, "");
  receive (end, 1, 128 * KIB);
  g_assert_cmpuint (vt_replay_get_received (end->replay), ==, 4);
  attach (end, 0);
  vt_clock_advance (end->clock, 1000 * MSEC);
  expect_sent (end, "");

  /* Bytes and time of before do not count either. */
  receive (end, 1, 10);
  vt_clock_advance (end->clock, 100 * MSEC - 1);
  expect_sent (end, "");
  vt_clock_advance (end->clock, 1);
  expect_sent (end, "ack:5");
}

static void
test_free_while_busy (void)
{
  g_autoptr(End) end = end_new ();

  hand_in (end, "one", FALSE);
  attach (end, 0);
  receive (end, 1, 10);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/replay/send/attached", test_send_attached);
  g_test_add_func ("/replay/send/before-a-link", test_send_before_a_link);
  g_test_add_func ("/replay/send/from-the-handler", test_send_from_the_handler);
  g_test_add_func ("/replay/kept/counts", test_kept_counts);
  g_test_add_func ("/replay/kept/bounded", test_kept_bounded);
  g_test_add_func ("/replay/kept/many", test_kept_many);
  g_test_add_func ("/replay/kept/no-longer", test_kept_no_longer);
  g_test_add_func ("/replay/acknowledge/bad-numbers", test_acknowledge_bad_numbers);
  g_test_add_func ("/replay/attach/bad-numbers", test_attach_bad_numbers);
  g_test_add_func ("/replay/attach/resends", test_attach_resends);
  g_test_add_func ("/replay/attach/broken-by-the-handler", test_attach_broken_by_the_handler);
  g_test_add_func ("/replay/ack/frame", test_ack_frame);
  g_test_add_func ("/replay/ack/delay", test_ack_delay);
  g_test_add_func ("/replay/ack/bytes", test_ack_bytes);
  g_test_add_func ("/replay/ack/and-greeting", test_ack_and_greeting);
  g_test_add_func ("/replay/free/while-busy", test_free_while_busy);
  return g_test_run ();
}
