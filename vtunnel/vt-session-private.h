/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <vtunnel/vt-session.h>

#include "vt-list-private.h"

typedef void (*VtSessionCloseFunc) (VtSession *session, void *user_data);

/* What users see of a connected client; the server's side of the work is in vt-server-session.c,
 * which owns the lists' items. `close_func` is called by vt_session_close (), and by nobody after
 * vt_session_detach (). `user` may be NULL. */
VtSession *vt_session_new (const char        *user,
                           GSocketAddress    *client_address,
                           unsigned int       protocol,
                           VtSessionCloseFunc close_func,
                           void              *user_data);
void    vt_session_detach (VtSession *self);
VtList *vt_session_get_forward_list (VtSession *self);
VtList *vt_session_get_stream_list (VtSession *self);
void    vt_session_set_connected (VtSession *self, gboolean connected);
/* The client came back, from there. */
void    vt_session_note_resumed (VtSession *self, GSocketAddress *client_address);
void    vt_session_set_rtt (VtSession *self, gint64 rtt);
