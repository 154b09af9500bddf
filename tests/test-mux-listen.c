/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "mux-pair.h"

#include <string.h>

#include "vt-error-private.h"
#include "vt-mux-v1-private.h"

#define SECOND ((gint64) G_USEC_PER_SEC)

static void
ask (Side *client, guint32 id, guint16 port)
{
  vt_mux_listen (client->mux, id, &(VtMuxListen){ .port = port });
}

static Side *
new_client (void)
{
  g_autoptr(VtClock) clock = vt_clock_new_fake ();
  VtMuxConfig config;

  /* Pings would be in the way. */
  vt_mux_config_init (&config, VT_MUX_CLIENT);
  config.ping_interval = 0;
  return side_new (VT_MUX_CLIENT, clock, &config);
}

static Side *
new_server (void)
{
  g_autoptr(VtClock) clock = vt_clock_new_fake ();

  return side_new (VT_MUX_SERVER, clock, NULL);
}

static void
test_answered (void)
{
  Side *client = new_client ();

  ask (client, 1, 8080);
  ask (client, 2, 8081);
  side_expect_sent (client,
                    "{\"type\":\"listen\",\"port\":8080}\n{\"type\":\"listen\",\"port\":8081}");
  side_say (client,
            "{\"type\":\"listen_err\",\"port\":8081,\"error\":\"bind: Address already in use\"}");
  side_say (client, "{\"type\":\"listen_ok\",\"port\":8080}");
  side_say (client, "{\"type\":\"listen_ok\",\"port\":8080}");
  side_expect_heard (client, "listen_failed 2 address-in-use\nlisten_ok 1 8080 confirmed");
  vt_clock_advance (client->clock, 100 * SECOND);
  side_expect_heard (client, "");
  side_expect_sent (client, "");

  /* A port that was refused can be asked for again. */
  ask (client, 3, 8081);
  side_expect_sent (client, "{\"type\":\"listen\",\"port\":8081}");
  side_free (client);
}

static void
test_grace (void)
{
  Side *client = new_client ();

  ask (client, 1, 8080);
  vt_clock_advance (client->clock, 3 * SECOND - 1);
  side_expect_heard (client, "");
  vt_clock_advance (client->clock, 1);
  side_expect_heard (client, "listen_ok 1 8080 unconfirmed");

  /* This one is slow, and not old: what it says counts. */
  side_say (client, "{\"type\":\"listen_err\",\"port\":8080,\"error\":\"no\"}");
  side_expect_heard (client, "listen_failed 1 failed");
  side_free (client);
}

/* A connection is as good as an answer. */
static void
test_grace_connect (void)
{
  Side *client = new_client ();

  ask (client, 1, 8080);
  side_say (client, "{\"type\":\"connect\",\"port\":8080,\"stream_id\":1}");
  side_expect_heard (client, "listen_ok 1 8080 unconfirmed\nstream_opened 1 on 1");
  vt_clock_advance (client->clock, 3 * SECOND);
  side_expect_heard (client, "");
  side_free (client);
}

/* Who has answered once will answer again. */
static void
test_newer_server (void)
{
  Side *client = new_client ();

  ask (client, 1, 8080);
  ask (client, 2, 8081);
  side_say (client, "{\"type\":\"listen_ok\",\"port\":8080}");
  ask (client, 3, 8082);
  side_expect_heard (client, "listen_ok 1 8080 confirmed");
  vt_clock_advance (client->clock, 30 * SECOND - 1);
  side_expect_heard (client, "");
  g_string_truncate (client->sent, 0);
  vt_clock_advance (client->clock, 1);
  side_expect_heard (client, "listen_failed 3 timed-out\nlisten_failed 2 timed-out");
  side_expect_sent (client,
                    "{\"type\":\"unlisten\",\"port\":8082}\n{\"type\":\"unlisten\",\"port\":8081}");

  /* An answer that is too late is not that to a new question. */
  ask (client, 4, 8081);
  side_say (client, "{\"type\":\"listen_err\",\"port\":8081,\"error\":\"no\"}");
  side_expect_heard (client, "");
  side_say (client, "{\"type\":\"listen_ok\",\"port\":8081}");
  side_expect_heard (client, "listen_ok 4 8081 confirmed");
  side_free (client);
}

static void
test_any_port (void)
{
  Side *client = new_client ();

  ask (client, 1, 0);
  ask (client, 2, 0);
  ask (client, 3, 0);
  ask (client, 4, 0);
  side_expect_sent (client, "{\"type\":\"listen\"}");
  side_say (client, "{\"type\":\"listen_ok\",\"port\":40001}");
  side_expect_heard (client, "listen_ok 1 40001 confirmed");
  side_expect_sent (client, "{\"type\":\"listen\"}");
  side_say (client, "{\"type\":\"listen_err\",\"error\":\"too many ports\"}");
  side_expect_heard (client, "listen_failed 2 limit");
  side_expect_sent (client, "{\"type\":\"listen\"}");
  /* A newer one of the existing programs cannot name the port. */
  side_say (client, "{\"type\":\"listen_ok\"}");
  side_expect_heard (client, "listen_failed 3 protocol");
  side_expect_sent (client, "{\"type\":\"listen\"}");
  side_say (client, "{\"type\":\"connect\",\"port\":40001,\"stream_id\":1}");
  side_expect_heard (client, "stream_opened 1 on 1");
  vt_clock_advance (client->clock, 30 * SECOND);
  side_expect_heard (client, "listen_failed 4 timed-out");
  side_expect_sent (client, "");

  /* What is answered now is nobody's. */
  side_say (client, "{\"type\":\"listen_ok\",\"port\":40002}");
  side_expect_sent (client, "{\"type\":\"unlisten\",\"port\":40002}");
  side_free (client);
}

static void
test_any_port_grace (void)
{
  Side *client = new_client ();

  ask (client, 1, 0);
  ask (client, 2, 0);
  side_expect_sent (client, "{\"type\":\"listen\"}");
  vt_clock_advance (client->clock, 3 * SECOND);
  side_expect_heard (client, "listen_failed 1 protocol");
  side_expect_sent (client, "{\"type\":\"listen\"}");
  vt_clock_advance (client->clock, 3 * SECOND);
  side_expect_heard (client, "listen_failed 2 protocol");
  side_free (client);
}

static void
test_any_port_unlisten (void)
{
  Side *client = new_client ();

  ask (client, 1, 0);
  ask (client, 2, 0);
  ask (client, 3, 0);
  vt_mux_unlisten (client->mux, 1);
  vt_mux_unlisten (client->mux, 2);
  side_expect_sent (client, "{\"type\":\"listen\"}");
  side_say (client, "{\"type\":\"listen_ok\",\"port\":40001}");
  side_expect_heard (client, "");
  side_expect_sent (client, "{\"type\":\"unlisten\",\"port\":40001}\n{\"type\":\"listen\"}");
  side_say (client, "{\"type\":\"listen_ok\",\"port\":40002}");
  side_expect_heard (client, "listen_ok 3 40002 confirmed");

  /* The last one is still in flight when the session ends. */
  ask (client, 4, 0);
  vt_mux_unlisten (client->mux, 4);
  side_free (client);
}

static void
test_refused_here (void)
{
  Side *client = new_client ();

  ask (client, 1, 8080);
  ask (client, 2, 8080);
  vt_mux_listen (client->mux, 3, &(VtMuxListen){ .address = "127.0.0.1", .port = 8081 });
  vt_mux_listen (client->mux, 8, &(VtMuxListen){ .kind = VT_CONTROL_KIND_NONE });
  ask (client, 4, 8080);
  vt_mux_unlisten (client->mux, 4);
  side_expect_heard (client, "");
  vt_clock_advance (client->clock, 1);
  side_expect_heard (client, "listen_failed 2 address-in-use\nlisten_failed 3 invalid\n"
                             "listen_failed 8 invalid");
  side_say (client, "{\"type\":\"listen_ok\",\"port\":8080}");
  ask (client, 5, 8080);
  vt_clock_advance (client->clock, 1);
  side_expect_heard (client, "listen_ok 1 8080 confirmed\nlisten_failed 5 address-in-use");
  ask (client, 6, 0);
  side_say (client, "{\"type\":\"listen_ok\",\"port\":40001}");
  ask (client, 7, 40001);
  vt_clock_advance (client->clock, 1);
  side_expect_heard (client, "listen_ok 6 40001 confirmed\nlisten_failed 7 address-in-use");
  ask (client, 8, 8080);
  side_free (client);
}

static void
test_unlisten (void)
{
  Side *client = new_client ();

  ask (client, 1, 8080);
  side_say (client, "{\"type\":\"listen_ok\",\"port\":8080}");
  side_say (client, "{\"type\":\"connect\",\"port\":8080,\"stream_id\":1}");
  g_string_truncate (client->sent, 0);
  vt_mux_unlisten (client->mux, 1);
  vt_mux_unlisten (client->mux, 1);
  side_say (client, "{\"type\":\"connect\",\"port\":8080,\"stream_id\":2}");
  side_expect_sent (client,
                    "{\"type\":\"unlisten\",\"port\":8080}\n{\"type\":\"close\",\"stream_id\":2}");
  /* What was open goes on. */
  user_write (side_get_user (client, 0), 1);
  side_expect_sent (client, "{\"type\":\"data\",\"stream_id\":1,\"data\":\"BA==\"}");
  g_string_truncate (client->heard, 0);

  /* The answer to a request that was taken back is not that to the next one. */
  ask (client, 2, 8080);
  vt_mux_unlisten (client->mux, 2);
  ask (client, 3, 0);
  ask (client, 4, 8080);
  side_say (client, "{\"type\":\"listen_ok\",\"port\":8080}");
  side_expect_heard (client, "");
  side_say (client, "{\"type\":\"listen_err\",\"port\":8080,\"error\":\"not allowed\"}");
  side_expect_heard (client, "listen_failed 4 permission-denied");
  side_free (client);
}

/* From within the handlers. */
static void
test_reentrant (void)
{
  Side *client = new_client ();

  ask (client, 1, 8080);
  client->asks_again = 10;
  ask (client, 2, 8080);
  /* Each time from a later dispatch, and not for ever in one. */
  vt_clock_advance (client->clock, 1);
  g_assert_cmpuint (client->asks_again, <, 15);
  client->asks_again = 0;
  vt_clock_advance (client->clock, 1);
  g_string_truncate (client->heard, 0);
  g_string_truncate (client->sent, 0);

  client->takes_back = TRUE;
  side_say (client, "{\"type\":\"connect\",\"port\":8080,\"stream_id\":1}");
  side_expect_heard (client, "listen_ok 1 8080 unconfirmed");
  side_expect_sent (client,
                    "{\"type\":\"unlisten\",\"port\":8080}\n{\"type\":\"close\",\"stream_id\":1}");
  side_free (client);
}

/* What is not read cannot have been answered. */
static void
test_while_paused (void)
{
  Side *client = new_client ();

  client->lazy = client->quiet = TRUE;
  ask (client, 1, 8080);
  side_say (client, "{\"type\":\"connect\",\"port\":8080,\"stream_id\":1}");
  ask (client, 2, 8081);
  side_say_data (client, 1, 1024 * 1024);
  g_assert_false (client->reading);
  g_string_truncate (client->heard, 0);
  vt_clock_advance (client->clock, 100 * SECOND);
  side_expect_heard (client, "");
  user_read_all (side_get_user (client, 0));
  vt_clock_advance (client->clock, 4 * SECOND);
  side_expect_heard (client, "listen_ok 2 8081 unconfirmed");
  side_free (client);
}

static void
test_server (void)
{
  g_autoptr(GError) error = g_error_new_literal (VT_ERROR, VT_ERROR_PERMISSION_DENIED, "No");
  Side *server = new_server ();

  side_say (server, "{\"type\":\"listen\",\"port\":8080}");
  side_say (server, "{\"type\":\"listen\",\"port\":8081}");
  side_say (server, "{\"type\":\"listen\"}");
  side_expect_heard (server, "listen_requested 1 8080\nlisten_requested 2 8081\n"
                             "listen_requested 3 0");
  side_say (server, "{\"type\":\"listen\",\"port\":8080}");
  side_expect_sent (server, "{\"type\":\"listen_err\",\"port\":8080,"
                            "\"error\":\"The port is already in use by this client\"}");
  vt_mux_listen_accept (server->mux, 3, NULL, 40001);
  vt_mux_listen_refuse (server->mux, 2, error, 0);
  vt_mux_listen_accept (server->mux, 1, NULL, 8080);
  vt_mux_listen_accept (server->mux, 1, NULL, 8080);
  vt_mux_listen_refuse (server->mux, 1, error, 0);
  vt_mux_listen_refuse (server->mux, 2, error, 0);
  side_expect_sent (server,
                    "{\"type\":\"listen_ok\",\"port\":40001}\n"
                    "{\"type\":\"listen_err\",\"port\":8081,\"error\":\"No (permission denied)\"}\n"
                    "{\"type\":\"listen_ok\",\"port\":8080}");
  side_say (server, "{\"type\":\"listen\",\"port\":40001}");
  g_assert_nonnull (strstr (server->sent->str, "listen_err"));
  g_string_truncate (server->sent, 0);

  side_open (server, 3);
  side_expect_sent (server, "{\"type\":\"connect\",\"port\":40001,\"stream_id\":1}");
  side_say (server, "{\"type\":\"unlisten\",\"port\":40001}");
  side_say (server, "{\"type\":\"unlisten\",\"port\":40001}");
  side_expect_heard (server, "unlistened 3");
  g_assert_null (vt_mux_open_stream (server->mux, 3, NULL, NULL, NULL));
  g_assert_cmpuint (vt_mux_get_n_streams (server->mux), ==, 1);

  /* Taken back before the answer, which is not sent any more. */
  side_say (server, "{\"type\":\"listen\",\"port\":8082}");
  side_say (server, "{\"type\":\"unlisten\",\"port\":8082}");
  side_expect_heard (server, "listen_requested 4 8082\nunlistened 4");
  side_expect_sent (server, "{\"type\":\"listen_err\",\"port\":8082,"
                            "\"error\":\"The port is not wanted any more\"}");
  vt_mux_listen_accept (server->mux, 4, NULL, 8082);
  vt_mux_listen_refuse (server->mux, 4, error, 0);
  side_expect_sent (server, "");
  side_free (server);
}

static void
test_server_unanswered (void)
{
  Side *server = new_server ();

  server->quiet = TRUE;
  for (unsigned int i = 0; i < 1024; i++)
    side_say (server, "{\"type\":\"listen\",\"port\":%u}", i % 2 == 0 ? 0 : 2000 + i);
  g_assert_cmpuint (server->last_listen, ==, 1024);
  side_expect_sent (server, "");
  side_say (server, "{\"type\":\"listen\",\"port\":80}");
  g_assert_cmpuint (server->last_listen, ==, 1024);
  g_assert_nonnull (strstr (server->sent->str, "Too many"));
  vt_mux_listen_accept (server->mux, 1, NULL, 40000);
  side_say (server, "{\"type\":\"listen\",\"port\":80}");
  g_assert_cmpuint (server->last_listen, ==, 1025);
  side_free (server);
}

static void
test_ping (void)
{
  Side *server = new_server ();

  side_say (server, "{\"type\":\"ping\"}");
  side_expect_sent (server, "{\"type\":\"pong\"}");
  side_free (server);
}

/* A client and a server of ours agree on the code, whatever the words. */
static void
test_phrases (void)
{
  static const struct {
    int code;
    const char *message;
    const char *text;
    int understood;
  } cases[] = {
    { VT_ERROR_ADDRESS_IN_USE, "x", "x (address already in use)", VT_ERROR_ADDRESS_IN_USE },
    { VT_ERROR_ADDRESS_IN_USE, "Address Already In Use!", "Address Already In Use!",
      VT_ERROR_ADDRESS_IN_USE },
    { VT_ERROR_ADDRESS_IN_USE, "Port 80 on ::1 is already in use",
      "Port 80 on ::1 is already in use", VT_ERROR_ADDRESS_IN_USE },
    { VT_ERROR_ADDRESS_IN_USE, "Port belegt", "Port belegt (address already in use)",
      VT_ERROR_ADDRESS_IN_USE },
    { VT_ERROR_PERMISSION_DENIED, "limit", "limit (permission denied)",
      VT_ERROR_PERMISSION_DENIED },
    { VT_ERROR_PERMISSION_DENIED, "is not allowed", "is not allowed", VT_ERROR_PERMISSION_DENIED },
    { VT_ERROR_LIMIT, "permission denied", "permission denied (too many)", VT_ERROR_LIMIT },
    { VT_ERROR_LIMIT, "the Limit is 5", "the Limit is 5", VT_ERROR_LIMIT },
    { VT_ERROR_FAILED, "x", "x", VT_ERROR_FAILED },
    { VT_ERROR_TIMED_OUT, "x", "x", VT_ERROR_FAILED },
  };

  for (unsigned int i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr(GError) error = g_error_new_literal (VT_ERROR, cases[i].code, cases[i].message);
      g_autofree char *text = vt_mux_v1_error_to_text (error);

      g_assert_cmpstr (text, ==, cases[i].text);
      g_assert_cmpint (vt_mux_v1_error_code (text), ==, cases[i].understood);
    }
  g_assert_cmpint (vt_mux_v1_error_code ("listen tcp :80: bind: address already in use"), ==,
                   VT_ERROR_ADDRESS_IN_USE);
  g_assert_cmpint (vt_mux_v1_error_code ("listen tcp :80: bind: permission denied"), ==,
                   VT_ERROR_PERMISSION_DENIED);
}

static void
test_together (void)
{
  g_autoptr(GError) error = g_error_new_literal (VT_ERROR, VT_ERROR_LIMIT, "Enough");
  Side *client, *server;

  pair_new (&client, &server);
  ask (client, 2, 0);
  ask (client, 3, 8081);
  ask (client, 4, 0);
  pair_settle (client, server);
  side_expect_heard (server, "listen_requested 2 0\nlisten_requested 3 8081");
  vt_mux_listen_refuse (server->mux, 3, error, 0);
  vt_mux_listen_accept (server->mux, 2, NULL, 40001);
  pair_settle (client, server);
  side_expect_heard (client, "listen_failed 3 limit\nlisten_ok 2 40001 confirmed");
  side_expect_heard (server, "listen_requested 4 0");
  vt_mux_unlisten (client->mux, 2);
  vt_mux_unlisten (client->mux, 4);
  pair_settle (client, server);
  side_expect_heard (server, "unlistened 2");
  vt_mux_listen_accept (server->mux, 4, NULL, 40002);
  pair_settle (client, server);
  side_expect_heard (server, "unlistened 4");
  side_expect_heard (client, "");
  pair_free (client, server);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/mux/listen/answered", test_answered);
  g_test_add_func ("/mux/listen/grace", test_grace);
  g_test_add_func ("/mux/listen/grace-connect", test_grace_connect);
  g_test_add_func ("/mux/listen/newer-server", test_newer_server);
  g_test_add_func ("/mux/listen/any-port", test_any_port);
  g_test_add_func ("/mux/listen/any-port-grace", test_any_port_grace);
  g_test_add_func ("/mux/listen/any-port-unlisten", test_any_port_unlisten);
  g_test_add_func ("/mux/listen/refused-here", test_refused_here);
  g_test_add_func ("/mux/listen/unlisten", test_unlisten);
  g_test_add_func ("/mux/listen/reentrant", test_reentrant);
  g_test_add_func ("/mux/listen/while-paused", test_while_paused);
  g_test_add_func ("/mux/listen/server", test_server);
  g_test_add_func ("/mux/listen/server-unanswered", test_server_unanswered);
  g_test_add_func ("/mux/listen/ping", test_ping);
  g_test_add_func ("/mux/listen/phrases", test_phrases);
  g_test_add_func ("/mux/listen/together", test_together);
  return g_test_run ();
}
