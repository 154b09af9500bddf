/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

/* Tells the allocator, once a process, that messages come and go: see docs/performance.md. */
void vt_heap_prepare (void);
