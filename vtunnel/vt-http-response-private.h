/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vt-http-body-private.h"

/* Walks over the answer to a request of HTTP/1.x, whose bytes pass by unchanged, to know where it
 * ends. Pure. */
typedef struct {
  /* For the caller to read. */
  gboolean begun;      /* the head of the final answer is there */
  gboolean done;       /* it is complete: what follows is no part of it */
  gboolean until_end;  /* it ends with the stream */
  gboolean switched;   /* from here on another protocol is spoken, until the stream ends */
  gboolean persistent; /* the target wants to go on with the connection */
  GByteArray *held;    /* owned, nullable: a head of which not all is there, or that is to pass */

  /* Its own. */
  VtHttpBodyWalk body;
  gboolean       to_head;    /* the request was a HEAD */
  gboolean       may_switch; /* the request asked for another protocol */
  size_t         seen;       /* of what is held */
} VtHttpResponse;

typedef enum {
  VT_HTTP_RESPONSE_PASS,  /* what was taken may pass */
  VT_HTTP_RESPONSE_HOLD,  /* it was put to what is held, of which nothing may pass yet */
  VT_HTTP_RESPONSE_HELD,  /* the same, and all that is held may pass: it is the caller's */
  VT_HTTP_RESPONSE_BROKEN /* it is no answer that everybody understands in the same way */
} VtHttpResponseStep;

/* Anew: the answer to a request that was sent. */
void vt_http_response_begin (VtHttpResponse *self, gboolean to_head, gboolean may_switch);
void vt_http_response_clear (VtHttpResponse *self);

/* `length` is at least 1, and so is `taken` unless it is broken. Not to be called once it is
 * done. */
VtHttpResponseStep vt_http_response_walk (VtHttpResponse *self,
                                          const uint8_t  *data,
                                          size_t          length,
                                          size_t         *taken);
