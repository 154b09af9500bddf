/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#if !defined(VTUNNEL_INSIDE) && !defined(VTUNNEL_COMPILATION)
#error "Only <vtunnel/vtunnel.h> can be included directly."
#endif

#include <gio/gio.h>
#include <vtunnel/vt-target.h>

G_BEGIN_DECLS

typedef enum {
  VT_FORWARD_STATE_IDLE,
  VT_FORWARD_STATE_PENDING,
  VT_FORWARD_STATE_LISTENING,
  VT_FORWARD_STATE_FAILED,
  VT_FORWARD_STATE_TARGET_DOWN,
} VtForwardState;

typedef enum {
  VT_LISTEN_KIND_PORT,
  VT_LISTEN_KIND_NONE,
  VT_LISTEN_KIND_HTTP,
} VtListenKind;

typedef enum {
  VT_HOST_HEADER_AUTO,
  VT_HOST_HEADER_KEEP,
  VT_HOST_HEADER_REPLACE,
} VtHostHeaderMode;

typedef enum {
  VT_FORWARDED_HEADERS_NONE = 0,
  VT_FORWARDED_HEADERS_X_FORWARDED = 1 << 0,
  VT_FORWARDED_HEADERS_FORWARDED = 1 << 1,
} VtForwardedHeaders;

#define VT_TYPE_FORWARD (vt_forward_get_type ())
VT_EXTERN
G_DECLARE_FINAL_TYPE (VtForward, vt_forward, VT, FORWARD, GObject)

VT_EXTERN
VtForward *vt_forward_new (guint16 listen_port, VtTarget *target);
VT_EXTERN
GPtrArray *vt_forward_parse (const char *text, GError **error);

VT_EXTERN
VtListenKind vt_forward_get_listen_kind (VtForward *self);
VT_EXTERN
void vt_forward_set_listen_kind (VtForward *self, VtListenKind kind);
VT_EXTERN
const char *vt_forward_get_name (VtForward *self);
VT_EXTERN
void vt_forward_set_name (VtForward *self, const char *name);
VT_EXTERN
const char *const *vt_forward_get_host_names (VtForward *self);
VT_EXTERN
gboolean vt_forward_set_host_names (VtForward *self, const char *const *names, GError **error);
VT_EXTERN
const char *vt_forward_get_listen_address (VtForward *self);
VT_EXTERN
void vt_forward_set_listen_address (VtForward *self, const char *address);
VT_EXTERN
guint16 vt_forward_get_listen_port (VtForward *self);
VT_EXTERN
guint16 vt_forward_get_bound_port (VtForward *self);
VT_EXTERN
const char *vt_forward_get_url (VtForward *self);
VT_EXTERN
VtTarget *vt_forward_get_target (VtForward *self);
VT_EXTERN
VtHostHeaderMode vt_forward_get_host_header_mode (VtForward *self);
VT_EXTERN
void vt_forward_set_host_header_mode (VtForward *self, VtHostHeaderMode mode);
VT_EXTERN
const char *vt_forward_get_host_header (VtForward *self);
VT_EXTERN
void vt_forward_set_host_header (VtForward *self, const char *host);
VT_EXTERN
unsigned int vt_forward_get_proxy_protocol (VtForward *self);
VT_EXTERN
void vt_forward_set_proxy_protocol (VtForward *self, unsigned int version);
VT_EXTERN
VtForwardedHeaders vt_forward_get_forwarded_headers (VtForward *self);
VT_EXTERN
void vt_forward_set_forwarded_headers (VtForward *self, VtForwardedHeaders headers);
VT_EXTERN
gboolean vt_forward_get_http (VtForward *self);
VT_EXTERN
void vt_forward_set_http (VtForward *self, gboolean http);
VT_EXTERN
unsigned int vt_forward_get_health_interval (VtForward *self);
VT_EXTERN
void vt_forward_set_health_interval (VtForward *self, unsigned int interval);
VT_EXTERN
VtForwardState vt_forward_get_state (VtForward *self);
VT_EXTERN
const GError *vt_forward_get_error (VtForward *self);
VT_EXTERN
unsigned int vt_forward_get_n_streams (VtForward *self);
VT_EXTERN
guint64 vt_forward_get_bytes_sent (VtForward *self);
VT_EXTERN
guint64 vt_forward_get_bytes_received (VtForward *self);
VT_EXTERN
char *vt_forward_to_string (VtForward *self);

G_END_DECLS
