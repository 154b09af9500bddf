/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-listener-private.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

/* What is left to those who cannot wait: pipes, name look-ups, files, and GLib itself, which
 * aborts without a descriptor. */
#define RESERVE 64

/* So many more must be free until it is said that all is well again: who hovers at the limit does
 * not fill the log. */
#define RELIEF 32

/* How many may be taken unseen, once it was seen that twice as many are free beside the reserve.
 * Nearer to it each one is looked at, so the reserve is as exact as ever. Only those who do not ask
 * here can take more meanwhile than was seen, or somebody lowers the limit: even then, what is
 * taken unseen leaves half of the reserve. */
#define UNSEEN (RESERVE / 2)

#define CHUNK 64

static int refusing; /* atomic: what was said last */
static int unseen;   /* atomic: so many may still be taken unseen, if it is more than 0 */

static int
get_limit (void)
{
  struct rlimit limit;

  if (getrlimit (RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > G_MAXINT)
    return G_MAXINT;
  return (int) limit.rlim_cur;
}

/* The system always gives the lowest number that is free. -1 if it cannot be found out. */
static int
find_lowest_free (void)
{
  int fd = open ("/", O_RDONLY | O_CLOEXEC);

  if (fd >= 0)
    close (fd);
  else if (errno == EMFILE || errno == ENFILE)
    return G_MAXINT;
  return fd;
}

/* The number from which on, up to the limit, exactly `n_free` numbers are free; 0 if there are not
 * so many. poll () tells which ones are, most often with one call. */
static int
find_line (int limit, int n_free)
{
  struct pollfd fds[CHUNK] = { 0 };
  int top = limit;

  while (top > 0)
    {
      int n = MIN (top, CHUNK);

      for (int i = 0; i < n; i++)
        fds[i].fd = top - 1 - i;
      if (poll (fds, (nfds_t) n, 0) < 0)
        return MAX (top - n_free, 0);
      for (int i = 0; i < n; i++)
        if ((fds[i].revents & POLLNVAL) && --n_free == 0)
          return fds[i].fd;
      top -= n;
    }
  return 0;
}

/* Counting the open descriptors would cost more with each of them. But more than `n_free` are free
 * if, and only if, there is a free one below the line above which `n_free` are: so the lowest free
 * number decides, and this is exact also when the numbers in use are scattered. */
static gboolean
has_more_than (int lowest, int limit, int n_free)
{
  return lowest < find_line (limit, n_free);
}

static gboolean
ask_closely (int lowest, int limit)
{
  if (!has_more_than (lowest, limit, RESERVE))
    {
      if (g_atomic_int_compare_and_exchange (&refusing, FALSE, TRUE))
        g_message ("No more than %d of %d descriptors are left: connections have to wait", RESERVE,
                   limit);
      return FALSE;
    }

  if (g_atomic_int_get (&refusing) && has_more_than (lowest, limit, RESERVE + RELIEF)
      && g_atomic_int_compare_and_exchange (&refusing, TRUE, FALSE))
    g_message ("There are descriptors again: connections are accepted");
  return TRUE;
}

gboolean
vt_listener_look_for_descriptors (void)
{
  int limit = get_limit ();
  int lowest = find_lowest_free ();
  gboolean plenty = has_more_than (lowest, limit, RESERVE + 2 * UNSEEN);

  g_atomic_int_set (&unseen, plenty ? UNSEEN : 0);
  return (plenty && !g_atomic_int_get (&refusing)) || ask_closely (lowest, limit);
}

/* A look is half a dozen system calls, and the answer is nearly always that there are plenty. */
gboolean
vt_listener_may_take_descriptor (void)
{
  return g_atomic_int_add (&unseen, -1) > 0 || vt_listener_look_for_descriptors ();
}
