/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include <glib/gi18n.h>
#include <string.h>

#include "vt-tool-client-options.h"
#include "vt-tool-connection.h"
#include "vt-tool-log.h"
#include "vt-tool-run.h"
#include "vt-tool-stream.h"

typedef struct {
  VtClient *client;             /* owned */
  VtToolRun *run;               /* owned */
  VtToolConnection *connection; /* owned */
  GPtrArray *forwards;          /* not owned, of VtForward */
  char *url;                    /* owned; the server's, without what may be a secret */
  char *host;                   /* owned; of the server */
  gboolean keep_going;
  gboolean is_open;
} Client;

/* Asking for one of the forwards. */
typedef struct {
  Client *client;     /* not owned */
  VtForward *forward; /* owned */
} Request;

static void
request_free (Request *self)
{
  g_object_unref (self->forward);
  g_free (self);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Request, request_free)

static char *
describe_target (VtForward *forward)
{
  VtTarget *target = vt_forward_get_target (forward);

  return target != NULL ? vt_target_to_string (target) : NULL;
}

/* The server's port as a user of it would write it down, as far as it is known on this side. */
static char *
describe_source (Client *self, VtForward *forward)
{
  const char *address = vt_forward_get_listen_address (forward);
  const char *const *names = vt_forward_get_host_names (forward);
  gboolean is_own = address != NULL && address[0] != '\0' && strcmp (address, "*") != 0;
  const char *host = is_own ? address : self->host;
  gboolean is_ipv6 = strchr (host, ':') != NULL;

  if (vt_forward_get_url (forward) != NULL)
    return g_strdup (vt_forward_get_url (forward));
  if (vt_forward_get_listen_kind (forward) == VT_LISTEN_KIND_HTTP && names != NULL)
    return g_strjoinv (", ", (char **) names);
  return g_strdup_printf (is_ipv6 ? "[%s]:%u" : "%s:%u", host, vt_forward_get_bound_port (forward));
}

static void
tell_forward (Client *self, VtForward *forward)
{
  JsonBuilder *event = vt_tool_event_begin ("forward-opened");
  g_autofree char *source = describe_source (self, forward);
  g_autofree char *target = describe_target (forward);

  g_message (_ ("Forwarding %s → %s"), source, target);
  vt_tool_event_add_forward (event, forward, TRUE);
  vt_tool_event_add_text (event, "target", target);
  vt_tool_events_send (vt_tool_run_get_events (self->run), event);
}

/* A port that the server refused and that the user can do without. */
static void
tell_refused (Client *self, VtForward *forward, const GError *error)
{
  JsonBuilder *event = vt_tool_event_begin ("error");
  g_autofree char *target = describe_target (forward);

  vt_tool_log_error (error->message);
  vt_tool_event_add_reason (event, error);
  if (vt_forward_get_listen_kind (forward) == VT_LISTEN_KIND_HTTP)
    vt_tool_event_add_forward (event, forward, TRUE);
  else
    vt_tool_event_add_number (event, "port", vt_forward_get_listen_port (forward));
  vt_tool_event_add_text (event, "target", target);
  vt_tool_events_send (vt_tool_run_get_events (self->run), event);
}

/* What was asked for, as it can stand in a sentence. */
static char *
describe_wish (VtForward *forward)
{
  const char *const *names = vt_forward_get_host_names (forward);

  if (vt_forward_get_listen_kind (forward) != VT_LISTEN_KIND_HTTP || names == NULL)
    return g_strdup_printf (_ ("port %u"), vt_forward_get_listen_port (forward));
  return g_strjoinv (", ", (char **) names);
}

static void
refused (Client *self, VtForward *forward, const GError *reason)
{
  g_autofree char *wish = describe_wish (forward);
  g_autoptr(GError) error = NULL;

  /* With the tunnel gone the forwards fail, too; but that is the tunnel's story to tell. */
  if (vt_client_get_state (self->client) != VT_CLIENT_STATE_OPEN
      || vt_tool_run_is_ending (self->run))
    return;

  error = g_error_copy (reason);
  g_prefix_error (&error, _ ("The server refused %s: "), wish);
  if (self->keep_going)
    tell_refused (self, forward, error);
  else
    vt_tool_run_fail (self->run, VT_TOOL_REFUSED, error);
}

/* In a new session the server is asked again. It can take its time; and a server that was silent at
 * first can still say no, when the port counts as open already. */
static void
forward_changed_cb (VtForward *forward, GParamSpec *pspec, Client *self)
{
  VtForwardState state = vt_forward_get_state (forward);
  const GError *error = vt_forward_get_error (forward);

  if (vt_tool_run_is_ending (self->run))
    return;
  if (state == VT_FORWARD_STATE_LISTENING)
    tell_forward (self, forward);
  else if (state == VT_FORWARD_STATE_FAILED)
    refused (self, forward, error);
}

static void
forward_error_cb (VtForward *forward, GParamSpec *pspec, Client *self)
{
  const GError *error = vt_forward_get_error (forward);
  g_autofree char *wish = NULL;

  if (error == NULL || vt_forward_get_state (forward) != VT_FORWARD_STATE_PENDING)
    return;
  wish = describe_wish (forward);
  g_message (_ ("The server does not open %s yet: %s"), wish, error->message);
}

static void
listened_cb (GObject *source, GAsyncResult *result, void *user_data)
{
  g_autoptr(Request) request = user_data;
  g_autoptr(GError) error = NULL;
  Client *self = request->client;

  if (!vt_client_listen_finish (self->client, result, &error))
    {
      refused (self, request->forward, error);
      return;
    }
  forward_changed_cb (request->forward, NULL, self);
  g_signal_connect (request->forward, "notify::state", G_CALLBACK (forward_changed_cb), self);
  g_signal_connect (request->forward, "notify::error", G_CALLBACK (forward_error_cb), self);
}

static void
listen_all (Client *self)
{
  for (unsigned int i = 0; i < self->forwards->len; i++)
    {
      Request *request = g_new0 (Request, 1);

      request->client = self;
      request->forward = g_object_ref (self->forwards->pdata[i]);
      vt_client_listen_async (self->client, request->forward, NULL, listened_cb, request);
    }
}

/* What else can be done about it, where there is something. */
static void
add_advice (GError **error)
{
  const char *advice = NULL;
  g_autofree char *message = NULL;

  if (g_error_matches (*error, VT_ERROR, VT_ERROR_NOT_AUTHORISED))
    advice = _ ("give the server's token by --token-file or $VTUNNEL_TOKEN");
  else if (g_error_matches (*error, VT_ERROR, VT_ERROR_NOT_A_TUNNEL))
    advice = _ ("check the address, the port and the path");
  else if (g_error_matches (*error, VT_ERROR, VT_ERROR_TLS))
    advice = _ ("--tls-ca names a file of authorities to trust, and --pin a certificate");
  if (advice == NULL)
    return;
  message = g_steal_pointer (&(*error)->message);
  (*error)->message = g_strdup_printf ("%s; %s", message, advice);
}

/* Once: closing tells it, and so does the state, whichever comes first. */
static void
tell_closed (Client *self)
{
  JsonBuilder *event = NULL;

  if (!self->is_open)
    return;
  self->is_open = FALSE;
  event = vt_tool_event_begin ("session-closed");
  vt_tool_event_add_error (event, vt_client_get_error (self->client));
  vt_tool_events_send (vt_tool_run_get_events (self->run), event);
}

static void
state_changed_cb (VtClient *client, GParamSpec *pspec, Client *self)
{
  const GError *reason = vt_client_get_error (client);
  g_autoptr(GError) error = NULL;

  if (!self->is_open || vt_client_get_state (client) != VT_CLIENT_STATE_CLOSED)
    return;
  tell_closed (self);
  if (reason != NULL)
    {
      error = g_error_copy (reason);
      g_prefix_error (&error, _ ("The tunnel to %s ended: "), self->url);
      add_advice (&error);
    }
  else
    error = g_error_new (VT_ERROR, VT_ERROR_SHUTTING_DOWN, _ ("The server %s closed the tunnel"),
                         self->url);
  vt_tool_run_fail (self->run, vt_tool_status_of (error), error);
}

static void
closed_cb (GObject *source, GAsyncResult *result, void *user_data)
{
  Client *self = user_data;
  g_autoptr(GError) error = NULL;

  if (!vt_client_close_finish (self->client, result, &error))
    g_debug ("Closing the client: %s", error->message);
  tell_closed (self);
  vt_tool_run_finish (self->run);
}

static void
end_cb (void *user_data)
{
  Client *self = user_data;

  if (vt_client_get_state (self->client) == VT_CLIENT_STATE_CLOSED)
    vt_tool_run_finish (self->run);
  else
    vt_client_close_async (self->client, NULL, closed_cb, self);
}

static void
opened_cb (GObject *source, GAsyncResult *result, void *user_data)
{
  Client *self = user_data;
  g_autoptr(GError) error = NULL;
  gboolean opened = vt_client_open_finish (self->client, result, &error);

  if (vt_tool_run_is_ending (self->run))
    return;
  if (!opened)
    {
      g_prefix_error (&error, _ ("Cannot connect to the server: "));
      add_advice (&error);
      vt_tool_run_fail (self->run, vt_tool_status_of (error), error);
      return;
    }
  self->is_open = TRUE;
  listen_all (self);
  /* It may be over already. */
  state_changed_cb (self->client, NULL, self);
}

static void
stream_opened_cb (VtClient *client, VtStream *stream, Client *self)
{
  vt_tool_stream_tell_opened (stream, NULL, vt_tool_run_get_events (self->run));
}

static void
stream_closed_cb (VtClient *client, VtStream *stream, const GError *error, Client *self)
{
  vt_tool_stream_tell_closed (stream, NULL, error, vt_tool_run_get_events (self->run));
}

static void
client_init (Client *self, const VtToolClientOptions *options)
{
  g_autoptr(GUri) uri = g_uri_parse (options->server, SOUP_HTTP_URI_FLAGS, NULL);

  self->forwards = options->parsed;
  self->keep_going = options->keep_going;
  self->host = g_strdup (g_uri_get_host (uri));
  self->url =
      g_uri_to_string_partial (uri, G_URI_HIDE_USERINFO | G_URI_HIDE_QUERY | G_URI_HIDE_FRAGMENT);
  self->run = vt_tool_run_new (options->common.json, end_cb, self);
  self->connection = vt_tool_connection_new (self->client, self->run, self->url);
  g_signal_connect (self->client, "notify::state", G_CALLBACK (state_changed_cb), self);
  g_signal_connect (self->client, "stream-opened", G_CALLBACK (stream_opened_cb), self);
  g_signal_connect (self->client, "stream-closed", G_CALLBACK (stream_closed_cb), self);
}

static void
client_clear (Client *self)
{
  g_signal_handlers_disconnect_by_data (self->client, self);
  for (unsigned int i = 0; i < self->forwards->len; i++)
    g_signal_handlers_disconnect_by_data (self->forwards->pdata[i], self);
  vt_tool_connection_free (self->connection);
  g_object_unref (self->client);
  vt_tool_run_free (self->run);
  g_free (self->host);
  g_free (self->url);
}

VtToolStatus
vt_tool_client (char **argv)
{
  g_auto(VtToolClientOptions) options = { 0 };
  g_autoptr(GError) error = NULL;
  Client self = { 0 };
  VtToolStatus status = VT_TOOL_DONE;

  if (!vt_tool_client_options_parse (&options, argv, &error))
    return vt_tool_fail (options.common.json, error);
  if (options.common.help)
    return VT_TOOL_DONE;
  self.client = vt_tool_client_options_make_client (&options, &error);
  if (self.client == NULL)
    return vt_tool_fail (options.common.json, error);

  client_init (&self, &options);
  vt_client_open_async (self.client, NULL, opened_cb, &self);
  status = vt_tool_run_main (self.run);
  client_clear (&self);
  return status;
}
