/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vt-http-body-private.h"

/* The head of a request of HTTP/1.x, of which is to be known whom it is for, and where it ends. */
typedef struct {
  unsigned int status;     /* 0: it is well-formed; else what it is to be answered with */
  char        *host;       /* owned, in small letters; NULL if `status` is not 0 */
  VtHttpBody   body;
  gboolean     has_body;
  gboolean     is_head;    /* the answer will have no body, whatever it says */
  gboolean     upgrade;    /* another protocol is asked for */
  gboolean     persistent; /* the user wants to go on with the connection */
} VtHttpRequest;

/* `head` ends with its empty line. What others could understand otherwise is refused. Pure. */
void vt_http_request_parse (VtHttpRequest *self, const uint8_t *head, size_t length);
void vt_http_request_clear (VtHttpRequest *self);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (VtHttpRequest, vt_http_request_clear)
