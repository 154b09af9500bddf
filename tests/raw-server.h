/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <gio/gio.h>

/* A server that writes its bytes by hand, in the process and the main context of its client.
 * Whoever waits drives the context; a wait that takes too long fails the test. */
typedef struct _RawServer RawServer;
typedef struct _RawLink   RawLink;

/* Turns the main loop until the condition holds. The tick only lets sockets and the deadline be
 * looked at. */
#define RAW_WAIT(condition)                                                                        \
  G_STMT_START                                                                                     \
  {                                                                                                \
    gint64 raw_deadline = g_get_monotonic_time () + 20 * G_USEC_PER_SEC;                           \
                                                                                                   \
    while (!(condition))                                                                           \
      {                                                                                            \
        raw_turn ();                                                                               \
        if (g_get_monotonic_time () > raw_deadline)                                                \
          g_error ("%s:%d: still not: %s", __FILE__, __LINE__, #condition);                        \
      }                                                                                            \
  }                                                                                                \
  G_STMT_END

/* One turn of the main loop, which ends within milliseconds. */
void raw_turn (void);
/* Until nothing is left to be done. */
void raw_settle (void);
/* Open descriptors of this process. */
unsigned int raw_count_descriptors (void);

/* With a certificate, it speaks TLS. */
RawServer *raw_server_new (GTlsCertificate *certificate);
void       raw_server_free (RawServer *self);
guint16    raw_server_get_port (RawServer *self);
/* "ws://127.0.0.1:PORT/", or with another scheme. */
char *raw_server_get_uri (RawServer *self, const char *scheme);

/* The next connection. */
RawLink *raw_server_wait_link (RawServer *self);
void     raw_link_free (RawLink *self);
void     raw_link_reset (RawLink *self);
void     raw_link_send (RawLink *self, const void *data, size_t length);
/* From here on it speaks TLS. */
void raw_link_start_tls (RawLink *self, GTlsCertificate *certificate);
/* The request, to its empty line. Read once. */
char *raw_link_read_head (RawLink *self);
/* Answers 101 to `head`, with `tail` (may be NULL) in the same segment. */
void raw_link_upgrade (RawLink *self, const char *head, GBytes *tail);
/* The same, and selects a subprotocol, or what else is said of it (NULL: nothing). */
void raw_link_upgrade_to (RawLink *self, const char *head, const char *subprotocol, GBytes *tail);
/* Waits for a request and upgrades it. */
RawLink *raw_server_wait_upgrade (RawServer *self);

/* A frame as a server sends it: not masked. */
GBytes *raw_frame_new (unsigned int opcode, const void *data, size_t length);
void    raw_link_send_text (RawLink *self, const char *text);
void    raw_link_send_close (RawLink *self, unsigned int code, const char *reason);
/* The next text message. Pings, and what is binary, are skipped. NULL when a close frame or the end
 * comes first. */
char *raw_link_read_text (RawLink *self);
void  raw_link_expect_text (RawLink *self, const char *text);
/* The next binary message, as above. */
GBytes *raw_link_read_binary (RawLink *self);
void    raw_link_send_binary (RawLink *self, const void *data, size_t length);
/* v2: how many of the messages that were read are counted (docs/protocol.md). */
guint64 raw_link_get_counted (RawLink *self);
/* The code of the close frame, which has to be next; answers it. */
unsigned int raw_link_read_close (RawLink *self);
/* TRUE once the client has closed its side. */
gboolean raw_link_is_ended (RawLink *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (RawServer, raw_server_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RawLink, raw_link_free)
