/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <stddef.h>

/* Bytes that nobody can foresee, from the kernel (GLib's generators can be foreseen). At most 256,
 * of which it never fails to give. */
void vt_random_fill (void *bytes, size_t length);

/* The same for what is no secret, but must not be foreseen, and is needed often: at most 16 bytes.
 * One system call fetches what many calls give out, each byte once. */
void vt_random_draw (void *bytes, size_t length);
