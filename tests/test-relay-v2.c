/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loopback.h"
#include "relay-fixture.h"
#include "time-skip.h"
#include "vt-codec-binary-private.h"
#include "vt-error-private.h"
#include "vt-mux-internal-private.h"

/* What v2 adds for users and targets: each direction ends alone, the server's side is told why, and
 * whoever is slow is alone with it. */

#define MEBIBYTE (1024 * 1024)

static const GError *
first_end (GPtrArray *ends)
{
  return g_ptr_array_index (ends, 0);
}

static gboolean
have_ended (RelayFixture *self)
{
  return self->user_ends->len == 1 && self->target_ends->len == 1;
}

static void
expect_order (RelayFixture *self)
{
  RUN_RELAYS_UNTIL (self, have_ended (self));
  g_assert_no_error (first_end (self->user_ends));
  g_assert_no_error (first_end (self->target_ends));
}

/* Both sides know the same reason, and the user sees a reset. */
static void
expect_failure (RelayFixture *self, Talker *user, int code)
{
  RUN_RELAYS_UNTIL (self, have_ended (self));
  g_assert_error (first_end (self->target_ends), VT_ERROR, code);
  g_assert_error (first_end (self->user_ends), VT_ERROR, code);
  g_assert_error (vt_stream_get_error (self->user_streams->pdata[0]), VT_ERROR, code);
  RUN_UNTIL (user->ended || user->error != 0);
  g_assert_cmpint (user->error, ==, ECONNRESET);
}

static void
settle (void)
{
  while (g_main_context_pending (NULL))
    g_main_context_iteration (NULL, FALSE);
}

static void
talk (RelayFixture *self, Talker *from, Talker *to, const char *text)
{
  size_t before = to->received->len;

  talker_say (from, text);
  RUN_UNTIL (to->received->len == before + strlen (text));
  g_assert_cmpmem (to->received->data + before, strlen (text), text, strlen (text));
}

/* The first has nothing more to say, and listens; then the second ends too. */
static void
half_close (RelayFixture *self, Talker *first, Talker *second)
{
  talk (self, first, second, "request");
  talker_end (first);
  RUN_UNTIL (second->ended || second->error != 0);
  g_assert_cmpint (second->error, ==, 0);
  for (unsigned int i = 0; i < 3; i++)
    talk (self, second, first, "response");
  g_assert_false (first->ended);
  g_assert_cmpint (first->error, ==, 0);
  g_assert_cmpuint (self->user_ends->len + self->target_ends->len, ==, 0);
  talker_end (second);
  RUN_UNTIL (first->ended || first->error != 0);
  g_assert_cmpint (first->error, ==, 0);
  expect_order (self);
}

static void
test_user_ends_first (RelayFixture *self, gconstpointer data)
{
  Talker *user = relay_fixture_connect (self);

  half_close (self, user, relay_fixture_target (self, 0));
}

static void
test_target_ends_first (RelayFixture *self, gconstpointer data)
{
  Talker *user = relay_fixture_connect (self);

  half_close (self, relay_fixture_target (self, 0), user);
}

#ifdef HAVE_EPOLL
/* Its last words and its end are here together: so they are one message. */
static void
test_last_words (RelayFixture *self, gconstpointer data)
{
  Talker *user = relay_fixture_connect (self);
  Talker *target = relay_fixture_target (self, 0);

  talk (self, user, target, "request");
  settle ();
  self->tunnel->held = TRUE;
  loopback_write (target->fd, "response");
  g_assert_cmpint (shutdown (target->fd, SHUT_WR), ==, 0);
  RUN_UNTIL (self->tunnel->client.queued > 0);
  g_assert_cmpuint (self->tunnel->client.queued, ==, 2 * VT_BINARY_HEADER + strlen ("response"));
  self->tunnel->held = FALSE;
  RUN_UNTIL (user->ended || user->error != 0);
  g_assert_cmpmem (user->received->data, user->received->len, "response", strlen ("response"));
  talker_end (user);
  expect_order (self);
}
#endif

/* At the same time, with nothing said. */
static void
test_both_end (RelayFixture *self, gconstpointer data)
{
  Talker *user = relay_fixture_connect (self);
  Talker *target = relay_fixture_target (self, 0);

  talker_end (user);
  talker_end (target);
  RUN_UNTIL (user->ended && target->ended);
  g_assert_cmpint (user->error, ==, 0);
  g_assert_cmpint (target->error, ==, 0);
  expect_order (self);
}

/* The end is said while the target is still being dialled, and what was said arrives before it. */
static void
test_end_while_dialling (RelayFixture *self, gconstpointer data)
{
  Talker *user;
  Talker *target;

  self->tunnel->held = TRUE;
  user = relay_fixture_connect (self);
  talker_say (user, "early");
  talker_end (user);
  RUN_UNTIL (user->shut);
  self->tunnel->held = FALSE;
  target = relay_fixture_target (self, 0);
  RUN_UNTIL (target->ended);
  g_assert_true (talker_heard (target, "early"));
  talk (self, target, user, "answer");
  talker_end (target);
  expect_order (self);
  g_assert_cmpint (user->error, ==, 0);
}

/* What comes behind the end of the other direction is as long as it likes. */
static void
test_long_answer (RelayFixture *self, gconstpointer data)
{
  const size_t length = 5 * MEBIBYTE + 3;
  g_autofree char *block = g_strnfill (length, 'x');
  Talker *user = relay_fixture_connect (self);
  Talker *target = relay_fixture_target (self, 0);

  talker_end (user);
  RUN_UNTIL (target->ended);
  talker_send (target, block, length);
  talker_end (target);
  RUN_UNTIL (user->ended || user->error != 0);
  g_assert_cmpint (user->error, ==, 0);
  g_assert_cmpuint (user->received->len, ==, length);
  expect_order (self);
}

/* In the middle of everything. */
static void
test_user_resets (RelayFixture *self, gconstpointer data)
{
  Talker *user = relay_fixture_connect (self);
  Talker *target = relay_fixture_target (self, 0);

  talk (self, user, target, "x");
  talk (self, target, user, "y");
  talker_reset (user);
  RUN_UNTIL (target->ended || target->error != 0);
  g_assert_cmpint (target->error, ==, ECONNRESET);
  RUN_UNTIL (have_ended (self));
  g_assert_error (first_end (self->user_ends), VT_ERROR, VT_ERROR_CANCELLED);
  g_assert_error (first_end (self->target_ends), VT_ERROR, VT_ERROR_CANCELLED);
  g_assert_cmpstr (first_end (self->target_ends)->message, ==,
                   first_end (self->user_ends)->message);
}

static void
test_target_resets (RelayFixture *self, gconstpointer data)
{
  Talker *user = relay_fixture_connect (self);
  Talker *target = relay_fixture_target (self, 0);

  talk (self, user, target, "x");
  talker_reset (target);
  expect_failure (self, user, VT_ERROR_CANCELLED);
}

/* A reset also ends the direction that is left. */
static void
test_reset_after_end (RelayFixture *self, gconstpointer data)
{
  Talker *user = relay_fixture_connect (self);
  Talker *target = relay_fixture_target (self, 0);

  talker_end (user);
  RUN_UNTIL (target->ended);
  talk (self, target, user, "half of it");
  talker_reset (target);
  expect_failure (self, user, VT_ERROR_CANCELLED);
}

/* Freed with a reason, which the other side is told. */
static void
test_free (RelayFixture *self, gconstpointer data)
{
  g_autoptr(GError) error = g_error_new_literal (VT_ERROR, VT_ERROR_LIMIT, "enough");
  Talker *user = relay_fixture_connect (self);
  Talker *target = relay_fixture_target (self, 0);

  talk (self, user, target, "x");
  vt_relay_free (g_ptr_array_steal_index (self->target_relays, 0), error);
  RUN_UNTIL (self->user_ends->len == 1);
  g_assert_error (first_end (self->user_ends), VT_ERROR, VT_ERROR_LIMIT);
  g_assert_cmpstr (first_end (self->user_ends)->message, ==, "enough");
  RUN_UNTIL (user->error == ECONNRESET && target->error == ECONNRESET);
}

static void
test_refused (RelayFixture *self, gconstpointer data)
{
  Talker *user;

  close (self->target_listener);
  self->target_listener = -1;
  user = relay_fixture_connect (self);
  talker_say (user, "hello?");
  expect_failure (self, user, VT_ERROR_TARGET_REFUSED);
}

static void
test_unreachable (RelayFixture *self, gconstpointer data)
{
  expect_failure (self, relay_fixture_connect (self), VT_ERROR_TARGET_UNREACHABLE);
}

#define WAITING 4

/* Nobody takes what connects, and the kernel answers nobody any more. */
static void
fill_queue (RelayFixture *self, int *waiting)
{
  g_assert_cmpint (listen (self->target_listener, 0), ==, 0);
  for (unsigned int i = 0; i < WAITING; i++)
    waiting[i] = loopback_connect (self->target_port);
}

static void
test_timed_out (RelayFixture *self, gconstpointer data)
{
  int waiting[WAITING];
  int listener = self->target_listener;
  Talker *user;

  fill_queue (self, waiting);
  self->target_listener = -1;
  user = relay_fixture_connect (self);
  RUN_UNTIL (self->target_relays->len == 1);
  settle ();
  time_freeze ();
  time_skip (29 * G_TIME_SPAN_SECOND);
  loopback_iterate ();
  g_assert_cmpuint (self->target_ends->len, ==, 0);
  time_skip (G_TIME_SPAN_SECOND);
  for (unsigned int i = 0; i < 20 && self->target_ends->len == 0; i++)
    loopback_iterate ();
  time_thaw ();
  g_assert_cmpuint (self->target_ends->len, ==, 1);
  expect_failure (self, user, VT_ERROR_TIMED_OUT);
  self->target_listener = listener;
  for (unsigned int i = 0; i < WAITING; i++)
    close (waiting[i]);
}

/* A user who breaks off before the target has answered: the dial is given up. */
static void
test_reset_while_dialling (RelayFixture *self, gconstpointer data)
{
  int waiting[WAITING];
  int listener = self->target_listener;
  Talker *user;

  fill_queue (self, waiting);
  self->target_listener = -1;
  user = relay_fixture_connect (self);
  RUN_UNTIL (self->target_relays->len == 1);
  settle ();
  talker_reset (user);
  RUN_UNTIL (have_ended (self));
  g_assert_error (first_end (self->target_ends), VT_ERROR, VT_ERROR_CANCELLED);
  self->target_listener = listener;
  for (unsigned int i = 0; i < WAITING; i++)
    close (waiting[i]);
}

static VtMuxStream *
get_stream (TunnelSide *side)
{
  VtMuxStream *stream = vt_mux_find_stream (side->mux, 1);

  g_assert_nonnull (stream);
  return stream;
}

/* All that may leave has left, and nobody spins. */
static gboolean
stands_still (TunnelSide *from)
{
  VtMuxStream *stream = get_stream (from);

  return stream->bytes_sent == stream->send_limit && !g_main_context_pending (NULL);
}

/* What a reader that stands still has not taken stays within its window, the rest with whoever
 * sends; and all of it arrives when the reader goes on. */
static void
hold_up (RelayFixture *self, Talker *writer, Talker *reader, TunnelSide *from, TunnelSide *to)
{
  const size_t length = 40 * MEBIBYTE;
  g_autofree char *block = g_strnfill (length, 'x');
  VtMuxStream *stream;

  talker_listen (reader, 0);
  talker_send (writer, block, length);
  talker_end (writer);
  RUN_UNTIL (stands_still (from));
  stream = get_stream (to);
  g_assert_cmpuint (writer->sent, <, length);
  g_assert_cmpuint (stream->received.length, >, 0);
  g_assert_cmpuint (stream->received.length, <=, 16 * MEBIBYTE);
  g_assert_cmpuint (stream->bytes_received, ==, stream->granted);
  g_assert_cmpuint (from->queued, ==, 0);
  g_assert_true (from->reading && to->reading);
  talk (self, reader, writer, "the other way is free");
  talker_listen (reader, 65536);
  RUN_UNTIL (reader->ended);
  g_assert_cmpuint (reader->received->len, ==, length);
  talker_end (reader);
  expect_order (self);
}

static void
test_slow_target (RelayFixture *self, gconstpointer data)
{
  Talker *user = relay_fixture_connect (self);
  Talker *target = relay_fixture_target (self, 0);

  hold_up (self, user, target, &self->tunnel->server, &self->tunnel->client);
}

static void
test_slow_user (RelayFixture *self, gconstpointer data)
{
  Talker *user = relay_fixture_connect (self);
  Talker *target = relay_fixture_target (self, 0);

  hold_up (self, target, user, &self->tunnel->client, &self->tunnel->server);
}

static Talker *
begin_hold_up (RelayFixture *self)
{
  g_autofree char *block = g_strnfill (40 * MEBIBYTE, 'x');
  Talker *user = relay_fixture_connect (self);

  talker_listen (relay_fixture_target (self, 0), 0);
  talker_send (user, block, 40 * MEBIBYTE);
  RUN_UNTIL (stands_still (&self->tunnel->server));
  return user;
}

/* Whoever held all up goes in this state: the other one is told, and nothing is left behind. */
static void
test_slow_target_resets (RelayFixture *self, gconstpointer data)
{
  Talker *user = begin_hold_up (self);

  talker_reset (relay_fixture_target (self, 0));
  expect_failure (self, user, VT_ERROR_CANCELLED);
  g_assert_cmpuint (self->tunnel->client.mux->buffered, ==, 0);
}

/* A user who is held up and breaks the connection is noticed at once. */
static void
test_held_up_user_resets (RelayFixture *self, gconstpointer data)
{
  Talker *user = begin_hold_up (self);

  talker_reset (user);
  RUN_UNTIL (have_ended (self));
  g_assert_error (first_end (self->user_ends), VT_ERROR, VT_ERROR_CANCELLED);
  g_assert_error (first_end (self->target_ends), VT_ERROR, VT_ERROR_CANCELLED);
  g_assert_cmpuint (self->tunnel->client.mux->buffered, ==, 0);
}

/* What the client is told of the user, it tells the target. */
static void
expect_header (RelayFixture *self, unsigned int version, const char *expected, size_t length)
{
  Talker *target;

  vt_forward_set_proxy_protocol (self->forward, version);
  talker_say (relay_fixture_connect (self), "hello");
  target = relay_fixture_target (self, 0);
  RUN_UNTIL (target->received->len >= length);
  g_assert_cmpmem (target->received->data, target->received->len, expected, length);
}

static void
set_addresses (RelayFixture *self, const char *user, const char *local)
{
  self->tunnel->user = g_inet_socket_address_new_from_string (user, 1234);
  self->tunnel->local = g_inet_socket_address_new_from_string (local, 9000);
}

static void
test_proxy_header_1 (RelayFixture *self, gconstpointer data)
{
  static const char expected[] = "PROXY TCP4 192.0.2.1 198.51.100.7 1234 9000\r\nhello";

  set_addresses (self, "192.0.2.1", "198.51.100.7");
  expect_header (self, 1, expected, sizeof expected - 1);
}

static void
test_proxy_header_2 (RelayFixture *self, gconstpointer data)
{
  static const char expected[] = "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"
                                 "\xc0\0\2\1\xc6\x33\x64\7\4\xd2\x23\x28hello";

  set_addresses (self, "192.0.2.1", "198.51.100.7");
  expect_header (self, 2, expected, sizeof expected - 1);
}

static void
test_proxy_header_ipv6 (RelayFixture *self, gconstpointer data)
{
  static const char expected[] = "PROXY TCP6 2001:db8::1 2001:db8::2 1234 9000\r\nhello";

  set_addresses (self, "2001:db8::1", "2001:db8::2");
  expect_header (self, 1, expected, sizeof expected - 1);
}

/* A request whose user then says no more has its answer, and the target sees the end behind it. */
static void
test_host_header (RelayFixture *self, gconstpointer data)
{
  Talker *user;
  Talker *target;

  vt_forward_set_host_header (self->forward, "inside.example");
  user = relay_fixture_connect (self);
  target = relay_fixture_target (self, 0);
  talker_say (user, "GET / HTTP/1.1\r\nHost: outside.example\r\n\r\n");
  talker_end (user);
  RUN_UNTIL (target->ended);
  g_assert_true (talker_heard (target, "GET / HTTP/1.1\r\nHost: inside.example\r\n\r\n"));
  talk (self, target, user, "HTTP/1.1 200 OK\r\nHost: outside.example\r\n\r\n");
  talker_end (target);
  expect_order (self);
}

/* What the rewriter held back comes out before the end of its direction, which is not the end of
 * the stream. */
static void
test_host_header_tail (RelayFixture *self, gconstpointer data)
{
  Talker *user;
  Talker *target;

  vt_forward_set_host_header (self->forward, "inside.example");
  user = relay_fixture_connect (self);
  target = relay_fixture_target (self, 0);
  talker_say (user, "GET / HTTP/1.1\r\nHost: outs");
  talker_end (user);
  RUN_UNTIL (target->ended);
  g_assert_true (talker_heard (target, "GET / HTTP/1.1\r\nHost: outs"));
  talk (self, target, user, "HTTP/1.1 400 Bad Request\r\n\r\n");
  g_assert_cmpuint (self->target_ends->len, ==, 0);
  talker_end (target);
  expect_order (self);
}

static char *
hash (const void *data, size_t length)
{
  return g_compute_checksum_for_data (G_CHECKSUM_SHA256, data, length);
}

static void
fill (guint32 *block, size_t length, guint32 seed)
{
  g_autoptr(GRand) random = g_rand_new_with_seed (seed);

  for (size_t i = 0; i < length / sizeof *block; i++)
    block[i] = g_rand_int (random);
}

/* Both ways at once, one ending long before the other. */
static void
test_hashes (RelayFixture *self, gconstpointer data)
{
  const size_t up = 24 * MEBIBYTE;
  const size_t down = 9 * MEBIBYTE;
  g_autofree guint32 *block = g_malloc (up);
  g_autofree char *up_hash = NULL;
  g_autofree char *down_hash = NULL;
  g_autofree char *up_heard = NULL;
  g_autofree char *down_heard = NULL;
  Talker *user = relay_fixture_connect (self);
  Talker *target = relay_fixture_target (self, 0);

  fill (block, up, 1);
  up_hash = hash (block, up);
  talker_send (user, block, up);
  fill (block, down, 2);
  down_hash = hash (block, down);
  talker_send (target, block, down);
  talker_end (user);
  talker_end (target);
  RUN_UNTIL (user->ended && target->ended);
  up_heard = hash (target->received->data, target->received->len);
  down_heard = hash (user->received->data, user->received->len);
  g_assert_cmpstr (up_heard, ==, up_hash);
  g_assert_cmpstr (down_heard, ==, down_hash);
  expect_order (self);
  g_assert_cmpuint (vt_stream_get_bytes_sent (self->user_streams->pdata[0]), ==, up);
  g_assert_cmpuint (vt_stream_get_bytes_received (self->user_streams->pdata[0]), ==, down);
}

int
main (int argc, char **argv)
{
  g_autoptr(VtPoller) poller = NULL;

  g_test_init (&argc, &argv, NULL);
  poller = loopback_warm_up ();
#define ADD(path, data, func)                                                                      \
  g_test_add ("/relay/v2/" path, RelayFixture, data, relay_fixture_set_up_v2, func,                \
              relay_fixture_tear_down)
  ADD ("half-close/user-first", NULL, test_user_ends_first);
  ADD ("half-close/target-first", NULL, test_target_ends_first);
#ifdef HAVE_EPOLL
  ADD ("half-close/last-words", NULL, test_last_words);
#endif
  ADD ("half-close/both", NULL, test_both_end);
  ADD ("half-close/while-dialling", NULL, test_end_while_dialling);
  ADD ("half-close/long-answer", NULL, test_long_answer);
  ADD ("half-close/host-header", NULL, test_host_header);
  ADD ("half-close/host-header-tail", NULL, test_host_header_tail);
  ADD ("reset/by-user", NULL, test_user_resets);
  ADD ("reset/by-target", NULL, test_target_resets);
  ADD ("reset/after-end", NULL, test_reset_after_end);
  ADD ("reset/while-dialling", NULL, test_reset_while_dialling);
  ADD ("free", NULL, test_free);
  ADD ("target/refused", NULL, test_refused);
  ADD ("target/unreachable", "unix:/nonexistent/vt-relay", test_unreachable);
  ADD ("target/timed-out", NULL, test_timed_out);
  ADD ("slow/target", NULL, test_slow_target);
  ADD ("slow/user", NULL, test_slow_user);
  ADD ("slow/target-resets", NULL, test_slow_target_resets);
  ADD ("slow/user-resets", NULL, test_held_up_user_resets);
  ADD ("proxy-header/1", NULL, test_proxy_header_1);
  ADD ("proxy-header/2", NULL, test_proxy_header_2);
  ADD ("proxy-header/ipv6", NULL, test_proxy_header_ipv6);
  ADD ("hashes", NULL, test_hashes);
#undef ADD
  return g_test_run ();
}
