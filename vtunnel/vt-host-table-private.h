/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <glib.h>

/* Which host name belongs to whom. An owner is a pointer that is handed back, never followed. Pure:
 * it tells nobody. */
typedef struct _VtHostTable VtHostTable;

VtHostTable *vt_host_table_new (void);
void         vt_host_table_free (VtHostTable *self);

/* Takes normalized patterns (NULL-terminated) for `owner`: all of them, or none. NULL if that was
 * done, or else the first that somebody has, be it `owner`: one of `patterns`. */
const char *vt_host_table_claim (VtHostTable *self, const char *const *patterns, void *owner);
/* Takes them back that are `owner`'s. */
void vt_host_table_release (VtHostTable *self, const char *const *patterns, void *owner);

/* Who has exactly this pattern, or NULL. */
void *vt_host_table_get_owner (VtHostTable *self, const char *pattern);
/* Whose this name is: who has it, or the longest wildcard above it, or NULL. */
void *vt_host_table_find (VtHostTable *self, const char *name);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtHostTable, vt_host_table_free)
