/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "time-skip.h"

#include "trunk-pair.h"
#include "vt-trunk-struct-private.h"

#define SECOND G_TIME_SPAN_SECOND
#define RESUME_TIMEOUT (60 * SECOND)
#define KIB ((size_t) 1024)

typedef TrunkPair Fixture;

static void
set_up (Fixture *self, const void *data)
{
  trunk_pair_init (self, RESUME_TIMEOUT, 0);
  trunk_pair_listen (self);
}

static void
tear_down (Fixture *self, const void *data)
{
  trunk_pair_clear (self);
}

static Talker *
get_near (Fixture *self, unsigned int id)
{
  ws_wait (self->near->len >= id);
  return self->near->pdata[id - 1];
}

static void
expect_heard (Fixture *self, const char *client, const char *server)
{
  g_assert_cmpstr (self->client.heard->str, ==, client);
  g_assert_cmpstr (self->server.heard->str, ==, server);
}

/* All is said, and said to have come. */
static void
settle (Fixture *self)
{
  ws_wait (talkers_agree (self));
  time_skip (G_TIME_SPAN_SECOND);
  ws_wait (end_get_kept (&self->client) == 0 && end_get_kept (&self->server) == 0);
}

/* What is on its way both ways when the link breaks. */
static void
test_both_ways (Fixture *self, const void *data)
{
  Talker *far = trunk_pair_open (self), *near = get_near (self, 1);

  talker_write (far, 400 * KIB);
  talker_write (near, 400 * KIB);
  ws_wait (far->received > 50 * KIB && near->received > 50 * KIB);
  trunk_pair_cut (self);
  g_assert_error (self->client.lost, VT_ERROR, VT_ERROR_FAILED);
  g_assert_error (self->server.lost, VT_ERROR, VT_ERROR_FAILED);
  g_assert_cmpuint (near->received, <, 400 * KIB);
  trunk_pair_resume (self);
  settle (self);
  expect_heard (self, "lsz", "qz");
  g_assert_cmpuint (self->n_repeated, ==, 0);
}

/* One message to each side, of which the link carries nothing. */
static void
test_all_lost (Fixture *self, const void *data)
{
  Talker *far = trunk_pair_open (self), *near = get_near (self, 1);

  settle (self);
  cut_wire_hold (self->wire, WIRE_TO_CLIENT, TRUE);
  cut_wire_hold (self->wire, WIRE_TO_SERVER, TRUE);
  talker_write (far, 1000);
  talker_write (near, 2000);
  ws_turn (50);
  trunk_pair_cut (self);
  g_assert_cmpuint (near->received + far->received, ==, 0);
  trunk_pair_resume (self);
  settle (self);
}

/* More was lost than a link takes at a time, and more came behind it. */
static void
test_much_lost (Fixture *self, const void *data)
{
  const unsigned int n = 20;
  size_t kept;

  for (unsigned int i = 0; i < n; i++)
    trunk_pair_open (self);
  get_near (self, n);
  settle (self);
  cut_wire_hold (self->wire, WIRE_TO_CLIENT, TRUE);
  for (unsigned int i = 0; i < n; i++)
    talker_write (self->far->pdata[i], 30 * KIB);
  do
    {
      kept = end_get_kept (&self->server);
      ws_turn (50);
    }
  while (end_get_kept (&self->server) > kept);
  g_assert_cmpuint (kept, >, 128 * KIB);
  trunk_pair_cut (self);
  for (unsigned int i = 0; i < 3; i++)
    {
      talker_write (trunk_pair_open (self), 1000);
      ws_turn (10);
    }
  trunk_pair_call (self);
  cut_wire_hold (self->wire, WIRE_TO_CLIENT, TRUE);
  ws_wait (self->called == NULL);
  ws_turn (50);
  g_assert_true (vt_replay_is_behind (self->server.trunk->replay));
  cut_wire_hold (self->wire, WIRE_TO_CLIENT, FALSE);
  ws_wait (self->near->len == n + 3);
  settle (self);
}

/* Without a link there are new streams and listens, and an end of others. */
static void
test_meanwhile (Fixture *self, const void *data)
{
  Talker *far = trunk_pair_open (self), *near = get_near (self, 1), *late;

  trunk_pair_cut (self);
  vt_mux_listen (vt_trunk_get_mux (self->client.trunk), 2, &(VtMuxListen){ .port = 9001 });
  late = trunk_pair_open (self);
  talker_write (late, 1000);
  talker_write (far, 10);
  vt_mux_stream_shutdown (near->stream);
  ws_turn (50);
  g_assert_cmpuint (late->written + far->written, ==, 0);
  expect_heard (self, "lsz", "qz");
  trunk_pair_resume (self);
  ws_wait (self->client.port == 9001 && self->near->len == 2);
  settle (self);
  g_assert_true (vt_mux_stream_at_end (far->stream));
  vt_mux_stream_shutdown (far->stream);
  ws_wait (far->ended && near->ended);
  g_assert_no_error (far->error);
  g_assert_no_error (near->error);
}

/* Nothing is kept of what nobody has read yet: whoever writes waits. */
static void
test_memory (Fixture *self, const void *data)
{
  Talker *far = trunk_pair_open (self), *near = get_near (self, 1);
  size_t kept;

  settle (self);
  trunk_pair_cut (self);
  kept = end_get_kept (&self->server);
  talker_write (far, 1024 * KIB);
  talker_write (near, 1024 * KIB);
  time_skip (30 * SECOND);
  ws_turn (50);
  g_assert_cmpuint (kept, ==, 0);
  g_assert_cmpuint (end_get_kept (&self->server), ==, 0);
  g_assert_cmpuint (end_get_kept (&self->client), ==, 0);
  g_assert_cmpuint (far->written + near->written, ==, 0);
  trunk_pair_resume (self);
  settle (self);
}

/* The client has come back before the server has noticed that it was gone. */
static void
test_live_link (Fixture *self, const void *data)
{
  Talker *far = trunk_pair_open (self), *near = get_near (self, 1);

  talker_write (far, 300 * KIB);
  talker_write (near, 300 * KIB);
  ws_wait (near->received > 50 * KIB);
  cut_wire_cut_client (self->wire);
  ws_wait (end_is_suspended (&self->client));
  g_assert_false (end_is_suspended (&self->server));
  trunk_pair_resume (self);
  settle (self);
  g_assert_cmpuint (self->n_repeated, ==, 1);
  expect_heard (self, "lsz", "q");
}

/* Who comes again and again does not make the server wait for each of its links. */
static void
test_live_links (Fixture *self, const void *data)
{
  for (unsigned int i = 1; i <= 12; i++)
    {
      cut_wire_cut_client (self->wire);
      ws_wait (end_is_suspended (&self->client));
      trunk_pair_resume (self);
      g_assert_cmpuint (self->n_repeated, ==, i);
      ws_turn (20);
      g_assert_cmpuint (self->server.n_gates, <=, 6);
    }
  trunk_pair_open (self);
  get_near (self, 1);
  time_skip (VT_LINK_CLOSE_DEADLINE);
  ws_wait (self->server.n_gates == 1);
}

/* The time is short where nobody comes back, and anew each time. */
static void
test_timeout (Fixture *self, const void *data)
{
  Talker *far = trunk_pair_open (self), *near = get_near (self, 1);

  g_assert_cmpint (vt_trunk_get_remaining (self->client.trunk), ==, 0);
  trunk_pair_cut (self);
  time_skip (50 * SECOND);
  trunk_pair_resume (self);
  g_assert_cmpint (vt_trunk_get_remaining (self->client.trunk), ==, 0);
  time_skip (100 * SECOND);
  ws_turn (50);
  expect_heard (self, "lsz", "qz");

  trunk_pair_cut (self);
  time_freeze ();
  time_skip (59 * SECOND);
  ws_turn (50);
  expect_heard (self, "lszz", "qzz");
  g_assert_cmpint (vt_trunk_get_remaining (self->client.trunk), >, 0);
  g_assert_cmpint (vt_trunk_get_remaining (self->client.trunk), <=, SECOND);
  time_skip (SECOND);
  ws_turn (50);
  time_thaw ();
  expect_heard (self, "lszzc", "qzzc");
  g_assert_error (self->client.error, VT_ERROR, VT_ERROR_NOT_RESUMED);
  g_assert_error (self->server.error, VT_ERROR, VT_ERROR_NOT_RESUMED);
  g_assert_error (near->error, VT_ERROR, VT_ERROR_NOT_RESUMED);
  g_assert_error (far->error, VT_ERROR, VT_ERROR_NOT_RESUMED);
  g_assert_cmpuint (self->client.code, ==, 0);
}

/* There is nothing to wait for where no time is given. */
static void
test_no_timeout (void)
{
  Fixture self;

  trunk_pair_init (&self, 0, 0);
  trunk_pair_listen (&self);
  trunk_pair_open (&self);
  get_near (&self, 1);
  cut_wire_cut (self.wire);
  ws_wait (end_has_heard (&self.client, 'c') && end_has_heard (&self.server, 'c'));
  expect_heard (&self, "lsc", "qc");
  g_assert_error (self.client.error, VT_ERROR, VT_ERROR_FAILED);
  g_assert_error (((Talker *) self.near->pdata[0])->error, VT_ERROR, VT_ERROR_FAILED);
  trunk_pair_clear (&self);
}

typedef enum {
  CLOSE,
  CLOSE_LEAVING,
  FREE,
  ABANDON,
} Way;

static void
end_it (VtTrunk **trunk, Way way)
{
  g_autoptr(GError) error = g_error_new_literal (VT_ERROR, VT_ERROR_CANCELLED, "Enough");

  if (way == FREE)
    g_clear_pointer (trunk, vt_trunk_free);
  else if (way == ABANDON)
    vt_trunk_abandon (*trunk, error);
  else
    vt_trunk_close (*trunk, way == CLOSE ? 1000 : 1001, "done");
}

/* It is over without a link, and with all that was kept for one. */
static void
expect_ended (Fixture *self, Talker *talker, Way way)
{
  static const int errors[] = { VT_ERROR_CANCELLED, VT_ERROR_SHUTTING_DOWN, VT_ERROR_CANCELLED,
                                VT_ERROR_CANCELLED };

  ws_wait (talker->ended);
  g_assert_error (talker->error, VT_ERROR, errors[way]);
  if (way == FREE)
    return;
  ws_wait (end_has_heard (&self->client, 'c'));
  g_assert_cmpuint (self->client.code, ==, 0);
  if (way == CLOSE)
    g_assert_no_error (self->client.error);
  else
    g_assert_error (self->client.error, VT_ERROR, errors[way]);
}

static void
test_end_while_suspended (Fixture *self, const void *data)
{
  Way way = GPOINTER_TO_UINT (data);
  Talker *near;

  trunk_pair_open (self);
  near = get_near (self, 1);
  trunk_pair_cut (self);
  vt_mux_listen (vt_trunk_get_mux (self->client.trunk), 2, &(VtMuxListen){ .port = 9001 });
  end_it (&self->client.trunk, way);
  g_assert_false (end_is_suspended (&self->client));
  if (way == ABANDON)
    g_assert_true (end_has_heard (&self->client, 'c'));
  expect_ended (self, near, way);
  time_skip (2 * RESUME_TIMEOUT);
  ws_turn (50);
  g_assert_cmpstr (self->client.heard->str, ==, way == FREE ? "lsz" : "lszc");
}

/* In the very event. `data`: how. */
static void
test_end_in_suspended (Fixture *self, const void *data)
{
  Way way = GPOINTER_TO_UINT (data);
  Talker *near;

  trunk_pair_open (self);
  near = get_near (self, 1);
  if (way == FREE)
    self->client.free_in = 'z';
  else
    self->client.close_in = 'z';
  cut_wire_cut (self->wire);
  ws_wait (end_has_heard (&self->client, 'z'));
  expect_ended (self, near, way);
  time_skip (2 * RESUME_TIMEOUT);
  ws_turn (50);
  g_assert_cmpstr (self->client.heard->str, ==, way == FREE ? "lsz" : "lszc");
}

/* The server, which has let its link go for another one that it does not take then. */
static void
test_end_when_prepared (Fixture *self, const void *data)
{
  Way way = GPOINTER_TO_UINT (data);
  Talker *far = trunk_pair_open (self);

  get_near (self, 1);
  g_assert_cmpuint (vt_trunk_prepare_resume (self->server.trunk), ==,
                    vt_trunk_get_received (self->server.trunk));
  g_assert_true (end_is_suspended (&self->server));
  end_it (&self->server.trunk, way);
  ws_wait (far->ended);
  g_assert_nonnull (far->error);
  ws_wait (end_has_heard (&self->client, 'c'));
  if (way != FREE)
    ws_wait (end_has_heard (&self->server, 'c'));
  time_skip (2 * RESUME_TIMEOUT);
  ws_turn (50);
  g_assert_cmpstr (self->server.heard->str, ==, way == FREE ? "q" : "qc");
}

/* Nobody resumes what was prepared: the time runs for that, too. */
static void
test_prepared_only (Fixture *self, const void *data)
{
  trunk_pair_open (self);
  get_near (self, 1);
  vt_trunk_prepare_resume (self->server.trunk);
  /* Who prepares twice, lets nobody go twice. */
  vt_trunk_prepare_resume (self->server.trunk);
  ws_wait (end_has_heard (&self->client, 'c'));
  g_assert_cmpuint (self->client.code, ==, 4001);
  g_assert_error (self->client.error, VT_ERROR, VT_ERROR_CANCELLED);
  expect_heard (self, "lsc", "q");
  time_skip (RESUME_TIMEOUT);
  ws_wait (end_has_heard (&self->server, 'c'));
  g_assert_error (self->server.error, VT_ERROR, VT_ERROR_NOT_RESUMED);
}

/* In order, which the other side hears. `data`: who closes. */
static void
test_close_after_resume (Fixture *self, const void *data)
{
  trunk_pair_open (self);
  get_near (self, 1);
  trunk_pair_cut (self);
  trunk_pair_resume (self);
  vt_trunk_close (data != NULL ? self->server.trunk : self->client.trunk, 1000, "done");
  ws_wait (end_has_heard (&self->client, 'c') && end_has_heard (&self->server, 'c'));
  expect_heard (self, "lszc", "qzc");
  g_assert_no_error (self->client.error);
  g_assert_no_error (self->server.error);
}

int
main (int argc, char *argv[])
{
  static const char *const ways[] = { "close", "leave", "free", "abandon" };

  g_test_init (&argc, &argv, NULL);
  ws_quiet ();
#define ADD(path, data, func)                                                                      \
  g_test_add ("/trunk/resume/" path, Fixture, data, set_up, func, tear_down)
  ADD ("both-ways", NULL, test_both_ways);
  ADD ("all-lost", NULL, test_all_lost);
  ADD ("much-lost", NULL, test_much_lost);
  ADD ("meanwhile", NULL, test_meanwhile);
  ADD ("memory", NULL, test_memory);
  ADD ("live-link", NULL, test_live_link);
  ADD ("live-links", NULL, test_live_links);
  ADD ("timeout", NULL, test_timeout);
  ADD ("prepared-only", NULL, test_prepared_only);
  ADD ("close-after/client", NULL, test_close_after_resume);
  ADD ("close-after/server", "", test_close_after_resume);
#undef ADD
  g_test_add_func ("/trunk/resume/no-timeout", test_no_timeout);
  for (unsigned int way = CLOSE; way <= ABANDON; way++)
    {
      g_autofree char *suspended = g_strdup_printf ("/trunk/resume/%s/suspended", ways[way]);
      g_autofree char *in = g_strdup_printf ("/trunk/resume/%s/in-suspended", ways[way]);
      g_autofree char *prepared = g_strdup_printf ("/trunk/resume/%s/prepared", ways[way]);

      g_test_add (suspended, Fixture, GUINT_TO_POINTER (way), set_up, test_end_while_suspended,
                  tear_down);
      if (way == CLOSE || way == FREE)
        g_test_add (in, Fixture, GUINT_TO_POINTER (way), set_up, test_end_in_suspended, tear_down);
      g_test_add (prepared, Fixture, GUINT_TO_POINTER (way), set_up, test_end_when_prepared,
                  tear_down);
    }
  return g_test_run ();
}
