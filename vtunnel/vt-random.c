/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-random-private.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include <glib.h>

#define STOCK 256
#define MAX_DRAWN 16

void
vt_random_fill (void *bytes, size_t length)
{
  ssize_t n;

  do
    n = getrandom (bytes, length, 0);
  while (n < 0 && errno == EINTR);
  /* It cannot fail for so few bytes, but for a kernel without it. */
  if (n != (ssize_t) length)
    g_error ("The kernel gives no random bytes: %s", g_strerror (errno));
}

/* A stock for each thread: nobody waits for anybody. */
void
vt_random_draw (void *bytes, size_t length)
{
  static _Thread_local unsigned char stock[STOCK];
  static _Thread_local size_t left;

  g_assert (length <= MAX_DRAWN);

  if (left < length)
    {
      vt_random_fill (stock, sizeof stock);
      left = sizeof stock;
    }
  left -= length;
  memcpy (bytes, stock + left, length);
}
