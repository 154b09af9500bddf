/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vt-tool-options.h"
#include "vt-tool-run.h"

/* SIGHUP, for a command that has something to read again. What is read is first made into another
 * object, a draft, that nobody uses; only one that has no fault is taken over. */
typedef struct _VtToolReload VtToolReload;

typedef struct {
  /* Reads all of it again. FALSE with an error if nothing has changed by that. */
  gboolean (*read) (void *user_data, GError **error);
} VtToolReloadHandlers;

/* Not while `run` is ending. */
VtToolReload *vt_tool_reload_new (VtToolRun                  *run,
                                  const VtToolReloadHandlers *handlers,
                                  void                       *user_data);
/* NULL is fine. */
void vt_tool_reload_free (VtToolReload *self);

/* What can be read and written of `draft`, as far as it is another one than of `object`. */
void vt_tool_reload_copy_properties (GObject *draft, GObject *object);

/* Says which of these options have another value than when the command began, and will only then
 * have it when it begins again. `names` ends with NULL. */
void vt_tool_reload_tell_fixed (const VtToolCommon *common,
                                GHashTable         *begun_with,
                                const char *const  *names);

/* With --check-config: tells each fault, or that there is none. The result is the exit status. */
VtToolStatus vt_tool_reload_tell_check (const VtToolCommon *common);
