/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vt-clock-private.h"
#include "vt-replay-private.h"
#include "vt-trunk-private.h"

/* What the files of the trunk share: its life and its links (vt-trunk.c), what passes through
 * it upwards (vt-trunk-events.c), and whether anybody is there (vt-trunk-probe.c).
 *
 * Whatever ends a trunk can come from deep within the mux: from an event of one of its streams, on
 * which an application closes its client or lets it go. A mux must not be freed there, so both
 * closing and freeing are done in a later dispatch. What others see happens at once: the socket
 * is closed, and no handler is called any more. */
struct _VtTrunk {
  VtTrunkHandlers handlers;
  void           *user_data;
  VtLink         *link;      /* owned, NULL while suspended and once it is over */
  GPtrArray      *old_links; /* owned, of owned OldLink: replaced ones that still say goodbye */
  VtMux          *mux;       /* owned, NULL once the streams were told that it is over */
  VtReplay       *replay;    /* owned, NULL in v1 */
  VtTimer        *later;     /* owned, closes or destroys in a dispatch of its own */
  VtTimer        *patience;  /* owned: runs while suspended */
  VtTimer        *lost;      /* owned, tells in a dispatch of its own: the link's address is gone */
  gint64          suspended_until;
  GError         *error;        /* owned, why this side gave up, NULL if it did not */
  char           *close_reason; /* owned */
  unsigned int    close_code;
  VtTrunkConfig   config;
  gboolean        heard;   /* the other side has said anything but its greeting */
  gboolean        probing; /* v1: WebSocket pings go out more often for a while */
  gboolean        closing; /* vt_trunk_close () was called, or the mux failed */
  gboolean        closed;  /* the owner was told, or is not to be told any more */
  gboolean        freed;
};

/* vt-trunk-events.c: those of the mux that only pass through. */
void vt_trunk_fill_mux_handlers (VtMuxHandlers *handlers);
