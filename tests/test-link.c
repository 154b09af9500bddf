/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "time-skip.h"

#include "link-end.h"

/* Two links, one at each end of a pair of sockets. */
typedef struct {
  GIOStream *client_base;
  GIOStream *server_base;
  End client;
  End server;
} Pair;

static void
pair_setup (Pair *self, const void *data)
{
  gboolean gated = data == NULL;
  int fd = -1;

  self->client_base = ws_stream_to_fd (&fd);
  self->server_base = ws_stream_for_fd (fd);
  end_init (&self->client, self->client_base, FALSE, gated);
  end_init (&self->server, self->server_base, TRUE, gated);
}

/* Both have agreed to compress. */
static GList *
deflate (SoupWebsocketConnectionType type)
{
  SoupWebsocketExtension *extension = g_object_new (SOUP_TYPE_WEBSOCKET_EXTENSION_DEFLATE, NULL);
  g_autoptr(GError) error = NULL;

  soup_websocket_extension_configure (extension, type, NULL, &error);
  g_assert_no_error (error);
  return g_list_append (NULL, extension);
}

static void
pair_setup_compressed (Pair *self, const void *data)
{
  int fd = -1;

  self->client_base = ws_stream_to_fd (&fd);
  self->server_base = ws_stream_for_fd (fd);
  end_init_extended (&self->client, self->client_base, FALSE, TRUE,
                     deflate (SOUP_WEBSOCKET_CONNECTION_CLIENT));
  end_init_extended (&self->server, self->server_base, TRUE, TRUE,
                     deflate (SOUP_WEBSOCKET_CONNECTION_SERVER));
}

static void
pair_teardown (Pair *self, const void *data)
{
  end_clear (&self->client);
  end_clear (&self->server);
  g_clear_object (&self->client_base);
  g_clear_object (&self->server_base);
}

static void
test_messages (Pair *self, const void *data)
{
  send_size (&self->client, 'a', 0, TRUE);
  send_size (&self->client, 'b', 125, TRUE);
  send_size (&self->client, 'c', 126, FALSE);
  send_size (&self->server, 'd', 65535, TRUE);
  send_size (&self->server, 'e', 65536, FALSE);
  send_size (&self->server, 'f', MAX_MESSAGE, TRUE);
  ws_wait (self->server.n_messages == 3 && self->client.n_messages == 3);
  g_assert_cmpstr (self->server.messages->str, ==, "t0- t125b b126c ");
  g_assert_cmpstr (self->client.messages->str, ==, "t65535d b65536e t262144f ");
  g_assert_cmpuint (vt_link_get_queued (self->client.link), ==, 0);
  g_assert_cmpuint (vt_link_get_queued (self->server.link), ==, 0);
  if (data == NULL)
    g_assert_cmpuint (self->client.n_alive, >, 0);
}

/* Messages of all sizes remain in order, whether libsoup has them or the gate carries them, and
 * so do those that are large or small enough to be gathered. */
static void
test_order (Pair *self, const void *data)
{
  static const size_t sizes[] = { 1023, 1024, 5000, 0, 20000, 1, 70000, 16370, MAX_MESSAGE, 3000 };
  g_autoptr(GString) expected = g_string_new (NULL);
  unsigned int n_sent = 0;

  vt_link_set_reading (self->server.link, FALSE);
  vt_link_set_reading (self->client.link, FALSE);
  for (unsigned int round = 0; round < 5; round++)
    for (size_t i = 0; i < G_N_ELEMENTS (sizes); i++, n_sent++)
      {
        gboolean text = (round + i) % 3 == 0;
        char letter = 'a' + n_sent % 26;

        send_size (&self->client, letter, sizes[i], text);
        send_size (&self->server, letter, sizes[i], text);
        g_string_append_printf (expected, "%s%zu%c ", text ? "t" : "b", sizes[i],
                                sizes[i] > 0 ? letter : '-');
        if (i % 4 == 0)
          ws_turn (5);
      }
  vt_link_set_reading (self->server.link, TRUE);
  vt_link_set_reading (self->client.link, TRUE);
  ws_wait (self->server.n_messages == n_sent && self->client.n_messages == n_sent);
  g_assert_cmpstr (self->server.messages->str, ==, expected->str);
  g_assert_cmpstr (self->client.messages->str, ==, expected->str);
  ws_wait (vt_link_get_queued (self->client.link) == 0);
  ws_wait (vt_link_get_queued (self->server.link) == 0);
}

/* What libsoup tells of. */
static void
soup_message_cb (SoupWebsocketConnection *connection, int type, GBytes *message, void *user_data)
{
  g_string_append_printf (user_data, "%c%zu ", type == SOUP_WEBSOCKET_DATA_TEXT ? 't' : 'b',
                          g_bytes_get_size (message));
}

/* libsoup has nothing of binary messages, unless it has to see what comes before them; and then, of
 * large ones, nothing but that they came. */
static void
test_passed (Pair *self, const void *data)
{
  g_autoptr(GString) heard = g_string_new (NULL);

  /* What takes too long in a dispatch is left to libsoup. */
  time_freeze ();
  g_signal_connect (self->server.connection, "message", G_CALLBACK (soup_message_cb), heard);
  g_signal_connect (self->client.connection, "message", G_CALLBACK (soup_message_cb), heard);
  send_size (&self->client, 'a', 5, FALSE);
  send_size (&self->client, 'b', 1024, FALSE);
  send_size (&self->client, 'c', MAX_MESSAGE, FALSE);
  send_size (&self->server, 'd', 100000, FALSE);
  send_size (&self->server, 'e', 0, FALSE);
  ws_wait (self->server.n_messages == 3 && self->client.n_messages == 2);
  g_assert_cmpstr (heard->str, ==, "");
  send_size (&self->client, 'f', 6, TRUE);
  send_size (&self->client, 'g', 1024, FALSE);
  send_size (&self->client, 'h', 7, FALSE);
  ws_wait (self->server.n_messages == 6);
  g_assert_cmpstr (heard->str, ==, "t6 b0 b7 ");
  g_assert_cmpstr (self->server.messages->str, ==, "b5a b1024b b262144c t6f b1024g b7h ");
  g_assert_cmpstr (self->client.messages->str, ==, "b100000d b0- ");
  g_signal_handlers_disconnect_by_data (self->server.connection, heard);
  g_signal_handlers_disconnect_by_data (self->client.connection, heard);
  time_thaw ();
}

/* One that the socket does not take at once arrives, even if nothing else ever happens. */
static void
test_alone (Pair *self, const void *data)
{
  vt_link_set_reading (self->server.link, FALSE);
  for (unsigned int i = 0; i < 8; i++)
    send_size (&self->client, 'a', MAX_MESSAGE, FALSE);
  ws_turn (20);
  g_assert_cmpuint (vt_link_get_queued (self->client.link), >, 0);
  vt_link_set_reading (self->server.link, TRUE);
  ws_wait (self->server.n_messages == 8 && vt_link_get_queued (self->client.link) == 0);
}

/* The queue grows while the peer does not read, and `writable` comes once it does. */
static void
test_queue (Pair *self, const void *data)
{
  unsigned int n_sent = 0;
  size_t queued = 0;

  vt_link_set_reading (self->server.link, FALSE);
  while (vt_link_get_queued (self->client.link) < 2 * VT_LINK_LOW)
    {
      send_size (&self->client, 'x', 10000, TRUE);
      n_sent++;
      ws_turn (10);
      g_assert_cmpuint (n_sent, <, 1000);
    }
  queued = vt_link_get_queued (self->client.link);
  send_size (&self->client, 'y', 70000, TRUE);
  g_assert_cmpuint (vt_link_get_queued (self->client.link), >=, queued + 70000 + 14);
  g_assert_cmpuint (vt_link_get_queued (self->client.link), <, queued + 71000);
  queued = vt_link_get_queued (self->client.link);
  /* A small message takes more memory than it has bytes. */
  for (unsigned int i = 0; i < 100; i++)
    send_size (&self->client, 'z', 1, TRUE);
  n_sent += 101;
  g_assert_cmpuint (vt_link_get_queued (self->client.link), >, queued + 100 * 100);
  ws_turn (100);
  g_assert_cmpuint (self->server.n_messages, ==, 0);
  g_assert_cmpuint (self->client.n_writable, ==, 0);

  vt_link_set_reading (self->server.link, TRUE);
  ws_wait (self->client.n_writable == 1);
  g_assert_cmpuint (vt_link_get_queued (self->client.link), <, VT_LINK_LOW);
  ws_wait (self->server.n_messages == n_sent);
  g_assert_cmpuint (vt_link_get_queued (self->client.link), ==, 0);
  g_assert_cmpuint (self->client.n_writable, ==, 1);
}

static void
expect_clean (End *self, unsigned int code, const char *reason)
{
  ws_wait (self->n_closed > 0);
  g_assert_no_error (self->error);
  g_assert_cmpuint (self->code, ==, code);
  g_assert_cmpstr (self->reason, ==, reason);
}

static void
test_close (Pair *self, const void *data)
{
  gint64 began = g_get_monotonic_time ();
  End *first = GPOINTER_TO_INT (data) & 1 ? &self->client : &self->server;
  End *second = first == &self->client ? &self->server : &self->client;

  send_size (first, 'a', 200000, TRUE);
  close_link (first, 4001, "replaced");
  close_link (first, 1000, "again");
  send_size (first, 'b', 1, TRUE);
  expect_clean (second, 4001, "replaced");
  expect_clean (first, 4001, "replaced");
  g_assert_cmpstr (second->messages->str, ==, "t200000a ");
  send_size (second, 'b', 1, TRUE);
  close_link (second, 1000, "late");
  ws_turn (100);
  /* Nobody had to wait for a deadline. */
  g_assert_cmpint (g_get_monotonic_time () - began, <, VT_LINK_CLOSE_DEADLINE);
}

/* 1 makes the client the first to close; both have a gate. */
static void
pair_setup_gated (Pair *self, const void *data)
{
  pair_setup (self, NULL);
}

/* An extension sees all that it is to compress, and so does libsoup. */
static void
whole_cb (SoupWebsocketConnection *connection, int type, GBytes *message, void *user_data)
{
  g_assert_cmpuint (g_bytes_get_size (message), >, 0);
}

static void
test_compressed (Pair *self, const void *data)
{
  g_signal_connect (self->server.connection, "message", G_CALLBACK (whole_cb), NULL);
  g_signal_connect (self->client.connection, "message", G_CALLBACK (whole_cb), NULL);
  send_size (&self->client, 'a', 100000, FALSE);
  send_size (&self->server, 'b', 5000, FALSE);
  send_size (&self->server, 'c', 100000, TRUE);
  ws_wait (self->server.n_messages == 1 && self->client.n_messages == 2);
  g_assert_cmpstr (self->server.messages->str, ==, "b100000a ");
  g_assert_cmpstr (self->client.messages->str, ==, "b5000b t100000c ");
}

/* What was sent before the goodbye comes before it, however large. */
static void
test_close_behind (Pair *self, const void *data)
{
  vt_link_set_reading (self->server.link, FALSE);
  for (unsigned int i = 0; i < 20; i++)
    send_size (&self->client, 'a', 200000, FALSE);
  ws_turn (20);
  close_link (&self->client, 1001, "later");
  ws_turn (20);
  vt_link_set_reading (self->server.link, TRUE);
  expect_clean (&self->server, 1001, "later");
  expect_clean (&self->client, 1001, "later");
  g_assert_cmpuint (self->server.n_messages, ==, 20);
}

/* A reason that is too long ends between two characters, and one that does not read closes too. */
static void
test_close_long_reason (Pair *self, const void *data)
{
  g_autofree char *zeros = g_strnfill (121, '0');
  g_autofree char *reason = g_strconcat (zeros, "€uro", NULL);

  vt_link_set_reading (self->client.link, FALSE);
  close_link (&self->client, 1001, reason);
  expect_clean (&self->server, 1001, zeros);
  expect_clean (&self->client, 1001, zeros);
}

static const char *const free_handlers[] = { "message", "alive", "writable", "closed" };

static void
test_free (const void *data)
{
  gboolean text = data != NULL;

  for (size_t i = 0; i < G_N_ELEMENTS (free_handlers); i++)
    {
      Pair pair = { 0 };

      pair_setup (&pair, NULL);
      pair.client.free_in = free_handlers[i];
      for (unsigned int j = 0; j < 5; j++)
        send_size (&pair.client, 'x', 100000, text);
      for (unsigned int j = 0; j < 50; j++)
        send_size (&pair.server, 'y', 300, text);
      ws_turn (20);
      if (i == 3)
        close_link (&pair.client, 1000, NULL);
      ws_wait (pair.client.link == NULL);
      ws_wait (pair.server.n_closed == 1);
      pair_teardown (&pair, NULL);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ws_quiet ();
#define ADD(path, data, setup, func) g_test_add (path, Pair, data, setup, func, pair_teardown)
  ADD ("/link/messages/gate", NULL, pair_setup, test_messages);
  ADD ("/link/messages/no-gate", "", pair_setup, test_messages);
  ADD ("/link/messages/order", NULL, pair_setup, test_order);
  ADD ("/link/messages/passed", NULL, pair_setup, test_passed);
  ADD ("/link/messages/compressed", NULL, pair_setup_compressed, test_compressed);
  ADD ("/link/queue/depth", NULL, pair_setup, test_queue);
  ADD ("/link/queue/alone", NULL, pair_setup, test_alone);
  ADD ("/link/close/by-client", GINT_TO_POINTER (1), pair_setup_gated, test_close);
  ADD ("/link/close/by-server", GINT_TO_POINTER (2), pair_setup_gated, test_close);
  ADD ("/link/close/behind", NULL, pair_setup, test_close_behind);
  ADD ("/link/close/long-reason", NULL, pair_setup, test_close_long_reason);
#undef ADD
  g_test_add_data_func ("/link/free/in-events/text", "", test_free);
  g_test_add_data_func ("/link/free/in-events/binary", NULL, test_free);
  return g_test_run ();
}
