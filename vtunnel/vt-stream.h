/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#if !defined(VTUNNEL_INSIDE) && !defined(VTUNNEL_COMPILATION)
#error "Only <vtunnel/vtunnel.h> can be included directly."
#endif

#include <gio/gio.h>
#include <vtunnel/vt-forward.h>

G_BEGIN_DECLS

#define VT_TYPE_STREAM (vt_stream_get_type ())
VT_EXTERN
G_DECLARE_FINAL_TYPE (VtStream, vt_stream, VT, STREAM, GIOStream)

VT_EXTERN
unsigned int vt_stream_get_id (VtStream *self);
VT_EXTERN
VtForward *vt_stream_get_forward (VtStream *self);
VT_EXTERN
GSocketAddress *vt_stream_get_user_address (VtStream *self);
VT_EXTERN
GDateTime *vt_stream_get_opened_at (VtStream *self);
VT_EXTERN
guint64 vt_stream_get_bytes_sent (VtStream *self);
VT_EXTERN
guint64 vt_stream_get_bytes_received (VtStream *self);
VT_EXTERN
const GError *vt_stream_get_error (VtStream *self);

G_END_DECLS
