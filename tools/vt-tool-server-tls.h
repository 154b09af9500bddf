/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <vtunnel/vtunnel.h>

/* The server's certificate, which is read again when its files change, as they do every few weeks.
 * One that cannot be used leaves the server the one that it has. */
typedef struct _VtToolTls VtToolTls;

/* NULL with a line about the files that are wrong. */
GTlsCertificate *vt_tool_tls_load (const char *certificate, const char *key, GError **error);

/* NULL for a server without TLS; so below. */
VtToolTls *vt_tool_tls_new (VtServer *server, const char *certificate, const char *key);
void       vt_tool_tls_reload (VtToolTls *self);
void       vt_tool_tls_free (VtToolTls *self);
