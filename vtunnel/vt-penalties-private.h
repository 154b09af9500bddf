/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <gio/gio.h>

#include "vt-clock-private.h"

/* Slows down the addresses that wrong tokens come from, and nobody else. The fifth within a minute
 * makes an address wait for a second, each one after that for twice as long as the one before, up
 * to five minutes; ten minutes without any, and all is forgotten. Of IPv6, what one customer is
 * usually given (/64) is one address. It remembers 4096 of them, the latest. */
typedef struct _VtPenalties VtPenalties;

VtPenalties *vt_penalties_new (VtClock *clock);
void         vt_penalties_free (VtPenalties *self);

/* For how many seconds, rounded up, it has to wait; 0: it may try. */
unsigned int vt_penalties_get_wait (VtPenalties *self, GInetAddress *address);
/* A wrong token came from there, which was allowed to try. The same, afterwards. */
unsigned int vt_penalties_add_failure (VtPenalties *self, GInetAddress *address);
/* Whether it had to wait before, and that is not forgotten yet. */
gboolean     vt_penalties_has_waited (VtPenalties *self, GInetAddress *address);
unsigned int vt_penalties_get_size (VtPenalties *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtPenalties, vt_penalties_free)
