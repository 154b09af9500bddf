/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "client-fixture.h"
#include "vt-negotiation-private.h"

#define WELCOME                                                                                    \
  "{\"type\":\"welcome\",\"session\":\"AAAAAAAAAAAAAAAAAAAAAA\","                                  \
  "\"secret\":\"BBBBBBBBBBBBBBBBBBBBBA\",\"resumed\":false,\"resume_timeout\":0,"                  \
  "\"window\":16384,\"max_frame\":65536,\"max_message\":262144}"

static void
expect_start (RawLink *link, const char *start)
{
  g_autofree char *message = raw_link_read_text (link);

  g_assert_nonnull (message);
  if (!g_str_has_prefix (message, start))
    g_error ("Expected “%s…”, got “%s”", start, message);
}

/* Opens the client until the server would have to greet. */
static void
begin (ClientFixture *self, GCancellable *cancellable)
{
  g_autofree char *head = NULL;

  vt_client_set_max_protocol (self->client, 2);
  vt_client_open_async (self->client, cancellable, open_cb, &self->open);
  self->link = raw_server_wait_link (self->server);
  head = raw_link_read_head (self->link);
  raw_link_upgrade_to (self->link, head, "vtunnel.v2", NULL);
  expect_start (self->link, "{\"type\":\"hello\",");
  raw_settle ();
  g_assert_false (self->open.done);
  g_assert_cmpint (vt_client_get_state (self->client), ==, VT_CLIENT_STATE_CONNECTING);
  g_assert_cmpuint (vt_client_get_protocol (self->client), ==, 0);
  g_assert_cmpint (vt_client_get_last_seen (self->client), ==, 0);
}

static void
greet (ClientFixture *self)
{
  raw_link_send_text (self->link, WELCOME);
  RAW_WAIT (self->open.done);
  g_assert_no_error (self->open.error);
  g_assert_cmpint (vt_client_get_state (self->client), ==, VT_CLIENT_STATE_OPEN);
}

static void
listen (ClientFixture *self)
{
  vt_client_listen_async (self->client, self->forward, NULL, listen_cb, &self->listen);
  expect_start (self->link, "{\"type\":\"listen\",\"id\":1,");
  raw_link_send_text (self->link,
                      "{\"type\":\"listen_ok\",\"id\":1,\"address\":\"127.0.0.1\",\"port\":9000}");
  RAW_WAIT (self->listen.done);
  g_assert_no_error (self->listen.error);
}

static void
note_protocol_cb (VtClient *client, GParamSpec *pspec, gpointer user_data)
{
  g_string_append_printf (user_data, "%u", vt_client_get_protocol (client));
}

static void
test_open (ClientFixture *self, const void *data)
{
  g_autoptr(GString) protocols = g_string_new (NULL);

  g_signal_connect (self->client, "notify::protocol", G_CALLBACK (note_protocol_cb), protocols);
  begin (self, NULL);
  g_assert_cmpstr (protocols->str, ==, "");
  greet (self);
  g_assert_cmpstr (protocols->str, ==, "2");
  client_fixture_close (self);
  g_assert_cmpstr (protocols->str, ==, "20");
  g_assert_cmpstr (self->states->str, ==, "1240");
}

/* Whatever was asked for meanwhile is asked for when there is a tunnel, in order. */
static void
test_listens (ClientFixture *self, const void *data)
{
  g_autoptr(VtForward) second = vt_forward_new (9001, NULL);
  g_autoptr(VtForward) third = vt_forward_new (9002, NULL);
  Outcome others[2] = { 0 };

  vt_forward_set_listen_address (second, "::1");
  vt_client_listen_async (self->client, self->forward, NULL, listen_cb, &self->listen);
  begin (self, NULL);
  vt_client_listen_async (self->client, third, NULL, listen_cb, &others[0]);
  vt_client_listen_async (self->client, second, NULL, listen_cb, &others[1]);
  vt_client_unlisten_async (self->client, third, NULL, unlisten_cb, &self->unlisten);
  RAW_WAIT (self->unlisten.done && others[0].done);
  g_assert_no_error (self->unlisten.error);
  g_assert_error (others[0].error, VT_ERROR, VT_ERROR_CANCELLED);
  greet (self);
  expect_start (self->link, "{\"type\":\"listen\",\"id\":1,\"port\":9000");
  expect_start (self->link, "{\"type\":\"listen\",\"id\":2,\"address\":\"::1\",\"port\":9001");
  raw_link_send_text (self->link, "{\"type\":\"listen_ok\",\"id\":2,\"port\":9001}");
  RAW_WAIT (others[1].done);
  g_assert_no_error (others[1].error);
  g_assert_false (self->listen.done);
  client_fixture_close (self);
  RAW_WAIT (self->listen.done);
  outcome_clear (&others[0]);
}

static void
expect_failed (ClientFixture *self, int code)
{
  RAW_WAIT (self->open.done && self->listen.done);
  g_assert_error (self->open.error, VT_ERROR, code);
  g_assert_error (self->listen.error, VT_ERROR, code);
  g_assert_cmpint (vt_client_get_state (self->client), ==, VT_CLIENT_STATE_CLOSED);
  g_assert_error (vt_client_get_error (self->client), VT_ERROR, code);
  g_assert_cmpstr (vt_client_get_error (self->client)->message, ==, self->open.error->message);
  g_assert_cmpint (vt_forward_get_state (self->forward), ==, VT_FORWARD_STATE_FAILED);
  g_assert_cmpstr (self->states->str, ==, "10");
}

static void
test_server_closes (ClientFixture *self, const void *data)
{
  unsigned int code = GPOINTER_TO_UINT (data);

  vt_client_listen_async (self->client, self->forward, NULL, listen_cb, &self->listen);
  begin (self, NULL);
  raw_link_send_close (self->link, code, "");
  g_assert_cmpuint (raw_link_read_close (self->link), ==, code);
  raw_link_free (g_steal_pointer (&self->link));
  expect_failed (self, code == 1000 ? VT_ERROR_FAILED : VT_ERROR_SHUTTING_DOWN);
}

static void
test_server_vanishes (ClientFixture *self, const void *data)
{
  vt_client_listen_async (self->client, self->forward, NULL, listen_cb, &self->listen);
  begin (self, NULL);
  raw_link_reset (self->link);
  expect_failed (self, VT_ERROR_FAILED);
}

/* Something that only looks as if it knew the protocol. */
static void
test_server_babbles (ClientFixture *self, const void *data)
{
  vt_client_listen_async (self->client, self->forward, NULL, listen_cb, &self->listen);
  begin (self, NULL);
  raw_link_send_text (self->link, "{\"type\":\"listen_ok\",\"id\":1,\"port\":9000}");
  g_assert_cmpuint (raw_link_read_close (self->link), ==, 1002);
  raw_link_free (g_steal_pointer (&self->link));
  expect_failed (self, VT_ERROR_PROTOCOL);
}

static void
test_cancel (ClientFixture *self, const void *data)
{
  g_autoptr(GCancellable) cancellable = g_cancellable_new ();

  begin (self, cancellable);
  g_cancellable_cancel (cancellable);
  RAW_WAIT (self->open.done);
  g_assert_error (self->open.error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_cmpint (vt_client_get_state (self->client), ==, VT_CLIENT_STATE_CLOSED);
  g_assert_no_error (vt_client_get_error (self->client));
  RAW_WAIT (raw_link_is_ended (self->link));
  g_assert_cmpstr (self->states->str, ==, "10");
}

/* Too late: the client is open. */
static void
test_cancel_late (ClientFixture *self, const void *data)
{
  g_autoptr(GCancellable) cancellable = g_cancellable_new ();

  begin (self, cancellable);
  greet (self);
  g_cancellable_cancel (cancellable);
  raw_settle ();
  g_assert_cmpint (vt_client_get_state (self->client), ==, VT_CLIENT_STATE_OPEN);
}

static void
test_close (ClientFixture *self, const void *data)
{
  begin (self, NULL);
  vt_client_close_async (self->client, NULL, close_cb, &self->close);
  RAW_WAIT (self->open.done && self->close.done);
  g_assert_error (self->open.error, VT_ERROR, VT_ERROR_CANCELLED);
  g_assert_no_error (self->close.error);
  RAW_WAIT (raw_link_is_ended (self->link));
  g_assert_cmpstr (self->states->str, ==, "10");

  /* And it can be opened once more. */
  raw_link_free (g_steal_pointer (&self->link));
  outcome_clear (&self->open);
  begin (self, NULL);
  greet (self);
}

static void
test_dispose (ClientFixture *self, const void *data)
{
  begin (self, NULL);
  g_object_run_dispose (G_OBJECT (self->client));
  RAW_WAIT (self->open.done);
  g_assert_error (self->open.error, VT_ERROR, VT_ERROR_CANCELLED);
  RAW_WAIT (raw_link_is_ended (self->link));
}

static void
begin_unlisten (ClientFixture *self, GCancellable *cancellable)
{
  begin (self, NULL);
  greet (self);
  listen (self);
  vt_client_unlisten_async (self->client, self->forward, cancellable, unlisten_cb, &self->unlisten);
  g_assert_cmpint (vt_forward_get_state (self->forward), ==, VT_FORWARD_STATE_IDLE);
  g_assert_cmpuint (g_list_model_get_n_items (vt_client_get_forwards (self->client)), ==, 0);
  raw_link_expect_text (self->link, "{\"type\":\"unlisten\",\"id\":1}");
  raw_settle ();
  g_assert_false (self->unlisten.done);
}

/* The forward is free at once; the answer is what is waited for. */
static void
test_unlisten (ClientFixture *self, const void *data)
{
  begin_unlisten (self, NULL);
  outcome_clear (&self->listen);
  vt_client_listen_async (self->client, self->forward, NULL, listen_cb, &self->listen);
  expect_start (self->link, "{\"type\":\"listen\",\"id\":2,");
  g_assert_false (self->unlisten.done);
  raw_link_send_text (self->link, "{\"type\":\"unlisten_ok\",\"id\":1}");
  RAW_WAIT (self->unlisten.done);
  g_assert_no_error (self->unlisten.error);
  g_assert_false (self->listen.done);
  raw_link_send_text (self->link, "{\"type\":\"listen_ok\",\"id\":2,\"port\":9000}");
  RAW_WAIT (self->listen.done);
  g_assert_no_error (self->listen.error);
}

static void
test_unlisten_cancel (ClientFixture *self, const void *data)
{
  g_autoptr(GCancellable) cancellable = g_cancellable_new ();

  begin_unlisten (self, cancellable);
  g_cancellable_cancel (cancellable);
  RAW_WAIT (self->unlisten.done);
  g_assert_error (self->unlisten.error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  raw_link_send_text (self->link, "{\"type\":\"unlisten_ok\",\"id\":1}");
  raw_settle ();
  g_assert_cmpint (vt_client_get_state (self->client), ==, VT_CLIENT_STATE_OPEN);
}

/* The port is closed with the tunnel. */
static void
test_unlisten_tunnel_ends (ClientFixture *self, const void *data)
{
  begin_unlisten (self, NULL);
  raw_link_reset (self->link);
  RAW_WAIT (self->unlisten.done);
  g_assert_no_error (self->unlisten.error);
  g_assert_cmpint (vt_client_get_state (self->client), ==, VT_CLIENT_STATE_CLOSED);
}

static void
end_client_cb (VtForward *forward, GParamSpec *pspec, gpointer user_data)
{
  g_object_run_dispose (user_data);
}

/* Whoever hears that the forward is free may do anything; the call is answered all the same. */
static void
test_unlisten_ends_client (ClientFixture *self, const void *data)
{
  begin (self, NULL);
  greet (self);
  listen (self);
  g_signal_connect (self->forward, "notify::state", G_CALLBACK (end_client_cb), self->client);
  vt_client_unlisten_async (self->client, self->forward, NULL, unlisten_cb, &self->unlisten);
  g_signal_handlers_disconnect_by_data (self->forward, self->client);
  RAW_WAIT (self->unlisten.done);
  g_assert_no_error (self->unlisten.error);
  RAW_WAIT (raw_link_is_ended (self->link));
}

/* A server that does not answer keeps no client alive. */
static void
test_unlisten_drop (ClientFixture *self, const void *data)
{
  begin_unlisten (self, NULL);
  g_object_add_weak_pointer (G_OBJECT (self->client), (void **) &self->client);
  g_object_unref (self->client);
  RAW_WAIT (self->unlisten.done && self->client == NULL);
  g_assert_no_error (self->unlisten.error);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  /* Nobody speaks it yet. */
  if (VT_NEGOTIATION_DEFAULT_MAX < 2)
    {
      g_print ("1..0 # SKIP version 2 of the protocol is not there\n");
      return 0;
    }
  ADD_CLIENT_TEST ("/client/v2/open", test_open);
  ADD_CLIENT_TEST ("/client/v2/listens", test_listens);
  g_test_add ("/client/v2/server/closes", ClientFixture, GUINT_TO_POINTER (1000),
              client_fixture_set_up, test_server_closes, client_fixture_tear_down);
  g_test_add ("/client/v2/server/shuts-down", ClientFixture, GUINT_TO_POINTER (1001),
              client_fixture_set_up, test_server_closes, client_fixture_tear_down);
  ADD_CLIENT_TEST ("/client/v2/server/vanishes", test_server_vanishes);
  ADD_CLIENT_TEST ("/client/v2/server/babbles", test_server_babbles);
  ADD_CLIENT_TEST ("/client/v2/cancel", test_cancel);
  ADD_CLIENT_TEST ("/client/v2/cancel-late", test_cancel_late);
  ADD_CLIENT_TEST ("/client/v2/close", test_close);
  ADD_CLIENT_TEST ("/client/v2/dispose", test_dispose);
  ADD_CLIENT_TEST ("/client/v2/unlisten/answered", test_unlisten);
  ADD_CLIENT_TEST ("/client/v2/unlisten/cancel", test_unlisten_cancel);
  ADD_CLIENT_TEST ("/client/v2/unlisten/tunnel-ends", test_unlisten_tunnel_ends);
  ADD_CLIENT_TEST ("/client/v2/unlisten/ends-client", test_unlisten_ends_client);
  ADD_CLIENT_TEST ("/client/v2/unlisten/drop", test_unlisten_drop);
  return g_test_run ();
}
