/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <vtunnel/vtunnel.h>

/* What a forward is to be: immutable, checked when it is made, and written in one way whichever way
 * it was written before. */
typedef struct {
  char        *listen;         /* owned, [ADDRESS:]PORT */
  char        *target;         /* owned */
  char        *host_header;    /* owned, nullable: a host, "keep" or "auto" */
  unsigned int proxy_protocol; /* 1 or 2; 0: none */
  char        *forwarded;      /* owned, nullable: "x-forwarded", "forwarded" or "both" */
  gboolean     http;
  unsigned int health;         /* seconds; 0: none */
} VtsForward;

/* The same, not owned; zeroed, it is no option at all. */
typedef struct {
  const char  *host_header;
  unsigned int proxy_protocol;
  const char  *forwarded;
  gboolean     http;
  unsigned int health;
} VtsForwardOptions;

/* Each part is checked on its own: none can bring options along. `options` is nullable. NULL with
 * an error of VTUNNEL_SESSION_ERROR. */
VtsForward *vts_forward_new (const char              *listen,
                             const char              *target,
                             const VtsForwardOptions *options,
                             GError                 **error);
VtsForward *vts_forward_copy (const VtsForward *self);
void        vts_forward_free (VtsForward *self);
gboolean    vts_forward_equal (const VtsForward *a, const VtsForward *b);

/* Whether both could not be had at once: the same port at the same address. */
gboolean vts_forward_collides (const VtsForward *a, const VtsForward *b);

/* What a client can be given; new. */
VtForward *vts_forward_make (const VtsForward *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtsForward, vts_forward_free)
