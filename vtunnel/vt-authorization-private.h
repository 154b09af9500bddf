/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <glib.h>

/* The value of an Authorization header: "Bearer TOKEN", or "Basic" with a name and the token as the
 * password. FALSE for anything else. `name` is NULL of Bearer; the caller wipes the token. Pure. */
gboolean vt_authorization_parse (const char *value, char **name, char **token);
