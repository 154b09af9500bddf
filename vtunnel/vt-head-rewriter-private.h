/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <stdint.h>

#include "vt-head-changes-private.h"

/* Changes the request heads of an HTTP/1.x connection, and touches nothing else: not bodies
 * (Content-Length, chunked, across any chunking of the input), not what follows an upgrade. Pure:
 * bytes in, bytes out.
 *
 * Where only the Host header is replaced, other protocols pass, too, and so does a head that cannot
 * be read. Where the user is told of, nothing may get past that: a target that reads more than is
 * read here would believe what the user writes in its place. Then the connection is broken. */
typedef struct _VtHeadRewriter VtHeadRewriter;

/* Takes `changes`. */
VtHeadRewriter *vt_head_rewriter_new (VtHeadChanges *changes);
void            vt_head_rewriter_free (VtHeadRewriter *self);

/* Takes all `length` bytes and appends to `output` what may go out now. At most 64 KiB of a head
 * are held back; a head that is longer, and anything that is not HTTP/1.x, goes through unchanged
 * from there on, or breaks the connection: FALSE, and nothing more goes out. */
gboolean vt_head_rewriter_push (VtHeadRewriter *self,
                                const uint8_t  *data,
                                size_t          length,
                                GByteArray     *output);
/* The input has ended: what was held back goes out as it came, or not at all. */
void vt_head_rewriter_flush (VtHeadRewriter *self, GByteArray *output);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtHeadRewriter, vt_head_rewriter_free)
