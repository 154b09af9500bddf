/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-tool-terminal.h"

#include <errno.h>
#include <gio/gio.h>
#include <glib/gi18n.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "vt-tool-log.h"

/* The other screen, no cursor, no line that goes on in the next one, all empty; and back. */
#define ENTER_SCREEN "\033[?1049h\033[?25l\033[?7l\033[2J"
#define LEAVE_SCREEN "\033[0m\033[?7h\033[?25h\033[?1049l"

/* What ends a process that does not care for it. */
static const int end_signals[] = { SIGHUP, SIGINT,  SIGQUIT, SIGTERM, SIGILL,  SIGABRT, SIGBUS,
                                   SIGFPE, SIGSEGV, SIGPIPE, SIGALRM, SIGUSR1, SIGUSR2, SIGXCPU };

/* Handlers of signals have no other way to know of it. */
static volatile sig_atomic_t is_entered;
static volatile sig_atomic_t has_keys; /* standard input is a terminal, and was changed */
static VtToolTerminalMode mode_now;
static struct termios before;
static struct termios during;
static struct sigaction handlers_before[G_N_ELEMENTS (end_signals)];
static struct sigaction stop_before;

/* What cannot be written to a terminal that is gone is no loss. */
static void
write_code (const char *code)
{
  ssize_t n = write (STDOUT_FILENO, code, strlen (code));

  (void) n;
}

/* Only what may be called in the handler of a signal, from here to the handlers. Nothing of a
 * secret is for who reads next, and nothing that was seen while it was typed is a secret. */
static void
set_keys (const struct termios *keys)
{
  if (has_keys)
    tcsetattr (STDIN_FILENO, mode_now == VT_TOOL_TERMINAL_SECRET ? TCSAFLUSH : TCSADRAIN, keys);
}

static void
take (void)
{
  set_keys (&during);
  if (mode_now == VT_TOOL_TERMINAL_SCREEN)
    write_code (ENTER_SCREEN);
}

static void
put_back (void)
{
  if (mode_now == VT_TOOL_TERMINAL_SCREEN)
    write_code (LEAVE_SCREEN);
  set_keys (&before);
}

/* The handler was removed by its being called (SA_RESETHAND), and the signal that is raised here
 * arrives when it returns. */
static void
end_cb (int number)
{
  int error_number = errno;

  if (is_entered)
    put_back ();
  is_entered = FALSE;
  raise (number);
  errno = error_number;
}

/* Then the terminal is somebody else's, and has to be left alone. */
static gboolean
is_in_background (void)
{
  pid_t group = tcgetpgrp (has_keys ? STDIN_FILENO : STDOUT_FILENO);

  return group != -1 && group != getpgrp ();
}

static void
stop_cb (int number)
{
  int error_number = errno;

  put_back ();
  do
    kill (getpid (), SIGSTOP);
  while (is_in_background ());
  take ();
  raise (SIGWINCH);
  errno = error_number;
}

/* Somebody else's handler, and a signal that is ignored, stay. */
static void
watch_signals (void)
{
  struct sigaction end = { .sa_handler = end_cb, .sa_flags = (int) SA_RESETHAND };
  struct sigaction stop = { .sa_handler = stop_cb };

  sigfillset (&end.sa_mask);
  sigfillset (&stop.sa_mask);
  for (size_t i = 0; i < G_N_ELEMENTS (end_signals); i++)
    {
      sigaction (end_signals[i], NULL, &handlers_before[i]);
      if (handlers_before[i].sa_handler == SIG_DFL)
        sigaction (end_signals[i], &end, NULL);
    }
  /* Whoever reads a secret is to ask for it again. */
  if (mode_now != VT_TOOL_TERMINAL_SECRET)
    stop.sa_flags = SA_RESTART;
  sigaction (SIGTSTP, NULL, &stop_before);
  if (stop_before.sa_handler == SIG_DFL)
    sigaction (SIGTSTP, &stop, NULL);
}

static void
unwatch_signals (void)
{
  for (size_t i = 0; i < G_N_ELEMENTS (end_signals); i++)
    {
      if (handlers_before[i].sa_handler == SIG_DFL)
        sigaction (end_signals[i], &handlers_before[i], NULL);
    }
  sigaction (SIGTSTP, &stop_before, NULL);
}

/* SIGINT and its kin still come from the keyboard. */
static void
prepare_keys (VtToolTerminalMode mode)
{
  during = before;
  during.c_lflag &= ~(tcflag_t) ECHO;
  if (mode == VT_TOOL_TERMINAL_SECRET)
    {
      during.c_lflag |= ICANON | ECHONL;
      return;
    }
  during.c_lflag &= ~(tcflag_t) ICANON;
  during.c_cc[VMIN] = 1;
  during.c_cc[VTIME] = 0;
}

static void
leave_at_exit (void)
{
  vt_tool_terminal_leave ();
}

gboolean
vt_tool_terminal_enter (VtToolTerminalMode mode, GError **error)
{
  g_assert (!is_entered);
  mode_now = mode;
  has_keys = isatty (STDIN_FILENO) && tcgetattr (STDIN_FILENO, &before) == 0;
  if (has_keys)
    prepare_keys (mode);
  atexit (leave_at_exit);
  /* No signal may come between the change and its being undone. */
  is_entered = TRUE;
  watch_signals ();
  if (has_keys && tcsetattr (STDIN_FILENO, TCSAFLUSH, &during) != 0)
    {
      g_set_error (error, G_IO_ERROR, g_io_error_from_errno (errno),
                   _ ("The terminal cannot be set up: %s"), g_strerror (errno));
      is_entered = FALSE;
      unwatch_signals ();
      return FALSE;
    }
  if (mode == VT_TOOL_TERMINAL_SCREEN)
    write_code (ENTER_SCREEN);
  return TRUE;
}

void
vt_tool_terminal_leave (void)
{
  if (!is_entered)
    return;
  put_back ();
  is_entered = FALSE;
  unwatch_signals ();
}

gboolean
vt_tool_terminal_is_screen (void)
{
  const char *term = g_getenv ("TERM");

  return isatty (STDOUT_FILENO) && term != NULL && term[0] != '\0' && strcmp (term, "dumb") != 0;
}

void
vt_tool_terminal_get_size (unsigned int *width, unsigned int *height)
{
  struct winsize size = { 0 };

  ioctl (STDOUT_FILENO, TIOCGWINSZ, &size);
  *width = size.ws_col > 0 ? size.ws_col : 80;
  *height = size.ws_row > 0 ? size.ws_row : 24;
}

void
vt_tool_terminal_get_look (VtToolLook *look)
{
  unsigned int height = 0;

  look->width = 0;
  if (isatty (STDOUT_FILENO))
    vt_tool_terminal_get_size (&look->width, &height);
  look->utf8 = g_get_charset (NULL);
  look->colour = vt_tool_log_wants_colour (STDOUT_FILENO);
}
