/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <vtunnel/vtunnel.h>

/* Says when the access file has changed, and reads it again at SIGHUP. */
typedef struct _VtToolAccess VtToolAccess;

/* NULL for a server without an access file, for which SIGHUP is as ever. */
VtToolAccess *vt_tool_access_new (VtAccess *access);
void          vt_tool_access_free (VtToolAccess *self);
