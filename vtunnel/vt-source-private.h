/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <gio/gio.h>

/* The priority of every source that traffic can keep ready for ever: just below that at which GTK
 * draws (G_PRIORITY_HIGH_IDLE + 20), so that an application that embeds a busy tunnel keeps
 * drawing, and its timers and input come first. */
#define VT_SOURCE_PRIORITY (G_PRIORITY_HIGH_IDLE + 25)

/* NULL if there is no descriptor for it: GLib would abort. */
GMainContext *vt_source_new_context (void);

/* Calls `func` from the thread-default context once `cancellable` is cancelled. NULL if that is
 * NULL. */
GSource *vt_source_watch_cancellable (GCancellable          *cancellable,
                                      GCancellableSourceFunc func,
                                      void                  *user_data);

/* Ends a source, and drops the caller's reference to it: for g_clear_pointer () and the like. */
void vt_source_destroy (void *source);
