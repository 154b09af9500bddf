/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-source-private.h"

void
vt_source_destroy (void *source)
{
  g_source_destroy (source);
  g_source_unref (source);
}
