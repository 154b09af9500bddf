/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <vtunnel/vtunnel.h>

/* --server, --forward and a token, as all commands have them that make a tunnel. What is wrong is a
 * G_OPTION_ERROR. */

/* No token is longer, and no other file is read into memory by mistake. */
#define MAX_TOKEN (8 * 1024)

/* NULL is one that is missing. */
gboolean vt_tool_options_check_server (const char *server, GError **error);

/* `forwards` is new, of VtForward that it holds; untouched if it fails. NULL is one that is
 * missing. */
gboolean vt_tool_options_parse_forwards (char **texts, GPtrArray **forwards, GError **error);

/* A token travels in a header: visible ASCII, one line. */
gboolean vt_tool_options_is_token (const char *text);
