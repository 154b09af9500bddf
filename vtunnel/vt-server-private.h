/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <vtunnel/vt-server.h>

#include "vt-access-private.h"
#include "vt-clock-private.h"
#include "vt-counters-private.h"
#include "vt-forwarded-private.h"
#include "vt-front-private.h"
#include "vt-host-front-private.h"
#include "vt-list-private.h"
#include "vt-penalties-private.h"
#include "vt-port-ranges-private.h"
#include "vt-server-session-private.h"

/* Shared by vt-server.c (the ways in), vt-server-arrivals.c (who may come in, and who comes back),
 * vt-server-sessions.c (the work), vt-server-access.c (as whom), vt-server-names.c (users by host
 * name), vt-server-closing.c, vt-server-properties.c and vt-server-limit-properties.c,
 * vt-server-settings.c, vt-server-limits.c, vt-server-opening.c, vt-server-sizes.c,
 * vt-server-rates.c and vt-server-report.c (what there is to be seen). */

typedef enum {
  VT_SERVER_RUNNING,
  VT_SERVER_DRAINING, /* takes no new clients; streams may finish */
  VT_SERVER_CLOSING,  /* until the last session has ended */
} VtServerPhase;

struct _VtServer {
  GObject parent_instance;

  char *path;         /* owned */
  char *bind_address; /* owned */
  VtPortRanges *allowed_ports;      /* owned */
  VtPortRanges *proxy_protocol_ports; /* owned, NULL: none */
  char **allowed_origins;           /* owned, nullable */
  char **allowed_names;             /* owned, NULL: any */
  char *http_url;                   /* owned, nullable */
  GTlsCertificate *tls_certificate; /* owned, nullable */
  GTlsDatabase *client_authorities; /* owned, nullable */
  gboolean allow_anonymous;
  gboolean allow_streams;
  unsigned int ping_interval; /* seconds */
  unsigned int ping_timeout;  /* seconds */
  unsigned int resume_timeout; /* seconds */
  unsigned int max_sessions;
  unsigned int max_forwards;
  unsigned int max_head_size;    /* bytes */
  unsigned int request_timeout;  /* seconds */
  unsigned int max_message_size; /* bytes */
  unsigned int max_json_depth;
  unsigned int max_window; /* bytes */
  unsigned int max_streams;
  unsigned int max_opening;
  unsigned int max_accept_rate; /* a second; 0: any */
  guint64 max_buffer; /* bytes */
  unsigned int max_sessions_per_address; /* 0: any */
  unsigned int max_control_rate; /* of these and below, a second; 0: any */
  unsigned int max_ping_rate;
  unsigned int max_reset_rate;
  unsigned int max_protocol;

  VtAccess *access;                 /* owned, nullable */
  char **proxy_texts;               /* owned, nullable: as `proxies` was written */
  VtTrustedProxies *proxies;        /* owned, NULL: none is trusted */
  VtPenalties *penalties;           /* owned */
  GHashTable *grants;               /* owned, of VtAccessGrant by VtServerSession */
  GHashTable *revoked;              /* owned, set of VtServerSession: those that are sent away */
  VtTimer *expiry;                  /* owned: the time of a client may be over */

  VtServerPhase phase;
  VtFront *front;       /* owned, NULL once disposed of */
  VtHostFront *host_front; /* owned, NULL once disposed of */
  VtHostTable *hosts;   /* owned, of VtServerListen */
  GHashTable *arrivals; /* owned, set of arrivals: clients that have not greeted */
  VtList *sessions;     /* owned, of VtSession */
  GHashTable *work;     /* owned, set of VtServerSession, the same */
  GHashTable *names;    /* owned, of VtServerSession by what its client calls it: those of v2 */
  GPtrArray *closes;    /* owned, of GTask: who waits for the last session to end */
  VtTimer *drain;       /* owned: ends the draining */
  gint64 drain_end;     /* when it does */
  VtClock *clock;       /* owned */
  VtCounters *counters; /* owned */
  gint64 started_at;    /* microseconds of Unix time */
};

typedef enum {
  VT_SERVER_PROP_PATH = 1,
  VT_SERVER_PROP_BIND_ADDRESS,
  VT_SERVER_PROP_ALLOWED_PORTS,
  VT_SERVER_PROP_PROXY_PROTOCOL_PORTS,
  VT_SERVER_PROP_HTTP_URL,
  VT_SERVER_PROP_ALLOWED_NAMES,
  VT_SERVER_PROP_ALLOWED_ORIGINS,
  VT_SERVER_PROP_ALLOW_ANONYMOUS,
  VT_SERVER_PROP_ALLOW_STREAMS,
  VT_SERVER_PROP_ACCESS,
  VT_SERVER_PROP_TRUSTED_PROXIES,
  VT_SERVER_PROP_TLS_CERTIFICATE,
  VT_SERVER_PROP_CLIENT_AUTHORITIES,
  VT_SERVER_PROP_PING_INTERVAL,
  VT_SERVER_PROP_PING_TIMEOUT,
  VT_SERVER_PROP_RESUME_TIMEOUT,
  VT_SERVER_PROP_MAX_SESSIONS,
  VT_SERVER_PROP_MAX_SESSIONS_PER_ADDRESS,
  VT_SERVER_PROP_MAX_FORWARDS,
  VT_SERVER_PROP_MAX_STREAMS,
  VT_SERVER_PROP_MAX_OPENING,
  VT_SERVER_PROP_MAX_ACCEPT_RATE,
  VT_SERVER_PROP_MAX_BUFFER,
  VT_SERVER_PROP_MAX_HEAD_SIZE,
  VT_SERVER_PROP_REQUEST_TIMEOUT,
  VT_SERVER_PROP_MAX_MESSAGE_SIZE,
  VT_SERVER_PROP_MAX_JSON_DEPTH,
  VT_SERVER_PROP_MAX_WINDOW,
  VT_SERVER_PROP_MAX_CONTROL_RATE,
  VT_SERVER_PROP_MAX_PING_RATE,
  VT_SERVER_PROP_MAX_RESET_RATE,
  VT_SERVER_PROP_MAX_PROTOCOL,
  VT_SERVER_PROP_SESSIONS,
} VtServerProperty;

#define VT_SERVER_DEFAULT_PATH "/"
#define VT_SERVER_DEFAULT_BIND_ADDRESS "localhost"
#define VT_SERVER_DEFAULT_PORTS "1024-65535"
#define VT_SERVER_DEFAULT_PING_INTERVAL 30
#define VT_SERVER_DEFAULT_PING_TIMEOUT 15
#define VT_SERVER_DEFAULT_RESUME_TIMEOUT 60
#define VT_SERVER_DEFAULT_SESSIONS 1000
#define VT_SERVER_DEFAULT_FORWARDS 64
#define VT_SERVER_DEFAULT_STREAMS 8192
#define VT_SERVER_DEFAULT_OPENING 1024
#define VT_SERVER_DEFAULT_ACCEPT_RATE 20000
#define VT_SERVER_MIN_HEAD_SIZE 1024
#define VT_SERVER_DEFAULT_HEAD_SIZE (16 * 1024)
#define VT_SERVER_MOST_HEAD_SIZE (64 * 1024)
#define VT_SERVER_DEFAULT_REQUEST_TIMEOUT 10
#define VT_SERVER_MIN_JSON_DEPTH 2
#define VT_SERVER_MOST_JSON_DEPTH 64
#define VT_SERVER_DEFAULT_BUFFER (128 * 1024 * 1024)
#define VT_SERVER_DEFAULT_RESET_RATE 20000
#define VT_SERVER_DEFAULT_PING_RATE 100
#define VT_SERVER_DEFAULT_CONTROL_RATE 1000
#define VT_SERVER_DEFAULT_SESSIONS_PER_ADDRESS 100
#define VT_SERVER_MIN_BUFFER (1024 * 1024)

extern GParamSpec *vt_server_props[VT_SERVER_PROP_SESSIONS + 1];

typedef enum {
  VT_SERVER_SIGNAL_SESSION_OPENED,
  VT_SERVER_SIGNAL_SESSION_CLOSED,
  VT_SERVER_SIGNAL_LISTEN_REQUESTED,
  VT_SERVER_SIGNAL_STREAM_OPENED,
  VT_SERVER_SIGNAL_STREAM_CLOSED,
} VtServerSignal;

extern unsigned int vt_server_signals[VT_SERVER_SIGNAL_STREAM_CLOSED + 1];

typedef enum {
  VT_SERVER_WELCOME,
  VT_SERVER_FULL,
  VT_SERVER_CROWDED, /* by others from the same address */
  VT_SERVER_LEAVING,
} VtServerAdmission;

/* Whether another client that speaks this version of the protocol may come in, if only to say that
 * it is one that comes back. `client` is where it is, nullable, and `grant` as whom it was
 * recognised, NULL if it was not; so they are below. */
VtServerAdmission vt_server_get_admission (VtServer       *self,
                                           unsigned int    protocol,
                                           GSocketAddress *client,
                                           VtAccessGrant  *grant);
const char       *vt_server_get_refusal (VtServerAdmission admission);
/* Counts one that was not welcome. */
void              vt_server_note_admission (VtServer *self, VtServerAdmission admission);
/* A client's WebSocket. Takes both references; `gate` is NULL for a connection that the application
 * made. */
void vt_server_open_session (VtServer                *self,
                             SoupWebsocketConnection *connection,
                             VtGate                  *gate,
                             GSocketAddress          *client,
                             VtAccessGrant           *grant);
GHashTable *vt_server_new_arrivals (void);
/* Takes leave of those that have not greeted. */
void vt_server_turn_away_arrivals (VtServer *self);

/* Takes the link. `hello` and `credentials` are NULL in v1. */
void vt_server_begin_session (VtServer            *self,
                              VtLink              *link,
                              GSocketAddress      *client,
                              VtAccessGrant       *grant,
                              const VtControl     *hello,
                              const VtCredentials *credentials);
/* Of VtServerSession, not owned. What is called on one of them may end others:
 * vt_server_has_work () tells. */
GPtrArray *vt_server_list_work (VtServer *self);
gboolean   vt_server_has_work (VtServer *self, VtServerSession *work);
/* Ends all at once, and tells nobody. */
void vt_server_drop_work (VtServer *self);

/* vt-server-access.c. As in VtFrontHandlers. */
gboolean vt_server_recognise (VtServer          *self,
                              SoupServerMessage *message,
                              VtFrontGuest      *guest,
                              VtUpgradeVerdict  *verdict);
void     vt_server_init_access (VtServer *self);
/* The parts of dispose and finalize. */
void     vt_server_drop_access (VtServer *self);
void     vt_server_clear_access (VtServer *self);
/* The grant with which the session goes on, nullable. */
void vt_server_set_grant (VtServer *self, VtServerSession *work, VtAccessGrant *grant);
/* Where a client is that can be told from others by its address: NULL on loopback and behind a
 * trusted proxy that does not say more. */
GInetAddress *vt_server_get_origin (VtServer *self, GSocketAddress *client);
/* Why the session has ended, if it was sent away; NULL if not. */
GError *vt_server_take_revocation (VtServer *self, VtServerSession *work);
/* What the session's client may do; NULL where the server's own settings say it. */
VtAccessEntry *vt_server_get_entry (VtServer *self, VtServerSession *work);
/* FALSE if it has been taken back since. */
gboolean vt_server_is_granted (VtServer *self, VtAccessGrant *grant);
/* Whether its user has as many sessions as it may; those that wait for a client that is lost make
 * room, the oldest first. */
gboolean vt_server_make_room (VtServer *self, VtAccessGrant *grant);

/* vt-server-names.c. The parts of init and finalize. */
void vt_server_init_names (VtServer *self);
void vt_server_clear_names (VtServer *self);
/* Whether a client may have the names of a forward. `entry` is nullable. */
gboolean vt_server_check_names (VtServer      *self,
                                VtAccessEntry *entry,
                                VtForward     *forward,
                                GError       **error);
/* Those that keep its names for a client that has lost its connection; none if one has another
 * owner. */
GPtrArray *vt_server_list_name_holders (VtServer *self, VtForward *forward);
/* As in VtServerSessionHandlers. */
gboolean vt_server_has_names (VtServerSession *work, void *user_data);
char    *vt_server_make_url (VtServerSession *work, VtForward *forward, void *user_data);
void     vt_server_names_released (VtServerSession *work, VtForward *forward, void *user_data);
/* Whether users come to this port with a PROXY header: vt-server-settings.c. */
gboolean vt_server_expects_proxy (VtServer *self, guint16 port);
void     vt_server_define_names (void);
gboolean vt_server_get_names_property (VtServer *self, VtServerProperty property, GValue *value);
/* vt-server-report.c. As in VtFrontHandlers. */
gboolean vt_server_is_ready (VtServer *self);
char    *vt_server_write_page (VtServer *self, VtFrontPage page);

VtTimer *vt_server_new_drain_timer (VtServer *self);
/* FALSE with VT_ERROR_SHUTTING_DOWN while it drains or closes: no port is opened then. */
gboolean vt_server_check_running (VtServer *self, GError **error);
/* Answers those who wait for the server to be closed, if it is. */
void vt_server_check_closed (VtServer *self);

/* The properties' part of class_init, init and finalize. */
void vt_server_install_properties (GObjectClass *klass);
void vt_server_define_limits (GParamFlags flags);
/* Where the number of such a property is; NULL if it is another property. */
unsigned int *vt_server_find_limit (VtServer *self, unsigned int property_id);
void vt_server_init_settings (VtServer *self);
void vt_server_clear_settings (VtServer *self);
/* Sets a number, and notifies if it is another one. */
void vt_server_set_number (VtServer        *self,
                           unsigned int    *field,
                           unsigned int     value,
                           VtServerProperty property);
