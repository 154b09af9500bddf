/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "replay-end.h"

/* What a former link has lost goes out as fast as the next one takes it. */

static void
go_on (End *self, unsigned int room)
{
  self->room = room;
  vt_replay_continue (self->replay);
}

/* One that was cut off with four messages under way. */
static End *
new_broken (void)
{
  End *self = end_new ();

  attach (self, 0);
  hand_in (self, "one", FALSE);
  hand_in (self, "two", TRUE);
  hand_in (self, "three", FALSE);
  hand_in (self, "four", FALSE);
  vt_replay_detach (self->replay);
  expect_sent (self, "one text:two three four");
  return self;
}

static void
test_as_there_is_room (void)
{
  g_autoptr(End) end = new_broken ();

  end->room = 0;
  attach (end, 0);
  expect_sent (end, "");
  go_on (end, 0);
  expect_sent (end, "");
  go_on (end, 1);
  expect_sent (end, "one");
  go_on (end, 2);
  expect_sent (end, "text:two three");
  go_on (end, 5);
  expect_sent (end, "four");
  g_assert_cmpuint (end->room, ==, 4);
  go_on (end, 5);
  expect_sent (end, "");
}

static void
test_behind (void)
{
  g_autoptr(End) end = end_new ();

  /* Nothing waits, but there is no link. */
  g_assert_true (vt_replay_is_behind (end->replay));
  attach (end, 0);
  g_assert_false (vt_replay_is_behind (end->replay));
  hand_in (end, "one", FALSE);
  hand_in (end, "two", FALSE);
  g_assert_false (vt_replay_is_behind (end->replay));
  vt_replay_detach (end->replay);
  g_assert_true (vt_replay_is_behind (end->replay));
  end->room = 1;
  attach (end, 0);
  g_assert_true (vt_replay_is_behind (end->replay));
  /* It has come to the other side over the link before, or was sent over this one: the other side
   * need not have said so. */
  go_on (end, 1);
  g_assert_false (vt_replay_is_behind (end->replay));
  g_assert_cmpuint (vt_replay_get_kept (end->replay), >, 0);
  vt_replay_detach (end->replay);
  attach (end, 2);
  g_assert_false (vt_replay_is_behind (end->replay));
}

/* Nothing overtakes what is older. */
static void
test_new_behind_older (void)
{
  g_autoptr(End) end = new_broken ();

  end->room = 1;
  attach (end, 1);
  expect_sent (end, "text:two");
  hand_in (end, "five", TRUE);
  expect_sent (end, "");
  end->room = 1;
  hand_in (end, "six", FALSE);
  expect_sent (end, "three");
  go_on (end, 2);
  expect_sent (end, "four text:five");
  hand_in (end, "seven", FALSE);
  expect_sent (end, "");
  go_on (end, G_MAXUINT);
  expect_sent (end, "six seven");
}

/* Where nothing older waits, what is new does not wait for room either: it is what must go out past
 * a full queue. */
static void
test_new_past_a_full_link (void)
{
  g_autoptr(End) end = end_new ();

  attach (end, 0);
  end->room = 0;
  hand_in (end, "one", FALSE);
  hand_in (end, "two", TRUE);
  expect_sent (end, "one text:two");
  vt_replay_detach (end->replay);
  end->room = 2;
  attach (end, 0);
  expect_sent (end, "one text:two");
  hand_in (end, "three", FALSE);
  expect_sent (end, "three");
  g_assert_false (vt_replay_is_behind (end->replay));
}

/* An acknowledgement is none of them, and does not wait. */
static void
test_ack_past_all (void)
{
  g_autoptr(End) end = new_broken ();

  end->room = 0;
  attach (end, 0);
  vt_replay_note_received (end->replay, 10);
  vt_clock_advance (end->clock, 100 * G_TIME_SPAN_MILLISECOND);
  expect_sent (end, "ack:1");
}

/* In the middle of it the other side says that it has some; they are not looked for any more. */
static void
test_acknowledged_meanwhile (void)
{
  g_autoptr(End) end = new_broken ();

  end->room = 2;
  attach (end, 0);
  expect_sent (end, "one text:two");
  /* It was sent over the link before, but the other side had nothing of it when it greeted, and
   * nothing came since. */
  g_assert_false (vt_replay_acknowledge (end->replay, 3, NULL));
  acknowledge (end, 1);
  acknowledge (end, 2);
  go_on (end, 1);
  expect_sent (end, "three");
  acknowledge (end, 3);
  go_on (end, 1);
  expect_sent (end, "four");
  acknowledge (end, 4);
  g_assert_cmpuint (vt_replay_get_kept (end->replay), ==, 0);
}

static void
test_break_in_the_middle (void)
{
  g_autoptr(End) end = new_broken ();

  end->room = 2;
  attach (end, 0);
  expect_sent (end, "one text:two");
  vt_replay_detach (end->replay);
  go_on (end, G_MAXUINT);
  expect_sent (end, "");
  hand_in (end, "five", FALSE);
  expect_sent (end, "");

  /* Nobody can have more than this link has carried. */
  g_assert_false (vt_replay_attach (end->replay, 3, NULL));
  end->room = 2;
  attach (end, 1);
  expect_sent (end, "text:two three");
  vt_replay_detach (end->replay);
  attach (end, 3);
  go_on (end, G_MAXUINT);
  expect_sent (end, "four five");
}

/* The handler hands in more, in the middle of what it is given. */
static void
test_handler_hands_in (void)
{
  g_autoptr(End) end = new_broken ();

  end->room = 2;
  end->send_before = end->sent->len + 2;
  attach (end, 0);
  expect_sent (end, "one text:two");
  end->room = 1;
  end->send_before = end->sent->len + 1;
  vt_replay_continue (end->replay);
  expect_sent (end, "three");
  go_on (end, G_MAXUINT);
  expect_sent (end, "four more more");
}

/* The link breaks under a message that is sent again, and under a new one. */
static void
test_handler_detaches (void)
{
  g_autoptr(End) end = new_broken ();

  end->detach_after = end->sent->len + 2;
  attach (end, 0);
  expect_sent (end, "one text:two");
  g_assert_true (vt_replay_is_behind (end->replay));
  end->detach_after = end->sent->len + 3;
  attach (end, 2);
  expect_sent (end, "three four");
  hand_in (end, "five", FALSE);
  expect_sent (end, "five");
  g_assert_true (vt_replay_is_behind (end->replay));
  hand_in (end, "six", FALSE);
  expect_sent (end, "");
  attach (end, 4);
  expect_sent (end, "five six");
}

/* There is another link before the handler returns. It begins where that says, and as fast as that
 * takes it. */
static void
test_handler_comes_back (void)
{
  g_autoptr(End) end = new_broken ();

  end->comes_back = TRUE;
  end->detach_after = end->sent->len + 2;
  end->room = 5;
  attach (end, 0);
  expect_sent (end, "one text:two one text:two three");
  go_on (end, G_MAXUINT);
  expect_sent (end, "four");
  end->room = 1;
  end->detach_after = end->sent->len + 1;
  hand_in (end, "five", FALSE);
  expect_sent (end, "five");
  go_on (end, 2);
  expect_sent (end, "one text:two");
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/replay/pace/as-there-is-room", test_as_there_is_room);
  g_test_add_func ("/replay/pace/behind", test_behind);
  g_test_add_func ("/replay/pace/new-behind-older", test_new_behind_older);
  g_test_add_func ("/replay/pace/new-past-a-full-link", test_new_past_a_full_link);
  g_test_add_func ("/replay/pace/ack-past-all", test_ack_past_all);
  g_test_add_func ("/replay/pace/acknowledged-meanwhile", test_acknowledged_meanwhile);
  g_test_add_func ("/replay/pace/break-in-the-middle", test_break_in_the_middle);
  g_test_add_func ("/replay/pace/handler/hands-in", test_handler_hands_in);
  g_test_add_func ("/replay/pace/handler/detaches", test_handler_detaches);
  g_test_add_func ("/replay/pace/handler/comes-back", test_handler_comes_back);
  return g_test_run ();
}
