/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <gio/gio.h>

/* A client that writes its bytes by hand, in the process and the main context of what it talks to.
 * Whoever waits drives the context; a wait that takes too long fails the test. */
typedef struct {
  int         fd;
  GByteArray *input; /* owned: what came and was not taken, with a NUL behind it */
  GSource    *source; /* owned */
  size_t      piece; /* how much it reads at a time: little makes it slow */
  gboolean    ended; /* by the other side, in whichever way */
  gboolean    reset; /* not in order */
} RawPeer;

/* What a frame of the WebSocket is. */
enum { RAW_TEXT = 1, RAW_BINARY = 2, RAW_CLOSE = 8, RAW_PING = 9, RAW_PONG = 10 };

typedef gboolean (*RawCondition) (void *user_data);

void raw_wait (RawCondition condition, void *user_data);
/* Until nothing is left to be done. */
void raw_settle (void);
/* Open descriptors of this process. */
unsigned int raw_count_descriptors (void);

RawPeer *raw_peer_new (guint16 port);
void     raw_peer_free (RawPeer *self);
void     raw_peer_send (RawPeer *self, const void *data, size_t length);
void     raw_peer_send_text (RawPeer *self, const char *text);
/* Ends sending. */
void        raw_peer_shutdown (RawPeer *self);
const char *raw_peer_wait_end (RawPeer *self);
const char *raw_peer_wait_input (RawPeer *self, size_t length);

/* Asks for a WebSocket, with more header lines (each with its end), and gives the head of the
 * answer. */
char *raw_peer_ask_for_upgrade (RawPeer *self, const char *path, const char *lines);

/* The WebSocket client. The handshake must succeed. */
RawPeer *raw_peer_new_websocket (guint16 port, const char *path);
void     raw_peer_upgrade (RawPeer *self, const char *path);
void     raw_peer_send_message (RawPeer *self, const char *text);
void     raw_peer_send_frame (RawPeer *self, int kind, const void *payload, size_t length);
/* The kind of the next frame, and its payload; 0 at the end. */
int raw_peer_read_frame (RawPeer *self, GString *payload);
/* The next message; NULL when a close frame or the end comes first. Pings are skipped. */
char *raw_peer_read_message (RawPeer *self);
/* The same, of v2: without acknowledgements and pings that measure. */
char *raw_peer_read_text (RawPeer *self);
/* The next frames of v2 that are no acknowledgement. */
GBytes *raw_peer_read_binary (RawPeer *self);
/* Reads up to the close frame, and gives its code. */
unsigned int raw_peer_read_close (RawPeer *self);
void raw_peer_expect_message (RawPeer *self, const char *text);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (RawPeer, raw_peer_free)
