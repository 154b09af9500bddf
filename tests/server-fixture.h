/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <vtunnel/vtunnel.h>

#include "v2-peer.h"

/* A server that listens on loopback, and what it told, in order: "+session", "-session" or
 * "-session!CODE", "+stream1", "-stream1" or "-stream1!", "lost" and "back" (connected changed),
 * "moved" (client-address changed), "resumed1". */
typedef struct {
  VtServer  *server; /* owned */
  guint16    port;
  GString   *log;     /* owned */
  VtSession *session; /* owned: the last one that was opened */
  unsigned int n_descriptors;
} ServerFixture;

void server_fixture_set_up (ServerFixture *self, const void *data);
/* No descriptor is left, and nobody keeps the server. */
void server_fixture_tear_down (ServerFixture *self, const void *data);

/* Waits until so much was told, and nothing else; takes it. */
void server_fixture_expect (ServerFixture *self, const char *text);
/* Nothing was told since. */
void         server_fixture_expect_silence (ServerFixture *self);
unsigned int server_fixture_count_sessions (ServerFixture *self);

/* Whether a user gets through to such a port of loopback. */
gboolean server_fixture_is_open (guint16 port);

#define SERVER_TEST(path, func)                                                      \
  g_test_add (path, ServerFixture, NULL, server_fixture_set_up, func,                \
              server_fixture_tear_down)
