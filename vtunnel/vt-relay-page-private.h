/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vt-forward.h"
#include "vt-mux-stream-private.h"

/* The answer to a user of HTTP/1.x whose target cannot be reached: waits for the head of the first
 * request, of 16 KiB and for 5 s at most, answers with 502 or 504 and a short page, and ends the
 * stream in order. Who says something else, or nothing, is reset. */
typedef struct _VtRelayPage VtRelayPage;

/* Once, and last: the stream is over. The page is to be freed in it or later. */
typedef void (*VtRelayPageFunc) (void *user_data);

/* Whether its users are answered so. A stream that an application has opened fails: it is told why
 * in its own way. */
gboolean vt_relay_page_is_for (VtForward *forward);

/* Takes over the handlers of a stream that was not accepted. `error` is why there is no target. */
VtRelayPage *vt_relay_page_new (VtMuxStream    *stream,
                                const GError   *error,
                                VtRelayPageFunc finished,
                                void           *user_data);
/* Leaves the stream as it is. */
void vt_relay_page_free (VtRelayPage *self);
