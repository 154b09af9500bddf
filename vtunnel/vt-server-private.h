/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <vtunnel/vt-server.h>

#include "vt-front-private.h"
#include "vt-list-private.h"
#include "vt-port-ranges-private.h"

/* Shared by vt-server.c (the ways in), vt-server-sessions.c (the work), vt-server-properties.c and
 * vt-server-settings.c. */
struct _VtServer {
  GObject parent_instance;

  char *path;         /* owned */
  char *bind_address; /* owned */
  VtPortRanges *allowed_ports;      /* owned */
  char **allowed_origins;           /* owned, nullable */
  GTlsCertificate *tls_certificate; /* owned, nullable */
  gboolean allow_anonymous;
  unsigned int ping_interval; /* seconds */
  unsigned int ping_timeout;  /* seconds */
  unsigned int max_sessions;
  unsigned int max_forwards;
  unsigned int max_streams;
  guint64 max_buffer; /* bytes */
  unsigned int max_protocol;

  VtFront *front;    /* owned, NULL once disposed of */
  VtList *sessions;  /* owned, of VtSession: those that are ready */
  GHashTable *work;  /* owned, set of VtServerSession: all */
  GPtrArray *closes; /* owned, of GTask: who waits for the last session to end */
};

typedef enum {
  VT_SERVER_PROP_PATH = 1,
  VT_SERVER_PROP_BIND_ADDRESS,
  VT_SERVER_PROP_ALLOWED_PORTS,
  VT_SERVER_PROP_ALLOWED_ORIGINS,
  VT_SERVER_PROP_ALLOW_ANONYMOUS,
  VT_SERVER_PROP_TLS_CERTIFICATE,
  VT_SERVER_PROP_PING_INTERVAL,
  VT_SERVER_PROP_PING_TIMEOUT,
  VT_SERVER_PROP_MAX_SESSIONS,
  VT_SERVER_PROP_MAX_FORWARDS,
  VT_SERVER_PROP_MAX_STREAMS,
  VT_SERVER_PROP_MAX_BUFFER,
  VT_SERVER_PROP_MAX_PROTOCOL,
  VT_SERVER_PROP_SESSIONS,
} VtServerProperty;

#define VT_SERVER_DEFAULT_PATH "/"
#define VT_SERVER_DEFAULT_BIND_ADDRESS "localhost"
#define VT_SERVER_DEFAULT_PORTS "1024-65535"
#define VT_SERVER_DEFAULT_PING_INTERVAL 30
#define VT_SERVER_DEFAULT_PING_TIMEOUT 15
#define VT_SERVER_DEFAULT_SESSIONS 1000
#define VT_SERVER_DEFAULT_FORWARDS 64
#define VT_SERVER_DEFAULT_STREAMS 8192
#define VT_SERVER_DEFAULT_BUFFER (128 * 1024 * 1024)
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

/* Takes both references; `gate` is NULL for a connection that the application made. */
void vt_server_open_session (VtServer                *self,
                             SoupWebsocketConnection *connection,
                             VtGate                  *gate,
                             GSocketAddress          *client);
gboolean vt_server_is_closing (VtServer *self);
/* Answers those who wait for the server to be closed, if it is. */
void vt_server_complete_closes (VtServer *self);

/* The properties' part of class_init, init and finalize. */
void vt_server_install_properties (GObjectClass *klass);
void vt_server_init_settings (VtServer *self);
void vt_server_clear_settings (VtServer *self);
