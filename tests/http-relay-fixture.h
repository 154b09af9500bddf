/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vt-http-relay-private.h"

#include "talker.h"
#include "tunnel.h"

/* What one side says and the other answers, to the name of one of two forwards. A target whose
 * answer ends with "end" ends its stream behind it. */
typedef struct {
  unsigned int forward;
  const char  *request;
  const char  *answer;
} Exchange;

/* A user's real connection, a tunnel in memory, and targets that know what they are to be asked:
 * a.example and b.example are the two forwards. */
typedef struct {
  Tunnel         *tunnel;
  VtForward      *forwards[2]; /* owned */
  GPtrArray      *peers;       /* owned, of Peer: the streams at the client's side */
  VtHttpRelay    *relay;       /* owned, NULL once it has finished */
  Talker         *user;        /* owned */
  const Exchange *exchanges;
  unsigned int    n_exchanges;
  unsigned int    n_answered;
  unsigned int    n_routed;
  unsigned int    n_unrouted;
  unsigned int    n_finished_streams;
  gboolean        cuts;    /* what peers send comes in small pieces */
  GError         *refusal; /* owned, nullable: what no stream is opened for */
  unsigned int    n_descriptors;
  VtPoller       *poller; /* owned */
} Fixture;

typedef struct {
  Fixture     *fixture; /* not owned */
  VtMuxStream *mux;     /* owned */
  GString     *received; /* owned */
  GString     *to_send;  /* owned */
  size_t       sent;     /* of it */
  gboolean     end_when_sent;
  gboolean     over;
} Peer;

void fixture_set_up (Fixture *self, gconstpointer data);
/* Waits until all is gone. */
void fixture_tear_down (Fixture *self, gconstpointer data);

void fixture_use (Fixture *self, const Exchange *exchanges, unsigned int n_exchanges);
/* A user has connected, and this was read from it. */
void fixture_begin (Fixture *self, const char *begun);

Peer *fixture_peer (Fixture *self, unsigned int n);
/* Sends what it may. */
void peer_write (Peer *self);
/* Answers if what it has heard is what it is to be asked next. */
void peer_answer (Peer *self);
