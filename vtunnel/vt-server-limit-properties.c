/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-server-private.h"

/* The properties that say how much there may be of something: vt-server-limits.c,
 * vt-server-rates.c, vt-server-opening.c and vt-server-sizes.c have their functions. */

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
    case VT_SERVER_PROP_MAX_HEAD_SIZE:
      return &self->max_head_size;
    case VT_SERVER_PROP_REQUEST_TIMEOUT:
      return &self->request_timeout;
    case VT_SERVER_PROP_MAX_MESSAGE_SIZE:
      return &self->max_message_size;
    case VT_SERVER_PROP_MAX_JSON_DEPTH:
      return &self->max_json_depth;
    case VT_SERVER_PROP_MAX_WINDOW:
      return &self->max_window;
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
   * the application asks for fails with %VT_ERROR_LIMIT, and a user who comes by a host name is
   * answered with 503, as their port is for all clients. It has no say in version 1 of the
   * protocol, in which a client does not answer. It counts for sessions that begin from then on.
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

/* Before there is a session. */
static void
define_request (GParamFlags flags)
{
  /**
   * VtServer:max-head-size: (getter get_max_head_size) (setter set_max_head_size)
   *
   * How many bytes the head of a request may have on the ports that [method@Vt.Server.listen]
   * opens, from 1024 to 65536. Whoever sends more is cut off. It counts for connections that come
   * from then on.
   *
   * Since: 1.0
   */
  vt_server_props[VT_SERVER_PROP_MAX_HEAD_SIZE] =
      g_param_spec_uint ("max-head-size", NULL, NULL, VT_SERVER_MIN_HEAD_SIZE,
                         VT_SERVER_MOST_HEAD_SIZE, VT_SERVER_DEFAULT_HEAD_SIZE, flags);

  /**
   * VtServer:request-timeout: (getter get_request_timeout) (setter set_request_timeout)
   *
   * How many seconds a connection to the ports that [method@Vt.Server.listen] opens has for its
   * request, at least 1; with TLS, as many for the handshake before it. Whoever takes longer is cut
   * off. It counts for connections that come from then on.
   *
   * Since: 1.0
   */
  vt_server_props[VT_SERVER_PROP_REQUEST_TIMEOUT] =
      g_param_spec_uint ("request-timeout", NULL, NULL, 1, G_MAXUINT16,
                         VT_SERVER_DEFAULT_REQUEST_TIMEOUT, flags);
}

/* Of what a client sends. */
static void
define_messages (GParamFlags flags)
{
  /**
   * VtServer:max-message-size: (getter get_max_message_size) (setter set_max_message_size)
   *
   * How many bytes a message of a client's may have, over all its fragments, from 65536 (64 KiB) to
   * 1048576 (1 MiB). A client that sends a longer one is sent away with %VT_ERROR_LIMIT. In version
   * 2 of the protocol a client is told, and no more than 262144 (256 KiB), which is as much as is
   * of use there.
   *
   * It is to be set before clients come. It counts for connections that come from then on, and so
   * for those of clients that come back to a session; but what a client was told when its session
   * began stays what it may send. If it is made smaller meanwhile, a client that keeps to what it
   * was told can be sent away when it has come back.
   *
   * Since: 1.0
   */
  vt_server_props[VT_SERVER_PROP_MAX_MESSAGE_SIZE] =
      g_param_spec_uint ("max-message-size", NULL, NULL, VT_CONTROL_MIN_MESSAGE, VT_MUX_MAX_MESSAGE,
                         VT_MUX_MAX_MESSAGE, flags);

  /**
   * VtServer:max-json-depth: (getter get_max_json_depth) (setter set_max_json_depth)
   *
   * How deep objects and arrays may be nested in what a client sends, from 2 to 64. No message that
   * this library knows has more than two levels. A deeper one ends the session with
   * %VT_ERROR_PROTOCOL in version 2 of the protocol, and is dropped in version 1. It counts for
   * sessions that begin from then on.
   *
   * Since: 1.0
   */
  vt_server_props[VT_SERVER_PROP_MAX_JSON_DEPTH] =
      g_param_spec_uint ("max-json-depth", NULL, NULL, VT_SERVER_MIN_JSON_DEPTH,
                         VT_SERVER_MOST_JSON_DEPTH, VT_JSON_MAX_DEPTH, flags);

  /**
   * VtServer:max-window: (getter get_max_window) (setter set_max_window)
   *
   * How many bytes of one stream may come from a client before its user has taken any of them, from
   * 16384 (16 KiB) to 16777216 (16 MiB).
   *
   * The windows of streams begin at 16 KiB, or less if [property@Vt.Server:max-buffer] is not
   * enough for [property@Vt.Server:max-streams] of them, and grow with the speed and the length of
   * the way. A stream from a client that is 100 ms away can bring ten times this in a second. It
   * has no say in version 1 of the protocol, which has no windows. It counts for sessions that
   * begin from then on.
   *
   * Since: 1.0
   */
  vt_server_props[VT_SERVER_PROP_MAX_WINDOW] =
      g_param_spec_uint ("max-window", NULL, NULL, VT_CONTROL_WINDOW, VT_MUX_MAX_WINDOW,
                         VT_MUX_MAX_WINDOW, flags);
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
   * Each port of [method@Vt.Server.listen_http] takes as many, of all clients' users together, and
   * a change counts there at once. Such a user may make any number of requests.
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
  define_request (flags);
  define_messages (flags);
  define_accept_rate (flags);
  define_rates (flags);
}
