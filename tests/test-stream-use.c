/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-stream-private.h"

#include <string.h>

#include <libsoup/soup.h>

#include "loopback.h"
#include "tunnel.h"
#include "vt-forward-private.h"

/* What applications do with streams: threads, a web server, many at once. */
typedef struct {
  Tunnel *tunnel;
  VtForward *forward;
  GPtrArray *near; /* the client's streams */
  GPtrArray *far;  /* the server's */
} Fixture;

static void
stream_opened_cb (VtMuxStream *stream, void *user_data)
{
  Fixture *self = user_data;

  g_ptr_array_add (self->near, vt_stream_new (stream, self->forward, NULL));
  vt_mux_stream_accept (stream);
}

static void
set_up (Fixture *self, gconstpointer user_data)
{
  self->tunnel = tunnel_new (NULL, GPOINTER_TO_UINT (user_data));
  self->tunnel->stream_opened = stream_opened_cb;
  self->tunnel->user_data = self;
  self->forward = vt_forward_new (9000, NULL);
  self->near = g_ptr_array_new_with_free_func (g_object_unref);
  self->far = g_ptr_array_new_with_free_func (g_object_unref);
}

static void
open_stream (Fixture *self)
{
  g_ptr_array_add (self->far,
                   vt_stream_new (tunnel_open_stream (self->tunnel), self->forward, NULL));
  RUN_UNTIL (self->near->len == self->far->len);
}

static void
tear_down (Fixture *self, gconstpointer user_data)
{
  g_clear_pointer (&self->near, g_ptr_array_unref);
  g_clear_pointer (&self->far, g_ptr_array_unref);
  g_clear_object (&self->forward);
  g_clear_pointer (&self->tunnel, tunnel_free);
}

static GInputStream *
input_of (gpointer stream)
{
  return g_io_stream_get_input_stream (stream);
}

static GOutputStream *
output_of (gpointer stream)
{
  return g_io_stream_get_output_stream (stream);
}

#define LENGTH (2 * 1024 * 1024 + 3)

typedef struct {
  gpointer stream; /* not owned */
  GCancellable *cancellable;
  gssize result;
  GError *error;
  gboolean begun; /* atomic: what it works with is known to it */
  gboolean done;  /* atomic */
} Work;

static gpointer
write_thread (gpointer user_data)
{
  Work *self = user_data;
  g_autofree char *block = g_malloc0 (LENGTH);
  size_t written = 0;

  g_output_stream_write_all (output_of (self->stream), block, LENGTH, &written, self->cancellable,
                             &self->error);
  self->result = written;
  if (self->error == NULL)
    g_output_stream_close (output_of (self->stream), NULL, &self->error);
  g_atomic_int_set (&self->done, TRUE);
  return NULL;
}

static gpointer
read_thread (gpointer user_data)
{
  Work *self = user_data;
  GInputStream *input = input_of (self->stream);
  char block[5000];
  gssize n;

  g_atomic_int_set (&self->begun, TRUE);
  while ((n = g_input_stream_read (input, block, sizeof block, self->cancellable, &self->error))
         > 0)
    self->result += n;
  g_atomic_int_set (&self->done, TRUE);
  return NULL;
}

/* Outside the owner's thread the synchronous calls wait, and work. */
static void
test_threads (Fixture *self, gconstpointer user_data)
{
  Work writer = { 0 }, reader = { 0 };
  GThread *threads[2];

  open_stream (self);
  writer.stream = self->near->pdata[0];
  reader.stream = self->far->pdata[0];
  threads[0] = g_thread_new ("reader", read_thread, &reader);
  threads[1] = g_thread_new ("writer", write_thread, &writer);
  RUN_UNTIL (g_atomic_int_get (&writer.done) && g_atomic_int_get (&reader.done));
  g_thread_join (threads[0]);
  g_thread_join (threads[1]);
  g_assert_no_error (writer.error);
  g_assert_no_error (reader.error);
  g_assert_cmpint (writer.result, ==, LENGTH);
  g_assert_cmpint (reader.result, ==, LENGTH);
}

static void
test_thread_cancel (Fixture *self, gconstpointer user_data)
{
  Work reader = { .cancellable = g_cancellable_new () };
  GThread *thread;

  open_stream (self);
  reader.stream = self->near->pdata[0];
  thread = g_thread_new ("reader", read_thread, &reader);
  for (unsigned int i = 0; i < 3; i++)
    loopback_iterate ();
  g_assert_false (g_atomic_int_get (&reader.done));
  g_cancellable_cancel (reader.cancellable);
  RUN_UNTIL (g_atomic_int_get (&reader.done));
  g_thread_join (thread);
  g_assert_error (reader.error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&reader.error);
  g_object_unref (reader.cancellable);
}

/* The stream goes while another thread waits for it. */
static void
test_thread_dispose (Fixture *self, gconstpointer user_data)
{
  Work reader = { 0 };
  g_autoptr(GInputStream) input = NULL;
  GThread *thread;

  open_stream (self);
  reader.stream = g_object_ref (self->near->pdata[0]);
  input = g_object_ref (input_of (reader.stream));
  thread = g_thread_new ("reader", read_thread, &reader);
  RUN_UNTIL (g_atomic_int_get (&reader.begun));
  for (unsigned int i = 0; i < 3; i++)
    loopback_iterate ();
  g_ptr_array_set_size (self->near, 0);
  g_object_unref (reader.stream);
  RUN_UNTIL (g_atomic_int_get (&reader.done));
  g_thread_join (thread);
  g_assert_error (reader.error, G_IO_ERROR, G_IO_ERROR_CLOSED);
  g_clear_error (&reader.error);
}

static void
request_cb (SoupServer *server,
            SoupServerMessage *message,
            const char *path,
            GHashTable *query,
            gpointer user_data)
{
  soup_server_message_set_status (message, SOUP_STATUS_OK, NULL);
  soup_server_message_set_response (message, "text/plain", SOUP_MEMORY_COPY, path, strlen (path));
}

static gboolean
read_response (gpointer stream, GString *text)
{
  char block[4096];
  gssize n = g_input_stream_read (input_of (stream), block, sizeof block, NULL, NULL);

  if (n > 0)
    g_string_append_len (text, block, n);
  return n == 0;
}

/* A web application goes public without a local port. */
static void
test_http (Fixture *self, gconstpointer user_data)
{
  static const char request[] = "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  g_autoptr(SoupServer) server = soup_server_new (NULL, NULL);
  g_autoptr(GSocketAddress) address = g_inet_socket_address_new_from_string ("127.0.0.1", 80);
  g_autoptr(GString) response = g_string_new (NULL);
  g_autoptr(GError) error = NULL;

  open_stream (self);
  soup_server_add_handler (server, NULL, request_cb, NULL, NULL);
  soup_server_accept_iostream (server, self->near->pdata[0], address, address, &error);
  g_assert_no_error (error);
  g_output_stream_write_all (output_of (self->far->pdata[0]), request, strlen (request), NULL, NULL,
                             &error);
  g_assert_no_error (error);

  RUN_UNTIL (read_response (self->far->pdata[0], response));
  g_assert_true (g_str_has_prefix (response->str, "HTTP/1.1 200 OK\r\n"));
  g_assert_true (g_str_has_suffix (response->str, "\r\n\r\n/hello"));
}

static void
echo_cb (SoupWebsocketConnection *connection, int type, GBytes *message, gpointer user_data)
{
  soup_websocket_connection_send_message (connection, type, message);
}

static void
websocket_cb (SoupServer *server,
              SoupServerMessage *message,
              const char *path,
              SoupWebsocketConnection *connection,
              gpointer user_data)
{
  SoupWebsocketConnection **place = user_data;

  *place = g_object_ref (connection);
  g_signal_connect (connection, "message", G_CALLBACK (echo_cb), NULL);
}

static void
keep_message_cb (SoupWebsocketConnection *connection, int type, GBytes *message, gpointer user_data)
{
  GBytes **place = user_data;

  g_clear_pointer (place, g_bytes_unref);
  *place = g_bytes_ref (message);
}

static SoupWebsocketConnection *
ask_for_websocket (VtStream *stream)
{
  static const char request[] = "GET /chat HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
                                "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
  g_autoptr(GUri) uri = g_uri_parse ("ws://x/chat", SOUP_HTTP_URI_FLAGS, NULL);
  g_autoptr(GString) response = g_string_new (NULL);
  g_autoptr(GError) error = NULL;

  g_output_stream_write_all (output_of (stream), request, strlen (request), NULL, NULL, &error);
  g_assert_no_error (error);
  RUN_UNTIL ((read_response (stream, response), g_str_has_suffix (response->str, "\r\n\r\n")));
  g_assert_true (g_str_has_prefix (response->str, "HTTP/1.1 101 "));
  return soup_websocket_connection_new (G_IO_STREAM (stream), uri, SOUP_WEBSOCKET_CONNECTION_CLIENT,
                                        NULL, NULL, NULL);
}

/* libsoup takes the stream over with the upgrade, and both of its ends speak through one. */
static void
test_websocket (Fixture *self, gconstpointer user_data)
{
  g_autoptr(SoupServer) server = soup_server_new (NULL, NULL);
  g_autoptr(GSocketAddress) address = g_inet_socket_address_new_from_string ("127.0.0.1", 80);
  g_autoptr(SoupWebsocketConnection) served = NULL;
  g_autoptr(SoupWebsocketConnection) connection = NULL;
  g_autoptr(GBytes) sent = g_bytes_new_take (g_malloc0 (100000), 100000);
  g_autoptr(GBytes) received = NULL;
  g_autoptr(GError) error = NULL;

  open_stream (self);
  soup_server_add_websocket_handler (server, "/chat", NULL, NULL, websocket_cb, &served, NULL);
  soup_server_accept_iostream (server, self->near->pdata[0], address, address, &error);
  g_assert_no_error (error);
  connection = ask_for_websocket (self->far->pdata[0]);
  g_signal_connect (connection, "message", G_CALLBACK (keep_message_cb), &received);
  for (unsigned int i = 0; i < 3; i++)
    {
      soup_websocket_connection_send_message (connection, SOUP_WEBSOCKET_DATA_BINARY, sent);
      RUN_UNTIL (received != NULL);
      g_assert_true (g_bytes_equal (received, sent));
      g_clear_pointer (&received, g_bytes_unref);
    }
  soup_websocket_connection_close (connection, SOUP_WEBSOCKET_CLOSE_NORMAL, NULL);
  RUN_UNTIL (soup_websocket_connection_get_state (connection) == SOUP_WEBSOCKET_STATE_CLOSED
             && soup_websocket_connection_get_state (served) == SOUP_WEBSOCKET_STATE_CLOSED);
  g_assert_cmpuint (soup_websocket_connection_get_close_code (served), ==,
                    SOUP_WEBSOCKET_CLOSE_NORMAL);
  g_signal_handlers_disconnect_by_data (connection, &received);
}

static void
write_more_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  static const char block[32768] = { 0 };
  gboolean *stop = user_data;
  gssize n = g_output_stream_write_finish (G_OUTPUT_STREAM (source), result, NULL);

  if (n > 0 && !*stop)
    g_output_stream_write_async (G_OUTPUT_STREAM (source), block, sizeof block, G_PRIORITY_DEFAULT,
                                 NULL, write_more_cb, user_data);
}

static void
drain_all (Fixture *self, guint64 *least)
{
  char block[65536];

  *least = G_MAXUINT64;
  for (unsigned int i = 0; i < self->far->len; i++)
    {
      while (g_input_stream_read (input_of (self->far->pdata[i]), block, sizeof block, NULL, NULL)
             > 0)
        continue;
      *least = MIN (*least, vt_stream_get_bytes_received (self->far->pdata[i]));
    }
}

/* Many that write as fast as they can, each in dispatches of its own: nobody starves. */
static void
test_fairness (Fixture *self, gconstpointer user_data)
{
  const unsigned int n_streams = 20;
  gboolean stop = FALSE;
  guint64 least = 0, total = 0;

  for (unsigned int i = 0; i < n_streams; i++)
    open_stream (self);
  for (unsigned int i = 0; i < n_streams; i++)
    g_output_stream_write_async (output_of (self->near->pdata[i]), "x", 1, G_PRIORITY_DEFAULT, NULL,
                                 write_more_cb, &stop);
  RUN_UNTIL ((drain_all (self, &least), least > 1024 * 1024));
  for (unsigned int i = 0; i < n_streams; i++)
    total += vt_stream_get_bytes_received (self->far->pdata[i]);
  g_assert_cmpuint (total / n_streams, <, 2 * least);
  stop = TRUE;
  for (unsigned int i = 0; i < 10; i++)
    drain_all (self, &least), loopback_iterate ();
}

int
main (int argc, char **argv)
{
  g_autoptr(VtPoller) poller = NULL;

  g_test_init (&argc, &argv, NULL);
  poller = loopback_warm_up ();
#define ADD(path, func)                                                                            \
  G_STMT_START                                                                                     \
  {                                                                                                \
    g_test_add ("/stream/" path, Fixture, GUINT_TO_POINTER (1), set_up, func, tear_down);          \
    g_test_add ("/stream/v2/" path, Fixture, GUINT_TO_POINTER (2), set_up, func, tear_down);       \
  }                                                                                                \
  G_STMT_END
  ADD ("sync/threads", test_threads);
  ADD ("sync/cancel", test_thread_cancel);
  ADD ("sync/dispose", test_thread_dispose);
  ADD ("http", test_http);
  ADD ("websocket", test_websocket);
  ADD ("fairness", test_fairness);
#undef ADD
  return g_test_run ();
}
