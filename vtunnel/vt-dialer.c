/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-dialer-private.h"

#include <glib/gi18n-lib.h>

#include "vt-clock-private.h"
#include "vt-dialer-error-private.h"
#include "vt-error.h"
#include "vt-loopback-private.h"
#include "vt-pins-private.h"
#include "vt-source-private.h"

/* How the gate gets under the WebSocket.
 *
 * libsoup connects, and hands over a SoupWebsocketConnection that already waits for input. Its
 * callback runs within the emission of SoupMessage::got-informational, in which that connection was
 * made: nothing was dispatched in between, so nothing can have been read. The source that it waits
 * with is found by its user data, which is the connection, and destroyed; from then on libsoup's
 * connection is inert. A second one is made over a gate around its stream. The first owns that
 * stream, and would close it when it goes; so the gate keeps it.
 *
 * Frames that came in one segment with the answer stand in the buffer of libsoup's stream. They
 * are read from there and put before everything else; from then on the gate works on the bare
 * socket. Over TLS it goes through libsoup's stream, which adds nothing once its buffer is empty.
 *
 * Of an answer that is cut within its head, libsoup takes what came for all of it: even for an
 * upgrade, and one without a subprotocol if that is what is missing. So a connection that has
 * nothing behind its upgrade but the end is none.
 */
typedef struct {
  SoupMessage *message;           /* owned */
  GCancellable *cancellable;      /* owned: the caller's, the deadline, an early verdict */
  GCancellable *outer;            /* owned, the caller's, nullable */
  VtTimer *deadline;              /* owned */
  SoupWebsocketConnection *first; /* owned, libsoup's own connection, inert */
  unsigned long outer_id;
  char **pins;                 /* owned, nullable */
  char *unpinned;              /* owned: the certificate that was shown, if it is another one */
  unsigned int refused_status; /* the answer that settles it, 0 while there is none */
  gboolean upgrade_over;       /* the emission that libsoup upgrades in is over */
  gboolean old_tls;
  gboolean timed_out;
  VtDialOutcome outcome;
} Dial;

#define DEADLINE_SECONDS 30
/* More than libsoup ever buffers of a response. */
#define DRAIN_SIZE (64 * 1024)
#define FIRST_CONNECTION_KEY "vtunnel-first-connection"

/* Lets go of libsoup's own connection, whose stream is closed by now. It closes it once more, in
 * its way: asynchronously, keeping itself alive meanwhile. A context of its own sees to it that
 * this does not depend on the owner's main loop, which may never run again. */
static void
drop_first_connection (void *connection)
{
  g_autoptr(GMainContext) context = vt_source_new_context ();

  if (context == NULL)
    {
      g_object_unref (connection);
      return;
    }
  g_main_context_push_thread_default (context);
  g_object_unref (connection);
  while (g_main_context_iteration (context, FALSE))
    ;
  g_main_context_pop_thread_default (context);
}

/* The socket that libsoup's stream wraps, where nothing else (TLS, a proxy's framing) is between.
 * */
static GIOStream *
find_bare_socket (GIOStream *stream)
{
  g_autoptr(GIOStream) base = NULL;
  GParamSpec *pspec = g_object_class_find_property (G_OBJECT_GET_CLASS (stream), "base-iostream");

  if (pspec == NULL || !g_type_is_a (pspec->value_type, G_TYPE_IO_STREAM))
    return NULL;
  g_object_get (stream, "base-iostream", &base, NULL);
  if (G_IS_TCP_WRAPPER_CONNECTION (base))
    g_set_object (&base,
                  g_tcp_wrapper_connection_get_base_io_stream (G_TCP_WRAPPER_CONNECTION (base)));
  return G_IS_SOCKET_CONNECTION (base) ? g_steal_pointer (&base) : NULL;
}

/* `over` becomes TRUE if there is nothing behind the answer, and never will be. */
static VtGate *
lay_gate (SoupWebsocketConnection *first, gboolean *over)
{
  GIOStream *stream = soup_websocket_connection_get_io_stream (first);
  GPollableInputStream *input = G_POLLABLE_INPUT_STREAM (g_io_stream_get_input_stream (stream));
  g_autoptr(GIOStream) bare = find_bare_socket (stream);
  g_autofree uint8_t *buffer = g_malloc (DRAIN_SIZE);
  VtGate *gate = vt_gate_new (bare != NULL ? bare : stream);
  /* Met again by the gate. */
  g_autoptr(GError) error = NULL;
  gssize length =
      g_pollable_input_stream_read_nonblocking (input, buffer, DRAIN_SIZE, NULL, &error);

  *over = length == 0;
  if (length > 0)
    vt_gate_unread (gate, buffer, length);
  g_object_set_data_full (G_OBJECT (gate), FIRST_CONNECTION_KEY, g_object_ref (first),
                          drop_first_connection);
  return gate;
}

/* A connection that nobody came to fetch. */
static void
discard_first_connection (SoupWebsocketConnection *first)
{
  gboolean over;
  g_autoptr(VtGate) gate = lay_gate (first, &over);

  g_object_unref (first);
  vt_gate_abort (gate, FALSE);
}

static void
release_outer (Dial *self)
{
  /* Not g_cancellable_disconnect (), which waits for a cancellation that is going on, and this may
   * be called from within one. What the handler works on is kept by the handler itself. */
  if (self->outer_id != 0)
    g_signal_handler_disconnect (self->outer, self->outer_id);
  self->outer_id = 0;
}

static void
dial_free (void *data)
{
  Dial *self = data;

  release_outer (self);
  g_clear_pointer (&self->deadline, vt_timer_free);
  g_clear_pointer (&self->first, discard_first_connection);
  g_signal_handlers_disconnect_by_data (self->message, self);
  g_clear_object (&self->message);
  g_clear_object (&self->cancellable);
  g_clear_object (&self->outer);
  g_strfreev (self->pins);
  g_free (self->unpinned);
  g_free (self);
}

/* Stops `connection` from ever reading. FALSE if it could have read already. */
static gboolean
silence (Dial *self, SoupWebsocketConnection *connection)
{
  g_autoptr(GMainContext) context = g_main_context_ref_thread_default ();
  gboolean found = FALSE;
  GSource *source;

  while ((source = g_main_context_find_source_by_user_data (context, connection)) != NULL)
    {
      g_source_destroy (source);
      found = TRUE;
    }
  return found && !self->upgrade_over;
}

static void
connected_cb (GObject *source, GAsyncResult *result, void *user_data)
{
  g_autoptr(GTask) task = user_data;
  g_autoptr(GError) error = NULL;
  Dial *self = g_task_get_task_data (task);
  VtDialerFailure failure = { 0 };

  vt_timer_stop (self->deadline);
  release_outer (self);
  self->first = soup_session_websocket_connect_finish (SOUP_SESSION (source), result, &error);
  if (self->first == NULL)
    {
      failure.message = self->message;
      failure.refused_status = self->refused_status;
      failure.timed_out = self->timed_out;
      failure.old_tls = self->old_tls;
      failure.unpinned = self->unpinned;
      failure.deadline_seconds = DEADLINE_SECONDS;
      self->outcome = vt_dialer_error_judge (&failure, error);
      g_task_return_error (task, vt_dialer_error_new (&failure, error));
      return;
    }

  if (silence (self, self->first))
    {
      g_task_return_boolean (task, TRUE);
      return;
    }
  self->outcome.hopeless = TRUE;
  g_task_return_new_error (task, VT_ERROR, VT_ERROR_FAILED,
                           _ ("This version of libsoup connects in a way that is not known"));
}

static void
upgrade_over_cb (SoupMessage *message, void *user_data)
{
  Dial *self = user_data;

  self->upgrade_over = soup_message_get_status (message) == SOUP_STATUS_SWITCHING_PROTOCOLS;
}

/* The head of an answer tells all there is to know, and a body may never end. Only a demand for
 * credentials is left to libsoup, which may have them. */
static void
got_headers_cb (SoupMessage *message, void *user_data)
{
  Dial *self = user_data;
  unsigned int status = soup_message_get_status (message);

  if (status == SOUP_STATUS_UNAUTHORIZED || status == SOUP_STATUS_PROXY_UNAUTHORIZED)
    return;
  self->refused_status = status;
  g_cancellable_cancel (self->cancellable);
}

/* What is pinned is taken, whatever else is to be said of it. What is not is kept for the error. */
static gboolean
accept_certificate_cb (SoupMessage *message,
                       GTlsCertificate *certificate,
                       GTlsCertificateFlags errors,
                       void *user_data)
{
  Dial *self = user_data;

  if (vt_pins_match ((const char *const *) self->pins, certificate))
    return TRUE;
  g_free (self->unpinned);
  self->unpinned = vt_pins_format (certificate);
  return FALSE;
}

/* Before a byte of the request is written: a certificate that everybody else trusts may be another
 * one than is pinned, and GnuTLS knows older versions than may be spoken. */
static void
network_event_cb (SoupMessage *message,
                  GSocketClientEvent event,
                  GIOStream *stream,
                  void *user_data)
{
  Dial *self = user_data;
  GTlsProtocolVersion version;
  GTlsCertificate *certificate;

  if (event != G_SOCKET_CLIENT_TLS_HANDSHAKED || !G_IS_TLS_CONNECTION (stream))
    return;
  version = g_tls_connection_get_protocol_version (G_TLS_CONNECTION (stream));
  certificate = g_tls_connection_get_peer_certificate (G_TLS_CONNECTION (stream));
  self->old_tls = version < G_TLS_PROTOCOL_VERSION_TLS_1_2;
  if (self->pins != NULL
      && (certificate == NULL || !vt_pins_match ((const char *const *) self->pins, certificate)))
    {
      g_free (self->unpinned);
      self->unpinned = certificate != NULL ? vt_pins_format (certificate) : g_strdup ("-");
    }
  if (self->old_tls || self->unpinned != NULL)
    g_cancellable_cancel (self->cancellable);
}

static void
outer_cancelled_cb (GCancellable *outer, GCancellable *inner)
{
  g_cancellable_cancel (inner);
}

static void
deadline_cb (void *user_data)
{
  Dial *self = user_data;

  self->timed_out = TRUE;
  g_cancellable_cancel (self->cancellable);
}

static GUri *
parse_uri (const char *text, GError **error)
{
  g_autoptr(GUri) uri = g_uri_parse (text, SOUP_HTTP_URI_FLAGS, NULL);
  const char *scheme = uri != NULL ? g_uri_get_scheme (uri) : "";
  gboolean plain = g_str_equal (scheme, "ws") || g_str_equal (scheme, "http");
  gboolean secure = g_str_equal (scheme, "wss") || g_str_equal (scheme, "https");

  /* The text may hold a password, so it is not repeated. */
  if ((!plain && !secure) || g_uri_get_host (uri) == NULL || *g_uri_get_host (uri) == '\0')
    {
      g_set_error_literal (error, VT_ERROR, VT_ERROR_INVALID_ARGUMENT,
                           _ ("The server's address has to look like wss://example.org/path"));
      return NULL;
    }
  return soup_uri_copy (uri, SOUP_URI_SCHEME, plain ? "ws" : "wss", SOUP_URI_FRAGMENT, NULL,
                        SOUP_URI_NONE);
}

static gboolean
has_secret (GUri *uri, const GPtrArray *headers)
{
  if (g_uri_get_password (uri) != NULL)
    return TRUE;
  for (unsigned int i = 0; headers != NULL && i + 1 < headers->len; i += 2)
    if (g_ascii_strcasecmp (headers->pdata[i], "Authorization") == 0)
      return TRUE;
  return FALSE;
}

static SoupMessage *
new_message (const VtDialRequest *request, GError **error)
{
  g_autoptr(GUri) uri = parse_uri (request->uri, error);
  SoupMessage *message;
  SoupMessageHeaders *headers;

  if (uri == NULL)
    return NULL;
  if (g_str_equal (g_uri_get_scheme (uri), "ws") && has_secret (uri, request->headers)
      && !vt_loopback_is_address (g_uri_get_host (uri)))
    {
      g_set_error_literal (error, VT_ERROR, VT_ERROR_INVALID_ARGUMENT,
                           _ ("A token or password must not travel unencrypted: use wss://"));
      return NULL;
    }

  message = soup_message_new_from_uri (SOUP_METHOD_GET, uri);
  /* Credentials are for the host that they were given for. */
  soup_message_add_flags (message, SOUP_MESSAGE_NO_REDIRECT);
  /* No compression: it makes small messages out of bombs. The session's features, which may be the
   * application's, stay as they are. */
  soup_message_disable_feature (message, SOUP_TYPE_WEBSOCKET_EXTENSION_MANAGER);
  headers = soup_message_get_request_headers (message);
  if (request->certificate != NULL)
    soup_message_set_tls_client_certificate (message, request->certificate);
  for (unsigned int i = 0; request->headers != NULL && i + 1 < request->headers->len; i += 2)
    soup_message_headers_replace (headers, request->headers->pdata[i],
                                  request->headers->pdata[i + 1]);
  return message;
}

static Dial *
dial_new (SoupMessage *message, GCancellable *cancellable)
{
  g_autoptr(VtClock) clock = vt_clock_get (NULL);
  Dial *self = g_new0 (Dial, 1);

  self->message = message;
  self->cancellable = g_cancellable_new ();
  self->deadline = vt_timer_new (clock, "dial deadline", deadline_cb, self);
  vt_timer_start (self->deadline, DEADLINE_SECONDS * G_TIME_SPAN_SECOND);
  if (cancellable != NULL)
    {
      self->outer = g_object_ref (cancellable);
      self->outer_id = g_cancellable_connect (cancellable, G_CALLBACK (outer_cancelled_cb),
                                              g_object_ref (self->cancellable), g_object_unref);
    }
  return self;
}

void
vt_dialer_dial_async (const VtDialRequest *request,
                      GCancellable *cancellable,
                      GAsyncReadyCallback callback,
                      void *user_data)
{
  g_autoptr(GTask) task = g_task_new (NULL, cancellable, callback, user_data);
  g_autoptr(GError) error = NULL;
  SoupMessage *message;
  Dial *self;

  g_task_set_source_tag (task, vt_dialer_dial_async);
  message = new_message (request, &error);
  if (message == NULL)
    {
      g_task_return_error (task, g_steal_pointer (&error));
      return;
    }

  self = dial_new (message, cancellable);
  self->pins = g_strdupv ((char **) request->pins);
  g_task_set_task_data (task, self, dial_free);
  soup_session_websocket_connect_async (request->session, message, NULL,
                                        (char **) request->subprotocols, G_PRIORITY_DEFAULT,
                                        self->cancellable, connected_cb, g_steal_pointer (&task));
  /* After libsoup's own handler, which upgrades. */
  g_signal_connect (message, "got-informational", G_CALLBACK (upgrade_over_cb), self);
  g_signal_connect (message, "got-headers", G_CALLBACK (got_headers_cb), self);
  g_signal_connect (message, "network-event", G_CALLBACK (network_event_cb), self);
  if (self->pins != NULL)
    g_signal_connect (message, "accept-certificate", G_CALLBACK (accept_certificate_cb), self);
}

gboolean
vt_dialer_dial_finish (GAsyncResult *result,
                       SoupWebsocketConnection **connection,
                       VtGate **gate,
                       VtDialOutcome *outcome,
                       GError **error)
{
  GTask *task = G_TASK (result);
  Dial *self = g_task_get_task_data (task);
  gboolean over;

  g_return_val_if_fail (g_task_is_valid (result, NULL), FALSE);

  /* What was never dialled was not worth it. */
  if (outcome != NULL)
    *outcome = self != NULL ? self->outcome : (VtDialOutcome){ .hopeless = TRUE };
  if (!g_task_propagate_boolean (task, error))
    return FALSE;

  /* Made here, and not earlier, so that no dispatch comes between the connection that reads and
   * whoever listens to it. */
  *gate = lay_gate (self->first, &over);
  if (over)
    {
      g_clear_object (&self->first);
      vt_gate_abort (*gate, FALSE);
      g_clear_object (gate);
      g_set_error_literal (error, VT_ERROR, VT_ERROR_FAILED, _ ("The connection was lost"));
      return FALSE;
    }
  *connection =
      soup_websocket_connection_new (G_IO_STREAM (*gate),
                                     soup_websocket_connection_get_uri (self->first),
                                     SOUP_WEBSOCKET_CONNECTION_CLIENT, NULL,
                                     soup_websocket_connection_get_protocol (self->first), NULL);
  g_clear_object (&self->first);
  return TRUE;
}
