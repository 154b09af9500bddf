/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "loopback.h"
#include "relay-fixture.h"
#include "vt-mux-internal-private.h"

/* What a kernel takes for somebody who does not read widens no window. Here with real sockets. */

#define KIB 1024
#define MEBIBYTE (1024 * KIB)
#define LENGTH (40 * MEBIBYTE)

/* On the shortest path. */
#define WIDE (192 * KIB)

/* One direction of a connection. */
typedef struct {
  TunnelSide *from;
  TunnelSide *to;
  Talker *writer;
  Talker *reader;
  guint32 widest; /* of the window on the way */
} Way;

static VtMuxStream *
get_stream (TunnelSide *side)
{
  return vt_mux_find_stream (side->mux, 1);
}

static gboolean
watch_window (Way *way)
{
  VtMuxStream *stream = get_stream (way->to);

  if (stream != NULL)
    way->widest = MAX (way->widest, stream->window);
  return TRUE;
}

#define RUN_WAY_UNTIL(way, condition) RUN_UNTIL ((watch_window (way), (condition)))

/* Data begin to go one way, to somebody who does not read them. */
static Way
begin (RelayFixture *self, gboolean to_user)
{
  g_autofree char *block = g_strnfill (LENGTH, 'x');
  Talker *user = relay_fixture_connect (self);
  Talker *target = relay_fixture_target (self, 0);
  TunnelSide *client = &self->tunnel->client;
  TunnelSide *server = &self->tunnel->server;
  Way way =
      to_user ? (Way){ client, server, target, user, 0 } : (Way){ server, client, user, target, 0 };

  talker_listen (way.reader, 0);
  talker_send (way.writer, block, LENGTH);
  talker_end (way.writer);
  return way;
}

/* All that may leave has left. */
static gboolean
stands_still (Way *way)
{
  VtMuxStream *stream = get_stream (way->from);

  return stream->bytes_sent == stream->send_limit && !g_main_context_pending (NULL);
}

static void
run_until_stuck (Way *way)
{
  RUN_WAY_UNTIL (way, stands_still (way));
  g_assert_cmpuint (get_stream (way->to)->received.length, >, 0);
  g_assert_cmpuint (way->widest, <, WIDE);
}

static void
run_to_end (RelayFixture *self, Way *way)
{
  talker_listen (way->reader, 65536);
  RUN_WAY_UNTIL (way, way->reader->ended);
  g_assert_cmpuint (way->reader->received->len, ==, LENGTH);
  talker_end (way->reader);
  RUN_UNTIL (self->user_ends->len == 1 && self->target_ends->len == 1);
}

static const gboolean to_user = TRUE;
static const gboolean to_target = FALSE;

static void
test_reads (RelayFixture *self, gconstpointer data)
{
  Way way = begin (self, *(const gboolean *) data);

  run_to_end (self, &way);
  g_assert_cmpuint (way.widest, >=, WIDE);
}

/* It is stuck, and then it reads after all. */
static void
test_reads_not (RelayFixture *self, gconstpointer data)
{
  Way way = begin (self, *(const gboolean *) data);

  run_until_stuck (&way);
  run_to_end (self, &way);
  g_assert_cmpuint (way.widest, >=, WIDE);
}

static void
set_up (RelayFixture *self, gconstpointer data)
{
  relay_fixture_set_up_v2 (self, NULL);
}

int
main (int argc, char **argv)
{
  g_autoptr(VtPoller) poller = NULL;

  g_test_init (&argc, &argv, NULL);
  poller = loopback_warm_up ();
#define ADD(path, data, func)                                                                      \
  g_test_add ("/relay/drain/" path, RelayFixture, data, set_up, func, relay_fixture_tear_down)
  ADD ("reads/user", &to_user, test_reads);
  ADD ("reads/target", &to_target, test_reads);
  ADD ("reads-not/user", &to_user, test_reads_not);
  ADD ("reads-not/target", &to_target, test_reads_not);
#undef ADD
  return g_test_run ();
}
