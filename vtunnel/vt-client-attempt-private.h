/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vt-dialer-private.h"
#include "vt-greeting-private.h"
#include "vt-link-private.h"

/* One attempt to reach the server: it dials and, where v2 is agreed on, greets. */
typedef struct _VtClientAttempt VtClientAttempt;

/* What is known of one that failed. */
typedef struct {
  const GError *error;
  gboolean      hopeless;    /* waiting does not mend it */
  unsigned int  retry_after; /* seconds that the server asks to wait at least, 0: it does not */
} VtClientFailure;

typedef struct {
  /* Takes the link; its handlers are to be set before this returns. `welcome` is the server's
   * greeting, NULL in v1. If it says `resumed`, it is of the session that was asked for. */
  void (*done) (VtLink *link, const VtControl *welcome, void *user_data);
  void (*failed) (const VtClientFailure *failure, void *user_data);
} VtClientAttemptHandlers;

/* `resumption` NULL: a new session. One of the handlers is called, once, from a later dispatch. */
VtClientAttempt *vt_client_attempt_new (const VtDialRequest           *dial,
                                        const VtResumption            *resumption,
                                        const VtClientAttemptHandlers *handlers,
                                        void                          *user_data);
/* Gives up at once; no handler is called any more. May be called from within either. */
void vt_client_attempt_free (VtClientAttempt *self);
