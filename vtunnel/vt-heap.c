/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-heap-private.h"

#include <glib.h>

/* glibc gives a block of more than 128 KiB, and the free end of its heap, back to the kernel at
 * once, until it has seen a larger block that was freed: then it keeps as much at hand
 * (mallopt (3), M_MMAP_THRESHOLD: "dynamic"). Here and in libsoup, messages of about that size are
 * made and freed thousands of times a second, and each page of each would be a page fault. What the
 * allocator would learn in the course of time it learns here; the block is never touched. */
#define BLOCK_SIZE (4 * 1024 * 1024)

void
vt_heap_prepare (void)
{
  static size_t prepared;

  if (!g_once_init_enter (&prepared))
    return;
  g_free (g_malloc (BLOCK_SIZE));
  g_once_init_leave (&prepared, 1);
}
