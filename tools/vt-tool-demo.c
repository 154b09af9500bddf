/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include <glib/gi18n.h>
#include <vtunnel/vtunnel.h>

#include "vt-tool-demo-page.h"
#include "vt-tool-log.h"
#include "vt-tool-options.h"
#include "vt-tool-run.h"

#define LOOPBACK "127.0.0.1"
#define USUAL_PORT 9000

typedef struct {
  VtToolCommon common;
  gboolean once;
} Options;

/* Everything that a tunnel needs, in one process and one main context. */
typedef struct {
  const Options *options; /* not owned */
  VtToolRun *run;         /* owned, as all below */
  SoupServer *page;
  VtServer *server;
  VtClient *client;
  VtForward *forward;
  SoupSession *browser;
  GCancellable *cancellable;
} Demo;

static const VtToolHelp help = {
  .name = "vtunnel-tool demo",
  .summary =
      N_ ("Shows a tunnel at work on this machine alone: a small website of its own, a server,\n"
          "and a client between them. Nothing of it can be reached from elsewhere."),
  .description = N_ ("Examples:\n"
                     "  vtunnel-tool demo\n"
                     "      Says which address to open in a browser; Ctrl+C ends it.\n"
                     "  vtunnel-tool demo --once\n"
                     "      Fetches the page through the tunnel, prints it, and ends."),
};

static gboolean
parse_options (Options *self, char **argv, GError **error)
{
  const GOptionEntry entries[] = {
    { "once", '1', 0, G_OPTION_ARG_NONE, &self->once,
      N_ ("Fetch the page through the tunnel, and end"), NULL },
    G_OPTION_ENTRY_NULL,
  };

  return vt_tool_options_parse (&help, entries, argv, &self->common, error);
}

static void
fail (Demo *self, const GError *error)
{
  vt_tool_run_fail (self->run, vt_tool_status_of (error), error);
}

static char *
make_address (Demo *self)
{
  return g_strdup_printf ("http://" LOOPBACK ":%u/", vt_forward_get_bound_port (self->forward));
}

static void
fetched_cb (GObject *source, GAsyncResult *result, void *user_data)
{
  Demo *self = user_data;
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) body =
      soup_session_send_and_read_finish (SOUP_SESSION (source), result, &error);
  SoupMessage *message = soup_session_get_async_result_message (SOUP_SESSION (source), result);

  if (body != NULL && soup_message_get_status (message) != SOUP_STATUS_OK)
    error = g_error_new (VT_ERROR, VT_ERROR_FAILED, _ ("the answer was %u instead of 200"),
                         soup_message_get_status (message));
  if (error != NULL)
    {
      g_prefix_error (&error, _ ("The page did not come through the tunnel: "));
      fail (self, error);
      return;
    }
  fwrite (g_bytes_get_data (body, NULL), 1, g_bytes_get_size (body), stdout);
  fflush (stdout);
  vt_tool_run_end (self->run, VT_TOOL_DONE);
}

static void
fetch_page (Demo *self)
{
  g_autofree char *address = make_address (self);
  g_autoptr(SoupMessage) message = soup_message_new (SOUP_METHOD_GET, address);

  g_message (_ ("Fetching %s through the tunnel"), address);
  soup_session_send_and_read_async (self->browser, message, G_PRIORITY_DEFAULT, self->cancellable,
                                    fetched_cb, self);
}

static void
tell_address (Demo *self)
{
  g_autofree char *address = make_address (self);
  g_autofree char *text = NULL;

  if (self->options->common.quiet)
    text = g_strconcat (address, "\n", NULL);
  else
    text = g_strdup_printf (_ ("A website of this program is there through a tunnel:\n\n"
                               "    %s\n\n"
                               "Open it in a browser, or:  curl %s\n"
                               "Ctrl+C ends the demo.\n"),
                            address, address);
  vt_tool_print (stdout, text);
}

static void ask_for_port (Demo *self, guint16 port);

static void
listened_cb (GObject *source, GAsyncResult *result, void *user_data)
{
  Demo *self = user_data;
  g_autoptr(GError) error = NULL;

  if (!vt_client_listen_finish (self->client, result, &error))
    {
      if (g_error_matches (error, VT_ERROR, VT_ERROR_ADDRESS_IN_USE)
          && vt_forward_get_listen_port (self->forward) != 0)
        ask_for_port (self, 0);
      else
        fail (self, error);
      return;
    }
  if (vt_tool_run_is_ending (self->run))
    return;
  if (self->options->once)
    fetch_page (self);
  else
    tell_address (self);
}

/* Declared above: whoever finds the usual port taken asks again. */
static void
ask_for_port (Demo *self, guint16 port)
{
  g_autofree char *text = g_strdup_printf (LOOPBACK ":%u", vt_tool_demo_page_get_port (self->page));
  g_autoptr(VtTarget) target = vt_target_parse (text, NULL);

  g_clear_object (&self->forward);
  self->forward = vt_forward_new (port, target);
  vt_client_listen_async (self->client, self->forward, self->cancellable, listened_cb, self);
}

static void
opened_cb (GObject *source, GAsyncResult *result, void *user_data)
{
  Demo *self = user_data;
  g_autoptr(GError) error = NULL;

  if (!vt_client_open_finish (self->client, result, &error))
    fail (self, error);
  else if (!vt_tool_run_is_ending (self->run))
    ask_for_port (self, self->options->once ? 0 : USUAL_PORT);
}

static void
client_closed_unasked_cb (VtClient *client, GParamSpec *pspec, Demo *self)
{
  const GError *error = vt_client_get_error (client);

  if (vt_client_get_state (client) == VT_CLIENT_STATE_CLOSED && error != NULL)
    fail (self, error);
}

static void
server_closed_cb (GObject *source, GAsyncResult *result, void *user_data)
{
  Demo *self = user_data;
  g_autoptr(GError) error = NULL;

  if (!vt_server_close_finish (self->server, result, &error))
    g_debug ("Closing the server: %s", error->message);
  soup_server_disconnect (self->page);
  vt_tool_run_finish (self->run);
}

static void
client_closed_cb (GObject *source, GAsyncResult *result, void *user_data)
{
  Demo *self = user_data;
  g_autoptr(GError) error = NULL;

  if (!vt_client_close_finish (self->client, result, &error))
    g_debug ("Closing the client: %s", error->message);
  vt_server_close_async (self->server, NULL, server_closed_cb, self);
}

static void
end_cb (void *user_data)
{
  Demo *self = user_data;

  g_cancellable_cancel (self->cancellable);
  soup_session_abort (self->browser);
  vt_client_close_async (self->client, NULL, client_closed_cb, self);
}

/* A desktop's proxy has no business on loopback. */
static SoupSession *
make_session (void)
{
  SoupSession *session = soup_session_new ();

  soup_session_set_proxy_resolver (session, NULL);
  return session;
}

static VtClient *
make_client (VtServer *server)
{
  size_t n_ports = 0;
  g_autofree guint16 *ports = vt_server_get_ports (server, &n_ports);
  g_autofree char *uri = g_strdup_printf ("ws://" LOOPBACK ":%u/", ports[0]);
  g_autoptr(SoupSession) session = make_session ();
  VtClient *client = vt_client_new (uri);

  vt_client_set_soup_session (client, session);
  return client;
}

static gboolean
demo_init (Demo *self, const Options *options, GError **error)
{
  self->options = options;
  self->cancellable = g_cancellable_new ();
  self->browser = make_session ();
  self->server = vt_server_new ();
  self->page = vt_tool_demo_page_new (error);
  if (self->page == NULL || !vt_server_listen (self->server, LOOPBACK, 0, error))
    return FALSE;
  self->client = make_client (self->server);
  g_signal_connect (self->client, "notify::state", G_CALLBACK (client_closed_unasked_cb), self);
  self->run = vt_tool_run_new (FALSE, end_cb, self);
  return TRUE;
}

static void
demo_clear (Demo *self)
{
  if (self->client != NULL)
    g_signal_handlers_disconnect_by_data (self->client, self);
  g_clear_pointer (&self->run, vt_tool_run_free);
  g_clear_object (&self->forward);
  g_clear_object (&self->client);
  g_clear_object (&self->server);
  g_clear_object (&self->page);
  g_clear_object (&self->browser);
  g_clear_object (&self->cancellable);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Demo, demo_clear)

VtToolStatus
vt_tool_demo (char **argv)
{
  Options options = { 0 };
  g_auto(Demo) self = { 0 };
  g_autoptr(GError) error = NULL;

  if (!parse_options (&options, argv, &error))
    return vt_tool_fail (FALSE, error);
  if (options.common.help)
    return VT_TOOL_DONE;
  if (!demo_init (&self, &options, &error))
    return vt_tool_fail (FALSE, error);
  vt_client_open_async (self.client, self.cancellable, opened_cb, &self);
  return vt_tool_run_main (self.run);
}
