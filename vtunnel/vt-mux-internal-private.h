/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vt-byte-queue-private.h"
#include "vt-mux-address-private.h"
#include "vt-mux-stream-private.h"
#include "vt-rate-private.h"

/* What the files of the mux share, and nobody else includes. */

/* How long an answer to a listen, or to its end, may take, in microseconds. */
#define VT_MUX_ANSWER_TIMEOUT (30 * G_TIME_SPAN_SECOND)

/* Listens that stand unanswered at a time. How many ports a client gets is the owner's matter; this
 * only bounds what is kept here. */
#define VT_MUX_UNANSWERED_MAX 1024

/* Looks at the streams that are not answered, in the time that they have for it. One more may pass
 * until it shows that it is over. */
#define VT_MUX_OPENING_LOOKS 3

/* What a protocol has to know how to do. Streams, turns, memory, keepalive and lifetime are the
 * same for all of them, in vt-mux*.c. */
typedef struct {
  gboolean half_close;
  gboolean windows; /* each stream has its own: the reading of the link never stops */

  void *(*create) (VtMux *mux);
  void (*destroy) (void *state);
  void (*set_peer_limits) (VtMux *mux, const VtControlLimits *limits); /* NULL: there are none */

  /* TRUE if it was a counted message. */
  gboolean (*receive) (VtMux *mux, gboolean text, GBytes *message);
  void (*ping) (VtMux *mux);
  /* Requests do not time out between these. NULL: it cannot be suspended. */
  void (*suspend) (VtMux *mux);
  void (*resume) (VtMux *mux);
  void (*goaway) (VtMux *mux, const char *reason, unsigned int timeout); /* NULL: cannot be said */

  void (*listen) (VtMux *mux, guint32 id, const VtMuxListen *listen);
  gboolean (*unlisten) (VtMux *mux, guint32 id);
  void (*listen_accept) (VtMux *mux, guint32 id, const char *address, guint16 port);
  void (*listen_accept_names) (VtMux *mux, guint32 id, const char *url); /* NULL: there are none */
  void (*listen_refuse) (VtMux *mux, guint32 id, const GError *error, unsigned int retry_after);

  /* Tells the client of a stream that is not in the table yet; FALSE if there is no such listen. */
  gboolean (*open_stream) (VtMux *mux, guint32 id, guint32 listen_id, GSocketAddress *user,
                           GSocketAddress *local, GError **error);
  gboolean (*has_room) (VtMux *mux); /* for the windows of one more; NULL: always */
  /* What each stream goes through. Any of them may be NULL. */
  void (*added) (VtMuxStream *stream);
  void (*removed) (VtMuxStream *stream); /* it is over, and leaves the table */
  void (*consumed) (VtMuxStream *stream);
  void (*accept) (VtMuxStream *stream);
  gboolean (*may_write) (VtMuxStream *stream); /* else vt_mux_stream_allow_writing () follows */
  uint8_t *(*begin_write) (VtMuxStream *stream, size_t *space);
  void (*end_write) (VtMuxStream *stream, size_t length);
  void (*shutdown) (VtMuxStream *stream);
  /* Only tells the other side. */
  void (*reset) (VtMuxStream *stream, const GError *error);
} VtMuxProtocol;

extern const VtMuxProtocol vt_mux_v1;
extern const VtMuxProtocol vt_mux_v2;

struct _VtMux {
  VtMuxConfig   config;
  VtMuxHandlers handlers;
  void         *user_data; /* the owner's */
  VtClock      *clock;     /* owned */

  const VtMuxProtocol *protocol;       /* static */
  void                *protocol_state; /* owned */

  GHashTable *streams; /* owned, id to VtMuxStream (a reference): those that are not over */
  GQueue      members; /* of VtMuxStream, not owned: all that anybody holds, over or not */
  guint32     last_stream_id;
  unsigned int n_opening; /* of the streams, those that a client has not answered */
  gboolean    crowded;    /* what was told last */
  guint32     opening_looks[VT_MUX_OPENING_LOOKS]; /* the last stream at each, the latest first */
  VtTimer    *opening_timer; /* owned, NULL until it is needed */
  gboolean    said_goaway;
  gboolean    going_away; /* one of the sides has said so: no new streams */
  gboolean    suspended;  /* there is no link */

  GQueue       waiting; /* of VtMuxStream, not owned: refused a turn, the next one first */
  VtMuxStream *turn;    /* not owned: whose turn it is */
  gboolean     serving;
  VtTimer     *turns_timer; /* owned */

  size_t batched; /* bytes that were written and leave at the end of the dispatch */

  size_t   buffered; /* what members hold, at its cost */
  size_t   orphaned; /* what those hold that nobody will wait for any more; not in `buffered` */
  gboolean paused;
  VtTimer *stall_timer; /* owned */

  gint64   last_seen;
  gint64   dead_due;    /* when dead_timer should fire */
  gint64   forgiven;    /* the last_seen of which it was once said: this side has overslept */
  VtTimer *dead_timer;  /* owned */
  VtTimer *ping_timer;  /* owned */
  VtTimer *probe_timer; /* owned: runs while vt_mux_probe () waits */
  gint64   probed_at;
  gint64   probe_patience;
  gint64   probe_due;      /* as dead_due and forgiven */
  gint64   probe_forgiven;
  guint64  n_pings;
  guint64  n_pongs;
  guint64  timed_ping; /* the number of the ping whose answer is timed, 0 for none */
  gint64   timed_ping_sent;
  gint64   rtt;
  gint64   min_rtt; /* -1 while unknown */

  VtRate control_rate;
  VtRate ping_rate;
  VtRate reset_rate;

  GError  *failure;       /* owned; nothing is handed out any more */
  VtTimer *failure_timer; /* owned */
};

typedef enum {
  VT_MUX_STREAM_OPENED = 1 << 0,
  VT_MUX_STREAM_READABLE = 1 << 1,
  VT_MUX_STREAM_CLOSED = 1 << 2,
} VtMuxStreamNews;

struct _VtMuxStream {
  unsigned int    ref_count;
  VtMux          *mux;   /* not owned; NULL once it is gone */
  VtClock        *clock; /* owned */
  guint32         id;
  guint32         listen_id;
  VtBinaryAddress user;
  VtBinaryAddress local;
  GList           member;
  GList           waiting;
  gboolean        is_waiting;

  VtMuxStreamHandlers handlers;
  void             *user_data;  /* the user's */
  gboolean          has_handlers;
  unsigned int      news; /* VtMuxStreamNews that a later dispatch tells */
  VtTimer          *news_timer; /* owned, NULL until it is needed */

  VtByteQueue received;
  size_t      accounted; /* of the cost of `received`, what the mux counts */
  gboolean    orphaned;
  gint64      consumed_at; /* the last time during a pause */

  guint64 bytes_sent;
  guint64 bytes_received;
  GError *error; /* owned: why it is over, NULL if in order */

  /* Where each stream has windows. */
  guint64 send_limit;     /* bytes_sent stays below or at it */
  guint64 granted;        /* the same, for the other side */
  guint32 window;         /* how far ahead of what was consumed the limit moves */
  guint64 owed;           /* how far the limit is behind that */
  guint32 credit_at;      /* where in the batch of this number there is a CREDIT of its */
  guint64 credit_batch;
  gint64  epoch_at;       /* since when, and since how much, consuming is measured */
  guint64 epoch_consumed;
  gssize  epoch_unsent;   /* what had been consumed by then and not left, -1 if that is unknown */
  guint64 probe;          /* what comes beyond this answers a credit, 0 while none is timed */
  gint64  probe_at;

  unsigned int accepted : 1;    /* by the client; the server may write at once */
  unsigned int answered : 1;    /* server: the client has accepted, or v1, which cannot tell */
  unsigned int wants_turn : 1;  /* asked to write when it was not allowed to */
  unsigned int read_ended : 1;  /* the other side has ended */
  unsigned int write_ended : 1; /* this side has */
  unsigned int over : 1;        /* in both directions */
  unsigned int reset : 1;       /* by its user: no events any more */
};

/* The other side has sent one. FALSE if it sends more than it may: the session fails. */
gboolean vt_mux_note_control (VtMux *self);
gboolean vt_mux_note_ping (VtMux *self);
gboolean vt_mux_note_reset (VtMux *self);

/* vt-mux.c: for the protocols. */
void vt_mux_send (VtMux *self, GBytes *message, gboolean text, gboolean counted); /* takes it */
/* Takes the error. Nothing is handed out any more; `failed` comes from a later dispatch. */
void         vt_mux_fail (VtMux *self, GError *error);
VtMuxStream *vt_mux_find_stream (VtMux *self, guint32 id);
gboolean     vt_mux_is_full (VtMux *self);
/* Bytes that are kept for the other side, which has not acknowledged them. */
size_t       vt_mux_get_kept (VtMux *self);
/* The mux's reference. */
VtMuxStream *vt_mux_add_stream (VtMux *self, guint32 id, guint32 listen_id);
/* It is over. Drops the mux's reference. */
void         vt_mux_remove_stream (VtMux *self, guint32 id);

/* vt-mux-opening.c */
void vt_mux_note_opening (VtMux *self);
void vt_mux_note_opened (VtMux *self);
/* The time for an answer stands still while there is no link, and then begins anew. */
void vt_mux_opening_stop (VtMux *self);
void vt_mux_opening_resume (VtMux *self);

/* vt-mux-turns.c */
gboolean vt_mux_take_turn (VtMux *self, VtMuxStream *stream);
void     vt_mux_wait_for_turn (VtMux *self, VtMuxStream *stream);
void     vt_mux_leave_turns (VtMux *self, VtMuxStream *stream);
void     vt_mux_serve_turns (VtMux *self);
void     vt_mux_serve_soon (VtMux *self); /* at the end of the dispatch, if anybody waits */

/* vt-mux-memory.c */
void vt_mux_account (VtMux *self, VtMuxStream *stream);
void vt_mux_pause_if_full (VtMux *self);
void vt_mux_stall_cb (void *user_data);

/* vt-mux-keepalive.c */
void vt_mux_keepalive_start (VtMux *self);
void vt_mux_keepalive_pause (VtMux *self);
void vt_mux_keepalive_resume (VtMux *self);
void vt_mux_keepalive_stop (VtMux *self);
void vt_mux_note_pong (VtMux *self);
/* The answer to a ping that carried the time at which it was sent. */
void vt_mux_note_timed_pong (VtMux *self, gint64 sent);
/* There is another link, over which nothing is known of the other side yet. */
void vt_mux_keepalive_restart (VtMux *self);
/* The other side is there: pings at once, and knows the round-trip time one round trip later. */
void vt_mux_keepalive_greet (VtMux *self);

/* vt-mux-stream.c: for the mux and the protocols. */
VtMuxStream *vt_mux_stream_new (VtMux *mux, guint32 id, guint32 listen_id);
void         vt_mux_stream_push (VtMuxStream *self, GBytes *bytes);
/* Bytes of a message, which are not there any more when this returns. */
void         vt_mux_stream_lend (VtMuxStream *self, const uint8_t *data, size_t length);
/* The other side will send no more. */
void         vt_mux_stream_end_reading (VtMuxStream *self);
/* Server: the client has accepted. */
/* A server's that its client has not answered. */
gboolean     vt_mux_stream_is_opening (VtMuxStream *self);
void         vt_mux_stream_note_answered (VtMuxStream *self);
/* It may write now; if it had asked, it waits for its turn. */
void         vt_mux_stream_allow_writing (VtMuxStream *self);
/* It is over; the mux forgets it, and its user hears of it from a later dispatch. With an error
 * what it received is dropped. */
void vt_mux_stream_end (VtMuxStream *self, const GError *error);
/* The same, for what the other side has said: its user hears of it now. Later dispatches have their
 * share of the time and no more, so a peer that opens and ends streams faster than those come to
 * tell of it would fill the memory with streams that nobody counts any more. */
void vt_mux_stream_end_for_peer (VtMuxStream *self, const GError *error);
void vt_mux_stream_emit_writable (VtMuxStream *self);
/* Bytes that were consumed and have not left for its reader, -1 if that is not known. */
gssize vt_mux_stream_get_unsent (VtMuxStream *self);
/* The mux goes: tells its user now. */
void vt_mux_stream_abandon (VtMuxStream *self, const GError *error);
