/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "mux-pair.h"

#include <string.h>

#include "vt-error-private.h"

/* Two muxes, a link between them, and users who do what comes to their mind. Whatever the order of
 * things: bytes arrive by value and in order, ends after the last byte, and once.
 *
 * The seed is what the test framework prints; --seed runs the same again. */

#define N_STREAMS 20

typedef struct {
  gboolean shut;  /* the user ended it, and was the first on this side to know */
  gboolean reset; /* likewise, at once */
} Fate;

typedef struct {
  Side *sides[2]; /* owned: the client, the server */
  Fate fates[2][N_STREAMS];
  size_t max_buffer;
  gboolean dropped; /* a mux was taken away in the middle */
} World;

static User *
find_user (World *self, unsigned int side, unsigned int index)
{
  GPtrArray *users = self->sides[side]->users;

  return index < users->len ? users->pdata[index] : NULL;
}

static void
write_something (User *user)
{
  int max = g_test_rand_int_range (0, 12) == 0 ? 120000 : 2000;

  user_write (user, (size_t) g_test_rand_int_range (1, max));
}

static void
read_something (User *user)
{
  size_t length;
  const uint8_t *data = vt_mux_stream_peek (user->stream, &length);

  if (data == NULL)
    return;
  length = (size_t) g_test_rand_int_range (0, (int) length + 1);
  g_byte_array_append (user->received, data, (unsigned int) length);
  vt_mux_stream_consume (user->stream, length);
}

static void
end_it (World *self, unsigned int side, unsigned int index, User *user)
{
  unsigned int before = self->sides[side]->n_messages;

  if (g_test_rand_int_range (0, 3) == 0)
    {
      vt_mux_stream_reset (user->stream, NULL);
      self->fates[side][index].reset = TRUE;
    }
  else
    {
      vt_mux_stream_shutdown (user->stream);
      self->fates[side][index].shut |= self->sides[side]->n_messages > before;
    }
}

static void
let_user_act (World *self)
{
  unsigned int side = g_test_rand_bit () ? 1 : 0;
  unsigned int index = (unsigned int) g_test_rand_int_range (0, N_STREAMS);
  User *user = find_user (self, side, index);

  if (user == NULL)
    return;

  switch (g_test_rand_int_range (0, 16))
    {
    case 0:
      end_it (self, side, index, user);
      break;
    case 1:
      user_listen (user);
      break;
    case 2:
      vt_mux_stream_cancel_write (user->stream);
      break;
    case 3:
    case 4:
      user->reads = !user->reads;
      break;
    case 5:
    case 6:
    case 7:
      read_something (user);
      break;
    case 8:
    case 9:
      vt_mux_stream_accept (user->stream);
      break;
    default:
      write_something (user);
    }
}

static void
open_stream (World *self)
{
  Side *server = self->sides[1];
  User *user;

  if (server->users->len == N_STREAMS)
    return;
  user = side_open (server, 1);
  user->reads = g_test_rand_bit ();
  user->seed = 2 * vt_mux_stream_get_id (user->stream);
}

static void
let_link_act (World *self)
{
  Side *side = self->sides[g_test_rand_bit () ? 1 : 0];

  side_deliver (side, (unsigned int) g_test_rand_int_range (1, 20));
  /* Users of the client are as yet nobody's. */
  for (unsigned int i = 0; i < self->sides[0]->users->len; i++)
    find_user (self, 0, i)->seed = 2 * (i + 1) + 1;
}

/* Whoever is slow, the link holds little, and what is unread no more than the mark and the link. */
static void
check_bounds (World *self)
{
  for (unsigned int side = 0; side < 2; side++)
    {
      size_t unread = 0;

      for (unsigned int i = 0; i < self->sides[side]->users->len; i++)
        {
          User *user = find_user (self, side, i);

          if (!self->fates[side][i].reset)
            unread += vt_mux_stream_get_bytes_received (user->stream) - user->received->len;
        }
      g_assert_cmpuint (self->sides[side]->queued, <, 320 * 1024);
      g_assert_cmpuint (unread, <, self->max_buffer + 32 * 1024);
    }
}

static void
drop_one (World *self)
{
  g_autoptr(GError) error = g_error_new_literal (VT_ERROR, VT_ERROR_SHUTTING_DOWN, "Gone");
  unsigned int first = g_test_rand_bit () ? 1 : 0;

  self->dropped = TRUE;
  side_drop_mux (self->sides[first], error);
  side_drop_mux (self->sides[!first], error);
}

/* Everybody reads, what is to be written is, and the server ends what is left. */
static void
finish (World *self)
{
  self->sides[0]->lazy = FALSE;
  for (unsigned int round = 0; round < 2; round++)
    {
      for (unsigned int side = 0; side < 2; side++)
        for (unsigned int i = 0; i < self->sides[side]->users->len; i++)
          {
            User *user = find_user (self, side, i);

            user->reads = TRUE;
            user_listen (user);
            vt_mux_stream_accept (user->stream);
            user_read_all (user);
            user_write (user, 1);
          }
      pair_settle (self->sides[0], self->sides[1]);
      for (unsigned int i = 0; i < self->sides[0]->users->len; i++)
        find_user (self, 0, i)->seed = 2 * (i + 1) + 1;
    }
  for (unsigned int i = 0; i < self->sides[1]->users->len; i++)
    {
      unsigned int before = self->sides[1]->n_messages;

      vt_mux_stream_shutdown (find_user (self, 1, i)->stream);
      self->fates[1][i].shut |= self->sides[1]->n_messages > before;
    }
  pair_settle (self->sides[0], self->sides[1]);
}

/* What arrived is the beginning of what was sent; all of it, if the sender ended in order and the
 * receiver waited for it. */
static void
check_direction (World *self, unsigned int from, unsigned int index)
{
  User *sender = find_user (self, from, index), *receiver = find_user (self, !from, index);
  Fate *sent = &self->fates[from][index], *got = &self->fates[!from][index];

  if (receiver == NULL)
    {
      g_assert_true (self->dropped);
      return;
    }
  g_assert_cmpuint (receiver->received->len, <=, sender->written);
  user_expect_received (receiver, sender->seed, receiver->received->len);
  g_assert_cmpuint (vt_mux_stream_get_bytes_sent (sender->stream), ==, sender->written);
  g_assert_cmpuint (vt_mux_stream_get_bytes_received (receiver->stream), >=,
                    receiver->received->len);
  if (self->dropped)
    return;

  if (sent->shut && !sent->reset && !got->shut && !got->reset)
    {
      g_assert_cmpuint (receiver->received->len, ==, sender->written);
      g_assert_true (vt_mux_stream_at_end (receiver->stream));
    }
}

/* Closed is the last thing that is heard; who has reset a stream hears nothing more. */
static void
check_end (World *self, unsigned int side, unsigned int index)
{
  User *user = find_user (self, side, index);
  size_t length;

  if (user == NULL || self->fates[side][index].reset)
    return;
  length = user->heard->len;
  g_assert_cmpuint (length, >, 0);
  g_assert_nonnull (strchr ("cC", user->heard->str[length - 1]));
  if (!self->dropped)
    g_assert_no_error (user->error);
}

static void
check_all (World *self)
{
  for (unsigned int i = 0; i < self->sides[1]->users->len; i++)
    {
      check_direction (self, 1, i);
      if (find_user (self, 0, i) != NULL)
        check_direction (self, 0, i);
      check_end (self, 0, i);
      check_end (self, 1, i);
    }
  for (unsigned int side = 0; side < 2 && !self->dropped; side++)
    {
      g_assert_cmpuint (vt_mux_get_n_streams (self->sides[side]->mux), ==, 0);
      g_assert_cmpuint (self->sides[side]->inbox.length, ==, 0);
      g_assert_true (self->sides[side]->reading);
    }
}

/* Gives how often reading paused. */
static unsigned int
run_schedule (void)
{
  World self = { 0 };
  unsigned int n_pauses;
  int drop_at = g_test_rand_int_range (0, 10) == 0 ? g_test_rand_int_range (0, 400) : -1;

  self.max_buffer = (size_t) g_test_rand_int_range (5000, 100000);
  pair_new_with_buffer (&self.sides[0], &self.sides[1], self.max_buffer);
  self.sides[0]->lazy = self.sides[0]->quiet = TRUE;
  for (int step = 0; step < 400 && !self.dropped; step++)
    {
      int what = g_test_rand_int_range (0, 20);

      if (step == drop_at)
        drop_one (&self);
      else if (what == 0)
        open_stream (&self);
      else if (what < 6)
        let_link_act (&self);
      else if (what < 8)
        vt_clock_advance (self.sides[0]->clock, g_test_rand_int_range (0, 50000));
      else
        let_user_act (&self);
      if (!self.dropped)
        check_bounds (&self);
    }
  finish (&self);
  check_all (&self);
  n_pauses = self.sides[0]->n_pauses + self.sides[1]->n_pauses;
  pair_free (self.sides[0], self.sides[1]);
  return n_pauses;
}

static void
test_schedules (void)
{
  unsigned int n = g_test_slow () ? 20000 : 1500;
  unsigned int n_pauses = 0;

  for (unsigned int i = 0; i < n; i++)
    n_pauses += run_schedule ();
  g_test_message ("Reading paused %u times in %u schedules", n_pauses, n);
  g_assert_cmpuint (n_pauses, >, n / 10);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/mux/random/schedules", test_schedules);
  return g_test_run ();
}
