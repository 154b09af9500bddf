/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-relay-private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "loopback.h"
#include "relay-fixture.h"
#include "vt-error-private.h"

#define MEBIBYTE (1024 * 1024)

static uint8_t *
make_block (size_t length, unsigned int seed)
{
  uint8_t *block = g_malloc (length);

  for (size_t i = 0; i < length; i++)
    block[i] = i * 31 + i / 257 + i / 65537 + seed;
  return block;
}

static void
assert_received (Talker *talker, const uint8_t *block, size_t length)
{
  g_assert_cmpuint (talker->received->len, ==, length);
  g_assert_true (memcmp (talker->received->data, block, length) == 0);
}

static const GError *
first_end (GPtrArray *ends)
{
  return g_ptr_array_index (ends, 0);
}

static void
test_echo (RelayFixture *self, gconstpointer data)
{
  Talker *user;

  self->target_echoes = TRUE;
  user = relay_fixture_connect (self);
  talker_say (user, "hello");
  RUN_RELAYS_UNTIL (self, talker_heard (user, "hello"));
}

static void
test_single_bytes (RelayFixture *self, gconstpointer data)
{
  Talker *user;
  g_autoptr(GString) text = g_string_new (NULL);

  self->target_echoes = TRUE;
  user = relay_fixture_connect (self);
  for (unsigned int i = 0; i < 300; i++)
    {
      char byte[] = { 'a' + i % 26, '\0' };

      g_string_append (text, byte);
      talker_say (user, byte);
      RUN_RELAYS_UNTIL (self, user->sent == text->len);
    }
  RUN_RELAYS_UNTIL (self, user->received->len == text->len);
  g_assert_true (talker_heard (user, text->str));
}

static void
test_bulk (RelayFixture *self, gconstpointer data)
{
  const size_t length = 16 * MEBIBYTE;
  g_autofree uint8_t *up = make_block (length, 1);
  g_autofree uint8_t *down = make_block (length, 2);
  Talker *user = relay_fixture_connect (self);
  Talker *target = relay_fixture_target (self, 0);

  talker_send (user, up, length);
  talker_send (target, down, length);
  RUN_RELAYS_UNTIL (self, user->received->len == length && target->received->len == length);
  assert_received (target, up, length);
  assert_received (user, down, length);
}

/* The end arrives after the last byte, from either side. */
static void
test_tail_to_user (RelayFixture *self, gconstpointer data)
{
  const size_t length = 3 * MEBIBYTE + 1;
  g_autofree uint8_t *block = make_block (length, 3);
  Talker *user = relay_fixture_connect (self);
  Talker *target = relay_fixture_target (self, 0);

  talker_send (target, block, length);
  talker_end (target);
  RUN_RELAYS_UNTIL (self, user->ended || user->error != 0);
  g_assert_cmpint (user->error, ==, 0);
  assert_received (user, block, length);
  RUN_UNTIL (self->user_ends->len == 1 && self->target_ends->len == 1);
  g_assert_no_error (first_end (self->user_ends));
  g_assert_no_error (first_end (self->target_ends));
}

static void
test_tail_to_target (RelayFixture *self, gconstpointer data)
{
  const size_t length = 3 * MEBIBYTE + 1;
  g_autofree uint8_t *block = make_block (length, 4);
  Talker *user = relay_fixture_connect (self);
  Talker *target;

  talker_send (user, block, length);
  talker_end (user);
  target = relay_fixture_target (self, 0);
  RUN_RELAYS_UNTIL (self, target->ended || target->error != 0);
  g_assert_cmpint (target->error, ==, 0);
  assert_received (target, block, length);
  RUN_UNTIL (self->user_ends->len == 1 && self->target_ends->len == 1);
  g_assert_no_error (first_end (self->user_ends));
  g_assert_no_error (first_end (self->target_ends));
}

/* What the target had said is written to a user who is slow to read it, although the user has
 * already ended, which in v1 ends both directions. */
static void
test_tail_crossing (RelayFixture *self, gconstpointer data)
{
  const size_t length = 12 * MEBIBYTE;
  g_autofree uint8_t *block = make_block (length, 5);
  Talker *user = relay_fixture_connect (self);
  Talker *target = relay_fixture_target (self, 0);

  talker_listen (user, 0);
  talker_send (target, block, length);
  RUN_RELAYS_UNTIL (self, !self->tunnel->server.reading);
  talker_end (user);
  RUN_RELAYS_UNTIL (self, target->ended || target->error != 0);
  talker_listen (user, 65536);
  RUN_UNTIL (user->ended || user->error != 0);
  g_assert_cmpint (user->error, ==, 0);
  g_assert_cmpuint (user->received->len, >, MEBIBYTE);
  g_assert_cmpuint (user->received->len, ==,
                    vt_stream_get_bytes_received (self->user_streams->pdata[0]));
  g_assert_true (memcmp (user->received->data, block, user->received->len) == 0);
}

/* A target that refuses what it does not want to read says why, and breaks the connection. */
static void
test_early_answer (RelayFixture *self, gconstpointer data)
{
  g_autofree uint8_t *block = make_block (8 * MEBIBYTE, 6);
  Talker *user;
  Talker *target;

  self->target_read_size = 0;
  user = relay_fixture_connect (self);
  target = relay_fixture_target (self, 0);
  talker_send (user, block, 8 * MEBIBYTE);
  RUN_RELAYS_UNTIL (self, !self->tunnel->client.reading);
  talker_say (target, "413 too large");
  RUN_UNTIL (target->sent == 13);
  talker_close (target);
  RUN_UNTIL (user->ended || user->error != 0);
  g_assert_true (talker_heard (user, "413 too large"));
}

static void
test_user_resets (RelayFixture *self, gconstpointer data)
{
  Talker *user = relay_fixture_connect (self);
  Talker *target = relay_fixture_target (self, 0);

  talker_say (user, "in the middle of");
  RUN_UNTIL (target->received->len > 0);
  talker_reset (user);
  RUN_UNTIL (target->ended || target->error != 0);
  RUN_UNTIL (self->user_ends->len == 1 && self->target_ends->len == 1);
  g_assert_error (first_end (self->user_ends), VT_ERROR, VT_ERROR_CANCELLED);
  g_assert_true (talker_heard (target, "in the middle of"));
}

static void
test_target_resets (RelayFixture *self, gconstpointer data)
{
  Talker *user = relay_fixture_connect (self);
  Talker *target = relay_fixture_target (self, 0);

  talker_say (user, "x");
  RUN_UNTIL (talker_heard (target, "x"));
  talker_reset (target);
  RUN_UNTIL (user->ended || user->error != 0);
  g_assert_cmpint (user->error, ==, ECONNRESET);
  RUN_UNTIL (self->target_ends->len == 1);
  g_assert_error (first_end (self->target_ends), VT_ERROR, VT_ERROR_CANCELLED);
}

/* Memory stays bounded, and one who leaves in this state leaves nothing behind. */
static void
test_target_never_reads (RelayFixture *self, gconstpointer data)
{
  const size_t length = 32 * MEBIBYTE;
  g_autofree uint8_t *block = make_block (length, 7);
  Talker *user;

  self->target_read_size = 0;
  user = relay_fixture_connect (self);
  relay_fixture_target (self, 0);
  talker_send (user, block, length);
  RUN_RELAYS_UNTIL (self, !self->tunnel->client.reading);
  /* All stand still, and nobody spins. */
  RUN_RELAYS_UNTIL (self, !g_main_context_pending (NULL));
  g_assert_cmpuint (user->sent, <, length);
  g_assert_cmpuint (self->tunnel->server.queued, <, MEBIBYTE);
  talker_reset (user);
  g_ptr_array_set_size (self->targets, 0);
  RUN_UNTIL (self->user_ends->len == 1 && self->target_ends->len == 1);
}

static void
test_slow_target (RelayFixture *self, gconstpointer data)
{
  const size_t length = 2 * MEBIBYTE;
  g_autofree uint8_t *block = make_block (length, 8);
  Talker *user;
  Talker *target;

  self->target_read_size = 700;
  user = relay_fixture_connect (self);
  talker_send (user, block, length);
  talker_end (user);
  target = relay_fixture_target (self, 0);
  RUN_RELAYS_UNTIL (self, target->ended);
  assert_received (target, block, length);
}

#define MANY 200

static gboolean
all_answered (RelayFixture *self)
{
  for (unsigned int i = 0; i < MANY; i++)
    {
      g_autofree char *text = g_strdup_printf ("this is user %u", i);

      if (!talker_heard (self->users->pdata[i], text))
        return FALSE;
    }
  return TRUE;
}

static void
test_many (RelayFixture *self, gconstpointer data)
{
  self->target_echoes = TRUE;
  for (unsigned int i = 0; i < MANY; i++)
    {
      g_autofree char *text = g_strdup_printf ("this is user %u", i);
      Talker *user = talker_new (loopback_connect (self->user_port));

      g_ptr_array_add (self->users, user);
      talker_say (user, text);
    }
  RUN_RELAYS_UNTIL (self, all_answered (self));
  for (unsigned int i = 0; i < MANY; i++)
    talker_end (self->users->pdata[i]);
  RUN_UNTIL (self->user_ends->len == MANY && self->target_ends->len == MANY);
}

static void
test_free (RelayFixture *self, gconstpointer data)
{
  g_autoptr(GError) error = g_error_new_literal (VT_ERROR, VT_ERROR_SHUTTING_DOWN, "over");
  Talker *user = relay_fixture_connect (self);
  Talker *target = relay_fixture_target (self, 0);

  talker_say (user, "x");
  RUN_UNTIL (talker_heard (target, "x"));
  vt_relay_free (g_ptr_array_steal_index (self->target_relays, 0), error);
  RUN_UNTIL (target->error == ECONNRESET);
  RUN_UNTIL (user->ended || user->error != 0);
  g_assert_cmpuint (self->target_ends->len, ==, 0);
}

static void
free_relay_cb (VtStream *stream, const GError *error, void *user_data)
{
  RelayFixture *self = user_data;

  vt_relay_free (g_ptr_array_steal_index (self->user_relays, 0), NULL);
}

/* Who hears first that the stream is over may end all at once. */
static void
test_free_within (RelayFixture *self, gconstpointer data)
{
  Talker *user = relay_fixture_connect (self);

  vt_stream_set_finished_func (self->user_streams->pdata[0], free_relay_cb, self);
  talker_reset (user);
  RUN_RELAYS_UNTIL (self, self->user_relays->len == 0);
  g_assert_cmpuint (self->user_ends->len, ==, 0);
}

/* The mux goes, with all of its streams. */
static void
test_session_lost (RelayFixture *self, gconstpointer data)
{
  g_autoptr(GError) error = g_error_new_literal (VT_ERROR, VT_ERROR_TIMED_OUT, "lost");
  Talker *user = relay_fixture_connect (self);
  Talker *target = relay_fixture_target (self, 0);

  talker_say (user, "x");
  RUN_UNTIL (talker_heard (target, "x"));
  tunnel_break (self->tunnel, error);
  g_assert_cmpuint (self->user_ends->len, ==, 1);
  g_assert_cmpuint (self->target_ends->len, ==, 1);
  g_assert_error (first_end (self->user_ends), VT_ERROR, VT_ERROR_TIMED_OUT);
  RUN_UNTIL (user->error == ECONNRESET && target->error == ECONNRESET);
}

static void
finished_cb (VtRelay *relay, const GError *error, void *user_data)
{
  *(GError **) user_data = g_error_copy (error);
}

/* Also what fails at once is told later. */
static void
test_unwatchable (RelayFixture *self, gconstpointer data)
{
  g_autofree char *path = g_build_filename (g_get_tmp_dir (), "vt-relay-XXXXXX", NULL);
  int fd = g_mkstemp (path);
  g_autoptr(VtStream) stream =
      vt_stream_new (tunnel_open_stream (self->tunnel), self->forward, NULL);
  g_autoptr(GError) error = NULL;
  VtRelay *relay = vt_relay_new_for_user (stream, fd, NULL, finished_cb, &error);

  unlink (path);
  g_assert_no_error (error);
  RUN_UNTIL (error != NULL);
  g_assert_cmpint (error->domain, ==, VT_ERROR);
  g_assert_nonnull (vt_stream_get_error (stream));
  vt_relay_free (relay, NULL);
}

int
main (int argc, char **argv)
{
  g_autoptr(VtPoller) poller = NULL;

  g_test_init (&argc, &argv, NULL);
  poller = loopback_warm_up ();
#define ADD(path, func)                                                                            \
  g_test_add ("/relay/" path, RelayFixture, NULL, relay_fixture_set_up, func,                      \
              relay_fixture_tear_down)
  ADD ("echo", test_echo);
  ADD ("single-bytes", test_single_bytes);
  ADD ("bulk", test_bulk);
  ADD ("tail/to-user", test_tail_to_user);
  ADD ("tail/to-target", test_tail_to_target);
  ADD ("tail/crossing", test_tail_crossing);
  ADD ("tail/early-answer", test_early_answer);
  ADD ("reset/by-user", test_user_resets);
  ADD ("reset/by-target", test_target_resets);
  ADD ("target/never-reads", test_target_never_reads);
  ADD ("target/slow", test_slow_target);
  ADD ("many", test_many);
  ADD ("free", test_free);
  ADD ("free/within", test_free_within);
  ADD ("session-lost", test_session_lost);
  ADD ("unwatchable", test_unwatchable);
#undef ADD
#define ADD(path, func)                                                                            \
  g_test_add ("/relay/v2/" path, RelayFixture, NULL, relay_fixture_set_up_v2, func,                \
              relay_fixture_tear_down)
  ADD ("echo", test_echo);
  ADD ("single-bytes", test_single_bytes);
  ADD ("many", test_many);
  ADD ("free/within", test_free_within);
  ADD ("session-lost", test_session_lost);
  ADD ("unwatchable", test_unwatchable);
#undef ADD
  return g_test_run ();
}
