/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vt-tool-events.h"
#include "vt-tool-service.h"
#include "vt-tool.h"

/* The life of a sub-command: its main loop, its signals, its events, and its exit status. It ends
 * by a signal, by a failure, or when nobody reads its events; whichever comes first decides the
 * status and begins the end, which may take its time to be orderly. A second signal ends at
 * once. */
typedef struct _VtToolRun VtToolRun;

/* Called once: begin to close. vt_tool_run_finish () when everything is closed. */
typedef void (*VtToolEndFunc) (void *user_data);

VtToolRun    *vt_tool_run_new (gboolean json, VtToolEndFunc end, void *user_data);
void          vt_tool_run_free (VtToolRun *self);
VtToolEvents *vt_tool_run_get_events (VtToolRun *self);
/* It is told by itself that the run is ending. */
VtToolService *vt_tool_run_get_service (VtToolRun *self);
gboolean      vt_tool_run_is_ending (VtToolRun *self);
/* Whether a signal has asked for the end, which may take its time then. */
gboolean vt_tool_run_was_asked (VtToolRun *self);

/* Runs until vt_tool_run_finish (). */
VtToolStatus vt_tool_run_main (VtToolRun *self);
void         vt_tool_run_end (VtToolRun *self, VtToolStatus status);
/* Says why (a log line and an event), and ends. Nothing, if it is ending anyway. */
void vt_tool_run_fail (VtToolRun *self, VtToolStatus status, const GError *error);
void vt_tool_run_finish (VtToolRun *self);
/* Nobody can read any more what is written: ends, and well if that is because the reader left. Does
 * nothing for EINTR. */
void vt_tool_run_break (VtToolRun *self, int error_number);

/* What an error means for the exit status. */
VtToolStatus vt_tool_status_of (const GError *error);
/* The text, on standard output; a reader that does not want all of it is no failure. The result is
 * the status of a command that has nothing else to do. */
VtToolStatus vt_tool_put (const char *text);
/* The error's line and, with `json`, its event, for what fails before there is a run. */
VtToolStatus vt_tool_fail (gboolean json, const GError *error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtToolRun, vt_tool_run_free)
