/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <stdint.h>

#include <vtunnel/vt-forward.h>

/* What becomes of the heads of a connection's requests on their way to the target. Pure. */
typedef struct {
  char              *host;      /* owned; NULL: the Host header stays */
  VtForwardedHeaders forwarded; /* which headers tell of the user */
  char              *user;      /* owned: an address, or "unknown" */
} VtHeadChanges;

/* `host` and `user` are nullable. NULL if nothing would change. */
VtHeadChanges *vt_head_changes_new (const char        *host,
                                    VtForwardedHeaders forwarded,
                                    GSocketAddress    *user);
/* The same, as the settings of a forward have it. */
VtHeadChanges *vt_head_changes_new_for_forward (VtForward *forward, GSocketAddress *user);
void           vt_head_changes_free (VtHeadChanges *self);

/* What one head says already, of what is to be changed: as with other proxies it stays, and what
 * this one knows is added behind it. To be zeroed but for `changes`, and to be cleared. */
typedef struct {
  const VtHeadChanges *changes;         /* not owned */
  GString             *x_forwarded_for; /* owned, NULL if there is none */
  GString             *forwarded;       /* owned, NULL if there is none that can be read */
  char                *host;            /* owned, NULL if there is none */
  gboolean             has_proto;
  gboolean             has_host;
  gboolean             upgrades; /* what follows the request may be another protocol */
} VtHeadRecord;

void vt_head_record_clear (VtHeadRecord *self);

/* A field of the head, its value with all its lines. FALSE if it is not to be written: it comes
 * with what is added, or would only be taken for that. */
gboolean vt_head_record_take (VtHeadRecord *self,
                              const char   *name,
                              size_t        name_length,
                              const char   *value,
                              size_t        value_length);
/* The fields that are added. */
void vt_head_record_write (VtHeadRecord *self, const char *line_end, GByteArray *output);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtHeadChanges, vt_head_changes_free)
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (VtHeadRecord, vt_head_record_clear)
