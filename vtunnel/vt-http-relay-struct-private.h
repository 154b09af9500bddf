/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vt-http-relay-private.h"
#include "vt-http-response-private.h"
#include "vt-local-end-private.h"

/* Shared by vt-http-relay.c (its life, the stream, the end of an exchange),
 * vt-http-relay-request.c (from the user to the stream) and vt-http-relay-response.c (back). */

/* What one dispatch moves at most in one direction: then it is somebody else's turn. */
#define VT_HTTP_RELAY_DISPATCH (64 * 1024)

typedef enum {
  VT_HTTP_REQUEST_HEAD, /* waits for one */
  VT_HTTP_REQUEST_BODY, /* passes a head that was good, and its body */
  VT_HTTP_REQUEST_SENT, /* all of it: waits for the end of the answer */
} VtHttpRequestState;

/* Reference-counted, because anything may end in a handler of its owner's; `finished` then is set,
 * and nothing more is done. */
struct _VtHttpRelay {
  const VtHttpRelayHandlers *handlers; /* static */
  void *user_data;                     /* the caller's */
  VtLocalEnd *local;                   /* owned; NULL at the end */
  VtTimer *timer;                      /* owned: for a head, or for what the user does not take */
  unsigned int finished : 1;

  /* One at a time. */
  VtStream *stream;               /* owned; NULL while there is none */
  VtMuxStream *mux;               /* owned; NULL as `stream` is */
  unsigned int stream_over : 1;   /* it ended in order; the rest is to be read */
  unsigned int stream_reused : 1; /* it has had an exchange before this one */
  unsigned int stream_last : 1;   /* its forward is gone: no exchange after this one */

  /* From the user. */
  VtHttpRequestState request_state;
  GByteArray *input;            /* owned: what was read and has not passed; NULL if there is none */
  size_t n_seen;                /* of it, without the end of a head */
  size_t n_cleared;             /* of it, what may pass */
  VtHttpBodyWalk body;
  unsigned int body_done : 1;   /* all that is cleared is the rest of the request */
  unsigned int persistent : 1;  /* the user wants to go on after this exchange */
  unsigned int is_head : 1;     /* the request's method */
  unsigned int user_ended : 1;  /* it will send no more */
  unsigned int stream_shut : 1; /* that was told to the stream */
  unsigned int waiting : 1;     /* for a turn in the tunnel */
  unsigned int head_timed : 1;  /* the timer runs for a head */

  /* To the user. */
  VtHttpResponse response;
  size_t n_passing;           /* of what comes next from the stream */
  GByteArray *output;         /* owned, nullable: to be written before that */
  unsigned int blocked : 1;   /* the user is full, or the dispatch's share is used up */
  unsigned int ending : 1;    /* the output is the last: a page */
  unsigned int user_shut : 1; /* the user was told that no more comes */
};

/* After each of these `finished` may be set, and `self` may be gone without a reference. */

/* The end, in order or with a reset. */
void vt_http_relay_finish (VtHttpRelay *self, gboolean in_order);
/* The stream is not needed any more. `error` is nullable: why it is to be broken off. */
void vt_http_relay_drop_stream (VtHttpRelay *self, const GError *error);
/* The request gets an answer of our own, and then the connection ends. Where the user has seen some
 * of another, it is broken off. */
void vt_http_relay_answer (VtHttpRelay *self, unsigned int status);
/* Finds the stream for a request that was read, and begins an exchange. */
void vt_http_relay_route (VtHttpRelay *self, const char *host, gboolean is_head, gboolean upgrade);
/* Begins to wait for a head: from now on, if there is no stream, or once it has begun. */
void vt_http_relay_await_head (VtHttpRelay *self);

/* Passes what there is to pass. `may_read`: there may be something in the user's socket. */
void vt_http_relay_pump_request (VtHttpRelay *self, gboolean may_read);
gboolean vt_http_relay_may_read (VtHttpRelay *self);
void vt_http_relay_pump_response (VtHttpRelay *self);
/* TRUE if all that has come from the stream was written. */
gboolean vt_http_relay_is_written (VtHttpRelay *self);
