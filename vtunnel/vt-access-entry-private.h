/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vt-access-token-private.h"
#include "vt-port-ranges-private.h"

/* One client of an access file: how it shows that it is this one, and what it may do. Filled in by
 * whoever makes it, and never changed afterwards; reference-counted. */
typedef struct {
  char         *name;       /* owned */
  GArray       *hashes;     /* owned, of VtAccessHash, at most VT_ACCESS_MAX_TOKENS */
  gboolean      certificate; /* TRUE: a certificate of this name is as good as a token */
  gboolean      status;     /* TRUE: it may see the server's status and metrics */
  char        **addresses;  /* owned; NULL: loopback */
  VtPortRanges *ports;      /* owned; NULL: those that the server allows, from 1024 on */
  char        **host_names; /* owned, nullable: patterns */
  unsigned int  max_sessions; /* this and the next two: G_MAXUINT where nothing is said */
  unsigned int  max_forwards;
  unsigned int  max_streams;
  gint64        expires; /* microseconds of Unix time; G_MAXINT64: never */
} VtAccessEntry;

/* So many are compared for each token that is shown, with dummies where there are fewer. */
#define VT_ACCESS_MAX_TOKENS 4

VtAccessEntry *vt_access_entry_new (const char *name);
VtAccessEntry *vt_access_entry_ref (VtAccessEntry *self);
void           vt_access_entry_unref (VtAccessEntry *self);

/* Which hash the token matches, NULL for none. `self` may be NULL. It costs the same in any
 * case. */
const VtAccessHash *vt_access_entry_find_hash (VtAccessEntry *self, const char *token);
gboolean            vt_access_entry_has_hash (VtAccessEntry *self, const VtAccessHash *hash);

/* Where a port is opened that was asked for without an address. */
const char *vt_access_entry_get_place (VtAccessEntry *self, const char *bind_address);
gboolean    vt_access_entry_allows_address (VtAccessEntry *self, const char *address);
/* `others` are the ports of clients without a say of their own. 0 is any free port. */
gboolean vt_access_entry_allows_port (VtAccessEntry *self, VtPortRanges *others, guint16 port);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtAccessEntry, vt_access_entry_unref)
