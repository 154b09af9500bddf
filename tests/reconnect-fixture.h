/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "client-fixture.h"

/* A client that reconnects, after milliseconds, and the server of test v2 that it comes back to. */

typedef struct {
  ClientFixture base;
  guint64       received; /* counted messages of the session, on the links that are gone */
  guint64       sent;     /* counted messages of the session */
} ReconnectFixture;

#define RECONNECT_SESSION "AAAAAAAAAAAAAAAAAAAAAA"
#define RECONNECT_SECRET "BBBBBBBBBBBBBBBBBBBBBA"

void reconnect_set_up (ReconnectFixture *self, const void *data);
void reconnect_tear_down (ReconnectFixture *self, const void *data);

/* v1: opens the client, and listens for its forward. */
void reconnect_begin_v1 (ReconnectFixture *self);
/* v2, and the server would keep the session for so many seconds. */
void reconnect_begin_v2 (ReconnectFixture *self, unsigned int resume_timeout);

/* The next request of the client, which gets `subprotocol` (NULL: v1). */
void reconnect_accept (ReconnectFixture *self, const char *subprotocol);
/* The same in v2, and its hello. */
char *reconnect_accept_hello (ReconnectFixture *self);
/* The session's own credentials if it is resumed, and others if it is not. */
void reconnect_welcome (ReconnectFixture *self,
                        gboolean          resumed,
                        guint64           received,
                        unsigned int      resume_timeout);
/* The next request comes, asks for the session, and gets it. */
void reconnect_resume (ReconnectFixture *self);
/* Cuts the link; waits until the client has noticed. */
void reconnect_cut (ReconnectFixture *self);
/* The server closes the link with a code, 0 for none, and lets go of it. */
void reconnect_say_goodbye (ReconnectFixture *self, unsigned int code);
/* Answers the next request with a status and ends its connection. `fields` may be "". */
void reconnect_refuse (ReconnectFixture *self, const char *status, const char *fields);
/* Lets go of the link, without a word. */
void reconnect_drop_link (ReconnectFixture *self);

/* Counted messages of the server, and what the client says. */
void reconnect_send_text (ReconnectFixture *self, const char *text);
void reconnect_open_stream (ReconnectFixture *self, guint32 stream, guint32 listen_id);
void reconnect_send_data (ReconnectFixture *self, guint32 stream, const char *text);
/* Reads until the bytes of a stream's DATA frames are these, exactly. */
void reconnect_expect_data (ReconnectFixture *self, guint32 stream, const char *text);
void reconnect_expect_start (ReconnectFixture *self, const char *start);

#define ADD_RECONNECT_TEST(path, func)                                                             \
  g_test_add (path, ReconnectFixture, NULL, reconnect_set_up, func, reconnect_tear_down)
