/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vt-front-private.h"

/* Who sends this request, as far as its connection tells. */
VtFrontGuest *vt_front_guest_new (SoupServerMessage *message, unsigned int max_protocol);
void          vt_front_guest_free (void *guest);

/* Keeps what was shown in the TLS handshake, until a guest comes from this address. */
void vt_front_guest_keep_certificate (GSocketAddress *remote, GTlsCertificate *certificate);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtFrontGuest, vt_front_guest_free)
