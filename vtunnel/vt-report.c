/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-report-private.h"

static void
forward_clear (void *data)
{
  VtReportForward *self = data;

  g_free (self->name);
  g_free (self->url);
}

static void
session_clear (void *data)
{
  VtReportSession *self = data;

  g_free (self->id);
  g_free (self->user);
  g_free (self->address);
  g_array_unref (self->forwards);
}

VtReport *
vt_report_new (void)
{
  VtReport *self = g_new0 (VtReport, 1);

  self->sessions = g_array_new (FALSE, TRUE, sizeof (VtReportSession));
  g_array_set_clear_func (self->sessions, session_clear);
  return self;
}

void
vt_report_free (VtReport *self)
{
  g_array_unref (self->sessions);
  g_clear_pointer (&self->counters, vt_counters_unref);
  g_free (self);
}

VtReportSession *
vt_report_add_session (VtReport *self)
{
  VtReportSession *session;

  g_array_set_size (self->sessions, self->sessions->len + 1);
  session = &g_array_index (self->sessions, VtReportSession, self->sessions->len - 1);
  session->forwards = g_array_new (FALSE, TRUE, sizeof (VtReportForward));
  g_array_set_clear_func (session->forwards, forward_clear);
  session->rtt = -1;
  session->rate_sent = VT_REPORT_NO_RATE;
  session->rate_received = VT_REPORT_NO_RATE;
  return session;
}

VtReportForward *
vt_report_session_add_forward (VtReportSession *self)
{
  g_array_set_size (self->forwards, self->forwards->len + 1);
  return &g_array_index (self->forwards, VtReportForward, self->forwards->len - 1);
}
