/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <glib.h>

/* Using up the descriptors of this process, as far as a limit goes. */

static inline void
close_all (GArray *fds)
{
  for (unsigned int i = 0; i < fds->len; i++)
    close (g_array_index (fds, int, i));
  g_array_set_size (fds, 0);
}

static inline void
set_limit (rlim_t n)
{
  struct rlimit limit;

  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &limit), ==, 0);
  limit.rlim_cur = MIN (n, limit.rlim_max);
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &limit), ==, 0);
}

static inline int
count_free (int limit)
{
  int n = 0;

  for (int fd = 0; fd < limit; fd++)
    n += fcntl (fd, F_GETFD) < 0;
  return n;
}

/* Takes one of those that are free, if there is one. */
static inline gboolean
take (GArray *taken)
{
  int fd = dup (STDERR_FILENO);

  if (fd >= 0)
    g_array_append_val (taken, fd);
  return fd >= 0;
}
