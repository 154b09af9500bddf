/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "client-fixture.h"

typedef struct {
  GIOStream *connection; /* owned */
  unsigned int *count;   /* not owned */
} Echo;

static void
echo_done_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Echo *echo = user_data;

  g_output_stream_splice_finish (G_OUTPUT_STREAM (source), result, NULL);
  --*echo->count;
  g_object_unref (echo->connection);
  g_free (echo);
}

static gboolean
echo_cb (GSocketService *service, GSocketConnection *connection, GObject *source, gpointer count)
{
  Echo *echo = g_new0 (Echo, 1);

  echo->connection = G_IO_STREAM (g_object_ref (connection));
  echo->count = count;
  ++*echo->count;
  g_output_stream_splice_async (g_io_stream_get_output_stream (echo->connection),
                                g_io_stream_get_input_stream (echo->connection),
                                G_OUTPUT_STREAM_SPLICE_CLOSE_SOURCE
                                    | G_OUTPUT_STREAM_SPLICE_CLOSE_TARGET,
                                G_PRIORITY_DEFAULT, NULL, echo_done_cb, echo);
  return TRUE;
}

static VtForward *
new_forward (ClientFixture *self)
{
  g_autofree char *text = NULL;
  g_autoptr(VtTarget) target = NULL;
  g_autoptr(GError) error = NULL;
  guint16 port;

  self->target = g_socket_service_new ();
  port = g_socket_listener_add_any_inet_port (G_SOCKET_LISTENER (self->target), NULL, &error);
  g_assert_no_error (error);
  g_signal_connect (self->target, "incoming", G_CALLBACK (echo_cb), &self->n_targets);
  g_socket_service_start (self->target);
  text = g_strdup_printf ("127.0.0.1:%u", port);
  target = vt_target_parse (text, &error);
  g_assert_no_error (error);
  return vt_forward_new (9000, target);
}

static void
state_cb (VtClient *client, GParamSpec *pspec, gpointer user_data)
{
  ClientFixture *self = user_data;

  g_string_append_printf (self->states, "%d", vt_client_get_state (client));
  g_string_append_printf (self->told, "%d", vt_client_get_state (client));
}

static void
stream_opened_cb (VtClient *client, VtStream *stream, gpointer user_data)
{
  ClientFixture *self = user_data;

  g_string_append_c (self->streams, '+');
  g_string_append_c (self->told, '+');
}

static void
stream_closed_cb (VtClient *client, VtStream *stream, const GError *error, gpointer user_data)
{
  ClientFixture *self = user_data;

  g_string_append_c (self->streams, '-');
  g_string_append_c (self->told, '-');
  g_clear_error (&self->stream_error);
  self->stream_error = error != NULL ? g_error_copy (error) : NULL;
}

void
client_fixture_set_up (ClientFixture *self, const void *data)
{
  g_autofree char *uri = NULL;

  self->states = g_string_new (NULL);
  self->streams = g_string_new (NULL);
  self->told = g_string_new (NULL);
  self->server = raw_server_new (NULL);
  self->forward = new_forward (self);
  uri = raw_server_get_uri (self->server, "ws");
  self->client = vt_client_new (uri);
  /* One thing at a time: see reconnect-fixture.c. */
  vt_client_set_reconnect (self->client, FALSE);
  g_signal_connect (self->client, "notify::state", G_CALLBACK (state_cb), self);
  g_signal_connect (self->client, "stream-opened", G_CALLBACK (stream_opened_cb), self);
  g_signal_connect (self->client, "stream-closed", G_CALLBACK (stream_closed_cb), self);
}

void
client_fixture_tear_down (ClientFixture *self, const void *data)
{
  if (self->client != NULL)
    {
      g_object_add_weak_pointer (G_OBJECT (self->client), (void **) &self->client);
      g_object_unref (self->client);
    }
  raw_settle ();
  g_assert_null (self->client);
  g_assert_cmpuint (vt_forward_get_n_streams (self->forward), ==, 0);
  RAW_WAIT (self->n_targets == 0);
  g_object_add_weak_pointer (G_OBJECT (self->forward), (void **) &self->forward);
  g_object_unref (self->forward);
  g_assert_null (self->forward);

  g_clear_pointer (&self->link, raw_link_free);
  g_clear_pointer (&self->server, raw_server_free);
  g_socket_service_stop (self->target);
  g_socket_listener_close (G_SOCKET_LISTENER (self->target));
  g_clear_object (&self->target);
  outcome_clear (&self->open);
  outcome_clear (&self->close);
  outcome_clear (&self->listen);
  outcome_clear (&self->unlisten);
  g_clear_error (&self->stream_error);
  g_string_free (self->states, TRUE);
  g_string_free (self->streams, TRUE);
  g_string_free (self->told, TRUE);
  raw_settle ();
}

void
outcome_clear (Outcome *self)
{
  g_clear_error (&self->error);
  self->done = self->success = FALSE;
}

#define DEFINE_CALLBACK(name)                                                                      \
  void name##_cb (GObject *source, GAsyncResult *result, gpointer outcome)                         \
  {                                                                                                \
    Outcome *self = outcome;                                                                       \
                                                                                                   \
    g_assert_false (self->done);                                                                   \
    self->done = TRUE;                                                                             \
    self->success = vt_client_##name##_finish (VT_CLIENT (source), result, &self->error);          \
    g_assert_true (self->success == (self->error == NULL));                                        \
  }

DEFINE_CALLBACK (open)
DEFINE_CALLBACK (close)
DEFINE_CALLBACK (listen)
DEFINE_CALLBACK (unlisten)

void
client_fixture_open (ClientFixture *self)
{
  outcome_clear (&self->open);
  g_clear_pointer (&self->link, raw_link_free);
  vt_client_open_async (self->client, NULL, open_cb, &self->open);
  self->link = raw_server_wait_upgrade (self->server);
  RAW_WAIT (self->open.done);
  g_assert_no_error (self->open.error);
  g_assert_cmpint (vt_client_get_state (self->client), ==, VT_CLIENT_STATE_OPEN);
}

void
client_fixture_listen (ClientFixture *self, VtForward *forward)
{
  outcome_clear (&self->listen);
  vt_client_listen_async (self->client, forward, NULL, listen_cb, &self->listen);
  g_assert_cmpint (vt_forward_get_state (forward), ==, VT_FORWARD_STATE_PENDING);
  raw_link_expect_text (self->link, "{\"type\":\"listen\",\"port\":9000}");
  raw_link_send_text (self->link, "{\"type\":\"listen_ok\",\"port\":9000}");
  RAW_WAIT (self->listen.done);
  g_assert_no_error (self->listen.error);
  g_assert_cmpint (vt_forward_get_state (forward), ==, VT_FORWARD_STATE_LISTENING);
}

void
client_fixture_close (ClientFixture *self)
{
  outcome_clear (&self->close);
  vt_client_close_async (self->client, NULL, close_cb, &self->close);
  g_assert_cmpuint (raw_link_read_close (self->link), ==, 1000);
  RAW_WAIT (raw_link_is_ended (self->link));
  g_clear_pointer (&self->link, raw_link_free);
  RAW_WAIT (self->close.done);
  g_assert_no_error (self->close.error);
  g_assert_cmpint (vt_client_get_state (self->client), ==, VT_CLIENT_STATE_CLOSED);
  g_assert_no_error (vt_client_get_error (self->client));
}

void
client_fixture_begin (ClientFixture *self)
{
  client_fixture_open (self);
  client_fixture_listen (self, self->forward);
}
