/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <vtunnel/vt-forward.h>
#include <vtunnel/vt-session.h>

#include "vt-list-private.h"

/* What an application asks of a session. */
typedef struct {
  void (*close) (VtSession *session, void *user_data);
  /* Answers the task, now or later: with a VtStream, or an error. `address` is nullable. */
  void (*open_stream) (VtSession *session, VtForward *forward, GSocketAddress *address,
                       GTask *task, void *user_data);
} VtSessionHandlers;

/* What users see of a connected client; the server's side of the work is in vt-server-session.c,
 * which owns the lists' items. Its handlers are static, and called by nobody after
 * vt_session_detach (). `user` may be NULL. */
VtSession *vt_session_new (const char              *user,
                           GSocketAddress          *client_address,
                           unsigned int             protocol,
                           const VtSessionHandlers *handlers,
                           void                    *user_data);
void    vt_session_detach (VtSession *self);
/* See VtSessionHandlers; a session that is over answers by itself. */
void    vt_session_request_stream (VtSession      *self,
                                   VtForward      *forward,
                                   GSocketAddress *address,
                                   GTask          *task);
VtList *vt_session_get_forward_list (VtSession *self);
VtList *vt_session_get_stream_list (VtSession *self);
void    vt_session_set_connected (VtSession *self, gboolean connected);
/* The client came back, from there. */
void    vt_session_note_resumed (VtSession *self, GSocketAddress *client_address);
void    vt_session_set_rtt (VtSession *self, gint64 rtt);
