/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "time-skip.h"

#include "frame-peer.h"
#include "trunk-end.h"
#include "vt-codec-binary-private.h"
#include "vt-mux-internal-private.h"

#define SECOND G_TIME_SPAN_SECOND
#define RESUME_TIMEOUT (60 * SECOND)

/* A trunk of v2, and a peer that writes and reads by hand. Both have greeted. */
typedef struct {
  End end;
  Peer peer;
  Peer old; /* over the link before; its descriptor is 0 if there was none */
  VtMuxRole role;
} Fixture;

static void
set_up_role (Fixture *self, VtMuxRole role)
{
  g_autoptr(GIOStream) stream = peer_init (&self->peer, role == VT_MUX_CLIENT);
  VtTrunkConfig config;

  self->role = role;
  end_config_init (&config, role, 2);
  config.resume_timeout = RESUME_TIMEOUT;
  end_begin (&self->end, stream, &config);
  peer_expect_control (&self->peer, VT_CONTROL_PING);
}

static void
set_up_server (Fixture *self, const void *data)
{
  set_up_role (self, VT_MUX_SERVER);
}

static void
set_up_client (Fixture *self, const void *data)
{
  set_up_role (self, VT_MUX_CLIENT);
}

static void
tear_down (Fixture *self, const void *data)
{
  end_clear (&self->end);
  peer_clear (&self->peer);
  if (self->old.fd != 0)
    peer_clear (&self->old);
}

static void
come_back_with (Fixture *self, const VtControl *greeting)
{
  g_autoptr(GIOStream) stream = NULL;

  self->old = self->peer;
  stream = peer_init (&self->peer, self->role == VT_MUX_CLIENT);
  vt_trunk_resume (self->end.trunk, end_new_link (&self->end, stream, self->role), greeting);
}

/* The peer has come back, and says that it has so many. */
static void
come_back (Fixture *self, guint64 received)
{
  VtControl greeting;

  end_greeting_init (&greeting, received);
  come_back_with (self, &greeting);
}

/* As a server's peer: two messages of the trunk's own count. */
static void
open_ports (Fixture *self)
{
  peer_say_text (&self->peer, "{\"type\":\"listen\",\"id\":1,\"port\":1}");
  peer_say_text (&self->peer, "{\"type\":\"listen\",\"id\":2,\"port\":2}");
  peer_expect_control (&self->peer, VT_CONTROL_LISTEN_OK);
  peer_expect_control (&self->peer, VT_CONTROL_LISTEN_OK);
}

static void
vanish (Fixture *self)
{
  shutdown (self->peer.fd, SHUT_RDWR);
  ws_wait (end_has_heard (&self->end, 'z') || end_has_heard (&self->end, 'c'));
}

/* How the link ends, and whether the session outlives it. */
typedef struct {
  const char *name;
  unsigned int code; /* 0: it vanishes; 1005: a goodbye without a code */
  int error;         /* what is told, -1: nothing */
  gboolean suspends;
} Ending;

static const Ending endings[] = {
  { "vanished", 0, VT_ERROR_FAILED, TRUE },
  { "normal", 1000, -1, FALSE },
  { "going-away", 1001, VT_ERROR_SHUTTING_DOWN, TRUE },
  { "protocol", 1002, VT_ERROR_PROTOCOL, FALSE },
  { "unsupported", 1003, VT_ERROR_PROTOCOL, FALSE },
  { "no-code", 1005, VT_ERROR_FAILED, TRUE },
  { "bad-data", 1007, VT_ERROR_PROTOCOL, FALSE },
  { "policy", 1008, VT_ERROR_LIMIT, FALSE },
  { "too-big", 1009, VT_ERROR_LIMIT, FALSE },
  { "restart", 1012, VT_ERROR_FAILED, TRUE },
  { "try-again", 1013, VT_ERROR_FAILED, TRUE },
  { "replaced", 4001, VT_ERROR_CANCELLED, FALSE },
  { "full", 4002, VT_ERROR_LIMIT, TRUE },
};

static void
end_link (Fixture *self, const Ending *ending)
{
  if (ending->code == 1005)
    peer_say (&self->peer, PEER_CLOSE, "", 0);
  else if (ending->code != 0)
    peer_say_goodbye (&self->peer, ending->code, "so");
  shutdown (self->peer.fd, ending->code != 0 ? SHUT_WR : SHUT_RDWR);
}

static void
test_ending (Fixture *self, const void *data)
{
  const Ending *ending = data;
  const GError *error;

  peer_say_text (&self->peer, "{\"type\":\"later\"}");
  end_link (self, ending);
  ws_wait (end_has_heard (&self->end, 'z') || end_has_heard (&self->end, 'c'));
  g_assert_cmpstr (self->end.heard->str, ==, ending->suspends ? "z" : "c");
  error = ending->suspends ? self->end.lost : self->end.error;
  if (ending->error < 0)
    g_assert_no_error (error);
  else
    g_assert_error (error, VT_ERROR, ending->error);
  if (!ending->suspends)
    g_assert_cmpuint (self->end.code, ==, ending->code);
  g_assert_cmpuint (vt_trunk_get_received (self->end.trunk), ==, 1);
}

/* Without the time to wait, all of them end it. */
static void
test_ending_at_once (Fixture *self, const void *data)
{
  const Ending *ending = data;
  Fixture other = { .role = self->role };
  g_autoptr(GIOStream) stream = peer_init (&other.peer, other.role == VT_MUX_CLIENT);

  end_begin_role (&other.end, stream, other.role, 2);
  peer_say_text (&other.peer, "{\"type\":\"later\"}");
  end_link (&other, ending);
  ws_wait (other.end.heard->len > 0);
  g_assert_cmpstr (other.end.heard->str, ==, "c");
  tear_down (&other, NULL);
}

/* This side has ended it: the link that is still there changes nothing. */
static void
test_wrong (Fixture *self, const void *data)
{
  g_autofree char *reason = NULL;

  peer_say_text (&self->peer, "nonsense");
  reason = peer_read_goodbye (&self->peer, 1002);
  g_assert_null (vt_trunk_get_mux (self->end.trunk));
  vanish (self);
  g_assert_cmpstr (self->end.heard->str, ==, "c");
  g_assert_error (self->end.error, VT_ERROR, VT_ERROR_PROTOCOL);
}

/* A client that has never said anything behind its greeting has nothing that it could want back.
 * `data`: what it says, if it does. */
static void
test_heard (Fixture *self, const void *data)
{
  if (data != NULL)
    {
      peer_say_text (&self->peer, data);
      ws_turn (50);
    }
  vanish (self);
  g_assert_cmpstr (self->end.heard->str, ==, data != NULL ? "z" : "c");
}

static void
test_heard_ack (Fixture *self, const void *data)
{
  peer_say_ack (&self->peer, 0);
  ws_turn (50);
  vanish (self);
  g_assert_cmpstr (self->end.heard->str, ==, "z");
}

/* Its welcome was the server's word. */
static void
test_heard_client (Fixture *self, const void *data)
{
  vanish (self);
  g_assert_cmpstr (self->end.heard->str, ==, "z");
}

/* What the peer does not have is sent again, and before the first ping. */
static void
test_sent_again (Fixture *self, const void *data)
{
  g_auto(VtControl) again = { 0 };

  open_ports (self);
  vanish (self);
  g_assert_cmpuint (vt_trunk_prepare_resume (self->end.trunk), ==, 2);
  come_back (self, 1);
  peer_read_control (&self->peer, &again);
  g_assert_cmpint (again.type, ==, VT_CONTROL_LISTEN_OK);
  g_assert_cmpuint (again.id, ==, 2);
  peer_expect_control (&self->peer, VT_CONTROL_PING);
  peer_say_text (&self->peer, "{\"type\":\"listen\",\"id\":3,\"port\":3}");
  peer_expect_control (&self->peer, VT_CONTROL_LISTEN_OK);
  g_assert_cmpuint (vt_trunk_get_received (self->end.trunk), ==, 3);
  peer_say_ack (&self->peer, 3);
  g_assert_true (peer_is_silent (&self->peer));
  g_assert_cmpstr (self->end.heard->str, ==, "qqzq");
}

/* The link that was alive until then hears why, and nothing that still comes there counts. */
static void
test_replaced (Fixture *self, const void *data)
{
  g_autofree char *reason = NULL;

  open_ports (self);
  peer_say_text (&self->peer, "{\"type\":\"listen\",\"id\":3,\"port\":3}");
  g_assert_cmpuint (vt_trunk_prepare_resume (self->end.trunk), ==, 2);
  come_back (self, 2);
  peer_expect_control (&self->peer, VT_CONTROL_PING);
  peer_say_text (&self->old, "{\"type\":\"listen\",\"id\":4,\"port\":4}");
  peer_say_text (&self->old, "nonsense");
  reason = peer_read_goodbye (&self->old, 4001);
  g_assert_cmpstr (reason, !=, "");
  ws_turn (50);
  g_assert_cmpuint (vt_trunk_get_received (self->end.trunk), ==, 2);
  peer_say_goodbye (&self->old, 4001, "");
  shutdown (self->old.fd, SHUT_WR);
  ws_wait (self->end.n_gates == 1);
  peer_say_text (&self->peer, "{\"type\":\"listen\",\"id\":5,\"port\":5}");
  peer_expect_control (&self->peer, VT_CONTROL_LISTEN_OK);
  g_assert_cmpstr (self->end.heard->str, ==, "qqq");
}

/* A position that cannot be. `data`: which. */
static void
test_bad_position (Fixture *self, const void *data)
{
  g_autofree char *reason = NULL;

  open_ports (self);
  peer_say_ack (&self->peer, 1);
  ws_turn (50);
  end_take_stream (&self->end,
                   vt_mux_open_stream (vt_trunk_get_mux (self->end.trunk), 1, NULL, NULL, NULL));
  vanish (self);
  come_back (self, GPOINTER_TO_UINT (data));
  g_assert_null (vt_trunk_get_mux (self->end.trunk));
  g_assert_cmpstr (self->end.heard->str, ==, "qqzx");
  reason = peer_read_goodbye (&self->peer, 1002);
  peer_say_goodbye (&self->peer, 1002, "");
  shutdown (self->peer.fd, SHUT_WR);
  ws_wait (end_has_heard (&self->end, 'c'));
  g_assert_cmpstr (self->end.heard->str, ==, "qqzxc");
  g_assert_error (self->end.error, VT_ERROR, VT_ERROR_PROTOCOL);
}

static const struct {
  const char *key;
  VtControlLimits change;
} other_limits[] = {
  { "window", { .window = 1 } },
  { "max_frame", { .max_frame = 1 } },
  { "max_message", { .max_message = 1 } },
};

/* It takes more, or less, than in the session that it says it goes on with. `data`: of what. */
static void
test_other_limits (Fixture *self, const void *data)
{
  size_t which = GPOINTER_TO_SIZE (data) / 2;
  int sign = GPOINTER_TO_SIZE (data) % 2 != 0 ? 1 : -1;
  const VtControlLimits *change = &other_limits[which].change;
  g_autofree char *reason = NULL;
  VtControl greeting;

  open_ports (self);
  vanish (self);
  end_greeting_init (&greeting, 2);
  greeting.limits.window += sign * change->window;
  greeting.limits.max_frame += sign * change->max_frame;
  greeting.limits.max_message += sign * change->max_message;
  come_back_with (self, &greeting);
  g_assert_null (vt_trunk_get_mux (self->end.trunk));
  reason = peer_read_goodbye (&self->peer, 1002);
  g_assert_true (g_str_has_prefix (reason, other_limits[which].key));
  g_assert_cmpint (reason[strlen (other_limits[which].key)], ==, ':');
  peer_say_goodbye (&self->peer, 1002, "");
  shutdown (self->peer.fd, SHUT_WR);
  ws_wait (end_has_heard (&self->end, 'c'));
  g_assert_error (self->end.error, VT_ERROR, VT_ERROR_PROTOCOL);
}

/* A peer that says nothing any more; its link is cut. */
static void
test_dead_peer (Fixture *self, const void *data)
{
  if (self->role == VT_MUX_SERVER)
    open_ports (self);
  time_skip (45 * SECOND);
  ws_wait (end_has_heard (&self->end, 'z'));
  g_assert_error (self->end.lost, VT_ERROR, VT_ERROR_TIMED_OUT);
  ws_wait (self->end.n_gates == 0);
  while (ws_read_some (self->peer.fd, self->peer.got))
    ws_turn (1);
  time_skip (59 * SECOND);
  ws_turn (50);
  come_back (self, 0);
  ws_turn (50);
  g_assert_cmpstr (self->end.heard->str, ==, self->role == VT_MUX_SERVER ? "qqz" : "z");
}

/* One that was never heard is not waited for. */
static void
test_dead_stranger (Fixture *self, const void *data)
{
  g_autofree char *reason = NULL;

  time_skip (45 * SECOND);
  ws_wait (end_has_heard (&self->end, 'c'));
  g_assert_cmpstr (self->end.heard->str, ==, "c");
  g_assert_error (self->end.error, VT_ERROR, VT_ERROR_TIMED_OUT);
  reason = peer_read_goodbye (&self->peer, 1001);
}

/* The mux gives up while there is no link to say so over. */
static void
test_failure_while_suspended (Fixture *self, const void *data)
{
  VtMux *mux;

  open_ports (self);
  vanish (self);
  mux = vt_trunk_get_mux (self->end.trunk);
  mux->last_stream_id = G_MAXUINT32;
  g_assert_null (vt_mux_open_stream (mux, 1, NULL, NULL, NULL));
  ws_wait (end_has_heard (&self->end, 'c'));
  g_assert_cmpstr (self->end.heard->str, ==, "qqzc");
  g_assert_error (self->end.error, VT_ERROR, VT_ERROR_SHUTTING_DOWN);
}

/* A session of v1 has only one link. */
static void
test_v1 (void)
{
  Fixture self = { .role = VT_MUX_CLIENT };
  g_autoptr(GIOStream) stream = peer_init (&self.peer, TRUE);
  VtTrunkConfig config;

  end_config_init (&config, VT_MUX_CLIENT, 1);
  config.resume_timeout = RESUME_TIMEOUT;
  end_begin (&self.end, stream, &config);
  vanish (&self);
  g_assert_cmpstr (self.end.heard->str, ==, "c");
  g_assert_cmpuint (vt_trunk_get_received (self.end.trunk), ==, 0);
  tear_down (&self, NULL);
}

typedef void (*Test) (Fixture *self, const void *data);

static void
add_endings (const char *what, Test test)
{
  for (size_t i = 0; i < G_N_ELEMENTS (endings); i++)
    {
      g_autofree char *server =
          g_strdup_printf ("/trunk/suspend/%s/server/%s", what, endings[i].name);
      g_autofree char *client =
          g_strdup_printf ("/trunk/suspend/%s/client/%s", what, endings[i].name);

      g_test_add (server, Fixture, &endings[i], set_up_server, test, tear_down);
      g_test_add (client, Fixture, &endings[i], set_up_client, test, tear_down);
    }
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  ws_quiet ();
#define ADD(path, side, data, func)                                                                \
  g_test_add ("/trunk/suspend/" path, Fixture, data, set_up_##side, func, tear_down)
  ADD ("wrong/server", server, NULL, test_wrong);
  ADD ("wrong/client", client, NULL, test_wrong);
  ADD ("heard/nothing", server, NULL, test_heard);
  ADD ("heard/ping", server, "{\"type\":\"ping\",\"t\":1}", test_heard);
  ADD ("heard/counted", server, "{\"type\":\"later\"}", test_heard);
  ADD ("heard/ack", server, NULL, test_heard_ack);
  ADD ("heard/client", client, NULL, test_heard_client);
  ADD ("sent-again", server, NULL, test_sent_again);
  ADD ("replaced", server, NULL, test_replaced);
  for (size_t i = 0; i < 2 * G_N_ELEMENTS (other_limits); i++)
    {
      g_autofree char *path =
          g_strdup_printf ("/trunk/suspend/limits/%s/%s", other_limits[i / 2].key,
                           i % 2 != 0 ? "more" : "less");

      g_test_add (path, Fixture, GSIZE_TO_POINTER (i), set_up_server, test_other_limits, tear_down);
    }
  ADD ("position/high", server, GUINT_TO_POINTER (4), test_bad_position);
  ADD ("position/low", server, GUINT_TO_POINTER (0), test_bad_position);
  ADD ("dead-peer/server", server, NULL, test_dead_peer);
  ADD ("dead-peer/client", client, NULL, test_dead_peer);
  ADD ("dead-peer/stranger", server, NULL, test_dead_stranger);
  ADD ("failure", server, NULL, test_failure_while_suspended);
#undef ADD
  g_test_add_func ("/trunk/suspend/v1", test_v1);
  add_endings ("ending", test_ending);
  add_endings ("at-once", test_ending_at_once);
  return g_test_run ();
}
