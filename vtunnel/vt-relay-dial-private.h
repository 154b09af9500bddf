/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <vtunnel/vt-target.h>

/* One attempt to reach a target: name look-up, TCP or a Unix socket, what is said first, TLS. */
typedef struct _VtRelayDial VtRelayDial;

/* What dials at a time for one session, and how many of them may. */
typedef struct {
  unsigned int n;
  unsigned int max;
} VtDialQuota;

/* Once, also from within vt_relay_dial_start (); the dial is to be freed in it or later. Exactly
 * one of the three is given. `fd` (else -1) is a connected socket that now belongs to the callee,
 * `connection` is a GSocketConnection or a GTlsConnection, `error` is of VT_ERROR. */
typedef void (*VtRelayDialFunc) (int           fd,
                                 GIOStream    *connection,
                                 const GError *error,
                                 void         *user_data);

/* It has not begun. `trust` is what a TLS target is verified with, NULL for the system's own.
 * `preamble` (may be NULL) goes out as soon as the connection stands, before TLS. Gives up after
 * `timeout`, in microseconds. */
VtRelayDial *vt_relay_dial_new (VtTarget       *target,
                                GTlsDatabase   *trust,
                                GBytes         *preamble,
                                gint64          timeout,
                                VtRelayDialFunc func,
                                void           *user_data);
/* Without a place in the quota, which outlives the dial, it fails with VT_ERROR_LIMIT; NULL is of
 * one that does not count. The dial may be gone when this returns. */
void vt_relay_dial_start (VtRelayDial *self, VtDialQuota *quota);
/* Cancels what is under way; the function is not called any more. */
void vt_relay_dial_free (VtRelayDial *self);
