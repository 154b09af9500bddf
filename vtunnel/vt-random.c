/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-random-private.h"

#include <errno.h>
#include <sys/random.h>

#include <glib.h>

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
