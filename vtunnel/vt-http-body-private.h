/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <stdint.h>

#include <glib.h>

#include "vt-http-lines-private.h"

/* How the body that follows a head is delimited (RFC 9112, 6.3). */
typedef struct {
  gboolean chunked;
  guint64  length; /* if it is not chunked; 0 for no body */
  gboolean strict; /* nothing that is read in two ways around chunks: blanks after a size, and lines
                    * of trailers that end with a lone LF */
} VtHttpBody;

/* Finds the end of a body, across any chunking of the input. Pure; it has no memory but itself, and
 * needs no clean-up. */
typedef struct {
  unsigned int state; /* of vt-http-body.c alone, as is all of it */
  guint64      remaining;
  gboolean     strict;
  gboolean     has_digit;
  VtHttpLines  trailers;
} VtHttpBodyWalk;

typedef enum {
  VT_HTTP_BODY_MORE,
  VT_HTTP_BODY_END,    /* what follows is no part of it */
  VT_HTTP_BODY_BROKEN, /* the last byte that was taken cannot stand there */
} VtHttpBodyStep;

/* A body of no length has ended before it begins: the caller sees to that. */
void vt_http_body_walk_begin (VtHttpBodyWalk *self, const VtHttpBody *body);

/* Walks over bytes, at least one of which there must be, up to the end of the body. */
VtHttpBodyStep vt_http_body_walk_push (VtHttpBodyWalk *self,
                                       const uint8_t  *data,
                                       size_t          length,
                                       size_t         *taken);
