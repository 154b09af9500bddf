/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n.h>
#include <string.h>
#include <unistd.h>
#include <vtunnel/vtunnel.h>

#include "vt-tool-client-token.h"
#include "vt-tool-log.h"
#include "vt-tool-options.h"
#include "vt-tool-run.h"

typedef struct {
  VtToolCommon common;
  char *token_file; /* owned, nullable */
} Options;

static const VtToolHelp help = {
  .name = "vtunnel-tool token",
  .arguments = "[NAME]",
  .operand = VT_TOOL_OPERAND_MAYBE_NAME,
  .summary =
      N_ ("Makes a token for a client, and shows it on standard error, once. The lines for the\n"
          "server's access file go to standard output. NAME is 1 to 32 of a-z, 0-9 and “-”."),
  .description = N_ ("The access file holds a hash, from which nobody makes out the token.\n"
                     "\n"
                     "Examples:\n"
                     "  vtunnel-tool token laptop\n"
                     "  vtunnel-tool token laptop >>/etc/vtunnel/access\n"
                     "  vtunnel-tool token laptop --token-file laptop.token >>/etc/vtunnel/access"),
};

static void
options_clear (Options *self)
{
  g_free (self->common.name);
  g_free (self->token_file);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Options, options_clear)

static gboolean
read_options (Options *self, char **argv, GError **error)
{
  const GOptionEntry entries[] = {
    { "token-file", 't', 0, G_OPTION_ARG_FILENAME, &self->token_file,
      N_ ("Write the token into this new file instead"), N_ ("FILE") },
    G_OPTION_ENTRY_NULL,
  };

  return vt_tool_options_parse (&help, entries, argv, &self->common, error);
}

/* Only what tells clients apart. */
static char *
make_name (void)
{
  return g_strdup_printf ("client-%08x", g_random_int ());
}

static gboolean
write_all (int fd, const char *text, size_t length)
{
  while (length > 0)
    {
      ssize_t n = write (fd, text, length);

      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0)
        return FALSE;
      text += n;
      length -= (size_t) n;
    }
  return TRUE;
}

static gboolean
write_token (const char *path, const char *token, GError **error)
{
  int fd = open (path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  gboolean done = fd >= 0 && write_all (fd, token, strlen (token)) && write_all (fd, "\n", 1);
  int problem = errno;
  g_autofree char *name = NULL;

  if (fd >= 0 && close (fd) != 0 && done)
    {
      done = FALSE;
      problem = errno;
    }
  if (done)
    return TRUE;
  name = g_filename_display_name (path);
  g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (problem),
               _ ("%s “%s” cannot be written: %s"), "--token-file", name, g_strerror (problem));
  return FALSE;
}

/* Not a message of the log, which --quiet would keep back: there is no second time. */
static void
show_token (const char *name, const char *token)
{
  g_autofree char *before =
      g_strdup_printf (_ ("The token of “%s”, which is not shown again:"), name);
  char *text = g_strdup_printf ("%s\n\n  %s\n\n", before, token);

  vt_tool_print (stderr, text);
  vt_tool_client_token_wipe (text);
}

/* A name that is none is wrong usage. */
static char *
create_token (const char *name, char **hash, GError **error)
{
  g_autoptr(GError) reason = NULL;
  char *token = vt_access_create_token (name, hash, &reason);

  if (g_error_matches (reason, VT_ERROR, VT_ERROR_INVALID_ARGUMENT))
    g_set_error_literal (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, reason->message);
  else if (token == NULL)
    g_propagate_error (error, g_steal_pointer (&reason));
  return token;
}

static gboolean
hand_out (const Options *options, const char *name, const char *token, GError **error)
{
  if (options->token_file != NULL)
    return write_token (options->token_file, token, error);
  show_token (name, token);
  return TRUE;
}

VtToolStatus
vt_tool_token (char **argv)
{
  g_auto(Options) options = { 0 };
  g_autoptr(GError) error = NULL;
  g_autofree char *name = NULL;
  g_autofree char *hash = NULL;
  g_autofree char *lines = NULL;
  char *token;
  gboolean done;

  if (!read_options (&options, argv, &error))
    return vt_tool_fail (FALSE, error);
  if (options.common.help)
    return VT_TOOL_DONE;
  name = options.common.name != NULL ? g_strdup (options.common.name) : make_name ();
  token = create_token (name, &hash, &error);
  done = token != NULL && hand_out (&options, name, token, &error);
  vt_tool_client_token_wipe (token);
  if (!done)
    return vt_tool_fail (FALSE, error);
  if (isatty (STDOUT_FILENO))
    g_message (_ ("For the server's access file:"));
  /* An empty line first: the file may not end with one. */
  lines = g_strdup_printf ("\n[client %s]\ntoken=%s\n", name, hash);
  return vt_tool_put (lines);
}
