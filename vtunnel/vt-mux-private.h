/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <gio/gio.h>

#include "vt-clock-private.h"
#include "vt-codec-control-private.h"

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
  unsigned int protocol;      /* 1 or 2 */
  gint64       ping_interval; /* microseconds, 0 is off */
  gint64       ping_timeout;  /* microseconds */
  gint64       stall_timeout; /* microseconds: v1, how long one stream may hold the tunnel */
  gint64       listen_grace;  /* microseconds: v1 client, an unanswered listen counts as heard */
  size_t       max_buffer;    /* bytes received and not taken, over all streams; v2: also bytes
                               * sent and not acknowledged */
  size_t       max_message;   /* bytes of one from the other side; v2 announces less */
  unsigned int max_json_depth;
  guint32      max_window;    /* v2: bytes that one stream may be ahead of its user here */
  unsigned int max_streams;
  unsigned int max_opening; /* server: streams that the client has not answered */
  gint64       opening_timeout; /* microseconds, v2 server: such a stream ends not much later */
  unsigned int max_control_rate; /* messages a second from the other side, pings aside; 0: any */
  unsigned int max_ping_rate;
  unsigned int max_reset_rate; /* of streams that the other side ends so */
} VtMuxConfig;

/* The most that there can be of these; the defaults. */
#define VT_MUX_MAX_MESSAGE (1024 * 1024)
#define VT_MUX_MAX_WINDOW (16 * 1024 * 1024)

/* Sets the documented defaults for a role. */
void vt_mux_config_init (VtMuxConfig *config, VtMuxRole role);

/* What v2 announces to the other side: what this side takes. */
void vt_mux_config_get_limits (const VtMuxConfig *config, VtControlLimits *limits);

/* What is asked for. `address` NULL: where the server pleases. v1 can only say the port. */
typedef struct {
  VtControlKind      kind;
  const char        *address; /* nullable */
  guint16            port;    /* 0: any */
  const char *const *names;   /* nullable: host names, or what the forward is called */
} VtMuxListen;

typedef struct {
  /* Downwards. `counted`: it is to be kept until the other side has it (v2). */
  void (*send) (GBytes *message, gboolean text, gboolean counted, void *user_data);
  /* Bytes of memory that wait to be sent. */
  size_t (*get_queued) (void *user_data);
  /* Bytes of memory that are kept, not being acknowledged. NULL: nothing ever is. */
  size_t (*get_kept) (void *user_data);
  /* Streams are to wait with their bytes: there is no link, or it has older things to send first.
   * vt_mux_note_writable () follows. NULL: never. */
  gboolean (*is_behind) (void *user_data);
  /* Never called with v2. */
  void (*set_reading) (gboolean reading, void *user_data);

  /* Upwards, client. `confirmed` FALSE: an older server, which never answers. Should it refuse the
   * port later all the same, `listen_failed` follows. */
  void (*listen_ok) (guint32 id, const char *address, guint16 port, const char *url,
                     gboolean confirmed, void *user_data);
  void (*listen_failed) (guint32 id, const GError *error, unsigned int retry_after,
                         void *user_data);
  /* What vt_mux_unlisten () asked for is done, if it said that this would come. */
  void (*unlisten_done) (guint32 id, void *user_data);
  /* The callee takes a reference, sets the handlers, now or later, and accepts or resets it. */
  void (*stream_opened) (VtMuxStream *stream, guint32 listen_id, void *user_data);

  /* Upwards, server: answered by vt_mux_listen_accept () or vt_mux_listen_refuse (), now or
   * later. */
  void (*listen_requested) (guint32 id, const VtMuxListen *listen, void *user_data);
  /* The port is to be closed; its streams go on. */
  void (*unlistened) (guint32 id, void *user_data);

  /* As many streams as may wait for the client's answer, and no others can be opened; or not any
   * more, when half of them have been answered. NULL: need not be known. */
  void (*crowded) (gboolean crowded, void *user_data);

  /* Upwards, both. The session cannot go on: PROTOCOL, LIMIT, SHUTTING_DOWN. Nothing more is
   * handed out; the owner closes the link and frees the mux. */
  void (*failed) (const GError *error, void *user_data);
  /* Nothing was heard from the other side for too long: its link is to be considered dead. The
   * owner suspends the mux, or frees it. From a dispatch of its own. */
  void (*silent) (void *user_data);
  /* A new round-trip time, in microseconds. */
  void (*rtt_measured) (gint64 rtt, void *user_data);
  /* v2: the other side opens no new streams any more, and gives the open ones so many seconds.
   * `reason` is nullable, and not escaped. */
  void (*going_away) (const char *reason, unsigned int timeout, void *user_data);
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

/* There is no link, or there is one again. Meanwhile nobody pings or is missed, and no request
 * times out; streams stay, new ones may be opened, and what is counted is handed out all the
 * same. Nothing happens if that is so already. */
void vt_mux_suspend (VtMux *self);
void vt_mux_resume (VtMux *self);

/* Asks the other side for a sign of life at once: without one, `silent` comes after so many
 * microseconds. Nothing happens while suspended, or while another such question stands. */
void vt_mux_probe (VtMux *self, gint64 patience);

/* v2: what the other side takes. Before it nothing may be received, and no stream be opened. */
void vt_mux_set_peer_limits (VtMux *self, const VtControlLimits *limits);

/* From the link. TRUE if it was a counted message. */
gboolean vt_mux_receive (VtMux *self, gboolean text, GBytes *message);
void     vt_mux_note_alive (VtMux *self);
/* There is room again: in the link, or in what is kept. */
void vt_mux_note_writable (VtMux *self);

/* Client. The id is the caller's, not 0, and above all that were used before in this mux. */
void     vt_mux_listen (VtMux *self, guint32 id, const VtMuxListen *listen);
/* TRUE if `unlisten_done` follows, from a later dispatch. */
gboolean vt_mux_unlisten (VtMux *self, guint32 id);

/* Server. */
void vt_mux_listen_accept (VtMux *self, guint32 id, const char *address, guint16 port);
/* v2: the same of host names, which have no port. `url` is nullable. */
void vt_mux_listen_accept_names (VtMux *self, guint32 id, const char *url);
/* `retry_after` in seconds, 0 where waiting is not known to help. */
void vt_mux_listen_refuse (VtMux *self, guint32 id, const GError *error, unsigned int retry_after);
/* NULL with VT_ERROR_LIMIT when there are too many streams, or too many that wait for an answer,
 * with VT_ERROR_CANCELLED when the listen is gone. `user` is where the user comes from, `local` the
 * address that it came to; both may be NULL. The mux's reference; the caller takes its own by
 * vt_mux_stream_ref (). */
VtMuxStream *vt_mux_open_stream (VtMux          *self,
                                 guint32         listen_id,
                                 GSocketAddress *user,
                                 GSocketAddress *local,
                                 GError        **error);
/* v2: tells the other side that no new streams come. */
void vt_mux_send_goaway (VtMux *self, const char *reason, unsigned int timeout);

unsigned int vt_mux_get_n_streams (VtMux *self);
/* Bytes of memory that came from the other side, and were not taken. */
size_t vt_mux_get_buffered (VtMux *self);
/* Microseconds, monotonic, of the last sign of life. */
gint64 vt_mux_get_last_seen (VtMux *self);
/* Microseconds, -1 while unknown. */
gint64 vt_mux_get_rtt (VtMux *self);
