/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "reconnect-fixture.h"
#include "vt-client-struct-private.h"

#define CONNECT_1 "{\"type\":\"connect\",\"port\":9000,\"stream_id\":1}"
#define DATA_1 "{\"type\":\"data\",\"stream_id\":1,\"data\":\"YWJj\"}"
#define LISTEN "{\"type\":\"listen\",\"port\":9000}"
#define GRANTED "{\"type\":\"listen_ok\",\"port\":9000}"

static void
expect_state (ReconnectFixture *self, VtClientState state)
{
  g_assert_cmpint (vt_client_get_state (self->base.client), ==, state);
}

static void
wait_state (ReconnectFixture *self, VtClientState state)
{
  RAW_WAIT (vt_client_get_state (self->base.client) == state);
}

static void
expect_error (ReconnectFixture *self, int code)
{
  g_assert_error (vt_client_get_error (self->base.client), VT_ERROR, code);
}

static void
begin_stream (ReconnectFixture *self)
{
  reconnect_begin_v1 (self);
  raw_link_send_text (self->base.link, CONNECT_1);
  raw_link_send_text (self->base.link, DATA_1);
  raw_link_expect_text (self->base.link, DATA_1);
}

/* In v1 the streams end, and everything is asked for again. */
static void
come_back (ReconnectFixture *self)
{
  reconnect_accept (self, NULL);
  wait_state (self, VT_CLIENT_STATE_OPEN);
  g_assert_no_error (vt_client_get_error (self->base.client));
  raw_link_expect_text (self->base.link, LISTEN);
  raw_link_send_text (self->base.link, GRANTED);
  RAW_WAIT (vt_forward_get_state (self->base.forward) == VT_FORWARD_STATE_LISTENING);
}

static void
test_v1 (ReconnectFixture *self, const void *data)
{
  begin_stream (self);
  reconnect_cut (self);
  expect_state (self, VT_CLIENT_STATE_RECONNECTING);
  expect_error (self, VT_ERROR_FAILED);
  g_assert_cmpuint (vt_client_get_protocol (self->base.client), ==, 0);
  g_assert_cmpint (vt_forward_get_state (self->base.forward), ==, VT_FORWARD_STATE_PENDING);
  g_assert_cmpuint (vt_forward_get_bound_port (self->base.forward), ==, 0);
  g_assert_cmpstr (self->base.streams->str, ==, "+-");
  g_assert_error (self->base.stream_error, VT_ERROR, VT_ERROR_FAILED);
  come_back (self);
  g_assert_cmpuint (vt_client_get_n_resumed (self->base.client), ==, 0);
  g_assert_cmpstr (self->base.states->str, ==, "1232");

  raw_link_send_text (self->base.link, CONNECT_1);
  raw_link_send_text (self->base.link, DATA_1);
  raw_link_expect_text (self->base.link, DATA_1);
  client_fixture_close (&self->base);
}

static void
test_v1_final (ReconnectFixture *self, const void *data)
{
  reconnect_begin_v1 (self);
  reconnect_say_goodbye (self, GPOINTER_TO_UINT (data));
  wait_state (self, VT_CLIENT_STATE_CLOSED);
  g_assert_no_error (vt_client_get_error (self->base.client));
  g_assert_cmpstr (self->base.states->str, ==, "120");
}

static void
test_v1_passing (ReconnectFixture *self, const void *data)
{
  static const struct {
    unsigned int code;
    int error;
  } codes[] = {
    { 1001, VT_ERROR_SHUTTING_DOWN }, { 1002, VT_ERROR_PROTOCOL }, { 1008, VT_ERROR_LIMIT },
    { 1009, VT_ERROR_LIMIT },         { 1011, VT_ERROR_FAILED },   { 1013, VT_ERROR_FAILED },
  };

  reconnect_begin_v1 (self);
  for (size_t i = 0; i < G_N_ELEMENTS (codes); i++)
    {
      reconnect_say_goodbye (self, codes[i].code);
      wait_state (self, VT_CLIENT_STATE_RECONNECTING);
      expect_error (self, codes[i].error);
      come_back (self);
    }
}

static void
test_hopeless (ReconnectFixture *self, const void *data)
{
  static const struct {
    const char *status;
    int error;
  } statuses[] = {
    { "401 Unauthorized", VT_ERROR_NOT_AUTHORISED },
    { "403 Forbidden", VT_ERROR_NOT_AUTHORISED },
    { "407 Proxy Authentication Required", VT_ERROR_NOT_AUTHORISED },
  };

  for (size_t i = 0; i < G_N_ELEMENTS (statuses); i++)
    {
      reconnect_begin_v1 (self);
      reconnect_cut (self);
      reconnect_refuse (self, statuses[i].status, "");
      wait_state (self, VT_CLIENT_STATE_CLOSED);
      expect_error (self, statuses[i].error);
      g_assert_error (vt_forward_get_error (self->base.forward), VT_ERROR, statuses[i].error);
      g_assert_cmpint (vt_client_get_next_retry (self->base.client), ==, 0);
    }
}

/* What is in the way passes: also a page of somebody else's where the tunnel was. */
static void
test_passing (ReconnectFixture *self, const void *data)
{
  static const struct {
    const char *status;
    const char *fields;
    int error;
  } answers[] = {
    { "500 Internal Server Error", "", VT_ERROR_FAILED },
    { "502 Bad Gateway", "", VT_ERROR_FAILED },
    { "503 Service Unavailable", "", VT_ERROR_FAILED },
    { "504 Gateway Timeout", "", VT_ERROR_FAILED },
    { "429 Too Many Requests", "", VT_ERROR_FAILED },
    { "200 OK", "", VT_ERROR_NOT_A_TUNNEL },
    { "302 Found", "Location: http://127.0.0.1:1/login\r\n", VT_ERROR_NOT_A_TUNNEL },
    { "404 Not Found", "", VT_ERROR_NOT_A_TUNNEL },
    { "511 Network Authentication Required", "", VT_ERROR_FAILED },
  };

  reconnect_begin_v1 (self);
  reconnect_cut (self);
  for (size_t i = 0; i < G_N_ELEMENTS (answers); i++)
    {
      reconnect_refuse (self, answers[i].status, answers[i].fields);
      RAW_WAIT (
          g_error_matches (vt_client_get_error (self->base.client), VT_ERROR, answers[i].error));
      expect_state (self, VT_CLIENT_STATE_RECONNECTING);
    }
  reconnect_drop_link (self);
  self->base.link = raw_server_wait_link (self->base.server);
  raw_link_reset (self->base.link);
  come_back (self);
  g_assert_cmpstr (self->base.states->str, ==, "1232");
}

/* The secret is no longer a good one. */
static void
test_bad_token (ReconnectFixture *self, const void *data)
{
  reconnect_begin_v1 (self);
  vt_client_set_token (self->base.client, "two words");
  reconnect_cut (self);
  wait_state (self, VT_CLIENT_STATE_CLOSED);
  expect_error (self, VT_ERROR_INVALID_ARGUMENT);
}

static void
test_close_waiting (ReconnectFixture *self, const void *data)
{
  reconnect_begin_v1 (self);
  g_object_set (self->base.client, "reconnect-min", 100.0, "reconnect-max", 100.0, NULL);
  reconnect_cut (self);
  g_assert_cmpint (vt_client_get_next_retry (self->base.client), >, 0);
  vt_client_close_async (self->base.client, NULL, close_cb, &self->base.close);
  expect_state (self, VT_CLIENT_STATE_CLOSED);
  RAW_WAIT (self->base.close.done);
  g_assert_no_error (vt_client_get_error (self->base.client));
  g_assert_cmpint (vt_client_get_next_retry (self->base.client), ==, 0);
  g_assert_cmpint (vt_forward_get_state (self->base.forward), ==, VT_FORWARD_STATE_IDLE);
}

static void
begin_attempt (ReconnectFixture *self)
{
  reconnect_begin_v1 (self);
  reconnect_cut (self);
  reconnect_drop_link (self);
  self->base.link = raw_server_wait_link (self->base.server);
}

static void
test_close_attempt (ReconnectFixture *self, const void *data)
{
  begin_attempt (self);
  vt_client_close_async (self->base.client, NULL, close_cb, &self->base.close);
  expect_state (self, VT_CLIENT_STATE_CLOSED);
  RAW_WAIT (self->base.close.done && raw_link_is_ended (self->base.link));

  reconnect_drop_link (self);
  reconnect_begin_v1 (self);
}

/* Reconnecting keeps no client alive. */
static void
test_drop (ReconnectFixture *self, const void *data)
{
  begin_attempt (self);
  g_object_add_weak_pointer (G_OBJECT (self->base.client), (void **) &self->base.client);
  g_object_unref (self->base.client);
  g_assert_null (self->base.client);
  RAW_WAIT (raw_link_is_ended (self->base.link));
}

static void
test_no_longer (ReconnectFixture *self, const void *data)
{
  begin_attempt (self);
  vt_client_set_reconnect (self->base.client, FALSE);
  expect_state (self, VT_CLIENT_STATE_CLOSED);
  expect_error (self, VT_ERROR_FAILED);
  g_assert_error (vt_forward_get_error (self->base.forward), VT_ERROR, VT_ERROR_FAILED);
  RAW_WAIT (raw_link_is_ended (self->base.link));
}

static void
test_open_again (ReconnectFixture *self, const void *data)
{
  begin_attempt (self);
  outcome_clear (&self->base.open);
  vt_client_open_async (self->base.client, NULL, open_cb, &self->base.open);
  RAW_WAIT (self->base.open.done);
  g_assert_error (self->base.open.error, G_IO_ERROR, G_IO_ERROR_PENDING);
}

static void
begin_retry_first (ReconnectFixture *self, GCancellable *cancellable)
{
  vt_client_set_retry_first (self->base.client, TRUE);
  vt_client_listen_async (self->base.client, self->base.forward, NULL, listen_cb,
                          &self->base.listen);
  vt_client_open_async (self->base.client, cancellable, open_cb, &self->base.open);
  reconnect_refuse (self, "503 Service Unavailable", "");
  RAW_WAIT (vt_client_get_error (self->base.client) != NULL);
  expect_state (self, VT_CLIENT_STATE_CONNECTING);
  expect_error (self, VT_ERROR_FAILED);
  g_assert_false (self->base.open.done);
}

/* Reconnecting is for who was connected. */
static void
test_first_fails (ReconnectFixture *self, const void *data)
{
  vt_client_open_async (self->base.client, NULL, open_cb, &self->base.open);
  reconnect_refuse (self, "503 Service Unavailable", "");
  RAW_WAIT (self->base.open.done);
  g_assert_error (self->base.open.error, VT_ERROR, VT_ERROR_FAILED);
  expect_state (self, VT_CLIENT_STATE_CLOSED);
}

/* The first attempt is one of many. */
static void
test_retry_first (ReconnectFixture *self, const void *data)
{
  begin_retry_first (self, NULL);
  reconnect_refuse (self, "502 Bad Gateway", "");
  come_back (self);
  RAW_WAIT (self->base.open.done && self->base.listen.done);
  g_assert_no_error (self->base.open.error);
  g_assert_no_error (self->base.listen.error);
  g_assert_cmpstr (self->base.states->str, ==, "12");
}

/* Where there never was a tunnel, none is waited for. */
static void
test_retry_first_hopeless (ReconnectFixture *self, const void *data)
{
  static const struct {
    const char *status;
    int error;
  } answers[] = {
    { "401 Unauthorized", VT_ERROR_NOT_AUTHORISED },
    { "404 Not Found", VT_ERROR_NOT_A_TUNNEL },
  };

  for (size_t i = 0; i < G_N_ELEMENTS (answers); i++)
    {
      outcome_clear (&self->base.open);
      outcome_clear (&self->base.listen);
      begin_retry_first (self, NULL);
      reconnect_refuse (self, answers[i].status, "");
      RAW_WAIT (self->base.open.done && self->base.listen.done);
      g_assert_error (self->base.open.error, VT_ERROR, answers[i].error);
      g_assert_error (self->base.listen.error, VT_ERROR, answers[i].error);
      expect_state (self, VT_CLIENT_STATE_CLOSED);
    }
}

static void
test_retry_first_cancel (ReconnectFixture *self, const void *data)
{
  g_autoptr(GCancellable) cancellable = g_cancellable_new ();

  begin_retry_first (self, cancellable);
  g_cancellable_cancel (cancellable);
  RAW_WAIT (self->base.open.done);
  g_assert_error (self->base.open.error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  expect_state (self, VT_CLIENT_STATE_CLOSED);
  g_assert_cmpint (vt_client_get_next_retry (self->base.client), ==, 0);
}

static void
test_retry_first_close (ReconnectFixture *self, const void *data)
{
  g_object_set (self->base.client, "reconnect-min", 100.0, "reconnect-max", 100.0, NULL);
  begin_retry_first (self, NULL);
  g_assert_cmpint (vt_client_get_next_retry (self->base.client), >, 0);
  vt_client_close_async (self->base.client, NULL, close_cb, &self->base.close);
  RAW_WAIT (self->base.open.done && self->base.close.done);
  g_assert_error (self->base.open.error, VT_ERROR, VT_ERROR_CANCELLED);
}

static void
test_properties (ReconnectFixture *self, const void *data)
{
  g_autoptr(VtClient) client = vt_client_new ("ws://127.0.0.1/");
  unsigned int n_notified = 0;

  g_assert_true (vt_client_get_reconnect (client));
  g_assert_false (vt_client_get_retry_first (client));
  g_assert_cmpfloat (vt_client_get_reconnect_min (client), ==, 1.0);
  g_assert_cmpfloat (vt_client_get_reconnect_max (client), ==, 30.0);
  g_signal_connect_swapped (client, "notify", G_CALLBACK (g_atomic_int_inc), &n_notified);
  for (int i = 0; i < 2; i++)
    {
      g_object_set (client, "reconnect", FALSE, "reconnect-min", 0.001, "reconnect-max", 86400.0,
                    "retry-first", TRUE, NULL);
      g_assert_cmpuint (n_notified, ==, 4);
    }
  g_assert_false (vt_client_get_reconnect (client));
  g_assert_true (vt_client_get_retry_first (client));
  g_assert_cmpfloat (vt_client_get_reconnect_min (client), ==, 0.001);
  g_assert_cmpfloat (vt_client_get_reconnect_max (client), ==, 86400.0);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  ADD_RECONNECT_TEST ("/client/reconnect/v1/comes-back", test_v1);
  ADD_RECONNECT_TEST ("/client/reconnect/v1/no-code", test_v1_final);
  g_test_add ("/client/reconnect/v1/done", ReconnectFixture, GUINT_TO_POINTER (1000),
              reconnect_set_up, test_v1_final, reconnect_tear_down);
  ADD_RECONNECT_TEST ("/client/reconnect/v1/passing", test_v1_passing);
  ADD_RECONNECT_TEST ("/client/reconnect/attempt/hopeless", test_hopeless);
  ADD_RECONNECT_TEST ("/client/reconnect/attempt/passing", test_passing);
  ADD_RECONNECT_TEST ("/client/reconnect/attempt/bad-token", test_bad_token);
  ADD_RECONNECT_TEST ("/client/reconnect/close/waiting", test_close_waiting);
  ADD_RECONNECT_TEST ("/client/reconnect/close/attempt", test_close_attempt);
  ADD_RECONNECT_TEST ("/client/reconnect/drop", test_drop);
  ADD_RECONNECT_TEST ("/client/reconnect/no-longer", test_no_longer);
  ADD_RECONNECT_TEST ("/client/reconnect/open-again", test_open_again);
  ADD_RECONNECT_TEST ("/client/retry-first/not-asked-for", test_first_fails);
  ADD_RECONNECT_TEST ("/client/retry-first/succeeds", test_retry_first);
  ADD_RECONNECT_TEST ("/client/retry-first/hopeless", test_retry_first_hopeless);
  ADD_RECONNECT_TEST ("/client/retry-first/cancel", test_retry_first_cancel);
  ADD_RECONNECT_TEST ("/client/retry-first/close", test_retry_first_close);
  ADD_RECONNECT_TEST ("/client/reconnect/properties", test_properties);
  return g_test_run ();
}
