/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vts-tunnel.h"

/* What travels over the bus, and what it means. A dictionary with a key that is not known, or with
 * a value of another type, is refused with VTUNNEL_SESSION_ERROR_INVALID_ARGUMENT. */
typedef struct {
  VtsLifetime lifetime;
  gboolean    open;
} VtsOptions;

VtsSettings *vts_values_read_new (const char *uri,
                                  GVariant   *forwards,
                                  GVariant   *options,
                                  VtsOptions *read,
                                  GError    **error);
VtsSettings *vts_values_read_changes (const VtsSettings *before, GVariant *changes, GError **error);
/* To be freed with vts_secrets_wipe (). */
char *vts_values_read_token (GVariant *secrets, GError **error);
/* One of those that there are. */
gboolean vts_values_read_storage (const char *word, VtsStorage *storage, GError **error);

/* Floating, as the XML has them. */
GVariant *vts_values_write_forwards (const VtsSettings *settings);
GVariant *vts_values_write_error (const GError *error);
GVariant *vts_values_write_statistics (VtsTunnel *tunnel);
