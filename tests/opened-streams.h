/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <string.h>

#include "server-fixture.h"

/* Streams that the server's application opens to a client, which is written by hand. */

#define LISTEN_NONE(more) "{\"type\":\"listen\",\"id\":7,\"kind\":\"none\"" more "}"

typedef struct {
  VtStream *stream; /* owned, nullable */
  GError *error;    /* owned, nullable */
  gboolean done;
  gboolean drop; /* the stream, at once */
} Opening;

static void
opened_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Opening *self = user_data;

  g_assert_false (self->done);
  self->done = TRUE;
  self->stream = vt_session_open_stream_finish (VT_SESSION (source), result, &self->error);
  g_assert_true ((self->stream != NULL) != (self->error != NULL));
  if (self->drop)
    g_clear_object (&self->stream);
}

static gboolean
is_done (void *user_data)
{
  return ((Opening *) user_data)->done;
}

static inline void
opening_clear (Opening *self)
{
  g_clear_object (&self->stream);
  g_clear_error (&self->error);
  *self = (Opening){ 0 };
}

static inline void
expect_failed (Opening *self, GQuark domain, int code)
{
  raw_wait (is_done, self);
  g_assert_error (self->error, domain, code);
  opening_clear (self);
}

/* A client that has a forward without a port. */
static inline V2Peer *
enter (ServerFixture *fixture)
{
  g_autofree char *answer = NULL;
  V2Peer *client;

  vt_server_set_allow_streams (fixture->server, TRUE);
  client = v2_peer_enter (fixture->port);
  server_fixture_expect (fixture, "+session ");
  v2_peer_send_text (client, LISTEN_NONE (",\"names\":[\"files\",\"more\"]"));
  answer = v2_peer_wait_text (client, "{\"type\":\"listen_ok\",\"id\":7,");
  g_assert_cmpstr (answer, ==, "{\"type\":\"listen_ok\",\"id\":7,\"port\":0}");
  return client;
}

static inline VtForward *
get_forward (ServerFixture *fixture)
{
  GListModel *forwards = vt_session_get_forwards (fixture->session);
  VtForward *forward = g_list_model_get_item (forwards, 0);

  g_assert_nonnull (forward);
  g_object_unref (forward);
  return forward;
}

static inline unsigned int
count_streams (ServerFixture *fixture)
{
  return g_list_model_get_n_items (vt_session_get_streams (fixture->session));
}

static inline void
ask (ServerFixture *fixture, GCancellable *cancellable, Opening *opening)
{
  vt_session_open_stream_async (fixture->session, get_forward (fixture), NULL, cancellable,
                                opened_cb, opening);
}

/* Up to the client's answer. */
static inline void
begin (ServerFixture *fixture, V2Peer *client, GCancellable *cancellable, Opening *opening)
{
  g_autofree char *open = NULL;

  ask (fixture, cancellable, opening);
  server_fixture_expect (fixture, "+stream1 ");
  open = v2_peer_wait (client, V2_OPEN, 1);
  g_assert_false (opening->done);
  g_assert_cmpuint (count_streams (fixture), ==, 1);
}

static inline void
open_stream (ServerFixture *fixture, V2Peer *client, Opening *opening)
{
  begin (fixture, client, NULL, opening);
  v2_peer_send (client, V2_OPENED, 1, "");
  raw_wait (is_done, opening);
  g_assert_no_error (opening->error);
}

static inline GOutputStream *
output_of (Opening *opening)
{
  return g_io_stream_get_output_stream (G_IO_STREAM (opening->stream));
}

static inline void
write_text (Opening *opening, const char *text)
{
  g_autoptr(GError) error = NULL;

  g_output_stream_write_all (output_of (opening), text, strlen (text), NULL, NULL, &error);
  g_assert_no_error (error);
}

typedef struct {
  Opening *opening;
  GString *text; /* owned */
  size_t length;
} Reading;

static gboolean
has_read (void *user_data)
{
  Reading *self = user_data;
  GInputStream *input = g_io_stream_get_input_stream (G_IO_STREAM (self->opening->stream));
  char block[64];
  gssize n = g_input_stream_read (input, block, sizeof block, NULL, NULL);

  if (n > 0)
    g_string_append_len (self->text, block, n);
  return self->text->len >= self->length;
}

static inline void
expect_text (Opening *opening, const char *text)
{
  Reading reading = { opening, g_string_new (NULL), strlen (text) };

  raw_wait (has_read, &reading);
  g_assert_cmpstr (reading.text->str, ==, text);
  g_string_free (reading.text, TRUE);
}

static inline void
expect_data (V2Peer *client, const char *text)
{
  g_autofree char *payload = v2_peer_wait (client, V2_DATA, 1);

  g_assert_cmpstr (payload, ==, text);
}

static inline void
expect_frame (V2Peer *client, int type)
{
  g_free (v2_peer_wait (client, type, 1));
}
