/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <libsoup/soup.h>

/* The small website of `vtunnel-tool demo`: a page that says how it came to its reader. It listens
 * on a free port of 127.0.0.1, until soup_server_disconnect (). */
SoupServer *vt_tool_demo_page_new (GError **error);
guint16     vt_tool_demo_page_get_port (SoupServer *page);
