/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <stdint.h>

#include <glib.h>

/* Replaces the Host header in the request heads of an HTTP/1.x connection, and touches nothing
 * else: not bodies (Content-Length, chunked, across any chunking of the input), not other
 * protocols, not what follows an upgrade. Pure: bytes in, bytes out. */
typedef struct _VtHostRewriter VtHostRewriter;

VtHostRewriter *vt_host_rewriter_new (const char *host);
void            vt_host_rewriter_free (VtHostRewriter *self);

/* Takes all `length` bytes and appends to `output` what may go out now. At most 64 KiB of a head
 * are held back; a head that is longer, and anything that is not HTTP/1.x, goes through unchanged
 * from there on. */
void vt_host_rewriter_push (VtHostRewriter *self,
                            const uint8_t  *data,
                            size_t          length,
                            GByteArray     *output);
/* The input has ended: what was held back goes out as it came. */
void vt_host_rewriter_flush (VtHostRewriter *self, GByteArray *output);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtHostRewriter, vt_host_rewriter_free)
