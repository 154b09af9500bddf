/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "raw-server.h"
#include "vt-dialer-private.h"
#include "vt-error-private.h"
#include "vt-link-private.h"

/* A dial to a server that is written by hand, and a link over what comes of it. */
typedef struct {
  SoupSession *session;      /* owned */
  GCancellable *cancellable; /* owned */
  RawServer *server;         /* owned */
  GPtrArray *headers;        /* owned, nullable */
  char *uri;                 /* owned */
  const char *const *subprotocols; /* static, nullable */
  gboolean done;

  /* The outcome. */
  SoupWebsocketConnection *connection; /* owned */
  VtGate *gate;                        /* owned */
  VtLink *link;                        /* owned */
  GError *error;                       /* owned */
  VtDialOutcome outcome;
  GString *messages;                   /* owned, each with a line break behind it */
  gboolean closed;
} DialFixture;

void dial_fixture_set_up (DialFixture *self, const void *data);
void dial_fixture_tear_down (DialFixture *self, const void *data);

void dial_fixture_start (DialFixture *self);
void dial_fixture_dialed_cb (GObject *source, GAsyncResult *result, void *fixture);
/* Waits for it; `part` is of its message. */
void dial_fixture_expect_error (DialFixture *self, int code, const char *part);
void dial_fixture_expect_outcome (DialFixture *self, gboolean hopeless, unsigned int retry_after);
/* Upgrades `link`, which is taken, with frames in the same segment, the first of `first_length`
 * bytes: they are read first, whole, and once. */
void dial_fixture_check_tail (DialFixture *self, RawLink *link, size_t first_length);
