/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vts-secrets.h"

/* Tokens that go with the process. */
#define VTS_TYPE_SECRETS_MEMORY (vts_secrets_memory_get_type ())
G_DECLARE_FINAL_TYPE (VtsSecretsMemory, vts_secrets_memory, VTS, SECRETS_MEMORY, GObject)

VtsSecretsMemory *vts_secrets_memory_new (void);
gboolean          vts_secrets_memory_is_empty (VtsSecretsMemory *self);
