/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include <glib/gi18n.h>

#include "vt-tool-run.h"
#include "vt-tool-session-bus.h"
#include "vt-tool-session-wait.h"

/* The commands that ask one thing of one tunnel: open, close, remove. */

static const VtToolHelp open_help = {
  .name = "vtunnel-tool open",
  .arguments = "NAME",
  .operand = VT_TOOL_OPERAND_NAME,
  .summary =
      N_ ("Opens a tunnel of the session service, waits until it is connected, and says where\n"
          "it can be reached."),
  .description = N_ ("Ctrl+C ends the waiting, and not the tunnel.\n"
                     "\n"
                     "Examples:\n"
                     "  vtunnel-tool open web\n"
                     "  vtunnel-tool open --no-wait web"),
};

static const VtToolHelp close_help = {
  .name = "vtunnel-tool close",
  .arguments = "NAME",
  .operand = VT_TOOL_OPERAND_NAME,
  .summary = N_ ("Closes a tunnel of the session service. It can be opened again."),
  .description = N_ ("Examples:\n"
                     "  vtunnel-tool close web"),
};

static const VtToolHelp remove_help = {
  .name = "vtunnel-tool remove",
  .arguments = "NAME",
  .operand = VT_TOOL_OPERAND_NAME,
  .summary = N_ ("Closes a tunnel of the session service, and forgets it and its token."),
  .description = N_ ("Examples:\n"
                     "  vtunnel-tool remove web"),
};

typedef gboolean (*Call) (VtunnelSessionTunnel *tunnel,
                          GDBusCallFlags flags,
                          int timeout,
                          GCancellable *cancellable,
                          GError **error);

static gboolean
call (VtToolSession *session, const char *name, Call method, char **path, GError **error)
{
  g_autoptr(VtunnelSessionTunnel) tunnel = vt_tool_session_find (session, name, FALSE, error);
  g_autoptr(GError) failure = NULL;

  if (tunnel == NULL)
    return FALSE;
  *path = g_strdup (g_dbus_proxy_get_object_path (G_DBUS_PROXY (tunnel)));
  if (method (tunnel, G_DBUS_CALL_FLAGS_NONE, -1, NULL, &failure))
    return TRUE;
  g_propagate_error (error, vt_tool_session_error_new (failure, name));
  return FALSE;
}

VtToolStatus
vt_tool_open (char **argv)
{
  g_auto(VtToolSessionOptions) options = { 0 };
  g_auto(VtToolSession) session = { 0 };
  g_autofree char *path = NULL;
  g_autoptr(GError) error = NULL;
  gboolean no_wait = FALSE;
  const GOptionEntry entries[] = {
    { "no-wait", 0, 0, G_OPTION_ARG_NONE, &no_wait, N_ ("Do not wait until it is open"), NULL },
    vt_tool_session_timeout_entry (&options),
    G_OPTION_ENTRY_NULL,
  };

  if (!vt_tool_options_parse (&open_help, entries, argv, &options.common, &error))
    return vt_tool_fail (FALSE, error);
  if (options.common.help)
    return VT_TOOL_DONE;
  if (!vt_tool_session_open (&session, &options, &error)
      || !call (&session, options.common.name, vtunnel_session_tunnel_call_open_sync, &path,
                &error))
    return vt_tool_fail (FALSE, error);
  return no_wait ? VT_TOOL_DONE : vt_tool_session_wait (&session, path, options.common.name);
}

/* The result is the status; `name` is set, and owned, once it is done. */
static VtToolStatus
run_simple (const VtToolHelp *help, char **argv, Call method, char **name)
{
  g_auto(VtToolSessionOptions) options = { 0 };
  g_auto(VtToolSession) session = { 0 };
  g_autofree char *path = NULL;
  g_autoptr(GError) error = NULL;
  const GOptionEntry entries[] = {
    vt_tool_session_timeout_entry (&options),
    G_OPTION_ENTRY_NULL,
  };

  if (!vt_tool_options_parse (help, entries, argv, &options.common, &error))
    return vt_tool_fail (FALSE, error);
  if (options.common.help)
    return VT_TOOL_DONE;
  if (!vt_tool_session_open (&session, &options, &error)
      || !call (&session, options.common.name, method, &path, &error))
    return vt_tool_fail (FALSE, error);
  *name = g_steal_pointer (&options.common.name);
  return VT_TOOL_DONE;
}

VtToolStatus
vt_tool_close (char **argv)
{
  g_autofree char *name = NULL;
  VtToolStatus status =
      run_simple (&close_help, argv, vtunnel_session_tunnel_call_close_sync, &name);

  if (name != NULL)
    g_message (_ ("“%s” is closed"), name);
  return status;
}

VtToolStatus
vt_tool_remove (char **argv)
{
  g_autofree char *name = NULL;
  VtToolStatus status =
      run_simple (&remove_help, argv, vtunnel_session_tunnel_call_delete_sync, &name);

  if (name != NULL)
    g_message (_ ("“%s” is removed"), name);
  return status;
}
