/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include <glib/gi18n.h>
#include <string.h>

#include "vt-tool-client-options.h"
#include "vt-tool-connection.h"
#include "vt-tool-log.h"
#include "vt-tool-reload.h"
#include "vt-tool-run.h"
#include "vt-tool-stream.h"

typedef struct {
  char **argv;                  /* not owned: what is read again begins with it */
  VtToolClientOptions options;  /* owned */
  GHashTable *begun_with;       /* owned: the values of the options at the start */
  VtClient *client;             /* owned */
  VtToolRun *run;               /* owned */
  VtToolConnection *connection; /* owned */
  VtToolReload *reload;         /* owned, nullable: without it SIGHUP is as ever */
  GPtrArray *forwards;          /* owned, of VtForward */
  GHashTable *opened;           /* owned, set of VtForward: that they are open was told */
  GHashTable *down;             /* owned, set of VtForward: … that their targets are down */
  char *url;                    /* owned; the server's, without what may be a secret */
  char *host;                   /* owned; of the server */
  unsigned int n_unanswered;    /* of those that were asked for at the start */
  gboolean is_open;
} Client;

/* What the client has been built upon. */
static const char *const fixed_options[] = { "json", "server", NULL };

/* Asking for one of the forwards. */
typedef struct {
  Client *client;     /* not owned */
  VtForward *forward; /* owned */
  gboolean is_added;  /* to a client that runs already */
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

/* Only where the forward asks for its target to be looked after. */
static void
tell_target (Client *self, VtForward *forward, const GError *error)
{
  JsonBuilder *event = vt_tool_event_begin (error != NULL ? "target-down" : "target-up");
  g_autofree char *source = describe_source (self, forward);
  g_autofree char *target = describe_target (forward);

  if (error != NULL)
    g_message (_ ("Target of %s down: %s"), source, error->message);
  else
    g_message (_ ("Target of %s answers again: %s"), source, target);
  vt_tool_event_add_forward (event, forward, FALSE);
  vt_tool_event_add_text (event, "target", target);
  vt_tool_event_add_error (event, error);
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

/* `can_go_on`: whether the client can do without it anyway. */
static void
refused (Client *self, VtForward *forward, const GError *reason, gboolean can_go_on)
{
  g_autofree char *wish = describe_wish (forward);
  g_autoptr(GError) error = NULL;

  /* With the tunnel gone the forwards fail, too; but that is the tunnel's story to tell. */
  if (vt_client_get_state (self->client) != VT_CLIENT_STATE_OPEN
      || vt_tool_run_is_ending (self->run))
    return;

  error = g_error_copy (reason);
  g_prefix_error (&error, _ ("The server refused %s: "), wish);
  if (self->options.keep_going || can_go_on)
    tell_refused (self, forward, error);
  else
    vt_tool_run_fail (self->run, VT_TOOL_REFUSED, error);
}

/* In a new session the server is asked again. It can take its time; and a server that was silent at
 * first can still say no, when the port counts as open already. */
static void
forget_told (Client *self, VtForward *forward)
{
  g_hash_table_remove (self->opened, forward);
  g_hash_table_remove (self->down, forward);
}

static void
forward_changed_cb (VtForward *forward, GParamSpec *pspec, Client *self)
{
  VtForwardState state = vt_forward_get_state (forward);
  const GError *error = vt_forward_get_error (forward);

  if (vt_tool_run_is_ending (self->run))
    return;
  if (state == VT_FORWARD_STATE_FAILED)
    refused (self, forward, error, FALSE);
  if (state != VT_FORWARD_STATE_LISTENING && state != VT_FORWARD_STATE_TARGET_DOWN)
    {
      forget_told (self, forward);
      return;
    }
  if (g_hash_table_add (self->opened, forward))
    tell_forward (self, forward);
  if (state == VT_FORWARD_STATE_TARGET_DOWN && g_hash_table_add (self->down, forward))
    tell_target (self, forward, error);
  else if (state == VT_FORWARD_STATE_LISTENING && g_hash_table_remove (self->down, forward))
    tell_target (self, forward, NULL);
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

/* The tunnel stands, and of each forward it is known what became of it. */
static void
note_answered (Client *self)
{
  if (--self->n_unanswered == 0 && !vt_tool_run_is_ending (self->run))
    vt_tool_service_note_ready (vt_tool_run_get_service (self->run));
}

static void
listened_cb (GObject *source, GAsyncResult *result, void *user_data)
{
  g_autoptr(Request) request = user_data;
  g_autoptr(GError) error = NULL;
  Client *self = request->client;

  if (!vt_client_listen_finish (self->client, result, &error))
    {
      /* One that was taken back before the server has answered, is not to be talked of. */
      if (g_ptr_array_find (self->forwards, request->forward, NULL))
        refused (self, request->forward, error, request->is_added);
    }
  else
    {
      forward_changed_cb (request->forward, NULL, self);
      g_signal_connect (request->forward, "notify::state", G_CALLBACK (forward_changed_cb), self);
      g_signal_connect (request->forward, "notify::error", G_CALLBACK (forward_error_cb), self);
    }
  if (!request->is_added)
    note_answered (self);
}

static void
ask_for (Client *self, VtForward *forward, gboolean is_added)
{
  Request *request = g_new0 (Request, 1);

  request->client = self;
  request->forward = g_object_ref (forward);
  request->is_added = is_added;
  vt_client_listen_async (self->client, forward, NULL, listened_cb, request);
}

static void
listen_all (Client *self)
{
  self->n_unanswered = self->forwards->len;
  for (unsigned int i = 0; i < self->forwards->len; i++)
    ask_for (self, self->forwards->pdata[i], FALSE);
}

/* What else can be done about it, where there is something. */
static void
add_advice (GError **error)
{
  const char *advice = NULL;
  g_autofree char *message = NULL;

  if (g_error_matches (*error, VT_ERROR, VT_ERROR_NOT_AUTHORISED))
    /* The error is one for all statuses, which its message names. */
    advice = _ ("with 401, give the server's token by --token-file or $VTUNNEL_TOKEN; with 403, a"
                " server behind a proxy has to be told of it by --trusted-proxy");
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
unlistened_cb (GObject *source, GAsyncResult *result, void *user_data)
{
  g_autoptr(GError) error = NULL;

  if (!vt_client_unlisten_finish (VT_CLIENT (source), result, &error))
    g_debug ("Taking a forward back: %s", error->message);
}

static void
give_up (Client *self, VtForward *forward)
{
  g_autofree char *text = vt_forward_to_string (forward);

  g_signal_handlers_disconnect_by_data (forward, self);
  forget_told (self, forward);
  /* One that was refused is not the client's any more. */
  if (vt_forward_get_state (forward) == VT_FORWARD_STATE_FAILED)
    return;
  g_message (_ ("No longer forwarding %s"), text);
  vt_client_unlisten_async (self->client, forward, NULL, unlistened_cb, NULL);
}

/* Takes one that is written like this one out of the list; NULL if there is none. */
static VtForward *
take_equal (GPtrArray *forwards, VtForward *forward)
{
  g_autofree char *text = vt_forward_to_string (forward);

  for (unsigned int i = 0; i < forwards->len; i++)
    {
      g_autofree char *other = vt_forward_to_string (forwards->pdata[i]);

      if (g_str_equal (text, other)
          && vt_forward_get_state (forwards->pdata[i]) != VT_FORWARD_STATE_FAILED)
        return g_ptr_array_steal_index (forwards, i);
    }
  return NULL;
}

/* Those that are in both stay as they are, with all that goes through them. A port that changes
 * hands is free before it is asked for again: the server does the one after the other. */
static void
change_forwards (Client *self, GPtrArray *wanted)
{
  g_autoptr(GPtrArray) former = g_steal_pointer (&self->forwards);
  g_autoptr(GPtrArray) added = g_ptr_array_new ();

  self->forwards = g_ptr_array_new_with_free_func (g_object_unref);
  for (unsigned int i = 0; i < wanted->len; i++)
    {
      VtForward *kept = take_equal (former, wanted->pdata[i]);

      if (kept == NULL)
        {
          kept = g_object_ref (wanted->pdata[i]);
          g_ptr_array_add (added, kept);
        }
      g_ptr_array_add (self->forwards, kept);
    }
  /* Before it was open for the first time, nothing has been asked for. */
  for (unsigned int i = 0; self->is_open && i < former->len; i++)
    give_up (self, former->pdata[i]);
  for (unsigned int i = 0; self->is_open && i < added->len; i++)
    ask_for (self, added->pdata[i], TRUE);
}

static gboolean
reload_cb (void *user_data, GError **error)
{
  Client *self = user_data;
  VtToolClientOptions options = { 0 };
  g_autoptr(VtClient) draft = NULL;

  if (vt_tool_client_options_parse (&options, self->argv, error))
    draft = vt_tool_client_options_make_client (&options, error);
  if (draft == NULL
      || !vt_tool_client_options_renew_secrets (&options, &self->options, self->client, error))
    {
      vt_tool_client_options_clear (&options);
      return FALSE;
    }
  vt_client_set_pins (self->client, vt_client_get_pins (draft), NULL);
  vt_tool_reload_copy_properties (G_OBJECT (draft), G_OBJECT (self->client));
  vt_tool_client_options_clear (&self->options);
  self->options = options;
  vt_tool_options_apply_log (&self->options.common);
  g_message (_ ("The configuration was read again"));
  vt_tool_reload_tell_fixed (&self->options.common, self->begun_with, fixed_options);
  change_forwards (self, self->options.parsed);
  return TRUE;
}

static void
client_init (Client *self)
{
  static const VtToolReloadHandlers handlers = { .read = reload_cb };
  const VtToolClientOptions *options = &self->options;
  g_autoptr(GUri) uri = g_uri_parse (options->server, SOUP_HTTP_URI_FLAGS, NULL);

  self->forwards = g_ptr_array_ref (options->parsed);
  self->opened = g_hash_table_new (NULL, NULL);
  self->down = g_hash_table_new (NULL, NULL);
  self->host = g_strdup (g_uri_get_host (uri));
  self->url =
      g_uri_to_string_partial (uri, G_URI_HIDE_USERINFO | G_URI_HIDE_QUERY | G_URI_HIDE_FRAGMENT);
  self->run = vt_tool_run_new (options->common.json, end_cb, self);
  self->connection = vt_tool_connection_new (self->client, self->run, self->url);
  if (options->common.config != NULL)
    self->reload = vt_tool_reload_new (self->run, &handlers, self);
  g_signal_connect (self->client, "notify::state", G_CALLBACK (state_changed_cb), self);
  if (vt_tool_stream_is_told (vt_tool_run_get_events (self->run)))
    {
      g_signal_connect (self->client, "stream-opened", G_CALLBACK (stream_opened_cb), self);
      g_signal_connect (self->client, "stream-closed", G_CALLBACK (stream_closed_cb), self);
    }
}

static VtToolStatus
run_client (Client *self)
{
  client_init (self);
  vt_client_open_async (self->client, NULL, opened_cb, self);
  return vt_tool_run_main (self->run);
}

static void
client_clear (Client *self)
{
  if (self->client != NULL)
    g_signal_handlers_disconnect_by_data (self->client, self);
  for (unsigned int i = 0; self->forwards != NULL && i < self->forwards->len; i++)
    g_signal_handlers_disconnect_by_data (self->forwards->pdata[i], self);
  g_clear_pointer (&self->connection, vt_tool_connection_free);
  vt_tool_reload_free (self->reload);
  g_clear_object (&self->client);
  g_clear_pointer (&self->run, vt_tool_run_free);
  g_clear_pointer (&self->forwards, g_ptr_array_unref);
  g_clear_pointer (&self->opened, g_hash_table_unref);
  g_clear_pointer (&self->down, g_hash_table_unref);
  g_clear_pointer (&self->begun_with, g_hash_table_unref);
  g_free (self->host);
  g_free (self->url);
  vt_tool_client_options_clear (&self->options);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Client, client_clear)

VtToolStatus
vt_tool_client (char **argv)
{
  g_auto(Client) self = { .argv = argv };
  VtToolCommon *common = &self.options.common;
  g_autoptr(GError) error = NULL;

  if (!vt_tool_client_options_parse (&self.options, argv, &error))
    return vt_tool_fail (common->json, error);
  if (common->help)
    return VT_TOOL_DONE;
  vt_tool_options_apply_log (common);
  self.begun_with = g_hash_table_ref (common->values);
  self.client = vt_tool_client_options_make_client (&self.options, &error);
  if (self.client == NULL)
    return vt_tool_fail (common->json, error);
  return common->check_config ? vt_tool_reload_tell_check (common) : run_client (&self);
}
