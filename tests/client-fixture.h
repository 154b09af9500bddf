/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <vtunnel/vt-client.h>
#include <vtunnel/vt-stream.h>

#include "raw-server.h"
#include "vt-error-private.h"

/* How a call ended. */
typedef struct {
  gboolean done;
  gboolean success;
  GError  *error; /* owned */
} Outcome;

/* A client, a server that is written by hand, and a target that sends back what it gets. */
typedef struct {
  RawServer      *server; /* owned */
  RawLink        *link;   /* owned, NULL while there is none */
  VtClient       *client; /* owned */
  GSocketService *target; /* owned */
  VtForward      *forward; /* owned, from port 9000 to the target */
  unsigned int    n_targets; /* connections that the target has */
  Outcome         open;
  Outcome         close;
  Outcome         listen;
  Outcome         unlisten;
  GString        *states;  /* owned, a digit for each state that was told */
  GString        *streams; /* owned, + and - for each stream that was opened and closed */
  GString        *told;    /* owned, both, in the order in which they were told */
  GError         *stream_error; /* owned, of the stream that was closed last */
} ClientFixture;

void client_fixture_set_up (ClientFixture *self, const void *data);
/* Sees that nothing is left. */
void client_fixture_tear_down (ClientFixture *self, const void *data);

void outcome_clear (Outcome *self);
void open_cb (GObject *source, GAsyncResult *result, gpointer outcome);
void close_cb (GObject *source, GAsyncResult *result, gpointer outcome);
void listen_cb (GObject *source, GAsyncResult *result, gpointer outcome);
void unlisten_cb (GObject *source, GAsyncResult *result, gpointer outcome);

/* Opens the client, which must succeed. */
void client_fixture_open (ClientFixture *self);
/* Listens for the forward at port 9000, which the server grants. */
void client_fixture_listen (ClientFixture *self, VtForward *forward);
/* Closes the client in order. */
void client_fixture_close (ClientFixture *self);
/* Opens it, and listens for the forward to the target. */
void client_fixture_begin (ClientFixture *self);

#define ADD_CLIENT_TEST(path, func)                                                                \
  g_test_add (path, ClientFixture, NULL, client_fixture_set_up, func, client_fixture_tear_down)
