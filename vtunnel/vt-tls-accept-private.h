/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <gio/gio.h>

#include "vt-clock-private.h"

/* The server's side of TLS handshakes. GIO runs each in a thread of the pool that also looks up
 * names and reads files, and holds that thread until the peer is done. So few run at a time
 * (VT_TLS_MAX_RUNNING), the others wait in the order in which their peers began to speak, and one
 * that takes longer than VT_TLS_TURN ends while others wait. */
typedef struct _VtTlsAcceptor VtTlsAcceptor;

#define VT_TLS_MAX_RUNNING 4
#define VT_TLS_TURN (2 * G_USEC_PER_SEC)

VtTlsAcceptor *vt_tls_acceptor_new (VtClock *clock);
/* Handshakes that are under way keep it. */
void vt_tls_acceptor_unref (VtTlsAcceptor *self);

/* Who may have signed the certificates that clients show, for connections that come from then on.
 * NULL: no client is asked for one. A client that has none may come, and one with another may
 * not. */
void vt_tls_acceptor_set_authorities (VtTlsAcceptor *self, GTlsDatabase *authorities);

/* The handshake must be over within `deadline` microseconds, waiting included. What comes out is a
 * pollable GIOStream. A failure closes `base`. */
void       vt_tls_accept_async (VtTlsAcceptor       *self,
                                GIOStream           *base,
                                GTlsCertificate     *certificate,
                                gint64               deadline,
                                GCancellable        *cancellable,
                                GAsyncReadyCallback  callback,
                                void                *user_data);
GIOStream *vt_tls_accept_finish (GAsyncResult *result, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtTlsAcceptor, vt_tls_acceptor_unref)
