/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vt-stream-private.h"

/* Joins a user's connection that speaks HTTP/1.x and a row of streams, one at a time: each request
 * goes to the stream of the forward whose name it is for. Bodies pass by as in a VtRelay: what is
 * kept are heads, and at most one read of requests that came too early. */
typedef struct _VtHttpRelay VtHttpRelay;

typedef struct {
  /* Whose this host name is: a forward that is compared, and given to `open`; NULL if nobody's. */
  VtForward *(*find) (const char *host, void *user_data);
  /* A new stream of it, a reference of which is the relay's to drive and to finish: NULL with
   * VT_ERROR. Anything may end in it. */
  VtStream *(*open) (VtHttpRelay *relay, VtForward *forward, GError **error, void *user_data);
  /* Whether it has a stream, or waits for a request: as it changes. It does not begin with one. */
  void (*routed) (VtHttpRelay *relay, gboolean routed, void *user_data);
  /* The last event: the owner frees it, in it or later. */
  void (*finished) (VtHttpRelay *relay, void *user_data);
} VtHttpRelayHandlers;

/* `fd` is the user's connection, and is taken; `begun` is what it has sent already. NULL with
 * `error` if it cannot be watched. Nothing happens before it is started. */
VtHttpRelay *vt_http_relay_new (int                        fd,
                                const GByteArray          *begun,
                                const VtHttpRelayHandlers *handlers,
                                void                      *user_data,
                                GError                   **error);
/* A head has to be there within `deadline` from now; each later one within 10 s from its first
 * byte, or where there is no stream any more, from the moment at which it went. */
void vt_http_relay_start (VtHttpRelay *self, gint64 deadline);
/* Resets what is not over; `finished` does not come. May be called from within any handler. */
void vt_http_relay_free (VtHttpRelay *self);

/* The forward is gone: a stream of it is let go of, once it waits for a next request. */
void vt_http_relay_forget (VtHttpRelay *self, VtForward *forward);

/* Of a head: microseconds, bytes. */
#define VT_HTTP_RELAY_HEAD_DEADLINE (10 * G_TIME_SPAN_SECOND)
#define VT_HTTP_RELAY_MAX_HEAD (16 * 1024)
