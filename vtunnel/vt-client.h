/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#if !defined(VTUNNEL_INSIDE) && !defined(VTUNNEL_COMPILATION)
#error "Only <vtunnel/vtunnel.h> can be included directly."
#endif

#include <libsoup/soup.h>
#include <vtunnel/vt-forward.h>

G_BEGIN_DECLS

typedef enum {
  VT_CLIENT_STATE_CLOSED,
  VT_CLIENT_STATE_CONNECTING,
  VT_CLIENT_STATE_OPEN,
  VT_CLIENT_STATE_RECONNECTING,
  VT_CLIENT_STATE_CLOSING,
} VtClientState;

#define VT_TYPE_CLIENT (vt_client_get_type ())
VT_EXTERN
G_DECLARE_FINAL_TYPE (VtClient, vt_client, VT, CLIENT, GObject)

VT_EXTERN
VtClient *vt_client_new (const char *uri);

VT_EXTERN
const char *vt_client_get_uri (VtClient *self);
VT_EXTERN
VtClientState vt_client_get_state (VtClient *self);
VT_EXTERN
const GError *vt_client_get_error (VtClient *self);
VT_EXTERN
unsigned int vt_client_get_ping_interval (VtClient *self);
VT_EXTERN
void vt_client_set_ping_interval (VtClient *self, unsigned int seconds);
VT_EXTERN
unsigned int vt_client_get_ping_timeout (VtClient *self);
VT_EXTERN
void vt_client_set_ping_timeout (VtClient *self, unsigned int seconds);
VT_EXTERN
SoupSession *vt_client_get_soup_session (VtClient *self);
VT_EXTERN
void vt_client_set_soup_session (VtClient *self, SoupSession *session);
VT_EXTERN
void vt_client_set_token (VtClient *self, const char *token);
VT_EXTERN
const char *const *vt_client_get_pins (VtClient *self);
VT_EXTERN
gboolean vt_client_set_pins (VtClient *self, const char *const *pins, GError **error);
VT_EXTERN
GTlsCertificate *vt_client_get_tls_certificate (VtClient *self);
VT_EXTERN
void vt_client_set_tls_certificate (VtClient *self, GTlsCertificate *certificate);
VT_EXTERN
void vt_client_set_header (VtClient *self, const char *name, const char *value);
VT_EXTERN
unsigned int vt_client_get_max_protocol (VtClient *self);
VT_EXTERN
void vt_client_set_max_protocol (VtClient *self, unsigned int version);
VT_EXTERN
gboolean vt_client_get_reconnect (VtClient *self);
VT_EXTERN
void vt_client_set_reconnect (VtClient *self, gboolean reconnect);
VT_EXTERN
double vt_client_get_reconnect_min (VtClient *self);
VT_EXTERN
void vt_client_set_reconnect_min (VtClient *self, double seconds);
VT_EXTERN
double vt_client_get_reconnect_max (VtClient *self);
VT_EXTERN
void vt_client_set_reconnect_max (VtClient *self, double seconds);
VT_EXTERN
gboolean vt_client_get_retry_first (VtClient *self);
VT_EXTERN
void vt_client_set_retry_first (VtClient *self, gboolean retry_first);
VT_EXTERN
gint64 vt_client_get_next_retry (VtClient *self);
VT_EXTERN
unsigned int vt_client_get_n_resumed (VtClient *self);
VT_EXTERN
unsigned int vt_client_get_protocol (VtClient *self);
VT_EXTERN
gint64 vt_client_get_rtt (VtClient *self);
VT_EXTERN
gint64 vt_client_get_last_seen (VtClient *self);
VT_EXTERN
GListModel *vt_client_get_forwards (VtClient *self);
VT_EXTERN
GListModel *vt_client_get_streams (VtClient *self);

VT_EXTERN
void vt_client_open_async (VtClient           *self,
                           GCancellable       *cancellable,
                           GAsyncReadyCallback callback,
                           gpointer            user_data);
VT_EXTERN
gboolean vt_client_open_finish (VtClient *self, GAsyncResult *result, GError **error);
VT_EXTERN
void vt_client_close_async (VtClient           *self,
                            GCancellable       *cancellable,
                            GAsyncReadyCallback callback,
                            gpointer            user_data);
VT_EXTERN
gboolean vt_client_close_finish (VtClient *self, GAsyncResult *result, GError **error);
VT_EXTERN
void vt_client_retry_now (VtClient *self);
VT_EXTERN
void vt_client_listen_async (VtClient           *self,
                             VtForward          *forward,
                             GCancellable       *cancellable,
                             GAsyncReadyCallback callback,
                             gpointer            user_data);
VT_EXTERN
gboolean vt_client_listen_finish (VtClient *self, GAsyncResult *result, GError **error);
VT_EXTERN
void vt_client_unlisten_async (VtClient           *self,
                               VtForward          *forward,
                               GCancellable       *cancellable,
                               GAsyncReadyCallback callback,
                               gpointer            user_data);
VT_EXTERN
gboolean vt_client_unlisten_finish (VtClient *self, GAsyncResult *result, GError **error);

G_END_DECLS
