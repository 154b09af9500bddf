/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vt-relay-private.h"

#include "talker.h"
#include "tunnel.h"

/* Users, a tunnel, and targets: real sockets at both ends, and memory between. */
typedef struct {
  Tunnel    *tunnel;
  VtForward *forward;       /* owned, with its target */
  VtDialQuota quota;
  int        user_listener; /* where users connect */
  guint16    user_port;
  int        target_listener; /* where the target listens; -1: it does not */
  guint16    target_port;
  char      *target_path;   /* of a Unix target */
  GPtrArray *users;         /* of Talker, owned */
  GPtrArray *targets;       /* of Talker, owned */
  GPtrArray *user_streams;  /* of VtStream, owned: at the server's side */
  GPtrArray *user_relays;   /* of VtRelay, owned: at the server's side */
  GPtrArray *target_relays; /* of VtRelay, owned: at the client's side */
  GPtrArray *user_ends;     /* of GError, owned, nullable: how those relays ended */
  GPtrArray *target_ends;
  gboolean   target_echoes;
  size_t     target_read_size;
  unsigned int n_descriptors;
} RelayFixture;

/* `data`: the text of the forward's target, NULL for a TCP port of the fixture's own. */
void relay_fixture_set_up (RelayFixture *self, gconstpointer data);
/* The same, with v2 between them. */
void relay_fixture_set_up_v2 (RelayFixture *self, gconstpointer data);
/* Waits until all is gone. */
void relay_fixture_tear_down (RelayFixture *self, gconstpointer data);

/* A user has connected, and has a relay. */
Talker *relay_fixture_connect (RelayFixture *self);
/* Waits for the target's end of the `n`th connection, counted from 0. */
Talker *relay_fixture_target (RelayFixture *self, unsigned int n);
/* To be called while waiting: what connects is accepted. */
void relay_fixture_accept (RelayFixture *self);
/* Replaces the forward's target. */
void relay_fixture_aim (RelayFixture *self, const char *target);

#define RUN_RELAYS_UNTIL(fixture, condition)                                                       \
  RUN_UNTIL ((relay_fixture_accept (fixture), (condition)))
