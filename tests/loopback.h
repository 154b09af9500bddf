/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <gio/gio.h>

#include "vt-poller-private.h"

/* Sockets on the loopback for tests, and waiting without sleeping. All sockets are non-blocking. */

/* Drives the thread-default main context until `condition` holds; fails the test at a deadline. */
#define RUN_UNTIL(condition)                                                                       \
  G_STMT_START                                                                                     \
  {                                                                                                \
    gint64 run_until_deadline = g_get_monotonic_time () + 20 * G_TIME_SPAN_SECOND;                 \
                                                                                                   \
    while (!(condition))                                                                           \
      {                                                                                            \
        loopback_iterate ();                                                                       \
        if (g_get_monotonic_time () > run_until_deadline)                                          \
          g_error ("%s:%d: still not: %s", __FILE__, __LINE__, #condition);                        \
      }                                                                                            \
  }                                                                                                \
  G_STMT_END

/* One turn of the thread-default main context, which takes a tenth of a second at most. */
void loopback_iterate (void);

void loopback_pair (int fds[2]);
int  loopback_listen (guint16 *port);
/* At one of find_free_port (), and there again. */
int  loopback_listen_at (guint16 port);
int  loopback_listen_unix (const char *path);
/* -1 if nobody has connected yet. */
int loopback_accept (int listener);
int loopback_connect (guint16 port);

/* As read (), but -1 gives minus errno. */
gssize loopback_read (int fd, void *buffer, size_t size);
/* All of it, which must fit into the socket's buffers. */
void loopback_write (int fd, const char *text);
/* Closes so that the peer sees a reset. */
void loopback_reset (int fd);

/* Makes what a process makes once and keeps, so that descriptors can be counted. The poller is to
 * be held as long as they are. */
VtPoller *loopback_warm_up (void);
/* How many descriptors this process has. */
unsigned int loopback_count_descriptors (void);
