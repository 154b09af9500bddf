/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vts-secrets.h"

/* Tokens in the keyring of the desktop, org.freedesktop.secrets. */
#define VTS_TYPE_SECRETS_KEYRING (vts_secrets_keyring_get_type ())
G_DECLARE_FINAL_TYPE (VtsSecretsKeyring, vts_secrets_keyring, VTS, SECRETS_KEYRING, GObject)

/* `connection` is where the keyring is. */
VtsSecretsKeyring *vts_secrets_keyring_new (GDBusConnection *connection);
