/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vt-server-session-private.h"

/* What somebody has seen, and what has become of it since then: a rate is known from the second
 * look on. Whoever looks again within a second sees the same. */
typedef struct {
  gint64  at; /* microseconds, monotonic; 0: nobody has looked */
  guint64 sent;
  guint64 received;
  double  rate_sent; /* bytes a second, VT_REPORT_NO_RATE */
  double  rate_received;
} VtServerSessionLook;

/* Shared by vt-server-session.c (its life and its users), vt-server-session-ports.c,
 * vt-server-session-names.c (users by host name), and
 * vt-server-session-streams.c (those that the application opens). An
 * application can let go of its server in any handler, and with it of this session, while a
 * function here is still to return. So it is reference-counted, and without a trunk it is over. */
struct _VtServerSession {
  VtServerSessionHandlers handlers;
  void *user_data;
  char *bind_address; /* owned */
  char **addresses;   /* owned, nullable */
  VtHostTable *hosts; /* not owned */
  unsigned int max_forwards;
  unsigned int max_accept_rate;
  gboolean crowded; /* too many users wait for the client's answer: the ports accept nobody */
  VtControlLimits limits; /* of this side, which every welcome says */
  gint64 resume_timeout;  /* microseconds */
  VtCredentials credentials; /* owned, of v2 */
  guint64 attempt;           /* the client's latest */
  gboolean draining;
  VtTrunk *trunk;     /* owned, NULL once the session is over */
  VtSession *session; /* owned */
  GHashTable *ports;  /* owned, of ports by id of the listen */
  GQueue users;       /* of users, by their own links */
  GQueue visitors;    /* of those who came by a host name, by their own links */
  GQueue streams;     /* of the application's own, by their own links */
  VtCounters *counters; /* owned, shared with the server */
  gint64 opened_at;     /* microseconds of Unix time */
  guint64 over_sent;    /* bytes of its streams that are over: into the tunnel, … */
  guint64 over_received;
  VtServerSessionLook look; /* what was seen last */
  unsigned int n_outgoing; /* of those, and of those that are closed and still on their way */
};

static inline VtServerSession *
vt_server_session_ref (VtServerSession *self)
{
  return g_rc_box_acquire (self);
}

void vt_server_session_unref (VtServerSession *self);

/* A stream of it is over, and leaves the lists. */
void vt_server_session_note_over (VtServerSession *self, VtStream *stream, const GError *error);

/* NULL once it is closing. */
VtMux *vt_server_session_get_mux (VtServerSession *self);

/* All names of the forward, or none: FALSE with VT_ERROR_ADDRESS_IN_USE. */
gboolean vt_server_session_claim_names (VtServerSession *self,
                                        VtServerListen  *listen,
                                        unsigned int    *retry_after,
                                        GError         **error);
void     vt_server_session_release_names (VtServerSession *self, VtServerListen *listen);
/* Those whose streams are over have only to write the rest, which needs no client. */
void vt_server_session_leave_visitors (VtServerSession *self, gboolean tell);

GHashTable *vt_server_session_new_ports (void);
/* FALSE with VT_ERROR_SHUTTING_DOWN if it opens nothing any more: what it was given from outside,
 * handlers included, may be gone. */
gboolean vt_server_session_check_staying (VtServerSession *self, GError **error);
/* As in VtTrunkHandlers. */
void vt_server_session_listen_requested_cb (guint32            id,
                                            const VtMuxListen *listen,
                                            void              *user_data);
void vt_server_session_unlistened_cb (guint32 id, void *user_data);
void vt_server_session_crowded_cb (gboolean crowded, void *user_data);
/* The id of its listen, or 0, which no listen has. */
guint32 vt_server_session_find_port (VtServerSession *self, VtForward *forward);

/* Closes a session that drains once it has no streams any more. */
void vt_server_session_end_if_drained (VtServerSession *self);

/* As in VtSessionHandlers. */
void vt_server_session_open_stream_cb (VtSession      *session,
                                       VtForward      *forward,
                                       GSocketAddress *address,
                                       GTask          *task,
                                       void           *user_data);
/* What the mux has ended needs nothing more. `error` is nullable after the end of the trunk. */
void vt_server_session_abort_streams (VtServerSession *self, const GError *error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtServerSession, vt_server_session_unref)
