/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vt-error-private.h"
#include "vt-mux-stream-private.h"
#include "vt-trunk-private.h"
#include "ws-pair.h"

/* One end: a trunk, and what it told. */
typedef struct _End End;

struct _End {
  VtTrunk *trunk;      /* owned, NULL once it was freed */
  unsigned int n_gates; /* of its links, that are still there */
  GString *heard;      /* owned, a letter for each thing that was told, in order: see trunk-end.c */
  GError *error;       /* owned, of the end */
  unsigned int code;   /* of the end */
  GError *lost;        /* owned, why the last link was lost */
  VtMuxStream *stream; /* owned, the last one that was opened */
  char free_in;        /* the letter of the event in which the trunk is freed */
  char close_in;       /* the same, in which it is closed */
  unsigned int port;
  guint32 listen_id; /* of the stream */
  /* Nullable: takes the streams in the place of this one. */
  void (*take) (End *self, VtMuxStream *stream, void *user_data);
  void *user_data;
};

/* Sets the defaults, and what such a side takes as what the other one does. */
void end_config_init (VtTrunkConfig *config, VtMuxRole role, unsigned int protocol);
void end_begin (End *self, GIOStream *stream, const VtTrunkConfig *config);
/* One with the defaults. */
void end_begin_role (End *self, GIOStream *stream, VtMuxRole role, unsigned int protocol);
/* Waits until all of its links are gone. */
void end_clear (End *self);

/* A WebSocket over the stream, to be given away in this dispatch. Its gate is counted. */
SoupWebsocketConnection *end_new_connection (End *self, GIOStream *stream, VtMuxRole role,
                                             VtGate **gate);
/* What the other side greets with when it comes back, having so many messages. */
void end_greeting_init (VtControl *greeting, guint64 received);
/* A link over it, without handlers. */
VtLink *end_new_link (End *self, GIOStream *stream, VtMuxRole role);

void end_take_stream (End *self, VtMuxStream *stream);
gboolean end_has_heard (End *self, char letter);
