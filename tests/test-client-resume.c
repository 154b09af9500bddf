/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "reconnect-fixture.h"
#include "time-skip.h"

#include <string.h>

static VtClient *
get_client (ReconnectFixture *self)
{
  return self->base.client;
}

static void
expect_state (ReconnectFixture *self, VtClientState state)
{
  g_assert_cmpint (vt_client_get_state (get_client (self)), ==, state);
}

static unsigned int
count (GListModel *model)
{
  return g_list_model_get_n_items (model);
}

/* A session of which the target has sent back one word. */
static void
begin (ReconnectFixture *self)
{
  reconnect_begin_v2 (self, 60);
  reconnect_open_stream (self, 1, 1);
  reconnect_send_data (self, 1, "one");
  reconnect_expect_data (self, 1, "one");
}

static void
test_keeps (ReconnectFixture *self, const void *data)
{
  begin (self);
  reconnect_cut (self);
  expect_state (self, VT_CLIENT_STATE_RECONNECTING);
  g_assert_error (vt_client_get_error (get_client (self)), VT_ERROR, VT_ERROR_FAILED);
  g_assert_cmpuint (vt_client_get_protocol (get_client (self)), ==, 2);
  g_assert_cmpint (vt_client_get_last_seen (get_client (self)), >, 0);
  g_assert_cmpint (vt_forward_get_state (self->base.forward), ==, VT_FORWARD_STATE_LISTENING);
  g_assert_cmpuint (count (vt_client_get_streams (get_client (self))), ==, 1);
  reconnect_resume (self);
  g_assert_no_error (vt_client_get_error (get_client (self)));
  g_assert_cmpint (vt_client_get_next_retry (get_client (self)), ==, 0);
  reconnect_send_data (self, 1, "two");
  reconnect_expect_data (self, 1, "two");
  g_assert_cmpstr (self->base.states->str, ==, "1232");
  g_assert_cmpstr (self->base.streams->str, ==, "+");
}

/* What was on its way when the link broke is sent again. */
static void
test_tail (ReconnectFixture *self, const void *data)
{
  begin (self);
  reconnect_send_data (self, 1, "two");
  reconnect_cut (self);
  reconnect_resume (self);
  reconnect_expect_data (self, 1, "two");
}

/* The link breaks at each stage of coming back; each attempt is counted. */
static void
test_breaks (ReconnectFixture *self, const void *data)
{
  g_autofree char *hello = NULL;
  g_autofree char *again = NULL;

  begin (self);
  reconnect_send_data (self, 1, "two");
  reconnect_cut (self);
  reconnect_drop_link (self);

  self->base.link = raw_server_wait_link (self->base.server);
  g_free (raw_link_read_head (self->base.link));
  raw_link_reset (self->base.link);

  hello = reconnect_accept_hello (self);
  g_assert_nonnull (strstr (hello, "\"attempt\":2"));
  raw_link_reset (self->base.link);
  expect_state (self, VT_CLIENT_STATE_RECONNECTING);

  reconnect_resume (self);
  reconnect_cut (self);
  again = reconnect_accept_hello (self);
  g_assert_nonnull (strstr (again, "\"attempt\":4"));
  reconnect_welcome (self, TRUE, self->received, 60);
  raw_link_reset (self->base.link);
  RAW_WAIT (vt_client_get_state (get_client (self)) == VT_CLIENT_STATE_RECONNECTING);

  reconnect_resume (self);
  reconnect_expect_data (self, 1, "two");
  g_assert_cmpstr (self->base.streams->str, ==, "+");
}

/* A new session takes the place of the lost one, and everything is asked for again. */
static void
finish_fresh (ReconnectFixture *self)
{
  RAW_WAIT (vt_client_get_state (get_client (self)) == VT_CLIENT_STATE_OPEN);
  g_assert_cmpuint (vt_client_get_n_resumed (get_client (self)), ==, 0);
  g_assert_cmpint (vt_forward_get_state (self->base.forward), ==, VT_FORWARD_STATE_PENDING);
  g_assert_cmpuint (vt_forward_get_bound_port (self->base.forward), ==, 0);
  reconnect_expect_start (self, "{\"type\":\"listen\",\"id\":1,\"port\":9000");
  raw_link_send_text (self->base.link, "{\"type\":\"listen_ok\",\"id\":1,\"port\":9000}");
  RAW_WAIT (vt_forward_get_state (self->base.forward) == VT_FORWARD_STATE_LISTENING);
  RAW_WAIT (self->base.streams->len == 2);
  g_assert_cmpstr (self->base.streams->str, ==, "+-");
  /* A stream is over before the next session is there. */
  g_assert_cmpint (self->base.told->str[self->base.told->len - 1], ==, '2');
}

static void
expect_fresh (ReconnectFixture *self)
{
  g_autofree char *hello = reconnect_accept_hello (self);

  g_assert_null (strstr (hello, "\"session\""));
  reconnect_welcome (self, FALSE, 0, 60);
  finish_fresh (self);
}

static void
test_not_resumed (ReconnectFixture *self, const void *data)
{
  begin (self);
  reconnect_cut (self);
  g_free (reconnect_accept_hello (self));
  reconnect_welcome (self, FALSE, 0, 60);
  finish_fresh (self);
  g_assert_error (self->base.stream_error, VT_ERROR, VT_ERROR_NOT_RESUMED);
  g_assert_cmpstr (self->base.states->str, ==, "1232");

  /* The new session is one like any other. */
  self->received = self->sent = 0;
  reconnect_cut (self);
  expect_state (self, VT_CLIENT_STATE_RECONNECTING);
  g_assert_cmpuint (vt_client_get_protocol (get_client (self)), ==, 2);
}

static void
give_up_cb (VtClient *client, VtStream *stream, const GError *error, gpointer user_data)
{
  ReconnectFixture *self = user_data;

  vt_client_close_async (client, NULL, close_cb, &self->base.close);
}

/* Who is told that a stream did not come back does not want the client any more: nobody hears that
 * it is open. The server is told. */
static void
test_not_resumed_and_closed (ReconnectFixture *self, const void *data)
{
  begin (self);
  g_signal_connect (get_client (self), "stream-closed", G_CALLBACK (give_up_cb), self);
  reconnect_cut (self);
  g_free (reconnect_accept_hello (self));
  reconnect_welcome (self, FALSE, 0, 60);
  g_assert_cmpuint (raw_link_read_close (self->base.link), ==, 1000);
  reconnect_drop_link (self);
  RAW_WAIT (self->base.close.done);
  g_assert_cmpstr (self->base.told->str, ==, "12+3-40");
}

/* The server came back as one that knows v1 only. */
static void
test_older (ReconnectFixture *self, const void *data)
{
  begin (self);
  reconnect_cut (self);
  reconnect_accept (self, NULL);
  RAW_WAIT (vt_client_get_state (get_client (self)) == VT_CLIENT_STATE_OPEN);
  g_assert_cmpuint (vt_client_get_protocol (get_client (self)), ==, 1);
  raw_link_expect_text (self->base.link, "{\"type\":\"listen\",\"port\":9000}");
  RAW_WAIT (self->base.streams->len == 2);
  g_assert_error (self->base.stream_error, VT_ERROR, VT_ERROR_NOT_RESUMED);
}

/* The time that the server has given runs out on this side: while the client waits, and during an
 * attempt, which would have asked for the session. */
static void
test_out_of_time (ReconnectFixture *self, const void *data)
{
  gboolean waiting = data != NULL;

  begin (self);
  /* A wait is half of it, or more. */
  if (waiting)
    g_object_set (get_client (self), "reconnect-max", 200.0, "reconnect-min", 200.0, NULL);
  reconnect_cut (self);
  if (!waiting)
    {
      reconnect_drop_link (self);
      self->base.link = raw_server_wait_link (self->base.server);
    }
  time_skip (60 * G_TIME_SPAN_SECOND);
  RAW_WAIT (self->base.streams->len == 2);
  g_assert_error (self->base.stream_error, VT_ERROR, VT_ERROR_NOT_RESUMED);
  expect_state (self, VT_CLIENT_STATE_RECONNECTING);
  g_assert_cmpuint (vt_client_get_protocol (get_client (self)), ==, 0);
  g_assert_cmpint (vt_client_get_last_seen (get_client (self)), ==, 0);
  g_assert_cmpint (vt_forward_get_state (self->base.forward), ==, VT_FORWARD_STATE_PENDING);
  if (waiting)
    time_skip (200 * G_TIME_SPAN_SECOND);
  else
    RAW_WAIT (raw_link_is_ended (self->base.link));
  expect_fresh (self);
}

/* A session goes on that was never there. */
static void
test_unasked (ReconnectFixture *self, const void *data)
{
  vt_client_open_async (get_client (self), NULL, open_cb, &self->base.open);
  g_free (reconnect_accept_hello (self));
  reconnect_welcome (self, TRUE, 0, 60);
  RAW_WAIT (self->base.open.done);
  g_assert_error (self->base.open.error, VT_ERROR, VT_ERROR_PROTOCOL);
  g_assert_cmpuint (raw_link_read_close (self->base.link), ==, 1002);
  reconnect_drop_link (self);
  raw_settle ();
}

static void
test_mistaken (ReconnectFixture *self, const void *data)
{
  begin (self);
  reconnect_cut (self);
  g_free (reconnect_accept_hello (self));
  raw_link_send_text (self->base.link,
                      "{\"type\":\"welcome\",\"session\":\"" RECONNECT_SESSION
                      "\",\"secret\":\"CCCCCCCCCCCCCCCCCCCCCA\",\"resumed\":true,\"received\":1,"
                      "\"resume_timeout\":60,\"window\":16384,\"max_frame\":65536,"
                      "\"max_message\":262144}");
  g_assert_cmpuint (raw_link_read_close (self->base.link), ==, 1002);
  expect_state (self, VT_CLIENT_STATE_RECONNECTING);
  expect_fresh (self);
  g_assert_error (self->base.stream_error, VT_ERROR, VT_ERROR_NOT_RESUMED);
}

/* The server says that it has what was never sent, or not what it has acknowledged. */
static void
test_bad_position (ReconnectFixture *self, const void *data)
{
  begin (self);
  reconnect_cut (self);
  g_free (reconnect_accept_hello (self));
  reconnect_welcome (self, TRUE, 999, 60);
  g_assert_cmpuint (raw_link_read_close (self->base.link), ==, 1002);
  expect_state (self, VT_CLIENT_STATE_RECONNECTING);
  g_assert_error (vt_client_get_error (get_client (self)), VT_ERROR, VT_ERROR_PROTOCOL);
  expect_fresh (self);
  g_assert_cmpstr (self->base.states->str, ==, "1232");
}

/* The server says that it goes on, and takes less than it did. */
static void
test_other_limits (ReconnectFixture *self, const void *data)
{
  begin (self);
  reconnect_cut (self);
  g_free (reconnect_accept_hello (self));
  raw_link_send_text (self->base.link,
                      "{\"type\":\"welcome\",\"session\":\"" RECONNECT_SESSION
                      "\",\"secret\":\"" RECONNECT_SECRET "\",\"resumed\":true,\"received\":1,"
                      "\"resume_timeout\":60,\"window\":16384,\"max_frame\":65535,"
                      "\"max_message\":262144}");
  g_assert_cmpuint (raw_link_read_close (self->base.link), ==, 1002);
  expect_state (self, VT_CLIENT_STATE_RECONNECTING);
  g_assert_error (self->base.stream_error, VT_ERROR, VT_ERROR_PROTOCOL);
  expect_fresh (self);
  g_assert_cmpstr (self->base.told->str, ==, "12+3-2");
}

/* The server does not believe this side's position. */
static void
test_disbelieved (ReconnectFixture *self, const void *data)
{
  begin (self);
  reconnect_cut (self);
  g_free (reconnect_accept_hello (self));
  reconnect_say_goodbye (self, 1002);
  expect_fresh (self);
}

static void
test_protocol_error (ReconnectFixture *self, const void *data)
{
  begin (self);
  raw_link_send_text (self->base.link, "[]");
  g_assert_cmpuint (raw_link_read_close (self->base.link), ==, 1002);
  reconnect_drop_link (self);
  RAW_WAIT (vt_client_get_state (get_client (self)) == VT_CLIENT_STATE_RECONNECTING);
  g_assert_error (vt_client_get_error (get_client (self)), VT_ERROR, VT_ERROR_PROTOCOL);
  g_assert_error (self->base.stream_error, VT_ERROR, VT_ERROR_PROTOCOL);
  expect_fresh (self);
}

static void
test_final (ReconnectFixture *self, const void *data)
{
  static const struct {
    unsigned int code;
    int error;
  } codes[] = {
    { 1000, -1 },
    { 1008, VT_ERROR_LIMIT },
    { 4001, VT_ERROR_CANCELLED },
  };

  for (size_t i = 0; i < G_N_ELEMENTS (codes); i++)
    {
      outcome_clear (&self->base.open);
      outcome_clear (&self->base.listen);
      begin (self);
      reconnect_say_goodbye (self, codes[i].code);
      RAW_WAIT (vt_client_get_state (get_client (self)) == VT_CLIENT_STATE_CLOSED);
      if (codes[i].error < 0)
        g_assert_no_error (vt_client_get_error (get_client (self)));
      else
        g_assert_error (vt_client_get_error (get_client (self)), VT_ERROR, codes[i].error);
      g_assert_cmpuint (count (vt_client_get_streams (get_client (self))), ==, 0);
      g_assert_cmpint (vt_client_get_next_retry (get_client (self)), ==, 0);
    }
  g_assert_cmpstr (self->base.told->str, ==, "12+-012+-012+-0");
}

static void
test_passing (ReconnectFixture *self, const void *data)
{
  static const unsigned int codes[] = { 1001, 1011, 1012, 1013, 4242, 0 };

  begin (self);
  for (size_t i = 0; i < G_N_ELEMENTS (codes); i++)
    {
      reconnect_say_goodbye (self, codes[i]);
      RAW_WAIT (vt_client_get_state (get_client (self)) == VT_CLIENT_STATE_RECONNECTING);
      g_assert_nonnull (vt_client_get_error (get_client (self)));
      reconnect_resume (self);
    }
  reconnect_send_data (self, 1, "two");
  reconnect_expect_data (self, 1, "two");
  g_assert_cmpstr (self->base.streams->str, ==, "+");
}

/* What else the server says of a client that would come back passes. */
static void
test_turned_away (ReconnectFixture *self, const void *data)
{
  static const unsigned int codes[] = { 1001, 1009, 1011, 4002 };

  begin (self);
  reconnect_cut (self);
  for (size_t i = 0; i < G_N_ELEMENTS (codes); i++)
    {
      g_free (reconnect_accept_hello (self));
      reconnect_say_goodbye (self, codes[i]);
      expect_state (self, VT_CLIENT_STATE_RECONNECTING);
    }
  reconnect_resume (self);
  g_assert_cmpstr (self->base.streams->str, ==, "+");
}

/* What the server says of a client that would come back is final, too. */
static void
test_taken_over (ReconnectFixture *self, const void *data)
{
  begin (self);
  reconnect_cut (self);
  g_free (reconnect_accept_hello (self));
  reconnect_say_goodbye (self, 4001);
  RAW_WAIT (vt_client_get_state (get_client (self)) == VT_CLIENT_STATE_CLOSED);
  g_assert_error (vt_client_get_error (get_client (self)), VT_ERROR, VT_ERROR_CANCELLED);
  g_assert_cmpstr (self->base.told->str, ==, "12+3-0");
  g_assert_error (self->base.stream_error, VT_ERROR, VT_ERROR_CANCELLED);
}

static void
test_refused (ReconnectFixture *self, const void *data)
{
  begin (self);
  reconnect_cut (self);
  g_free (reconnect_accept_hello (self));
  reconnect_say_goodbye (self, 1008);
  RAW_WAIT (vt_client_get_state (get_client (self)) == VT_CLIENT_STATE_CLOSED);
  g_assert_error (vt_client_get_error (get_client (self)), VT_ERROR, VT_ERROR_LIMIT);
  g_assert_cmpstr (self->base.told->str, ==, "12+3-0");
}

static void
test_unwanted (ReconnectFixture *self, const void *data)
{
  begin (self);
  vt_client_set_reconnect (get_client (self), FALSE);
  reconnect_cut (self);
  expect_state (self, VT_CLIENT_STATE_CLOSED);
  g_assert_error (vt_client_get_error (get_client (self)), VT_ERROR, VT_ERROR_FAILED);
  g_assert_error (self->base.stream_error, VT_ERROR, VT_ERROR_FAILED);
  g_assert_cmpstr (self->base.told->str, ==, "12+-0");
}

/* The server does not keep sessions. */
static void
test_not_kept (ReconnectFixture *self, const void *data)
{
  reconnect_begin_v2 (self, 0);
  reconnect_open_stream (self, 1, 1);
  reconnect_send_data (self, 1, "one");
  reconnect_expect_data (self, 1, "one");
  reconnect_cut (self);
  expect_state (self, VT_CLIENT_STATE_RECONNECTING);
  g_assert_cmpuint (vt_client_get_protocol (get_client (self)), ==, 0);
  g_assert_error (self->base.stream_error, VT_ERROR, VT_ERROR_FAILED);
  expect_fresh (self);
}

/* What is asked for meanwhile waits for the link, in order. */
static void
test_requests (ReconnectFixture *self, const void *data)
{
  g_autoptr(VtForward) other = vt_forward_new (9001, NULL);

  begin (self);
  reconnect_cut (self);
  outcome_clear (&self->base.listen);
  vt_client_listen_async (get_client (self), other, NULL, listen_cb, &self->base.listen);
  vt_client_unlisten_async (get_client (self), self->base.forward, NULL, unlisten_cb,
                            &self->base.unlisten);
  reconnect_resume (self);
  reconnect_expect_start (self, "{\"type\":\"listen\",\"id\":2,\"port\":9001");
  reconnect_expect_start (self, "{\"type\":\"unlisten\",\"id\":1}");
  g_assert_false (self->base.listen.done || self->base.unlisten.done);
  reconnect_send_text (self, "{\"type\":\"listen_ok\",\"id\":2,\"port\":9001}");
  reconnect_send_text (self, "{\"type\":\"unlisten_ok\",\"id\":1}");
  RAW_WAIT (self->base.listen.done && self->base.unlisten.done);
  g_assert_no_error (self->base.listen.error);
  g_assert_no_error (self->base.unlisten.error);
}

/* An answer that the lost session will never give. */
static void
test_unlisten_lost (ReconnectFixture *self, const void *data)
{
  begin (self);
  reconnect_cut (self);
  vt_client_unlisten_async (get_client (self), self->base.forward, NULL, unlisten_cb,
                            &self->base.unlisten);
  g_free (reconnect_accept_hello (self));
  reconnect_welcome (self, FALSE, 0, 60);
  RAW_WAIT (self->base.unlisten.done);
  g_assert_no_error (self->base.unlisten.error);
}

static void
test_close (ReconnectFixture *self, const void *data)
{
  begin (self);
  reconnect_cut (self);
  vt_client_close_async (get_client (self), NULL, close_cb, &self->base.close);
  g_assert_cmpint (vt_client_get_next_retry (get_client (self)), ==, 0);
  RAW_WAIT (self->base.close.done);
  expect_state (self, VT_CLIENT_STATE_CLOSED);
  g_assert_no_error (vt_client_get_error (get_client (self)));
  g_assert_cmpstr (self->base.told->str, ==, "12+34-0");
  g_assert_error (self->base.stream_error, VT_ERROR, VT_ERROR_CANCELLED);
  g_assert_cmpint (vt_forward_get_state (self->base.forward), ==, VT_FORWARD_STATE_IDLE);
  raw_settle ();

  outcome_clear (&self->base.open);
  outcome_clear (&self->base.listen);
  begin (self);
}

/* The application changes its mind while the client is reconnecting, and once more. */
static void
test_no_longer (ReconnectFixture *self, const void *data)
{
  begin (self);
  reconnect_cut (self);
  vt_client_set_reconnect (get_client (self), FALSE);
  RAW_WAIT (vt_client_get_state (get_client (self)) == VT_CLIENT_STATE_CLOSED);
  g_assert_error (vt_client_get_error (get_client (self)), VT_ERROR, VT_ERROR_FAILED);
  g_assert_cmpstr (self->base.told->str, ==, "12+3-0");
}

static void
test_after_all (ReconnectFixture *self, const void *data)
{
  begin (self);
  reconnect_cut (self);
  vt_client_set_reconnect (get_client (self), FALSE);
  vt_client_set_reconnect (get_client (self), TRUE);
  RAW_WAIT (self->base.streams->len == 2);
  expect_fresh (self);
}

static void
test_dispose (ReconnectFixture *self, const void *data)
{
  begin (self);
  reconnect_cut (self);
  g_object_run_dispose (G_OBJECT (get_client (self)));
  expect_state (self, VT_CLIENT_STATE_CLOSED);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  ADD_RECONNECT_TEST ("/client/resume/keeps", test_keeps);
  ADD_RECONNECT_TEST ("/client/resume/tail", test_tail);
  ADD_RECONNECT_TEST ("/client/resume/breaks", test_breaks);
  ADD_RECONNECT_TEST ("/client/resume/not-resumed", test_not_resumed);
  ADD_RECONNECT_TEST ("/client/resume/not-resumed/and-closed", test_not_resumed_and_closed);
  ADD_RECONNECT_TEST ("/client/resume/older", test_older);
  ADD_RECONNECT_TEST ("/client/resume/out-of-time/attempt", test_out_of_time);
  g_test_add ("/client/resume/out-of-time/wait", ReconnectFixture, GINT_TO_POINTER (TRUE),
              reconnect_set_up, test_out_of_time, reconnect_tear_down);
  ADD_RECONNECT_TEST ("/client/resume/unasked", test_unasked);
  ADD_RECONNECT_TEST ("/client/resume/mistaken", test_mistaken);
  ADD_RECONNECT_TEST ("/client/resume/bad-position", test_bad_position);
  ADD_RECONNECT_TEST ("/client/resume/other-limits", test_other_limits);
  ADD_RECONNECT_TEST ("/client/resume/disbelieved", test_disbelieved);
  ADD_RECONNECT_TEST ("/client/resume/protocol-error", test_protocol_error);
  ADD_RECONNECT_TEST ("/client/resume/final", test_final);
  ADD_RECONNECT_TEST ("/client/resume/passing", test_passing);
  ADD_RECONNECT_TEST ("/client/resume/turned-away", test_turned_away);
  ADD_RECONNECT_TEST ("/client/resume/taken-over", test_taken_over);
  ADD_RECONNECT_TEST ("/client/resume/refused", test_refused);
  ADD_RECONNECT_TEST ("/client/resume/unwanted", test_unwanted);
  ADD_RECONNECT_TEST ("/client/resume/not-kept", test_not_kept);
  ADD_RECONNECT_TEST ("/client/resume/requests", test_requests);
  ADD_RECONNECT_TEST ("/client/resume/unlisten-lost", test_unlisten_lost);
  ADD_RECONNECT_TEST ("/client/resume/close", test_close);
  ADD_RECONNECT_TEST ("/client/resume/no-longer", test_no_longer);
  ADD_RECONNECT_TEST ("/client/resume/after-all", test_after_all);
  ADD_RECONNECT_TEST ("/client/resume/dispose", test_dispose);
  return g_test_run ();
}
