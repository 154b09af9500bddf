/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-link-private.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <glib/gi18n-lib.h>

#include "vt-error-private.h"
#include "vt-heap-private.h"
#include "vt-text-private.h"

/* What the kernel may keep unsent: more only makes small messages wait. */
#define NOTSENT_LOWAT (128 * 1024)

/* Pings and pongs in any one second. What gathers while reading is paused comes at once, so it has
 * to be generous. */
#define MAX_CONTROL_RATE 500

/* So long a peer that broke the rules may take to hear why. Nothing is read from it meanwhile, so
 * its own goodbye is not seen. */
#define LINGER (1 * G_TIME_SPAN_SECOND)

#define MAX_REASON 123

/* From here on it is less work to carry a message past libsoup than to have it copied there. */
#define CARRY_FROM 1024

/* About what libsoup needs for a message in its queue besides the bytes: to whoever asks for
 * thousands of small answers and does not read them, they would look like a few KiB. */
#define MESSAGE_COST 200

struct _VtLink {
  /* Owned. */
  SoupWebsocketConnection *connection;
  /* Owned; NULL for a connection that the application made. */
  VtGate *gate;

  VtLinkHandlers handlers;
  /* Not owned. */
  void *user_data;

  /* This side is the client. */
  gboolean masks;
  /* Binary messages go past libsoup, if it holds nothing that comes before them. Large ones do in
   * any case, but for an empty one in their place. */
  gboolean carries;
  /* Data messages that libsoup was given, and that it has told of. */
  guint64 n_sent;
  guint64 n_received;

  /* Bytes of frames that were given to libsoup, and their costs. */
  guint64 handed;
  /* The queue has been above LOW since `writable` was last told. */
  gboolean filled;
  VtTimer *writable_timer;

  /* When the connection ends whatever happens. */
  VtTimer *deadline;
  /* What went wrong first, or NULL. Owned. */
  GError *error;
  gboolean reading;
  /* One side has said goodbye. */
  gboolean leaving;
  /* vt_link_close () was called. */
  gboolean closing;
  /* `closed` was told. */
  gboolean ended;
};

static void
update_paused (VtLink *self)
{
  gboolean paused = !self->reading;

  /* The goodbye of the peer has to be read. */
  if (self->leaving)
    paused = FALSE;
  if (self->gate != NULL)
    vt_gate_set_paused (self->gate, paused);
}

/* Without a gate, libsoup finds the end by itself once the socket is shut down. */
static void
cut (VtLink *self)
{
  GIOStream *stream = soup_websocket_connection_get_io_stream (self->connection);
  g_autoptr(GSocket) socket = NULL;

  if (self->gate != NULL)
    {
      vt_gate_forget_handlers (self->gate);
      vt_gate_abort (self->gate, FALSE);
      return;
    }
  if (soup_websocket_connection_get_state (self->connection) == SOUP_WEBSOCKET_STATE_CLOSED)
    return;
  socket = vt_gate_find_socket (stream);
  if (socket != NULL)
    g_socket_shutdown (socket, TRUE, TRUE, NULL);
  else
    g_io_stream_close_async (stream, G_PRIORITY_DEFAULT, NULL, NULL, NULL);
}

static void
end (VtLink *self)
{
  unsigned int code = soup_websocket_connection_get_close_code (self->connection);
  g_autofree char *reason = g_strdup (soup_websocket_connection_get_close_data (self->connection));
  g_autoptr(GError) error = g_steal_pointer (&self->error);

  if (error == NULL && code == 0)
    error = g_error_new_literal (VT_ERROR, VT_ERROR_FAILED, _ ("The connection was lost"));
  /* It said goodbye without a code. */
  if (code == SOUP_WEBSOCKET_CLOSE_NO_STATUS)
    code = 0;

  self->ended = TRUE;
  g_signal_handlers_disconnect_by_data (self->connection, self);
  vt_timer_stop (self->writable_timer);
  vt_timer_stop (self->deadline);
  cut (self);
  self->handlers.closed (code, reason, error, self->user_data);
}

static void
fail (VtLink *self, GError *error)
{
  if (self->error == NULL)
    self->error = error;
  else
    g_error_free (error);
  /* What it sent wrongly, libsoup would read for ever. */
  if (self->gate != NULL)
    vt_gate_stop_reading (self->gate);
  if (!vt_timer_is_running (self->deadline))
    vt_timer_start (self->deadline, LINGER);
}

static void
take_message (VtLink *self, gboolean text, GBytes *message)
{
  g_autoptr(GBytes) carried = NULL;

  self->n_received++;
  if (self->closing)
    return;
  if (self->carries)
    carried = vt_gate_take_payload (self->gate, self->n_received);
  self->handlers.message (text, carried != NULL ? carried : message, self->user_data);
}

static void
message_cb (SoupWebsocketConnection *connection,
            SoupWebsocketDataType type,
            GBytes *message,
            void *user_data)
{
  take_message (user_data, type == SOUP_WEBSOCKET_DATA_TEXT, message);
}

/* IANA's registry has more codes than libsoup knows, which takes these for an error. */
static gboolean
has_said_goodbye (SoupWebsocketConnection *connection)
{
  unsigned int code = soup_websocket_connection_get_close_code (connection);

  return code >= 1012 && code <= 1014;
}

static void
error_cb (SoupWebsocketConnection *connection, GError *error, void *user_data)
{
  VtLink *self = user_data;
  g_autoptr(GError) converted = NULL;

  if (self->error != NULL || has_said_goodbye (connection))
    return;
  if (error->domain != SOUP_WEBSOCKET_ERROR)
    {
      converted = vt_error_from_platform (error, VT_ERROR_FAILED);
      g_prefix_error (&converted, "%s: ", _ ("The connection was lost"));
    }
  else if (error->code == SOUP_WEBSOCKET_CLOSE_TOO_BIG)
    converted = g_error_new_literal (VT_ERROR, VT_ERROR_LIMIT, error->message);
  else
    converted = g_error_new_literal (VT_ERROR, VT_ERROR_PROTOCOL, error->message);
  fail (self, g_steal_pointer (&converted));
}

static void
closing_cb (SoupWebsocketConnection *connection, void *user_data)
{
  VtLink *self = user_data;

  self->leaving = TRUE;
  update_paused (self);
  /* Whoever is told to go may send on: libsoup would look at each message, and what is carried past
   * it would be kept for nobody. */
  if (self->gate != NULL)
    vt_gate_drop_messages (self->gate);
  if (!vt_timer_is_running (self->deadline))
    vt_timer_start (self->deadline, VT_LINK_CLOSE_DEADLINE);
}

static void
closed_cb (SoupWebsocketConnection *connection, void *user_data)
{
  end (user_data);
}

/* libsoup's client ends its side after the closing handshake, but only where it knows the socket.
 * It tells of nothing else between the peer's goodbye and the end. */
static void
state_cb (SoupWebsocketConnection *connection, GParamSpec *pspec, void *user_data)
{
  VtLink *self = user_data;

  if (self->gate != NULL
      && soup_websocket_connection_get_connection_type (connection)
             == SOUP_WEBSOCKET_CONNECTION_CLIENT
      && soup_websocket_connection_get_close_code (connection) != 0)
    vt_gate_shutdown_output (self->gate);
}

static void
gate_alive_cb (void *user_data)
{
  VtLink *self = user_data;

  self->handlers.alive (self->user_data);
}

static void
gate_message_cb (GBytes *message, void *user_data)
{
  take_message (user_data, FALSE, message);
}

static void
gate_drained_cb (void *user_data)
{
  VtLink *self = user_data;

  /* This comes from within libsoup's write. */
  if (self->filled && vt_link_get_queued (self) < VT_LINK_LOW)
    {
      self->filled = FALSE;
      vt_timer_start_soon (self->writable_timer);
    }
}

static void
gate_violated_cb (unsigned int close_code, const char *reason, void *user_data)
{
  VtLink *self = user_data;
  gboolean malformed = close_code == SOUP_WEBSOCKET_CLOSE_PROTOCOL_ERROR;

  if (close_code == SOUP_WEBSOCKET_CLOSE_GOING_AWAY)
    {
      /* The peer has not said so, and is not reached any more: as if it had been cut. */
      fail (self, g_error_new_literal (VT_ERROR, VT_ERROR_FAILED, _ ("The connection was lost")));
      vt_timer_start (self->deadline, 0);
      return;
    }
  fail (self, g_error_new (VT_ERROR, malformed ? VT_ERROR_PROTOCOL : VT_ERROR_LIMIT,
                           _ ("The peer broke a limit: %s"), reason));
  if (soup_websocket_connection_get_state (self->connection) == SOUP_WEBSOCKET_STATE_OPEN)
    soup_websocket_connection_close (self->connection, close_code, reason);
}

static void
begin_websocket (VtLink *self, size_t max_message)
{
  VtFrameLimits limits = {
    .max_message = max_message,
    .max_control_rate = MAX_CONTROL_RATE,
    .masked = !self->masks,
  };
  VtGateHandlers handlers = {
    .alive = gate_alive_cb,
    .drained = gate_drained_cb,
    .violated = gate_violated_cb,
  };

  if (self->carries)
    {
      limits.carry_from = CARRY_FROM;
      handlers.message = gate_message_cb;
    }
  vt_gate_begin_websocket (self->gate, &limits, &handlers, self);
}

static void
writable_cb (void *user_data)
{
  VtLink *self = user_data;

  self->handlers.writable (self->user_data);
}

static void
deadline_cb (void *user_data)
{
  end (user_data);
}

static void
set_socket_options (GIOStream *stream)
{
  g_autoptr(GSocket) socket = vt_gate_find_socket (stream);

  if (socket == NULL || g_socket_get_family (socket) == G_SOCKET_FAMILY_UNIX)
    return;
  g_socket_set_option (socket, IPPROTO_TCP, TCP_NODELAY, TRUE, NULL);
#ifdef TCP_NOTSENT_LOWAT
  g_socket_set_option (socket, IPPROTO_TCP, TCP_NOTSENT_LOWAT, NOTSENT_LOWAT, NULL);
#endif
}

VtLink *
vt_link_new (SoupWebsocketConnection *connection,
             VtGate *gate,
             size_t max_message,
             const VtLinkHandlers *handlers,
             void *user_data)
{
  VtLink *self = g_new0 (VtLink, 1);
  g_autoptr(VtClock) clock = vt_clock_get (NULL);
  SoupWebsocketState state = soup_websocket_connection_get_state (connection);

  vt_heap_prepare ();
  self->connection = g_object_ref (connection);
  self->gate = gate != NULL ? g_object_ref (gate) : NULL;
  self->masks = soup_websocket_connection_get_connection_type (connection)
                == SOUP_WEBSOCKET_CONNECTION_CLIENT;
  if (handlers != NULL)
    vt_link_set_handlers (self, handlers, user_data);
  self->reading = TRUE;
  self->writable_timer = vt_timer_new (clock, "link writable", writable_cb, self);
  self->deadline = vt_timer_new (clock, "link deadline", deadline_cb, self);

  soup_websocket_connection_set_max_incoming_payload_size (connection, max_message);
  set_socket_options (soup_websocket_connection_get_io_stream (connection));
  g_signal_connect (connection, "message", G_CALLBACK (message_cb), self);
  g_signal_connect (connection, "error", G_CALLBACK (error_cb), self);
  g_signal_connect (connection, "closing", G_CALLBACK (closing_cb), self);
  g_signal_connect (connection, "closed", G_CALLBACK (closed_cb), self);
  g_signal_connect (connection, "notify::state", G_CALLBACK (state_cb), self);
  /* An extension has to see what it is to compress. */
  self->carries = gate != NULL && soup_websocket_connection_get_extensions (connection) == NULL;
  if (gate != NULL)
    begin_websocket (self, max_message);

  if (state != SOUP_WEBSOCKET_STATE_OPEN)
    vt_timer_start (self->deadline,
                    state == SOUP_WEBSOCKET_STATE_CLOSED ? 0 : VT_LINK_CLOSE_DEADLINE);
  return self;
}

void
vt_link_free (VtLink *self)
{
  g_signal_handlers_disconnect_by_data (self->connection, self);
  vt_timer_free (self->writable_timer);
  vt_timer_free (self->deadline);
  if (!self->ended)
    cut (self);
  /* libsoup keeps a connection alive until it has closed its stream, so this is safe within its
   * own signals. */
  g_clear_object (&self->connection);
  g_clear_object (&self->gate);
  g_clear_error (&self->error);
  g_free (self);
}

void
vt_link_set_handlers (VtLink *self, const VtLinkHandlers *handlers, void *user_data)
{
  self->handlers = *handlers;
  self->user_data = user_data;
}

GSocketAddress *
vt_link_dup_local_address (VtLink *self)
{
  GIOStream *stream = soup_websocket_connection_get_io_stream (self->connection);
  g_autoptr(GSocket) socket = vt_gate_find_socket (stream);

  return socket != NULL ? g_socket_get_local_address (socket, NULL) : NULL;
}

static size_t
frame_size (VtLink *self, size_t length)
{
  size_t size = length + 2;

  if (length >= 65536)
    size += 8;
  else if (length >= 126)
    size += 2;
  if (self->masks)
    size += 4;
  return size;
}

static gboolean
is_open (VtLink *self)
{
  return !self->ended && !self->closing
         && soup_websocket_connection_get_state (self->connection) == SOUP_WEBSOCKET_STATE_OPEN;
}

static void
send_with_libsoup (VtLink *self, GBytes *message, gboolean text)
{
  g_autoptr(GBytes) empty = NULL;

  if (self->carries && !text && g_bytes_get_size (message) >= CARRY_FROM)
    {
      vt_gate_put_payload (self->gate, self->n_sent, message);
      message = empty = g_bytes_new_static ("", 0);
    }
  soup_websocket_connection_send_message (
      self->connection, text ? SOUP_WEBSOCKET_DATA_TEXT : SOUP_WEBSOCKET_DATA_BINARY, message);
}

void
vt_link_send (VtLink *self, GBytes *message, gboolean text)
{
  if (!is_open (self))
    return;

  self->handed += frame_size (self, g_bytes_get_size (message)) + MESSAGE_COST;
  self->n_sent++;
  if (!self->carries || text || !vt_gate_send (self->gate, self->n_sent, message, self->masks))
    send_with_libsoup (self, message, text);
  if (vt_link_get_queued (self) >= VT_LINK_LOW)
    self->filled = TRUE;
}

size_t
vt_link_get_queued (VtLink *self)
{
  if (self->gate == NULL)
    return 0;
  return self->handed - vt_gate_get_data_passed (self->gate)
         - vt_gate_get_n_data_passed (self->gate) * MESSAGE_COST;
}

void
vt_link_set_reading (VtLink *self, gboolean reading)
{
  self->reading = reading;
  if (!self->ended)
    update_paused (self);
}

void
vt_link_set_ping_interval (VtLink *self, unsigned int seconds)
{
  if (is_open (self))
    soup_websocket_connection_set_keepalive_interval (self->connection, seconds);
}

void
vt_link_close (VtLink *self, unsigned int code, const char *reason)
{
  g_autofree char *shortened = reason != NULL ? vt_text_fit (reason, MAX_REASON) : NULL;

  if (self->closing || self->ended)
    return;
  if (soup_websocket_connection_get_state (self->connection) == SOUP_WEBSOCKET_STATE_OPEN)
    soup_websocket_connection_close (self->connection, code, shortened);
  self->closing = TRUE;
  closing_cb (self->connection, self);
}
