/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <vtunnel/vtunnel.h>

/* Says when the access file has changed. */
typedef struct _VtToolAccess VtToolAccess;

/* NULL for a server without an access file; so below. */
VtToolAccess *vt_tool_access_new (VtAccess *access);
/* Reads it again, and says what came of it. */
void          vt_tool_access_reload (VtToolAccess *self);
void          vt_tool_access_free (VtToolAccess *self);
