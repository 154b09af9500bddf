/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-client-struct-private.h"

#include <glib/gi18n-lib.h>

#include "vt-close-code-private.h"
#include "vt-error-private.h"
#include "vt-negotiation-private.h"
#include "vt-source-private.h"

/* What becomes of a client between being opened and being closed.
 *
 *     state         tunnel          what goes on
 *     connecting    none            an attempt, or a wait for the next one
 *     open          with a link     neither
 *     reconnecting  suspended (v2), an attempt, or a wait for the next one
 *                   or none
 *     closing       with a link     neither
 *
 * Whoever is told of anything can do anything: close the client, end it, take forwards away. So
 * each step is done in full, with notifications frozen, before anybody is told.
 */

void
vt_client_set_state (VtClient *self, VtClientState state)
{
  if (self->state == state)
    return;
  self->state = state;
  vt_client_retry_update_watch (self);
  g_object_notify_by_pspec (G_OBJECT (self), vt_client_props[VT_CLIENT_PROP_STATE]);
}

void
vt_client_set_error (VtClient *self, const GError *error)
{
  g_autoptr(GError) old = NULL;

  if (vt_error_is_same (self->error, error))
    return;
  old = g_steal_pointer (&self->error);
  self->error = error != NULL ? g_error_copy (error) : NULL;
  g_object_notify_by_pspec (G_OBJECT (self), vt_client_props[VT_CLIENT_PROP_ERROR]);
}

static void
set_rtt (VtClient *self, gint64 rtt)
{
  if (self->rtt == rtt)
    return;
  self->rtt = rtt;
  g_object_notify_by_pspec (G_OBJECT (self), vt_client_props[VT_CLIENT_PROP_RTT]);
}

/* The session is over, or will be when the server has heard of it. Its streams may still have
 * something to write. */
static VtClientTunnel *
retire_tunnel (VtClient *self)
{
  VtClientTunnel *tunnel = g_steal_pointer (&self->tunnel);

  g_ptr_array_add (self->ending_tunnels, tunnel);
  /* What the forwards listened on is closed with the tunnel. */
  vt_client_answer_unlistens (self);
  g_object_notify_by_pspec (G_OBJECT (self), vt_client_props[VT_CLIENT_PROP_PROTOCOL]);
  return tunnel;
}

static GTask *
take_opening (VtClient *self)
{
  g_clear_pointer (&self->opening_watch, vt_source_destroy);
  return g_steal_pointer (&self->opening);
}

void
vt_client_become_closed (VtClient *self, const GError *error, const GError *open_error)
{
  g_autoptr(GPtrArray) closings = g_steal_pointer (&self->closings);
  g_autoptr(GTask) opening = take_opening (self);
  g_autoptr(GError) closed =
      g_error_new_literal (VT_ERROR, VT_ERROR_CANCELLED, _ ("The client was closed"));
  g_autoptr(GError) why = error != NULL ? g_error_copy (error) : NULL;
  g_autoptr(GError) open_why = open_error != NULL ? g_error_copy (open_error) : NULL;

  self->closings = g_ptr_array_new_with_free_func (g_object_unref);
  self->n_closings++;
  g_object_freeze_notify (G_OBJECT (self));
  g_clear_pointer (&self->attempt, vt_client_attempt_free);
  vt_client_retry_stop (self);
  if (self->tunnel != NULL)
    vt_client_tunnel_abandon (retire_tunnel (self), why != NULL ? why : closed);
  /* Closed is closed: why it became so is not forgotten by closing it once more. */
  if (self->state != VT_CLIENT_STATE_CLOSED)
    vt_client_set_error (self, why);
  set_rtt (self, -1);
  vt_client_set_state (self, VT_CLIENT_STATE_CLOSED);
  vt_client_release_forwards (self, why);
  g_object_thaw_notify (G_OBJECT (self));

  if (opening != NULL)
    g_task_return_error (opening, g_steal_pointer (&open_why));
  for (unsigned int i = 0; i < closings->len; i++)
    g_task_return_boolean (closings->pdata[i], TRUE);
}

/* Between two links. */

void
vt_client_give_up_session (VtClient *self, const GError *error)
{
  g_object_freeze_notify (G_OBJECT (self));
  g_clear_pointer (&self->attempt, vt_client_attempt_free);
  vt_client_retry_stop (self);
  if (error != NULL)
    {
      vt_client_tunnel_abandon (self->tunnel, error);
    }
  else
    {
      vt_client_tunnel_close (self->tunnel);
      vt_client_set_state (self, VT_CLIENT_STATE_CLOSING);
    }
  g_object_thaw_notify (G_OBJECT (self));
}

/* It is no use to try again. From a dispatch that is not the tunnel's. */
static void
close_for_good (VtClient *self, const GError *error)
{
  unsigned int n_closings = self->n_closings;

  if (self->tunnel != NULL)
    vt_client_tunnel_abandon_now (retire_tunnel (self), error);
  /* Unless whoever was told has closed it. */
  if (self->n_closings == n_closings)
    vt_client_become_closed (self, error, error);
}

static void
lose_link (VtClient *self, const GError *error)
{
  vt_client_retry_note_down (self);
  vt_client_set_error (self, error);
  vt_client_set_state (self, VT_CLIENT_STATE_RECONNECTING);
  vt_client_retry_wait (self, 0);
}

static void
tunnel_suspended_cb (const GError *error, void *user_data)
{
  g_autoptr(VtClient) self = g_object_ref (user_data);

  if (!self->reconnect)
    {
      vt_client_give_up_session (self, error);
      return;
    }
  g_object_freeze_notify (G_OBJECT (self));
  lose_link (self, error);
  g_object_thaw_notify (G_OBJECT (self));
}

/* Whether there is no use in trying again. v1 has no codes of its own, and a program that speaks it
 * says that it is done by 1000, or by no code at all. */
static gboolean
is_final (VtClient *self, unsigned int protocol, unsigned int code, const GError *error)
{
  if (!self->reconnect)
    return TRUE;
  if (g_error_matches (error, VT_ERROR, VT_ERROR_PROTOCOL))
    return FALSE;
  if (code == SOUP_WEBSOCKET_CLOSE_NORMAL)
    return TRUE;
  if (protocol == 1)
    return error == NULL;
  return code == SOUP_WEBSOCKET_CLOSE_POLICY_VIOLATION || code == VT_CLOSE_REPLACED;
}

/* Nothing of the session is left. */
static void
lose_session (VtClient *self, const GError *error)
{
  gboolean was_open = self->state == VT_CLIENT_STATE_OPEN;

  g_object_freeze_notify (G_OBJECT (self));
  retire_tunnel (self);
  if (was_open)
    lose_link (self, error);
  /* What is under way asks for a session that is no more. */
  else if (self->attempt != NULL)
    vt_client_start_attempt (self);
  /* It was given up, but is not to be any more. */
  else if (self->retry.next == 0)
    vt_client_retry_wait (self, 0);
  vt_client_recall_listens (self);
  g_object_thaw_notify (G_OBJECT (self));
}

static void
tunnel_closed_cb (VtClientTunnel *tunnel, unsigned int code, const GError *error, void *user_data)
{
  g_autoptr(VtClient) self = g_object_ref (user_data);
  unsigned int protocol = vt_client_tunnel_get_protocol (tunnel);
  g_autoptr(GError) why = NULL;

  /* It was given up before. */
  if (tunnel != self->tunnel)
    return;
  if (self->state == VT_CLIENT_STATE_CLOSING || is_final (self, protocol, code, error))
    {
      vt_client_become_closed (self, self->state == VT_CLIENT_STATE_CLOSING ? NULL : error, NULL);
      return;
    }
  why = error != NULL ? g_error_copy (error)
                      : g_error_new_literal (VT_ERROR, VT_ERROR_FAILED,
                                             _ ("The server closed the connection"));
  lose_session (self, why);
}

/* Events of the tunnel that only pass through. */

static void
tunnel_listened_cb (VtForward *forward,
                    guint16 port,
                    const char *url,
                    const GError *error,
                    unsigned int retry_after,
                    void *user_data)
{
  g_autoptr(VtClient) self = g_object_ref (user_data);

  vt_client_listened (self, forward, port, url, error, retry_after);
}

static void
tunnel_unlistened_cb (guint32 id, void *user_data)
{
  g_autoptr(VtClient) self = g_object_ref (user_data);

  vt_client_unlistened (self, id);
}

static void
tunnel_stream_opened_cb (VtStream *stream, void *user_data)
{
  g_autoptr(VtClient) self = g_object_ref (user_data);

  vt_client_emit_stream_opened (self, stream);
}

static void
tunnel_stream_closed_cb (VtStream *stream, const GError *error, void *user_data)
{
  g_autoptr(VtClient) self = g_object_ref (user_data);

  vt_client_emit_stream_closed (self, stream, error);
}

static void
tunnel_rtt_measured_cb (gint64 rtt, void *user_data)
{
  g_autoptr(VtClient) self = g_object_ref (user_data);

  set_rtt (self, rtt);
}

static void
tunnel_gone_cb (VtClientTunnel *tunnel, void *user_data)
{
  g_autoptr(VtClient) self = g_object_ref (user_data);

  g_ptr_array_remove (self->ending_tunnels, tunnel);
}

/* A link. */

static SoupSession *
get_session (VtClient *self)
{
  if (self->session != NULL)
    return self->session;
  if (self->own_session == NULL)
    self->own_session =
        soup_session_new_with_options ("user-agent", "libvtunnel/" VT_VERSION_STRING, NULL);
  return self->own_session;
}

static VtClientTunnel *
new_tunnel (VtClient *self, VtLink *link, const VtControl *welcome)
{
  const VtClientTunnelHandlers handlers = {
    .listened = tunnel_listened_cb,
    .unlistened = tunnel_unlistened_cb,
    .stream_opened = tunnel_stream_opened_cb,
    .stream_closed = tunnel_stream_closed_cb,
    .rtt_measured = tunnel_rtt_measured_cb,
    .suspended = tunnel_suspended_cb,
    .closed = tunnel_closed_cb,
    .gone = tunnel_gone_cb,
  };
  VtMuxConfig config;

  vt_mux_config_init (&config, VT_MUX_CLIENT);
  config.ping_interval = (gint64) self->ping_interval * G_TIME_SPAN_SECOND;
  config.ping_timeout = (gint64) self->ping_timeout * G_TIME_SPAN_SECOND;
  return vt_client_tunnel_new (link, welcome, soup_session_get_tls_database (get_session (self)),
                               &config, &handlers, self);
}

static void
become_open (VtClient *self)
{
  vt_client_retry_stop (self);
  vt_client_retry_note_up (self);
  vt_client_set_error (self, NULL);
  vt_client_set_state (self, VT_CLIENT_STATE_OPEN);
}

/* A new session takes the place of one that does not come back, whose streams are told before
 * anybody hears that there is a connection again. FALSE if one who was told wanted it otherwise. */
static gboolean
replace_session (VtClient *self, VtLink *link, const VtControl *welcome)
{
  g_autoptr(GError) error =
      g_error_new_literal (VT_ERROR, VT_ERROR_NOT_RESUMED,
                           _ ("The server does not have the session any more"));
  VtClientTunnel *lost = retire_tunnel (self);
  VtClientTunnel *tunnel = self->tunnel = new_tunnel (self, link, welcome);

  vt_client_tunnel_abandon_now (lost, error);
  if (self->tunnel != tunnel || self->state != VT_CLIENT_STATE_RECONNECTING || !self->reconnect
      || self->attempt != NULL || self->retry.next != 0)
    return FALSE;
  vt_client_recall_listens (self);
  return TRUE;
}

static void
begin_session (VtClient *self, VtLink *link, const VtControl *welcome)
{
  g_autoptr(GTask) opening = take_opening (self);
  gboolean goes_on = TRUE;

  g_object_freeze_notify (G_OBJECT (self));
  if (self->tunnel != NULL)
    goes_on = replace_session (self, link, welcome);
  else
    self->tunnel = new_tunnel (self, link, welcome);
  if (goes_on)
    {
      set_rtt (self, -1);
      become_open (self);
      g_object_notify_by_pspec (G_OBJECT (self), vt_client_props[VT_CLIENT_PROP_PROTOCOL]);
      vt_client_send_listens (self);
    }
  g_object_thaw_notify (G_OBJECT (self));
  if (opening != NULL)
    g_task_return_boolean (opening, TRUE);
}

static void
count_resumed (VtClient *self)
{
  self->n_resumed++;
  g_object_notify_by_pspec (G_OBJECT (self), vt_client_props[VT_CLIENT_PROP_N_RESUMED]);
}

/* An attempt. */

/* Something else answers where a tunnel was: as long as it is in the way, such as a network's page
 * for those who have to log in. Who was never there has only mistyped. */
static gboolean
is_in_the_way (VtClient *self, const VtClientFailure *failure)
{
  return self->opening == NULL && g_error_matches (failure->error, VT_ERROR, VT_ERROR_NOT_A_TUNNEL);
}

static gboolean
may_try_again (VtClient *self, const VtClientFailure *failure)
{
  if (failure->hopeless && !is_in_the_way (self, failure))
    return FALSE;
  return self->opening != NULL ? self->retry_first : self->reconnect;
}

static void
fail_attempt (VtClient *self, const VtClientFailure *failure)
{
  gboolean session_lost =
      self->tunnel != NULL && g_error_matches (failure->error, VT_ERROR, VT_ERROR_PROTOCOL);
  g_autoptr(GError) error = NULL;

  g_clear_pointer (&self->attempt, vt_client_attempt_free);
  if (!may_try_again (self, failure))
    {
      close_for_good (self, failure->error);
      return;
    }
  g_object_freeze_notify (G_OBJECT (self));
  vt_client_set_error (self, failure->error);
  vt_client_retry_wait (self, failure->retry_after);
  if (session_lost)
    {
      error = g_error_new (VT_ERROR, VT_ERROR_NOT_RESUMED, _ ("The session cannot go on: %s"),
                           failure->error->message);
      vt_client_tunnel_abandon (retire_tunnel (self), error);
      vt_client_recall_listens (self);
    }
  g_object_thaw_notify (G_OBJECT (self));
}

static void
attempt_failed_cb (const VtClientFailure *failure, void *user_data)
{
  g_autoptr(VtClient) self = g_object_ref (user_data);

  fail_attempt (self, failure);
}

/* The server has said that the session goes on. */
static void
resume_session (VtClient *self, VtLink *link, const VtControl *welcome)
{
  g_autoptr(GError) error = NULL;
  const VtClientFailure failure = {
    .error = error = g_error_new_literal (VT_ERROR, VT_ERROR_PROTOCOL,
                                          _ ("The server has lost its place in the session")),
  };

  if (!vt_client_tunnel_resume (self->tunnel, link, welcome))
    {
      fail_attempt (self, &failure);
      return;
    }
  g_object_freeze_notify (G_OBJECT (self));
  count_resumed (self);
  become_open (self);
  g_object_thaw_notify (G_OBJECT (self));
}

static void
attempt_done_cb (VtLink *link, const VtControl *welcome, void *user_data)
{
  g_autoptr(VtClient) self = g_object_ref (user_data);

  g_clear_pointer (&self->attempt, vt_client_attempt_free);
  if (welcome != NULL && welcome->resumed)
    resume_session (self, link, welcome);
  else
    begin_session (self, link, welcome);
}

static void
start_attempt (VtClient *self)
{
  const VtClientAttemptHandlers handlers = {
    .done = attempt_done_cb,
    .failed = attempt_failed_cb,
  };
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) headers = vt_client_request_build (self->request, &error);
  const VtDialRequest dial = {
    .session = get_session (self),
    .uri = self->uri,
    .headers = headers,
    .pins = (const char *const *) self->pins,
    .certificate = self->certificate,
    .subprotocols = vt_negotiation_get_subprotocols (vt_negotiation_limit (self->max_protocol)),
  };
  VtResumption resumption;
  gboolean resumes = self->tunnel != NULL;

  g_clear_pointer (&self->attempt, vt_client_attempt_free);
  vt_client_retry_stop (self);
  if (headers == NULL)
    {
      close_for_good (self, error);
      return;
    }
  if (resumes)
    vt_client_tunnel_begin_attempt (self->tunnel, &resumption);
  self->attempt = vt_client_attempt_new (&dial, resumes ? &resumption : NULL, &handlers, self);
}

void
vt_client_start_attempt (VtClient *self)
{
  g_object_freeze_notify (G_OBJECT (self));
  start_attempt (self);
  g_object_thaw_notify (G_OBJECT (self));
}

void
vt_client_start_afresh (VtClient *self)
{
  self->retry.backoff.n_failures = 0;
  self->retry.last_wait = 0;
  if (self->n_resumed != 0)
    g_object_notify_by_pspec (G_OBJECT (self), vt_client_props[VT_CLIENT_PROP_N_RESUMED]);
  self->n_resumed = 0;
  vt_client_start_attempt (self);
}
