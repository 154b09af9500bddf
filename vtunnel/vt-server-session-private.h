/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vt-counters-private.h"
#include "vt-greeting-private.h"
#include "vt-host-table-private.h"
#include "vt-listener-private.h"
#include "vt-report-private.h"
#include "vt-session-private.h"
#include "vt-stream-private.h"
#include "vt-trunk-private.h"

/* The server's work for one client that has greeted: its trunk, its ports, its streams and relays.
 * It outlives the client's link as its trunk does. */
typedef struct _VtServerSession VtServerSession;

/* What a session listens for: whom a port's or a name's users belong to. The owner of a name in the
 * table of host names is one of these. */
typedef struct {
  VtServerSession *session; /* not owned */
  guint32          id;
  VtForward       *forward; /* owned */
} VtServerListen;

typedef struct {
  /* Whether this client may have this forward: FALSE with VT_ERROR if not. Asked before a port is
   * opened. */
  gboolean (*authorise) (VtServerSession *session, VtForward *forward, GError **error,
                         void *user_data);
  /* Somebody has its port. TRUE if that has been freed for this client meanwhile. If it is kept for
   * another one that may come back, `retry_after` is set to how many seconds that is at most. */
  gboolean (*free_port) (VtServerSession *session, VtForward *forward, unsigned int *retry_after,
                         void *user_data);
  /* Whether users come to this port through a proxy that speaks the PROXY protocol. */
  gboolean (*expects_proxy) (VtServerSession *session, guint16 port, void *user_data);
  /* Whether there is a port for users that come by a host name. */
  gboolean (*has_names) (VtServerSession *session, void *user_data);
  /* Where users find it, newly allocated, or NULL. */
  char *(*make_url) (VtServerSession *session, VtForward *forward, void *user_data);
  /* Its names are free again: nobody else comes by them. */
  void (*names_released) (VtServerSession *session, VtForward *forward, void *user_data);
  void (*stream_opened) (VtServerSession *session, VtStream *stream, void *user_data);
  void (*stream_closed) (VtServerSession *session, VtStream *stream, const GError *error,
                         void *user_data);
  /* The last event; the owner frees the session in it or later. */
  void (*closed) (VtServerSession *session, const GError *error, void *user_data);
} VtServerSessionHandlers;

/* Nothing in it is owned; it is needed during the call only. */
typedef struct {
  const char          *user;         /* as whom the client is known, nullable */
  const char          *bind_address; /* "localhost" is both loopbacks */
  const char *const   *addresses;    /* further places to choose from, nullable */
  unsigned int         max_forwards;
  unsigned int         max_accept_rate; /* users a second, of each port; 0: any */
  VtHostTable         *hosts;       /* outlives the session */
  VtTrunkConfig        trunk;
  const VtCredentials *credentials; /* of v2, else NULL */
  VtCounters          *counters;    /* which it keeps */
} VtServerSessionConfig;

/* Takes the link, and with v2 welcomes the client. */
VtServerSession *vt_server_session_new (VtLink                        *link,
                                        GSocketAddress                *client,
                                        const VtServerSessionConfig   *config,
                                        const VtServerSessionHandlers *handlers,
                                        void                          *user_data);
void       vt_server_session_free (VtServerSession *self);
VtSession *vt_server_session_get_session (VtServerSession *self);
/* NULL of v1. */
const VtCredentials *vt_server_session_get_credentials (VtServerSession *self);

/* Fills in what there is to be seen of it. */
void vt_server_session_report (VtServerSession *self, VtReportSession *report);

/* Whether a client could come back to it now, or after it has lost its link. */
gboolean vt_server_session_is_resumable (VtServerSession *self);
gboolean vt_server_session_is_suspended (VtServerSession *self);
/* FALSE if a later attempt of the client's was here before. 0 is of one that does not count. */
gboolean vt_server_session_is_latest_attempt (VtServerSession *self, guint64 attempt);
/* Takes the link, and welcomes the client back, whose greeting is given. */
void vt_server_session_resume (VtServerSession *self,
                               VtLink          *link,
                               GSocketAddress  *client,
                               const VtControl *hello);

/* Whether its ports keep this one from being opened there. */
gboolean vt_server_session_has_port (VtServerSession *self, const char *address, guint16 port);
/* Opens a stream for a user who came by a host name. Whoever it is given to drives it, and says by
 * vt_stream_finish () when it is over. NULL with VT_ERROR. Anything may end in it. */
VtStream *vt_server_session_open_for_user (VtServerListen *listen,
                                           GSocketAddress *remote,
                                           GSocketAddress *local,
                                           GError        **error);
/* The same, where all of the user's connection is one stream's. Takes the descriptor. `begun` is
 * nullable: what the user has sent already. */
void vt_server_session_add_user (VtServerListen *listen,
                                 int             fd,
                                 GSocketAddress *remote,
                                 GSocketAddress *local,
                                 GByteArray     *begun);
/* Seconds, at least 1, that a suspended one has left. */
unsigned int vt_server_session_get_remaining (VtServerSession *self);

/* A closing handshake, with VT_ERROR_SHUTTING_DOWN for the streams if the code is 1001. */
void vt_server_session_close (VtServerSession *self, unsigned int code, const char *reason);
/* Ends a suspended one, and tells `closed` before it returns. */
void vt_server_session_abandon (VtServerSession *self, const GError *error);
/* Closes the ports and tells the client, which has so many seconds; closes the session once it has
 * no streams any more. */
void vt_server_session_drain (VtServerSession *self, unsigned int timeout);
