/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#if !defined(VTUNNEL_INSIDE) && !defined(VTUNNEL_COMPILATION)
#error "Only <vtunnel/vtunnel.h> can be included directly."
#endif

#include <libsoup/soup.h>
#include <vtunnel/vt-access.h>
#include <vtunnel/vt-version.h>

G_BEGIN_DECLS

#define VT_TYPE_SERVER (vt_server_get_type ())
VT_EXTERN
G_DECLARE_FINAL_TYPE (VtServer, vt_server, VT, SERVER, GObject)

VT_EXTERN
VtServer *vt_server_new (void);

VT_EXTERN
gboolean vt_server_listen (VtServer *self, const char *address, guint16 port, GError **error);
VT_EXTERN
gboolean vt_server_listen_socket (VtServer *self, GSocket *socket, GError **error);
VT_EXTERN
guint16 *vt_server_get_ports (VtServer *self, size_t *n_ports);
VT_EXTERN
gboolean vt_server_listen_http (VtServer *self, const char *address, guint16 port, GError **error);
VT_EXTERN
guint16 *vt_server_get_http_ports (VtServer *self, size_t *n_ports);
VT_EXTERN
gboolean vt_server_listen_status (VtServer   *self,
                                  const char *address,
                                  guint16     port,
                                  GError    **error);
VT_EXTERN
guint16 *vt_server_get_status_ports (VtServer *self, size_t *n_ports);
VT_EXTERN
char *vt_server_dup_metrics (VtServer *self);
VT_EXTERN
void vt_server_attach (VtServer *self, SoupServer *server, const char *path);
VT_EXTERN
void vt_server_handle_connection (VtServer *self, SoupWebsocketConnection *connection);

VT_EXTERN
const char *vt_server_get_path (VtServer *self);
VT_EXTERN
void vt_server_set_path (VtServer *self, const char *path);
VT_EXTERN
const char *vt_server_get_bind_address (VtServer *self);
VT_EXTERN
void vt_server_set_bind_address (VtServer *self, const char *address);
VT_EXTERN
const char *vt_server_get_allowed_ports (VtServer *self);
VT_EXTERN
gboolean vt_server_set_allowed_ports (VtServer *self, const char *ranges, GError **error);
VT_EXTERN
const char *vt_server_get_http_url (VtServer *self);
VT_EXTERN
gboolean vt_server_set_http_url (VtServer *self, const char *pattern, GError **error);
VT_EXTERN
const char *const *vt_server_get_allowed_names (VtServer *self);
VT_EXTERN
gboolean vt_server_set_allowed_names (VtServer          *self,
                                      const char *const *patterns,
                                      GError           **error);
VT_EXTERN
const char *vt_server_get_proxy_protocol_ports (VtServer *self);
VT_EXTERN
gboolean vt_server_set_proxy_protocol_ports (VtServer *self, const char *ranges, GError **error);
VT_EXTERN
const char *const *vt_server_get_allowed_origins (VtServer *self);
VT_EXTERN
void vt_server_set_allowed_origins (VtServer *self, const char *const *origins);
VT_EXTERN
VtAccess *vt_server_get_access (VtServer *self);
VT_EXTERN
void vt_server_set_access (VtServer *self, VtAccess *access);
VT_EXTERN
const char *const *vt_server_get_trusted_proxies (VtServer *self);
VT_EXTERN
gboolean vt_server_set_trusted_proxies (VtServer          *self,
                                        const char *const *proxies,
                                        GError           **error);
VT_EXTERN
gboolean vt_server_get_allow_anonymous (VtServer *self);
VT_EXTERN
void vt_server_set_allow_anonymous (VtServer *self, gboolean allow);
VT_EXTERN
gboolean vt_server_get_allow_streams (VtServer *self);
VT_EXTERN
void vt_server_set_allow_streams (VtServer *self, gboolean allow);
VT_EXTERN
GTlsCertificate *vt_server_get_tls_certificate (VtServer *self);
VT_EXTERN
void vt_server_set_tls_certificate (VtServer *self, GTlsCertificate *certificate);
VT_EXTERN
GTlsDatabase *vt_server_get_client_authorities (VtServer *self);
VT_EXTERN
void vt_server_set_client_authorities (VtServer *self, GTlsDatabase *authorities);
VT_EXTERN
unsigned int vt_server_get_ping_interval (VtServer *self);
VT_EXTERN
void vt_server_set_ping_interval (VtServer *self, unsigned int seconds);
VT_EXTERN
unsigned int vt_server_get_ping_timeout (VtServer *self);
VT_EXTERN
void vt_server_set_ping_timeout (VtServer *self, unsigned int seconds);
VT_EXTERN
unsigned int vt_server_get_resume_timeout (VtServer *self);
VT_EXTERN
void vt_server_set_resume_timeout (VtServer *self, unsigned int seconds);
VT_EXTERN
unsigned int vt_server_get_max_sessions (VtServer *self);
VT_EXTERN
void vt_server_set_max_sessions (VtServer *self, unsigned int max);
VT_EXTERN
unsigned int vt_server_get_max_forwards (VtServer *self);
VT_EXTERN
void vt_server_set_max_forwards (VtServer *self, unsigned int max);
VT_EXTERN
unsigned int vt_server_get_max_streams (VtServer *self);
VT_EXTERN
void vt_server_set_max_streams (VtServer *self, unsigned int max);
VT_EXTERN
unsigned int vt_server_get_max_head_size (VtServer *self);
VT_EXTERN
void vt_server_set_max_head_size (VtServer *self, unsigned int bytes);
VT_EXTERN
unsigned int vt_server_get_request_timeout (VtServer *self);
VT_EXTERN
void vt_server_set_request_timeout (VtServer *self, unsigned int seconds);
VT_EXTERN
unsigned int vt_server_get_max_message_size (VtServer *self);
VT_EXTERN
void vt_server_set_max_message_size (VtServer *self, unsigned int bytes);
VT_EXTERN
unsigned int vt_server_get_max_json_depth (VtServer *self);
VT_EXTERN
void vt_server_set_max_json_depth (VtServer *self, unsigned int levels);
VT_EXTERN
unsigned int vt_server_get_max_window (VtServer *self);
VT_EXTERN
void vt_server_set_max_window (VtServer *self, unsigned int bytes);
VT_EXTERN
unsigned int vt_server_get_max_opening (VtServer *self);
VT_EXTERN
void vt_server_set_max_opening (VtServer *self, unsigned int max);
VT_EXTERN
unsigned int vt_server_get_max_accept_rate (VtServer *self);
VT_EXTERN
void vt_server_set_max_accept_rate (VtServer *self, unsigned int max);
VT_EXTERN
guint64 vt_server_get_max_buffer (VtServer *self);
VT_EXTERN
void vt_server_set_max_buffer (VtServer *self, guint64 bytes);
VT_EXTERN
unsigned int vt_server_get_max_reset_rate (VtServer *self);
VT_EXTERN
void vt_server_set_max_reset_rate (VtServer *self, unsigned int max);
VT_EXTERN
unsigned int vt_server_get_max_ping_rate (VtServer *self);
VT_EXTERN
void vt_server_set_max_ping_rate (VtServer *self, unsigned int max);
VT_EXTERN
unsigned int vt_server_get_max_control_rate (VtServer *self);
VT_EXTERN
void vt_server_set_max_control_rate (VtServer *self, unsigned int max);
VT_EXTERN
unsigned int vt_server_get_max_sessions_per_address (VtServer *self);
VT_EXTERN
void vt_server_set_max_sessions_per_address (VtServer *self, unsigned int max);
VT_EXTERN
unsigned int vt_server_get_max_protocol (VtServer *self);
VT_EXTERN
void vt_server_set_max_protocol (VtServer *self, unsigned int version);
VT_EXTERN
GListModel *vt_server_get_sessions (VtServer *self);

VT_EXTERN
void vt_server_drain_async (VtServer           *self,
                            unsigned int        timeout,
                            GCancellable       *cancellable,
                            GAsyncReadyCallback callback,
                            gpointer            user_data);
VT_EXTERN
gboolean vt_server_drain_finish (VtServer *self, GAsyncResult *result, GError **error);
VT_EXTERN
void vt_server_close_async (VtServer           *self,
                            GCancellable       *cancellable,
                            GAsyncReadyCallback callback,
                            gpointer            user_data);
VT_EXTERN
gboolean vt_server_close_finish (VtServer *self, GAsyncResult *result, GError **error);

G_END_DECLS
