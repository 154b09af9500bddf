/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <gio/gio.h>

/* The server's side of a TLS handshake, which must be over within `deadline` microseconds. What
 * comes out is a pollable GIOStream. A failure closes `base`. */
void       vt_tls_accept_async (GIOStream           *base,
                                GTlsCertificate     *certificate,
                                gint64               deadline,
                                GCancellable        *cancellable,
                                GAsyncReadyCallback  callback,
                                void                *user_data);
GIOStream *vt_tls_accept_finish (GAsyncResult *result, GError **error);
