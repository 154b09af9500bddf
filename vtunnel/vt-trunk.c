/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-trunk-private.h"

#include <glib/gi18n-lib.h>

#include "vt-clock-private.h"
#include "vt-error-private.h"
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
  VtTimer *later;     /* owned, closes or destroys in a dispatch of its own */
  GError *error;      /* owned, why this side gave up, NULL if it did not */
  char *close_reason; /* owned */
  unsigned int close_code;
  unsigned int protocol;
  gboolean closing; /* vt_trunk_close () was called, or the mux failed */
  gboolean closed;  /* the owner was told, or is not to be told any more */
  gboolean freed;
};

/* What an existing program of protocol v1 may send in one message. */
#define MAX_MESSAGE_V1 (1024 * 1024)

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

static void
link_message_cb (gboolean text, GBytes *message, void *user_data)
{
  VtTrunk *self = user_data;

  if (self->mux != NULL && !self->closing && !self->freed)
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

  if (!self->freed)
    vt_link_send (self->link, message, text);
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
mux_failed_cb (const GError *error, void *user_data)
{
  VtTrunk *self = user_data;
  unsigned int code = SOUP_WEBSOCKET_CLOSE_PROTOCOL_ERROR;

  if (self->freed || self->mux == NULL)
    return;

  vt_timer_stop (self->later);
  self->closing = TRUE;
  g_clear_error (&self->error);
  self->error = g_error_copy (error);
  if (g_error_matches (error, VT_ERROR, VT_ERROR_LIMIT))
    code = SOUP_WEBSOCKET_CLOSE_POLICY_VIOLATION;
  else if (g_error_matches (error, VT_ERROR, VT_ERROR_TIMED_OUT))
    code = SOUP_WEBSOCKET_CLOSE_GOING_AWAY;

  end_streams (self, self->error);
  if (self->freed)
    return;
  vt_link_close (self->link, code, self->error->message);
  /* A dead peer will not shake hands. */
  if (code == SOUP_WEBSOCKET_CLOSE_GOING_AWAY)
    report_closed (self, self->error);
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

static VtLink *
new_link (VtTrunk *self,
          SoupWebsocketConnection *connection,
          VtGate *gate,
          const VtMuxConfig *config)
{
  const VtLinkHandlers handlers = {
    .message = link_message_cb,
    .alive = link_alive_cb,
    .writable = link_writable_cb,
    .closed = link_closed_cb,
  };
  g_autoptr(SoupWebsocketConnection) taken = connection;
  VtLink *link = vt_link_new (connection, gate, MAX_MESSAGE_V1, &handlers, self);
  gint64 seconds = (config->ping_interval + G_TIME_SPAN_SECOND - 1) / G_TIME_SPAN_SECOND;

  vt_link_set_ping_interval (link, (unsigned int) MIN (seconds, G_MAXUINT16));
  return link;
}

VtTrunk *
vt_trunk_new (SoupWebsocketConnection *connection,
              VtGate *gate,
              const VtMuxConfig *config,
              const VtTrunkHandlers *handlers,
              void *user_data)
{
  const VtMuxHandlers mux_handlers = {
    .send = mux_send_cb,
    .get_queued = mux_get_queued_cb,
    .set_reading = mux_set_reading_cb,
    .listen_ok = mux_listen_ok_cb,
    .listen_failed = mux_listen_failed_cb,
    .stream_opened = mux_stream_opened_cb,
    .listen_requested = mux_listen_requested_cb,
    .unlistened = mux_unlistened_cb,
    .failed = mux_failed_cb,
    .rtt_measured = mux_rtt_measured_cb,
  };
  g_autoptr(VtClock) clock = vt_clock_get (NULL);
  VtTrunk *self = g_new0 (VtTrunk, 1);

  self->handlers = *handlers;
  self->user_data = user_data;
  self->protocol = config->protocol;
  self->gate = gate;
  self->later = vt_timer_new (clock, "trunk end", later_cb, self);
  self->link = new_link (self, connection, gate, config);
  self->mux = vt_mux_new (config, clock, &mux_handlers, self);
  return self;
}

void
vt_trunk_free (VtTrunk *self)
{
  g_assert (!self->freed);

  self->freed = TRUE;
  self->closing = TRUE;
  if (self->gate != NULL)
    vt_gate_abort (self->gate, FALSE);
  vt_timer_start (self->later, 0);
}

void
vt_trunk_close (VtTrunk *self, unsigned int code, const char *reason)
{
  if (self->closing)
    return;

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
  return TRUE;
}

unsigned int
vt_trunk_get_protocol (VtTrunk *self)
{
  return self->protocol;
}
