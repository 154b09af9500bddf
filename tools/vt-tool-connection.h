/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vt-tool-run.h"

/* Tells, in lines and events, when a client's connection is there, lost, tried again and back. A
 * failure that repeats itself is told once. */
typedef struct _VtToolConnection VtToolConnection;

/* `url` is the server's address, without what may be a secret. */
VtToolConnection *vt_tool_connection_new (VtClient *client, VtToolRun *run, const char *url);
void              vt_tool_connection_free (VtToolConnection *self);
