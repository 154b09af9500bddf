/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <glib.h>

/* Ends a source, and drops the caller's reference to it: for g_clear_pointer () and the like. */
void vt_source_destroy (void *source);
