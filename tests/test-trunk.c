/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "trunk-end.h"

typedef struct {
  End client;
  End server;
  int fd; /* the peer by hand, or -1 */
} Fixture;

static void
set_up_pair (Fixture *self, const void *data)
{
  int fd;
  g_autoptr(GIOStream) client = ws_stream_to_fd (&fd);
  g_autoptr(GIOStream) server = ws_stream_for_fd (fd);

  self->fd = -1;
  end_begin_role (&self->client, client, VT_MUX_CLIENT, 1);
  end_begin_role (&self->server, server, VT_MUX_SERVER, 1);
}

static void
set_up_raw (Fixture *self, const void *data)
{
  g_autoptr(GIOStream) server = ws_stream_to_fd (&self->fd);
  VtTrunkConfig config;

  end_config_init (&config, VT_MUX_SERVER, 1);
  if (data != NULL)
    config.mux.ping_interval = config.mux.ping_timeout = G_USEC_PER_SEC;
  end_begin (&self->server, server, &config);
}

static void
tear_down (Fixture *self, const void *data)
{
  end_clear (&self->client);
  end_clear (&self->server);
  if (self->fd >= 0)
    close (self->fd);
}

/* Opens a port and a stream. */
static void
open_stream (Fixture *self)
{
  const VtMuxListen listen = { .port = 9000 };

  vt_mux_listen (vt_trunk_get_mux (self->client.trunk), 7, &listen);
  ws_wait (self->client.port == 9000);
  end_take_stream (&self->server,
                   vt_mux_open_stream (vt_trunk_get_mux (self->server.trunk), 1, NULL, NULL, NULL));
}

static void
test_both_ways (Fixture *self, const void *data)
{
  size_t space = 0;
  size_t length = 0;
  uint8_t *place;

  open_stream (self);
  ws_wait (self->client.stream != NULL);
  g_assert_cmpuint (self->client.listen_id, ==, 7);
  vt_mux_stream_accept (self->client.stream);
  place = vt_mux_stream_begin_write (self->client.stream, &space);
  g_assert_nonnull (place);
  memcpy (place, "hello", 5);
  vt_mux_stream_end_write (self->client.stream, 5);
  ws_wait (vt_mux_stream_peek (self->server.stream, &length) != NULL);
  g_assert_cmpmem (vt_mux_stream_peek (self->server.stream, &length), length, "hello", 5);
  g_assert_cmpstr (self->client.heard->str, ==, "ls");
  g_assert_cmpstr (self->server.heard->str, ==, "q");
}

/* Streams hear of the end before the owner. Whoever began it, both sides see it alike. */
static void
test_close (Fixture *self, const void *data)
{
  unsigned int code = GPOINTER_TO_UINT (data);

  open_stream (self);
  ws_wait (self->client.stream != NULL);
  vt_trunk_close (self->server.trunk, code, "enough");
  g_assert_null (vt_trunk_get_mux (self->server.trunk));
  vt_trunk_close (self->server.trunk, 1002, "once is enough");
  g_assert_cmpstr (self->server.heard->str, ==, "q");
  ws_wait (self->client.error != NULL || end_has_heard (&self->client, 'c'));
  ws_wait (end_has_heard (&self->server, 'c'));
  g_assert_cmpstr (self->client.heard->str, ==, "lsxc");
  g_assert_cmpstr (self->server.heard->str, ==, "qxc");
  if (code == 1000)
    {
      g_assert_no_error (self->client.error);
      g_assert_no_error (self->server.error);
      return;
    }
  g_assert_error (self->client.error, VT_ERROR, VT_ERROR_SHUTTING_DOWN);
  g_assert_error (self->server.error, VT_ERROR, VT_ERROR_SHUTTING_DOWN);
  g_assert_nonnull (strstr (self->client.error->message, "enough"));
}

/* Freed in an event, nothing is told any more, and the other side sees an end. */
static void
test_free_in (Fixture *self, const void *data)
{
  const char *letter = data;

  self->client.free_in = *letter;
  open_stream (self);
  if (*letter == 'x')
    {
      ws_wait (self->client.stream != NULL);
      vt_mux_stream_shutdown (self->server.stream);
    }
  if (*letter == 'c')
    vt_trunk_close (self->server.trunk, 1000, NULL);
  ws_wait (self->client.trunk == NULL);
  ws_wait (self->client.n_gates == 0);
  ws_wait (end_has_heard (&self->server, 'c'));
  g_assert_true (g_str_has_suffix (self->client.heard->str, letter));
}

static void
test_free_closing (Fixture *self, const void *data)
{
  vt_trunk_close (self->client.trunk, 1000, NULL);
  g_clear_pointer (&self->client.trunk, vt_trunk_free);
  ws_wait (end_has_heard (&self->server, 'c'));
  g_assert_error (self->server.error, VT_ERROR, VT_ERROR_FAILED);
  g_assert_cmpstr (self->client.heard->str, ==, "");
}

static unsigned int
read_close_code (Fixture *self)
{
  g_autoptr(GByteArray) bytes = g_byte_array_new ();
  size_t at = 0;

  for (;;)
    {
      ws_wait (!ws_read_some (self->fd, bytes) || bytes->len >= at + 4);
      g_assert_cmpuint (bytes->len, >=, at + 4);
      if (bytes->data[at] == 0x88)
        return bytes->data[at + 2] << 8 | bytes->data[at + 3];
      at += 2 + bytes->data[at + 1];
    }
}

/* There is no greeting: neither side has anything to say first. */
static void
test_no_greeting (Fixture *self, const void *data)
{
  g_autoptr(GByteArray) bytes = g_byte_array_new ();

  ws_turn (50);
  g_assert_true (ws_read_some (self->fd, bytes));
  g_assert_cmpuint (bytes->len, ==, 0);
  g_assert_cmpstr (self->server.heard->str, ==, "");
}

/* A message beyond the limit. */
static void
test_too_big (Fixture *self, const void *data)
{
  g_autoptr(GByteArray) bytes = g_byte_array_new ();
  g_autofree char *payload = g_strnfill (1024 * 1024 + 1, ' ');

  ws_add_frame (bytes, 0x81, payload, 1024 * 1024 + 1);
  /* The head of the frame tells. */
  ws_write_all (self->fd, bytes->data, 1000);
  g_assert_cmpuint (read_close_code (self), ==, 1009);
  close (self->fd);
  self->fd = -1;
  ws_wait (self->server.error != NULL);
  g_assert_error (self->server.error, VT_ERROR, VT_ERROR_LIMIT);
}

/* A peer that says nothing is pinged, and then given up without waiting for its goodbye. */
static void
test_dead_peer (Fixture *self, const void *data)
{
  g_autoptr(GByteArray) bytes = g_byte_array_new ();
  gint64 began = g_get_monotonic_time ();

  ws_wait (self->server.error != NULL);
  g_assert_error (self->server.error, VT_ERROR, VT_ERROR_TIMED_OUT);
  g_assert_cmpint (g_get_monotonic_time () - began, <, VT_LINK_CLOSE_DEADLINE);
  while (ws_read_some (self->fd, bytes) && bytes->len == 0)
    ws_turn (1);
  /* A WebSocket ping of libsoup's. */
  g_assert_cmpuint (bytes->data[0], ==, 0x89);
}

int
main (int argc, char *argv[])
{
  static const char *const letters[] = { "l", "s", "x", "c" };

  g_test_init (&argc, &argv, NULL);

  g_test_add ("/trunk/both-ways", Fixture, NULL, set_up_pair, test_both_ways, tear_down);
  g_test_add ("/trunk/close/normal", Fixture, GUINT_TO_POINTER (1000), set_up_pair, test_close,
              tear_down);
  g_test_add ("/trunk/close/going-away", Fixture, GUINT_TO_POINTER (1001), set_up_pair, test_close,
              tear_down);
  for (size_t i = 0; i < G_N_ELEMENTS (letters); i++)
    {
      g_autofree char *path = g_strdup_printf ("/trunk/free/in-%s", letters[i]);

      g_test_add (path, Fixture, letters[i], set_up_pair, test_free_in, tear_down);
    }
  g_test_add ("/trunk/free/closing", Fixture, NULL, set_up_pair, test_free_closing, tear_down);
  g_test_add ("/trunk/no-greeting", Fixture, NULL, set_up_raw, test_no_greeting, tear_down);
  g_test_add ("/trunk/limit/message", Fixture, NULL, set_up_raw, test_too_big, tear_down);
  g_test_add ("/trunk/dead-peer", Fixture, "", set_up_raw, test_dead_peer, tear_down);
  return g_test_run ();
}
