/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vt-poller-private.h"

/* A user or a target at the end of a tunnel: a socket that sends what it was told to, and keeps
 * what it receives. */
typedef struct {
  int         fd; /* owned */
  VtWatch    *watch;
  GByteArray *to_send;
  size_t      sent;
  GByteArray *received;
  size_t      read_size;     /* what it reads at once; 0: it does not read */
  gboolean    echo;          /* sends what it receives */
  gboolean    end_when_sent; /* shuts down writing after the last byte */
  gboolean    shut;
  gboolean    ended; /* the other side has ended */
  int         error; /* errno of a broken connection */
} Talker;

/* Takes `fd`. */
Talker *talker_new (int fd);
void    talker_free (Talker *self);

void     talker_send (Talker *self, const void *data, size_t length);
void     talker_say (Talker *self, const char *text);
/* Nothing follows. */
void     talker_end (Talker *self);
/* Reads from now on. */
void     talker_listen (Talker *self, size_t read_size);
/* Breaks the connection; what was received can still be looked at. */
void     talker_reset (Talker *self);
/* Closes it; the same holds. */
void     talker_close (Talker *self);
gboolean talker_heard (Talker *self, const char *text);
