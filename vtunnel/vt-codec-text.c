/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-codec-text-private.h"

#include <string.h>

char *
vt_codec_text_fit (const char *text, size_t max)
{
  char *fit = g_utf8_make_valid (text == NULL ? "" : text, -1);
  size_t length = max;

  if (strlen (fit) > max)
    {
      /* Bytes that go on with a character are 10xxxxxx. */
      while ((fit[length] & 0xc0) == 0x80)
        length--;
      fit[length] = '\0';
    }
  return fit;
}
