/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vt-server-session-private.h"

/* Shared by vt-server-session.c (its life and its streams) and vt-server-session-ports.c. An
 * application can let go of its server in any handler, and with it of this session, while a
 * function here is still to return. So it is reference-counted, and without a trunk it is over. */
struct _VtServerSession {
  VtServerSessionHandlers handlers;
  void *user_data;
  char *bind_address; /* owned */
  char **addresses;   /* owned, nullable */
  unsigned int max_forwards;
  VtControlLimits limits; /* of this side, which every welcome says */
  gint64 resume_timeout;  /* microseconds */
  VtCredentials credentials; /* owned, of v2 */
  guint64 attempt;           /* the client's latest */
  gboolean draining;
  VtTrunk *trunk;     /* owned, NULL once the session is over */
  VtSession *session; /* owned */
  GHashTable *ports;  /* owned, of ports by id of the listen */
  GQueue users;       /* of users, by their own links */
};

static inline VtServerSession *
vt_server_session_ref (VtServerSession *self)
{
  return g_rc_box_acquire (self);
}

void vt_server_session_unref (VtServerSession *self);

/* NULL once it is closing. */
VtMux *vt_server_session_get_mux (VtServerSession *self);

/* Somebody connected to the port of a listen. Takes the descriptor. */
void vt_server_session_add_user (VtServerSession *self,
                                 guint32          id,
                                 VtForward       *forward,
                                 int              fd,
                                 GSocketAddress  *remote,
                                 GSocketAddress  *local);

GHashTable *vt_server_session_new_ports (void);
/* As in VtTrunkHandlers. */
void vt_server_session_listen_requested_cb (guint32            id,
                                            const VtMuxListen *listen,
                                            void              *user_data);
void vt_server_session_unlistened_cb (guint32 id, void *user_data);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtServerSession, vt_server_session_unref)
