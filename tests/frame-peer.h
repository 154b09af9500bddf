/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vt-codec-control-private.h"
#include "ws-pair.h"

/* A peer of protocol v2 that writes and reads WebSocket frames by hand. */
typedef struct {
  gboolean is_server; /* its frames are not masked, and those that come are */
  int fd;             /* owned */
  GByteArray *got;    /* owned: what it received and did not look at yet */
} Peer;

#define PEER_TEXT 0x81
#define PEER_BINARY 0x82
#define PEER_CLOSE 0x88

#define PEER_LIMITS "\"window\":16384,\"max_frame\":65536,\"max_message\":262144"
#define PEER_HELLO "{\"type\":\"hello\"," PEER_LIMITS "}"
#define PEER_WELCOME                                                                               \
  "{\"type\":\"welcome\",\"session\":\"s\",\"secret\":\"t\",\"resume_timeout\":0," PEER_LIMITS "}"

/* Gives the stream of the side that is tested. */
GIOStream *peer_init (Peer *self, gboolean is_server);
void       peer_clear (Peer *self);

void peer_say (Peer *self, uint8_t first, const void *payload, size_t size);
void peer_say_text (Peer *self, const char *text);
void peer_say_ack (Peer *self, guint64 received);
void peer_say_goodbye (Peer *self, unsigned int code, const char *reason);
/* Takes the next frame, without its mask. `payload` has a NUL behind it. */
uint8_t  peer_read_frame (Peer *self, GByteArray *payload);
gboolean peer_is_silent (Peer *self);
/* The next message, which is control. */
void peer_read_control (Peer *self, VtControl *control);
void peer_expect_control (Peer *self, VtControlType type);
/* Up to the goodbye; gives its reason. */
char *peer_read_goodbye (Peer *self, unsigned int code);
