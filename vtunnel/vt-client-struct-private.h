/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <vtunnel/vt-client.h>

#include "vt-client-request-private.h"
#include "vt-client-tunnel-private.h"
#include "vt-list-private.h"

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
  VT_CLIENT_PROP_MAX_PROTOCOL,
  VT_CLIENT_PROP_PROTOCOL,
  VT_CLIENT_PROP_RTT,
  VT_CLIENT_PROP_LAST_SEEN,
  VT_CLIENT_PROP_FORWARDS,
  VT_CLIENT_PROP_STREAMS,
} VtClientProp;

extern GParamSpec *vt_client_props[VT_CLIENT_PROP_STREAMS + 1];

typedef struct _VtClientOpening VtClientOpening;

struct _VtClient {
  GObject          parent_instance;
  char            *uri;            /* owned */
  GError          *error;          /* owned, why it closed */
  SoupSession     *session;        /* owned, the application's, nullable */
  SoupSession     *own_session;    /* owned, made when it is needed and there is no other */
  VtClientRequest *request;        /* owned */
  VtList          *forwards;       /* owned, holds the keys of `listens` */
  VtList          *streams;        /* owned, holds its items weakly */
  GHashTable      *listens;        /* owned, from VtForward (not owned) to its owned listen */
  GHashTable      *unlistens;      /* owned, from the tunnel's number to an owned wait for it */
  VtClientOpening *opening;        /* the dial owns it, then this; NULL unless connecting */
  VtClientTunnel  *tunnel;         /* owned, while open and closing */
  GPtrArray       *ending_tunnels; /* owned, of owned VtClientTunnel that still have streams */
  GPtrArray       *closings;       /* owned, of owned GTask that wait for the state closed */
  VtClientState    state;
  unsigned int     ping_interval; /* seconds */
  unsigned int     ping_timeout;  /* seconds */
  unsigned int     max_protocol;
};

/* The properties' part of class_init and init. */
void vt_client_install_properties (GObjectClass *klass);
void vt_client_init_settings (VtClient *self);

void vt_client_emit_stream_opened (VtClient *self, VtStream *stream);
void vt_client_emit_stream_closed (VtClient *self, VtStream *stream, const GError *error);

/* Ends at once whatever goes on. */
void vt_client_end (VtClient *self);

/* Asks the server for all forwards, once there is a tunnel. */
void vt_client_send_listens (VtClient *self);
/* The server's answer. */
void vt_client_listened (VtClient *self, VtForward *forward, guint16 port, const GError *error);
/* Takes back a forward, which the client must have; its call that is not answered yet fails with
 * `answer_error`. */
void vt_client_drop_forward (VtClient *self, VtForward *forward, const GError *answer_error);
/* The server's answer, or that there will be none any more, for any. */
void vt_client_unlistened (VtClient *self, guint32 id);
void vt_client_answer_unlistens (VtClient *self);
/* Sets all forwards free; `error` is NULL if that was the application's own wish. */
void vt_client_release_forwards (VtClient *self, const GError *error);
