/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-tool-connection.h"

#include <glib/gi18n.h>

struct _VtToolConnection {
  VtClient *client; /* owned */
  VtToolRun *run;   /* not owned */
  char *url;        /* owned */
  char *told;       /* owned: the failure that was told last, NULL while there is a connection */
  VtClientState state;
  unsigned int n_resumed;
};

static void
tell_opened (VtToolConnection *self, gboolean again)
{
  JsonBuilder *event = vt_tool_event_begin ("session-opened");

  if (again)
    g_message (_ ("Connected to %s again, in a new session"), self->url);
  else
    g_info (_ ("Connected to %s"), self->url);
  vt_tool_event_add_text (event, "url", self->url);
  vt_tool_event_add_number (event, "protocol", vt_client_get_protocol (self->client));
  vt_tool_events_send (vt_tool_run_get_events (self->run), event);
}

static void
tell_resumed (VtToolConnection *self)
{
  JsonBuilder *event = vt_tool_event_begin ("session-resumed");

  g_message (_ ("Connected to %s again; everything goes on"), self->url);
  vt_tool_event_add_text (event, "url", self->url);
  vt_tool_events_send (vt_tool_run_get_events (self->run), event);
}

/* Takes the text. */
static void
set_status (VtToolConnection *self, char *status)
{
  vt_tool_service_set_status (vt_tool_run_get_service (self->run), status);
  g_free (status);
}

static void
tell_lost (VtToolConnection *self)
{
  JsonBuilder *event = vt_tool_event_begin ("session-suspended");

  set_status (self, g_strdup_printf (_ ("Lost the connection to %s, trying again"), self->url));
  vt_tool_event_add_error (event, vt_client_get_error (self->client));
  vt_tool_events_send (vt_tool_run_get_events (self->run), event);
}

static void
state_changed (VtToolConnection *self, VtClientState state)
{
  VtClientState old = self->state;
  gboolean resumed = vt_client_get_n_resumed (self->client) != self->n_resumed;

  self->state = state;
  self->n_resumed = vt_client_get_n_resumed (self->client);
  if (state == VT_CLIENT_STATE_RECONNECTING)
    tell_lost (self);
  if (state != VT_CLIENT_STATE_OPEN)
    return;
  g_clear_pointer (&self->told, g_free);
  set_status (self, g_strdup_printf (_ ("Connected to %s"), self->url));
  if (resumed)
    tell_resumed (self);
  else
    tell_opened (self, old == VT_CLIENT_STATE_RECONNECTING);
}

static void
tell_failure (VtToolConnection *self, gboolean is_first)
{
  const char *message = vt_client_get_error (self->client)->message;
  gint64 wait = vt_client_get_next_retry (self->client) - g_get_monotonic_time ();
  double seconds = (double) MAX (wait, 0) / G_TIME_SPAN_SECOND;

  if (g_strcmp0 (self->told, message) == 0)
    return;
  g_free (self->told);
  self->told = g_strdup (message);
  if (is_first)
    g_message (_ ("The connection to %s was lost: %s; trying again in %.1f s"), self->url, message,
               seconds);
  else
    g_message (_ ("Cannot connect to %s: %s; trying again in %.1f s"), self->url, message, seconds);
}

/* The library sets all of it before it tells of any. */
static void
changed_cb (VtClient *client, GParamSpec *pspec, VtToolConnection *self)
{
  VtClientState state = vt_client_get_state (client);
  gboolean is_first = state != self->state && state == VT_CLIENT_STATE_RECONNECTING;

  if (vt_tool_run_is_ending (self->run))
    return;
  if (state != self->state)
    state_changed (self, state);
  if (vt_client_get_next_retry (client) != 0 && vt_client_get_error (client) != NULL)
    tell_failure (self, is_first);
}

VtToolConnection *
vt_tool_connection_new (VtClient *client, VtToolRun *run, const char *url)
{
  VtToolConnection *self = g_new0 (VtToolConnection, 1);

  self->client = g_object_ref (client);
  self->run = run;
  self->url = g_strdup (url);
  g_signal_connect (client, "notify::state", G_CALLBACK (changed_cb), self);
  g_signal_connect (client, "notify::next-retry", G_CALLBACK (changed_cb), self);
  return self;
}

void
vt_tool_connection_free (VtToolConnection *self)
{
  g_signal_handlers_disconnect_by_data (self->client, self);
  g_object_unref (self->client);
  g_free (self->url);
  g_free (self->told);
  g_free (self);
}
