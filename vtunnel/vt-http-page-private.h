/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <stdint.h>

#include <glib.h>

/* An answer of our own to a request that nobody else answers: head and a few lines of HTML, after
 * which the connection ends. `status` is one of those that vt-http-page.c knows. A user's browser
 * shows it: it says nothing of who is behind the name, and nothing that came from the request. */
GByteArray *vt_http_page_new (unsigned int status, gboolean without_body);
