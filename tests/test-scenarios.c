/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include <stdlib.h>
#include <string.h>

#include <vtunnel/vtunnel.h>

#include "raw-peer.h"

/* What test-python.py and test-gjs.js do, in C: by the public interface alone. */
typedef struct {
  VtServer *server;       /* owned */
  VtClient *client;       /* owned */
  GSocketService *target; /* owned: sends back what it gets */
  guint16 port;           /* the target's */
  GString *seen;          /* owned: what the signals told */
} Fixture;

typedef struct {
  GAsyncResult *result; /* owned, NULL until there is one */
} Call;

static void
done_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  ((Call *) user_data)->result = g_object_ref (result);
}

static gboolean
is_done (void *user_data)
{
  return ((Call *) user_data)->result != NULL;
}

static void
call_clear (Call *self)
{
  g_clear_object (&self->result);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Call, call_clear)

static void
spliced_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr(GIOStream) connection = user_data;

  g_output_stream_splice_finish (G_OUTPUT_STREAM (source), result, NULL);
  g_io_stream_close (connection, NULL, NULL);
}

static gboolean
echo_cb (GSocketService *service, GSocketConnection *connection, GObject *source, gpointer data)
{
  GIOStream *stream = G_IO_STREAM (connection);

  g_output_stream_splice_async (g_io_stream_get_output_stream (stream),
                                g_io_stream_get_input_stream (stream), G_OUTPUT_STREAM_SPLICE_NONE,
                                G_PRIORITY_DEFAULT, NULL, spliced_cb, g_object_ref (stream));
  return TRUE;
}

static VtClient *
new_client (Fixture *self)
{
  g_autofree guint16 *ports = vt_server_get_ports (self->server, NULL);
  g_autofree char *uri = g_strdup_printf ("ws://127.0.0.1:%u/", ports[0]);

  return vt_client_new (uri);
}

static void
set_up (Fixture *self, const void *data)
{
  g_autoptr(GError) error = NULL;

  self->seen = g_string_new (NULL);
  self->target = g_socket_service_new ();
  self->port = g_socket_listener_add_any_inet_port (G_SOCKET_LISTENER (self->target), NULL, &error);
  g_assert_no_error (error);
  g_signal_connect (self->target, "incoming", G_CALLBACK (echo_cb), NULL);
  self->server = vt_server_new ();
  vt_server_set_allow_streams (self->server, TRUE);
  vt_server_listen (self->server, "127.0.0.1", 0, &error);
  g_assert_no_error (error);
  self->client = new_client (self);
}

static void
tear_down (Fixture *self, const void *data)
{
  g_socket_service_stop (self->target);
  g_socket_listener_close (G_SOCKET_LISTENER (self->target));
  g_clear_object (&self->target);
  if (self->client != NULL)
    g_assert_finalize_object (g_steal_pointer (&self->client));
  if (self->server != NULL)
    g_assert_finalize_object (g_steal_pointer (&self->server));
  raw_settle ();
  g_string_free (self->seen, TRUE);
}

static void
open_client (VtClient *client)
{
  g_auto(Call) call = { NULL };
  g_autoptr(GError) error = NULL;

  vt_client_open_async (client, NULL, done_cb, &call);
  raw_wait (is_done, &call);
  vt_client_open_finish (client, call.result, &error);
  g_assert_no_error (error);
}

static void
close_client (VtClient *client)
{
  g_auto(Call) call = { NULL };
  g_autoptr(GError) error = NULL;

  vt_client_close_async (client, NULL, done_cb, &call);
  raw_wait (is_done, &call);
  vt_client_close_finish (client, call.result, &error);
  g_assert_no_error (error);
  g_assert_cmpint (vt_client_get_state (client), ==, VT_CLIENT_STATE_CLOSED);
}

static gboolean
listen_for (VtClient *client, VtForward *forward, GError **error)
{
  g_auto(Call) call = { NULL };

  vt_client_listen_async (client, forward, NULL, done_cb, &call);
  raw_wait (is_done, &call);
  return vt_client_listen_finish (client, call.result, error);
}

/* A forward to the target, on any port. */
static VtForward *
open_forward (Fixture *self)
{
  g_autofree char *text = g_strdup_printf ("127.0.0.1:%u", self->port);
  g_autoptr(GError) error = NULL;
  g_autoptr(VtTarget) target = vt_target_parse (text, &error);
  VtForward *forward = vt_forward_new (0, target);

  open_client (self->client);
  listen_for (self->client, forward, &error);
  g_assert_no_error (error);
  return forward;
}

static void
client_opened_cb (VtClient *client, VtStream *stream, gpointer user_data)
{
  g_string_append_printf (user_data, "c+%u ", vt_stream_get_id (stream));
}

static void
client_closed_cb (VtClient *client, VtStream *stream, GError *error, gpointer user_data)
{
  g_string_append (user_data, error != NULL ? "c-! " : "c- ");
}

static void
server_opened_cb (VtServer *server, VtSession *session, VtStream *stream, gpointer user_data)
{
  g_string_append_printf (user_data, "s+%u ", vt_stream_get_id (stream));
}

static void
server_closed_cb (VtServer *server,
                  VtSession *session,
                  VtStream *stream,
                  GError *error,
                  gpointer user_data)
{
  g_string_append (user_data, error != NULL ? "s-! " : "s- ");
}

static gboolean
all_is_told (void *user_data)
{
  return strlen (((GString *) user_data)->str) == strlen ("s+1 c+1 s- c- ");
}

static void
test_forward (Fixture *self, const void *data)
{
  g_autoptr(VtForward) forward = NULL;
  RawPeer *user;

  g_signal_connect (self->client, "stream-opened", G_CALLBACK (client_opened_cb), self->seen);
  g_signal_connect (self->client, "stream-closed", G_CALLBACK (client_closed_cb), self->seen);
  g_signal_connect (self->server, "stream-opened", G_CALLBACK (server_opened_cb), self->seen);
  g_signal_connect (self->server, "stream-closed", G_CALLBACK (server_closed_cb), self->seen);
  forward = open_forward (self);
  g_assert_cmpint (vt_forward_get_state (forward), ==, VT_FORWARD_STATE_LISTENING);
  user = raw_peer_new (vt_forward_get_bound_port (forward));
  raw_peer_send_text (user, "hello");
  g_assert_cmpstr (raw_peer_wait_input (user, 5), ==, "hello");
  raw_peer_free (user);
  raw_wait (all_is_told, self->seen);
  g_assert_nonnull (strstr (self->seen->str, "s+1 "));
  g_assert_nonnull (strstr (self->seen->str, "c+1 "));
  g_assert_null (strchr (self->seen->str, '!'));
  g_assert_cmpuint (vt_forward_get_bytes_sent (forward), ==, 5);
  g_assert_cmpuint (vt_forward_get_bytes_received (forward), ==, 5);
  close_client (self->client);
}

static void
test_refused_port (Fixture *self, const void *data)
{
  g_autoptr(VtForward) forward = vt_forward_new (self->port, NULL);
  g_autoptr(GError) error = NULL;

  open_client (self->client);
  g_assert_false (listen_for (self->client, forward, &error));
  g_assert_error (error, VT_ERROR, VT_ERROR_ADDRESS_IN_USE);
  g_assert_cmpint (vt_forward_get_state (forward), ==, VT_FORWARD_STATE_FAILED);
  close_client (self->client);
}

static gboolean
deny_cb (VtServer *server, VtSession *session, VtForward *forward, gpointer user_data)
{
  g_string_append_printf (user_data, "asked %u ", vt_forward_get_listen_port (forward));
  return FALSE;
}

static void
test_policy (Fixture *self, const void *data)
{
  g_autoptr(VtForward) forward = vt_forward_new (23458, NULL);
  g_autoptr(GError) error = NULL;

  g_signal_connect (self->server, "listen-requested", G_CALLBACK (deny_cb), self->seen);
  open_client (self->client);
  g_assert_false (listen_for (self->client, forward, &error));
  g_assert_error (error, VT_ERROR, VT_ERROR_PERMISSION_DENIED);
  g_assert_cmpstr (self->seen->str, ==, "asked 23458 ");
  close_client (self->client);
}

static void
page_cb (SoupServer *server,
         SoupServerMessage *message,
         const char *path,
         GHashTable *query,
         gpointer user_data)
{
  soup_server_message_set_status (message, SOUP_STATUS_OK, NULL);
  soup_server_message_set_response (message, "text/plain", SOUP_MEMORY_COPY, path, strlen (path));
}

static gboolean
serve_cb (VtForward *forward, VtStream *stream, gpointer user_data)
{
  g_autoptr(GSocketAddress) here = g_inet_socket_address_new_from_string ("127.0.0.1", 80);
  g_autoptr(GError) error = NULL;

  soup_server_accept_iostream (user_data, G_IO_STREAM (stream), here, here, &error);
  g_assert_no_error (error);
  return TRUE;
}

#define REQUEST "GET /page HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

/* The application's web server, which has no port anywhere on the client's side. */
static void
test_http (Fixture *self, const void *data)
{
  g_autoptr(SoupServer) pages = soup_server_new (NULL, NULL);
  g_autoptr(VtForward) forward = vt_forward_new (0, NULL);
  g_autoptr(GError) error = NULL;
  RawPeer *user;

  soup_server_add_handler (pages, NULL, page_cb, NULL, NULL);
  g_signal_connect (forward, "incoming", G_CALLBACK (serve_cb), pages);
  open_client (self->client);
  listen_for (self->client, forward, &error);
  g_assert_no_error (error);
  user = raw_peer_new (vt_forward_get_bound_port (forward));
  raw_peer_send_text (user, REQUEST);
  g_assert_true (g_str_has_suffix (raw_peer_wait_end (user), "\r\n\r\n/page"));
  raw_peer_free (user);
  close_client (self->client);
}

static gboolean
has_session (void *user_data)
{
  return g_list_model_get_n_items (vt_server_get_sessions (user_data)) > 0;
}

/* There is no port on the server's side either. */
static void
test_no_port (Fixture *self, const void *data)
{
  g_autoptr(SoupServer) pages = soup_server_new (NULL, NULL);
  g_autoptr(VtForward) forward =
      g_object_new (VT_TYPE_FORWARD, "listen-kind", VT_LISTEN_KIND_NONE, "name", "pages", NULL);
  g_autoptr(VtSession) session = NULL;
  g_autoptr(VtForward) offered = NULL;
  g_autoptr(VtStream) stream = NULL;
  g_autoptr(GOutputStream) answer = g_memory_output_stream_new_resizable ();
  g_auto(Call) opening = { NULL };
  g_auto(Call) reading = { NULL };
  g_autoptr(GError) error = NULL;

  soup_server_add_handler (pages, NULL, page_cb, NULL, NULL);
  g_signal_connect (forward, "incoming", G_CALLBACK (serve_cb), pages);
  open_client (self->client);
  listen_for (self->client, forward, &error);
  g_assert_no_error (error);
  raw_wait (has_session, self->server);
  session = g_list_model_get_item (vt_server_get_sessions (self->server), 0);
  offered = g_list_model_get_item (vt_session_get_forwards (session), 0);
  g_assert_cmpstr (vt_forward_get_name (offered), ==, "pages");

  vt_session_open_stream_async (session, offered, NULL, NULL, done_cb, &opening);
  raw_wait (is_done, &opening);
  stream = vt_session_open_stream_finish (session, opening.result, &error);
  g_assert_no_error (error);
  g_output_stream_write_all (g_io_stream_get_output_stream (G_IO_STREAM (stream)), REQUEST,
                             strlen (REQUEST), NULL, NULL, &error);
  g_assert_no_error (error);
  g_output_stream_splice_async (answer, g_io_stream_get_input_stream (G_IO_STREAM (stream)),
                                G_OUTPUT_STREAM_SPLICE_NONE, G_PRIORITY_DEFAULT, NULL, done_cb,
                                &reading);
  raw_wait (is_done, &reading);
  g_output_stream_splice_finish (answer, reading.result, &error);
  g_assert_no_error (error);
  g_assert_nonnull (
      g_strstr_len (g_memory_output_stream_get_data (G_MEMORY_OUTPUT_STREAM (answer)),
                    (gssize) g_memory_output_stream_get_data_size (G_MEMORY_OUTPUT_STREAM (answer)),
                    "\r\n\r\n/page"));
  g_io_stream_close (G_IO_STREAM (stream), NULL, NULL);
  close_client (self->client);
}

static gboolean
has_ended (void *user_data)
{
  return ((RawPeer *) user_data)->ended;
}

/* `data`: which of the two goes first. */
static void
test_dropped (Fixture *self, const void *data)
{
  g_autofree char *block = g_strnfill (100000, 'x');
  g_autoptr(VtForward) forward = open_forward (self);
  RawPeer *user = raw_peer_new (vt_forward_get_bound_port (forward));

  raw_peer_send_text (user, block);
  raw_peer_wait_input (user, 1000);
  raw_peer_send_text (user, block);
  if (data != NULL)
    g_assert_finalize_object (g_steal_pointer (&self->server));
  g_assert_finalize_object (g_steal_pointer (&self->client));
  if (data == NULL)
    g_assert_finalize_object (g_steal_pointer (&self->server));
  raw_wait (has_ended, user);
  raw_peer_free (user);
}

static size_t
count_memory (void)
{
  g_autofree char *text = NULL;

  g_assert_true (g_file_get_contents ("/proc/self/statm", &text, NULL, NULL));
  return strtoul (strchr (text, ' '), NULL, 10);
}

static void
come_and_go (Fixture *self, unsigned int times)
{
  for (unsigned int i = 0; i < times; i++)
    {
      g_autoptr(VtClient) client = new_client (self);
      g_autoptr(VtForward) forward = vt_forward_new (0, NULL);
      g_autoptr(GError) error = NULL;

      open_client (client);
      listen_for (client, forward, &error);
      g_assert_no_error (error);
      close_client (client);
      g_assert_finalize_object (g_steal_pointer (&client));
      g_assert_finalize_object (g_steal_pointer (&forward));
    }
}

typedef struct {
  VtServer *server;
  unsigned int n_descriptors;
} Rest;

static gboolean
is_at_rest (void *user_data)
{
  Rest *self = user_data;

  return g_list_model_get_n_items (vt_server_get_sessions (self->server)) == 0
         && raw_count_descriptors () <= self->n_descriptors;
}

/* The sanitizers and valgrind keep what was freed, and take their time. */
static gboolean
is_instrumented (void)
{
  const char *preloaded = g_getenv ("LD_PRELOAD");

  return g_getenv ("ASAN_OPTIONS") != NULL
         || (preloaded != NULL && strstr (preloaded, "vgpreload") != NULL);
}

/* Neither descriptors nor memory: what one client costs, two thousand cost not two thousand
 * times. */
static void
test_thousands (Fixture *self, const void *data)
{
  const unsigned int rounds = is_instrumented () ? 100 : 2000;
  const size_t allowed = 256; /* pages */
  Rest rest = { .server = self->server };
  size_t before;

  come_and_go (self, rounds / 5);
  raw_settle ();
  rest.n_descriptors = raw_count_descriptors () + 2;
  before = count_memory ();
  come_and_go (self, rounds);
  raw_wait (is_at_rest, &rest);
  if (!is_instrumented ())
    g_assert_cmpuint (count_memory (), <=, before + allowed);
}

#define ADD(path, func, data)                                                                      \
  g_test_add ("/scenarios/" path, Fixture, data, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  ADD ("forward", test_forward, NULL);
  ADD ("refused-port", test_refused_port, NULL);
  ADD ("policy", test_policy, NULL);
  ADD ("http", test_http, NULL);
  ADD ("no-port", test_no_port, NULL);
  ADD ("dropped/client-first", test_dropped, NULL);
  ADD ("dropped/server-first", test_dropped, "");
  ADD ("thousands", test_thousands, NULL);
  return g_test_run ();
}
