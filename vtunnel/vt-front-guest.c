/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-front-guest-private.h"

#include "vt-negotiation-private.h"

#define CERTIFICATE_KEY "vtunnel-certificate"

VtFrontGuest *
vt_front_guest_new (SoupServerMessage *message, unsigned int max_protocol)
{
  VtFrontGuest *self = g_new0 (VtFrontGuest, 1);

  self->protocol = vt_negotiation_find (message, max_protocol);
  g_set_object (&self->address, soup_server_message_get_remote_address (message));
  if (self->address != NULL)
    g_set_object (&self->certificate,
                  g_object_get_data (G_OBJECT (self->address), CERTIFICATE_KEY));
  return self;
}

void
vt_front_guest_free (void *guest)
{
  VtFrontGuest *self = guest;

  g_clear_object (&self->address);
  g_clear_object (&self->certificate);
  g_clear_pointer (&self->grant, vt_access_grant_unref);
  g_free (self);
}

void
vt_front_guest_keep_certificate (GSocketAddress *remote, GTlsCertificate *certificate)
{
  g_object_set_data_full (G_OBJECT (remote), CERTIFICATE_KEY, g_object_ref (certificate),
                          g_object_unref);
}
