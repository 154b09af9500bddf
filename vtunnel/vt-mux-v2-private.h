/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vt-codec-binary-private.h"
#include "vt-codec-control-private.h"
#include "vt-mux-internal-private.h"

/* What the files of protocol v2 share. */

typedef struct {
  VtMux          *mux;  /* not owned */
  VtControlLimits ours; /* what this side takes */
  VtControlLimits peer; /* what the other side takes */

  /* Frames that leave together, in one message: vt-mux-v2-batch.c. */
  uint8_t *batch; /* owned, NULL until it is needed */
  size_t   batch_size;
  size_t   batch_used;
  guint64  batch_number;
  VtTimer *flush_timer; /* owned */

  /* Bytes that the other side may still send, over all streams: vt-mux-v2-window.c. */
  size_t promised;
  size_t owed;     /* bytes that the windows allow and that no limit says yet */
  gint64 min_trip; /* from a credit to what it allowed, -1 while unknown */
  guint64 pace;    /* what busy streams drained of late in a microsecond, times PACE_WEIGHT */

  GHashTable  *listens; /* owned, id to the role's listen (owned) */
  unsigned int n_unanswered; /* server, as the next: */
  guint32      last_listen;  /* the highest id that the client has used, 0: none */
} VtMuxV2;

static inline VtMuxV2 *
vt_mux_v2_get (VtMux *mux)
{
  return mux->protocol_state;
}

/* vt-mux-v2-batch.c: each puts a frame behind the others of this dispatch. */
void     vt_mux_v2_batch_init (VtMuxV2 *self);
void     vt_mux_v2_batch_clear (VtMuxV2 *self);
/* What the other side takes in a message. */
void     vt_mux_v2_batch_set_max (VtMuxV2 *self, size_t max_message);
/* Now, not at the end of the dispatch. */
void     vt_mux_v2_batch_flush (VtMuxV2 *self);
void     vt_mux_v2_put_open (VtMuxV2               *self,
                             guint32                stream,
                             guint32                listen_id,
                             const VtBinaryAddress *user,
                             const VtBinaryAddress *local);
void     vt_mux_v2_put_bare (VtMuxV2 *self, VtBinaryType type, guint32 stream);
void     vt_mux_v2_put_reset (VtMuxV2 *self, guint32 stream, const GError *error);
/* In the place of the one that this stream has in the batch already, if it has. */
void     vt_mux_v2_put_credit (VtMuxV2 *self, VtMuxStream *stream, guint64 limit);
/* A place for at most `wanted` bytes of a stream. */
uint8_t *vt_mux_v2_begin_data (VtMuxV2 *self, size_t wanted, size_t *space);
void     vt_mux_v2_end_data (VtMuxV2 *self, guint32 stream, size_t length);
/* A control message, behind what was put before. */
void     vt_mux_v2_send_control (VtMuxV2 *self, const VtControl *control);

/* vt-mux-v2-window.c: the windows of what this side receives. */
void     vt_mux_v2_window_open (VtMuxStream *stream);
/* FALSE if that is more than was granted. */
gboolean vt_mux_v2_window_take (VtMuxStream *stream, size_t length);
void     vt_mux_v2_window_consumed (VtMuxStream *stream);
/* There is a link again: says what could not be said meanwhile. */
void     vt_mux_v2_window_resume (VtMuxStream *stream);
/* Nothing more will come. */
void     vt_mux_v2_window_close (VtMuxStream *stream);
/* TRUE if there is room for a further stream. */
gboolean vt_mux_v2_window_has_room (VtMux *mux);

/* vt-mux-v2-client.c */
void     vt_mux_v2_client_init (VtMuxV2 *self);
void     vt_mux_v2_client_suspend (VtMuxV2 *self);
void     vt_mux_v2_client_resume (VtMuxV2 *self);
void     vt_mux_v2_client_listen (VtMux *mux, guint32 id, const VtMuxListen *listen);
gboolean vt_mux_v2_client_unlisten (VtMux *mux, guint32 id);
void     vt_mux_v2_client_receive (VtMuxV2 *self, const VtControl *control);
void     vt_mux_v2_client_open (VtMuxV2 *self, const VtBinaryFrame *frame);

/* vt-mux-v2-server.c */
void     vt_mux_v2_server_init (VtMuxV2 *self);
void     vt_mux_v2_server_accept (VtMux *mux, guint32 id, const char *address, guint16 port);
void     vt_mux_v2_server_accept_names (VtMux *mux, guint32 id, const char *url);
void     vt_mux_v2_server_refuse (VtMux        *mux,
                                  guint32       id,
                                  const GError *error,
                                  unsigned int  retry_after);
gboolean vt_mux_v2_server_open_stream (VtMux          *mux,
                                       guint32         id,
                                       guint32         listen_id,
                                       GSocketAddress *user,
                                       GSocketAddress *local,
                                       GError        **error);
void     vt_mux_v2_server_receive (VtMuxV2 *self, const VtControl *control);

/* vt-mux-v2.c: the other side broke the rules. `problem` is not translated: it travels. */
void vt_mux_v2_fail (VtMuxV2 *self, const char *problem);
