/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* A GListModel that adds, removes and finds in logarithmic time (g_list_store_find () is linear).
 * It holds its items weakly: an item is removed by its owner, and at the latest when it is
 * disposed of. */
#define VT_TYPE_LIST (vt_list_get_type ())
G_DECLARE_FINAL_TYPE (VtList, vt_list, VT, LIST, GObject)

VtList  *vt_list_new (GType item_type);
void     vt_list_append (VtList *self, gpointer item);
gboolean vt_list_remove (VtList *self, gpointer item);
gboolean vt_list_contains (VtList *self, gpointer item);
unsigned int vt_list_get_length (VtList *self);

G_END_DECLS
