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

/* What is cut off then has time to be told. */
#define CLOSING_SECONDS 10

typedef struct {
  char **argv;                 /* not owned: what is read again begins with it */
  VtToolServerOptions options; /* owned */
  GHashTable *begun_with;      /* owned: the values of the options at the start */
  char *place;                 /* owned: where it listens, beyond loopback if anywhere there */
  VtServer *server;            /* owned */
  VtToolRun *run;              /* owned */
  VtToolSessions *sessions;    /* owned */
  VtToolAccess *access;        /* owned, nullable */
  VtToolTls *tls;              /* owned, nullable */
  VtToolReload *reload;        /* owned, nullable: without it SIGHUP is as ever */
} Server;

/* What the server has been built upon. */
static const char *const fixed_options[] = { "http-listen", "http-port", "json",          "listen",
                                             "path",        "port",      "status-listen", NULL };

static void
note_place (Server *self, const char *address)
{
  g_autoptr(GInetAddress) inet = g_inet_address_new_from_string (address);

  if (self->place != NULL && (inet == NULL || g_inet_address_get_is_loopback (inet)))
    return;
  g_free (self->place);
  self->place = g_strdup (address);
}

static void
tell_listening (Server *self, const char *address, guint16 port)
{
  const VtToolServerOptions *options = &self->options;
  g_autofree char *url =
      g_uri_join (G_URI_FLAGS_NONE, options->tls_certificate != NULL ? "wss" : "ws", NULL, address,
                  port, options->path, NULL, NULL);
  JsonBuilder *event = vt_tool_event_begin ("listening");

  note_place (self, address);
  g_message (_ ("Listening on %s"), url);
  vt_tool_event_add_text (event, "address", address);
  vt_tool_event_add_number (event, "port", port);
  vt_tool_event_add_text (event, "url", url);
  vt_tool_events_send (vt_tool_run_get_events (self->run), event);
}

/* All that is known without a name. */
static void
tell_names (Server *self)
{
  const VtToolServerOptions *options = &self->options;
  size_t n_ports = 0;
  g_autofree guint16 *ports = vt_server_get_http_ports (self->server, &n_ports);
  const char *address = options->http_listen != NULL ? options->http_listen : "localhost";
  JsonBuilder *event;

  g_message (_ ("Taking users by host name on port %u"), ports[0]);
  event = vt_tool_event_begin ("listening-http");
  vt_tool_event_add_text (event, "address", address);
  vt_tool_event_add_number (event, "port", ports[0]);
  vt_tool_event_add_text (event, "url", vt_server_get_http_url (self->server));
  vt_tool_events_send (vt_tool_run_get_events (self->run), event);
}

static gboolean
listen_for_names (Server *self, GError **error)
{
  const VtToolServerOptions *options = &self->options;

  if (options->http_port == NULL)
    return TRUE;
  if (!vt_server_listen_http (self->server, options->http_listen, options->http_port_number, error))
    return FALSE;
  tell_names (self);
  return TRUE;
}

/* The library says what is wrong; what else would do is only known here. */
static gboolean
listen_by_options (Server *self, GError **error)
{
  const VtToolServerOptions *options = &self->options;
  g_autofree guint16 *ports = NULL;
  g_autoptr(GError) reason = NULL;

  if (vt_server_listen (self->server, options->listen, options->port_number, &reason))
    {
      ports = vt_server_get_ports (self->server, NULL);
      tell_listening (self, options->listen, ports[0]);
      return TRUE;
    }
  if (g_error_matches (reason, VT_ERROR, VT_ERROR_ADDRESS_IN_USE))
    g_set_error (error, reason->domain, reason->code, _ ("%s; --port 0 finds a free one"),
                 reason->message);
  else
    g_propagate_error (error, g_steal_pointer (&reason));
  return FALSE;
}

static gboolean
listen_on_socket (Server *self, GSocket *socket, GError **error)
{
  g_autoptr(GSocketAddress) name = NULL;
  g_autofree char *address = NULL;

  if (!vt_server_listen_socket (self->server, socket, error))
    {
      g_prefix_error (error, _ ("A socket of the service manager's: "));
      return FALSE;
    }
  name = g_socket_get_local_address (socket, error);
  if (name == NULL)
    return FALSE;
  address =
      g_inet_address_to_string (g_inet_socket_address_get_address (G_INET_SOCKET_ADDRESS (name)));
  tell_listening (self, address, g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (name)));
  return TRUE;
}

/* Where the service manager has opened sockets, --listen and --port have no say. */
static gboolean
listen_somewhere (Server *self, GError **error)
{
  g_autoptr(GPtrArray) sockets = NULL;

  if (!vt_tool_service_take_sockets ("tunnel", &sockets, error))
    return FALSE;
  if (sockets == NULL)
    return listen_by_options (self, error);
  for (unsigned int i = 0; i < sockets->len; i++)
    if (!listen_on_socket (self, sockets->pdata[i], error))
      return FALSE;
  return TRUE;
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

/* The configuration says how long that may take, and no unit has to say it once more. */
static void
tell_grace (Server *self, unsigned int n_streams, unsigned int grace)
{
  VtToolService *service = vt_tool_run_get_service (self->run);
  g_autofree char *text =
      g_strdup_printf (_ ("Shutting down: open connections (%u) may finish within %u s; a second "
                          "signal ends at once"),
                       n_streams, grace);

  g_message ("%s", text);
  vt_tool_service_set_status (service, text);
  vt_tool_service_ask_for_time (service, grace + CLOSING_SECONDS);
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
    tell_grace (self, n_streams, grace);
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

static void
changed_cb (VtServer *server, GParamSpec *pspec, void *user_data)
{
  g_debug ("Another %s is in force", pspec->name);
}

/* Those that came in stay as they are, unless they may not be here any more. */
static void
take_over (Server *self, VtServer *draft)
{
  const char *path = g_hash_table_lookup (self->begun_with, "path");
  unsigned long handler = g_signal_connect (self->server, "notify", G_CALLBACK (changed_cb), NULL);

  /* These are written by functions that could fail; for the draft they did not. */
  vt_server_set_allowed_ports (self->server, vt_server_get_allowed_ports (draft), NULL);
  vt_server_set_proxy_protocol_ports (self->server, vt_server_get_proxy_protocol_ports (draft),
                                      NULL);
  vt_server_set_trusted_proxies (self->server, vt_server_get_trusted_proxies (draft), NULL);
  vt_server_set_allowed_names (self->server, vt_server_get_allowed_names (draft), NULL);
  vt_server_set_http_url (self->server, vt_server_get_http_url (draft), NULL);
  vt_server_set_path (draft, path != NULL ? path : "/");
  vt_tool_reload_copy_properties (G_OBJECT (draft), G_OBJECT (self->server));
  g_signal_handler_disconnect (self->server, handler);
}

/* What is read may be fine for another address, which comes only with the next start. */
static gboolean
is_closed_where_it_listens (Server *self, VtToolServerOptions *options, GError **error)
{
  g_free (options->listen);
  options->listen = g_strdup (self->place != NULL ? self->place : "127.0.0.1");
  g_free (options->http_listen);
  options->http_listen = g_strdup (g_hash_table_lookup (self->begun_with, "http-listen"));
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

static void
sessions_changed_cb (GListModel *sessions,
                     unsigned int position,
                     unsigned int removed,
                     unsigned int added,
                     Server *self)
{
  g_autofree char *status =
      g_strdup_printf (_ ("Clients: %u"), g_list_model_get_n_items (sessions));

  if (!vt_tool_run_is_ending (self->run))
    vt_tool_service_set_status (vt_tool_run_get_service (self->run), status);
}

static void
tell_service (Server *self)
{
  GListModel *sessions = vt_server_get_sessions (self->server);

  vt_tool_service_note_ready (vt_tool_run_get_service (self->run));
  g_signal_connect (sessions, "items-changed", G_CALLBACK (sessions_changed_cb), self);
  sessions_changed_cb (sessions, 0, 0, 0, self);
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
  if (listen_status (self, &error) && listen_for_names (self, &error)
      && listen_somewhere (self, &error))
    tell_service (self);
  else
    vt_tool_run_fail (self->run, vt_tool_status_of (error), error);
  return vt_tool_run_main (self->run);
}

static void
server_clear (Server *self)
{
  if (self->server != NULL)
    g_signal_handlers_disconnect_by_data (vt_server_get_sessions (self->server), self);
  vt_tool_reload_free (self->reload);
  vt_tool_access_free (self->access);
  vt_tool_tls_free (self->tls);
  g_clear_pointer (&self->sessions, vt_tool_sessions_free);
  g_clear_pointer (&self->run, vt_tool_run_free);
  g_clear_object (&self->server);
  g_clear_pointer (&self->begun_with, g_hash_table_unref);
  vt_tool_server_options_clear (&self->options);
  g_free (self->place);
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
