/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "raw-peer.h"

/* A client of v2 that writes its frames by hand, and can lose its connection and come back. What it
 * waits for, it takes: whatever comes before that is let go. */
typedef struct {
  RawPeer    *raw;     /* owned, NULL while there is no connection */
  char       *session; /* owned, of the last welcome */
  char       *secret;  /* owned, likewise */
  gboolean    resumed; /* likewise */
  guint64     known;   /* likewise: how many counted messages the server has */
  unsigned int resume_timeout; /* likewise */
  guint64     received; /* counted messages that came in the session */
  guint64     sent;     /* counted messages that were sent in it */
  GByteArray *frames;   /* owned: of the last binary message, those that were not looked at */
  char       *lines;    /* owned: more header lines of its requests, each with its end */
} V2Peer;

enum { V2_OPEN = 1, V2_OPENED, V2_DATA, V2_EOF, V2_RESET, V2_CREDIT, V2_ACK };

/* A connection that has not greeted. */
V2Peer *v2_peer_arrive (guint16 port, const char *path);
/* The same, with more header lines. */
V2Peer *v2_peer_arrive_with (guint16 port, const char *path, const char *lines);
/* One with a new session. */
V2Peer *v2_peer_enter (guint16 port);
void    v2_peer_greet (V2Peer *self);
/* The connection is gone without a word. */
void v2_peer_break (V2Peer *self);
/* A new connection, beside one that there may be, and the answer to a hello with what the peer
 * knows of its session; `attempt` 0 does not say which it is. */
void v2_peer_return (V2Peer *self, guint16 port, guint64 attempt);
/* The same, without an answer. */
RawPeer *v2_peer_ask_to_return (V2Peer *self, guint16 port, const char *path, guint64 attempt);
void     v2_peer_read_welcome (V2Peer *self);
/* Both directions; takes no answer. */
void v2_peer_close (V2Peer *self, unsigned int code);
void v2_peer_free (V2Peer *self);

/* Counted messages. */
void v2_peer_send_text (V2Peer *self, const char *text);
void v2_peer_send (V2Peer *self, int type, guint32 stream, const char *payload);

/* The next text message that begins so. */
char *v2_peer_wait_text (V2Peer *self, const char *start);
/* The payload of the next frame of this type. */
char *v2_peer_wait (V2Peer *self, int type, guint32 stream);
/* Asks for a port, 0 for any, and gives what was opened. */
guint16 v2_peer_listen (V2Peer *self, unsigned int id, guint16 port);
/* Asks for what `wish` says, in keys and values, and takes it back: the answer, without its id. */
char   *v2_peer_try_listen (V2Peer *self, const char *wish);
/* The code of the close frame that follows. */
unsigned int v2_peer_wait_close (V2Peer *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (V2Peer, v2_peer_free)
