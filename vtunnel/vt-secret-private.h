/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <stddef.h>
#include <stdint.h>

/* As base64url without padding (RFC 4648, section 5): newly allocated. */
char *vt_secret_encode (const uint8_t *bytes, size_t length);

/* Frees a text, and leaves nothing of it behind. NULL is taken too. */
void vt_secret_free (char *text);
