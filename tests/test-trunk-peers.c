/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "time-skip.h"

#include "frame-peer.h"
#include "trunk-end.h"
#include "vt-codec-binary-private.h"

/* A trunk of v2, and a peer that writes and reads by hand. Both have greeted. */
typedef struct {
  End end;
  Peer peer;
} Fixture;

static void
set_up_role (Fixture *self, VtMuxRole role)
{
  g_autoptr(GIOStream) stream = peer_init (&self->peer, role == VT_MUX_CLIENT);

  end_begin_role (&self->end, stream, role, 2);
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
}

/* The trunk has refused what the peer did, which hears why and answers; nothing else was told. */
static void
expect_refused (Fixture *self, const char *heard)
{
  g_autofree char *reason = peer_read_goodbye (&self->peer, 1002);

  g_assert_cmpstr (reason, !=, "");
  g_assert_null (vt_trunk_get_mux (self->end.trunk));
  peer_say_goodbye (&self->peer, 1002, "");
  shutdown (self->peer.fd, SHUT_WR);
  ws_wait (end_has_heard (&self->end, 'c'));
  g_assert_cmpstr (self->end.heard->str, ==, heard);
  g_assert_error (self->end.error, VT_ERROR, VT_ERROR_PROTOCOL);
  g_assert_cmpstr (self->end.error->message, ==, reason);
}

/* `data`: the second greeting. */
static void
test_greeting_again (Fixture *self, const void *data)
{
  peer_say_text (&self->peer, data);
  expect_refused (self, "c");
}

/* Two ports are open: two messages of the trunk's own count. */
static void
open_ports (Fixture *self)
{
  peer_say_text (&self->peer, "{\"type\":\"listen\",\"id\":1,\"port\":1}");
  peer_say_text (&self->peer, "{\"type\":\"listen\",\"id\":2,\"port\":2}");
  peer_expect_control (&self->peer, VT_CONTROL_LISTEN_OK);
  peer_expect_control (&self->peer, VT_CONTROL_LISTEN_OK);
}

/* Pings and what acknowledges are not counted; what nobody knows is. */
static void
test_acknowledges (Fixture *self, const void *data)
{
  g_autoptr(GByteArray) payload = g_byte_array_new ();
  guint64 received = 0;

  open_ports (self);
  peer_say_text (&self->peer, "{\"type\":\"ping\",\"t\":1}");
  peer_say_text (&self->peer, "{\"type\":\"later\"}");
  peer_say_ack (&self->peer, 1);
  peer_expect_control (&self->peer, VT_CONTROL_PONG);
  g_assert_cmpuint (vt_trunk_get_received (self->end.trunk), ==, 3);
  time_skip (100 * G_TIME_SPAN_MILLISECOND);
  g_assert_cmpuint (peer_read_frame (&self->peer, payload), ==, PEER_BINARY);
  g_assert_true (vt_codec_binary_read_ack (payload->data, payload->len - 1, &received));
  g_assert_cmpuint (received, ==, 3);
  g_assert_true (peer_is_silent (&self->peer));
  g_assert_cmpstr (self->end.heard->str, ==, "qq");
}

static void
test_ack_of_the_future (Fixture *self, const void *data)
{
  open_ports (self);
  peer_say_ack (&self->peer, 2);
  ws_turn (50);
  g_assert_cmpstr (self->end.heard->str, ==, "qq");
  peer_say_ack (&self->peer, 3);
  expect_refused (self, "qqc");
}

static void
test_ack_taken_back (Fixture *self, const void *data)
{
  open_ports (self);
  peer_say_ack (&self->peer, 2);
  peer_say_ack (&self->peer, 2);
  peer_say_ack (&self->peer, 1);
  expect_refused (self, "qqc");
}

/* It has to be alone in its message. */
static void
test_ack_in_company (Fixture *self, const void *data)
{
  uint8_t frames[2 * VT_BINARY_ACK_SIZE];

  open_ports (self);
  vt_codec_binary_write_ack (frames, 1);
  vt_codec_binary_write_ack (frames + VT_BINARY_ACK_SIZE, 2);
  peer_say (&self->peer, PEER_BINARY, frames, sizeof frames);
  expect_refused (self, "qqc");
}

/* What v1 would take is too much. */
static void
test_too_big (Fixture *self, const void *data)
{
  g_autofree char *payload = g_strnfill (VT_CONTROL_OUR_MESSAGE + 1, ' ');
  g_autofree char *reason = NULL;
  g_autoptr(GByteArray) bytes = g_byte_array_new ();

  ws_add_frame (bytes, PEER_TEXT, payload, VT_CONTROL_OUR_MESSAGE + 1);
  ws_write_all (self->peer.fd, bytes->data, 1000);
  reason = peer_read_goodbye (&self->peer, 1009);
  shutdown (self->peer.fd, SHUT_WR);
  ws_wait (end_has_heard (&self->end, 'c'));
  g_assert_error (self->end.error, VT_ERROR, VT_ERROR_LIMIT);
}

/* Why the other side gave up reaches whoever is told of the end. */
static void
test_reason (Fixture *self, const void *data)
{
  peer_say_goodbye (&self->peer, 1002, "window: too\nsmall");
  shutdown (self->peer.fd, SHUT_WR);
  ws_wait (end_has_heard (&self->end, 'c'));
  g_assert_cmpstr (self->end.heard->str, ==, "c");
  g_assert_cmpuint (self->end.code, ==, 1002);
  g_assert_error (self->end.error, VT_ERROR, VT_ERROR_PROTOCOL);
  g_assert_nonnull (strstr (self->end.error->message, "window: too\\nsmall"));
}

static void
test_vanishes (Fixture *self, const void *data)
{
  shutdown (self->peer.fd, SHUT_RDWR);
  ws_wait (end_has_heard (&self->end, 'c'));
  g_assert_cmpstr (self->end.heard->str, ==, "c");
  g_assert_cmpuint (self->end.code, ==, 0);
  g_assert_error (self->end.error, VT_ERROR, VT_ERROR_FAILED);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  ws_quiet ();
#define ADD(path, side, data, func)                                                                \
  g_test_add ("/trunk/peer/" path, Fixture, data, set_up_##side, func, tear_down)
  ADD ("server/greeting-again", server, PEER_HELLO, test_greeting_again);
  ADD ("server/too-big", server, NULL, test_too_big);
  ADD ("server/reason", server, NULL, test_reason);
  ADD ("server/vanishes", server, NULL, test_vanishes);
  ADD ("client/greeting-again", client, PEER_WELCOME, test_greeting_again);
  ADD ("client/reason", client, NULL, test_reason);
  ADD ("client/vanishes", client, NULL, test_vanishes);
  ADD ("ack/sent", server, NULL, test_acknowledges);
  ADD ("ack/of-the-future", server, NULL, test_ack_of_the_future);
  ADD ("ack/taken-back", server, NULL, test_ack_taken_back);
  ADD ("ack/in-company", server, NULL, test_ack_in_company);
#undef ADD
  return g_test_run ();
}
