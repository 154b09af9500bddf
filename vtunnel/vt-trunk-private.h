/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vt-link-private.h"
#include "vt-mux-private.h"

/* A session between two sides: a mux, and the link that carries it. In v2 a replay stands between
 * them, and the session outlives its link: it waits for another one. The owner gives the handlers
 * that look upwards and need not know the ones that look down. */
typedef struct _VtTrunk VtTrunk;

/* The WebSocket subprotocol that stands for v2. */
#define VT_TRUNK_V2 "vtunnel.v2"

/* The longest message that is taken, in bytes, unless told otherwise: what an existing program of
 * protocol v1 may send in one, and what this side announces in v2. */
#define VT_TRUNK_MAX_MESSAGE(protocol)                                                             \
  ((protocol) == 1 ? VT_MUX_MAX_MESSAGE : VT_CONTROL_OUR_MESSAGE)

typedef struct {
  VtMuxConfig     mux;
  VtControlLimits peer;           /* v2: what the other side has announced */
  gint64          resume_timeout; /* microseconds: v2, how long it waits for another link; 0: not
                                   * at all */
} VtTrunkConfig;

typedef struct {
  /* As in VtMuxHandlers. Those of the other role may be NULL. */
  void (*listen_ok) (guint32 id, const char *address, guint16 port, const char *url,
                     gboolean confirmed, void *user_data);
  void (*listen_failed) (guint32 id, const GError *error, unsigned int retry_after,
                         void *user_data);
  void (*unlisten_done) (guint32 id, void *user_data);
  void (*stream_opened) (VtMuxStream *stream, guint32 listen_id, void *user_data);
  void (*listen_requested) (guint32 id, const VtMuxListen *listen, void *user_data);
  void (*unlistened) (guint32 id, void *user_data);
  void (*crowded) (gboolean crowded, void *user_data);
  void (*rtt_measured) (gint64 rtt, void *user_data);
  void (*going_away) (const char *reason, unsigned int timeout, void *user_data);
  /* v2: the link is lost, and the session waits for another one. */
  void (*suspended) (const GError *error, void *user_data);
  /* The last event: the session is over, for whatever reason. `error` is NULL after a closing
   * handshake with 1000, whoever began it. Streams were told before. `code` is the other side's
   * close code, 0 if there was none. */
  void (*closed) (unsigned int code, const GError *error, void *user_data);
} VtTrunkHandlers;

/* Takes the link; in v2 both sides have greeted over it. */
VtTrunk *vt_trunk_new (VtLink                *link,
                       const VtTrunkConfig   *config,
                       const VtTrunkHandlers *handlers,
                       void                  *user_data);
/* Ends at once; no handler is called any more. May be called from within any handler. */
void vt_trunk_free (VtTrunk *self);

/* Ends the streams, then a closing handshake; `closed` comes when it is over. */
void vt_trunk_close (VtTrunk *self, unsigned int code, const char *reason);
/* Ends the streams and the session with this error, and tells `closed` before it returns. Not from
 * within a handler of this trunk. */
void vt_trunk_abandon (VtTrunk *self, const GError *error);

/* v2. The other side has come back: lets go of the present link, if there is one, with
 * VT_CLOSE_REPLACED and without `suspended`. How many counted messages came is settled then,
 * until vt_trunk_resume (). */
guint64 vt_trunk_prepare_resume (VtTrunk *self);
guint64 vt_trunk_get_received (VtTrunk *self);
/* Takes the link, over which both sides have greeted; `greeting` is the other one's. The session
 * goes on; with a position that cannot be, or with other limits than before, it fails. */
void vt_trunk_resume (VtTrunk *self, VtLink *link, const VtControl *greeting);
gboolean vt_trunk_is_suspended (VtTrunk *self);
/* Microseconds until it is given up; 0 if it is not suspended. */
gint64 vt_trunk_get_remaining (VtTrunk *self);

/* Asks for a sign of life at once; without one within so many microseconds the link counts as
 * dead. A link whose address this machine has no longer counts as dead at once. From a dispatch of
 * its own. */
void vt_trunk_probe (VtTrunk *self, gint64 patience);

/* What it holds now, in bytes of memory. */
typedef struct {
  size_t queued;         /* waits for the WebSocket */
  size_t unacknowledged; /* v2: kept until the other side has it */
  size_t buffered;       /* came, and was not taken */
} VtTrunkLoad;

void vt_trunk_get_load (VtTrunk *self, VtTrunkLoad *load);
/* Owned by the trunk; NULL once it is closing. */
VtMux *vt_trunk_get_mux (VtTrunk *self);
unsigned int vt_trunk_get_protocol (VtTrunk *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtTrunk, vt_trunk_free)
