/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#if !defined(VTUNNEL_INSIDE) && !defined(VTUNNEL_COMPILATION)
#error "Only <vtunnel/vtunnel.h> can be included directly."
#endif

#include <gio/gio.h>
#include <vtunnel/vt-version.h>

G_BEGIN_DECLS

#define VT_TYPE_ACCESS (vt_access_get_type ())
VT_EXTERN
G_DECLARE_FINAL_TYPE (VtAccess, vt_access, VT, ACCESS, GObject)

VT_EXTERN
VtAccess *vt_access_new_for_file (const char *path, GError **error);
VT_EXTERN
VtAccess *vt_access_new_from_data (const char *text, gssize length, GError **error);

VT_EXTERN
const char *vt_access_get_path (VtAccess *self);
VT_EXTERN
char **vt_access_list_names (VtAccess *self);
VT_EXTERN
gboolean vt_access_reload (VtAccess *self, GError **error);
VT_EXTERN
gboolean vt_access_replace (VtAccess *self, const char *text, gssize length, GError **error);

VT_EXTERN
char *vt_access_create_token (const char *name, char **hash, GError **error);

G_END_DECLS
