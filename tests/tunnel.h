/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vt-mux-stream-private.h"

/* A client's mux and a server's, joined in memory, with one port open from the one to the other.
 * Messages travel in dispatches of the thread-default main context. */
typedef struct _Tunnel Tunnel;

typedef struct {
  Tunnel  *tunnel; /* not owned */
  VtMux   *mux;    /* owned */
  GQueue   sent;   /* of messages, owned: on their way to the other side */
  size_t   queued; /* bytes in it */
  gboolean reading;
} TunnelSide;

struct _Tunnel {
  TunnelSide client;
  TunnelSide server;
  VtClock   *clock;     /* owned */
  GSource   *carrier;   /* owned */
  guint32    listen_id; /* the server's */
  GSocketAddress *user;  /* owned, nullable: where users come from, which only v2 tells */
  GSocketAddress *local; /* owned, nullable: the address that they came to */
  gboolean   held;      /* nothing travels */
  void (*stream_opened) (VtMuxStream *stream, void *user_data); /* at the client */
  void *user_data;
};

/* `clock` NULL: the main context's. `protocol` is 1 or 2; in v2 both sides have greeted. */
Tunnel *tunnel_new (VtClock *clock, unsigned int protocol);
void    tunnel_free (Tunnel *self);
/* Both muxes go. */
void tunnel_break (Tunnel *self, const GError *error);

/* Opens a stream at the server; the mux's reference. */
VtMuxStream *tunnel_open_stream (Tunnel *self);
