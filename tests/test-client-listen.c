/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "client-fixture.h"

static unsigned int
count_forwards (ClientFixture *self)
{
  return g_list_model_get_n_items (vt_client_get_forwards (self->client));
}

static void
test_before_open (ClientFixture *self, const void *data)
{
  g_autoptr(VtForward) second = vt_forward_new (9001, NULL);
  Outcome other = { 0 };

  vt_client_listen_async (self->client, self->forward, NULL, listen_cb, &self->listen);
  vt_client_listen_async (self->client, second, NULL, listen_cb, &other);
  raw_settle ();
  g_assert_false (self->listen.done);
  client_fixture_open (self);
  raw_link_expect_text (self->link, "{\"type\":\"listen\",\"port\":9000}");
  raw_link_expect_text (self->link, "{\"type\":\"listen\",\"port\":9001}");
  raw_link_send_text (self->link, "{\"type\":\"listen_ok\",\"port\":9000}");
  RAW_WAIT (self->listen.done);
  g_assert_no_error (self->listen.error);
  g_assert_false (other.done);
  g_assert_cmpint (vt_forward_get_state (self->forward), ==, VT_FORWARD_STATE_LISTENING);
  g_assert_cmpuint (vt_forward_get_bound_port (self->forward), ==, 9000);
  g_assert_cmpint (vt_forward_get_state (second), ==, VT_FORWARD_STATE_PENDING);
  g_assert_cmpuint (count_forwards (self), ==, 2);

  raw_link_send_text (self->link, "{\"type\":\"listen_ok\",\"port\":9001}");
  RAW_WAIT (other.done);
  client_fixture_close (self);
  g_assert_cmpuint (count_forwards (self), ==, 0);
}

static void
test_any_port (ClientFixture *self, const void *data)
{
  g_autoptr(VtForward) forward = vt_forward_new (0, NULL);

  client_fixture_open (self);
  vt_client_listen_async (self->client, forward, NULL, listen_cb, &self->listen);
  raw_link_expect_text (self->link, "{\"type\":\"listen\"}");
  raw_link_send_text (self->link, "{\"type\":\"listen_ok\",\"port\":40404}");
  RAW_WAIT (self->listen.done);
  g_assert_no_error (self->listen.error);
  g_assert_cmpuint (vt_forward_get_bound_port (forward), ==, 40404);
}

/* A refused forward is free again. */
static void
test_refused (ClientFixture *self, const void *data)
{
  client_fixture_open (self);
  vt_client_listen_async (self->client, self->forward, NULL, listen_cb, &self->listen);
  raw_link_expect_text (self->link, "{\"type\":\"listen\",\"port\":9000}");
  raw_link_send_text (self->link,
                      "{\"type\":\"listen_err\",\"port\":9000,\"error\":\"not\\u0007today\"}");
  RAW_WAIT (self->listen.done);
  g_assert_nonnull (self->listen.error);
  g_assert_cmpuint (self->listen.error->domain, ==, VT_ERROR);
  g_assert_nonnull (strstr (self->listen.error->message, "today"));
  g_assert_null (strchr (self->listen.error->message, '\a'));
  g_assert_cmpint (vt_forward_get_state (self->forward), ==, VT_FORWARD_STATE_FAILED);
  g_assert_cmpstr (vt_forward_get_error (self->forward)->message, ==, self->listen.error->message);
  g_assert_cmpuint (count_forwards (self), ==, 0);
  client_fixture_listen (self, self->forward);
  g_assert_no_error (vt_forward_get_error (self->forward));
}

/* The first generation of servers never answers. */
static void
test_unanswered (ClientFixture *self, const void *data)
{
  client_fixture_open (self);
  vt_client_listen_async (self->client, self->forward, NULL, listen_cb, &self->listen);
  RAW_WAIT (self->listen.done);
  g_assert_no_error (self->listen.error);
  g_assert_cmpint (vt_forward_get_state (self->forward), ==, VT_FORWARD_STATE_LISTENING);
  g_assert_cmpuint (vt_forward_get_bound_port (self->forward), ==, 9000);
}

static void
test_cancel (ClientFixture *self, const void *data)
{
  g_autoptr(GCancellable) cancellable = g_cancellable_new ();

  client_fixture_open (self);
  vt_client_listen_async (self->client, self->forward, cancellable, listen_cb, &self->listen);
  raw_link_expect_text (self->link, "{\"type\":\"listen\",\"port\":9000}");
  g_cancellable_cancel (cancellable);
  RAW_WAIT (self->listen.done);
  g_assert_error (self->listen.error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  raw_link_expect_text (self->link, "{\"type\":\"unlisten\",\"port\":9000}");
  g_assert_cmpint (vt_forward_get_state (self->forward), ==, VT_FORWARD_STATE_IDLE);
  g_assert_cmpuint (count_forwards (self), ==, 0);

  outcome_clear (&self->listen);
  vt_client_listen_async (self->client, self->forward, cancellable, listen_cb, &self->listen);
  RAW_WAIT (self->listen.done);
  g_assert_error (self->listen.error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_cmpint (vt_forward_get_state (self->forward), ==, VT_FORWARD_STATE_IDLE);
}

/* Once it is answered, the cancellable has no say any more. */
static void
test_cancel_late (ClientFixture *self, const void *data)
{
  g_autoptr(GCancellable) cancellable = g_cancellable_new ();

  client_fixture_open (self);
  vt_client_listen_async (self->client, self->forward, cancellable, listen_cb, &self->listen);
  raw_link_expect_text (self->link, "{\"type\":\"listen\",\"port\":9000}");
  raw_link_send_text (self->link, "{\"type\":\"listen_ok\",\"port\":9000}");
  RAW_WAIT (self->listen.done);
  g_cancellable_cancel (cancellable);
  raw_settle ();
  g_assert_cmpint (vt_forward_get_state (self->forward), ==, VT_FORWARD_STATE_LISTENING);
}

static void
test_twice (ClientFixture *self, const void *data)
{
  g_autoptr(VtClient) other = vt_client_new ("ws://127.0.0.1/");
  Outcome again = { 0 };

  vt_client_listen_async (self->client, self->forward, NULL, listen_cb, &self->listen);
  vt_client_listen_async (self->client, self->forward, NULL, listen_cb, &again);
  RAW_WAIT (again.done);
  g_assert_error (again.error, VT_ERROR, VT_ERROR_INVALID_ARGUMENT);
  outcome_clear (&again);
  vt_client_listen_async (other, self->forward, NULL, listen_cb, &again);
  RAW_WAIT (again.done);
  g_assert_error (again.error, VT_ERROR, VT_ERROR_INVALID_ARGUMENT);
  outcome_clear (&again);
  vt_client_unlisten_async (other, self->forward, NULL, unlisten_cb, &again);
  RAW_WAIT (again.done);
  g_assert_error (again.error, VT_ERROR, VT_ERROR_INVALID_ARGUMENT);
  g_assert_false (self->listen.done);
  g_assert_cmpuint (count_forwards (self), ==, 1);
  outcome_clear (&again);

  vt_client_unlisten_async (self->client, self->forward, NULL, unlisten_cb, &self->unlisten);
  RAW_WAIT (self->unlisten.done && self->listen.done);
  g_assert_no_error (self->unlisten.error);
  g_assert_error (self->listen.error, VT_ERROR, VT_ERROR_CANCELLED);
  vt_client_listen_async (other, self->forward, NULL, listen_cb, &again);
  g_assert_cmpint (vt_forward_get_state (self->forward), ==, VT_FORWARD_STATE_PENDING);
  g_clear_object (&other);
  RAW_WAIT (again.done);
  g_assert_error (again.error, VT_ERROR, VT_ERROR_CANCELLED);
  outcome_clear (&again);
}

static void
test_unlisten (ClientFixture *self, const void *data)
{
  client_fixture_begin (self);
  raw_link_send_text (self->link, "{\"type\":\"connect\",\"port\":9000,\"stream_id\":1}");
  raw_link_send_text (self->link, "{\"type\":\"data\",\"stream_id\":1,\"data\":\"aGV5\"}");
  raw_link_expect_text (self->link, "{\"type\":\"data\",\"stream_id\":1,\"data\":\"aGV5\"}");
  vt_client_unlisten_async (self->client, self->forward, NULL, unlisten_cb, &self->unlisten);
  RAW_WAIT (self->unlisten.done);
  g_assert_no_error (self->unlisten.error);
  raw_link_expect_text (self->link, "{\"type\":\"unlisten\",\"port\":9000}");
  g_assert_cmpint (vt_forward_get_state (self->forward), ==, VT_FORWARD_STATE_IDLE);
  g_assert_cmpuint (vt_forward_get_bound_port (self->forward), ==, 0);
  g_assert_cmpuint (count_forwards (self), ==, 0);

  /* No new streams; the old one goes on. */
  raw_link_send_text (self->link, "{\"type\":\"connect\",\"port\":9000,\"stream_id\":2}");
  raw_link_expect_text (self->link, "{\"type\":\"close\",\"stream_id\":2}");
  raw_link_send_text (self->link, "{\"type\":\"data\",\"stream_id\":1,\"data\":\"aGV5\"}");
  raw_link_expect_text (self->link, "{\"type\":\"data\",\"stream_id\":1,\"data\":\"aGV5\"}");
  g_assert_cmpuint (vt_forward_get_n_streams (self->forward), ==, 1);
}

/* A call that waits does not keep the client. */
static void
test_dropped (ClientFixture *self, const void *data)
{
  vt_client_listen_async (self->client, self->forward, NULL, listen_cb, &self->listen);
  g_object_add_weak_pointer (G_OBJECT (self->client), (void **) &self->client);
  g_object_unref (self->client);
  RAW_WAIT (self->listen.done && self->client == NULL);
  g_assert_error (self->listen.error, VT_ERROR, VT_ERROR_CANCELLED);
  g_assert_cmpint (vt_forward_get_state (self->forward), ==, VT_FORWARD_STATE_IDLE);
}

static void
take_back_cb (GListModel *model,
              unsigned int position,
              unsigned int removed,
              unsigned int added,
              gpointer user_data)
{
  ClientFixture *self = user_data;

  if (added > 0)
    vt_client_unlisten_async (self->client, self->forward, NULL, unlisten_cb, &self->unlisten);
}

/* Whoever watches the list may take the forward away at once. */
static void
test_taken_back_at_once (ClientFixture *self, const void *data)
{
  client_fixture_open (self);
  g_signal_connect (vt_client_get_forwards (self->client), "items-changed",
                    G_CALLBACK (take_back_cb), self);
  vt_client_listen_async (self->client, self->forward, NULL, listen_cb, &self->listen);
  RAW_WAIT (self->listen.done && self->unlisten.done);
  g_assert_error (self->listen.error, VT_ERROR, VT_ERROR_CANCELLED);
  g_assert_no_error (self->unlisten.error);
  g_assert_cmpint (vt_forward_get_state (self->forward), ==, VT_FORWARD_STATE_IDLE);
  g_assert_cmpuint (count_forwards (self), ==, 0);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  ADD_CLIENT_TEST ("/client/listen/before-open", test_before_open);
  ADD_CLIENT_TEST ("/client/listen/any-port", test_any_port);
  ADD_CLIENT_TEST ("/client/listen/refused", test_refused);
  ADD_CLIENT_TEST ("/client/listen/unanswered", test_unanswered);
  ADD_CLIENT_TEST ("/client/listen/cancel", test_cancel);
  ADD_CLIENT_TEST ("/client/listen/cancel-late", test_cancel_late);
  ADD_CLIENT_TEST ("/client/listen/twice", test_twice);
  ADD_CLIENT_TEST ("/client/listen/dropped", test_dropped);
  ADD_CLIENT_TEST ("/client/listen/taken-back-at-once", test_taken_back_at_once);
  ADD_CLIENT_TEST ("/client/unlisten", test_unlisten);
  return g_test_run ();
}
