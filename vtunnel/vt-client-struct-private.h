/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <vtunnel/vt-client.h>

#include "vt-backoff-private.h"
#include "vt-client-attempt-private.h"
#include "vt-client-request-private.h"
#include "vt-client-tunnel-private.h"
#include "vt-list-private.h"
#include "vt-network-watch-private.h"

/* What the files of VtClient share: the object (vt-client.c), its properties
 * (vt-client-properties.c, vt-client-settings.c, vt-client-status.c), how it opens and closes
 * (vt-client-open.c), and the forwards (vt-client-listen.c, vt-client-unlisten.c). */
typedef enum {
  VT_CLIENT_PROP_URI = 1,
  VT_CLIENT_PROP_STATE,
  VT_CLIENT_PROP_ERROR,
  VT_CLIENT_PROP_PING_INTERVAL,
  VT_CLIENT_PROP_PING_TIMEOUT,
  VT_CLIENT_PROP_SOUP_SESSION,
  VT_CLIENT_PROP_TOKEN,
  VT_CLIENT_PROP_PINS,
  VT_CLIENT_PROP_TLS_CERTIFICATE,
  VT_CLIENT_PROP_MAX_PROTOCOL,
  VT_CLIENT_PROP_RECONNECT,
  VT_CLIENT_PROP_RECONNECT_MIN,
  VT_CLIENT_PROP_RECONNECT_MAX,
  VT_CLIENT_PROP_RETRY_FIRST,
  VT_CLIENT_PROP_NEXT_RETRY,
  VT_CLIENT_PROP_N_RESUMED,
  VT_CLIENT_PROP_PROTOCOL,
  VT_CLIENT_PROP_RTT,
  VT_CLIENT_PROP_LAST_SEEN,
  VT_CLIENT_PROP_FORWARDS,
  VT_CLIENT_PROP_STREAMS,
} VtClientProp;

/* Bounds of reconnect-min and reconnect-max, in seconds. */
#define VT_CLIENT_RECONNECT_SHORTEST 0.001
#define VT_CLIENT_RECONNECT_LONGEST 86400.0

extern GParamSpec *vt_client_props[VT_CLIENT_PROP_STREAMS + 1];

/* When the client tries again. */
typedef struct {
  VtTimer         *timer;     /* owned, runs while the client waits */
  gint64           next;      /* microseconds, monotonic: when it fires, 0 if it does not run */
  VtBackoff        backoff;   /* its bounds are set before each use */
  gint64           last_wait; /* microseconds: what was waited before the present link */
  gint64           up_since;  /* microseconds, monotonic, of the present link */
  VtNetworkWatch  *watch;     /* owned, NULL unless the client would reconnect */
  GNetworkMonitor *monitor;   /* owned, for tests, NULL: the system's */
  gboolean         no_wait;   /* the network has changed during the present attempt */
} VtClientRetry;

struct _VtClient {
  GObject          parent_instance;
  char            *uri;            /* owned */
  GError          *error;          /* owned, why it closed, or why there is no connection */
  SoupSession     *session;        /* owned, the application's, nullable */
  SoupSession     *own_session;    /* owned, made when it is needed and there is no other */
  VtClientRequest *request;        /* owned */
  char           **pins;           /* owned, NULL: none */
  GTlsCertificate *certificate;    /* owned, nullable: the client's own */
  VtList          *forwards;       /* owned, holds the keys of `listens` */
  VtList          *streams;        /* owned, holds its items weakly */
  GHashTable      *listens;        /* owned, from VtForward (not owned) to its owned listen */
  GHashTable      *unlistens;      /* owned, from the tunnel's number to an owned wait for it */
  GTask           *opening;        /* owned, the call to open it that is not answered yet */
  GSource         *opening_watch;  /* owned, of that call's cancellable, nullable */
  VtClientAttempt *attempt;        /* owned, NULL unless one is under way */
  VtClientTunnel  *tunnel;         /* owned, NULL while there is no session */
  GPtrArray       *ending_tunnels; /* owned, of owned VtClientTunnel that still have streams */
  GPtrArray       *closings;       /* owned, of owned GTask that wait for the state closed */
  VtClientRetry    retry;
  VtClientState    state;
  unsigned int     n_closings;    /* how often it became closed */
  unsigned int     n_resumed;
  gint64           rtt;           /* microseconds, the last one, -1: unknown */
  unsigned int     ping_interval; /* seconds */
  unsigned int     ping_timeout;  /* seconds */
  unsigned int     max_protocol;
  double           reconnect_min; /* seconds */
  double           reconnect_max; /* seconds */
  gboolean         reconnect;
  gboolean         retry_first;
};

/* The properties' part of class_init and init. */
void vt_client_install_properties (GObjectClass *klass);
void vt_client_init_settings (VtClient *self);

void vt_client_emit_stream_opened (VtClient *self, VtStream *stream);
void vt_client_emit_stream_closed (VtClient *self, VtStream *stream, const GError *error);

/* Ends at once whatever goes on. */
void vt_client_end (VtClient *self);

/* vt-client-life.c. */
void vt_client_set_error (VtClient *self, const GError *error);
void vt_client_set_state (VtClient *self, VtClientState state);
/* Dials, and asks to resume if there is a session; the second is for a client that was closed. */
void vt_client_start_attempt (VtClient *self);
void vt_client_start_afresh (VtClient *self);
/* The one way into the state closed. Who waits for it is called back when the handlers of the
 * notifications have been. `error` is NULL if it was the application's wish, or the server's in
 * order; a call to open the client that is not answered yet fails with `open_error`. */
void vt_client_become_closed (VtClient *self, const GError *error, const GError *open_error);
/* Ends the session, and closes the client when the streams were told: with `error`, of a session
 * that has no link, or in order, as the application wishes it, if that is NULL. */
void vt_client_give_up_session (VtClient *self, const GError *error);

/* vt-client-retry.c. */
void vt_client_retry_init (VtClient *self);
void vt_client_retry_clear (VtClient *self);
/* Tries again after a while, but no earlier than so many seconds. */
void vt_client_retry_wait (VtClient *self, unsigned int at_least);
void vt_client_retry_stop (VtClient *self);
/* There is a link; it is gone. */
void vt_client_retry_note_up (VtClient *self);
void vt_client_retry_note_down (VtClient *self);
/* Looks at the network while that is of use: to be called when the state or `reconnect` changes. */
void vt_client_retry_update_watch (VtClient *self);
/* For tests. NULL: the system's. */
void vt_client_set_network_monitor (VtClient *self, GNetworkMonitor *monitor);

/* Asks the server for all forwards that it was not asked for. */
void vt_client_send_listens (VtClient *self);
/* There is no session any more: all forwards are to be asked for in the next one. */
void vt_client_recall_listens (VtClient *self);
/* The server's answer, see VtClientTunnelHandlers. */
void vt_client_listened (VtClient     *self,
                         VtForward    *forward,
                         guint16       port,
                         const char   *url,
                         const GError *error,
                         unsigned int  retry_after);
/* Takes back a forward, which the client must have; its call that is not answered yet fails with
 * `answer_error`. */
void vt_client_drop_forward (VtClient *self, VtForward *forward, const GError *answer_error);
/* The server's answer, or that there will be none any more, for any. */
void vt_client_unlistened (VtClient *self, guint32 id);
void vt_client_answer_unlistens (VtClient *self);
/* Sets all forwards free; `error` is NULL if that was the application's own wish. */
void vt_client_release_forwards (VtClient *self, const GError *error);
