/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "mux-pair.h"
#include "vt-mux-v2-private.h"

/* A pair of muxes of protocol v2 and who uses them, and what must be so at any moment, and at the
 * end. test-mux-v2-random.c lets things happen in it. */

#define N_STREAMS 12
#define N_LISTENS 6

typedef enum {
  CLIENT,
  SERVER,
} Role;

/* What a user has done to the stream of a number while it was there. */
typedef struct {
  User *user; /* not owned: the side's; NULL if there is none */
  gboolean shut;
  gboolean let_go; /* wants to hear no more */
  GError *reset;   /* owned: why it let go, told to the other side; NULL if it was over before */
} Fate;

typedef struct {
  Side *sides[2]; /* owned */
  Fate fates[2][N_STREAMS + 1];
  VtMuxConfig config;
  gboolean in_bulk;        /* much is sent at a time, in little time, and with much memory */
  guint64 sent_at_cut[2];  /* bytes that its streams had sent when it left the link */
  gboolean stalled[2];     /* nothing comes through to this side */
  gboolean dropped;        /* the muxes were taken away in the middle */
  gboolean finishing;
  unsigned int n_listens;
  gboolean took_back[N_LISTENS + 1];
} World;

/* What all schedules have done. */
typedef struct {
  unsigned int cuts, resets, refused, grown, full, halves, behind;
} WorldTally;

extern WorldTally world_tally;

/* The side has left its link just now. */
void world_note_left (World *self, Role role);
void world_check (World *self);
void world_check_end (World *self);
