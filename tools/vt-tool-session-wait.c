/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-tool-session-wait.h"

#include <glib/gi18n.h>
#include <string.h>

#include "vt-tool-format.h"
#include "vt-tool-log.h"
#include "vt-tool-run.h"

/* How often the service is asked for forwards that the server has not answered yet: no signal tells
 * of them. */
#define PAUSE 100 /* ms */

typedef struct {
  VtToolSession *session;       /* not owned */
  const char *path;             /* not owned */
  VtunnelSessionTunnel *tunnel; /* owned */
  VtToolRun *run;               /* owned */
  const char *title;            /* not owned */
  VtToolTunnel *told;           /* owned, as it was when it was looked at last */
  GCancellable *cancellable;    /* owned, of the question for the forwards */
  GSource *pause;               /* owned, NULL while it is not running */
  unsigned int removals;        /* the subscription */
  gboolean is_asking;           /* for the forwards */
  gboolean is_done;
  gint64 deadline; /* for the forwards, of the monotonic clock */
} Wait;

static void ask_for_forwards (Wait *self);

static void
fail (Wait *self, VtToolStatus status, char *message)
{
  g_autoptr(GError) error = g_error_new_literal (VT_TOOL_ERROR, (int) status, message);

  g_free (message);
  vt_tool_run_fail (self->run, status, error);
}

static gboolean
pause_cb (void *user_data)
{
  Wait *self = user_data;

  g_clear_pointer (&self->pause, g_source_unref);
  ask_for_forwards (self);
  return G_SOURCE_REMOVE;
}

static void
pause_and_ask (Wait *self)
{
  self->pause = g_timeout_source_new (PAUSE);
  g_source_set_static_name (self->pause, "vtunnel-tool: forwards");
  g_source_set_callback (self->pause, pause_cb, self, NULL);
  g_source_attach (self->pause, g_main_context_get_thread_default ());
}

static gboolean
is_undecided (const VtToolTunnel *tunnel)
{
  for (unsigned int i = 0; i < tunnel->forwards->len; i++)
    {
      const VtToolForward *forward = tunnel->forwards->pdata[i];

      if (strcmp (forward->state, "listening") != 0 && strcmp (forward->state, "failed") != 0
          && strcmp (forward->state, "target-down") != 0)
        return TRUE;
    }
  return FALSE;
}

static void
tell_forwards (Wait *self)
{
  VtToolStatus status = VT_TOOL_DONE;

  g_message (_ ("“%s” is connected to %s"), self->title, self->told->uri);
  for (unsigned int i = 0; i < self->told->forwards->len; i++)
    {
      const VtToolForward *forward = self->told->forwards->pdata[i];
      g_autofree char *source = vt_tool_forward_get_source (forward);
      g_autofree char *line = NULL;

      if (strcmp (forward->state, "failed") != 0)
        {
          g_message (_ ("Forwarding %s → %s"), source, forward->target);
          continue;
        }
      line = g_strdup_printf (_ ("The server refused %s: %s"), source, forward->error);
      vt_tool_log_error (line);
      status = VT_TOOL_REFUSED;
    }
  self->is_done = TRUE;
  vt_tool_run_end (self->run, status);
}

static void
statistics_cb (GObject *source, GAsyncResult *result, void *user_data)
{
  Wait *self = user_data;
  g_autoptr(GVariant) statistics = NULL;
  g_autoptr(GError) failure = NULL;
  g_autoptr(GError) error = NULL;

  if (!vtunnel_session_tunnel_call_get_statistics_finish (VTUNNEL_SESSION_TUNNEL (source),
                                                          &statistics, result, &failure))
    {
      if (g_error_matches (failure, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        return;
      error = vt_tool_session_error_new (failure, self->title);
      vt_tool_run_fail (self->run, (VtToolStatus) error->code, error);
      return;
    }
  vt_tool_tunnel_set_statistics (self->told, statistics, g_get_monotonic_time ());
  if (is_undecided (self->told) && g_get_monotonic_time () < self->deadline)
    pause_and_ask (self);
  else
    tell_forwards (self);
}

static void
ask_for_forwards (Wait *self)
{
  vtunnel_session_tunnel_call_get_statistics (self->tunnel, G_DBUS_CALL_FLAGS_NONE, -1,
                                              self->cancellable, statistics_cb, self);
}

/* The tunnel goes on by itself: that is told once for each reason. */
static void
tell_waiting (Wait *self, const char *message_before)
{
  gint64 left = self->told->next_retry - g_get_real_time ();
  g_autofree char *pause = vt_tool_format_age (left);

  if (strcmp (self->told->error_message, message_before) == 0)
    return;
  if (left > 0)
    g_message (_ ("%s; next attempt in %s"), self->told->error_message, pause);
  else
    g_message ("%s", self->told->error_message);
}

static void
tell_failed (Wait *self)
{
  g_autoptr(GError) error =
      vt_tool_session_error_new_for_name (self->told->error_name, self->told->error_message);
  VtToolStatus status = (VtToolStatus) error->code;

  if (status == VT_TOOL_NOT_AUTHORISED)
    fail (self, status,
          g_strdup_printf (_ ("“%s” failed: %s; “vtunnel-tool set-token” sets its token"),
                           self->title, error->message));
  else
    fail (self, status, g_strdup_printf (_ ("“%s” failed: %s"), self->title, error->message));
}

static void
look (Wait *self)
{
  g_autofree char *message_before = g_strdup (self->told->error_message);
  gboolean was_inactive =
      self->told->state[0] == '\0' || strcmp (self->told->state, "inactive") == 0;
  const char *state = NULL;

  if (vt_tool_run_is_ending (self->run) || self->is_asking)
    return;
  vt_tool_tunnel_read_proxy (self->told, G_DBUS_PROXY (self->tunnel));
  state = self->told->state;
  if (strcmp (state, "connected") == 0)
    {
      self->is_asking = TRUE;
      self->deadline = g_get_monotonic_time () + self->session->timeout * G_TIME_SPAN_MILLISECOND;
      ask_for_forwards (self);
    }
  else if (strcmp (state, "failed") == 0)
    tell_failed (self);
  else if (strcmp (state, "needs-secrets") == 0)
    fail (self, VT_TOOL_NOT_AUTHORISED,
          g_strdup_printf (_ ("“%s” needs a token, and the keyring does not give it; unlock it, or "
                              "set one by “vtunnel-tool set-token”"),
                           self->title));
  else if (strcmp (state, "waiting") == 0)
    tell_waiting (self, message_before);
  else if (strcmp (state, "inactive") == 0 && !was_inactive)
    fail (self, VT_TOOL_FAILED, g_strdup_printf (_ ("“%s” was closed meanwhile"), self->title));
}

static void
changed_cb (Wait *self)
{
  look (self);
}

static void
owner_changed_cb (Wait *self)
{
  g_autofree char *owner = g_dbus_proxy_get_name_owner (G_DBUS_PROXY (self->tunnel));

  if (owner == NULL)
    fail (self, VT_TOOL_FAILED, g_strdup (_ ("The session service has ended")));
}

static void
removed_cb (GDBusConnection *bus,
            const char *sender,
            const char *object,
            const char *interface,
            const char *signal,
            GVariant *parameters,
            void *user_data)
{
  Wait *self = user_data;
  const char *path = NULL;

  g_variant_get (parameters, "(&oas)", &path, NULL);
  if (strcmp (path, self->path) == 0)
    fail (self, VT_TOOL_NO_SUCH_TUNNEL,
          g_strdup_printf (_ ("“%s” was removed meanwhile"), self->title));
}

/* A signal ends the waiting, and not the tunnel. */
static void
end_cb (void *user_data)
{
  Wait *self = user_data;

  g_cancellable_cancel (self->cancellable);
  vt_tool_run_finish (self->run);
}

/* Before the tunnel's properties are asked for, so that the bus has heard of this when they come:
 * a removal right behind them would be missed otherwise, and waited for without end. */
static void
watch_removals (Wait *self)
{
  self->removals = g_dbus_connection_signal_subscribe (
      self->session->bus, BUS_NAME, "org.freedesktop.DBus.ObjectManager", "InterfacesRemoved",
      OBJECT_PATH, NULL, G_DBUS_SIGNAL_FLAGS_NONE, removed_cb, self, NULL);
}

static void
unwatch_removals (Wait *self)
{
  g_dbus_connection_signal_unsubscribe (self->session->bus, self->removals);
}

static void
wait_init (Wait *self)
{
  self->told = vt_tool_tunnel_new ("");
  self->cancellable = g_cancellable_new ();
  self->run = vt_tool_run_new (FALSE, end_cb, self);
  g_signal_connect_swapped (self->tunnel, "g-properties-changed", G_CALLBACK (changed_cb), self);
  g_signal_connect_swapped (self->tunnel, "notify::g-name-owner", G_CALLBACK (owner_changed_cb),
                            self);
}

static void
wait_clear (Wait *self)
{
  if (self->pause != NULL)
    g_source_destroy (self->pause);
  g_clear_pointer (&self->pause, g_source_unref);
  unwatch_removals (self);
  g_signal_handlers_disconnect_by_data (self->tunnel, self);
  g_object_unref (self->cancellable);
  g_object_unref (self->tunnel);
  vt_tool_run_free (self->run);
  vt_tool_tunnel_free (self->told);
}

VtToolStatus
vt_tool_session_wait (VtToolSession *session, const char *path, const char *title)
{
  g_autoptr(GError) error = NULL;
  Wait self = { .session = session, .path = path, .title = title };
  VtToolStatus status = VT_TOOL_DONE;

  watch_removals (&self);
  /* Only now its properties are asked for: those from before it was opened may say “failed”. */
  self.tunnel = vt_tool_session_get (session, path, TRUE, &error);
  if (self.tunnel == NULL)
    {
      unwatch_removals (&self);
      return vt_tool_fail (FALSE, error);
    }
  wait_init (&self);
  look (&self);
  owner_changed_cb (&self);
  status = vt_tool_run_main (self.run);
  wait_clear (&self);
  if (status == VT_TOOL_DONE && !self.is_done)
    {
      g_message (_ ("Not waiting any longer; “%s” is still being opened"), title);
      return VT_TOOL_FAILED;
    }
  return status;
}
