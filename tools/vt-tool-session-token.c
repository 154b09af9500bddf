/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include <errno.h>
#include <glib/gi18n.h>
#include <string.h>
#include <unistd.h>

#include "vt-tool-log.h"
#include "vt-tool-run.h"
#include "vt-tool-session-bus.h"
#include "vt-tool-terminal.h"
#include "vt-tool-tunnel-options.h"

typedef struct {
  VtToolSessionOptions session;
  char *storage; /* owned, NULL if it is not given */
  gboolean forget;
} Options;

static const VtToolHelp help = {
  .name = "vtunnel-tool set-token",
  .arguments = "NAME",
  .operand = VT_TOOL_OPERAND_NAME,
  .summary =
      N_ ("Gives the session service the token that a tunnel's server asks for: one line from\n"
          "the terminal, where it is not shown, or from standard input."),
  .description =
      N_ ("The token is kept in the keyring, in the service's memory until it ends, or in a file\n"
          "that only its user can read. The service does not give it out again.\n"
          "\n"
          "Examples:\n"
          "  vtunnel-tool set-token web\n"
          "  pass show tunnel | vtunnel-tool set-token web --storage memory\n"
          "  vtunnel-tool set-token web --forget"),
};

static void
options_clear (Options *self)
{
  vt_tool_session_options_clear (&self->session);
  g_free (self->storage);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Options, options_clear)

static gboolean
read_options (Options *self, char **argv, GError **error)
{
  static const char *const storages[] = { "keyring", "memory", "file", NULL };
  const GOptionEntry entries[] = {
    { "storage", 0, 0, G_OPTION_ARG_STRING, &self->storage,
      N_ ("keyring, memory or file (keyring)"), N_ ("WHERE") },
    { "forget", 0, 0, G_OPTION_ARG_NONE, &self->forget, N_ ("Forget the token, and ask for none"),
      NULL },
    vt_tool_session_timeout_entry (&self->session),
    G_OPTION_ENTRY_NULL,
  };

  if (!vt_tool_options_parse (&help, entries, argv, &self->session.common, error))
    return FALSE;
  if (self->storage == NULL)
    self->storage = g_strdup ("keyring");
  if (g_strv_contains (storages, self->storage))
    return TRUE;
  g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
               _ ("--storage “%s”: keyring, memory or file is needed"), self->storage);
  return FALSE;
}

/* What was there before is not to be found in memory afterwards, as far as that is ours to say. */
static void
wipe (char *token)
{
  explicit_bzero (token, strlen (token));
  g_free (token);
}

/* One line of at most MAX_TOKEN bytes, byte by byte: what stands behind it is for somebody else. A
 * prompt, if there is one, is for a terminal: when the process was stopped and goes on, what had
 * been typed is gone, and is asked for again. */
static gboolean
read_line (const char *prompt, char *line, size_t size, GError **error)
{
  size_t length = 0;

  if (prompt != NULL)
    vt_tool_log_prompt (prompt);
  while (length < size - 1)
    {
      ssize_t n = read (STDIN_FILENO, line + length, 1);

      if (n < 0 && errno == EINTR)
        {
          if (prompt != NULL)
            {
              length = 0;
              vt_tool_log_prompt (prompt);
            }
          continue;
        }
      if (n < 0)
        {
          g_set_error (error, G_IO_ERROR, g_io_error_from_errno (errno),
                       _ ("Cannot read the token: %s"), g_strerror (errno));
          return FALSE;
        }
      if (n == 0 || line[length] == '\n')
        break;
      length++;
    }
  line[length] = '\0';
  return TRUE;
}

static gboolean
read_from_terminal (const char *name, char *line, size_t size, GError **error)
{
  g_autofree char *prompt = g_strdup_printf (_ ("Token for “%s”: "), name);
  gboolean done = FALSE;

  if (!vt_tool_terminal_enter (VT_TOOL_TERMINAL_SECRET, error))
    return FALSE;
  done = read_line (prompt, line, size, error);
  vt_tool_terminal_leave ();
  return done;
}

/* NULL if there is none. */
static char *
read_token (const char *name, GError **error)
{
  char *line = g_malloc0 (MAX_TOKEN + 2);
  gboolean done = isatty (STDIN_FILENO) ? read_from_terminal (name, line, MAX_TOKEN + 2, error)
                                        : read_line (NULL, line, MAX_TOKEN + 2, error);

  if (done && vt_tool_options_is_token (g_strstrip (line)))
    return line;
  if (done)
    g_set_error_literal (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                         _ ("There is no token on standard input: one line of letters, digits and "
                            "signs is needed"));
  explicit_bzero (line, MAX_TOKEN + 2);
  g_free (line);
  return NULL;
}

static gboolean
send_token (VtunnelSessionTunnel *tunnel, const Options *options, const char *token, GError **error)
{
  g_autoptr(GError) failure = NULL;
  g_autoptr(GError) reason = NULL;
  g_autofree char *message = NULL;
  GVariantDict secrets;

  g_variant_dict_init (&secrets, NULL);
  g_variant_dict_insert (&secrets, "token", "s", token);
  if (vtunnel_session_tunnel_call_set_secrets_sync (tunnel, g_variant_dict_end (&secrets),
                                                    options->storage, G_DBUS_CALL_FLAGS_NONE, -1,
                                                    NULL, &failure))
    return TRUE;
  reason = vt_tool_session_error_new (failure, options->session.common.name);
  if (vt_tool_session_error_is (failure, "SecretsUnavailable"))
    message =
        g_strdup_printf (_ ("%s; --storage says where else it could be kept"), reason->message);
  g_set_error_literal (error, VT_TOOL_ERROR, reason->code,
                       message != NULL ? message : reason->message);
  return FALSE;
}

static gboolean
set_token (VtToolSession *session, const Options *options, GError **error)
{
  const char *name = options->session.common.name;
  /* Nobody types a token for a tunnel that is not there. */
  g_autoptr(VtunnelSessionTunnel) tunnel = vt_tool_session_find (session, name, FALSE, error);
  char *token = NULL;
  gboolean done = FALSE;

  if (tunnel == NULL)
    return FALSE;
  token = options->forget ? g_strdup ("") : read_token (name, error);
  if (token == NULL)
    return FALSE;
  done = send_token (tunnel, options, token, error);
  wipe (token);
  return done;
}

VtToolStatus
vt_tool_set_token (char **argv)
{
  g_auto(Options) options = { 0 };
  g_auto(VtToolSession) session = { 0 };
  g_autoptr(GError) error = NULL;

  if (!read_options (&options, argv, &error))
    return vt_tool_fail (FALSE, error);
  if (options.session.common.help)
    return VT_TOOL_DONE;
  if (!vt_tool_session_open (&session, &options.session, &error)
      || !set_token (&session, &options, &error))
    return vt_tool_fail (FALSE, error);
  if (options.forget)
    g_message (_ ("The token of “%s” is forgotten"), options.session.common.name);
  else
    g_message (_ ("The token of “%s” is set"), options.session.common.name);
  return VT_TOOL_DONE;
}
