/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <stdint.h>

#include <glib.h>

/* Standard padded base64, at the speed that a tunnel over JSON needs. */

/* How many characters `length` bytes become. */
size_t vt_base64_encoded_length (size_t length);
/* Writes as many, and no NUL. */
void vt_base64_encode (const uint8_t *data, size_t length, char *text);

/* NULL if `text` is not exactly one padded base64 text and nothing else. */
GBytes *vt_base64_decode (const char *text, size_t length);
