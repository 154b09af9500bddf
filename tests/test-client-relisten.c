/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "reconnect-fixture.h"
#include "time-skip.h"

#define REFUSED(id, code, more)                                                                    \
  "{\"type\":\"listen_err\",\"id\":" id ",\"code\":\"" code "\",\"error\":\"no\"" more "}"
#define GRANTED(id, port) "{\"type\":\"listen_ok\",\"id\":" id ",\"port\":" port "}"

/* How a forward that a lost session had is asked for in the next one. */

static VtForward *
get_forward (ReconnectFixture *self)
{
  return self->base.forward;
}

static void
lose_session (ReconnectFixture *self)
{
  reconnect_cut (self);
  g_free (reconnect_accept_hello (self));
  reconnect_welcome (self, FALSE, 0, 0);
  RAW_WAIT (vt_client_get_state (self->base.client) == VT_CLIENT_STATE_OPEN);
}

static void
begin (ReconnectFixture *self)
{
  reconnect_begin_v2 (self, 0);
  lose_session (self);
  reconnect_expect_start (self, "{\"type\":\"listen\",\"id\":1,\"port\":9000");
}

static void
expect_waiting (ReconnectFixture *self, int code)
{
  RAW_WAIT (g_error_matches (vt_forward_get_error (get_forward (self)), VT_ERROR, code));
  g_assert_cmpint (vt_forward_get_state (get_forward (self)), ==, VT_FORWARD_STATE_PENDING);
  g_assert_cmpuint (vt_forward_get_bound_port (get_forward (self)), ==, 0);
  g_assert_cmpuint (g_list_model_get_n_items (vt_client_get_forwards (self->base.client)), ==, 1);
}

static void
expect_listening (ReconnectFixture *self, guint16 port)
{
  RAW_WAIT (vt_forward_get_state (get_forward (self)) == VT_FORWARD_STATE_LISTENING);
  g_assert_no_error (vt_forward_get_error (get_forward (self)));
  g_assert_cmpuint (vt_forward_get_bound_port (get_forward (self)), ==, port);
}

static void
test_again (ReconnectFixture *self, const void *data)
{
  static const struct {
    const char *answer;
    int error;
  } refusals[] = {
    { REFUSED ("1", "address-in-use", ""), VT_ERROR_ADDRESS_IN_USE },
    { REFUSED ("2", "limit", ""), VT_ERROR_LIMIT },
    { REFUSED ("3", "failed", ""), VT_ERROR_FAILED },
    { REFUSED ("4", "timed-out", ""), VT_ERROR_TIMED_OUT },
  };

  begin (self);
  for (size_t i = 0; i < G_N_ELEMENTS (refusals); i++)
    {
      g_autofree char *next =
          g_strdup_printf ("{\"type\":\"listen\",\"id\":%d,\"port\":9000", (int) i + 2);

      raw_link_send_text (self->base.link, refusals[i].answer);
      expect_waiting (self, refusals[i].error);
      reconnect_expect_start (self, next);
    }
  raw_link_send_text (self->base.link, GRANTED ("5", "9000"));
  expect_listening (self, 9000);
}

static void
test_final (ReconnectFixture *self, const void *data)
{
  begin (self);
  raw_link_send_text (self->base.link, data);
  RAW_WAIT (vt_forward_get_state (get_forward (self)) == VT_FORWARD_STATE_FAILED);
  g_assert_nonnull (vt_forward_get_error (get_forward (self)));
  g_assert_cmpuint (g_list_model_get_n_items (vt_client_get_forwards (self->base.client)), ==, 0);
}

/* What was never granted is refused for good. */
static void
test_never_granted (ReconnectFixture *self, const void *data)
{
  g_autoptr(VtForward) other = vt_forward_new (9001, NULL);
  Outcome outcome = { 0 };

  begin (self);
  vt_client_listen_async (self->base.client, other, NULL, listen_cb, &outcome);
  reconnect_expect_start (self, "{\"type\":\"listen\",\"id\":2,\"port\":9001");
  raw_link_send_text (self->base.link, REFUSED ("2", "address-in-use", ",\"retry_after\":1"));
  RAW_WAIT (outcome.done);
  g_assert_error (outcome.error, VT_ERROR, VT_ERROR_ADDRESS_IN_USE);
  g_assert_cmpint (vt_forward_get_state (other), ==, VT_FORWARD_STATE_FAILED);
  outcome_clear (&outcome);
}

/* The server knows when it is worth asking. */
static void
test_retry_after (ReconnectFixture *self, const void *data)
{
  begin (self);
  raw_link_send_text (self->base.link, REFUSED ("1", "address-in-use", ",\"retry_after\":600"));
  expect_waiting (self, VT_ERROR_ADDRESS_IN_USE);
  time_skip (599 * G_TIME_SPAN_SECOND);
  raw_settle ();
  raw_link_send_text (self->base.link, "{\"type\":\"ping\",\"t\":1}");
  reconnect_expect_start (self, "{\"type\":\"pong\"");
  time_skip (G_TIME_SPAN_SECOND);
  reconnect_expect_start (self, "{\"type\":\"listen\",\"id\":2,\"port\":9000");
  raw_link_send_text (self->base.link, GRANTED ("2", "9000"));
  expect_listening (self, 9000);
}

/* The link breaks while a forward waits: in the next session it is asked for at once. */
static void
test_breaks (ReconnectFixture *self, const void *data)
{
  begin (self);
  raw_link_send_text (self->base.link, REFUSED ("1", "address-in-use", ",\"retry_after\":600"));
  expect_waiting (self, VT_ERROR_ADDRESS_IN_USE);
  lose_session (self);
  g_assert_no_error (vt_forward_get_error (get_forward (self)));
  reconnect_expect_start (self, "{\"type\":\"listen\",\"id\":1,\"port\":9000");
  raw_link_send_text (self->base.link, GRANTED ("1", "9000"));
  expect_listening (self, 9000);
}

static void
test_unlisten (ReconnectFixture *self, const void *data)
{
  begin (self);
  raw_link_send_text (self->base.link, REFUSED ("1", "address-in-use", ",\"retry_after\":1"));
  expect_waiting (self, VT_ERROR_ADDRESS_IN_USE);
  vt_client_unlisten_async (self->base.client, get_forward (self), NULL, unlisten_cb,
                            &self->base.unlisten);
  g_assert_cmpint (vt_forward_get_state (get_forward (self)), ==, VT_FORWARD_STATE_IDLE);
  g_assert_no_error (vt_forward_get_error (get_forward (self)));
  RAW_WAIT (self->base.unlisten.done);
  time_skip (2 * G_TIME_SPAN_SECOND);
  raw_settle ();
  raw_link_send_text (self->base.link, "{\"type\":\"ping\",\"t\":1}");
  reconnect_expect_start (self, "{\"type\":\"pong\"");
}

/* The application does not want to wait. */
static void
test_unwanted (ReconnectFixture *self, const void *data)
{
  begin (self);
  vt_client_set_reconnect (self->base.client, FALSE);
  raw_link_send_text (self->base.link, REFUSED ("1", "address-in-use", ""));
  RAW_WAIT (vt_forward_get_state (get_forward (self)) == VT_FORWARD_STATE_FAILED);
}

/* A port that the server chose is asked for again; if it is gone, any other is as good. */
static void
test_any_port (ReconnectFixture *self, const void *data)
{
  g_autoptr(VtForward) any = vt_forward_new (0, NULL);

  reconnect_begin_v2 (self, 0);
  outcome_clear (&self->base.listen);
  vt_client_listen_async (self->base.client, any, NULL, listen_cb, &self->base.listen);
  reconnect_expect_start (self, "{\"type\":\"listen\",\"id\":2}");
  raw_link_send_text (self->base.link, GRANTED ("2", "40404"));
  RAW_WAIT (self->base.listen.done);

  lose_session (self);
  reconnect_expect_start (self, "{\"type\":\"listen\",\"id\":1,\"port\":9000");
  reconnect_expect_start (self, "{\"type\":\"listen\",\"id\":2,\"port\":40404");
  raw_link_send_text (self->base.link, REFUSED ("2", "permission-denied", ""));
  reconnect_expect_start (self, "{\"type\":\"listen\",\"id\":3}");
  g_assert_cmpint (vt_forward_get_state (any), ==, VT_FORWARD_STATE_PENDING);
  raw_link_send_text (self->base.link, GRANTED ("3", "40405"));
  RAW_WAIT (vt_forward_get_state (any) == VT_FORWARD_STATE_LISTENING);
  g_assert_cmpuint (vt_forward_get_bound_port (any), ==, 40405);
}

/* Asked for while there is no session. */
/* There is no port in it, whatever else the forward says, and whatever the server. */
static void
test_no_port (ReconnectFixture *self, const void *data)
{
  g_autoptr(VtForward) none = vt_forward_new (9001, NULL);

  vt_forward_set_listen_kind (none, VT_LISTEN_KIND_NONE);
  vt_forward_set_listen_address (none, "::1");
  vt_forward_set_name (none, "files");
  reconnect_begin_v2 (self, 0);
  outcome_clear (&self->base.listen);
  vt_client_listen_async (self->base.client, none, NULL, listen_cb, &self->base.listen);
  reconnect_expect_start (self, "{\"type\":\"listen\",\"id\":2,\"kind\":\"none\","
                                "\"names\":[\"files\"]}");
  raw_link_send_text (self->base.link, GRANTED ("2", "9001"));
  RAW_WAIT (self->base.listen.done);
  g_assert_no_error (self->base.listen.error);
  g_assert_cmpuint (vt_forward_get_bound_port (none), ==, 0);

  lose_session (self);
  reconnect_expect_start (self, "{\"type\":\"listen\",\"id\":1,\"port\":9000");
  reconnect_expect_start (self, "{\"type\":\"listen\",\"id\":2,\"kind\":\"none\",");
  raw_link_send_text (self->base.link, REFUSED ("2", "limit", ",\"retry_after\":1"));
  RAW_WAIT (vt_forward_get_error (none) != NULL);
  time_skip (G_TIME_SPAN_SECOND);
  reconnect_expect_start (self, "{\"type\":\"listen\",\"id\":3,\"kind\":\"none\",");
  raw_link_send_text (self->base.link, GRANTED ("3", "0"));
  RAW_WAIT (vt_forward_get_state (none) == VT_FORWARD_STATE_LISTENING);
  g_assert_cmpuint (vt_forward_get_bound_port (none), ==, 0);
}

static void
test_meanwhile (ReconnectFixture *self, const void *data)
{
  g_autoptr(VtForward) other = vt_forward_new (9001, NULL);

  reconnect_begin_v2 (self, 0);
  reconnect_cut (self);
  outcome_clear (&self->base.listen);
  vt_client_listen_async (self->base.client, other, NULL, listen_cb, &self->base.listen);
  vt_client_unlisten_async (self->base.client, get_forward (self), NULL, unlisten_cb,
                            &self->base.unlisten);
  RAW_WAIT (self->base.unlisten.done);
  g_free (reconnect_accept_hello (self));
  reconnect_welcome (self, FALSE, 0, 0);
  reconnect_expect_start (self, "{\"type\":\"listen\",\"id\":1,\"port\":9001");
  raw_link_send_text (self->base.link, GRANTED ("1", "9001"));
  RAW_WAIT (self->base.listen.done);
  g_assert_no_error (self->base.listen.error);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  ADD_RECONNECT_TEST ("/client/relisten/again", test_again);
  g_test_add ("/client/relisten/denied", ReconnectFixture,
              REFUSED ("1", "permission-denied", ",\"retry_after\":1"), reconnect_set_up,
              test_final, reconnect_tear_down);
  g_test_add ("/client/relisten/invalid", ReconnectFixture, REFUSED ("1", "invalid", ""),
              reconnect_set_up, test_final, reconnect_tear_down);
  ADD_RECONNECT_TEST ("/client/relisten/never-granted", test_never_granted);
  ADD_RECONNECT_TEST ("/client/relisten/retry-after", test_retry_after);
  ADD_RECONNECT_TEST ("/client/relisten/breaks", test_breaks);
  ADD_RECONNECT_TEST ("/client/relisten/unlisten", test_unlisten);
  ADD_RECONNECT_TEST ("/client/relisten/unwanted", test_unwanted);
  ADD_RECONNECT_TEST ("/client/relisten/any-port", test_any_port);
  ADD_RECONNECT_TEST ("/client/relisten/no-port", test_no_port);
  ADD_RECONNECT_TEST ("/client/relisten/meanwhile", test_meanwhile);
  return g_test_run ();
}
