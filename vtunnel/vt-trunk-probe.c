/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-trunk-struct-private.h"

#include "vt-network-address-private.h"

void
vt_trunk_probe (VtTrunk *self, gint64 patience)
{
  g_autoptr(GSocketAddress) address = NULL;

  if (self->mux == NULL || self->link == NULL || self->closing)
    return;

  address = vt_link_dup_local_address (self->link);
  if (!vt_network_has_address (address))
    {
      vt_timer_start (self->lost, 0);
      return;
    }
  vt_mux_probe (self->mux, patience);
  if (self->replay == NULL)
    {
      self->probing = TRUE;
      vt_link_set_ping_interval (self->link, 1);
    }
}
