/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-trunk-private.h"

#include <glib/gi18n-lib.h>

#include "vt-clock-private.h"
#include "vt-codec-binary-private.h"
#include "vt-error-private.h"
#include "vt-greeting-private.h"
#include "vt-replay-private.h"
#include "vt-text-private.h"

/* Whatever ends a trunk can come from deep within the mux: from an event of one of its streams, on
 * which an application closes its client or lets it go. A mux must not be freed there, so both
 * closing and freeing are done in a later dispatch. What others see happens at once: the socket
 * is closed, and no handler is called any more.
 */
struct _VtTrunk {
  VtTrunkHandlers handlers;
  void *user_data;
  VtGate *gate;       /* owned, NULL for a connection that the application made */
  VtLink *link;       /* owned */
  VtMux *mux;         /* owned, NULL once the streams were told that it is over */
  VtReplay *replay;   /* owned, NULL in v1 */
  VtTimer *greeting;  /* owned: waits for the other side's greeting */
  VtTimer *later;     /* owned, closes or destroys in a dispatch of its own */
  GError *error;      /* owned, why this side gave up, NULL if it did not */
  char *close_reason; /* owned */
  unsigned int close_code;
  VtMuxConfig config;
  gboolean ready;   /* both sides have greeted; v1: from the beginning */
  gboolean closing; /* vt_trunk_close () was called, or the mux failed */
  gboolean closed;  /* the owner was told, or is not to be told any more */
  gboolean freed;
};

/* What an existing program of protocol v1 may send in one message. */
#define MAX_MESSAGE_V1 (1024 * 1024)

/* How long the other side may take to greet. */
#define GREETING_TIMEOUT (10 * G_TIME_SPAN_SECOND)

/* Tells the streams, for which an end of the tunnel is never an orderly end of their own. */
static void
end_streams (VtTrunk *self, const GError *error)
{
  g_autoptr(GError) fallback = NULL;

  if (self->mux == NULL)
    return;
  if (error == NULL)
    fallback = g_error_new_literal (VT_ERROR, VT_ERROR_CANCELLED, _ ("The tunnel was closed"));
  vt_mux_free (g_steal_pointer (&self->mux), error != NULL ? error : fallback);
}

static void
destroy (VtTrunk *self)
{
  end_streams (self, NULL);
  g_clear_pointer (&self->link, vt_link_free);
  g_clear_pointer (&self->replay, vt_replay_free);
  g_clear_pointer (&self->greeting, vt_timer_free);
  g_clear_pointer (&self->later, vt_timer_free);
  g_clear_object (&self->gate);
  g_clear_error (&self->error);
  g_free (self->close_reason);
  g_free (self);
}

static void
report_closed (VtTrunk *self, const GError *error)
{
  if (self->freed || self->closed)
    return;
  self->closed = TRUE;
  self->handlers.closed (error, self->user_data);
}

static GError *
error_from_close_code (unsigned int code, const char *reason)
{
  g_autofree char *escaped = NULL;
  int error_code;

  switch (code)
    {
    /* No code at all is how a program says that it has nothing to add. */
    case 0:
    case SOUP_WEBSOCKET_CLOSE_NORMAL:
    case SOUP_WEBSOCKET_CLOSE_NO_STATUS:
      return NULL;
    case SOUP_WEBSOCKET_CLOSE_GOING_AWAY:
      error_code = VT_ERROR_SHUTTING_DOWN;
      break;
    case SOUP_WEBSOCKET_CLOSE_PROTOCOL_ERROR:
    case SOUP_WEBSOCKET_CLOSE_UNSUPPORTED_DATA:
    case SOUP_WEBSOCKET_CLOSE_BAD_DATA:
      error_code = VT_ERROR_PROTOCOL;
      break;
    case SOUP_WEBSOCKET_CLOSE_POLICY_VIOLATION:
    case SOUP_WEBSOCKET_CLOSE_TOO_BIG:
      error_code = VT_ERROR_LIMIT;
      break;
    default:
      error_code = VT_ERROR_FAILED;
      break;
    }

  if (reason == NULL || *reason == '\0')
    return g_error_new (VT_ERROR, error_code, _ ("The other side closed the tunnel (code %u)"),
                        code);
  escaped = vt_text_escape (reason, -1);
  return g_error_new (VT_ERROR, error_code, _ ("The other side closed the tunnel (code %u): %s"),
                      code, escaped);
}

/* This side has had enough of the other one, or of waiting for it. Not from within the mux. */
static void
give_up (VtTrunk *self, const GError *error)
{
  unsigned int code = SOUP_WEBSOCKET_CLOSE_PROTOCOL_ERROR;
  gboolean dead = g_error_matches (error, VT_ERROR, VT_ERROR_TIMED_OUT);

  vt_timer_stop (self->later);
  vt_timer_stop (self->greeting);
  self->closing = TRUE;
  g_clear_error (&self->error);
  self->error = g_error_copy (error);
  if (g_error_matches (error, VT_ERROR, VT_ERROR_LIMIT))
    code = SOUP_WEBSOCKET_CLOSE_POLICY_VIOLATION;
  else if (dead || g_error_matches (error, VT_ERROR, VT_ERROR_SHUTTING_DOWN))
    code = SOUP_WEBSOCKET_CLOSE_GOING_AWAY;

  end_streams (self, self->error);
  if (self->freed)
    return;
  vt_link_close (self->link, code, self->error->message);
  /* It will not shake hands. */
  if (dead)
    report_closed (self, self->error);
}

static void
greeting_cb (void *user_data)
{
  g_autoptr(GError) error =
      g_error_new_literal (VT_ERROR, VT_ERROR_TIMED_OUT, _ ("The other side does not greet"));

  give_up (user_data, error);
}

/* What was sent before, such as a client's wishes, leaves now. */
static void
become_ready (VtTrunk *self, const VtControlLimits *limits)
{
  g_autoptr(GError) error = NULL;

  vt_timer_stop (self->greeting);
  self->ready = TRUE;
  vt_mux_set_peer_limits (self->mux, limits);
  if (!vt_replay_attach (self->replay, 0, &error))
    give_up (self, error);
  else if (self->handlers.ready != NULL)
    self->handlers.ready (self->user_data);
}

static gboolean
send_greeting (VtTrunk *self, GError **error)
{
  VtControlLimits limits;
  g_autoptr(GBytes) greeting = NULL;

  vt_mux_config_get_limits (&self->config, &limits);
  greeting = self->config.role == VT_MUX_CLIENT ? vt_greeting_new_hello (&limits)
                                                : vt_greeting_new_welcome (&limits, error);
  if (greeting != NULL)
    vt_link_send (self->link, greeting, TRUE);
  return greeting != NULL;
}

static void
receive_greeting (VtTrunk *self, gboolean text, GBytes *message)
{
  gboolean is_client = self->config.role == VT_MUX_CLIENT;
  g_auto(VtControl) greeting = { 0 };
  g_autoptr(GError) error = NULL;

  if (!vt_greeting_read (message, text, is_client ? VT_CONTROL_WELCOME : VT_CONTROL_HELLO,
                         &greeting, &error)
      || (!is_client && !send_greeting (self, &error)))
    give_up (self, error);
  else
    become_ready (self, &greeting.limits);
}

static void
receive_ack (VtTrunk *self, guint64 received)
{
  g_autoptr(GError) error = NULL;

  if (vt_replay_acknowledge (self->replay, received, &error))
    vt_mux_note_writable (self->mux);
  else
    give_up (self, error);
}

/* Nothing is counted that the mux did not take. */
static void
receive_v2 (VtTrunk *self, gboolean text, GBytes *message)
{
  size_t length;
  const uint8_t *data = g_bytes_get_data (message, &length);
  guint64 received;

  if (!self->ready)
    receive_greeting (self, text, message);
  else if (!text && vt_codec_binary_read_ack (data, length, &received))
    receive_ack (self, received);
  else if (vt_mux_receive (self->mux, text, message))
    vt_replay_note_received (self->replay, length);
}

static void
link_message_cb (gboolean text, GBytes *message, void *user_data)
{
  VtTrunk *self = user_data;

  if (self->mux == NULL || self->closing || self->freed)
    return;
  if (self->replay != NULL)
    receive_v2 (self, text, message);
  else
    vt_mux_receive (self->mux, text, message);
}

static void
link_alive_cb (void *user_data)
{
  VtTrunk *self = user_data;

  if (self->mux != NULL && !self->freed)
    vt_mux_note_alive (self->mux);
}

static void
link_writable_cb (void *user_data)
{
  VtTrunk *self = user_data;

  if (self->mux != NULL && !self->freed)
    vt_mux_note_writable (self->mux);
}

static void
link_closed_cb (unsigned int code, const char *reason, const GError *error, void *user_data)
{
  VtTrunk *self = user_data;
  g_autoptr(GError) why = NULL;

  if (self->freed)
    return;

  vt_timer_stop (self->later);
  vt_timer_stop (self->greeting);
  self->closing = TRUE;
  if (self->error != NULL)
    why = g_error_copy (self->error);
  else if (error != NULL)
    why = vt_error_from_platform (error, VT_ERROR_FAILED);
  else
    why = error_from_close_code (code, reason);

  end_streams (self, why);
  report_closed (self, why);
}

static void
mux_send_cb (GBytes *message, gboolean text, gboolean counted, void *user_data)
{
  VtTrunk *self = user_data;

  if (self->freed)
    return;
  if (counted && self->replay != NULL)
    vt_replay_send (self->replay, message, text);
  else if (self->ready)
    vt_link_send (self->link, message, text);
}

static void
replay_send_cb (GBytes *message, gboolean text, void *user_data)
{
  VtTrunk *self = user_data;

  if (!self->freed)
    vt_link_send (self->link, message, text);
}

static size_t
mux_get_kept_cb (void *user_data)
{
  VtTrunk *self = user_data;

  return self->replay != NULL ? vt_replay_get_kept (self->replay) : 0;
}

static size_t
mux_get_queued_cb (void *user_data)
{
  VtTrunk *self = user_data;

  return vt_link_get_queued (self->link);
}

static void
mux_set_reading_cb (gboolean reading, void *user_data)
{
  VtTrunk *self = user_data;

  if (!self->freed)
    vt_link_set_reading (self->link, reading);
}

static gboolean
is_live (VtTrunk *self)
{
  return !self->freed && !self->closing;
}

static void
mux_listen_ok_cb (guint32 id,
                  const char *address,
                  guint16 port,
                  gboolean confirmed,
                  void *user_data)
{
  VtTrunk *self = user_data;

  if (is_live (self) && self->handlers.listen_ok != NULL)
    self->handlers.listen_ok (id, address, port, confirmed, self->user_data);
}

static void
mux_listen_failed_cb (guint32 id, const GError *error, void *user_data)
{
  VtTrunk *self = user_data;

  if (is_live (self) && self->handlers.listen_failed != NULL)
    self->handlers.listen_failed (id, error, self->user_data);
}

static void
mux_stream_opened_cb (VtMuxStream *stream, guint32 listen_id, void *user_data)
{
  VtTrunk *self = user_data;

  if (is_live (self) && self->handlers.stream_opened != NULL)
    self->handlers.stream_opened (stream, listen_id, self->user_data);
}

static void
mux_listen_requested_cb (guint32 id, const VtMuxListen *listen, void *user_data)
{
  VtTrunk *self = user_data;

  if (is_live (self) && self->handlers.listen_requested != NULL)
    self->handlers.listen_requested (id, listen, self->user_data);
}

static void
mux_unlistened_cb (guint32 id, void *user_data)
{
  VtTrunk *self = user_data;

  if (is_live (self) && self->handlers.unlistened != NULL)
    self->handlers.unlistened (id, self->user_data);
}

static void
mux_rtt_measured_cb (gint64 rtt, void *user_data)
{
  VtTrunk *self = user_data;

  if (is_live (self) && self->handlers.rtt_measured != NULL)
    self->handlers.rtt_measured (rtt, self->user_data);
}

static void
mux_unlisten_done_cb (guint32 id, void *user_data)
{
  VtTrunk *self = user_data;

  if (is_live (self) && self->handlers.unlisten_done != NULL)
    self->handlers.unlisten_done (id, self->user_data);
}

static void
mux_going_away_cb (const char *reason, unsigned int timeout, void *user_data)
{
  VtTrunk *self = user_data;

  if (is_live (self) && self->handlers.going_away != NULL)
    self->handlers.going_away (reason, timeout, self->user_data);
}

static void
mux_failed_cb (const GError *error, void *user_data)
{
  VtTrunk *self = user_data;

  if (!self->freed && self->mux != NULL)
    give_up (self, error);
}

static void
later_cb (void *user_data)
{
  VtTrunk *self = user_data;
  g_autoptr(GError) error = NULL;

  if (self->freed)
    {
      destroy (self);
      return;
    }

  if (self->close_code == SOUP_WEBSOCKET_CLOSE_GOING_AWAY)
    error = g_error_new_literal (VT_ERROR, VT_ERROR_SHUTTING_DOWN, _ ("The tunnel shuts down"));
  end_streams (self, error);
  if (!self->freed)
    vt_link_close (self->link, self->close_code, self->close_reason);
}

/* In v2 the mux itself pings, and both sides do. */
static VtLink *
new_link (VtTrunk *self, SoupWebsocketConnection *connection, VtGate *gate)
{
  const VtLinkHandlers handlers = {
    .message = link_message_cb,
    .alive = link_alive_cb,
    .writable = link_writable_cb,
    .closed = link_closed_cb,
  };
  g_autoptr(SoupWebsocketConnection) taken = connection;
  size_t max_message = self->replay != NULL ? VT_CONTROL_OUR_MESSAGE : MAX_MESSAGE_V1;
  VtLink *link = vt_link_new (connection, gate, max_message, &handlers, self);
  gint64 interval = self->replay != NULL ? 0 : self->config.ping_interval;
  gint64 seconds = (interval + G_TIME_SPAN_SECOND - 1) / G_TIME_SPAN_SECOND;

  vt_link_set_ping_interval (link, (unsigned int) MIN (seconds, G_MAXUINT16));
  return link;
}

static VtMux *
new_mux (VtTrunk *self, VtClock *clock)
{
  const VtMuxHandlers handlers = {
    .send = mux_send_cb,
    .get_queued = mux_get_queued_cb,
    .get_kept = mux_get_kept_cb,
    .set_reading = mux_set_reading_cb,
    .listen_ok = mux_listen_ok_cb,
    .listen_failed = mux_listen_failed_cb,
    .unlisten_done = mux_unlisten_done_cb,
    .stream_opened = mux_stream_opened_cb,
    .listen_requested = mux_listen_requested_cb,
    .unlistened = mux_unlistened_cb,
    .failed = mux_failed_cb,
    .rtt_measured = mux_rtt_measured_cb,
    .going_away = mux_going_away_cb,
  };

  return vt_mux_new (&self->config, clock, &handlers, self);
}

static void
begin_greeting (VtTrunk *self)
{
  vt_timer_start (self->greeting, GREETING_TIMEOUT);
  if (self->config.role == VT_MUX_CLIENT)
    send_greeting (self, NULL);
}

VtTrunk *
vt_trunk_new (SoupWebsocketConnection *connection,
              VtGate *gate,
              const VtMuxConfig *config,
              const VtTrunkHandlers *handlers,
              void *user_data)
{
  const VtReplayHandlers replay_handlers = { .send = replay_send_cb };
  g_autoptr(VtClock) clock = vt_clock_get (NULL);
  VtTrunk *self = g_new0 (VtTrunk, 1);

  self->handlers = *handlers;
  self->user_data = user_data;
  self->config = *config;
  self->ready = config->protocol == 1;
  self->gate = gate;
  self->later = vt_timer_new (clock, "trunk end", later_cb, self);
  self->greeting = vt_timer_new (clock, "trunk greeting", greeting_cb, self);
  if (!self->ready)
    self->replay = vt_replay_new (clock, &replay_handlers, self);
  self->link = new_link (self, connection, gate);
  self->mux = new_mux (self, clock);
  if (!self->ready)
    begin_greeting (self);
  return self;
}

void
vt_trunk_free (VtTrunk *self)
{
  g_assert (!self->freed);

  self->freed = TRUE;
  self->closing = TRUE;
  vt_timer_stop (self->greeting);
  if (self->gate != NULL)
    vt_gate_abort (self->gate, FALSE);
  vt_timer_start (self->later, 0);
}

void
vt_trunk_close (VtTrunk *self, unsigned int code, const char *reason)
{
  if (self->closing)
    return;

  vt_timer_stop (self->greeting);
  self->closing = TRUE;
  self->close_code = code;
  self->close_reason = g_strdup (reason);
  vt_timer_start (self->later, 0);
}

VtMux *
vt_trunk_get_mux (VtTrunk *self)
{
  return self->closing ? NULL : self->mux;
}

gboolean
vt_trunk_is_ready (VtTrunk *self)
{
  return self->ready;
}

unsigned int
vt_trunk_get_protocol (VtTrunk *self)
{
  return self->config.protocol;
}
