/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <glib.h>

/* The token for the server: from `file`, or else from $VTUNNEL_TOKEN, or else from what a service
 * manager has put down as the credential "vtunnel-token". NULL where there is none of them. The
 * caller wipes it. What is no token is a G_OPTION_ERROR. */
gboolean vt_tool_client_token_read (const char *file, char **token, GError **error);

/* What was there before is not to be found in memory afterwards, as far as that is ours to say. */
void vt_tool_client_token_wipe (char *token);
