/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "time-skip.h"

#include "trunk-pair.h"

/* Links that break at any byte, in frames and between them, in the middle of a resumption too, and
 * of which either side hears sooner or later. Whatever the moment: all bytes come, once and in
 * order, and nothing else is told.
 *
 * The seed is what the test framework prints; --seed runs the same again, as far as the kernel does
 * the same. */

#define RESUME_TIMEOUT (60 * G_TIME_SPAN_SECOND)

static void
write_something (TrunkPair *self, GPtrArray *talkers)
{
  Talker *talker = talkers->pdata[g_test_rand_int_range (0, (int) talkers->len)];
  int max = g_test_rand_int_range (0, 4) == 0 ? 200000 : 3000;

  if (talker->to_write - talker->written < 300000)
    talker_write (talker, (guint64) g_test_rand_int_range (1, max));
}

static void
let_users_act (TrunkPair *self)
{
  int what = g_test_rand_int_range (0, 12);

  if (what == 0 && self->far->len < 6)
    trunk_pair_open (self);
  else if (what < 6 && self->far->len > 0)
    write_something (self, self->far);
  else if (what < 11 && self->near->len > 0)
    write_something (self, self->near);
}

static void
let_wire_act (TrunkPair *self)
{
  int what = g_test_rand_int_range (0, 40);

  if (cut_wire_is_cut (self->wire))
    return;
  if (what == 0)
    cut_wire_cut_after (self->wire,
                        (guint64) g_test_rand_int_range (1, g_test_rand_bit () ? 300 : 300000));
  else if (what == 1)
    cut_wire_cut (self->wire);
  else if (what == 2)
    cut_wire_cut_client (self->wire);
  else if (what < 6)
    cut_wire_hold (self->wire, g_test_rand_bit () ? WIRE_TO_CLIENT : WIRE_TO_SERVER,
                   g_test_rand_bit ());
}

/* Some links do not even live to the end of the greeting. */
static void
call_if_lost (TrunkPair *self)
{
  gboolean is_lost = end_is_suspended (&self->client) && self->calling == NULL;

  if (!is_lost || g_test_rand_int_range (0, 3) > 0)
    return;
  trunk_pair_call (self);
  if (g_test_rand_int_range (0, 3) == 0)
    cut_wire_cut_after (self->wire, (guint64) g_test_rand_int_range (1, 2000));
}

static gboolean
is_joined (TrunkPair *self)
{
  return !end_is_suspended (&self->client) && !end_is_suspended (&self->server)
         && !trunk_pair_is_calling (self);
}

/* A link that stays. */
static void
finish (TrunkPair *self)
{
  cut_wire_cut (self->wire);
  ws_wait (end_is_suspended (&self->client) && self->calling == NULL);
  trunk_pair_call (self);
  ws_wait (is_joined (self) && talkers_agree (self));
  for (unsigned int i = 0; i < self->far->len; i++)
    {
      vt_mux_stream_shutdown (((Talker *) self->far->pdata[i])->stream);
      vt_mux_stream_shutdown (((Talker *) self->near->pdata[i])->stream);
    }
  ws_wait (vt_mux_get_n_streams (vt_trunk_get_mux (self->client.trunk)) == 0
           && vt_mux_get_n_streams (vt_trunk_get_mux (self->server.trunk)) == 0);
  time_skip (G_TIME_SPAN_SECOND);
  ws_wait (end_get_kept (&self->client) == 0 && end_get_kept (&self->server) == 0);
}

static void
check_heard (TrunkPair *self)
{
  ws_turn (5);
  for (unsigned int i = 0; i < self->far->len; i++)
    {
      Talker *far = self->far->pdata[i], *near = self->near->pdata[i];

      g_assert_true (far->ended && near->ended);
      g_assert_no_error (far->error);
      g_assert_no_error (near->error);
    }
  g_assert_cmpuint (strspn (self->client.heard->str, "lsz"), ==, self->client.heard->len);
  g_assert_cmpuint (strspn (self->server.heard->str, "qz"), ==, self->server.heard->len);
}

typedef struct {
  unsigned int n_resumed, n_repeated, n_attempts;
  guint64 bytes;
} Tally;

static void
run_schedule (Tally *tally)
{
  TrunkPair self;

  trunk_pair_init (&self, RESUME_TIMEOUT, 0);
  trunk_pair_listen (&self);
  for (unsigned int step = 0; step < 400; step++)
    {
      let_users_act (&self);
      let_wire_act (&self);
      call_if_lost (&self);
      ws_turn ((unsigned int) g_test_rand_int_range (1, 10));
    }
  finish (&self);
  check_heard (&self);
  tally->n_resumed += self.n_resumed;
  tally->n_repeated += self.n_repeated;
  tally->n_attempts += (unsigned int) self.attempt;
  for (unsigned int i = 0; i < self.far->len; i++)
    tally->bytes += ((Talker *) self.far->pdata[i])->written;
  trunk_pair_clear (&self);
}

static void
test_schedules (void)
{
  unsigned int n = g_test_slow () ? 2000 : 40;
  Tally tally = { 0 };

  for (unsigned int i = 0; i < n; i++)
    run_schedule (&tally);
  g_test_message ("%u schedules: %u attempts, %u resumed, %u times over a link that the server took"
                  " for alive, %" G_GUINT64_FORMAT " bytes towards the client",
                  n, tally.n_attempts, tally.n_resumed, tally.n_repeated, tally.bytes);
  g_assert_cmpuint (tally.n_resumed, >, 2 * n);
  g_assert_cmpuint (tally.n_attempts, >, tally.n_resumed);
  g_assert_cmpuint (tally.n_repeated, >, n / 2);
}

/* The resumption itself breaks, at each of its bytes. `data`: from which on, in steps. */
static void
test_each_byte (void)
{
  const unsigned int step = g_test_slow () ? 1 : 23;
  TrunkPair self;
  Talker *far, *near;
  unsigned int n_cuts = 0;
  guint64 n_bytes = 1;

  trunk_pair_init (&self, RESUME_TIMEOUT, 0);
  trunk_pair_listen (&self);
  far = trunk_pair_open (&self);
  ws_wait (self.near->len == 1);
  near = self.near->pdata[0];
  cut_wire_cut (self.wire);
  ws_wait (end_is_suspended (&self.client));
  for (; n_bytes < 3000; n_bytes += step)
    {
      talker_write (far, 100);
      talker_write (near, 100);
      trunk_pair_call (&self);
      cut_wire_cut_after (self.wire, n_bytes);
      time_skip (200 * G_TIME_SPAN_MILLISECOND);
      ws_wait (cut_wire_is_cut (self.wire) || (is_joined (&self) && talkers_agree (&self)));
      n_cuts += cut_wire_is_cut (self.wire);
      cut_wire_cut (self.wire);
      ws_wait (end_is_suspended (&self.client) && self.calling == NULL);
    }
  g_assert_cmpuint (n_cuts, >, 500 / step);
  finish (&self);
  check_heard (&self);
  trunk_pair_clear (&self);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  ws_quiet ();
  g_test_add_func ("/trunk/cuts/each-byte", test_each_byte);
  g_test_add_func ("/trunk/cuts/schedules", test_schedules);
  return g_test_run ();
}
