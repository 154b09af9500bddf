/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include <glib/gi18n.h>

#include "vt-tool-reload.h"
#include "vt-tool-run.h"
#include "vt-tool-server-access.h"
#include "vt-tool-server-options.h"
#include "vt-tool-server-tls.h"
#include "vt-tool-sessions.h"

typedef struct {
  char **argv;                 /* not owned: what is read again begins with it */
  VtToolServerOptions options; /* owned */
  GHashTable *begun_with;      /* owned: the values of the options at the start */
  VtServer *server;            /* owned */
  VtToolRun *run;              /* owned */
  VtToolSessions *sessions;    /* owned */
  VtToolAccess *access;        /* owned, nullable */
  VtToolTls *tls;              /* owned, nullable */
  VtToolReload *reload;        /* owned, nullable: without it SIGHUP is as ever */
} Server;

/* What the server has been built upon. */
static const char *const fixed_options[] = {
  "json", "listen", "path", "port", "status-listen", NULL
};

static void
tell_listening (Server *self)
{
  const VtToolServerOptions *options = &self->options;
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

/* The library says what is wrong; what else would do is only known here. */
static gboolean
listen_somewhere (Server *self, GError **error)
{
  g_autoptr(GError) reason = NULL;

  if (vt_server_listen (self->server, self->options.listen, self->options.port_number, &reason))
    return TRUE;
  if (g_error_matches (reason, VT_ERROR, VT_ERROR_ADDRESS_IN_USE))
    g_set_error (error, reason->domain, reason->code, _ ("%s; --port 0 finds a free one"),
                 reason->message);
  else
    g_propagate_error (error, g_steal_pointer (&reason));
  return FALSE;
}

static void
tell_status (Server *self)
{
  const VtToolServerOptions *options = &self->options;
  size_t n_ports = 0;
  g_autofree guint16 *ports = vt_server_get_status_ports (self->server, &n_ports);
  g_autofree char *url = g_uri_join (G_URI_FLAGS_NONE, "http", NULL, options->status_address,
                                     ports[0], "/status", NULL, NULL);
  JsonBuilder *event = vt_tool_event_begin ("status-listening");

  g_message (_ ("The status is shown on %s"), url);
  vt_tool_event_add_text (event, "address", options->status_address);
  vt_tool_event_add_number (event, "port", ports[0]);
  vt_tool_events_send (vt_tool_run_get_events (self->run), event);
}

/* Before clients can come: where this is taken, there is no server. */
static gboolean
listen_status (Server *self, GError **error)
{
  const VtToolServerOptions *options = &self->options;

  if (options->status_address == NULL)
    return TRUE;
  if (!vt_server_listen_status (self->server, options->status_address, options->status_port, error))
    {
      g_prefix_error (error, "--status-listen: ");
      return FALSE;
    }
  tell_status (self);
  return TRUE;
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
  unsigned int grace = self->options.grace_seconds;

  if (!vt_tool_run_was_asked (self->run))
    {
      vt_server_close_async (self->server, NULL, closed_cb, self);
      return;
    }
  if (n_streams > 0 && grace > 0)
    g_message (_ ("Shutting down: open connections (%u) may finish within %u s; a second signal "
                  "ends at once"),
               n_streams, grace);
  vt_server_drain_async (self->server, grace, NULL, drained_cb, self);
}

static void
watch_files (Server *self)
{
  g_clear_pointer (&self->access, vt_tool_access_free);
  g_clear_pointer (&self->tls, vt_tool_tls_free);
  self->access = vt_tool_access_new (vt_server_get_access (self->server));
  self->tls = vt_tool_tls_new (self->server, self->options.tls_certificate, self->options.tls_key);
}

/* Those that came in stay as they are, unless they may not be here any more. */
static void
take_over (Server *self, VtServer *draft)
{
  const char *path = g_hash_table_lookup (self->begun_with, "path");

  /* These are written by functions that could fail; for the draft they did not. */
  vt_server_set_allowed_ports (self->server, vt_server_get_allowed_ports (draft), NULL);
  vt_server_set_proxy_protocol_ports (self->server, vt_server_get_proxy_protocol_ports (draft),
                                      NULL);
  vt_server_set_trusted_proxies (self->server, vt_server_get_trusted_proxies (draft), NULL);
  vt_server_set_path (draft, path != NULL ? path : "/");
  vt_tool_reload_copy_properties (G_OBJECT (draft), G_OBJECT (self->server));
}

/* What is read may be fine for another address, which comes only with the next start. */
static gboolean
is_closed_where_it_listens (Server *self, VtToolServerOptions *options, GError **error)
{
  const char *listen = g_hash_table_lookup (self->begun_with, "listen");

  g_free (options->listen);
  options->listen = g_strdup (listen != NULL ? listen : "127.0.0.1");
  return vt_tool_server_options_check_openness (options, error);
}

static gboolean
read_config_again (Server *self, GError **error)
{
  VtToolServerOptions options = { 0 };
  g_autoptr(VtServer) draft = NULL;

  if (vt_tool_server_options_parse (&options, self->argv, error)
      && is_closed_where_it_listens (self, &options, error))
    draft = vt_tool_server_options_make_server (&options, error);
  if (draft == NULL)
    {
      vt_tool_server_options_clear (&options);
      return FALSE;
    }
  take_over (self, draft);
  vt_tool_server_options_clear (&self->options);
  self->options = options;
  watch_files (self);
  vt_tool_options_apply_log (&self->options.common);
  g_message (_ ("The configuration was read again"));
  vt_tool_reload_tell_fixed (&self->options.common, self->begun_with, fixed_options);
  return TRUE;
}

static gboolean
reload_cb (void *user_data, GError **error)
{
  Server *self = user_data;

  if (self->options.common.config != NULL)
    return read_config_again (self, error);
  vt_tool_access_reload (self->access);
  vt_tool_tls_reload (self->tls);
  return TRUE;
}

static VtToolStatus
run_server (Server *self)
{
  static const VtToolReloadHandlers handlers = { .read = reload_cb };
  g_autoptr(GError) error = NULL;

  self->run = vt_tool_run_new (self->options.common.json, end_cb, self);
  self->sessions = vt_tool_sessions_new (self->server, vt_tool_run_get_events (self->run));
  watch_files (self);
  if (self->options.common.config != NULL || self->access != NULL || self->tls != NULL)
    self->reload = vt_tool_reload_new (self->run, &handlers, self);
  if (listen_status (self, &error) && listen_somewhere (self, &error))
    tell_listening (self);
  else
    vt_tool_run_fail (self->run, vt_tool_status_of (error), error);
  return vt_tool_run_main (self->run);
}

static void
server_clear (Server *self)
{
  vt_tool_reload_free (self->reload);
  vt_tool_access_free (self->access);
  vt_tool_tls_free (self->tls);
  g_clear_pointer (&self->sessions, vt_tool_sessions_free);
  g_clear_pointer (&self->run, vt_tool_run_free);
  g_clear_object (&self->server);
  g_clear_pointer (&self->begun_with, g_hash_table_unref);
  vt_tool_server_options_clear (&self->options);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Server, server_clear)

VtToolStatus
vt_tool_server (char **argv)
{
  g_auto(Server) self = { .argv = argv };
  VtToolCommon *common = &self.options.common;
  g_autoptr(GError) error = NULL;

  if (!vt_tool_server_options_parse (&self.options, argv, &error))
    return vt_tool_fail (common->json, error);
  if (common->help)
    return VT_TOOL_DONE;
  vt_tool_options_apply_log (common);
  self.begun_with = g_hash_table_ref (common->values);
  self.server = vt_tool_server_options_make_server (&self.options, &error);
  if (self.server == NULL)
    return vt_tool_fail (common->json, error);
  return common->check_config ? vt_tool_reload_tell_check (common) : run_server (&self);
}
