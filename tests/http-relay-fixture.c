/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "http-relay-fixture.h"

#include <string.h>

#include "loopback.h"
#include "vt-error.h"

/* A target. */

void
peer_write (Peer *self)
{
  size_t space;
  uint8_t *place;

  while (self->sent < self->to_send->len
         && (place = vt_mux_stream_begin_write (self->mux, &space)) != NULL)
    {
      size_t n = self->fixture->cuts ? (size_t) g_test_rand_int_range (1, 30) : space;

      n = MIN (MIN (n, space), self->to_send->len - self->sent);
      memcpy (place, self->to_send->str + self->sent, n);
      vt_mux_stream_end_write (self->mux, n);
      self->sent += n;
    }
  if (self->sent == self->to_send->len && self->end_when_sent && !self->over)
    vt_mux_stream_shutdown (self->mux);
}

void
peer_answer (Peer *self)
{
  Fixture *fixture = self->fixture;
  const Exchange *exchange = &fixture->exchanges[fixture->n_answered];

  if (fixture->n_answered == fixture->n_exchanges
      || strcmp (self->received->str, exchange->request) != 0)
    return;
  fixture->n_answered++;
  g_string_truncate (self->received, 0);
  g_string_append (self->to_send, exchange->answer);
  self->end_when_sent = g_str_has_suffix (exchange->answer, "end");
  peer_write (self);
}

static void
peer_readable_cb (VtMuxStream *mux, void *user_data)
{
  Peer *self = user_data;
  const uint8_t *data;
  size_t length;

  while ((data = vt_mux_stream_peek (mux, &length)) != NULL)
    {
      g_string_append_len (self->received, (const char *) data, (gssize) length);
      vt_mux_stream_consume (mux, length);
    }
  peer_answer (self);
  if (vt_mux_stream_at_end (mux))
    {
      self->end_when_sent = TRUE;
      peer_write (self);
    }
}

static void
peer_writable_cb (VtMuxStream *mux, void *user_data)
{
  peer_write (user_data);
}

static void
peer_closed_cb (VtMuxStream *mux, const GError *error, void *user_data)
{
  ((Peer *) user_data)->over = TRUE;
}

static void
peer_free (void *data)
{
  Peer *self = data;

  vt_mux_stream_set_handlers (self->mux, NULL, NULL);
  vt_mux_stream_unref (self->mux);
  g_string_free (self->received, TRUE);
  g_string_free (self->to_send, TRUE);
  g_free (self);
}

static void
stream_opened_cb (VtMuxStream *stream, void *user_data)
{
  static const VtMuxStreamHandlers handlers = {
    .readable = peer_readable_cb,
    .writable = peer_writable_cb,
    .closed = peer_closed_cb,
  };
  Fixture *fixture = user_data;
  Peer *self = g_new0 (Peer, 1);

  self->fixture = fixture;
  self->mux = vt_mux_stream_ref (stream);
  self->received = g_string_new (NULL);
  self->to_send = g_string_new (NULL);
  vt_mux_stream_set_handlers (stream, &handlers, self);
  vt_mux_stream_accept (stream);
  g_ptr_array_add (fixture->peers, self);
}

/* The owner. */

static VtForward *
find_cb (const char *host, void *user_data)
{
  Fixture *self = user_data;

  if (strcmp (host, "a.example") == 0)
    return self->forwards[0];
  return strcmp (host, "b.example") == 0 ? self->forwards[1] : NULL;
}

static void
stream_finished_cb (VtStream *stream, const GError *error, void *user_data)
{
  ((Fixture *) user_data)->n_finished_streams++;
}

static VtStream *
open_cb (VtHttpRelay *relay, VtForward *forward, GError **error, void *user_data)
{
  Fixture *self = user_data;
  VtStream *stream;

  if (self->refusal != NULL)
    {
      g_propagate_error (error, g_error_copy (self->refusal));
      return NULL;
    }
  stream = vt_stream_new (tunnel_open_stream (self->tunnel), forward, NULL);
  vt_stream_set_finished_func (stream, stream_finished_cb, self);
  return stream;
}

static void
routed_cb (VtHttpRelay *relay, gboolean routed, void *user_data)
{
  Fixture *self = user_data;

  if (routed)
    self->n_routed++;
  else
    self->n_unrouted++;
}

static void
finished_cb (VtHttpRelay *relay, void *user_data)
{
  Fixture *self = user_data;

  g_assert_true (relay == self->relay);
  g_clear_pointer (&self->relay, vt_http_relay_free);
}

static const VtHttpRelayHandlers handlers = {
  .find = find_cb,
  .open = open_cb,
  .routed = routed_cb,
  .finished = finished_cb,
};

void
fixture_begin (Fixture *self, const char *begun)
{
  g_autoptr(GByteArray) bytes = g_byte_array_new ();
  g_autoptr(GError) error = NULL;
  int fds[2];

  g_byte_array_append (bytes, (const uint8_t *) begun, (unsigned int) strlen (begun));
  loopback_pair (fds);
  self->user = talker_new (fds[1]);
  self->relay = vt_http_relay_new (fds[0], bytes, &handlers, self, &error);
  g_assert_no_error (error);
  vt_http_relay_start (self->relay, VT_HTTP_RELAY_HEAD_DEADLINE);
}

void
fixture_set_up (Fixture *self, gconstpointer data)
{
  self->poller = loopback_warm_up ();
  self->n_descriptors = loopback_count_descriptors ();
  self->tunnel = tunnel_new (NULL, 2);
  self->tunnel->stream_opened = stream_opened_cb;
  self->tunnel->user_data = self;
  self->peers = g_ptr_array_new_with_free_func (peer_free);
  for (unsigned int i = 0; i < 2; i++)
    self->forwards[i] = vt_forward_new (0, NULL);
}

void
fixture_tear_down (Fixture *self, gconstpointer data)
{
  g_autoptr(GError) error = g_error_new_literal (VT_ERROR, VT_ERROR_CANCELLED, "over");

  g_clear_pointer (&self->relay, vt_http_relay_free);
  g_clear_pointer (&self->user, talker_free);
  tunnel_break (self->tunnel, error);
  RUN_UNTIL (loopback_count_descriptors () <= self->n_descriptors);
  g_assert_cmpuint (self->n_finished_streams, ==, self->peers->len);
  g_ptr_array_unref (self->peers);
  tunnel_free (self->tunnel);
  for (unsigned int i = 0; i < 2; i++)
    g_object_unref (self->forwards[i]);
  g_clear_error (&self->refusal);
  vt_poller_unref (self->poller);
}

void
fixture_use (Fixture *self, const Exchange *exchanges, unsigned int n_exchanges)
{
  self->exchanges = exchanges;
  self->n_exchanges = n_exchanges;
}

Peer *
fixture_peer (Fixture *self, unsigned int n)
{
  return g_ptr_array_index (self->peers, n);
}
