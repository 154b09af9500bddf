/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vts-settings.h"

/* A tunnel's settings as a key file. */
char *vts_keys_format (const VtsSettings *settings);

/* `contents` may be anything, with a NUL behind it. NULL with an error. */
VtsSettings *vts_keys_parse (const char *contents, size_t length, GError **error);
