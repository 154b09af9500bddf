/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-tool-output.h"

#include <errno.h>
#include <glib-unix.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct _VtToolOutput {
  gboolean is_broken;
  VtToolBrokenFunc broken; /* NULL once it was called */
  void *user_data;         /* not owned, for broken */
  GSource *watch;          /* owned; NULL: standard output is nothing that a reader leaves */
};

/* Everything waits for a reader that is slow, but not the signals that end it: write () would go on
 * after one, and poll () does not. */
static gboolean
write_all (int fd, const char *text, size_t length)
{
  struct pollfd poller = { .fd = fd, .events = POLLOUT };

  while (length > 0)
    {
      ssize_t n;

      if (poll (&poller, 1, -1) < 0)
        return FALSE;
      n = write (fd, text, length);
      if (n >= 0)
        {
          text += n;
          length -= n;
        }
      else if (errno != EAGAIN && errno != EINTR)
        return FALSE;
    }
  return TRUE;
}

static void
break_off (VtToolOutput *self, int error_number)
{
  VtToolBrokenFunc broken = g_steal_pointer (&self->broken);

  self->is_broken = TRUE;
  if (broken != NULL)
    broken (error_number, self->user_data);
}

static gboolean
reader_left_cb (int fd, GIOCondition condition, void *user_data)
{
  break_off (user_data, EPIPE);
  return G_SOURCE_REMOVE;
}

/* A quiet server has nothing to write for hours: without this it would not see that the reader of
 * its pipe is gone. */
static GSource *
watch_reader (VtToolOutput *self)
{
  struct stat status;
  GSource *source = NULL;

  if (fstat (STDOUT_FILENO, &status) != 0
      || (!S_ISFIFO (status.st_mode) && !S_ISSOCK (status.st_mode)))
    return NULL;
  source = g_unix_fd_source_new (STDOUT_FILENO, G_IO_ERR);
  g_source_set_static_name (source, "vtunnel-tool: standard output");
  g_source_set_callback (source, G_SOURCE_FUNC (reader_left_cb), self, NULL);
  g_source_attach (source, g_main_context_get_thread_default ());
  return source;
}

VtToolOutput *
vt_tool_output_new (VtToolBrokenFunc broken, void *user_data)
{
  VtToolOutput *self = g_new0 (VtToolOutput, 1);

  self->broken = broken;
  self->user_data = user_data;
  self->watch = watch_reader (self);
  return self;
}

void
vt_tool_output_free (VtToolOutput *self)
{
  if (self->watch != NULL)
    g_source_destroy (self->watch);
  g_clear_pointer (&self->watch, g_source_unref);
  g_free (self);
}

void
vt_tool_output_write (VtToolOutput *self, const char *text)
{
  if (!self->is_broken && !write_all (STDOUT_FILENO, text, strlen (text)))
    break_off (self, errno);
}
