/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "mux-v2-world.h"

#include "vt-error.h"

/* Two muxes of protocol v2, a row of links between them, and users who do what comes to their mind.
 * Whatever the order of things: bytes arrive by value and in order, each direction ends by itself
 * and after its last byte, a reset ends its stream only, and nobody holds or allows more than
 * agreed. Each message is checked against the rules as it is sent (mux-wire.h).
 *
 * The seed is what the test framework prints; --seed runs the same again. */

#define N_STEPS 400
#define ACK_DELAY (100 * G_TIME_SPAN_MILLISECOND)

/* Users' handlers have no other way to it. */
static World *world;

static Fate *
find_fate (User *user)
{
  Role role = user->side == world->sides[SERVER] ? SERVER : CLIENT;

  return &world->fates[role][vt_mux_stream_get_id (user->stream)];
}

static size_t
random_size (size_t most)
{
  int max = g_test_rand_int_range (0, world->in_bulk ? 3 : 12) == 0 ? 300000 : 2000;

  return (size_t) g_test_rand_int_range (0, (int) MIN ((size_t) max, most) + 1);
}

static void
read_something (User *user)
{
  size_t length;
  const uint8_t *data = vt_mux_stream_peek (user->stream, &length);

  if (data == NULL)
    return;
  length = random_size (length);
  g_byte_array_append (user->received, data, (unsigned int) length);
  vt_mux_stream_consume (user->stream, length);
}

static void
reset (User *user)
{
  static const char *const reasons[] = { "", "so", "\xc3\xbc \xe2\x80\x9cquoted\xe2\x80\x9d" };
  Fate *fate = find_fate (user);
  const char *reason = reasons[g_test_rand_int_range (0, G_N_ELEMENTS (reasons))];
  g_autoptr(GError) error = NULL;

  if (g_test_rand_bit ())
    error =
        g_error_new_literal (VT_ERROR, g_test_rand_int_range (0, VT_ERROR_NOT_RESUMED + 1), reason);
  if (!user->stream->over)
    {
      world_tally.resets++;
      fate->reset = error != NULL ? g_error_copy (error)
                                  : g_error_new_literal (VT_ERROR, VT_ERROR_CANCELLED, "");
    }
  fate->let_go = TRUE;
  g_string_truncate (user->heard, 0);
  vt_mux_stream_reset (user->stream, error);
}

static void
shut_down (User *user)
{
  Fate *fate = find_fate (user);

  fate->shut |= !user->stream->over;
  world_tally.halves += !user->stream->over && !user->stream->read_ended;
  vt_mux_stream_shutdown (user->stream);
}

static void
change_mind (User *user)
{
  g_string_truncate (user->heard, 0);
  user_listen (user);
}

static void
act (User *user)
{
  switch (g_test_rand_int_range (0, 20))
    {
    case 0:
      if (g_test_rand_int_range (0, 3) == 0)
        reset (user);
      break;
    case 1:
      if (g_test_rand_int_range (0, 4) == 0)
        shut_down (user);
      break;
    case 2:
      vt_mux_stream_cancel_write (user->stream);
      break;
    case 3:
    case 4:
      user->reads = !user->reads;
      break;
    case 5:
      user->max_piece = random_size (100000);
      break;
    case 6:
    case 7:
    case 8:
    case 9:
      read_something (user);
      break;
    case 10:
    case 11:
      vt_mux_stream_accept (user->stream);
      break;
    case 12:
      change_mind (user);
      break;
    default:
      /* Through a tiny window, little goes in a round trip. */
      user_write (user, 1 + random_size (50 * (size_t) user->side->book.ours.window));
    }
}

/* In the middle of the mux's own work. */
static void
meddle (User *user)
{
  static unsigned int depth;

  if (depth > 0 || g_test_rand_int_range (0, 8) != 0)
    return;
  depth++;
  act (user);
  depth--;
}

static void
become_orderly (User *user)
{
  user->reads = TRUE;
  user->meddle = NULL;
  change_mind (user);
  vt_mux_stream_accept (user->stream);
  user_read_all (user);
  user_write (user, 1);
}

static void
note_user (World *self, Role role, User *user)
{
  guint32 id = vt_mux_stream_get_id (user->stream);

  if (self->fates[role][id].user != NULL)
    return;
  self->fates[role][id].user = user;
  user->seed = 2 * id + role;
  user->reads = g_test_rand_bit ();
  user->meddle = meddle;
  if (self->finishing)
    become_orderly (user);
}

static void
let_user_act (World *self)
{
  Role role = g_test_rand_bit () ? SERVER : CLIENT;
  User *user = self->fates[role][g_test_rand_int_range (1, N_STREAMS + 1)].user;

  if (user != NULL)
    act (user);
}

static void
open_stream (World *self)
{
  Side *server = self->sides[SERVER];
  guint32 listen_id = (guint32) g_test_rand_int_range (1, N_LISTENS + 1);
  VtMuxStream *stream;

  if (server->users->len == N_STREAMS)
    return;
  stream = vt_mux_open_stream (server->mux, g_test_rand_bit () ? 1 : listen_id, NULL, NULL, NULL);
  if (stream == NULL)
    return;
  note_user (self, SERVER, user_new (server, stream));
  user_listen (self->fates[SERVER][vt_mux_stream_get_id (stream)].user);
}

static void
answer (World *self, guint32 id)
{
  g_autoptr(GError) error = g_error_new_literal (VT_ERROR, VT_ERROR_ADDRESS_IN_USE, "Taken");

  if (g_test_rand_int_range (0, 3) == 0)
    vt_mux_listen_refuse (self->sides[SERVER]->mux, id, error, 0);
  else
    vt_mux_listen_accept (self->sides[SERVER]->mux, id, NULL, 8080);
}

/* Listen 1 stays. */
static void
let_listens_act (World *self)
{
  guint32 id = (guint32) g_test_rand_int_range (2, N_LISTENS + 1);

  if (g_test_rand_bit ())
    answer (self, id);
  else if (self->n_listens < N_LISTENS && g_test_rand_bit ())
    vt_mux_listen (self->sides[CLIENT]->mux, ++self->n_listens, &(VtMuxListen){ .port = 8080 });
  else if (vt_mux_unlisten (self->sides[CLIENT]->mux, id))
    self->took_back[id] = TRUE;
}

static void
deliver (World *self, Role role, unsigned int n)
{
  GPtrArray *users = self->sides[CLIENT]->users;

  side_deliver (self->sides[role], n);
  for (unsigned int i = 0; i < users->len; i++)
    note_user (self, CLIENT, users->pdata[i]);
}

/* Nobody has noticed it yet; what was under way arrives up to some message. */
static void
break_link (World *self)
{
  Side *client = self->sides[CLIENT], *server = self->sides[SERVER];

  world_tally.cuts++;
  pair_break (client, server, (unsigned int) g_test_rand_int_range (0, 1 + client->inbox.length),
              (unsigned int) g_test_rand_int_range (0, 1 + server->inbox.length));
}

static void
notice (World *self, Role role)
{
  Side *side = self->sides[role];

  if (side->cut)
    return;
  side_leave_link (side);
  world_note_left (self, role);
}

static void
mend (World *self)
{
  notice (self, CLIENT);
  notice (self, SERVER);
  pair_mend (self->sides[CLIENT], self->sides[SERVER]);
}

static void
let_broken_link_act (World *self, Role role)
{
  int what = g_test_rand_int_range (0, 8);

  if (what == 0)
    mend (self);
  else if (what < 3)
    notice (self, role);
  else if (!self->sides[role]->cut)
    deliver (self, role, (unsigned int) g_test_rand_int_range (1, 20));
}

static void
let_link_act (World *self)
{
  Role role = g_test_rand_bit () ? SERVER : CLIENT;

  if (self->sides[CLIENT]->broken)
    {
      let_broken_link_act (self, role);
    }
  else if (g_test_rand_int_range (0, 25) == 0)
    {
      break_link (self);
    }
  else
    {
      /* It stands still in one direction for a while, now and then. */
      if (g_test_rand_int_range (0, 15) == 0)
        self->stalled[role] = !self->stalled[role];
      if (!self->stalled[role])
        deliver (self, role, (unsigned int) g_test_rand_int_range (1, 20));
    }
}

static void
drop (World *self)
{
  g_autoptr(GError) error = g_error_new_literal (VT_ERROR, VT_ERROR_SHUTTING_DOWN, "Gone");
  Role first = g_test_rand_bit () ? SERVER : CLIENT;

  self->dropped = TRUE;
  side_drop_mux (self->sides[first], error);
  side_drop_mux (self->sides[!first], error);
  /* Who has set handlers just now hears it a little later. */
  vt_clock_advance (self->sides[CLIENT]->clock, 10);
}

static gboolean
is_done (World *self)
{
  for (Role role = CLIENT; role <= SERVER; role++)
    {
      if (self->sides[role]->inbox.length > 0 || vt_replay_get_kept (self->sides[role]->replay) > 0)
        return FALSE;
      for (guint32 id = 1; id <= N_STREAMS; id++)
        {
          User *user = self->fates[role][id].user;

          if (user != NULL && !user->stream->over && !user->stream->write_ended
              && user->written < user->to_write)
            return FALSE;
        }
    }
  return TRUE;
}

static void
settle (World *self)
{
  unsigned int n_rounds = 0;

  do
    {
      g_assert_cmpuint (n_rounds++, <, 20000);
      vt_clock_advance (self->sides[CLIENT]->clock, ACK_DELAY / 4);
      deliver (self, CLIENT, G_MAXUINT);
      deliver (self, SERVER, G_MAXUINT);
      vt_clock_advance (self->sides[CLIENT]->clock, 10);
      world_check (self);
    }
  while (!is_done (self) || n_rounds < 4);
}

static void
for_each_user (World *self, void (*func) (User *user))
{
  for (Role role = CLIENT; role <= SERVER; role++)
    for (guint32 id = 1; id <= N_STREAMS; id++)
      if (self->fates[role][id].user != NULL)
        func (self->fates[role][id].user);
}

/* A link that stays; everybody reads, what is to be written is, and all is ended. */
static void
finish (World *self)
{
  self->finishing = TRUE;
  if (self->sides[CLIENT]->broken)
    mend (self);
  if (g_test_rand_int_range (0, 4) == 0)
    vt_clock_advance (self->sides[CLIENT]->clock, 30 * G_TIME_SPAN_SECOND);
  deliver (self, CLIENT, G_MAXUINT);
  deliver (self, SERVER, G_MAXUINT);
  for (guint32 id = 2; id <= N_LISTENS; id++)
    answer (self, id);
  for_each_user (self, become_orderly);
  settle (self);
  for_each_user (self, become_orderly);
  settle (self);
  for_each_user (self, shut_down);
  settle (self);
}

static void
choose_config (World *self)
{
  VtMuxConfig *config = &self->config;

  vt_mux_config_init (config, VT_MUX_CLIENT);
  config->protocol = 2;
  config->max_streams = (unsigned int) g_test_rand_int_range (2, 2 * N_STREAMS);
  if (g_test_rand_bit ())
    config->ping_interval = 0;
  self->in_bulk = g_test_rand_bit ();
  if (self->in_bulk)
    config->max_buffer = (size_t) g_test_rand_int_range (1 << 21, 1 << 25);
  else
    config->max_buffer = (size_t) g_test_rand_int_range (50, 1 << g_test_rand_int_range (6, 22));
}

/* As if this side came from a version with other windows: so that they fill the link at once. */
static void
widen (World *self, Role role)
{
  guint32 window = (guint32) MIN (self->config.max_buffer / self->config.max_streams, 1 << 17);

  vt_mux_v2_get (self->sides[role]->mux)->ours.window = window;
  self->sides[role]->book.ours.window = window;
}

static void
begin (World *self)
{
  choose_config (self);
  pair_new_v2 (&self->sides[CLIENT], &self->sides[SERVER], &self->config);
  self->sides[CLIENT]->lazy = TRUE;
  self->n_listens = 1;
  for (Role role = CLIENT; role <= SERVER; role++)
    {
      self->sides[role]->quiet = TRUE;
      if (self->in_bulk && g_test_rand_bit ())
        widen (self, role);
    }
  for (Role role = CLIENT; role <= SERVER; role++)
    {
      VtControlLimits limits = {
        .window = self->sides[!role]->book.ours.window,
        .max_frame = (guint32) g_test_rand_int_range (1, VT_CONTROL_OUR_FRAME + 1),
        .max_message =
            (guint32) g_test_rand_int_range (VT_CONTROL_MIN_MESSAGE, VT_CONTROL_OUR_MESSAGE + 1),
      };

      side_greet (self->sides[role], &limits);
    }
}

static void
take_step (World *self)
{
  int what = g_test_rand_int_range (0, 24);

  if (what == 0)
    open_stream (self);
  else if (what == 1)
    let_listens_act (self);
  else if (what < 9)
    let_link_act (self);
  else if (what < 12)
    vt_clock_advance (self->sides[CLIENT]->clock,
                      g_test_rand_int_range (0, self->in_bulk ? 3000 : 60000));
  else
    let_user_act (self);
}

static void
end (World *self)
{
  pair_free (self->sides[CLIENT], self->sides[SERVER]);
  for (guint32 id = 0; id <= N_STREAMS; id++)
    {
      g_clear_error (&self->fates[CLIENT][id].reset);
      g_clear_error (&self->fates[SERVER][id].reset);
    }
}

static void
run_schedule (void)
{
  World self = { 0 };
  int drop_at = g_test_rand_int_range (0, 10) == 0 ? g_test_rand_int_range (0, N_STEPS) : -1;

  world = &self;
  begin (&self);
  for (int step = 0; step < N_STEPS && !self.dropped; step++)
    {
      take_step (&self);
      world_check (&self);
      if (step == drop_at)
        drop (&self);
    }
  if (!self.dropped)
    finish (&self);
  world_check_end (&self);
  end (&self);
}

static void
test_schedules (void)
{
  unsigned int n = g_test_slow () ? 20000 : 1500;

  for (unsigned int i = 0; i < n; i++)
    run_schedule ();
  g_test_message ("In %u schedules, %u cuts, %u resets, %u half-closes, %u refused streams; looked"
                  " %u times at a window that had grown, %u times at a full queue, %u times at a"
                  " link that was behind",
                  n, world_tally.cuts, world_tally.resets, world_tally.halves, world_tally.refused,
                  world_tally.grown, world_tally.full, world_tally.behind);
  g_assert_cmpuint (world_tally.cuts, >, n);
  g_assert_cmpuint (world_tally.resets, >, n / 4);
  g_assert_cmpuint (world_tally.halves, >, n / 4);
  g_assert_cmpuint (world_tally.refused, >, n / 100);
  g_assert_cmpuint (world_tally.grown, >, n / 10);
  g_assert_cmpuint (world_tally.full, >, n);
  g_assert_cmpuint (world_tally.behind, >, n / 10);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/mux-v2/random/schedules", test_schedules);
  return g_test_run ();
}
