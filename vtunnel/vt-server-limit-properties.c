/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-server-private.h"

/* The properties that say how much there may be of something: vt-server-limits.c,
 * vt-server-rates.c and vt-server-opening.c have their functions. */

unsigned int *
vt_server_find_limit (VtServer *self, unsigned int property_id)
{
  switch (property_id)
    {
    case VT_SERVER_PROP_MAX_SESSIONS:
      return &self->max_sessions;
    case VT_SERVER_PROP_MAX_SESSIONS_PER_ADDRESS:
      return &self->max_sessions_per_address;
    case VT_SERVER_PROP_MAX_FORWARDS:
      return &self->max_forwards;
    case VT_SERVER_PROP_MAX_STREAMS:
      return &self->max_streams;
    case VT_SERVER_PROP_MAX_OPENING:
      return &self->max_opening;
    case VT_SERVER_PROP_MAX_ACCEPT_RATE:
      return &self->max_accept_rate;
    case VT_SERVER_PROP_MAX_CONTROL_RATE:
      return &self->max_control_rate;
    case VT_SERVER_PROP_MAX_PING_RATE:
      return &self->max_ping_rate;
    case VT_SERVER_PROP_MAX_RESET_RATE:
      return &self->max_reset_rate;
    default:
      return NULL;
    }
}

static void
define_sessions (GParamFlags flags)
{
  /**
   * VtServer:max-sessions: (getter get_max_sessions) (setter set_max_sessions)
   *
   * How many clients may be connected at a time. One that has lost its connection and may come
   * back counts, too.
   *
   * Since: 1.0
   */
  vt_server_props[VT_SERVER_PROP_MAX_SESSIONS] =
      g_param_spec_uint ("max-sessions", NULL, NULL, 0, G_MAXUINT, VT_SERVER_DEFAULT_SESSIONS,
                         flags);

  /**
   * VtServer:max-sessions-per-address: (getter get_max_sessions_per_address)
   *
   * How many clients may be connected from one address at a time; 0 is any number. It does not
   * count on loopback, where everybody comes from one address, nor for clients of a trusted proxy
   * that does not say where they are. Of IPv6, a /64 network is one address. One that comes back to
   * its session is always taken.
   *
   * Since: 1.0
   */
  vt_server_props[VT_SERVER_PROP_MAX_SESSIONS_PER_ADDRESS] =
      g_param_spec_uint ("max-sessions-per-address", NULL, NULL, 0, G_MAXUINT,
                         VT_SERVER_DEFAULT_SESSIONS_PER_ADDRESS, flags);
}

/* Of each client. */
static void
define_shares (GParamFlags flags)
{
  /**
   * VtServer:max-forwards: (getter get_max_forwards) (setter set_max_forwards)
   *
   * How many forwards each client may have at a time. It counts for sessions that begin from then
   * on.
   *
   * Since: 1.0
   */
  vt_server_props[VT_SERVER_PROP_MAX_FORWARDS] =
      g_param_spec_uint ("max-forwards", NULL, NULL, 0, G_MAXUINT, VT_SERVER_DEFAULT_FORWARDS,
                         flags);

  /**
   * VtServer:max-streams: (getter get_max_streams) (setter set_max_streams)
   *
   * How many streams each client may have at a time. It counts for sessions that begin from then
   * on.
   *
   * Since: 1.0
   */
  vt_server_props[VT_SERVER_PROP_MAX_STREAMS] =
      g_param_spec_uint ("max-streams", NULL, NULL, 1, G_MAXUINT, VT_SERVER_DEFAULT_STREAMS, flags);

  /**
   * VtServer:max-opening: (getter get_max_opening) (setter set_max_opening)
   *
   * How many streams of each client may wait for its answer at a time, at least 1. A client answers
   * when the target of a stream has.
   *
   * Users who come when there are so many wait in the system's queue of their port, which has room
   * for 1024, and are let in again when half of those before them have their answer. A stream that
   * the application asks for fails with %VT_ERROR_LIMIT. It has no say in version 1 of the protocol,
   * in which a client does not answer. It counts for sessions that begin from then on.
   *
   * A client of this library dials 1024 targets at a time, and refuses what goes beyond.
   *
   * Since: 1.0
   */
  vt_server_props[VT_SERVER_PROP_MAX_OPENING] =
      g_param_spec_uint ("max-opening", NULL, NULL, 1, G_MAXUINT, VT_SERVER_DEFAULT_OPENING, flags);

  /**
   * VtServer:max-buffer: (getter get_max_buffer) (setter set_max_buffer)
   *
   * How much of each client's memory the server keeps at most, in bytes, at least 1048576 (1 MiB).
   *
   * It bounds what has come from the client and is still to be written to its users, and, with
   * version 2 of the protocol, also what has been sent to it and is kept until it says that it has
   * it. At either bound, whoever sends is made to wait. A small value limits how fast the streams
   * of a distant client can be. It counts for sessions that begin from then on.
   *
   * Since: 1.0
   */
  vt_server_props[VT_SERVER_PROP_MAX_BUFFER] =
      g_param_spec_uint64 ("max-buffer", NULL, NULL, VT_SERVER_MIN_BUFFER, G_MAXUINT64,
                           VT_SERVER_DEFAULT_BUFFER, flags);
}

/* How fast users may come. */
static void
define_accept_rate (GParamFlags flags)
{
  /**
   * VtServer:max-accept-rate: (getter get_max_accept_rate) (setter set_max_accept_rate)
   *
   * How many users a second each port of a client's takes; 0 is any number. Two seconds' worth may
   * be saved up. Users who come faster wait in the system's queue of that port, and nobody else
   * does. It counts for sessions that begin from then on.
   *
   * Since: 1.0
   */
  vt_server_props[VT_SERVER_PROP_MAX_ACCEPT_RATE] =
      g_param_spec_uint ("max-accept-rate", NULL, NULL, 0, G_MAXUINT, VT_SERVER_DEFAULT_ACCEPT_RATE,
                         flags);
}

/* How fast a client may be. */
static void
define_rates (GParamFlags flags)
{
  /**
   * VtServer:max-control-rate: (getter get_max_control_rate) (setter set_max_control_rate)
   *
   * How many requests a second each client may make for ports and the like: all control messages
   * but pings count; 0 is any number. A client may save up two seconds' worth, and
   * [property@Vt.Server:max-forwards] a second are always allowed. Whoever asks for more is sent
   * away with %VT_ERROR_LIMIT. It counts for sessions that begin from then on.
   *
   * Since: 1.0
   */
  vt_server_props[VT_SERVER_PROP_MAX_CONTROL_RATE] =
      g_param_spec_uint ("max-control-rate", NULL, NULL, 0, G_MAXUINT,
                         VT_SERVER_DEFAULT_CONTROL_RATE, flags);

  /**
   * VtServer:max-ping-rate: (getter get_max_ping_rate) (setter set_max_ping_rate)
   *
   * How many pings a second of the tunnel's own each client may send; 0 is any number. A client may
   * save up two seconds' worth. Whoever sends more is sent away with %VT_ERROR_LIMIT. It counts for
   * sessions that begin from then on.
   *
   * Since: 1.0
   */
  vt_server_props[VT_SERVER_PROP_MAX_PING_RATE] =
      g_param_spec_uint ("max-ping-rate", NULL, NULL, 0, G_MAXUINT, VT_SERVER_DEFAULT_PING_RATE,
                         flags);

  /**
   * VtServer:max-reset-rate: (getter get_max_reset_rate) (setter set_max_reset_rate)
   *
   * How many streams a second each client may reset; 0 is any number. A client may save up two
   * seconds' worth. A client whose target is down resets what users open, so this has to be
   * more than users connect to all of its ports. Whoever resets more is sent away with
   * %VT_ERROR_LIMIT. It counts for sessions that begin from then on.
   *
   * Since: 1.0
   */
  vt_server_props[VT_SERVER_PROP_MAX_RESET_RATE] =
      g_param_spec_uint ("max-reset-rate", NULL, NULL, 0, G_MAXUINT, VT_SERVER_DEFAULT_RESET_RATE,
                         flags);
}

void
vt_server_define_limits (GParamFlags flags)
{
  define_sessions (flags);
  define_shares (flags);
  define_accept_rate (flags);
  define_rates (flags);
}
