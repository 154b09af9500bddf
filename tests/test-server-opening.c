/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "opened-streams.h"
#include "time-skip.h"
#include "vt-error.h"

/* What becomes of those who wait for a client that takes streams and never answers. */

/* The server is not to miss the client first: nobody is pinged. */
static void
set_up (ServerFixture *self, const void *data)
{
  server_fixture_set_up (self, data);
  vt_server_set_ping_interval (self->server, 0);
}

/* The server looks three times in 45 s. */
static void
pass_time (void)
{
  for (unsigned int i = 0; i < 3; i++)
    {
      time_skip (15 * G_TIME_SPAN_SECOND);
      raw_settle ();
    }
}

static void
test_user (ServerFixture *self, const void *data)
{
  g_autoptr(V2Peer) client = v2_peer_enter (self->port);
  g_autoptr(RawPeer) user = NULL;

  server_fixture_expect (self, "+session ");
  user = raw_peer_new (v2_peer_listen (client, 1, 0));
  server_fixture_expect (self, "+stream1 ");
  pass_time ();
  expect_frame (client, V2_RESET);
  raw_peer_wait_end (user);
  g_assert_true (user->reset);
  server_fixture_expect (self, "-stream1! ");
}

static void
test_user_by_name (ServerFixture *self, const void *data)
{
  g_autoptr(V2Peer) client = v2_peer_enter (self->port);
  g_autoptr(RawPeer) user = NULL;
  g_autoptr(GError) error = NULL;
  g_autofree guint16 *ports = NULL;
  g_autofree char *answer = NULL;

  server_fixture_expect (self, "+session ");
  vt_server_listen_http (self->server, NULL, 0, &error);
  g_assert_no_error (error);
  ports = vt_server_get_http_ports (self->server, NULL);
  v2_peer_send_text (client,
                     "{\"type\":\"listen\",\"id\":1,\"kind\":\"http\",\"names\":[\"a.example\"]}");
  answer = v2_peer_wait_text (client, "{\"type\":\"listen_ok\"");
  user = raw_peer_new (ports[0]);
  raw_peer_send_text (user, "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n");
  server_fixture_expect (self, "+stream1 ");
  pass_time ();
  expect_frame (client, V2_RESET);
  g_assert_true (g_str_has_prefix (raw_peer_wait_end (user), "HTTP/1.1 504 Gateway Timeout\r\n"));
  server_fixture_expect (self, "-stream1! ");
}

static void
test_application (ServerFixture *self, const void *data)
{
  g_autoptr(V2Peer) client = enter (self);
  Opening opening = { 0 };

  begin (self, client, NULL, &opening);
  pass_time ();
  expect_frame (client, V2_RESET);
  expect_failed (&opening, VT_ERROR, VT_ERROR_TIMED_OUT);
  server_fixture_expect (self, "-stream1! ");
}

#define ADD(path, func)                                                                            \
  g_test_add (path, ServerFixture, NULL, set_up, func, server_fixture_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("/server/opening/user", test_user);
  ADD ("/server/opening/user-by-name", test_user_by_name);
  ADD ("/server/opening/application", test_application);
  return g_test_run ();
}
