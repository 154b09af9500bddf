/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <glib.h>

/* Text for the wire, newly allocated: of `text` (NULL is an empty one) as much as fits into `max`
 * bytes and ends between characters. What is not UTF-8 in it is replaced. */
char *vt_codec_text_fit (const char *text, size_t max);
