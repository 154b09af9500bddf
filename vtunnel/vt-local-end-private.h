/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <gio/gio.h>

#include "vt-clock-private.h"

/* The local side of a relay: a socket in the poller, or (for TLS) a pollable GIOStream. */
typedef struct _VtLocalEnd VtLocalEnd;

typedef void (*VtLocalEndFunc) (GIOCondition condition, void *user_data);

/* Takes `fd`, and begins with `condition`. `owner` (may be NULL, transfer full) is a stream that
 * closes `fd` when it goes; without one, `fd` is closed by the local end. NULL with `error`, having
 * closed it, if it cannot be watched. */
VtLocalEnd *vt_local_end_new_for_fd (int            fd,
                                     GIOStream     *owner,
                                     GIOCondition   condition,
                                     VtLocalEndFunc func,
                                     void          *user_data,
                                     GError       **error);
VtLocalEnd *vt_local_end_new_for_stream (GIOStream     *stream,
                                         VtLocalEndFunc func,
                                         void          *user_data);

/* Whichever of the two a dial has led to: `fd`, or -1 and `connection`, which is not taken. */
VtLocalEnd *vt_local_end_new (int            fd,
                              GIOStream     *connection,
                              GIOCondition   condition,
                              VtLocalEndFunc func,
                              void          *user_data,
                              GError       **error);

/* What was read from a descriptor before there was a local end: is read from it first. */
void vt_local_end_unread (VtLocalEnd *self, GByteArray *bytes);

/* -1 with G_IO_ERROR_WOULD_BLOCK and kin, as GPollableInputStream; 0 from read is the end. */
gssize vt_local_end_read (VtLocalEnd *self, void *buffer, size_t size, GError **error);
/* Whether its peer is known to have ended: behind what can be read is the end. */
gboolean vt_local_end_is_last (VtLocalEnd *self);
gssize vt_local_end_write (VtLocalEnd *self, const void *data, size_t length, GError **error);
/* Bytes that were written and that the system has not sent yet, -1 if it does not say. */
gssize vt_local_end_get_unsent (VtLocalEnd *self);
/* Whether this is what a write to somebody who has left says. With anything else the connection
 * stands, such as when the system had no memory: what was not written must not just be missing. */
gboolean vt_local_end_has_left (const GError *error);

void vt_local_end_set_condition (VtLocalEnd *self, GIOCondition condition);
void vt_local_end_shutdown_write (VtLocalEnd *self);

/* Ends it so that no tail is lost: shuts down writing, reads and drops what still comes for up to
 * 5 s or until the peer ends, then closes. Goes on by itself; `self` is gone for the caller. Where
 * the end was read already, it is closed at once. */
void vt_local_end_close (VtLocalEnd *self);
/* Ends it with a reset (RST), at once. */
void vt_local_end_reset (VtLocalEnd *self);
