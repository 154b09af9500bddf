/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libsoup/soup.h>

#include "vt-gate-private.h"

/* What the tests of the gate and of the link share: sockets, WebSockets over them, and a peer that
 * writes and reads frames by hand. */

#define WS_DEADLINE (20 * G_USEC_PER_SEC)

static inline void
ws_ignore_log (const char *domain, GLogLevelFlags level, const char *message, void *user_data)
{
}

/* libsoup tells of every frame, and a test prints what it is told. */
static inline void
ws_quiet (void)
{
  g_log_set_handler ("libsoup", G_LOG_LEVEL_DEBUG, ws_ignore_log, NULL);
}

static inline gboolean
ws_tick_cb (void *user_data)
{
  return G_SOURCE_CONTINUE;
}

/* Turns the main loop until the condition holds. The tick only lets the deadline be seen. */
#define ws_wait(condition)                                          \
  G_STMT_START                                                      \
  {                                                                 \
    g_autoptr(GSource) ws_tick = g_timeout_source_new (20);         \
    gint64 ws_end = g_get_monotonic_time () + WS_DEADLINE;          \
    g_source_set_callback (ws_tick, ws_tick_cb, NULL, NULL);        \
    g_source_attach (ws_tick, NULL);                                \
    while (!(condition))                                            \
      {                                                             \
        g_assert_cmpint (g_get_monotonic_time (), <, ws_end);       \
        g_main_context_iteration (NULL, TRUE);                      \
      }                                                             \
    g_source_destroy (ws_tick);                                     \
  }                                                                 \
  G_STMT_END

/* Gives whatever is pending the time to happen. */
static inline void
ws_turn (unsigned int times)
{
  while (times-- > 0)
    g_main_context_iteration (NULL, FALSE);
}

static inline GIOStream *
ws_stream_for_fd (int fd)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GSocket) socket = g_socket_new_from_fd (fd, &error);

  g_assert_no_error (error);
  return G_IO_STREAM (g_socket_connection_factory_create_connection (socket));
}

/* A stream, and the descriptor of its other end, which does not block. */
static inline GIOStream *
ws_stream_to_fd (int *peer)
{
  int fds[2];

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), ==, 0);
  *peer = fds[1];
  return ws_stream_for_fd (fds[0]);
}

/* `extensions` (nullable) is taken. */
static inline SoupWebsocketConnection *
ws_new_extended (GIOStream *stream, gboolean server, GList *extensions)
{
  g_autoptr(GUri) uri = g_uri_parse ("ws://127.0.0.1/", G_URI_FLAGS_NONE, NULL);

  return soup_websocket_connection_new (stream,
                                        uri,
                                        server ? SOUP_WEBSOCKET_CONNECTION_SERVER
                                               : SOUP_WEBSOCKET_CONNECTION_CLIENT,
                                        NULL,
                                        NULL,
                                        extensions);
}

static inline SoupWebsocketConnection *
ws_new (GIOStream *stream, gboolean server)
{
  return ws_new_extended (stream, server, NULL);
}

/* A frame as a client sends it; the mask is zero, so that the payload can be read. */
static inline void
ws_add_frame (GByteArray *bytes, uint8_t first, const void *payload, size_t size)
{
  uint8_t header[14] = { first };
  unsigned int n_bytes = size < 126 ? 0 : size < 65536 ? 2 : 8;

  header[1] = 0x80 | (n_bytes == 0 ? size : n_bytes == 2 ? 126 : 127);
  for (unsigned int i = 0; i < n_bytes; i++)
    header[2 + i] = (guint64) size >> (8 * (n_bytes - 1 - i)) & 0xff;
  g_byte_array_append (bytes, header, 2 + n_bytes + 4);
  g_byte_array_append (bytes, payload, size);
}

/* Writes all, turning the main loop where there is no room. */
static inline void
ws_write_all (int fd, const void *data, size_t length)
{
  const uint8_t *next = data;

  while (length > 0)
    {
      ssize_t n_bytes = send (fd, next, length, MSG_NOSIGNAL);

      if (n_bytes < 0)
        g_assert_cmpint (errno, ==, EAGAIN);
      else
        {
          next += n_bytes;
          length -= n_bytes;
        }
      g_main_context_iteration (NULL, FALSE);
    }
}

/* Reads what is there. FALSE at the end, or when it was reset. */
static inline gboolean
ws_read_some (int fd, GByteArray *bytes)
{
  static uint8_t buffer[65536];
  ssize_t n_bytes = recv (fd, buffer, sizeof buffer, 0);

  if (n_bytes < 0)
    return errno == EAGAIN;
  g_byte_array_append (bytes, buffer, n_bytes);
  return n_bytes > 0;
}
