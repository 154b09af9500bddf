/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <gio/gio.h>

#include "vt-tool.h"

/* An error that says what the command's exit status is: its codes are those of VtToolStatus. */
#define VT_TOOL_ERROR vt_tool_error_quark ()
GQuark vt_tool_error_quark (void);

/* What a call to the session service failed with, as its user shall read it, and with the exit
 * status that belongs to it (docs/tool.md); new. It goes by the error's name on the bus. `name` is
 * the tunnel that the call was about, NULL for none. */
GError *vt_tool_session_error_new (const GError *error, const char *name);

/* Whether it is an error of the service's own, of this name. */
gboolean vt_tool_session_error_is (const GError *error, const char *last);

GError *vt_tool_session_error_new_no_such_tunnel (const char *name);

/* The same for a tunnel's LastError. */
GError *vt_tool_session_error_new_for_name (const char *error_name, const char *message);
