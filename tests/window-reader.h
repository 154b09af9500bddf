/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "mux-pair.h"
#include "vt-mux-v2-private.h"

/* A client of protocol v2 that reads: what its windows do. */

#define KIB 1024
#define MIB (1024 * KIB)
#define MS G_TIME_SPAN_MILLISECOND
#define RTT (50 * MS)
#define UNKNOWN -1

/* A client to which the streams 1 to `n` were opened, and whose round-trip time is this. With
 * `config` NULL it does not ping any more. */
static inline Side *
new_reader (const VtMuxConfig *config, gint64 rtt, unsigned int n)
{
  VtMuxConfig quiet;
  Side *client;

  vt_mux_config_init (&quiet, VT_MUX_CLIENT);
  quiet.ping_interval = 0;
  client = side_new_v2 (VT_MUX_CLIENT, config != NULL ? config : &quiet);
  if (rtt != UNKNOWN)
    {
      vt_clock_advance (client->clock, rtt);
      side_say (client, "{\"type\":\"pong\",\"t\":0}");
      g_assert_cmpint (vt_mux_get_rtt (client->mux), ==, rtt);
    }
  for (unsigned int i = 1; i <= n; i++)
    side_say_frames (client, "OPEN %u on 1", i);
  g_string_truncate (client->heard, 0);
  return client;
}

static inline VtMuxStream *
get_stream (Side *side, unsigned int id)
{
  return side_get_user (side, id - 1)->stream;
}

/* What is unread then is read. */
static inline void
take (Side *side, unsigned int id, size_t length)
{
  for (size_t left = length; left > 0; left -= MIN (left, 64 * KIB))
    side_say_frames (side, "DATA %u %zu", id, MIN (left, 64 * KIB));
  vt_mux_stream_discard (get_stream (side, id));
}

/* All that may come in one round trip. */
static inline void
take_all (Side *side, unsigned int id, gint64 rtt)
{
  VtMuxStream *stream = get_stream (side, id);

  vt_clock_advance (side->clock, rtt);
  take (side, id, stream->granted - stream->bytes_received);
}

static inline void
expect_sent_soon (Side *side, const char *expected)
{
  vt_clock_advance (side->clock, 1);
  side_expect_sent (side, expected);
}

static inline void
expect_window (Side *side, unsigned int id, guint32 window)
{
  g_assert_cmpuint (get_stream (side, id)->window, ==, window);
}
