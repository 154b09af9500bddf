/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#if !defined(VTUNNEL_INSIDE) && !defined(VTUNNEL_COMPILATION)
#error "Only <vtunnel/vtunnel.h> can be included directly."
#endif

#include <gio/gio.h>
#include <vtunnel/vt-forward.h>
#include <vtunnel/vt-stream.h>

G_BEGIN_DECLS

#define VT_TYPE_SESSION (vt_session_get_type ())
VT_EXTERN
G_DECLARE_FINAL_TYPE (VtSession, vt_session, VT, SESSION, GObject)

VT_EXTERN
const char *vt_session_get_id (VtSession *self);
VT_EXTERN
const char *vt_session_get_user (VtSession *self);
VT_EXTERN
GSocketAddress *vt_session_get_client_address (VtSession *self);
VT_EXTERN
unsigned int vt_session_get_protocol (VtSession *self);
VT_EXTERN
gboolean vt_session_get_connected (VtSession *self);
VT_EXTERN
unsigned int vt_session_get_n_resumed (VtSession *self);
VT_EXTERN
gint64 vt_session_get_rtt (VtSession *self);
VT_EXTERN
GListModel *vt_session_get_forwards (VtSession *self);
VT_EXTERN
GListModel *vt_session_get_streams (VtSession *self);
VT_EXTERN
void vt_session_open_stream_async (VtSession          *self,
                                   VtForward          *forward,
                                   GSocketAddress     *user_address,
                                   GCancellable       *cancellable,
                                   GAsyncReadyCallback callback,
                                   gpointer            user_data);
VT_EXTERN
VtStream *vt_session_open_stream_finish (VtSession *self, GAsyncResult *result, GError **error);
VT_EXTERN
void vt_session_close (VtSession *self);

G_END_DECLS
