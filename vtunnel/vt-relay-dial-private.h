/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <vtunnel/vt-target.h>

/* One attempt to reach a target: name look-up, TCP or a Unix socket, what is said first, TLS. */
typedef struct _VtRelayDial VtRelayDial;

/* Once, never from within vt_relay_dial_new (); the dial is to be freed in it or later. Exactly one
 * of the three is given. `fd` (else -1) is a connected socket that now belongs to the callee,
 * `connection` is a GSocketConnection or a GTlsConnection, `error` is of VT_ERROR. */
typedef void (*VtRelayDialFunc) (int           fd,
                                 GIOStream    *connection,
                                 const GError *error,
                                 void         *user_data);

/* `trust` is what a TLS target is verified with, NULL for the system's own. `preamble` (may be
 * NULL) goes out as soon as the connection stands, before TLS. Gives up after `timeout`, in
 * microseconds. */
VtRelayDial *vt_relay_dial_new (VtTarget       *target,
                                GTlsDatabase   *trust,
                                GBytes         *preamble,
                                gint64          timeout,
                                VtRelayDialFunc func,
                                void           *user_data);
/* Cancels what is under way; the function is not called any more. */
void vt_relay_dial_free (VtRelayDial *self);
