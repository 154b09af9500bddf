/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <glib.h>

/* Names of hosts, and patterns of them: "a.example.org", and "*.example.org" for all names below
 * it, of one label more or of several. Pure. */

/* A host name as it is compared: small letters, digits and hyphens, in labels of 1 to 63, 253
 * characters at most, without a dot at the end. What is written in other letters becomes ASCII
 * (IDNA). NULL if `text` is no such name, or is the address of a machine. Newly allocated. */
char *vt_host_name_normalize (const char *text);
/* The same of a pattern. */
char *vt_host_pattern_normalize (const char *text);
/* The same of several. NULL, with VT_ERROR_INVALID_ARGUMENT, if one is none. */
char **vt_host_patterns_normalize (const char *const *texts, GError **error);

/* Whether all names that `claim` stands for are among those of `pattern`. Both are normalized. */
gboolean vt_host_pattern_covers (const char *pattern, const char *claim);

/* Of a normalized pattern, the name that all others end with, and whether it is for those below
 * it. */
gboolean vt_host_pattern_is_wildcard (const char *pattern);

/* The host of what stands in a Host field or after "//" of a URL: without the port and the dot at
 * the end, in small letters. NULL if it is malformed. What it gives need not be a name that anybody
 * can have. Newly allocated. */
char *vt_host_name_from_authority (const char *text, size_t length);
