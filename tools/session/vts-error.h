/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vtunnel-session/vtunnel-session-error.h"

/* An error of the session service that says the same as one of the library's, or of the system's.
 * The result is new. */
GError *vts_error_from (const GError *error);

/* A new error: the argument named is wrong, as `reason`, which is translated, says. */
GError *vts_error_invalid (const char *reason);
