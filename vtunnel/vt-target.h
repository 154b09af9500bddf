/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#if !defined(VTUNNEL_INSIDE) && !defined(VTUNNEL_COMPILATION)
#error "Only <vtunnel/vtunnel.h> can be included directly."
#endif

#include <gio/gio.h>
#include <vtunnel/vt-version.h>

G_BEGIN_DECLS

#define VT_TYPE_TARGET (vt_target_get_type ())

typedef struct _VtTarget VtTarget;

typedef enum {
  VT_TARGET_TCP,
  VT_TARGET_UNIX,
  VT_TARGET_TLS,
} VtTargetKind;

VT_EXTERN
GType vt_target_get_type (void) G_GNUC_CONST;

VT_EXTERN
VtTarget *vt_target_parse (const char *text, GError **error);
VT_EXTERN
VtTarget *vt_target_ref (VtTarget *self);
VT_EXTERN
void vt_target_unref (VtTarget *self);
VT_EXTERN
VtTargetKind vt_target_get_kind (VtTarget *self);
VT_EXTERN
const char *vt_target_get_host (VtTarget *self);
VT_EXTERN
guint16 vt_target_get_port (VtTarget *self);
VT_EXTERN
const char *vt_target_get_path (VtTarget *self);
VT_EXTERN
char *vt_target_to_string (VtTarget *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtTarget, vt_target_unref)

G_END_DECLS
