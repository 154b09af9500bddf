/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vts-secrets.h"

/* Tokens in files of their own, in a folder of their own, which the user alone can read. */
#define VTS_TYPE_SECRETS_FILE (vts_secrets_file_get_type ())
G_DECLARE_FINAL_TYPE (VtsSecretsFile, vts_secrets_file, VTS, SECRETS_FILE, GObject)

/* The folder need not be there. */
VtsSecretsFile *vts_secrets_file_new (const char *folder);
