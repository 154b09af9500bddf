/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <gio/gio.h>

/* The certificates that are taken, and no others, whoever has signed them: each written
 * "sha256:" and the SHA-256 of its DER in hexadecimal, with or without colons. Pure. */

/* FALSE with VT_ERROR_INVALID_ARGUMENT for what is written otherwise. */
gboolean vt_pins_check (const char *const *pins, GError **error);
gboolean vt_pins_match (const char *const *pins, GTlsCertificate *certificate);
/* As it is written here. */
char *vt_pins_format (GTlsCertificate *certificate);
