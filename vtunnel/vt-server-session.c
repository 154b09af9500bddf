/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-server-session-private.h"

#include <glib/gi18n-lib.h>
#include <unistd.h>
#include "vt-error.h"

#include "vt-forward-private.h"
#include "vt-relay-private.h"
#include "vt-server-session-struct-private.h"
#include "vt-socket-private.h"
#include "vt-text-private.h"

/* Somebody who connected to a port, until the relay is over. */
typedef struct {
  GList link;               /* in the session's users */
  VtServerSession *session; /* not owned, NULL once it is no longer the session's */
  VtStream *stream;         /* owned */
  VtRelay *relay;           /* owned */
} User;

static void
session_clear (void *data)
{
  VtServerSession *self = data;

  g_hash_table_unref (self->ports);
  g_object_unref (self->session);
  vt_counters_unref (self->counters);
  vt_credentials_clear (&self->credentials);
  g_free (self->bind_address);
  g_strfreev (self->addresses);
}

void
vt_server_session_unref (VtServerSession *self)
{
  g_rc_box_release_full (self, session_clear);
}

VtMux *
vt_server_session_get_mux (VtServerSession *self)
{
  return self->trunk != NULL ? vt_trunk_get_mux (self->trunk) : NULL;
}

static void
user_free (User *user, const GError *error)
{
  vt_relay_free (user->relay, error);
  g_object_unref (user->stream);
  g_free (user);
}

/* Takes a user out of all lists. */
static void
forget_user (User *user, const GError *error)
{
  VtServerSession *self = g_steal_pointer (&user->session);

  vt_server_session_note_over (self, user->stream, error);
  g_queue_unlink (&self->users, &user->link);
  vt_list_remove (vt_session_get_stream_list (self->session), user->stream);
  vt_forward_remove_stream (vt_stream_get_forward (user->stream), user->stream);
}

void
vt_server_session_end_if_drained (VtServerSession *self)
{
  if (self->draining && self->trunk != NULL && g_queue_is_empty (&self->users)
      && g_queue_is_empty (&self->visitors) && self->n_outgoing == 0)
    vt_server_session_close (self, SOUP_WEBSOCKET_CLOSE_GOING_AWAY, "shutting down");
}

static void
relay_finished_cb (VtRelay *relay, const GError *error, void *user_data)
{
  User *user = user_data;
  g_autoptr(VtServerSession) self = NULL;
  g_autoptr(VtStream) stream = NULL;

  if (user->session == NULL)
    {
      user_free (user, error);
      return;
    }
  self = vt_server_session_ref (user->session);
  stream = g_object_ref (user->stream);
  forget_user (user, error);
  user_free (user, error);
  self->handlers.stream_closed (self, stream, error, self->user_data);
  vt_server_session_end_if_drained (self);
}

/* The user sees a connection that is reset, not one that stays silent. */
static void
reset_user (int fd)
{
  vt_socket_arm_reset (fd);
  close (fd);
}

void
vt_server_session_add_user (VtServerListen *listen,
                            int fd,
                            GSocketAddress *remote,
                            GSocketAddress *local,
                            GByteArray *begun)
{
  g_autoptr(VtServerSession) self = vt_server_session_ref (listen->session);
  g_autoptr(VtForward) forward = g_object_ref (listen->forward);
  g_autoptr(VtStream) stream = NULL;
  VtMux *mux = vt_server_session_get_mux (self);
  g_autoptr(GError) error = NULL;
  VtMuxStream *mux_stream;
  User *user;

  mux_stream = mux != NULL ? vt_mux_open_stream (mux, listen->id, remote, local, &error) : NULL;
  if (mux_stream == NULL)
    {
      self->counters->users_refused[VT_COUNTERS_NO_ROOM]++;
      g_debug ("A user was turned away: %s", error != NULL ? error->message : "closing");
      reset_user (fd);
      return;
    }
  self->counters->streams_opened++;
  stream = vt_stream_new (mux_stream, forward, remote);
  user = g_new0 (User, 1);
  user->link.data = user;
  user->session = self;
  user->stream = g_object_ref (stream);
  user->relay = vt_relay_new_for_user (stream, fd, begun, relay_finished_cb, user);
  g_queue_push_tail_link (&self->users, &user->link);

  /* Whoever hears of it may end the session, and the user and the port with it. */
  vt_forward_add_stream (forward, stream);
  if (self->trunk != NULL)
    vt_list_append (vt_session_get_stream_list (self->session), stream);
  if (self->trunk != NULL)
    self->handlers.stream_opened (self, stream, self->user_data);
}

static void
rtt_measured_cb (gint64 rtt, void *user_data)
{
  VtServerSession *self = user_data;

  vt_counters_note_round_trip (self->counters, rtt);
  vt_session_set_rtt (self->session, rtt);
}

static void
going_away_cb (const char *reason, unsigned int timeout, void *user_data)
{
  g_autofree char *escaped = vt_text_escape (reason != NULL ? reason : "", -1);

  g_debug ("A client takes no new streams any more, and ends the open ones in %u s: %s", timeout,
           escaped);
}

static void
suspended_cb (const GError *error, void *user_data)
{
  VtServerSession *self = user_data;

  g_debug ("A client has lost its connection, and may come back: %s", error->message);
  vt_session_set_connected (self->session, FALSE);
}

/* One after the other, since every one that is told of may lead to anything. */
static void
abort_users (VtServerSession *self, const GError *error)
{
  while (!g_queue_is_empty (&self->users))
    {
      User *user = g_queue_peek_head (&self->users);
      g_autoptr(VtStream) stream = g_object_ref (user->stream);

      forget_user (user, error);
      user_free (user, error);
      self->handlers.stream_closed (self, stream, error, self->user_data);
    }
}

/* The trunk's end has aborted all streams that were open. What is left has ended in order before,
 * and only has to write its rest to a slow user, which needs no client. */
static void
leave_users (VtServerSession *self)
{
  while (!g_queue_is_empty (&self->users))
    {
      User *user = g_queue_peek_head (&self->users);
      g_autoptr(VtStream) stream = g_object_ref (user->stream);

      forget_user (user, NULL);
      self->handlers.stream_closed (self, stream, NULL, self->user_data);
    }
}

static void
trunk_closed_cb (unsigned int code, const GError *error, void *user_data)
{
  VtServerSession *self = user_data;
  g_autoptr(VtServerSession) alive = vt_server_session_ref (self);

  g_hash_table_remove_all (self->ports);
  leave_users (self);
  vt_server_session_leave_visitors (self, TRUE);
  vt_server_session_abort_streams (self, error);
  if (self->trunk != NULL)
    self->handlers.closed (self, error, self->user_data);
}

static void
close_requested_cb (VtSession *session, void *user_data)
{
  vt_server_session_close (user_data, SOUP_WEBSOCKET_CLOSE_NORMAL, NULL);
}

static void
welcome (VtServerSession *self, VtLink *link, gboolean resumed, guint64 received)
{
  const VtResumption resumption = { .credentials = &self->credentials, .received = received };
  g_autoptr(GBytes) message =
      vt_greeting_new_welcome (&self->limits, &resumption, resumed,
                               (guint32) (self->resume_timeout / G_TIME_SPAN_SECOND));

  vt_link_send (link, message, TRUE);
}

VtServerSession *
vt_server_session_new (VtLink *link,
                       GSocketAddress *client,
                       const VtServerSessionConfig *config,
                       const VtServerSessionHandlers *handlers,
                       void *user_data)
{
  const VtTrunkHandlers trunk_handlers = {
    .listen_requested = vt_server_session_listen_requested_cb,
    .unlistened = vt_server_session_unlistened_cb,
    .crowded = vt_server_session_crowded_cb,
    .rtt_measured = rtt_measured_cb,
    .going_away = going_away_cb,
    .suspended = suspended_cb,
    .closed = trunk_closed_cb,
  };
  const VtMuxConfig *mux = &config->trunk.mux;
  static const VtSessionHandlers session_handlers = {
    .close = close_requested_cb,
    .open_stream = vt_server_session_open_stream_cb,
  };
  VtServerSession *self = g_rc_box_new0 (VtServerSession);

  self->handlers = *handlers;
  self->user_data = user_data;
  self->bind_address = g_strdup (config->bind_address);
  self->addresses = g_strdupv ((char **) config->addresses);
  self->max_forwards = config->max_forwards;
  self->hosts = config->hosts;
  self->max_accept_rate = config->max_accept_rate;
  self->counters = vt_counters_ref (config->counters);
  self->opened_at = g_get_real_time ();
  self->resume_timeout = config->trunk.resume_timeout;
  self->ports = vt_server_session_new_ports ();
  self->session = vt_session_new (config->user, client, mux->protocol, &session_handlers, self);
  vt_mux_config_get_limits (mux, &self->limits);
  if (config->credentials != NULL)
    {
      vt_credentials_copy (&self->credentials, config->credentials->session,
                           config->credentials->secret);
      welcome (self, link, FALSE, 0);
    }
  self->trunk = vt_trunk_new (link, &config->trunk, &trunk_handlers, self);
  return self;
}

void
vt_server_session_free (VtServerSession *self)
{
  g_autoptr(GError) error =
      g_error_new_literal (VT_ERROR, VT_ERROR_SHUTTING_DOWN, _ ("The server has shut down"));

  vt_session_detach (self->session);
  g_hash_table_remove_all (self->ports);
  abort_users (self, error);
  vt_server_session_abort_streams (self, error);
  g_clear_pointer (&self->trunk, vt_trunk_free);
  vt_server_session_leave_visitors (self, FALSE);
  vt_server_session_unref (self);
}

VtSession *
vt_server_session_get_session (VtServerSession *self)
{
  return self->session;
}

const VtCredentials *
vt_server_session_get_credentials (VtServerSession *self)
{
  return self->credentials.session != NULL ? &self->credentials : NULL;
}

gboolean
vt_server_session_is_resumable (VtServerSession *self)
{
  return self->credentials.session != NULL && self->resume_timeout > 0
         && vt_server_session_get_mux (self) != NULL;
}

gboolean
vt_server_session_is_suspended (VtServerSession *self)
{
  return vt_server_session_is_resumable (self) && vt_trunk_is_suspended (self->trunk);
}

gboolean
vt_server_session_is_latest_attempt (VtServerSession *self, guint64 attempt)
{
  return attempt == 0 || attempt > self->attempt;
}

void
vt_server_session_resume (VtServerSession *self,
                          VtLink *link,
                          GSocketAddress *client,
                          const VtControl *hello)
{
  g_autoptr(VtServerSession) alive = vt_server_session_ref (self);

  self->attempt = MAX (self->attempt, hello->attempt);
  welcome (self, link, TRUE, vt_trunk_prepare_resume (self->trunk));
  vt_trunk_resume (self->trunk, link, hello);
  /* With a hello that does not fit the session, it is over. */
  if (vt_server_session_get_mux (self) != NULL)
    vt_session_note_resumed (self->session, client);
}

unsigned int
vt_server_session_get_remaining (VtServerSession *self)
{
  gint64 remaining = vt_trunk_get_remaining (self->trunk);

  return (unsigned int) MAX ((remaining + G_TIME_SPAN_SECOND - 1) / G_TIME_SPAN_SECOND, 1);
}

void
vt_server_session_close (VtServerSession *self, unsigned int code, const char *reason)
{
  vt_trunk_close (self->trunk, code, reason);
}

void
vt_server_session_abandon (VtServerSession *self, const GError *error)
{
  vt_trunk_abandon (self->trunk, error);
}

void
vt_server_session_drain (VtServerSession *self, unsigned int timeout)
{
  g_autoptr(VtServerSession) alive = vt_server_session_ref (self);
  VtMux *mux = vt_server_session_get_mux (self);

  self->draining = TRUE;
  if (mux != NULL)
    vt_mux_send_goaway (mux, "shutting down", timeout);
  g_hash_table_remove_all (self->ports);
  vt_server_session_end_if_drained (self);
}
