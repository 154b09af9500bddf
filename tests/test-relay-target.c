/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-relay-private.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "loopback.h"
#include "relay-fixture.h"
#include "vt-error-private.h"

static const GError *
first_end (GPtrArray *ends)
{
  return g_ptr_array_index (ends, 0);
}

static void
expect_end (RelayFixture *self, int code)
{
  RUN_UNTIL (self->target_ends->len == 1);
  g_assert_error (first_end (self->target_ends), VT_ERROR, code);
}

/* Whatever the reason, the user's connection breaks, and is not left open and silent. */
static void
test_refused (RelayFixture *self, gconstpointer data)
{
  Talker *user;

  close (self->target_listener);
  self->target_listener = -1;
  user = relay_fixture_connect (self);
  RUN_UNTIL (user->error == ECONNRESET);
  expect_end (self, VT_ERROR_TARGET_REFUSED);
}

static void
test_unreachable (RelayFixture *self, gconstpointer data)
{
  Talker *user = relay_fixture_connect (self);

  RUN_UNTIL (user->error == ECONNRESET);
  expect_end (self, VT_ERROR_TARGET_UNREACHABLE);
}

static void
test_unix (RelayFixture *self, gconstpointer data)
{
  g_autofree char *directory = g_dir_make_tmp ("vt-relay-XXXXXX", NULL);
  g_autofree char *text = NULL;
  Talker *user;

  self->target_path = g_build_filename (directory, "socket", NULL);
  text = g_strconcat ("unix:", self->target_path, NULL);
  close (self->target_listener);
  self->target_listener = loopback_listen_unix (self->target_path);
  self->target_echoes = TRUE;
  relay_fixture_aim (self, text);
  user = relay_fixture_connect (self);
  talker_say (user, "hello");
  RUN_RELAYS_UNTIL (self, talker_heard (user, "hello"));
  talker_end (user);
  RUN_UNTIL (self->target_ends->len == 1);
  g_unlink (self->target_path);
  g_rmdir (directory);
}

/* The session's messages stand still until the user has gone. */
static void
leave_early (RelayFixture *self, const char *text)
{
  Talker *user;

  self->tunnel->held = TRUE;
  user = relay_fixture_connect (self);
  talker_say (user, text);
  talker_end (user);
  RUN_UNTIL (self->user_ends->len == 1);
  self->tunnel->held = FALSE;
}

/* Nobody is there to be connected to anything: the dial is given up. It cannot end by itself
 * before, since the target's queue is full and the kernel answers nobody. */
static void
test_left_early (RelayFixture *self, gconstpointer data)
{
  int waiting[4];

  leave_early (self, "");
  g_assert_cmpint (listen (self->target_listener, 0), ==, 0);
  for (unsigned int i = 0; i < G_N_ELEMENTS (waiting); i++)
    waiting[i] = loopback_connect (self->target_port);
  RUN_UNTIL (self->target_ends->len == 1);
  g_assert_no_error (first_end (self->target_ends));
  for (unsigned int i = 0; i < G_N_ELEMENTS (waiting); i++)
    close (waiting[i]);
}

/* What was said before leaving is delivered all the same. */
static void
test_left_a_message (RelayFixture *self, gconstpointer data)
{
  Talker *target;

  leave_early (self, "fire and forget");
  target = relay_fixture_target (self, 0);
  RUN_UNTIL (target->ended);
  g_assert_cmpint (target->error, ==, 0);
  g_assert_true (talker_heard (target, "fire and forget"));
  RUN_UNTIL (self->target_ends->len == 1);
  g_assert_no_error (first_end (self->target_ends));
}

static void
test_freed_while_dialling (RelayFixture *self, gconstpointer data)
{
  g_autoptr(GError) error = g_error_new_literal (VT_ERROR, VT_ERROR_SHUTTING_DOWN, "over");
  Talker *user = relay_fixture_connect (self);

  RUN_RELAYS_UNTIL (self, self->target_relays->len == 1);
  vt_relay_free (g_ptr_array_steal_index (self->target_relays, 0), error);
  RUN_UNTIL (user->error == ECONNRESET);
  g_assert_cmpuint (self->target_ends->len, ==, 0);
}

static void
test_proxy_header (RelayFixture *self, gconstpointer data)
{
  Talker *user;
  Talker *target;

  vt_forward_set_proxy_protocol (self->forward, 1);
  user = relay_fixture_connect (self);
  talker_say (user, "hello");
  target = relay_fixture_target (self, 0);
  RUN_UNTIL (talker_heard (target, "PROXY UNKNOWN\r\nhello"));
}

static void
test_host_header (RelayFixture *self, gconstpointer data)
{
  Talker *user;
  Talker *target;

  vt_forward_set_host_header (self->forward, "inside.example");
  user = relay_fixture_connect (self);
  target = relay_fixture_target (self, 0);
  talker_say (user, "GET / HTTP/1.1\r\nHo");
  talker_say (user, "st: outside.example\r\nContent-Length: 5\r\n\r\nHost:");
  talker_say (user, "GET /2 HTTP/1.1\r\nHost: outside.example\r\n\r\n");
  RUN_UNTIL (talker_heard (
      target, "GET / HTTP/1.1\r\nHost: inside.example\r\nContent-Length: 5\r\n\r\nHost:"
              "GET /2 HTTP/1.1\r\nHost: inside.example\r\n\r\n"));
}

/* An unfinished head that the rewriter held back is not lost at the end. */
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
}

int
main (int argc, char **argv)
{
  g_autoptr(VtPoller) poller = NULL;

  g_test_init (&argc, &argv, NULL);
  poller = loopback_warm_up ();
#define ADD(path, data, func)                                                                      \
  g_test_add ("/relay/target/" path, RelayFixture, data, relay_fixture_set_up, func,               \
              relay_fixture_tear_down)
  ADD ("refused", NULL, test_refused);
  ADD ("unreachable", "unix:/nonexistent/vt-relay", test_unreachable);
  ADD ("unix", NULL, test_unix);
  ADD ("left/early", NULL, test_left_early);
  ADD ("left/a-message", NULL, test_left_a_message);
  ADD ("freed-while-dialling", NULL, test_freed_while_dialling);
  ADD ("proxy-header", NULL, test_proxy_header);
  ADD ("host-header", NULL, test_host_header);
  ADD ("host-header/tail", NULL, test_host_header_tail);
#undef ADD
  return g_test_run ();
}
