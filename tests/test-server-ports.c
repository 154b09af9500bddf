/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include <vtunnel/vtunnel.h>

#include "server-fixture.h"

static void
count_cb (GObject *object, GParamSpec *pspec, void *user_data)
{
  (*(unsigned int *) user_data)++;
}

static void
test_property (ServerFixture *self, const void *data)
{
  VtServer *server = self->server;
  g_autoptr(GError) error = NULL;
  g_autofree char *text = NULL;
  unsigned int n = 0;

  g_signal_connect (server, "notify::proxy-protocol-ports", G_CALLBACK (count_cb), &n);
  g_assert_null (vt_server_get_proxy_protocol_ports (server));
  g_assert_true (vt_server_set_proxy_protocol_ports (server, NULL, &error));
  g_assert_cmpuint (n, ==, 0);
  g_assert_true (vt_server_set_proxy_protocol_ports (server, "1-65535", &error));
  g_assert_true (vt_server_set_proxy_protocol_ports (server, "1-65535", &error));
  g_assert_cmpuint (n, ==, 1);
  g_assert_false (vt_server_set_proxy_protocol_ports (server, "0", &error));
  g_assert_error (error, VT_ERROR, VT_ERROR_INVALID_ARGUMENT);
  g_object_get (server, "proxy-protocol-ports", &text, NULL);
  g_assert_cmpstr (text, ==, "1-65535");
  g_assert_true (vt_server_set_proxy_protocol_ports (server, NULL, NULL));
  g_assert_null (vt_server_get_proxy_protocol_ports (server));
  g_assert_cmpuint (n, ==, 2);
}

static char *
describe_user (ServerFixture *self)
{
  g_autoptr(VtStream) stream = g_list_model_get_item (vt_session_get_streams (self->session), 0);

  return g_socket_connectable_to_string (
      G_SOCKET_CONNECTABLE (vt_stream_get_user_address (stream)));
}

/* Of two ports of one client, the second is opened when its users are expected to come through a
 * proxy, and the third when they are not any more. */
static void
test_opened_later (ServerFixture *self, const void *data)
{
  g_autoptr(V2Peer) peer = v2_peer_enter (self->port);
  guint16 before, proxied, after;
  RawPeer *user;
  g_autofree char *payload = NULL;
  g_autofree char *who = NULL;

  before = v2_peer_listen (peer, 1, 0);
  g_assert_true (vt_server_set_proxy_protocol_ports (self->server, "1-65535", NULL));
  proxied = v2_peer_listen (peer, 2, 0);
  g_assert_true (vt_server_set_proxy_protocol_ports (self->server, NULL, NULL));
  after = v2_peer_listen (peer, 3, 0);
  server_fixture_expect (self, "+session ");

  user = raw_peer_new (proxied);
  raw_peer_send_text (user, "PROXY TCP4 192.0.2.1 192.0.2.2 3 4\r\n");
  server_fixture_expect (self, "+stream1 ");
  who = describe_user (self);
  g_assert_cmpstr (who, ==, "192.0.2.1:3");
  raw_peer_send_text (user, "hello");
  payload = v2_peer_wait (peer, V2_DATA, 1);
  g_assert_cmpstr (payload, ==, "hello");
  raw_peer_free (user);

  for (unsigned int i = 0; i < 2; i++)
    {
      g_autofree char *said = NULL;

      user = raw_peer_new (i == 0 ? before : after);
      raw_peer_send_text (user, "PROXY UNKNOWN\r\n");
      said = v2_peer_wait (peer, V2_DATA, i + 2);
      g_assert_cmpstr (said, ==, "PROXY UNKNOWN\r\n");
      raw_peer_free (user);
    }
}

/* Who has not said who they are when the port is closed is gone with it, and was never there. */
static void
test_port_closed (ServerFixture *self, const void *data)
{
  g_autoptr(V2Peer) peer = v2_peer_enter (self->port);
  RawPeer *user;
  guint16 port;

  g_assert_true (vt_server_set_proxy_protocol_ports (self->server, "1-65535", NULL));
  port = v2_peer_listen (peer, 1, 0);
  server_fixture_expect (self, "+session ");
  user = raw_peer_new (port);
  raw_peer_send_text (user, "PROXY TCP4 192.0.2.1");
  raw_settle ();
  v2_peer_send_text (peer, "{\"type\":\"unlisten\",\"id\":1}");
  raw_peer_wait_end (user);
  g_assert_true (user->reset);
  raw_peer_free (user);
  server_fixture_expect_silence (self);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  SERVER_TEST ("/server-ports/property", test_property);
  SERVER_TEST ("/server-ports/opened-later", test_opened_later);
  SERVER_TEST ("/server-ports/port-closed", test_port_closed);
  return g_test_run ();
}
