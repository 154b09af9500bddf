/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <vtunnel/vt-access.h>

#include "vt-access-entry-private.h"

/* What became of a token that was right: whose it is, and which of its owner's it is; or of a
 * certificate. Reference-counted. */
typedef struct {
  VtAccessEntry *entry; /* owned */
  VtAccessHash   hash;  /* of the token that was shown */
  gboolean       by_certificate; /* there was none */
} VtAccessGrant;

VtAccessGrant *vt_access_grant_ref (VtAccessGrant *self);
void           vt_access_grant_unref (VtAccessGrant *self);

/* NULL if there is nobody of that name, the token is another one, or it is too late; which of them
 * it is does not show in the time that it takes. `name` may be NULL where the token tells it. */
VtAccessGrant *vt_access_check (VtAccess *self, const char *name, const char *token);
/* For one whose certificate was signed by who may. NULL if it stands for nobody, or it is too
 * late. */
VtAccessGrant *vt_access_check_certificate (VtAccess *self, GTlsCertificate *certificate);
/* The same grant, as the file is now; NULL if it is taken back. */
VtAccessGrant *vt_access_renew (VtAccess *self, VtAccessGrant *grant);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtAccessGrant, vt_access_grant_unref)
