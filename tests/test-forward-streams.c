/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "loopback.h"
#include "tunnel.h"
#include "vt-forward-private.h"
#include "vt-stream-private.h"

/* One stream of a forward at the client's side, and one of another forward at the server's. */
typedef struct {
  Tunnel *tunnel;   /* owned */
  VtForward *here;  /* owned */
  VtForward *there; /* owned */
  VtStream *near;   /* owned */
  VtStream *far;    /* owned */
} Fixture;

static void
stream_opened_cb (VtMuxStream *stream, void *user_data)
{
  Fixture *self = user_data;

  self->near = vt_stream_new (stream, self->here, NULL);
  vt_mux_stream_accept (stream);
}

static void
set_up (Fixture *self, gconstpointer user_data)
{
  self->tunnel = tunnel_new (NULL, 1);
  self->tunnel->stream_opened = stream_opened_cb;
  self->tunnel->user_data = self;
  self->here = vt_forward_new (9000, NULL);
  self->there = vt_forward_new_remote (NULL, 9000);
  self->far = vt_stream_new (tunnel_open_stream (self->tunnel), self->there, NULL);
  RUN_UNTIL (self->near != NULL);
}

static void
tear_down (Fixture *self, gconstpointer user_data)
{
  g_clear_object (&self->near);
  g_clear_object (&self->far);
  g_clear_object (&self->here);
  g_clear_object (&self->there);
  g_clear_pointer (&self->tunnel, tunnel_free);
}

static void
assert_counters (VtForward *forward, unsigned int streams, guint64 sent, guint64 received)
{
  unsigned int n_streams;
  guint64 bytes_sent;
  guint64 bytes_received;

  g_object_get (forward, "n-streams", &n_streams, "bytes-sent", &bytes_sent, "bytes-received",
                &bytes_received, NULL);
  g_assert_cmpuint (n_streams, ==, streams);
  g_assert_cmpuint (bytes_sent, ==, sent);
  g_assert_cmpuint (bytes_received, ==, received);
}

static void
send_five (Fixture *self)
{
  GOutputStream *output = g_io_stream_get_output_stream (G_IO_STREAM (self->far));
  guint64 before = vt_stream_get_bytes_received (self->near);
  g_autoptr(GError) error = NULL;

  g_output_stream_write_all (output, "hello", 5, NULL, NULL, &error);
  g_assert_no_error (error);
  RUN_UNTIL (vt_stream_get_bytes_received (self->near) == before + 5);
}

/* The sum is that of the streams as they stand, and of those that are gone. */
static void
test_counters (Fixture *self, gconstpointer user_data)
{
  vt_forward_add_stream (self->here, self->near);
  vt_forward_add_stream (self->there, self->far);
  assert_counters (self->here, 1, 0, 0);

  send_five (self);
  assert_counters (self->here, 1, 0, 5);
  assert_counters (self->there, 1, 5, 0);

  vt_forward_remove_stream (self->here, self->near);
  vt_forward_remove_stream (self->here, self->near);
  assert_counters (self->here, 0, 0, 5);
  vt_forward_remove_stream (self->there, self->far);
  assert_counters (self->there, 0, 5, 0);

  vt_forward_add_stream (self->here, self->far);
  assert_counters (self->here, 1, 5, 5);
}

static void
count_cb (GObject *object, GParamSpec *pspec, unsigned int *count)
{
  ++*count;
}

static void
test_notify (Fixture *self, gconstpointer user_data)
{
  static const char *const names[] = { "notify::n-streams", "notify::bytes-sent",
                                       "notify::bytes-received" };
  unsigned int counts[G_N_ELEMENTS (names)] = { 0 };

  for (unsigned int i = 0; i < G_N_ELEMENTS (names); i++)
    g_signal_connect (self->here, names[i], G_CALLBACK (count_cb), &counts[i]);

  vt_forward_add_stream (self->here, self->near);
  for (unsigned int i = 0; i < G_N_ELEMENTS (names); i++)
    g_assert_cmpuint (counts[i], ==, 1);
  vt_forward_remove_stream (self->here, self->near);
  vt_forward_remove_stream (self->here, self->near);
  for (unsigned int i = 0; i < G_N_ELEMENTS (names); i++)
    g_assert_cmpuint (counts[i], ==, 2);
}

/* A forward keeps no stream alive. */
static void
test_weak (Fixture *self, gconstpointer user_data)
{
  vt_forward_add_stream (self->here, self->near);
  g_assert_finalize_object (g_steal_pointer (&self->near));
  g_assert_cmpuint (vt_forward_get_n_streams (self->here), ==, 0);
}

typedef struct {
  unsigned int n_asked;
  gboolean answer;
  VtStream *stream; /* not owned */
} Handler;

static gboolean
incoming_cb (VtForward *forward, VtStream *stream, Handler *handler)
{
  handler->n_asked++;
  handler->stream = stream;
  return handler->answer;
}

/* The first that takes it is the last that is asked. */
static void
test_offer (Fixture *self, gconstpointer user_data)
{
  Handler refuses = { .answer = FALSE };
  Handler takes = { .answer = TRUE };
  Handler never = { .answer = TRUE };

  g_assert_false (vt_forward_offer (self->here, self->near));

  g_signal_connect (self->here, "incoming", G_CALLBACK (incoming_cb), &refuses);
  g_assert_false (vt_forward_offer (self->here, self->near));
  g_assert_cmpuint (refuses.n_asked, ==, 1);
  g_assert_true (refuses.stream == self->near);

  g_signal_connect (self->here, "incoming", G_CALLBACK (incoming_cb), &takes);
  g_signal_connect (self->here, "incoming", G_CALLBACK (incoming_cb), &never);
  g_assert_true (vt_forward_offer (self->here, self->near));
  g_assert_cmpuint (refuses.n_asked, ==, 2);
  g_assert_cmpuint (takes.n_asked, ==, 1);
  g_assert_cmpuint (never.n_asked, ==, 0);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add ("/forward/streams/counters", Fixture, NULL, set_up, test_counters, tear_down);
  g_test_add ("/forward/streams/notify", Fixture, NULL, set_up, test_notify, tear_down);
  g_test_add ("/forward/streams/weak", Fixture, NULL, set_up, test_weak, tear_down);
  g_test_add ("/forward/incoming", Fixture, NULL, set_up, test_offer, tear_down);
  return g_test_run ();
}
