/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <stdint.h>

#include <glib.h>

/* How the body that follows the head of a request is delimited (RFC 9112, 6.3). */
typedef struct {
  gboolean chunked;
  guint64  length; /* if it is not chunked; 0 for no body */
} VtHttpBody;

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
