/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <libsoup/soup.h>

#include "vt-front-private.h"

/* Looks at the head of a request only, and does no I/O. */

#define VT_UPGRADE_TOO_MANY_REQUESTS 429

/* On a port of our own, which also answers /health and knows paths. */
VtUpgradeVerdict vt_upgrade_check_own (SoupServerMessage *message, const VtFrontPolicy *policy);
/* On the application's server, where the path has been compared already. */
VtUpgradeVerdict vt_upgrade_check_attached (SoupServerMessage   *message,
                                            const VtFrontPolicy *policy);

/* That it is a GET or HEAD, and written in one way: then SOUP_STATUS_OK, without a text. */
VtUpgradeVerdict vt_upgrade_check_simple (SoupServerMessage *message);
/* For a page. `is_local`: only who is on this machine may see it. SOUP_STATUS_OK: it may be shown,
 * as far as the head tells. */
VtUpgradeVerdict vt_upgrade_check_page (SoupServerMessage *message, gboolean is_local);
/* For what is no page where there are only pages: /health, or that there is nothing. */
VtUpgradeVerdict vt_upgrade_check_rest (SoupServerMessage *message);

/* TRUE if a WebSocket is asked for, rightly or not. */
gboolean vt_upgrade_is_requested (SoupServerMessage *message);
/* TRUE if a proxy says that it has forwarded the request. */
gboolean vt_upgrade_is_forwarded (SoupServerMessage *message);
/* The values of all headers of a name, with commas between; NULL if there is none. */
const char *vt_upgrade_get_header_list (SoupServerMessage *message, const char *name);
/* TRUE if more than a head was announced. */
gboolean vt_upgrade_has_body (SoupServerMessage *message);

/* Fills in the answer, which closes the connection. */
void vt_upgrade_answer (SoupServerMessage *message, const VtUpgradeVerdict *verdict);
/* The same answer as bytes, for a connection that was taken from libsoup. */
char *vt_upgrade_format_answer (const VtUpgradeVerdict *verdict);
