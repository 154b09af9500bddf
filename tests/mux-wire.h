/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vt-codec-binary-private.h"
#include "vt-codec-control-private.h"

/* What travels between two muxes of protocol v2, as text: frames as "OPEN 1 on 2", "OPENED 1",
 * "DATA 1 100" (bytes), "EOF 1", "RESET 1 limit Too many", "CREDIT 1 16384", with "; " between
 * those of one message. */
void    wire_describe (GString *to, gboolean text, GBytes *message);
/* The message that reads so. Data is what a user would begin with whose seed is the stream's
 * number. */
GBytes *wire_compose (const char *frames);

/* The byte at a place of what a user with this seed writes. */
uint8_t pattern_at (unsigned int seed, size_t offset);

/* What one side of the wire has said and heard, and whether it was allowed to: it knows nothing of
 * the mux. */
typedef struct {
  gboolean        is_server;
  VtControlLimits ours; /* what this side takes */
  VtControlLimits peer; /* what the other side takes */
  GHashTable     *streams; /* owned, id to WireStream */
  guint32         last_opened;
  size_t          n_frames[VT_BINARY_ACK + 1]; /* that were sent, by their type */
} WireBook;

typedef struct {
  guint64 sent;
  guint64 limit;   /* what was heard last */
  guint64 granted; /* what was said last */
  guint64 came;
  gboolean said_opened, said_eof, said_reset;
} WireStream;

void wire_book_init (WireBook *self, gboolean is_server);
void wire_book_clear (WireBook *self);
/* Aborts the test if the message breaks the rules of protocol v2. */
void wire_book_note_sent (WireBook *self, gboolean text, GBytes *message);
void wire_book_note_came (WireBook *self, gboolean text, GBytes *message);
/* NULL if there was no such stream. */
const WireStream *wire_book_get (WireBook *self, guint32 stream);
