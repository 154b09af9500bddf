/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-trunk-struct-private.h"

void
vt_trunk_get_load (VtTrunk *self, VtTrunkLoad *load)
{
  *load = (VtTrunkLoad){
    .queued = self->link != NULL ? vt_link_get_queued (self->link) : 0,
    .unacknowledged = self->replay != NULL ? vt_replay_get_kept (self->replay) : 0,
    .buffered = self->mux != NULL ? vt_mux_get_buffered (self->mux) : 0,
  };
}
