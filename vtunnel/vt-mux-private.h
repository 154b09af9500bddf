/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <gio/gio.h>

#include "vt-clock-private.h"

/* One session: its streams and its control requests, keepalive, fairness, memory. It is handed
 * messages and hands messages out; it knows no WebSocket and no socket. */
typedef struct _VtMux       VtMux;
typedef struct _VtMuxStream VtMuxStream;

typedef enum {
  VT_MUX_CLIENT,
  VT_MUX_SERVER,
} VtMuxRole;

typedef struct {
  VtMuxRole    role;
  unsigned int protocol;      /* 1 */
  gint64       ping_interval; /* microseconds, 0 is off */
  gint64       ping_timeout;  /* microseconds */
  gint64       stall_timeout; /* microseconds: v1, how long one stream may hold the tunnel */
  gint64       listen_grace;  /* microseconds: v1 client, an unanswered listen counts as heard */
  size_t       max_buffer;    /* bytes received and not taken, over all streams */
  unsigned int max_streams;
} VtMuxConfig;

/* Sets the documented defaults for a role. */
void vt_mux_config_init (VtMuxConfig *config, VtMuxRole role);

/* Where a port is asked for. `address` NULL: where the server pleases (v1 can say nothing else). */
typedef struct {
  const char *address;
  guint16     port;
} VtMuxListen;

typedef struct {
  /* Downwards. */
  void (*send) (GBytes *message, gboolean text, void *user_data);
  size_t (*get_queued) (void *user_data);
  void (*set_reading) (gboolean reading, void *user_data);

  /* Upwards, client. `confirmed` FALSE: an older server, which never answers. Should it refuse the
   * port later all the same, `listen_failed` follows. */
  void (*listen_ok) (guint32 id, const char *address, guint16 port, gboolean confirmed,
                     void *user_data);
  void (*listen_failed) (guint32 id, const GError *error, void *user_data);
  /* The callee takes a reference, sets the handlers, now or later, and accepts or resets it. */
  void (*stream_opened) (VtMuxStream *stream, guint32 listen_id, void *user_data);

  /* Upwards, server: answered by vt_mux_listen_accept () or vt_mux_listen_refuse (), now or
   * later. */
  void (*listen_requested) (guint32 id, const VtMuxListen *listen, void *user_data);
  /* The port is to be closed; its streams go on. */
  void (*unlistened) (guint32 id, void *user_data);

  /* Upwards, both. The session cannot go on: PROTOCOL, TIMED_OUT, LIMIT. Nothing more is handed
   * out; the owner closes the link and frees the mux. */
  void (*failed) (const GError *error, void *user_data);
  /* A new round-trip time, in microseconds. */
  void (*rtt_measured) (gint64 rtt, void *user_data);
} VtMuxHandlers;

/* No handler is called from within vt_mux_new (). A handler may call anything but vt_mux_free ();
 * `failed` comes from a later dispatch, and the owner may free the mux in it. Handlers of the other
 * role may be NULL. */
VtMux *vt_mux_new (const VtMuxConfig   *config,
                   VtClock             *clock,
                   const VtMuxHandlers *handlers,
                   void                *user_data);
/* Streams that are still there are told first: closed with `error`. */
void vt_mux_free (VtMux *self, const GError *error);

/* From the link. */
void vt_mux_receive (VtMux *self, gboolean text, GBytes *message);
void vt_mux_note_alive (VtMux *self);
void vt_mux_note_writable (VtMux *self);

/* Client. The id is the caller's, not 0 and not used before in this mux. */
void vt_mux_listen (VtMux *self, guint32 id, const VtMuxListen *listen);
void vt_mux_unlisten (VtMux *self, guint32 id);

/* Server. */
void vt_mux_listen_accept (VtMux *self, guint32 id, const char *address, guint16 port);
void vt_mux_listen_refuse (VtMux *self, guint32 id, const GError *error);
/* NULL with VT_ERROR_LIMIT when there are too many streams, with VT_ERROR_CANCELLED when the listen
 * is gone. The mux's reference; the caller takes its own by vt_mux_stream_ref (). */
VtMuxStream *vt_mux_open_stream (VtMux          *self,
                                 guint32         listen_id,
                                 GSocketAddress *user,
                                 GError        **error);

unsigned int vt_mux_get_n_streams (VtMux *self);
/* Microseconds, monotonic, of the last sign of life. */
gint64 vt_mux_get_last_seen (VtMux *self);
/* Microseconds, -1 while unknown. */
gint64 vt_mux_get_rtt (VtMux *self);
