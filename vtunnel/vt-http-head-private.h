/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <stdint.h>

#include <glib.h>

#include "vt-http-body-private.h"

/* Any character of a token (RFC 9110, 5.6.2): methods and names of fields. */
gboolean vt_http_is_token_char (uint8_t byte);

/* Takes the head of an HTTP/1.x request, from a request line that was found right to the empty
 * line, and appends it to `output` with the value of each Host field replaced. FALSE, and nothing
 * appended, if its fields, or what they say about the body, are invalid. Pure. */
gboolean vt_http_head_rewrite (const uint8_t *head,
                               size_t         length,
                               const char    *host,
                               GByteArray    *output,
                               VtHttpBody    *body);
