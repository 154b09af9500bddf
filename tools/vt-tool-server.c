/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include <glib/gi18n.h>

#include "vt-tool-run.h"
#include "vt-tool-server-access.h"
#include "vt-tool-server-options.h"
#include "vt-tool-server-tls.h"
#include "vt-tool-sessions.h"

typedef struct {
  VtServer *server;         /* owned */
  VtToolRun *run;           /* owned */
  VtToolSessions *sessions; /* owned */
  VtToolAccess *access;     /* owned, nullable */
  VtToolTls *tls;           /* owned, nullable */
  unsigned int grace;       /* seconds */
} Server;

static void
tell_listening (Server *self, const VtToolServerOptions *options)
{
  size_t n_ports = 0;
  g_autofree guint16 *ports = vt_server_get_ports (self->server, &n_ports);
  g_autofree char *url =
      g_uri_join (G_URI_FLAGS_NONE, options->tls_certificate != NULL ? "wss" : "ws", NULL,
                  options->listen, ports[0], options->path, NULL, NULL);
  JsonBuilder *event = vt_tool_event_begin ("listening");

  g_message (_ ("Listening on %s"), url);
  vt_tool_event_add_text (event, "address", options->listen);
  vt_tool_event_add_number (event, "port", ports[0]);
  vt_tool_event_add_text (event, "url", url);
  vt_tool_events_send (vt_tool_run_get_events (self->run), event);
}

/* Its address, with brackets if that is needed, and all that is known without a name. */
static void
tell_names (Server *self, const VtToolServerOptions *options)
{
  size_t n_ports = 0;
  g_autofree guint16 *ports = vt_server_get_http_ports (self->server, &n_ports);
  const char *address = options->http_listen != NULL ? options->http_listen : "localhost";
  JsonBuilder *event;

  if (n_ports == 0)
    return;
  g_message (_ ("Taking users by host name on port %u"), ports[0]);
  event = vt_tool_event_begin ("listening-http");
  vt_tool_event_add_text (event, "address", address);
  vt_tool_event_add_number (event, "port", ports[0]);
  vt_tool_event_add_text (event, "url", vt_server_get_http_url (self->server));
  vt_tool_events_send (vt_tool_run_get_events (self->run), event);
}

static gboolean
listen_for_names (Server *self, const VtToolServerOptions *options, GError **error)
{
  return options->http_port == NULL
         || vt_server_listen_http (self->server, options->http_listen, options->http_port_number,
                                   error);
}

/* The library says what is wrong; what else would do is only known here. */
static gboolean
listen_somewhere (Server *self, const VtToolServerOptions *options, GError **error)
{
  g_autoptr(GError) reason = NULL;

  if (vt_server_listen (self->server, options->listen, options->port_number, &reason))
    return TRUE;
  if (g_error_matches (reason, VT_ERROR, VT_ERROR_ADDRESS_IN_USE))
    g_set_error (error, reason->domain, reason->code, _ ("%s; --port 0 finds a free one"),
                 reason->message);
  else
    g_propagate_error (error, g_steal_pointer (&reason));
  return FALSE;
}

static void
closed_cb (GObject *source, GAsyncResult *result, void *user_data)
{
  Server *self = user_data;
  g_autoptr(GError) error = NULL;

  if (!vt_server_close_finish (VT_SERVER (source), result, &error))
    g_debug ("Closing the server: %s", error->message);
  vt_tool_run_finish (self->run);
}

static void
drained_cb (GObject *source, GAsyncResult *result, void *user_data)
{
  Server *self = user_data;
  g_autoptr(GError) error = NULL;

  if (!vt_server_drain_finish (VT_SERVER (source), result, &error))
    g_debug ("Draining the server: %s", error->message);
  vt_tool_run_finish (self->run);
}

static unsigned int
count_streams (VtServer *server)
{
  GListModel *sessions = vt_server_get_sessions (server);
  unsigned int n_streams = 0;

  for (unsigned int i = 0; i < g_list_model_get_n_items (sessions); i++)
    {
      g_autoptr(VtSession) session = g_list_model_get_item (sessions, i);

      n_streams += g_list_model_get_n_items (vt_session_get_streams (session));
    }
  return n_streams;
}

/* Who asks for the end can wait for it; after a failure nothing is worth waiting for. */
static void
end_cb (void *user_data)
{
  Server *self = user_data;
  unsigned int n_streams = count_streams (self->server);

  if (!vt_tool_run_was_asked (self->run))
    {
      vt_server_close_async (self->server, NULL, closed_cb, self);
      return;
    }
  if (n_streams > 0 && self->grace > 0)
    g_message (_ ("Shutting down: open connections (%u) may finish within %u s; a second signal "
                  "ends at once"),
               n_streams, self->grace);
  vt_server_drain_async (self->server, self->grace, NULL, drained_cb, self);
}

static VtToolStatus
run_server (Server *self, const VtToolServerOptions *options)
{
  g_autoptr(GError) error = NULL;

  self->grace = options->grace_seconds;
  self->run = vt_tool_run_new (options->common.json, end_cb, self);
  self->sessions = vt_tool_sessions_new (self->server, vt_tool_run_get_events (self->run));
  self->access = vt_tool_access_new (vt_server_get_access (self->server));
  self->tls = vt_tool_tls_new (self->server, options->tls_certificate, options->tls_key);
  if (listen_for_names (self, options, &error) && listen_somewhere (self, options, &error))
    {
      tell_names (self, options);
      tell_listening (self, options);
    }
  else
    vt_tool_run_fail (self->run, vt_tool_status_of (error), error);
  return vt_tool_run_main (self->run);
}

VtToolStatus
vt_tool_server (char **argv)
{
  g_auto(VtToolServerOptions) options = { 0 };
  g_autoptr(GError) error = NULL;
  Server self = { 0 };
  VtToolStatus status = VT_TOOL_DONE;

  if (!vt_tool_server_options_parse (&options, argv, &error))
    return vt_tool_fail (options.common.json, error);
  if (options.common.help)
    return VT_TOOL_DONE;
  self.server = vt_tool_server_options_make_server (&options, &error);
  if (self.server == NULL)
    return vt_tool_fail (options.common.json, error);

  status = run_server (&self, &options);
  vt_tool_access_free (self.access);
  vt_tool_tls_free (self.tls);
  vt_tool_sessions_free (self.sessions);
  vt_tool_run_free (self.run);
  g_object_unref (self.server);
  return status;
}
