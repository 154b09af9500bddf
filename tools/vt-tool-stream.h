/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vt-tool-events.h"

/* Whether anybody reads what follows, which is known from the beginning: most of what a connection
 * costs a tunnel would be to tell of it. */
gboolean vt_tool_stream_is_told (VtToolEvents *events);
/* Tells of one connection through the tunnel, in an event and a line of the verbose log. `session`
 * is NULL on the client's side. */
void vt_tool_stream_tell_opened (VtStream *stream, VtSession *session, VtToolEvents *events);
/* `error` is NULL if it ended in order. */
void vt_tool_stream_tell_closed (VtStream     *stream,
                                 VtSession    *session,
                                 const GError *error,
                                 VtToolEvents *events);
