/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include <string.h>

#include "http-relay-fixture.h"
#include "loopback.h"
#include "vt-error.h"
#include "vt-http-relay-struct-private.h"
#include "vt-mux-internal-private.h"

#define GET_A "GET /a HTTP/1.1\r\nHost: a.example\r\n\r\n"
#define GET_B "GET /b HTTP/1.1\r\nHost: B.example:80\r\nX: y\r\n\r\n"
#define OK "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

static const Exchange row[] = {
  { 0, GET_A, OK },
  { 0, GET_A, "HTTP/1.1 204 No Content\r\n\r\n" },
  { 1, GET_B,
    "HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: r\r\n\r\n" },
  { 0, "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 38\r\n\r\n" GET_A "..", OK },
  { 0,
    "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n"
    "5;x=y\r\nhello\r\n0a\r\nGET / HTTP\r\n0\r\nHost: b.example\r\n\r\n",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Wait\r\nA: b\r\n\r\n" OK },
  { 1, "HEAD / HTTP/1.1\r\nHost: b.example\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" },
  { 1, GET_B, "HTTP/1.1 304 \r\n\r\n" },
  { 0, "GET / HTTP/1.1\r\nHost: a.example\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n" },
  { 0, "GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n",
    "HTTP/1.1 200 OK\r\n\r\nto the end" },
};

/* How the user's bytes come. */
enum { AT_ONCE, BYTE_BY_BYTE, AT_RANDOM };

static void
say_in_pieces (Fixture *self, const char *text, int how)
{
  size_t length = strlen (text);

  while (length > 0)
    {
      size_t n = how == AT_ONCE ? length : 1;

      if (how == AT_RANDOM)
        n = (size_t) g_test_rand_int_range (1, 200);
      n = MIN (n, length);
      talker_send (self->user, text, n);
      RUN_UNTIL (self->user->sent == self->user->to_send->len);
      if (how != AT_ONCE)
        g_main_context_iteration (NULL, FALSE);
      text += n;
      length -= n;
    }
}

static void
check_row (Fixture *self, int how)
{
  g_autoptr(GString) requests = g_string_new (NULL);
  g_autoptr(GString) answers = g_string_new (NULL);

  fixture_use (self, row, G_N_ELEMENTS (row));
  for (size_t i = 0; i < G_N_ELEMENTS (row); i++)
    {
      g_string_append (requests, row[i].request);
      g_string_append (answers, row[i].answer);
    }
  self->cuts = how != AT_ONCE;
  fixture_begin (self, "");
  talker_listen (self->user, 65536);
  say_in_pieces (self, requests->str, how);
  RUN_UNTIL (self->user->ended);
  g_assert_cmpuint (self->n_answered, ==, G_N_ELEMENTS (row));
  g_assert_cmpmem (self->user->received->data, self->user->received->len, answers->str,
                   answers->len);
  /* a, b, a, b, a */
  g_assert_cmpuint (self->peers->len, ==, 5);
  g_assert_null (self->relay);
}

static void
test_at_once (Fixture *self, gconstpointer data)
{
  check_row (self, AT_ONCE);
}

static void
test_byte_by_byte (Fixture *self, gconstpointer data)
{
  check_row (self, BYTE_BY_BYTE);
}

static void
test_at_random (Fixture *self, gconstpointer data)
{
  check_row (self, AT_RANDOM);
}

/* What was read before there was a relay comes first. */
static void
test_begun (Fixture *self, gconstpointer data)
{
  fixture_use (self, row, 2);
  fixture_begin (self, GET_A "GET /a HTTP");
  talker_listen (self->user, 65536);
  RUN_UNTIL (self->n_answered == 1);
  talker_say (self->user, "/1.1\r\nHost: a.example\r\n\r\n");
  RUN_UNTIL (talker_heard (self->user, OK "HTTP/1.1 204 No Content\r\n\r\n"));
  g_assert_cmpuint (self->peers->len, ==, 1);
  /* Nothing is kept while nobody asks. */
  g_assert_null (self->relay->input);
  g_assert_null (self->relay->output);
}

static const Exchange switches[] = {
  { 0, "GET / HTTP/1.1\r\nHost: a.example\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nold" },
  { 0, GET_B, "not HTTP" },
};

static void
test_switch (Fixture *self, gconstpointer data)
{
  g_autofree char *all = g_strconcat (switches[0].answer, switches[1].answer, NULL);

  fixture_use (self, switches, 2);
  fixture_begin (self, "");
  talker_listen (self->user, 65536);
  /* The second behind the first, which is not yet answered: it goes the same way. */
  talker_say (self->user, switches[0].request);
  talker_say (self->user, GET_B);
  RUN_UNTIL (self->user->received->len >= strlen (all));
  g_assert_cmpmem (self->user->received->data, self->user->received->len, all, strlen (all));
  g_assert_cmpuint (self->peers->len, ==, 1);
  talker_end (self->user);
  RUN_UNTIL (self->user->ended);
  g_assert_null (self->relay);
}

static unsigned int
get_status (Fixture *self)
{
  const char *text = (const char *) self->user->received->data;

  g_assert_cmpuint (self->user->received->len, >=, 12);
  g_assert_true (g_str_has_prefix (text, "HTTP/1.1 "));
  return (unsigned int) g_ascii_strtoull (text + 9, NULL, 10);
}

static void
expect_page (Fixture *self, const char *request, unsigned int status)
{
  fixture_begin (self, "");
  talker_listen (self->user, 65536);
  talker_say (self->user, request);
  RUN_UNTIL (self->user->ended);
  g_assert_cmpuint (get_status (self), ==, status);
  g_assert_null (self->relay);
  g_clear_pointer (&self->user, talker_free);
}

static void
test_pages (Fixture *self, gconstpointer data)
{
  expect_page (self, "GET / HTTP/1.1\r\nHost: c.example\r\n\r\n", 404);
  expect_page (self, "GET / HTTP/1.1\r\n\r\n", 400);
  self->refusal = g_error_new_literal (VT_ERROR, VT_ERROR_LIMIT, "");
  expect_page (self, GET_A, 503);
  self->refusal->code = VT_ERROR_CANCELLED;
  expect_page (self, GET_A, 502);
  g_assert_cmpuint (self->peers->len, ==, 0);
}

static void
reset_peer (Fixture *self, unsigned int n, int code)
{
  g_autoptr(GError) error = g_error_new_literal (VT_ERROR, code, "");
  Peer *peer = fixture_peer (self, n);

  vt_mux_stream_reset (peer->mux, error);
}

static void
expect_page_of_reset (Fixture *self, unsigned int n, int code, unsigned int status)
{
  fixture_begin (self, GET_A);
  talker_listen (self->user, 65536);
  RUN_UNTIL (self->peers->len == n + 1);
  reset_peer (self, n, code);
  RUN_UNTIL (self->user->ended);
  g_assert_cmpuint (get_status (self), ==, status);
  g_clear_pointer (&self->user, talker_free);
}

static void
test_failed_targets (Fixture *self, gconstpointer data)
{
  expect_page_of_reset (self, 0, VT_ERROR_TARGET_REFUSED, 502);
  expect_page_of_reset (self, 1, VT_ERROR_TIMED_OUT, 504);
  expect_page_of_reset (self, 2, VT_ERROR_LIMIT, 503);
}

/* A stream that was good before: the target may have closed it just then, and the user asks again
 * by itself when its connection ends without a word. */
static void
test_reused_and_lost (Fixture *self, gconstpointer data)
{
  fixture_use (self, row, 1);
  fixture_begin (self, GET_A);
  talker_listen (self->user, 65536);
  RUN_UNTIL (talker_heard (self->user, OK));
  talker_say (self->user, GET_A);
  RUN_UNTIL (fixture_peer (self, 0)->received->len == strlen (GET_A));
  reset_peer (self, 0, VT_ERROR_CANCELLED);
  RUN_UNTIL (self->user->ended);
  g_assert_cmpint (self->user->error, ==, 0);
  g_assert_true (talker_heard (self->user, OK));
}

/* One that is idle is let go of, and nobody notices. */
static void
test_idle_and_lost (Fixture *self, gconstpointer data)
{
  fixture_use (self, row, 2);
  fixture_begin (self, GET_A);
  talker_listen (self->user, 65536);
  RUN_UNTIL (talker_heard (self->user, OK));
  reset_peer (self, 0, VT_ERROR_CANCELLED);
  RUN_UNTIL (self->n_unrouted == 1);
  talker_say (self->user, GET_A);
  RUN_UNTIL (talker_heard (self->user, OK "HTTP/1.1 204 No Content\r\n\r\n"));
  g_assert_cmpuint (self->peers->len, ==, 2);
}

static void
test_forgotten (Fixture *self, gconstpointer data)
{
  fixture_use (self, row, 1);
  fixture_begin (self, GET_A);
  talker_listen (self->user, 65536);
  RUN_UNTIL (talker_heard (self->user, OK));
  vt_http_relay_forget (self->relay, self->forwards[1]);
  g_assert_cmpuint (self->n_unrouted, ==, 0);
  vt_http_relay_forget (self->relay, self->forwards[0]);
  g_assert_cmpuint (self->n_unrouted, ==, 1);
  RUN_UNTIL (fixture_peer (self, 0)->over);
  RUN_UNTIL (self->n_finished_streams == 1);
  g_assert_nonnull (self->relay);
}

/* In the middle of an exchange, which may end as it would. */
static void
test_forgotten_later (Fixture *self, gconstpointer data)
{
  fixture_begin (self, GET_A);
  talker_listen (self->user, 65536);
  RUN_UNTIL (self->peers->len == 1 && fixture_peer (self, 0)->received->len > 0);
  vt_http_relay_forget (self->relay, self->forwards[0]);
  g_assert_cmpuint (self->n_unrouted, ==, 0);
  fixture_use (self, row, 1);
  peer_answer (fixture_peer (self, 0));
  RUN_UNTIL (talker_heard (self->user, OK));
  RUN_UNTIL (self->n_finished_streams == 1);
  g_assert_nonnull (self->relay);
}

static void
test_broken_body (Fixture *self, gconstpointer data)
{
  expect_page (self,
               "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n"
               "5\r\nhelloX",
               400);
  RUN_UNTIL (self->peers->len == 1 && fixture_peer (self, 0)->over);
}

static const Exchange cut_answer[] = {
  { 0, GET_A, "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nend" },
};

static void
test_cut_answer (Fixture *self, gconstpointer data)
{
  fixture_use (self, cut_answer, 1);
  fixture_begin (self, GET_A);
  talker_listen (self->user, 65536);
  RUN_UNTIL (self->user->ended || self->user->error != 0);
  g_assert_cmpint (self->user->error, ==, ECONNRESET);
  g_assert_null (self->relay);
}

/* Nothing is kept of what a user does not take, and of what a target does not. */
#define MUCH (48 * 1024 * 1024)

/* The answer to the first request. */
static Peer *
answer_much (Fixture *self, const char *head)
{
  Peer *peer;

  RUN_UNTIL (self->peers->len == 1);
  peer = fixture_peer (self, 0);
  g_string_append (peer->to_send, head);
  g_string_set_size (peer->to_send, strlen (head) + MUCH);
  memset (peer->to_send->str + strlen (head), 'x', MUCH);
  RUN_UNTIL (peer->received->len > 0);
  peer_write (peer);
  return peer;
}

static char *
head_of_much (void)
{
  return g_strdup_printf ("HTTP/1.1 200 OK\r\nContent-Length: %u\r\n\r\n", MUCH);
}

static void
test_slow_user (Fixture *self, gconstpointer data)
{
  g_autofree char *head = head_of_much ();
  Peer *peer;

  fixture_begin (self, GET_A);
  peer = answer_much (self, head);
  RUN_UNTIL (self->relay->blocked && peer->sent > 0);
  for (unsigned int i = 0; i < 50; i++)
    g_main_context_iteration (NULL, FALSE);
  g_assert_cmpuint (peer->sent, <, MUCH / 2);
  g_assert_true (self->relay->output == NULL || self->relay->output->len < 1024);
  talker_listen (self->user, 65536);
  RUN_UNTIL (self->user->received->len == strlen (head) + MUCH);
  RUN_UNTIL (self->relay->request_state == VT_HTTP_REQUEST_HEAD);
}

/* On the shortest path. */
#define WIDE (192 * 1024)

static gboolean
watch_window (Fixture *self, guint32 *widest)
{
  if (self->relay->mux != NULL)
    *widest = MAX (*widest, self->relay->mux->window);
  return TRUE;
}

/* What the kernel takes for a user who does not read widens no window; what the user reads does. */
static void
test_unread (Fixture *self, gconstpointer data)
{
  g_autofree char *head = head_of_much ();
  guint32 widest = 0;
  Peer *peer;

  fixture_begin (self, GET_A);
  talker_listen (self->user, 0);
  peer = answer_much (self, head);
  RUN_UNTIL (watch_window (self, &widest) && peer->mux->bytes_sent == peer->mux->send_limit
             && !g_main_context_pending (NULL));
  g_assert_cmpuint (widest, <, WIDE);
  talker_listen (self->user, 65536);
  RUN_UNTIL (watch_window (self, &widest) && self->user->received->len == strlen (head) + MUCH);
  g_assert_cmpuint (widest, >=, WIDE);
}

static void
test_slow_target (Fixture *self, gconstpointer data)
{
  g_autofree char *head =
      g_strdup_printf ("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: %u\r\n\r\n", MUCH);
  g_autofree char *body = g_malloc (MUCH);

  memset (body, 'x', MUCH);
  fixture_begin (self, head);
  RUN_UNTIL (self->peers->len == 1);
  self->tunnel->held = TRUE;
  talker_send (self->user, body, MUCH);
  RUN_UNTIL (self->relay->waiting);
  for (unsigned int i = 0; i < 50; i++)
    g_main_context_iteration (NULL, FALSE);
  g_assert_cmpuint (self->user->sent, <, MUCH / 2);
  g_assert_null (self->relay->input);
  self->tunnel->held = FALSE;
  RUN_UNTIL (fixture_peer (self, 0)->received->len == strlen (head) + MUCH);
  g_assert_true (self->relay->request_state == VT_HTTP_REQUEST_SENT);
}

/* Requests that come too early wait, and the rest of them in the socket. */
static void
test_early_requests (Fixture *self, gconstpointer data)
{
  g_autoptr(GString) many = g_string_new (NULL);

  while (many->len < 256 * 1024)
    g_string_append (many, GET_A);
  fixture_begin (self, "");
  talker_send (self->user, many->str, many->len);
  RUN_UNTIL (self->peers->len == 1 && fixture_peer (self, 0)->received->len > 0);
  for (unsigned int i = 0; i < 50; i++)
    g_main_context_iteration (NULL, FALSE);
  g_assert_cmpuint (fixture_peer (self, 0)->received->len, ==, strlen (GET_A));
  g_assert_cmpuint (self->relay->input->len, <=, VT_HTTP_RELAY_MAX_HEAD);
}

#define ADD(path, func)                                                                            \
  g_test_add ("/http-relay/" path, Fixture, NULL, fixture_set_up, func, fixture_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  ADD ("row/at-once", test_at_once);
  ADD ("row/byte-by-byte", test_byte_by_byte);
  ADD ("row/at-random", test_at_random);
  ADD ("begun", test_begun);
  ADD ("switch", test_switch);
  ADD ("pages", test_pages);
  ADD ("failed-targets", test_failed_targets);
  ADD ("reused-and-lost", test_reused_and_lost);
  ADD ("idle-and-lost", test_idle_and_lost);
  ADD ("forgotten", test_forgotten);
  ADD ("forgotten-later", test_forgotten_later);
  ADD ("broken-body", test_broken_body);
  ADD ("cut-answer", test_cut_answer);
  ADD ("slow-user", test_slow_user);
  ADD ("unread", test_unread);
  ADD ("slow-target", test_slow_target);
  ADD ("early-requests", test_early_requests);

  return g_test_run ();
}
