/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-trunk-private.h"

#include <glib/gi18n-lib.h>

#include "vt-close-code-private.h"
#include "vt-codec-binary-private.h"
#include "vt-error.h"
#include "vt-trunk-struct-private.h"

/* How many links may still say goodbye at a time. */
#define MAX_OLD_LINKS 4

/* A link that a newer one has replaced. */
typedef struct {
  VtTrunk *trunk; /* not owned, its owner */
  VtLink *link;   /* owned */
} OldLink;

static void
old_link_free (void *data)
{
  OldLink *self = data;

  vt_link_free (self->link);
  g_free (self);
}

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
  g_clear_pointer (&self->replay, vt_replay_free);
  g_clear_pointer (&self->patience, vt_timer_free);
  g_clear_pointer (&self->lost, vt_timer_free);
  g_clear_pointer (&self->later, vt_timer_free);
  g_ptr_array_unref (self->old_links);
  g_clear_error (&self->error);
  g_free (self->close_reason);
  g_free (self);
}

static void
report_closed (VtTrunk *self, unsigned int code, const GError *error)
{
  if (self->freed || self->closed)
    return;
  self->closed = TRUE;
  self->handlers.closed (code, error, self->user_data);
}

/* The session is over, and the link with it. Not from within the mux. */
static void
finish (VtTrunk *self, unsigned int code, const GError *error)
{
  vt_timer_stop (self->later);
  vt_timer_stop (self->patience);
  self->closing = TRUE;
  end_streams (self, error);
  g_clear_pointer (&self->link, vt_link_free);
  report_closed (self, code, error);
}

/* This side has had enough of the other one. Not from within the mux. */
static void
give_up (VtTrunk *self, const GError *error)
{
  g_autoptr(GError) why = g_error_copy (error);

  if (self->link == NULL)
    {
      finish (self, 0, why);
      return;
    }
  vt_timer_stop (self->later);
  self->closing = TRUE;
  g_clear_error (&self->error);
  self->error = g_error_copy (why);
  end_streams (self, why);
  if (self->link != NULL)
    vt_link_close (self->link, vt_close_code_for_error (why), why->message);
}

static gboolean
can_suspend (VtTrunk *self)
{
  return self->replay != NULL && !self->closing && self->heard && self->config.resume_timeout > 0;
}

static void
detach (VtTrunk *self)
{
  g_autoptr(VtClock) clock = vt_clock_get (NULL);

  vt_timer_stop (self->lost);
  vt_replay_detach (self->replay);
  vt_mux_suspend (self->mux);
  self->suspended_until = vt_clock_get_time (clock) + self->config.resume_timeout;
  vt_timer_start (self->patience, self->config.resume_timeout);
}

static void
suspend (VtTrunk *self, const GError *error)
{
  g_clear_pointer (&self->link, vt_link_free);
  detach (self);
  self->handlers.suspended (error, self->user_data);
}

static void
patience_cb (void *user_data)
{
  g_autoptr(GError) error =
      g_error_new_literal (VT_ERROR, VT_ERROR_NOT_RESUMED,
                           _ ("The connection was lost, and did not come back in time"));

  finish (user_data, 0, error);
}

/* What the link tells. */

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

  self->heard = TRUE;
  if (!text && vt_codec_binary_read_ack (data, length, &received))
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

/* In v2 the mux itself pings. An existing program of v1 may only answer the WebSocket's pings. */
static void
set_ping_interval (VtTrunk *self)
{
  gint64 interval = self->replay != NULL ? 0 : self->config.mux.ping_interval;
  gint64 seconds = (interval + G_TIME_SPAN_SECOND - 1) / G_TIME_SPAN_SECOND;

  vt_link_set_ping_interval (self->link, (unsigned int) MIN (seconds, G_MAXUINT16));
}

static void
link_alive_cb (void *user_data)
{
  VtTrunk *self = user_data;

  if (self->mux == NULL || self->freed)
    return;
  vt_mux_note_alive (self->mux);
  if (self->probing)
    set_ping_interval (self);
  self->probing = FALSE;
}

static void
link_writable_cb (void *user_data)
{
  VtTrunk *self = user_data;

  if (self->mux == NULL || self->freed)
    return;
  if (self->replay != NULL)
    vt_replay_continue (self->replay);
  vt_mux_note_writable (self->mux);
}

/* How it ended, as seen from this side: an answer to its own goodbye is no news. */
static GError *
new_closing_error (VtTrunk *self, unsigned int code, const char *reason, const GError *error)
{
  if (self->error != NULL)
    return g_error_copy (self->error);
  if (error == NULL && code == self->close_code && code == SOUP_WEBSOCKET_CLOSE_GOING_AWAY)
    return g_error_new_literal (VT_ERROR, VT_ERROR_SHUTTING_DOWN, _ ("The tunnel shuts down"));
  return vt_close_code_to_error (code, reason, error);
}

static void
link_closed_cb (unsigned int code, const char *reason, const GError *error, void *user_data)
{
  VtTrunk *self = user_data;
  g_autoptr(GError) why = NULL;

  if (self->freed)
    return;
  why = new_closing_error (self, code, reason, error);
  if (!can_suspend (self) || !vt_close_code_allows_resuming (code, error))
    {
      finish (self, code, why);
      return;
    }
  if (why == NULL)
    why = g_error_new_literal (VT_ERROR, VT_ERROR_FAILED, _ ("The connection was lost"));
  suspend (self, why);
}

static void
take_link (VtTrunk *self, VtLink *link)
{
  const VtLinkHandlers handlers = {
    .message = link_message_cb,
    .alive = link_alive_cb,
    .writable = link_writable_cb,
    .closed = link_closed_cb,
  };

  self->link = link;
  vt_link_set_handlers (link, &handlers, self);
  set_ping_interval (self);
}

static void
old_message_cb (gboolean text, GBytes *message, void *user_data)
{
}

static void
old_nothing_cb (void *user_data)
{
}

static void
old_closed_cb (unsigned int code, const char *reason, const GError *error, void *user_data)
{
  OldLink *old = user_data;

  g_ptr_array_remove (old->trunk->old_links, old);
}

/* Whoever still listens there is told; nothing that still comes counts. Who comes again and again
 * is not waited for. */
static void
replace_link (VtTrunk *self)
{
  const VtLinkHandlers handlers = {
    .message = old_message_cb,
    .alive = old_nothing_cb,
    .writable = old_nothing_cb,
    .closed = old_closed_cb,
  };
  OldLink *old = g_new0 (OldLink, 1);

  old->trunk = self;
  old->link = g_steal_pointer (&self->link);
  if (self->old_links->len == MAX_OLD_LINKS)
    g_ptr_array_remove_index (self->old_links, 0);
  g_ptr_array_add (self->old_links, old);
  vt_link_set_handlers (old->link, &handlers, old);
  vt_link_close (old->link, VT_CLOSE_REPLACED, "A newer connection carries the session");
}

/* What the replay and the mux hand out. */

static void
replay_send_cb (GBytes *message, gboolean text, void *user_data)
{
  VtTrunk *self = user_data;

  if (self->link != NULL)
    vt_link_send (self->link, message, text);
}

static gboolean
replay_has_room_cb (void *user_data)
{
  VtTrunk *self = user_data;

  return self->link != NULL && vt_link_get_queued (self->link) < VT_LINK_LOW;
}

static void
mux_send_cb (GBytes *message, gboolean text, gboolean counted, void *user_data)
{
  VtTrunk *self = user_data;

  if (self->freed)
    return;
  if (counted && self->replay != NULL)
    vt_replay_send (self->replay, message, text);
  else if (self->link != NULL)
    vt_link_send (self->link, message, text);
}

static size_t
mux_get_kept_cb (void *user_data)
{
  VtTrunk *self = user_data;

  return self->replay != NULL ? vt_replay_get_kept (self->replay) : 0;
}

static gboolean
mux_is_behind_cb (void *user_data)
{
  VtTrunk *self = user_data;

  return self->replay != NULL && vt_replay_is_behind (self->replay);
}

static size_t
mux_get_queued_cb (void *user_data)
{
  VtTrunk *self = user_data;

  return self->link != NULL ? vt_link_get_queued (self->link) : 0;
}

static void
mux_set_reading_cb (gboolean reading, void *user_data)
{
  VtTrunk *self = user_data;

  if (self->link != NULL)
    vt_link_set_reading (self->link, reading);
}

static void
mux_failed_cb (const GError *error, void *user_data)
{
  VtTrunk *self = user_data;

  if (!self->freed && self->mux != NULL)
    give_up (self, error);
}

/* It would not shake hands either. Of the mux, and of a link whose address is gone. */
static void
silent_cb (void *user_data)
{
  VtTrunk *self = user_data;
  g_autoptr(GError) error = g_error_new_literal (VT_ERROR, VT_ERROR_TIMED_OUT,
                                                  _ ("Nothing was heard from the other side"));

  if (self->freed || self->closing || self->mux == NULL)
    return;
  if (can_suspend (self))
    {
      suspend (self, error);
      return;
    }
  give_up (self, error);
  report_closed (self, 0, error);
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
  if (self->freed)
    return;
  if (self->link != NULL)
    vt_link_close (self->link, self->close_code, self->close_reason);
  else
    finish (self, 0, error);
}

static VtMux *
new_mux (VtTrunk *self, VtClock *clock)
{
  VtMuxHandlers handlers = {
    .send = mux_send_cb,
    .get_queued = mux_get_queued_cb,
    .get_kept = mux_get_kept_cb,
    .is_behind = mux_is_behind_cb,
    .set_reading = mux_set_reading_cb,
    .failed = mux_failed_cb,
    .silent = silent_cb,
  };

  vt_trunk_fill_mux_handlers (&handlers);
  return vt_mux_new (&self->config.mux, clock, &handlers, self);
}

/* Both sides have greeted, and there is nothing yet that one of them could have. */
static void
begin_v2 (VtTrunk *self)
{
  gboolean begun;

  vt_mux_set_peer_limits (self->mux, &self->config.peer);
  begun = vt_replay_attach (self->replay, 0, NULL);
  g_assert (begun);
}

VtTrunk *
vt_trunk_new (VtLink *link,
              const VtTrunkConfig *config,
              const VtTrunkHandlers *handlers,
              void *user_data)
{
  const VtReplayHandlers replay_handlers = {
    .send = replay_send_cb,
    .has_room = replay_has_room_cb,
  };
  g_autoptr(VtClock) clock = vt_clock_get (NULL);
  VtTrunk *self = g_new0 (VtTrunk, 1);

  self->handlers = *handlers;
  self->user_data = user_data;
  self->config = *config;
  /* Its welcome was the server's word. */
  self->heard = config->mux.role == VT_MUX_CLIENT;
  self->old_links = g_ptr_array_new_with_free_func (old_link_free);
  self->later = vt_timer_new (clock, "trunk end", later_cb, self);
  self->patience = vt_timer_new (clock, "trunk resume timeout", patience_cb, self);
  self->lost = vt_timer_new (clock, "trunk lost address", silent_cb, self);
  if (config->mux.protocol == 2)
    self->replay = vt_replay_new (clock, &replay_handlers, self);
  take_link (self, link);
  self->mux = new_mux (self, clock);
  if (self->replay != NULL)
    begin_v2 (self);
  return self;
}

void
vt_trunk_free (VtTrunk *self)
{
  g_assert (!self->freed);

  self->freed = TRUE;
  self->closing = TRUE;
  vt_timer_stop (self->patience);
  if (self->replay != NULL)
    vt_replay_detach (self->replay);
  g_clear_pointer (&self->link, vt_link_free);
  g_ptr_array_set_size (self->old_links, 0);
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
  vt_timer_stop (self->patience);
  vt_timer_start (self->later, 0);
}

void
vt_trunk_abandon (VtTrunk *self, const GError *error)
{
  if (!self->closed)
    finish (self, 0, error);
}

guint64
vt_trunk_prepare_resume (VtTrunk *self)
{
  g_assert (self->replay != NULL && !self->closing);

  if (self->link != NULL)
    {
      replace_link (self);
      detach (self);
    }
  return vt_trunk_get_received (self);
}

guint64
vt_trunk_get_received (VtTrunk *self)
{
  return self->replay != NULL ? vt_replay_get_received (self->replay) : 0;
}

/* What is under way was made for them. */
static gboolean
check_limits (VtTrunk *self, const VtControlLimits *limits, GError **error)
{
  const VtControlLimits *before = &self->config.peer;
  const char *key = NULL;

  if (limits->window != before->window)
    key = "window";
  else if (limits->max_frame != before->max_frame)
    key = "max_frame";
  else if (limits->max_message != before->max_message)
    key = "max_message";
  if (key != NULL)
    g_set_error (error, VT_ERROR, VT_ERROR_PROTOCOL, "%s: not what it was in this session", key);
  return key == NULL;
}

void
vt_trunk_resume (VtTrunk *self, VtLink *link, const VtControl *greeting)
{
  g_autoptr(GError) error = NULL;

  g_assert (self->replay != NULL && self->link == NULL && !self->closing);

  vt_timer_stop (self->patience);
  take_link (self, link);
  if (!check_limits (self, &greeting->limits, &error)
      || !vt_replay_attach (self->replay, greeting->received, &error))
    give_up (self, error);
  else
    vt_mux_resume (self->mux);
}

gboolean
vt_trunk_is_suspended (VtTrunk *self)
{
  return vt_timer_is_running (self->patience);
}

gint64
vt_trunk_get_remaining (VtTrunk *self)
{
  g_autoptr(VtClock) clock = vt_clock_get (NULL);

  if (!vt_trunk_is_suspended (self))
    return 0;
  return MAX (self->suspended_until - vt_clock_get_time (clock), 0);
}

VtMux *
vt_trunk_get_mux (VtTrunk *self)
{
  return self->closing ? NULL : self->mux;
}

unsigned int
vt_trunk_get_protocol (VtTrunk *self)
{
  return self->config.mux.protocol;
}
