/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include <errno.h>
#include <glib-unix.h>
#include <glib/gi18n.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "vt-tool-keys.h"
#include "vt-tool-monitor-lines.h"
#include "vt-tool-monitor-view.h"
#include "vt-tool-monitor-watch.h"
#include "vt-tool-run.h"
#include "vt-tool-terminal.h"

/* Milliseconds: between two frames at least, and between two questions for statistics. */
#define FRAME_PAUSE 250
#define INTERVAL 1000

/* Of each forward; all others are a number. */
#define FEW_STREAMS 5
#define MANY_STREAMS 1000

typedef struct {
  const char *name;   /* not owned, NULL: all tunnels */
  VtToolRun *run;     /* owned */
  VtToolWatch *watch; /* owned */
  VtToolLook look;
  gboolean was_ready;

  VtToolLines *lines;   /* owned, NULL on a screen */
  VtToolOutput *output; /* owned, NULL on a screen */

  VtToolKeys keys;
  GSource *sources[3]; /* owned, of a screen: keys, size, clock */
  GSource *frame;      /* owned, NULL while none is to come */
  gint64 frame_at;     /* when the last one was, of the monotonic clock */
  unsigned int height;
  unsigned int first; /* the line of the body that the screen begins with */
} Monitor;

static const VtToolHelp help = {
  .name = "vtunnel-tool monitor",
  .arguments = "[NAME]",
  .operand = VT_TOOL_OPERAND_MAYBE_NAME,
  .summary =
      N_ ("Shows the tunnels of the session service, what they forward, and who uses them, for\n"
          "as long as it runs."),
  .description =
      N_ ("On a terminal it takes the whole screen: q or Ctrl+C ends it, the arrow keys, PgUp,\n"
          "PgDn, Home and End scroll. Elsewhere it writes a line for each change.\n"
          "↑ is what goes to the server, ↓ what comes from it.\n"
          "\n"
          "Examples:\n"
          "  vtunnel-tool monitor\n"
          "  vtunnel-tool monitor web | tee web.log"),
};

static void
fill_model (Monitor *self, VtToolMonitorModel *model)
{
  model->tunnels = (GPtrArray *) vt_tool_watch_get_tunnels (self->watch);
  model->name = self->name;
  model->note = vt_tool_watch_get_note (self->watch);
  model->now = g_get_real_time ();
  model->max_streams = self->name != NULL ? MANY_STREAMS : FEW_STREAMS;
}

/* Each line is emptied before it is written, as at the right edge that would take the last column
 * away. */
static char *
make_frame (const GPtrArray *lines)
{
  GString *frame = g_string_new ("\033[H");

  for (unsigned int i = 0; i < lines->len; i++)
    {
      g_string_append (frame, i > 0 ? "\r\n\033[K" : "\033[K");
      g_string_append (frame, lines->pdata[i]);
    }
  return g_string_free (frame, FALSE);
}

/* FALSE if the terminal takes nothing now, as after Ctrl+S. A frame that a signal cuts off is made
 * good by the next one. */
static gboolean
write_frame (Monitor *self, const char *frame)
{
  struct pollfd poller = { .fd = STDOUT_FILENO, .events = POLLOUT };

  if (poll (&poller, 1, 0) != 1)
    return FALSE;
  if (write (STDOUT_FILENO, frame, strlen (frame)) < 0 && errno != EAGAIN && errno != EINTR)
    vt_tool_run_end (self->run, VT_TOOL_FAILED);
  return TRUE;
}

static void schedule (Monitor *self);

static void
draw (Monitor *self)
{
  VtToolMonitorModel model = { 0 };
  g_autoptr(GPtrArray) body = NULL;
  g_autoptr(GPtrArray) lines = NULL;
  g_autofree char *frame = NULL;

  fill_model (self, &model);
  body = vt_tool_monitor_view_list (&model, &self->look);
  lines = vt_tool_monitor_view_screen (&model, &self->look, self->height, body, &self->first);
  frame = make_frame (lines);
  self->frame_at = g_get_monotonic_time ();
  if (!write_frame (self, frame))
    schedule (self);
}

static gboolean
frame_cb (void *user_data)
{
  Monitor *self = user_data;

  g_clear_pointer (&self->frame, g_source_unref);
  if (!vt_tool_run_is_ending (self->run))
    draw (self);
  return G_SOURCE_REMOVE;
}

static void
schedule (Monitor *self)
{
  gint64 left = self->frame_at + FRAME_PAUSE * G_TIME_SPAN_MILLISECOND - g_get_monotonic_time ();

  if (self->frame != NULL)
    return;
  self->frame = g_timeout_source_new ((unsigned int) MAX (left / 1000, 0));
  g_source_set_static_name (self->frame, "vtunnel-tool: frame");
  g_source_set_callback (self->frame, frame_cb, self, NULL);
  g_source_attach (self->frame, g_main_context_get_thread_default ());
}

static void
write_lines (Monitor *self)
{
  g_autofree char *text =
      vt_tool_lines_update (self->lines, vt_tool_watch_get_tunnels (self->watch),
                            vt_tool_watch_get_note (self->watch), g_get_real_time ());

  vt_tool_output_write (self->output, text);
}

/* A name that there never was is most often mistyped; one that goes away may come back. */
static gboolean
check_name (Monitor *self)
{
  g_autoptr(GError) error = NULL;

  if (self->was_ready || !vt_tool_watch_is_ready (self->watch))
    return TRUE;
  self->was_ready = TRUE;
  if (self->name == NULL || vt_tool_watch_get_tunnels (self->watch)->len > 0)
    return TRUE;
  error = vt_tool_session_error_new_no_such_tunnel (self->name);
  if (self->lines == NULL)
    vt_tool_terminal_leave ();
  vt_tool_run_fail (self->run, VT_TOOL_NO_SUCH_TUNNEL, error);
  return FALSE;
}

static void
changed_cb (void *user_data)
{
  Monitor *self = user_data;

  if (vt_tool_run_is_ending (self->run) || !check_name (self))
    return;
  if (self->lines == NULL)
    schedule (self);
  else if (vt_tool_watch_is_settled (self->watch))
    write_lines (self);
}

static void
scroll (Monitor *self, int lines)
{
  if (lines < 0 && self->first < (unsigned int) -lines)
    self->first = 0;
  else
    self->first += (unsigned int) lines;
}

static void
press (Monitor *self, VtToolKey key)
{
  int page = MAX ((int) self->height - 4, 1);

  switch (key)
    {
    case VT_TOOL_KEY_QUIT:
      vt_tool_run_end (self->run, VT_TOOL_DONE);
      return;
    case VT_TOOL_KEY_UP:
      scroll (self, -1);
      break;
    case VT_TOOL_KEY_DOWN:
      scroll (self, 1);
      break;
    case VT_TOOL_KEY_PAGE_UP:
      scroll (self, -page);
      break;
    case VT_TOOL_KEY_PAGE_DOWN:
      scroll (self, page);
      break;
    case VT_TOOL_KEY_HOME:
      self->first = 0;
      break;
    case VT_TOOL_KEY_END:
      self->first = G_MAXINT;
      break;
    default:
      return;
    }
  schedule (self);
}

static gboolean
keys_cb (int fd, GIOCondition condition, void *user_data)
{
  Monitor *self = user_data;
  char bytes[64];
  ssize_t n = read (fd, bytes, sizeof bytes);

  if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
    return G_SOURCE_REMOVE;
  for (ssize_t i = 0; i < n; i++)
    press (self, vt_tool_keys_read (&self->keys, bytes[i]));
  return G_SOURCE_CONTINUE;
}

static gboolean
size_cb (void *user_data)
{
  Monitor *self = user_data;

  vt_tool_terminal_get_size (&self->look.width, &self->height);
  schedule (self);
  return G_SOURCE_CONTINUE;
}

/* Ages grow by themselves. */
static gboolean
clock_cb (void *user_data)
{
  schedule (user_data);
  return G_SOURCE_CONTINUE;
}

static void
watch_terminal (Monitor *self)
{
  self->sources[0] = g_unix_signal_source_new (SIGWINCH);
  g_source_set_callback (self->sources[0], size_cb, self, NULL);
  self->sources[1] = g_timeout_source_new (INTERVAL);
  g_source_set_callback (self->sources[1], clock_cb, self, NULL);
  if (isatty (STDIN_FILENO))
    {
      self->sources[2] = g_unix_fd_source_new (STDIN_FILENO, G_IO_IN | G_IO_HUP | G_IO_ERR);
      g_source_set_callback (self->sources[2], G_SOURCE_FUNC (keys_cb), self, NULL);
    }
  for (size_t i = 0; i < G_N_ELEMENTS (self->sources) && self->sources[i] != NULL; i++)
    {
      g_source_set_static_name (self->sources[i], "vtunnel-tool: terminal");
      g_source_attach (self->sources[i], g_main_context_get_thread_default ());
    }
}

static void
broken_cb (int error_number, void *user_data)
{
  Monitor *self = user_data;

  vt_tool_run_break (self->run, error_number);
}

static void
bus_closed_cb (Monitor *self)
{
  g_autoptr(GError) error =
      g_error_new_literal (VT_TOOL_ERROR, VT_TOOL_FAILED, _ ("The session bus has ended"));

  if (self->lines == NULL)
    vt_tool_terminal_leave ();
  vt_tool_run_fail (self->run, VT_TOOL_FAILED, error);
}

static void
end_cb (void *user_data)
{
  Monitor *self = user_data;

  vt_tool_run_finish (self->run);
}

static gboolean
monitor_begin (Monitor *self, VtToolSession *session, GError **error)
{
  gboolean is_screen = vt_tool_terminal_is_screen ();

  self->run = vt_tool_run_new (FALSE, end_cb, self);
  vt_tool_terminal_get_look (&self->look);
  if (is_screen)
    {
      vt_tool_terminal_get_size (&self->look.width, &self->height);
      if (!vt_tool_terminal_enter (VT_TOOL_TERMINAL_SCREEN, error))
        return FALSE;
      watch_terminal (self);
    }
  else
    {
      self->look.width = 0;
      self->lines = vt_tool_lines_new (&self->look);
      self->output = vt_tool_output_new (broken_cb, self);
    }
  g_signal_connect_swapped (session->bus, "closed", G_CALLBACK (bus_closed_cb), self);
  self->watch = vt_tool_watch_new (session->bus, self->name, INTERVAL, changed_cb, self);
  changed_cb (self);
  return TRUE;
}

static void
monitor_end (Monitor *self, VtToolSession *session)
{
  vt_tool_terminal_leave ();
  g_signal_handlers_disconnect_by_data (session->bus, self);
  for (size_t i = 0; i < G_N_ELEMENTS (self->sources); i++)
    {
      if (self->sources[i] != NULL)
        g_source_destroy (self->sources[i]);
      g_clear_pointer (&self->sources[i], g_source_unref);
    }
  if (self->frame != NULL)
    g_source_destroy (self->frame);
  g_clear_pointer (&self->frame, g_source_unref);
  g_clear_pointer (&self->watch, vt_tool_watch_free);
  g_clear_pointer (&self->lines, vt_tool_lines_free);
  g_clear_pointer (&self->output, vt_tool_output_free);
  g_clear_pointer (&self->run, vt_tool_run_free);
}

VtToolStatus
vt_tool_monitor (char **argv)
{
  g_auto(VtToolSessionOptions) options = { 0 };
  g_auto(VtToolSession) session = { 0 };
  g_autoptr(GError) error = NULL;
  Monitor self = { 0 };
  VtToolStatus status = VT_TOOL_DONE;
  const GOptionEntry entries[] = { G_OPTION_ENTRY_NULL };

  if (!vt_tool_options_parse (&help, entries, argv, &options.common, &error))
    return vt_tool_fail (FALSE, error);
  if (options.common.help)
    return VT_TOOL_DONE;
  if (!vt_tool_session_open (&session, &options, &error))
    return vt_tool_fail (FALSE, error);
  self.name = options.common.name;
  if (monitor_begin (&self, &session, &error))
    status = vt_tool_run_main (self.run);
  else
    status = vt_tool_fail (FALSE, error);
  monitor_end (&self, &session);
  return status;
}
