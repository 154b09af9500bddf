/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <gio/gio.h>

/* Proxies that are believed, and what they say of the client. Pure. */
typedef struct _VtTrustedProxies VtTrustedProxies;

/* Each as "192.0.2.1" or "10.0.0.0/8". NULL with VT_ERROR_INVALID_ARGUMENT. */
VtTrustedProxies *vt_trusted_proxies_parse (const char *const *texts, GError **error);
void              vt_trusted_proxies_free (VtTrustedProxies *self);
gboolean          vt_trusted_proxies_contain (VtTrustedProxies *self, GInetAddress *address);

typedef enum {
  VT_FORWARDED_NOT,      /* the headers name nobody */
  VT_FORWARDED_KNOWN,    /* `client` is set */
  VT_FORWARDED_UNKNOWN,  /* a proxy does not want to say */
  VT_FORWARDED_CONFLICT, /* they name two, or cannot be read: one is not from a proxy that is
                            trusted */
} VtForwarded;

/* The values of `Forwarded` (RFC 7239) and `X-Forwarded-For`, of several headers of a name joined
 * by commas; NULL: there is none. The client is the last that is not itself a trusted proxy, and
 * the first if all are. Its port is 0 where it is not said. */
VtForwarded vt_forwarded_find_client (VtTrustedProxies *proxies,
                                      const char       *forwarded,
                                      const char       *x_forwarded_for,
                                      GSocketAddress  **client);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtTrustedProxies, vt_trusted_proxies_free)
