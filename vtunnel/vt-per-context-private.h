/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <glib.h>

/* What there is one of for each main context, as long as somebody holds it. Found, referenced and
 * dropped from any thread. An object begins with this. */
typedef struct {
  int           ref_count; /* atomic */
  GMainContext *context;   /* owned; NULL for one that is never found */
} VtPerContext;

/* A kind of such objects, which is static. */
typedef struct {
  VtPerContext *(*create) (GMainContext *context);
  void (*free) (VtPerContext *self);
  GHashTable *objects; /* owned, from contexts (not owned) to their objects (not owned) */
} VtPerContextKind;

/* What `create` begins with: zeroed memory, one reference. `context` may be NULL. */
void *vt_per_context_alloc (size_t size, GMainContext *context);
/* What `free` ends with. */
void vt_per_context_dealloc (VtPerContext *self);

/* The object of a context (NULL: the thread-default one), a new reference. */
void *vt_per_context_get (VtPerContextKind *kind, GMainContext *context);
void *vt_per_context_ref (VtPerContext *self);
void  vt_per_context_unref (VtPerContextKind *kind, VtPerContext *self);
