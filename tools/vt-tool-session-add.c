/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include <glib/gi18n.h>
#include <string.h>

#include "vt-tool-run.h"
#include "vt-tool-session-bus.h"
#include "vt-tool-session-wait.h"
#include "vt-tool-tunnel-options.h"

typedef struct {
  VtToolSessionOptions session;
  char *server;      /* owned */
  char **forwards;   /* owned */
  GPtrArray *parsed; /* owned, of owned VtForward */
  gboolean autoconnect;
  gboolean is_passing; /* not persistent */
  gboolean open;
  gboolean no_wait;
} Options;

static const VtToolHelp help = {
  .name = "vtunnel-tool add",
  .arguments = "NAME",
  .operand = VT_TOOL_OPERAND_NAME,
  .summary = N_ ("Adds a tunnel to those that the session service keeps."),
  .description = N_ (
      "A forward is [ADDRESS:]PORT=TARGET[,OPTION…], as “vtunnel-tool client --help” has it.\n"
      "\n"
      "Examples:\n"
      "  vtunnel-tool add web --server wss://example.com/ --forward 9000=localhost:3000 --open\n"
      "      Adds it, opens it, and says where it can be reached.\n"
      "  vtunnel-tool add ssh --server wss://example.com/ --forward 0=22 --autoconnect\n"
      "  vtunnel-tool set-token ssh && vtunnel-tool open ssh\n"
      "      The server wants a token; from now on it is opened at each login.\n"
      "\n"
      "The tunnel stays until “vtunnel-tool remove”; with --session, it goes when the\n"
      "session service ends."),
};

static void
options_clear (Options *self)
{
  vt_tool_session_options_clear (&self->session);
  g_free (self->server);
  g_strfreev (self->forwards);
  g_clear_pointer (&self->parsed, g_ptr_array_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Options, options_clear)

static gboolean
read_options (Options *self, char **argv, GError **error)
{
  const GOptionEntry entries[] = {
    { "server", 's', 0, G_OPTION_ARG_STRING, &self->server,
      N_ ("The server, such as wss://example.com/"), N_ ("URL") },
    { "forward", 'f', 0, G_OPTION_ARG_STRING_ARRAY, &self->forwards,
      N_ ("What to forward, as below (repeatable)"), N_ ("FORWARD") },
    { "autoconnect", 'a', 0, G_OPTION_ARG_NONE, &self->autoconnect,
      N_ ("Open it whenever the service starts"), NULL },
    { "session", 0, 0, G_OPTION_ARG_NONE, &self->is_passing,
      N_ ("Keep it only until the service ends"), NULL },
    { "open", 'o', 0, G_OPTION_ARG_NONE, &self->open, N_ ("Open it at once, and wait for it"),
      NULL },
    { "no-wait", 0, 0, G_OPTION_ARG_NONE, &self->no_wait, N_ ("… or do not wait"), NULL },
    vt_tool_session_timeout_entry (&self->session),
    G_OPTION_ENTRY_NULL,
  };

  if (!vt_tool_options_parse (&help, entries, argv, &self->session.common, error))
    return FALSE;
  if (self->session.common.help)
    return TRUE;
  if (self->autoconnect && self->is_passing)
    {
      g_set_error_literal (error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
                           _ ("--autoconnect and --session exclude each other: what the service "
                              "forgets when it ends cannot be opened when it starts"));
      return FALSE;
    }
  return vt_tool_options_check_server (self->server, error)
         && vt_tool_options_parse_forwards (self->forwards, &self->parsed, error);
}

/* What stands before the target in the forward's text, which may have a colon, but no "=". */
static char *
get_left_side (VtForward *forward)
{
  g_autofree char *text = vt_forward_to_string (forward);

  return g_strndup (text, strcspn (text, "="));
}

/* A host of one of these names is written in capitals: host names know no case. */
static char *
get_host_header (VtForward *forward)
{
  const char *host = vt_forward_get_host_header (forward);

  switch (vt_forward_get_host_header_mode (forward))
    {
    case VT_HOST_HEADER_KEEP:
      return g_strdup ("keep");
    case VT_HOST_HEADER_REPLACE:
      if (strcmp (host, "keep") == 0 || strcmp (host, "auto") == 0)
        return g_ascii_strup (host, -1);
      return g_strdup (host);
    default:
      return NULL;
    }
}

static const char *
get_forwarded (VtForward *forward)
{
  switch (vt_forward_get_forwarded_headers (forward))
    {
    case VT_FORWARDED_HEADERS_NONE:
      return NULL;
    case VT_FORWARDED_HEADERS_X_FORWARDED:
      return "x-forwarded";
    case VT_FORWARDED_HEADERS_FORWARDED:
      return "forwarded";
    default:
      return "both";
    }
}

static GVariant *
pack_forward (VtForward *forward)
{
  g_autofree char *left = get_left_side (forward);
  g_autofree char *target = vt_target_to_string (vt_forward_get_target (forward));
  g_autofree char *host_header = get_host_header (forward);
  GVariantDict options;

  g_variant_dict_init (&options, NULL);
  if (host_header != NULL)
    g_variant_dict_insert (&options, "host-header", "s", host_header);
  if (vt_forward_get_proxy_protocol (forward) != 0)
    g_variant_dict_insert (&options, "proxy-protocol", "u",
                           vt_forward_get_proxy_protocol (forward));
  if (get_forwarded (forward) != NULL)
    g_variant_dict_insert (&options, "forwarded", "s", get_forwarded (forward));
  if (vt_forward_get_http (forward))
    g_variant_dict_insert (&options, "http", "b", TRUE);
  if (vt_forward_get_health_interval (forward) != 0)
    g_variant_dict_insert (&options, "health", "u", vt_forward_get_health_interval (forward));
  return g_variant_new ("(ss@a{sv})", left, target, g_variant_dict_end (&options));
}

static GVariant *
pack_forwards (const Options *options)
{
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE ("a(ssa{sv})"));
  for (unsigned int i = 0; i < options->parsed->len; i++)
    g_variant_builder_add_value (&builder, pack_forward (options->parsed->pdata[i]));
  return g_variant_builder_end (&builder);
}

static GVariant *
pack_options (const Options *options)
{
  GVariantDict dict;

  g_variant_dict_init (&dict, NULL);
  g_variant_dict_insert (&dict, "name", "s", options->session.common.name);
  g_variant_dict_insert (&dict, "open", "b", options->open);
  g_variant_dict_insert (&dict, "autoconnect", "b", options->autoconnect);
  g_variant_dict_insert (&dict, "lifetime", "s", options->is_passing ? "session" : "persistent");
  return g_variant_dict_end (&dict);
}

/* A name that two tunnels have would name none for the other commands. */
static gboolean
check_name (VtToolSession *session, const char *name, GError **error)
{
  g_autoptr(GPtrArray) tunnels = vt_tool_session_list (session, error);

  if (tunnels == NULL)
    return FALSE;
  for (unsigned int i = 0; i < tunnels->len; i++)
    {
      if (!vt_tool_tunnel_is_called (tunnels->pdata[i], name))
        continue;
      g_set_error (error, VT_TOOL_ERROR, VT_TOOL_FAILED,
                   _ ("There is a tunnel “%s” already; “vtunnel-tool remove” removes it"), name);
      return FALSE;
    }
  return TRUE;
}

static gboolean
create (VtToolSession *session, const Options *options, char **path, GError **error)
{
  g_autoptr(GError) failure = NULL;

  if (!check_name (session, options->session.common.name, error))
    return FALSE;
  if (vtunnel_session_manager_call_create_tunnel_sync (
          session->manager, options->server, pack_forwards (options), pack_options (options),
          G_DBUS_CALL_FLAGS_NONE, -1, path, NULL, &failure))
    return TRUE;
  g_propagate_error (error, vt_tool_session_error_new (failure, NULL));
  return FALSE;
}

VtToolStatus
vt_tool_add (char **argv)
{
  g_auto(Options) options = { 0 };
  g_auto(VtToolSession) session = { 0 };
  g_autofree char *path = NULL;
  g_autoptr(GError) error = NULL;

  if (!read_options (&options, argv, &error))
    return vt_tool_fail (FALSE, error);
  if (options.session.common.help)
    return VT_TOOL_DONE;
  if (!vt_tool_session_open (&session, &options.session, &error)
      || !create (&session, &options, &path, &error))
    return vt_tool_fail (FALSE, error);
  g_message (_ ("Added “%s”"), options.session.common.name);
  if (!options.open || options.no_wait)
    return VT_TOOL_DONE;
  return vt_tool_session_wait (&session, path, options.session.common.name);
}
