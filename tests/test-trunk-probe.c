/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "time-skip.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/syscall.h>

#include "frame-peer.h"
#include "trunk-end.h"
#include "vt-trunk-struct-private.h"

#define SECOND G_TIME_SPAN_SECOND
#define PATIENCE (5 * SECOND)

#define WS_PING 0x89
#define WS_PONG 0x8a

/* What GLib asks for the address of a socket finds this in the place of the C library's, and is
 * told one of the test's. */
static const char *pretended_address;

__attribute__ ((visibility ("default"))) int
getsockname (int fd, struct sockaddr *restrict address, socklen_t *restrict size)
{
  struct sockaddr_in pretended = { .sin_family = AF_INET, .sin_port = htons (9000) };

  if (pretended_address == NULL)
    return (int) syscall (SYS_getsockname, fd, address, size);
  g_assert_cmpint (inet_pton (AF_INET, pretended_address, &pretended.sin_addr), ==, 1);
  g_assert_cmpuint (*size, >=, sizeof pretended);
  memcpy (address, &pretended, sizeof pretended);
  *size = sizeof pretended;
  return 0;
}

/* Reserved for documentation (RFC 5737): no machine has it. */
#define FOREIGN "192.0.2.1"

/* A client's trunk. */
typedef struct {
  End end;
  Peer peer;
  Peer old; /* over the link before; its descriptor is 0 if there was none */
} Fixture;

static void
set_up (Fixture *self, unsigned int protocol)
{
  g_autoptr(GIOStream) stream = peer_init (&self->peer, TRUE);
  VtTrunkConfig config;

  end_config_init (&config, VT_MUX_CLIENT, protocol);
  config.resume_timeout = 60 * SECOND;
  end_begin (&self->end, stream, &config);
  if (protocol == 2)
    peer_expect_control (&self->peer, VT_CONTROL_PING);
  time_freeze ();
  time_skip (SECOND);
}

static void
set_up_v1 (Fixture *self, const void *data)
{
  set_up (self, 1);
}

static void
set_up_v2 (Fixture *self, const void *data)
{
  set_up (self, 2);
}

static void
tear_down (Fixture *self, const void *data)
{
  time_thaw ();
  pretended_address = NULL;
  end_clear (&self->end);
  peer_clear (&self->peer);
  if (self->old.fd != 0)
    peer_clear (&self->old);
}

static void
expect_heard (Fixture *self, const char *heard)
{
  ws_turn (50);
  g_assert_cmpstr (self->end.heard->str, ==, heard);
}

static void
test_silence (Fixture *self, const void *data)
{
  vt_trunk_probe (self->end.trunk, PATIENCE);
  peer_expect_control (&self->peer, VT_CONTROL_PING);
  time_skip (PATIENCE - SECOND);
  expect_heard (self, "");
  time_skip (SECOND);
  expect_heard (self, "z");
  g_assert_error (self->end.lost, VT_ERROR, VT_ERROR_TIMED_OUT);
  ws_wait (self->end.n_gates == 0);

  /* Nobody is asked without a link. */
  vt_trunk_probe (self->end.trunk, PATIENCE);
  time_skip (2 * PATIENCE);
  expect_heard (self, "z");
}

static void
test_life (Fixture *self, const void *data)
{
  vt_trunk_probe (self->end.trunk, PATIENCE);
  time_skip (PATIENCE - SECOND);
  peer_say_text (&self->peer, "{\"type\":\"later\"}");
  expect_heard (self, "");
  time_skip (PATIENCE);
  expect_heard (self, "");
}

static void
test_silence_v1 (Fixture *self, const void *data)
{
  vt_trunk_probe (self->end.trunk, PATIENCE);
  time_skip (PATIENCE);
  expect_heard (self, "c");
  g_assert_error (self->end.error, VT_ERROR, VT_ERROR_TIMED_OUT);
}

/* An existing program may answer nothing but the pings of the WebSocket: one comes soon, and no
 * more once there was an answer. */
static void
test_life_v1 (Fixture *self, const void *data)
{
  g_autoptr(GByteArray) payload = g_byte_array_new ();
  uint8_t first;

  vt_trunk_probe (self->end.trunk, PATIENCE);
  g_assert_true (self->end.trunk->probing);
  while ((first = peer_read_frame (&self->peer, payload)) != WS_PING)
    g_assert_cmpuint (first, ==, PEER_TEXT);
  time_skip (PATIENCE - SECOND);
  peer_say (&self->peer, WS_PONG, payload->data, payload->len - 1);
  expect_heard (self, "");
  g_assert_false (self->end.trunk->probing);
  time_skip (2 * SECOND);
  expect_heard (self, "");
}

/* A link whose address is not this machine's any more is not asked. It is told in a dispatch of
 * its own. */
static void
test_address_gone (Fixture *self, const void *data)
{
  gboolean is_v2 = vt_trunk_get_protocol (self->end.trunk) == 2;
  GError **error = is_v2 ? &self->end.lost : &self->end.error;

  pretended_address = FOREIGN;
  vt_trunk_probe (self->end.trunk, PATIENCE);
  vt_trunk_probe (self->end.trunk, PATIENCE);
  g_assert_cmpuint (self->end.heard->len, ==, 0);
  expect_heard (self, is_v2 ? "z" : "c");
  g_assert_error (*error, VT_ERROR, VT_ERROR_TIMED_OUT);
}

static void
test_address_there (Fixture *self, const void *data)
{
  pretended_address = "127.0.0.1";
  vt_trunk_probe (self->end.trunk, PATIENCE);
  peer_expect_control (&self->peer, VT_CONTROL_PING);
  time_skip (PATIENCE - SECOND);
  peer_say_text (&self->peer, "{\"type\":\"later\"}");
  expect_heard (self, "");
  time_skip (PATIENCE);
  expect_heard (self, "");
}

/* Before it is told there is another link, which is none of that. */
static void
test_address_gone_of_old_link (Fixture *self, const void *data)
{
  g_autoptr(GIOStream) stream = NULL;
  VtControl greeting;
  VtLink *link;

  pretended_address = FOREIGN;
  vt_trunk_probe (self->end.trunk, PATIENCE);
  pretended_address = NULL;
  self->old = self->peer;
  stream = peer_init (&self->peer, TRUE);
  link = end_new_link (&self->end, stream, VT_MUX_CLIENT);
  vt_trunk_prepare_resume (self->end.trunk);
  end_greeting_init (&greeting, 0);
  vt_trunk_resume (self->end.trunk, link, &greeting);
  peer_expect_control (&self->peer, VT_CONTROL_PING);
  expect_heard (self, "");
  g_assert_false (vt_trunk_is_suspended (self->end.trunk));
}

/* Whoever closes at that very moment has the last word. */
static void
test_address_gone_and_closed (Fixture *self, const void *data)
{
  g_autofree char *reason = NULL;

  pretended_address = FOREIGN;
  vt_trunk_probe (self->end.trunk, PATIENCE);
  vt_trunk_close (self->end.trunk, 1000, "never mind");
  reason = peer_read_goodbye (&self->peer, 1000);
  g_assert_cmpstr (reason, ==, "never mind");
  g_assert_cmpuint (self->end.heard->len, ==, 0);
  peer_say_goodbye (&self->peer, 1000, "");
  shutdown (self->peer.fd, SHUT_WR);
  ws_wait (self->end.heard->len > 0);
  g_assert_cmpstr (self->end.heard->str, ==, "c");
  g_assert_no_error (self->end.error);
}

static void
test_address_gone_and_freed (Fixture *self, const void *data)
{
  pretended_address = FOREIGN;
  vt_trunk_probe (self->end.trunk, PATIENCE);
  g_clear_pointer (&self->end.trunk, vt_trunk_free);
  expect_heard (self, "");
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  ws_quiet ();
#define ADD(path, protocol, func)                                                                  \
  g_test_add ("/trunk/probe/" path, Fixture, NULL, set_up_##protocol, func, tear_down)
  ADD ("silence", v2, test_silence);
  ADD ("life", v2, test_life);
  ADD ("v1/silence", v1, test_silence_v1);
  ADD ("v1/life", v1, test_life_v1);
  ADD ("v1/address-gone", v1, test_address_gone);
  ADD ("address-gone", v2, test_address_gone);
  ADD ("address-there", v2, test_address_there);
  ADD ("address-gone/of-old-link", v2, test_address_gone_of_old_link);
  ADD ("address-gone/and-closed", v2, test_address_gone_and_closed);
  ADD ("address-gone/and-freed", v2, test_address_gone_and_freed);
#undef ADD
  return g_test_run ();
}
