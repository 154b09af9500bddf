/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-tool.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n.h>
#include <locale.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <vtunnel/vtunnel.h>

#include "vt-tool-guess.h"
#include "vt-tool-log.h"
#include "vt-tool-run.h"

typedef struct {
  const char *name;
  const char *summary;
  VtToolStatus (*run) (char **argv);
} Command;

static const Command commands[] = {
  { "server", N_ ("Open ports for clients, and pass connections on to them"), vt_tool_server },
  { "client", N_ ("Bring ports of a server to targets on this side"), vt_tool_client },
  { "token", N_ ("Make a token, with which a client may use a server"), vt_tool_token },
  { "demo", N_ ("Show a tunnel at work, all on this machine"), vt_tool_demo },
  { "add", N_ ("Add a tunnel to those that the session service keeps"), vt_tool_add },
  { "list", N_ ("List them"), vt_tool_list },
  { "show", N_ ("Show all there is to know of one"), vt_tool_show },
  { "open", N_ ("Open one, and wait until it is connected"), vt_tool_open },
  { "close", N_ ("Close one"), vt_tool_close },
  { "remove", N_ ("Close one, and forget it"), vt_tool_remove },
  { "set-token", N_ ("Set the token that its server asks for"), vt_tool_set_token },
  { "monitor", N_ ("Watch them, and who uses them"), vt_tool_monitor },
};

static const Command *
find_command (const char *name)
{
  for (size_t i = 0; i < G_N_ELEMENTS (commands); i++)
    {
      if (strcmp (commands[i].name, name) == 0)
        return &commands[i];
    }
  return NULL;
}

/* The command that was probably meant. */
static const char *
guess_command (const char *name)
{
  VtToolGuess guess = VT_TOOL_GUESS_NONE;

  for (size_t i = 0; i < G_N_ELEMENTS (commands); i++)
    vt_tool_guess_look (&guess, name, commands[i].name);
  return guess.best;
}

static void
print_help (void)
{
  g_autoptr(GString) text = g_string_new (NULL);

  g_string_append_printf (
      text, "%s\n  vtunnel-tool %s\n\n%s\n\n%s\n", _ ("Usage:"), _ ("COMMAND [OPTION…]"),
      _ ("Makes a port of a server lead to a program on this machine, through one\n"
         "WebSocket that goes out from here: no port has to be open on this side."),
      _ ("Commands:"));
  for (size_t i = 0; i < G_N_ELEMENTS (commands); i++)
    g_string_append_printf (text, "  %-10s%s\n", commands[i].name, _ (commands[i].summary));
  g_string_append_printf (text, "\n%s\n  -h, --help     %s\n  --version      %s\n", _ ("Options:"),
                          _ ("Show this help; “vtunnel-tool COMMAND --help” shows a command's"),
                          _ ("Show the version"));
  g_string_append_printf (
      text,
      "\n%s\n  vtunnel-tool demo\n  vtunnel-tool server --port 3001\n"
      "  vtunnel-tool client --server ws://127.0.0.1:3001/ --forward 9000=localhost:3000\n",
      _ ("Examples:"));
  g_string_append_printf (text, "\n%s\n%s\n", _ ("Exit status:"),
                          _ ("  0  done, or ended by SIGINT (Ctrl+C) or SIGTERM\n"
                             "  1  something failed\n"
                             "  2  wrong usage\n"
                             "  3  the server refused a forward\n"
                             "  4  not authorised\n"
                             "  5  there is no such tunnel"));
  vt_tool_print (stdout, text->str);
}

static VtToolStatus
fail_usage (char *message)
{
  g_autoptr(GError) error = g_error_new_literal (G_OPTION_ERROR, G_OPTION_ERROR_FAILED, message);

  g_free (message);
  return vt_tool_fail (FALSE, error);
}

static VtToolStatus
fail_unknown (const char *word)
{
  const char *guess = guess_command (word);

  if (word[0] == '-')
    return fail_usage (g_strdup_printf (
        _ ("Unknown option “%s” before the command; see “vtunnel-tool --help”"), word));
  if (guess != NULL)
    return fail_usage (
        g_strdup_printf (_ ("There is no command “%s”; did you mean “%s”?"), word, guess));
  return fail_usage (
      g_strdup_printf (_ ("There is no command “%s”; see “vtunnel-tool --help”"), word));
}

static VtToolStatus
dispatch (char **argv)
{
  const char *word = argv[0];
  const Command *command = NULL;

  if (word == NULL)
    return fail_usage (g_strdup (_ ("A command is missing; see “vtunnel-tool --help”")));
  if (strcmp (word, "--help") == 0 || strcmp (word, "-h") == 0)
    {
      print_help ();
      return VT_TOOL_DONE;
    }
  if (strcmp (word, "--version") == 0)
    {
      vt_tool_print (stdout, "vtunnel-tool " VT_VERSION_STRING "\n");
      return VT_TOOL_DONE;
    }
  command = find_command (word);
  return command != NULL ? command->run (argv) : fail_unknown (word);
}

/* VT_LOCALEDIR is for a tool that is not installed (docs/tool.md). */
static void
init_locale (void)
{
  const char *directory = g_getenv ("VT_LOCALEDIR");

  setlocale (LC_ALL, "");
  bindtextdomain (GETTEXT_PACKAGE, directory != NULL ? directory : LOCALE_DIR);
  bind_textdomain_codeset (GETTEXT_PACKAGE, "UTF-8");
  textdomain (GETTEXT_PACKAGE);
}

/* Every tunnelled connection needs a descriptor, and the usual soft limit is 1024. What cannot be
 * had is no reason not to start. */
static void
raise_descriptor_limit (void)
{
  struct rlimit limit;

  if (getrlimit (RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max)
    return;
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit (RLIMIT_NOFILE, &limit) != 0)
    g_debug ("Cannot raise the limit of descriptors: %s", g_strerror (errno));
}

/* Where one of the three is closed, a connection could get its number, and be sent what is meant
 * for people. Whoever reads or writes there shall fail as before, so each is open the other way. */
static void
occupy_standard_descriptors (void)
{
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
    if (fcntl (fd, F_GETFD) < 0)
      open ("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

int
main (int argc, char *argv[])
{
  occupy_standard_descriptors ();
  init_locale ();
  g_set_prgname ("vtunnel-tool");
  vt_tool_log_init ();
  signal (SIGPIPE, SIG_IGN);
  raise_descriptor_limit ();
  return dispatch (argc > 0 ? argv + 1 : argv);
}
