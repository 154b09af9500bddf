/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-tool-run.h"

#include <errno.h>
#include <glib-unix.h>
#include <glib/gi18n.h>
#include <signal.h>

#include "vt-tool-log.h"
#include "vt-tool-session-error.h"

static const int end_signals[] = { SIGINT, SIGTERM };

struct _VtToolRun {
  VtToolEndFunc end;
  void *user_data;                              /* not owned, for end */
  VtToolEvents *events;                         /* owned */
  VtToolService *service;                       /* owned */
  GSource *signals[G_N_ELEMENTS (end_signals)]; /* owned */
  VtToolStatus status;
  gboolean asked; /* by a signal */
  gboolean ending;
  gboolean finished;
};

static void
tell_error (VtToolEvents *events, const GError *error)
{
  JsonBuilder *event = vt_tool_event_begin ("error");

  vt_tool_log_error (error->message);
  vt_tool_event_add_reason (event, error);
  vt_tool_events_send (events, event);
}

static gboolean
signal_cb (void *user_data)
{
  VtToolRun *self = user_data;

  self->asked = TRUE;
  if (self->ending)
    {
      g_message (_ ("Ending at once."));
      self->finished = TRUE;
    }
  vt_tool_run_end (self, VT_TOOL_DONE);
  return G_SOURCE_CONTINUE;
}

static GError *
new_output_error (int error_number)
{
  return g_error_new (G_IO_ERROR, g_io_error_from_errno (error_number),
                      _ ("Cannot write to standard output: %s"), g_strerror (error_number));
}

static void
broken_cb (int error_number, void *user_data)
{
  vt_tool_run_break (user_data, error_number);
}

static void
watch_signals (VtToolRun *self)
{
  for (size_t i = 0; i < G_N_ELEMENTS (end_signals); i++)
    {
      self->signals[i] = g_unix_signal_source_new (end_signals[i]);
      g_source_set_static_name (self->signals[i], "vtunnel-tool: signal");
      g_source_set_callback (self->signals[i], signal_cb, self, NULL);
      g_source_attach (self->signals[i], g_main_context_get_thread_default ());
    }
}

VtToolRun *
vt_tool_run_new (gboolean json, VtToolEndFunc end, void *user_data)
{
  VtToolRun *self = g_new0 (VtToolRun, 1);

  self->end = end;
  self->user_data = user_data;
  self->events = vt_tool_events_new (json, broken_cb, self);
  self->service = vt_tool_service_new ();
  watch_signals (self);
  return self;
}

void
vt_tool_run_free (VtToolRun *self)
{
  for (size_t i = 0; i < G_N_ELEMENTS (end_signals); i++)
    {
      g_source_destroy (self->signals[i]);
      g_source_unref (self->signals[i]);
    }
  vt_tool_events_free (self->events);
  vt_tool_service_free (self->service);
  g_free (self);
}

VtToolEvents *
vt_tool_run_get_events (VtToolRun *self)
{
  return self->events;
}

VtToolService *
vt_tool_run_get_service (VtToolRun *self)
{
  return self->service;
}

gboolean
vt_tool_run_is_ending (VtToolRun *self)
{
  return self->ending;
}

gboolean
vt_tool_run_was_asked (VtToolRun *self)
{
  return self->asked;
}

VtToolStatus
vt_tool_run_main (VtToolRun *self)
{
  GMainContext *context = g_main_context_get_thread_default ();

  while (!self->finished)
    g_main_context_iteration (context, TRUE);
  return self->status;
}

/* What decides the status comes first, whatever happens while it is told. */
static gboolean
begin_end (VtToolRun *self, VtToolStatus status)
{
  if (self->ending)
    return FALSE;
  self->ending = TRUE;
  self->status = status;
  vt_tool_service_note_stopping (self->service);
  return TRUE;
}

void
vt_tool_run_end (VtToolRun *self, VtToolStatus status)
{
  if (begin_end (self, status))
    self->end (self->user_data);
}

void
vt_tool_run_fail (VtToolRun *self, VtToolStatus status, const GError *error)
{
  if (!begin_end (self, status))
    {
      g_debug ("While ending: %s", error->message);
      return;
    }
  tell_error (self->events, error);
  self->end (self->user_data);
}

void
vt_tool_run_finish (VtToolRun *self)
{
  if (self->status == VT_TOOL_DONE)
    vt_tool_events_send (self->events, vt_tool_event_begin ("closed"));
  self->finished = TRUE;
}

/* `vtunnel-tool server --json | head -n 1` is a fine way to use it, and no failure. */
void
vt_tool_run_break (VtToolRun *self, int error_number)
{
  g_autoptr(GError) error = NULL;

  /* A signal, while nobody read: what it asks for happens next. */
  if (error_number == EINTR)
    return;
  if (error_number == EPIPE)
    {
      vt_tool_run_end (self, VT_TOOL_DONE);
      return;
    }
  error = new_output_error (error_number);
  vt_tool_run_fail (self, VT_TOOL_FAILED, error);
}

VtToolStatus
vt_tool_status_of (const GError *error)
{
  if (error->domain == G_OPTION_ERROR)
    return VT_TOOL_USAGE;
  if (error->domain == VT_TOOL_ERROR)
    return (VtToolStatus) error->code;
  if (g_error_matches (error, VT_ERROR, VT_ERROR_NOT_AUTHORISED))
    return VT_TOOL_NOT_AUTHORISED;
  return VT_TOOL_FAILED;
}

VtToolStatus
vt_tool_fail (gboolean json, const GError *error)
{
  g_autoptr(VtToolEvents) events = vt_tool_events_new (json, NULL, NULL);

  tell_error (events, error);
  return vt_tool_status_of (error);
}

static void
put_failed_cb (int error_number, void *user_data)
{
  int *failure = user_data;

  *failure = error_number;
}

VtToolStatus
vt_tool_put (const char *text)
{
  int failure = 0;
  g_autoptr(VtToolOutput) output = vt_tool_output_new (put_failed_cb, &failure);
  g_autoptr(GError) error = NULL;

  vt_tool_output_write (output, text);
  if (failure == 0 || failure == EPIPE)
    return VT_TOOL_DONE;
  error = new_output_error (failure);
  return vt_tool_fail (FALSE, error);
}
