/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vt-codec-control-private.h"
#include "vt-link-private.h"

/* v2: a new link, on which the other side has not greeted yet. What comes of it, a new session or
 * one that goes on, is its owner's to decide. */
typedef struct _VtGreeter VtGreeter;

typedef struct {
  /* The other side's greeting. The callee takes the link, or closes it. */
  void (*greeted) (VtGreeter *greeter, const VtControl *greeting, void *user_data);
  /* It did not greet within 10 s, or wrongly, or the link is over. The other side was told why,
   * where it can be. `code` is its own close code, 0 if there was none. */
  void (*failed) (VtGreeter *greeter, unsigned int code, const GError *error, void *user_data);
} VtGreeterHandlers;

/* What is taken of the other side until then; the link keeps its part. */
typedef struct {
  size_t       max_message; /* bytes */
  unsigned int max_json_depth;
} VtGreeterLimits;

/* Takes both references; see vt_link_new () for `gate`, which may be NULL. A client gives the hello
 * that is to be sent; with NULL it is a server's. `limits` NULL: those of v2 that are not told
 * otherwise. One of the handlers is called, once. */
VtGreeter *vt_greeter_new (SoupWebsocketConnection *connection,
                           VtGate                  *gate,
                           GBytes                  *hello,
                           const VtGreeterLimits   *limits,
                           const VtGreeterHandlers *handlers,
                           void                    *user_data);
/* Ends a link at once that nobody took. May be called from within a handler. */
void vt_greeter_free (VtGreeter *self);

/* Once, from within `greeted`: its handlers are to be set before that returns. */
VtLink *vt_greeter_take_link (VtGreeter *self);
/* Says why the client is not wanted, and lets the link go in order; no handler is called any more.
 * The greeter frees itself when that is done. */
void vt_greeter_refuse (VtGreeter *self, unsigned int code, const char *reason);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtGreeter, vt_greeter_free)
