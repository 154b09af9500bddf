/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vt-codec-json-private.h"
#include "vt-mux-internal-private.h"

/* What the files of protocol v1 share. */

typedef struct {
  VtMux   *mux;     /* not owned */
  uint8_t *scratch; /* owned, VT_JSON_MAX_DATA bytes that a stream writes into */
  gint64   complained_at;

  GHashTable *listens; /* owned, id to the role's listen (owned) */
  GHashTable *by_port; /* owned, port to the same (not owned) */

  /* Client. */
  GQueue      any_port;  /* of listens (not owned) for port 0 that are still to be asked */
  void       *asking;    /* the listen for port 0 in flight; owned once it is forgotten */
  GHashTable *forgotten; /* owned, port to the number of answers that concern nobody any more */
  gboolean    answers;   /* this server answers a listen */
  GQueue      refusals;  /* owned, refused here and to be told */
  VtTimer    *refusals_timer; /* owned */

  /* Server. */
  guint32      last_listen_id;
  unsigned int n_unanswered;
} VtMuxV1;

void vt_mux_v1_send (VtMux *mux, VtJsonType type, guint16 port, guint32 stream_id);

/* Errors are free text in v1. Both ways of the one table of phrases that stand for codes. */
char *vt_mux_v1_error_to_text (const GError *error);
int   vt_mux_v1_error_code (const char *text);

/* vt-mux-v1-client.c */
void vt_mux_v1_client_init (VtMuxV1 *self);
void vt_mux_v1_client_clear (VtMuxV1 *self);
void vt_mux_v1_client_listen (VtMux *mux, guint32 id, const VtMuxListen *listen);
gboolean vt_mux_v1_client_unlisten (VtMux *mux, guint32 id);
void vt_mux_v1_client_receive (VtMuxV1 *self, const VtJsonMessage *message);

/* vt-mux-v1-server.c */
void     vt_mux_v1_server_init (VtMuxV1 *self);
void     vt_mux_v1_server_accept (VtMux *mux, guint32 id, const char *address, guint16 port);
void     vt_mux_v1_server_refuse (VtMux        *mux,
                                  guint32       id,
                                  const GError *error,
                                  unsigned int  retry_after);
gboolean vt_mux_v1_server_open_stream (VtMux          *mux,
                                       guint32         id,
                                       guint32         listen_id,
                                       GSocketAddress *user,
                                       GSocketAddress *local,
                                       GError        **error);
void     vt_mux_v1_server_receive (VtMuxV1 *self, const VtJsonMessage *message);
