/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "cut-wire.h"
#include "trunk-end.h"
#include "vt-greeter-private.h"
#include "vt-greeting-private.h"

/* The two trunks of one session of v2, and the links between them, each over a wire that can be
 * cut. What the faces do is done here in a few lines: the client greets with what it has, the
 * server lets the session go on. Streams have users, who write what can be foretold, and read. */
typedef struct _TrunkPair TrunkPair;

typedef struct {
  TrunkPair *pair;     /* not owned */
  VtMuxStream *stream; /* owned */
  unsigned int seed;
  guint64 to_write;
  guint64 written;
  guint64 received;
  GError *error;  /* owned */
  gboolean ended; /* it was told `closed` */
} Talker;

struct _TrunkPair {
  End client, server;
  CutWire *wire;             /* owned: the newest */
  GPtrArray *wires;          /* owned, of owned CutWire: older ones */
  VtCredentials credentials; /* of the session */
  guint64 attempt;           /* of the client */
  VtGreeter *calling;        /* owned, the client's, NULL if there is none */
  VtGreeter *called;         /* owned, the server's */
  GPtrArray *near;           /* owned, of owned Talker: the client's, by their streams' numbers */
  GPtrArray *far;            /* owned, the server's */
  unsigned int n_resumed;    /* times that the client's trunk took a link */
  unsigned int n_repeated;   /* times that the server had to let an older link go */
};

/* `resume_timeout` in microseconds, `max_buffer` 0: the default. */
void trunk_pair_init (TrunkPair *self, gint64 resume_timeout, size_t max_buffer);
void trunk_pair_clear (TrunkPair *self);

/* The client asks for a port, and has it. */
void trunk_pair_listen (TrunkPair *self);
/* Opens a stream, and gives the server's user of it. The client takes it by itself. */
Talker *trunk_pair_open (TrunkPair *self);
/* Until both sides have noticed that the wire is cut, or is. */
void trunk_pair_cut (TrunkPair *self);
/* A new wire, on which the client greets. */
void     trunk_pair_call (TrunkPair *self);
gboolean trunk_pair_is_calling (TrunkPair *self);
/* trunk_pair_call (), and until both have taken their links. */
void trunk_pair_resume (TrunkPair *self);

void talker_write (Talker *self, guint64 length);
/* All that the one has written, the other has read. */
gboolean talkers_agree (TrunkPair *self);

size_t   end_get_kept (End *self);
gboolean end_is_suspended (End *self);
