/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <vtunnel/vt-forward.h>

#include "vt-clock-private.h"

/* Looks after the target of a forward on which the server listens: connects to it every so often,
 * and leaves it again in order; hears what users' connections come to, too. What it finds is the
 * forward's state, LISTENING or TARGET_DOWN, and no other is changed. */
typedef struct _VtHealth VtHealth;

/* By the forward's health-interval, which is not 0, and its target; begins at once. `trust` is as
 * in vt_relay_dial_new (); `clock` NULL is that of the thread-default main context. A forward has
 * one at a time. */
VtHealth *vt_health_new (VtForward *forward, GTlsDatabase *trust, VtClock *clock);
/* May be called in a notification of the forward's. */
void vt_health_free (VtHealth *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtHealth, vt_health_free)
