/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <libsoup/soup.h>

#include "vt-gate-private.h"

/* One WebSocket: a SoupWebsocketConnection over a gate. Knows messages and the depth of the send
 * queue, and how to close; knows nothing of what the messages mean. */
typedef struct _VtLink VtLink;

typedef struct {
  void (*message) (gboolean text, GBytes *message, void *user_data);
  /* Any byte came. */
  void (*alive) (void *user_data);
  /* The send queue fell below VT_LINK_LOW after having been at it or above. */
  void (*writable) (void *user_data);
  /* The last event. `code` is the peer's close code, or 0 if it sent none; `error` is NULL when
   * the connection was closed cleanly by a closing handshake. */
  void (*closed) (unsigned int code, const char *reason, const GError *error, void *user_data);
} VtLinkHandlers;

/* Frames' bytes in the send queue. */
#define VT_LINK_LOW (128 * 1024)

/* `handlers` may be NULL: then vt_link_set_handlers () is to follow in the same dispatch. `gate` is
 * NULL for a connection that the application made: then the queue counts as empty,
 * reading cannot be paused, and no limit but libsoup's own holds. Sets TCP_NODELAY and
 * TCP_NOTSENT_LOWAT where there is a socket, and begins the gate's WebSocket: to be called in the
 * dispatch that made the connection. Events come from the thread-default context, never from
 * within a call of this header. */
VtLink *vt_link_new (SoupWebsocketConnection *connection,
                     VtGate                  *gate,
                     size_t                   max_message,
                     const VtLinkHandlers    *handlers,
                     void                    *user_data);
/* Ends at once what has not ended yet; no event comes any more. */
void vt_link_free (VtLink *self);

/* Hands the link on to another owner: what happens from here on is told there. May be called from
 * within a handler. */
void vt_link_set_handlers (VtLink *self, const VtLinkHandlers *handlers, void *user_data);

/* This side's address, a new reference; NULL where there is none. */
GSocketAddress *vt_link_dup_local_address (VtLink *self);

/* Nothing happens unless the connection is open. */
void vt_link_send (VtLink *self, GBytes *message, gboolean text);
/* What waits to be sent takes about this many bytes of memory. */
size_t vt_link_get_queued (VtLink *self);
void vt_link_set_reading (VtLink *self, gboolean reading);
/* WebSocket pings; 0 turns them off. */
void vt_link_set_ping_interval (VtLink *self, unsigned int seconds);

/* A closing handshake. No message comes after this call; whatever the peer does, `closed` comes
 * within VT_LINK_CLOSE_DEADLINE. */
#define VT_LINK_CLOSE_DEADLINE (5 * G_TIME_SPAN_SECOND)
void vt_link_close (VtLink *self, unsigned int code, const char *reason);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtLink, vt_link_free)
