/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "client-fixture.h"
#include "vt-negotiation-private.h"

#define NOT_FOUND "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"

static unsigned int
count (GListModel *model)
{
  return g_list_model_get_n_items (model);
}

static void
test_open (ClientFixture *self, const void *data)
{
  g_assert_cmpint (vt_client_get_state (self->client), ==, VT_CLIENT_STATE_CLOSED);
  g_assert_cmpuint (vt_client_get_protocol (self->client), ==, 0);
  g_assert_cmpint (vt_client_get_rtt (self->client), ==, -1);
  client_fixture_open (self);
  g_assert_cmpuint (vt_client_get_protocol (self->client), ==, 1);
  g_assert_cmpint (vt_client_get_last_seen (self->client), >, 0);
  client_fixture_close (self);
  g_assert_cmpuint (vt_client_get_protocol (self->client), ==, 0);
  g_assert_cmpint (vt_client_get_last_seen (self->client), ==, 0);
  g_assert_cmpstr (self->states->str, ==, "1240");
}

static void
test_open_again (ClientFixture *self, const void *data)
{
  client_fixture_open (self);
  client_fixture_close (self);
  client_fixture_open (self);
  client_fixture_listen (self, self->forward);
  client_fixture_close (self);
  g_assert_cmpint (vt_forward_get_state (self->forward), ==, VT_FORWARD_STATE_IDLE);
  g_assert_cmpstr (self->states->str, ==, "12401240");
}

static void
test_open_twice (ClientFixture *self, const void *data)
{
  Outcome second = { 0 };

  vt_client_open_async (self->client, NULL, open_cb, &self->open);
  vt_client_open_async (self->client, NULL, open_cb, &second);
  RAW_WAIT (second.done);
  g_assert_error (second.error, G_IO_ERROR, G_IO_ERROR_PENDING);
  self->link = raw_server_wait_upgrade (self->server);
  RAW_WAIT (self->open.done);
  g_assert_no_error (self->open.error);
  outcome_clear (&second);
}

/* The state, the error and the forwards tell what open_finish () tells. */
static void
test_open_fails (ClientFixture *self, const void *data)
{
  vt_client_listen_async (self->client, self->forward, NULL, listen_cb, &self->listen);
  g_assert_cmpint (vt_forward_get_state (self->forward), ==, VT_FORWARD_STATE_PENDING);
  g_assert_cmpuint (count (vt_client_get_forwards (self->client)), ==, 1);
  vt_client_open_async (self->client, NULL, open_cb, &self->open);
  self->link = raw_server_wait_link (self->server);
  g_free (raw_link_read_head (self->link));
  raw_link_send (self->link, NOT_FOUND, strlen (NOT_FOUND));
  RAW_WAIT (self->open.done && self->listen.done);

  g_assert_error (self->open.error, VT_ERROR, VT_ERROR_NOT_A_TUNNEL);
  g_assert_error (self->listen.error, VT_ERROR, VT_ERROR_NOT_A_TUNNEL);
  g_assert_error (vt_client_get_error (self->client), VT_ERROR, VT_ERROR_NOT_A_TUNNEL);
  g_assert_error (vt_forward_get_error (self->forward), VT_ERROR, VT_ERROR_NOT_A_TUNNEL);
  g_assert_cmpint (vt_forward_get_state (self->forward), ==, VT_FORWARD_STATE_FAILED);
  g_assert_cmpuint (count (vt_client_get_forwards (self->client)), ==, 0);
  g_assert_cmpstr (self->states->str, ==, "10");
}

static void
test_open_cancel (ClientFixture *self, const void *data)
{
  g_autoptr(GCancellable) cancellable = g_cancellable_new ();

  vt_client_listen_async (self->client, self->forward, NULL, listen_cb, &self->listen);
  vt_client_open_async (self->client, cancellable, open_cb, &self->open);
  self->link = raw_server_wait_link (self->server);
  g_free (raw_link_read_head (self->link));
  g_cancellable_cancel (cancellable);
  RAW_WAIT (self->open.done && self->listen.done);
  g_assert_error (self->open.error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_error (self->listen.error, VT_ERROR, VT_ERROR_CANCELLED);
  g_assert_cmpint (vt_forward_get_state (self->forward), ==, VT_FORWARD_STATE_IDLE);
  g_assert_cmpint (vt_client_get_state (self->client), ==, VT_CLIENT_STATE_CLOSED);
  g_assert_no_error (vt_client_get_error (self->client));
  RAW_WAIT (raw_link_is_ended (self->link));
}

static void
test_close_connecting (ClientFixture *self, const void *data)
{
  vt_client_open_async (self->client, NULL, open_cb, &self->open);
  self->link = raw_server_wait_link (self->server);
  vt_client_close_async (self->client, NULL, close_cb, &self->close);
  g_assert_cmpint (vt_client_get_state (self->client), ==, VT_CLIENT_STATE_CLOSED);
  RAW_WAIT (self->open.done && self->close.done);
  g_assert_error (self->open.error, VT_ERROR, VT_ERROR_CANCELLED);
  g_assert_no_error (self->close.error);
  RAW_WAIT (raw_link_is_ended (self->link));
}

static void
test_close_closed (ClientFixture *self, const void *data)
{
  vt_client_listen_async (self->client, self->forward, NULL, listen_cb, &self->listen);
  vt_client_close_async (self->client, NULL, close_cb, &self->close);
  RAW_WAIT (self->close.done && self->listen.done);
  g_assert_no_error (self->close.error);
  g_assert_error (self->listen.error, VT_ERROR, VT_ERROR_CANCELLED);
  g_assert_cmpstr (self->states->str, ==, "");
}

static void
test_close_twice (ClientFixture *self, const void *data)
{
  Outcome second = { 0 };

  client_fixture_begin (self);
  vt_client_close_async (self->client, NULL, close_cb, &second);
  g_assert_cmpint (vt_client_get_state (self->client), ==, VT_CLIENT_STATE_CLOSING);
  client_fixture_close (self);
  RAW_WAIT (second.done);
  g_assert_no_error (second.error);
}

static void
closed_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  ClientFixture *self = user_data;

  g_assert_cmpstr (self->states->str, ==, "1240");
  close_cb (source, result, &self->close);
}

/* Whoever is called back has been told before. */
static void
test_close_told (ClientFixture *self, const void *data)
{
  client_fixture_begin (self);
  vt_client_close_async (self->client, NULL, closed_cb, self);
  g_assert_cmpuint (raw_link_read_close (self->link), ==, 1000);
  g_clear_pointer (&self->link, raw_link_free);
  RAW_WAIT (self->close.done);
}

/* A server that does not answer holds nobody up for long, and one who does not want to wait not at
 * all. */
static void
test_close_cancel (ClientFixture *self, const void *data)
{
  g_autoptr(GCancellable) cancellable = g_cancellable_new ();

  client_fixture_open (self);
  vt_client_close_async (self->client, cancellable, close_cb, &self->close);
  raw_settle ();
  g_assert_false (self->close.done);
  g_cancellable_cancel (cancellable);
  RAW_WAIT (self->close.done);
  g_assert_error (self->close.error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_cmpint (vt_client_get_state (self->client), ==, VT_CLIENT_STATE_CLOSING);
  g_assert_cmpuint (raw_link_read_close (self->link), ==, 1000);
  g_clear_pointer (&self->link, raw_link_free);
  RAW_WAIT (vt_client_get_state (self->client) == VT_CLIENT_STATE_CLOSED);
}

static void
test_close_listens (ClientFixture *self, const void *data)
{
  g_autoptr(VtForward) other = vt_forward_new (9001, NULL);
  Outcome late = { 0 };

  client_fixture_begin (self);
  outcome_clear (&self->listen);
  vt_client_listen_async (self->client, other, NULL, listen_cb, &self->listen);
  vt_client_close_async (self->client, NULL, close_cb, &self->close);
  vt_client_listen_async (self->client, other, NULL, listen_cb, &late);
  RAW_WAIT (late.done);
  g_assert_error (late.error, VT_ERROR, VT_ERROR_CANCELLED);
  raw_link_expect_text (self->link, "{\"type\":\"listen\",\"port\":9001}");
  g_assert_cmpuint (raw_link_read_close (self->link), ==, 1000);
  g_clear_pointer (&self->link, raw_link_free);
  RAW_WAIT (self->close.done && self->listen.done);
  g_assert_error (self->listen.error, VT_ERROR, VT_ERROR_CANCELLED);
  g_assert_cmpint (vt_forward_get_state (self->forward), ==, VT_FORWARD_STATE_IDLE);
  g_assert_cmpuint (vt_forward_get_bound_port (self->forward), ==, 0);
  g_assert_cmpuint (count (vt_client_get_forwards (self->client)), ==, 0);
  outcome_clear (&late);
}

static void
test_server_closes (ClientFixture *self, const void *data)
{
  static const struct {
    unsigned int code;
    int error;
  } codes[] = {
    { 1000, -1 },
    { 1001, VT_ERROR_SHUTTING_DOWN },
    { 1002, VT_ERROR_PROTOCOL },
    { 1008, VT_ERROR_LIMIT },
    { 1009, VT_ERROR_LIMIT },
    { 1011, VT_ERROR_FAILED },
    { 4242, VT_ERROR_FAILED },
  };

  for (size_t i = 0; i < G_N_ELEMENTS (codes); i++)
    {
      client_fixture_begin (self);
      raw_link_send_close (self->link, codes[i].code, "so\x01so");
      g_assert_cmpuint (raw_link_read_close (self->link), ==, codes[i].code);
      g_clear_pointer (&self->link, raw_link_free);
      RAW_WAIT (vt_client_get_state (self->client) == VT_CLIENT_STATE_CLOSED);
      if (codes[i].error < 0)
        {
          g_assert_no_error (vt_client_get_error (self->client));
          g_assert_cmpint (vt_forward_get_state (self->forward), ==, VT_FORWARD_STATE_IDLE);
          continue;
        }
      g_assert_error (vt_client_get_error (self->client), VT_ERROR, codes[i].error);
      g_assert_null (strchr (vt_client_get_error (self->client)->message, '\x01'));
      g_assert_nonnull (strstr (vt_client_get_error (self->client)->message, "so\\"));
      g_assert_error (vt_forward_get_error (self->forward), VT_ERROR, codes[i].error);
    }
}

static void
test_server_vanishes (ClientFixture *self, const void *data)
{
  g_autoptr(VtForward) other = vt_forward_new (9001, NULL);

  client_fixture_begin (self);
  outcome_clear (&self->listen);
  vt_client_listen_async (self->client, other, NULL, listen_cb, &self->listen);
  raw_link_reset (self->link);
  RAW_WAIT (vt_client_get_state (self->client) == VT_CLIENT_STATE_CLOSED);
  g_assert_error (vt_client_get_error (self->client), VT_ERROR, VT_ERROR_FAILED);
  RAW_WAIT (self->listen.done);
  g_assert_error (self->listen.error, VT_ERROR, VT_ERROR_FAILED);
  g_assert_cmpint (vt_forward_get_state (self->forward), ==, VT_FORWARD_STATE_FAILED);
  g_assert_cmpstr (self->states->str, ==, "120");
}

static void
test_server_silent (ClientFixture *self, const void *data)
{
  vt_client_set_ping_interval (self->client, 1);
  vt_client_set_ping_timeout (self->client, 1);
  client_fixture_open (self);
  raw_link_expect_text (self->link, "{\"type\":\"ping\"}");
  raw_link_send_text (self->link, "{\"type\":\"pong\"}");
  RAW_WAIT (vt_client_get_rtt (self->client) >= 0);
  RAW_WAIT (vt_client_get_state (self->client) == VT_CLIENT_STATE_CLOSED);
  g_assert_error (vt_client_get_error (self->client), VT_ERROR, VT_ERROR_TIMED_OUT);
  RAW_WAIT (raw_link_is_ended (self->link));
}

/* The last reference goes while the client is being opened. */
static void
test_drop_connecting (ClientFixture *self, const void *data)
{
  vt_client_open_async (self->client, NULL, open_cb, &self->open);
  g_object_add_weak_pointer (G_OBJECT (self->client), (void **) &self->client);
  g_object_unref (self->client);
  g_assert_nonnull (self->client);
  self->link = raw_server_wait_upgrade (self->server);
  RAW_WAIT (self->open.done);
  g_assert_no_error (self->open.error);
  RAW_WAIT (self->client == NULL);
  RAW_WAIT (raw_link_is_ended (self->link));
}

static void
drop_cb (VtClient *client, GParamSpec *pspec, gpointer user_data)
{
  ClientFixture *self = user_data;

  if (vt_client_get_state (client) == VT_CLIENT_STATE_CLOSED)
    g_clear_object (&self->client);
}

static void
test_drop_closing (ClientFixture *self, const void *data)
{
  client_fixture_begin (self);
  g_signal_connect (self->client, "notify::state", G_CALLBACK (drop_cb), self);
  raw_link_send_close (self->link, 1001, "");
  g_assert_cmpuint (raw_link_read_close (self->link), ==, 1001);
  g_clear_pointer (&self->link, raw_link_free);
  RAW_WAIT (self->client == NULL);
}

static void
test_headers (ClientFixture *self, const void *data)
{
  g_autofree char *head = NULL;

  vt_client_set_header (self->client, "X-One", "1");
  vt_client_set_header (self->client, "x-one", "2");
  vt_client_set_header (self->client, "X-Two", "2");
  vt_client_set_header (self->client, "X-Two", NULL);
  vt_client_set_header (self->client, "Authorization", "Basic eDp5");
  g_object_set (self->client, "token", "hush", NULL);
  vt_client_open_async (self->client, NULL, open_cb, &self->open);
  self->link = raw_server_wait_link (self->server);
  head = raw_link_read_head (self->link);
  g_assert_nonnull (strstr (head, "\r\nx-one: 2\r\n"));
  g_assert_null (strstr (head, "X-One"));
  g_assert_null (strstr (head, "X-Two"));
  g_assert_nonnull (strstr (head, "\r\nAuthorization: Bearer hush\r\n"));
  g_assert_null (strstr (head, "Basic"));
  g_assert_nonnull (strstr (head, "\r\nUser-Agent: libvtunnel/"));
  raw_link_upgrade (self->link, head, NULL);
  RAW_WAIT (self->open.done);
  g_assert_no_error (self->open.error);
}

static char *
read_request (ClientFixture *self)
{
  char *head;

  vt_client_open_async (self->client, NULL, open_cb, &self->open);
  self->link = raw_server_wait_link (self->server);
  head = raw_link_read_head (self->link);
  raw_link_upgrade (self->link, head, NULL);
  RAW_WAIT (self->open.done);
  g_assert_no_error (self->open.error);
  g_assert_cmpuint (vt_client_get_protocol (self->client), ==, 1);
  return head;
}

/* A server that knows nothing newer does not look at it, and is spoken to as ever. */
static void
test_offer (ClientFixture *self, const void *data)
{
  g_autofree char *head = NULL;

  vt_client_set_max_protocol (self->client, 2);
  head = read_request (self);
  g_assert_nonnull (strstr (head, "\r\nSec-WebSocket-Protocol: vtunnel.v2\r\n"));
  client_fixture_listen (self, self->forward);
}

static void
test_offer_nothing (ClientFixture *self, const void *data)
{
  g_autofree char *head = NULL;

  vt_client_set_max_protocol (self->client, 1);
  head = read_request (self);
  g_assert_null (strstr (head, "Sec-WebSocket-Protocol"));
}

/* The variable is for whoever looks for the cause of a problem, and cannot change the program. */
static void
test_offer_variable (ClientFixture *self, const void *data)
{
  g_autofree char *head = NULL;

  vt_client_set_max_protocol (self->client, 2);
  g_setenv ("VT_PROTOCOL", "1", TRUE);
  head = read_request (self);
  g_unsetenv ("VT_PROTOCOL");
  g_assert_null (strstr (head, "Sec-WebSocket-Protocol"));
}

static void
test_headers_invalid (void)
{
  static const char *const fields[][2] = {
    { "", "x" },
    { "A b", "x" },
    { "A:", "x" },
    { "A", "x\r\nB: y" },
    { "A", "x\ny" },
    { "A", "\x7f" },
    { "Host", "x" },
    { "upgrade", "x" },
    { "Connection", "" },
    { "\xc3\xa4", "x" },
    { "sec-websocket-key", "x" },
  };

  for (size_t i = 0; i < G_N_ELEMENTS (fields); i++)
    {
      g_autoptr(VtClient) client = vt_client_new ("ws://127.0.0.1/");

      g_test_expect_message ("vtunnel", G_LOG_LEVEL_CRITICAL, "*is_valid_header*");
      vt_client_set_header (client, fields[i][0], fields[i][1]);
      g_test_assert_expected_messages ();
    }
}

static void
test_token_invalid (ClientFixture *self, const void *data)
{
  static const char *const tokens[] = { "", "two words", "line\r\nbreak", "\xc3\xa4" };

  for (size_t i = 0; i < G_N_ELEMENTS (tokens); i++)
    {
      outcome_clear (&self->open);
      vt_client_set_token (self->client, tokens[i]);
      vt_client_open_async (self->client, NULL, open_cb, &self->open);
      RAW_WAIT (self->open.done);
      g_assert_error (self->open.error, VT_ERROR, VT_ERROR_INVALID_ARGUMENT);
      g_assert_error (vt_client_get_error (self->client), VT_ERROR, VT_ERROR_INVALID_ARGUMENT);
      g_assert_cmpint (vt_client_get_state (self->client), ==, VT_CLIENT_STATE_CLOSED);
    }
}

static void
test_token_unencrypted (void)
{
  g_autoptr(VtClient) client = vt_client_new ("ws://192.0.2.1/");
  Outcome open = { 0 };

  vt_client_set_token (client, "hush");
  vt_client_open_async (client, NULL, open_cb, &open);
  RAW_WAIT (open.done);
  g_assert_error (open.error, VT_ERROR, VT_ERROR_INVALID_ARGUMENT);
  outcome_clear (&open);
}

static void
test_properties (ClientFixture *self, const void *data)
{
  g_autoptr(SoupSession) session = soup_session_new ();
  unsigned int n_notified = 0;

  g_assert_cmpuint (vt_client_get_ping_interval (self->client), ==, 30);
  g_assert_cmpuint (vt_client_get_ping_timeout (self->client), ==, 15);
  g_assert_cmpuint (vt_client_get_max_protocol (self->client), ==, VT_NEGOTIATION_DEFAULT_MAX);
  g_signal_connect_swapped (self->client, "notify", G_CALLBACK (g_atomic_int_inc), &n_notified);
  for (int i = 0; i < 2; i++)
    {
      g_object_set (self->client, "ping-interval", 0, "ping-timeout", 1, "soup-session", session,
                    "max-protocol", 3 - VT_NEGOTIATION_DEFAULT_MAX, NULL);
      g_assert_cmpuint (n_notified, ==, 4);
    }
  g_assert_cmpuint (vt_client_get_max_protocol (self->client), ==, 3 - VT_NEGOTIATION_DEFAULT_MAX);
  g_assert_true (vt_client_get_soup_session (self->client) == session);
  g_assert_false (g_object_class_find_property (G_OBJECT_GET_CLASS (self->client), "token")->flags
                  & G_PARAM_READABLE);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  ADD_CLIENT_TEST ("/client/open/once", test_open);
  ADD_CLIENT_TEST ("/client/open/again", test_open_again);
  ADD_CLIENT_TEST ("/client/open/twice", test_open_twice);
  ADD_CLIENT_TEST ("/client/open/fails", test_open_fails);
  ADD_CLIENT_TEST ("/client/open/cancel", test_open_cancel);
  ADD_CLIENT_TEST ("/client/close/connecting", test_close_connecting);
  ADD_CLIENT_TEST ("/client/close/closed", test_close_closed);
  ADD_CLIENT_TEST ("/client/close/twice", test_close_twice);
  ADD_CLIENT_TEST ("/client/close/told", test_close_told);
  ADD_CLIENT_TEST ("/client/close/cancel", test_close_cancel);
  ADD_CLIENT_TEST ("/client/close/listens", test_close_listens);
  ADD_CLIENT_TEST ("/client/server/closes", test_server_closes);
  ADD_CLIENT_TEST ("/client/server/vanishes", test_server_vanishes);
  ADD_CLIENT_TEST ("/client/server/silent", test_server_silent);
  ADD_CLIENT_TEST ("/client/drop/connecting", test_drop_connecting);
  ADD_CLIENT_TEST ("/client/drop/closing", test_drop_closing);
  ADD_CLIENT_TEST ("/client/request/headers", test_headers);
  ADD_CLIENT_TEST ("/client/request/offer", test_offer);
  ADD_CLIENT_TEST ("/client/request/offer-nothing", test_offer_nothing);
  ADD_CLIENT_TEST ("/client/request/offer-variable", test_offer_variable);
  g_test_add_func ("/client/request/invalid-headers", test_headers_invalid);
  ADD_CLIENT_TEST ("/client/request/invalid-token", test_token_invalid);
  g_test_add_func ("/client/request/unencrypted-token", test_token_unencrypted);
  ADD_CLIENT_TEST ("/client/properties", test_properties);
  return g_test_run ();
}
