/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <stdint.h>

#include <glib.h>

#include "vt-head-changes-private.h"
#include "vt-http-body-private.h"

/* Any character of a token (RFC 9110, 5.6.2): methods and names of fields. */
gboolean vt_http_is_token_char (uint8_t byte);

/* Takes the head of an HTTP/1.x request, from a request line that was found right to the empty
 * line, and appends it to `output` as it is to become, which `record` knows and then tells of.
 * FALSE, and nothing appended, if its fields, or what they say of the body, are invalid. Pure. */
gboolean vt_http_head_rewrite (const uint8_t *head,
                               size_t         length,
                               VtHeadRecord  *record,
                               GByteArray    *output,
                               VtHttpBody    *body);
