/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include <string.h>

#include <vtunnel/vt-error.h>

#include "raw-peer.h"
#include "vt-front-private.h"
#include "vt-loopback-private.h"

#define UPGRADE_BUT_HOST                                                                           \
  "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"         \
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define UPGRADE "Host: localhost:8080\r\n" UPGRADE_BUT_HOST
#define GET_UPGRADE "GET / HTTP/1.1\r\n" UPGRADE

typedef struct {
  VtFront *front;       /* owned */
  VtFrontPolicy policy; /* what it borrows is static */
  gboolean full;
  unsigned int n_connected;
  SoupWebsocketConnection *connection; /* owned: the last one */
  VtGate *gate;                        /* owned */
  GString *messages;                   /* owned: all that came by WebSockets */
  unsigned int n_descriptors;
} Fixture;

static void
get_policy_cb (VtFrontPolicy *policy, void *user_data)
{
  *policy = ((Fixture *) user_data)->policy;
  policy->max_head = 16 * 1024;
  policy->request_timeout = 10 * G_TIME_SPAN_SECOND;
}

static gboolean
recognise_cb (SoupServerMessage *message,
              VtFrontGuest *guest,
              VtUpgradeVerdict *verdict,
              void *user_data)
{
  g_assert_true (G_IS_INET_SOCKET_ADDRESS (guest->address));
  return TRUE;
}

static const char *
get_refusal_cb (const VtFrontGuest *guest, void *user_data)
{
  return ((Fixture *) user_data)->full ? "Full.\n" : NULL;
}

static void
message_cb (SoupWebsocketConnection *connection, int type, GBytes *message, void *user_data)
{
  GString *text = user_data;

  g_string_append_len (text, g_bytes_get_data (message, NULL), g_bytes_get_size (message));
}

static void
connected_cb (SoupWebsocketConnection *connection,
              VtGate *gate,
              const VtFrontGuest *guest,
              void *user_data)
{
  Fixture *fixture = user_data;
  static const VtFrameLimits limits = { .max_message = 1024, .max_control_rate = 10 };
  static const VtGateHandlers no_handlers = { 0 };

  g_assert_true (G_IS_INET_SOCKET_ADDRESS (guest->address));
  g_clear_object (&fixture->connection);
  g_clear_object (&fixture->gate);
  fixture->connection = connection;
  fixture->gate = gate;
  fixture->n_connected++;
  vt_gate_begin_websocket (gate, &limits, &no_handlers, NULL);
  g_signal_connect (connection, "message", G_CALLBACK (message_cb), fixture->messages);
}

static guint16
set_up (Fixture *fixture)
{
  static const VtFrontHandlers handlers = {
    .get_policy = get_policy_cb,
    .recognise = recognise_cb,
    .connected = connected_cb,
    .get_refusal = get_refusal_cb,
  };
  g_autoptr(GError) error = NULL;

  fixture->policy.path = "/";
  fixture->messages = g_string_new (NULL);
  fixture->front = vt_front_new (&handlers, fixture);
  vt_front_listen (fixture->front, "127.0.0.1", 0, &error);
  g_assert_no_error (error);
  return g_array_index (vt_front_get_ports (fixture->front), guint16, 0);
}

static void
tear_down (Fixture *fixture)
{
  if (fixture->gate != NULL)
    vt_gate_abort (fixture->gate, FALSE);
  g_clear_object (&fixture->connection);
  g_clear_object (&fixture->gate);
  vt_front_free (fixture->front);
  raw_settle ();
  g_string_free (fixture->messages, TRUE);
}

/* What a request with these lines is answered. */
typedef struct {
  const char *name;
  const char *request; /* the empty line is added */
  unsigned int status;
  const char *says; /* NULL: nothing in particular */
  VtFrontPolicy policy;
} Case;

static const char *const origins[] = { "https://example.com", NULL };

static const Case cases[] = {
  { "upgrade", GET_UPGRADE, 101, "Upgrade: websocket\r\n" },
  { "any-path", "GET /some/where?a=b HTTP/1.1\r\n" UPGRADE, 101, NULL },
  { "server-header", GET_UPGRADE, 101, "Server: vtunnel\r\n" },
  { "lower-case", "GET / HTTP/1.1\r\nhost: localhost\r\n" UPGRADE_BUT_HOST, 101, NULL },
  { "health", "GET /health HTTP/1.1\r\nHost: example.com\r\n", 200, "\r\n\r\nok" },
  { "health-head", "HEAD /health HTTP/1.1\r\nHost: a\r\n", 200, "Content-Length: 2" },
  { "health-1.0", "GET /health HTTP/1.0\r\n", 200, "\r\n\r\nok" },
  { "health-forwarded", "GET /health HTTP/1.1\r\nHost: a\r\nVia: 1.1 b\r\n", 200, "\r\n\r\nok" },
  { "health-post", "POST /health HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n", 405, NULL },
  { "health-range", "GET /health HTTP/1.1\r\nHost: a\r\nRange: bytes=0-0,1-1\r\n", 200, "ok" },
  { "health-upgrade", "GET /health HTTP/1.1\r\n" UPGRADE, 200, "\r\n\r\nok" },
  { "no-upgrade", "GET / HTTP/1.1\r\nHost: localhost\r\n", 426, "connect with a WebSocket" },
  { "says-how", "GET / HTTP/1.1\r\nHost: localhost\r\n", 426, "\r\nUpgrade: websocket\r\n" },
  { "post", "POST / HTTP/1.1\r\nContent-Length: 0\r\n" UPGRADE, 426, NULL },
  { "head", "HEAD / HTTP/1.1\r\n" UPGRADE, 426, NULL },
  { "connect", "CONNECT localhost:80 HTTP/1.1\r\n" UPGRADE, 426, NULL },
  { "http-1.0", "GET / HTTP/1.0\r\n" UPGRADE, 426, NULL },
  { "expect", GET_UPGRADE "Expect: 100-continue\r\n", 101, NULL },

  { "version/8",
    "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 8\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
    426, "Sec-WebSocket-Version: 13" },
  { "key/none",
    "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\n",
    400, "handshake" },
  { "key/short",
    "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhl\r\n",
    400, "handshake" },
  { "key/two", GET_UPGRADE "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", 400, "handshake" },

  { "path/right", "GET /t HTTP/1.1\r\n" UPGRADE, 101, NULL, { .path = "/t" } },
  { "path/wrong", "GET /tt HTTP/1.1\r\n" UPGRADE, 404, NULL, { .path = "/t" } },
  { "path/below", "GET /t/ HTTP/1.1\r\n" UPGRADE, 404, NULL, { .path = "/t" } },
  { "path/health", "GET /health HTTP/1.1\r\nHost: a\r\n", 200, "\r\n\r\nok", { .path = "/t" } },

  { "origin/any", GET_UPGRADE "Origin: https://example.com\r\n", 403, "allowed-origins" },
  { "origin/null", GET_UPGRADE "Origin: null\r\n", 403, NULL },
  { "origin/right",
    GET_UPGRADE "Origin: https://example.com\r\n",
    101,
    NULL,
    { .path = "/", .allowed_origins = origins } },
  { "origin/longer",
    GET_UPGRADE "Origin: https://example.com.evil.net\r\n",
    403,
    NULL,
    { .path = "/", .allowed_origins = origins } },
  { "origin/two",
    GET_UPGRADE "Origin: https://example.com\r\nOrigin: https://a.b\r\n",
    403,
    NULL,
    { .path = "/", .allowed_origins = origins } },

  { "host/public", "GET / HTTP/1.1\r\nHost: example.com\r\n" UPGRADE_BUT_HOST, 403, "allow-anon" },
  { "host/rebound", "GET / HTTP/1.1\r\nHost: localhost.example.com\r\n" UPGRADE_BUT_HOST, 403 },
  { "host/user", "GET / HTTP/1.1\r\nHost: localhost@example.com\r\n" UPGRADE_BUT_HOST, 403 },
  { "host/absolute", "GET http://example.com/ HTTP/1.1\r\n" UPGRADE, 403, "allow-anonymous" },
  { "host/ipv4", "GET / HTTP/1.1\r\nHost: 127.1.2.3:80\r\n" UPGRADE_BUT_HOST, 101 },
  { "host/ipv6", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n" UPGRADE_BUT_HOST, 101 },
  { "host/below", "GET / HTTP/1.1\r\nHost: a.localhost\r\n" UPGRADE_BUT_HOST, 101 },
  { "host/anonymous",
    "GET / HTTP/1.1\r\nHost: example.com\r\n" UPGRADE_BUT_HOST,
    101,
    NULL,
    { .path = "/", .allow_anonymous = TRUE } },
  { "proxy/forwarded", GET_UPGRADE "Forwarded: for=192.0.2.1\r\n", 403, "allow-anonymous" },
  { "proxy/for", GET_UPGRADE "X-Forwarded-For: 192.0.2.1\r\n", 403, "allow-anonymous" },
  { "proxy/proto", GET_UPGRADE "x-forwarded-proto: https\r\n", 403, NULL },
  { "proxy/real-ip", GET_UPGRADE "X-Real-IP: 192.0.2.1\r\n", 403, NULL },
  { "proxy/via", GET_UPGRADE "Via: 1.1 proxy\r\n", 403, NULL },
  { "proxy/cloud", GET_UPGRADE "CF-Connecting-IP: 192.0.2.1\r\n", 403, NULL },
  { "proxy/anonymous",
    GET_UPGRADE "X-Forwarded-For: 192.0.2.1\r\n",
    101,
    NULL,
    { .path = "/", .allow_anonymous = TRUE } },

  { "smuggle/chunked", GET_UPGRADE "Transfer-Encoding: chunked\r\n", 400, "Transfer-Encoding" },
  { "smuggle/unknown", GET_UPGRADE "Transfer-Encoding: xchunked\r\n", 400, NULL },
  { "smuggle/identity", GET_UPGRADE "Transfer-Encoding: identity\r\n", 400, NULL },
  { "smuggle/both", GET_UPGRADE "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", 400, NULL },
  { "smuggle/length", GET_UPGRADE "Content-Length: 4\r\n", 400, "body" },
  { "smuggle/zero", GET_UPGRADE "Content-Length: 0\r\n", 101, NULL },
  { "smuggle/two-lengths", GET_UPGRADE "Content-Length: 0\r\nContent-Length: 0\r\n", 400, NULL },
  { "smuggle/list", GET_UPGRADE "Content-Length: 0, 5\r\n", 400, NULL },
  { "smuggle/plus", GET_UPGRADE "Content-Length: +0\r\n", 400, "Malformed Content-" },
  { "smuggle/junk-length", GET_UPGRADE "Content-Length: a\r\n", 400, "Malformed Content-" },
  { "smuggle/blank", GET_UPGRADE "Content-Length : 5\r\n", 400, "Malformed header" },
  { "smuggle/folded", GET_UPGRADE "Content-Length: 0\r\n 5\r\n", 400, "Malformed header" },
  { "smuggle/no-colon", GET_UPGRADE "Content-Length\r\n", 400, "Malformed header" },
  { "smuggle/bare-cr", GET_UPGRADE "A: b\rC: d\r\n", 400, "Control character" },
  { "smuggle/two-hosts", GET_UPGRADE "Host: localhost\r\n", 400, "Host" },
  { "smuggle/no-host", "GET / HTTP/1.1\r\n" UPGRADE_BUT_HOST, 400, NULL },
  { "smuggle/health", "GET /health HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n", 400, "body" },
  { "smuggle/post", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n", 400, NULL },

  { "junk/line", "junk\r\n", 400, NULL },
  { "junk/method", "\x01\x02 / HTTP/1.1\r\nHost: localhost\r\n", 400, "Control character" },
  { "junk/verb", "BREW / HTTP/1.1\r\nHost: localhost\r\n", 400, "Unknown method" },
  { "junk/version", "GET / HTTP/7.1\r\nHost: localhost\r\n", 505, NULL },
  { "junk/short-version", "GET / HTTP/1\r\nHost: localhost\r\n", 400, NULL },
  { "junk/no-version", "GET /\r\nHost: localhost\r\n", 400, NULL },
  { "junk/no-target", "GET \r\n", 400, NULL },
  { "junk/target", "GET a HTTP/1.1\r\nHost: localhost\r\n", 400, NULL },
  { "junk/scheme", "GET ftp://localhost/ HTTP/1.1\r\nHost: localhost\r\n", 400, NULL },
  { "junk/no-name", "GET http:///a HTTP/1.1\r\nHost: localhost\r\n", 426, NULL },
  { "junk/port", "GET http://a:99999/ HTTP/1.1\r\nHost: localhost\r\n", 400, NULL },
  { "junk/authority", "CONNECT u@localhost:1/a HTTP/1.1\r\nHost: localhost\r\n", 400, NULL },
  { "junk/host", "GET / HTTP/1.1\r\nHost: a/b\r\n", 400, NULL },
  { "junk/empty-host", "GET / HTTP/1.1\r\nHost:\r\n", 426, NULL },
  { "junk/bracket-host", "GET / HTTP/1.1\r\nHost: [::\r\n", 400, NULL },
  { "junk/latin-host", "GET / HTTP/1.1\r\nHost: \xe4\r\n", 400, NULL },
  { "junk/latin", "GET /\xe4?\xe4 HTTP/1.1\r\nHost: localhost\r\nA: \xe4\r\n", 426, NULL },
  { "junk/percent", "GET /%zz%00?%zz HTTP/1.1\r\nHost: localhost\r\n", 400, NULL },
  { "junk/up", "GET /a/%2e%2e/../b HTTP/1.1\r\nHost: localhost\r\n", 426, NULL },
  { "junk/star", "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n", 426, NULL },
  { "junk/star-host", "OPTIONS * HTTP/1.1\r\nHost: [\r\n", 400, NULL },
  { "junk/expect", GET_UPGRADE "Expect: a\r\n", 417, NULL },
  { "junk/connection",
    "GET / HTTP/1.0\r\nConnection: connection, host, x, x\r\nX: a\r\nHost: a\r\nX: b\r\n", 426,
    NULL },
  { "junk/types", GET_UPGRADE "Content-Type: a\r\nContent-Type: a/b; c=d\r\n", 101, NULL },
  { "junk/types-none", GET_UPGRADE "Content-Type:\r\nContent-Type: ;=\r\n", 101, NULL },
  { "junk/extensions", GET_UPGRADE "Sec-WebSocket-Extensions: ;,a;b=\"\r\n", 101, NULL },
  { "junk/protocols", GET_UPGRADE "Sec-WebSocket-Protocol: ,a,,a\r\n", 101, NULL },
};

/* Which subprotocol becomes of what is offered. */
typedef struct {
  const char *name;
  const char *offer; /* header lines */
  unsigned int max_protocol;
  const char *selected; /* nullable */
} Offer;

#define OFFER(what) "Sec-WebSocket-Protocol: " what "\r\n"
#define V2 "vtunnel.v2"

static const Offer offers[] = {
  { "none", "", 2, NULL },
  { "alone", OFFER (V2), 2, V2 },
  { "first", OFFER (V2 ", a"), 2, V2 },
  { "last", OFFER ("a, b, " V2), 2, V2 },
  { "in-the-middle", OFFER ("a," V2 ",b"), 2, V2 },
  { "tabs", OFFER ("a\t,\t" V2 "\t"), 2, V2 },
  { "empty-elements", OFFER (",, ," V2 ",,"), 2, V2 },
  { "other-line", OFFER ("a") OFFER (V2), 2, V2 },
  { "first-line", OFFER (V2) "X-Between: c\r\n" OFFER ("a"), 2, V2 },
  { "twice", OFFER (V2 ", " V2), 2, V2 },
  { "not-allowed", OFFER (V2), 1, NULL },
  { "unknown", OFFER ("chat, vtunnel.v3"), 2, NULL },
  { "longer", OFFER (V2 "1"), 2, NULL },
  { "shorter", OFFER ("vtunnel.v"), 2, NULL },
  { "case", OFFER ("VTunnel.V2"), 2, NULL },
  { "quoted", OFFER ("\"a, " V2 ", b\""), 2, NULL },
  { "quote-open", OFFER ("\"a, " V2), 2, NULL },
  { "empty", OFFER (""), 2, NULL },
};

static gboolean
has_answer (void *user_data)
{
  RawPeer *peer = user_data;

  /* No NUL ends what was received so far. */
  return peer->ended
         || (peer->input->len > 0
             && memmem (peer->input->data, peer->input->len, " 101 ", 5) != NULL);
}

static void
test_answer (const void *data)
{
  const Case *one = data;
  Fixture fixture = { 0 };
  guint16 port = set_up (&fixture);
  g_autoptr(RawPeer) peer = raw_peer_new (port);
  g_autofree char *status = g_strdup_printf (" %u ", one->status);
  const char *answer;

  if (one->policy.path != NULL)
    fixture.policy = one->policy;
  raw_peer_send_text (peer, one->request);
  raw_peer_send_text (peer, "\r\n");
  if (one->status == 101)
    {
      raw_wait (has_answer, peer);
      answer = raw_peer_wait_input (peer, 1);
    }
  else
    answer = raw_peer_wait_end (peer);

  if (!g_str_has_prefix (answer, "HTTP/1.") || !g_str_has_prefix (answer + 8, status))
    g_test_fail_printf ("Expected%s, got “%s”", status, answer);
  if (one->says != NULL && strstr (answer, one->says) == NULL)
    g_test_fail_printf ("Expected “%s” in “%s”", one->says, answer);
  g_assert_cmpuint (fixture.n_connected, ==, one->status == 101 ? 1 : 0);
  tear_down (&fixture);
}

static void
test_no_extension (void)
{
  Fixture fixture = { 0 };
  guint16 port = set_up (&fixture);
  g_autoptr(RawPeer) peer = raw_peer_new (port);

  raw_peer_send_text (peer, GET_UPGRADE "Sec-WebSocket-Protocol: a, b\r\n"
                                        "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n");
  raw_wait (has_answer, peer);
  g_assert_null (strstr (raw_peer_wait_input (peer, 1), "Sec-WebSocket-Extensions"));
  g_assert_null (strstr (raw_peer_wait_input (peer, 1), "Sec-WebSocket-Protocol"));
  g_assert_null (soup_websocket_connection_get_protocol (fixture.connection));
  tear_down (&fixture);
}

static void
test_offer (const void *data)
{
  const Offer *one = data;
  Fixture fixture = { 0 };
  guint16 port = set_up (&fixture);
  g_autoptr(RawPeer) peer = raw_peer_new (port);
  const char *line = "\r\nSec-WebSocket-Protocol: " V2 "\r\n";
  const char *answer;

  fixture.policy.max_protocol = one->max_protocol;
  raw_peer_send_text (peer, GET_UPGRADE);
  raw_peer_send_text (peer, one->offer);
  raw_peer_send_text (peer, "\r\n");
  raw_wait (has_answer, peer);
  answer = raw_peer_wait_input (peer, 1);
  if (one->selected != NULL)
    g_assert_nonnull (strstr (answer, line));
  else
    g_assert_null (strstr (answer, "Sec-WebSocket-Protocol"));
  g_assert_cmpstr (soup_websocket_connection_get_protocol (fixture.connection), ==, one->selected);
  tear_down (&fixture);
}

static void
test_full (void)
{
  Fixture fixture = { .full = TRUE };
  guint16 port = set_up (&fixture);
  g_autoptr(RawPeer) peer = raw_peer_new (port);
  g_autoptr(RawPeer) health = raw_peer_new (port);

  raw_peer_send_text (peer, GET_UPGRADE "\r\n");
  g_assert_true (g_str_has_prefix (raw_peer_wait_end (peer), "HTTP/1.1 503 "));
  raw_peer_send_text (health, "GET /health HTTP/1.1\r\nHost: a\r\n\r\n");
  g_assert_true (g_str_has_prefix (raw_peer_wait_end (health), "HTTP/1.1 200 "));
  g_assert_cmpuint (fixture.n_connected, ==, 0);
  tear_down (&fixture);
}

static gboolean
has_text (void *user_data)
{
  return ((GString *) user_data)->len > 0;
}

/* A client may send its first frame right behind its request. */
static void
test_frame_behind_head (void)
{
  Fixture fixture = { 0 };
  guint16 port = set_up (&fixture);
  g_autoptr(RawPeer) peer = raw_peer_new (port);

  raw_peer_send (peer, GET_UPGRADE "\r\n\x81\x85\0\0\0\0hello", strlen (GET_UPGRADE) + 13);
  raw_wait (has_text, fixture.messages);
  g_assert_cmpstr (fixture.messages->str, ==, "hello");
  tear_down (&fixture);
}

/* A body of no bytes is none. */
static void
test_frame_behind_zero (void)
{
  static const char request[] = GET_UPGRADE "Content-Length: 0\r\n\r\n\x81\x85\0\0\0\0hello";
  Fixture fixture = { 0 };
  guint16 port = set_up (&fixture);
  g_autoptr(RawPeer) peer = raw_peer_new (port);

  raw_peer_send (peer, request, sizeof request - 1);
  raw_wait (has_text, fixture.messages);
  g_assert_cmpstr (fixture.messages->str, ==, "hello");
  tear_down (&fixture);
}

/* The answer is there before much of the body was taken from the socket. */
static void
test_large_post (void)
{
  Fixture fixture = { 0 };
  guint16 port = set_up (&fixture);
  g_autoptr(RawPeer) peer = raw_peer_new (port);
  g_autofree char *body = g_malloc0 (1024 * 1024);

  raw_peer_send_text (peer,
                      "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 536870912\r\n\r\n");
  g_assert_true (g_str_has_prefix (raw_peer_wait_input (peer, 16), "HTTP/1.1 400 "));
  raw_peer_send (peer, body, 1024 * 1024);
  g_assert_nonnull (strstr (raw_peer_wait_end (peer), "A request with a body is not taken.\n"));
  tear_down (&fixture);
}

static void
test_long_head (void)
{
  Fixture fixture = { 0 };
  guint16 port = set_up (&fixture);
  g_autoptr(RawPeer) peer = raw_peer_new (port);
  g_autofree char *filler = g_strnfill (20 * 1024, 'a');

  raw_peer_send_text (peer, "GET / HTTP/1.1\r\nX: ");
  raw_peer_send_text (peer, filler);
  raw_peer_wait_end (peer);
  g_assert_cmpuint (fixture.n_connected, ==, 0);
  tear_down (&fixture);
}

static void
test_junk (void)
{
  Fixture fixture = { 0 };
  guint16 port = set_up (&fixture);
  g_autoptr(RawPeer) peer = raw_peer_new (port);
  g_autofree char *junk = g_malloc (64 * 1024);

  for (int i = 0; i < 64 * 1024; i++)
    junk[i] = g_test_rand_int_range (0, 256);
  raw_peer_send (peer, junk, 64 * 1024);
  raw_peer_shutdown (peer);
  raw_peer_wait_end (peer);
  tear_down (&fixture);
}

static gboolean
all_arrived (void *user_data)
{
  Fixture *fixture = user_data;

  return raw_count_descriptors () >= fixture->n_descriptors + 600;
}

/* They hold nothing but a descriptor each, others are served meanwhile, and stop ends them. */
static void
test_unfinished (void)
{
  Fixture fixture = { 0 };
  guint16 port = set_up (&fixture);
  RawPeer *peers[300];
  gint64 begun = g_get_monotonic_time ();
  g_autoptr(RawPeer) late = NULL;

  fixture.n_descriptors = raw_count_descriptors ();
  for (size_t i = 0; i < G_N_ELEMENTS (peers); i++)
    {
      peers[i] = raw_peer_new (port);
      raw_peer_send_text (peers[i], "GET / HTTP/1.1\r\nHost: loc");
    }
  raw_wait (all_arrived, &fixture);
  late = raw_peer_new (port);
  raw_peer_send_text (late, "GET /health HTTP/1.1\r\nHost: a\r\n\r\n");
  g_assert_true (g_str_has_prefix (raw_peer_wait_end (late), "HTTP/1.1 200 "));
  vt_front_stop (fixture.front);
  for (size_t i = 0; i < G_N_ELEMENTS (peers); i++)
    {
      raw_peer_wait_end (peers[i]);
      raw_peer_free (peers[i]);
    }
  /* Not by their deadline, that is. */
  g_assert_cmpint (g_get_monotonic_time () - begun, <, 9 * G_USEC_PER_SEC);
  g_assert_cmpuint (vt_front_get_ports (fixture.front)->len, ==, 0);
  tear_down (&fixture);
}

static void
test_beyond_loopback (void)
{
  Fixture fixture = { 0 };
  g_autoptr(GError) error = NULL;

  set_up (&fixture);
  g_assert_false (vt_front_listen (fixture.front, "0.0.0.0", 0, &error));
  g_assert_error (error, VT_ERROR, VT_ERROR_PERMISSION_DENIED);
  g_assert_nonnull (strstr (error->message, "allow-anonymous"));
  g_clear_error (&error);
  g_assert_false (vt_front_listen (fixture.front, "nowhere", 0, &error));
  g_assert_error (error, VT_ERROR, VT_ERROR_PERMISSION_DENIED);
  g_clear_error (&error);
  fixture.policy.allow_anonymous = TRUE;
  g_assert_true (vt_front_listen (fixture.front, "*", 0, &error));
  g_assert_no_error (error);
  tear_down (&fixture);
}

static void
test_loopback_hosts (void)
{
  static const char *const loopback[] = {
    "localhost", "LOCALHOST",   "localhost:1", "localhost.",  "a.b.localhost",
    "127.0.0.1", "127.9.9.9:9", "[::1]",       "[::1]:65535",
  };
  static const char *const others[] = {
    "",           "a",     "localhost:",  "localhost:a", "localhost:1:2", "localhost:123456",
    "xlocalhost", "[::2]", "[::1",        "[::1]x",      "::1",           "127.0.0.1.nip.io",
    "128.0.0.1",  "127.1", "[127.0.0.1]", "localhost/",  "a b.localhost", ".localhost:x",
  };

  for (size_t i = 0; i < G_N_ELEMENTS (loopback); i++)
    if (!vt_loopback_is_host (loopback[i]))
      g_test_fail_printf ("%s", loopback[i]);
  for (size_t i = 0; i < G_N_ELEMENTS (others); i++)
    if (vt_loopback_is_host (others[i]))
      g_test_fail_printf ("%s", others[i]);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *path = g_strconcat ("/front/answer/", cases[i].name, NULL);

      g_test_add_data_func (path, &cases[i], test_answer);
    }
  for (size_t i = 0; i < G_N_ELEMENTS (offers); i++)
    {
      g_autofree char *path = g_strdup_printf ("/front/offer/%s", offers[i].name);

      g_test_add_data_func (path, &offers[i], test_offer);
    }
  g_test_add_func ("/front/answer/no-extension", test_no_extension);
  g_test_add_func ("/front/answer/full", test_full);
  g_test_add_func ("/front/frame-behind-head", test_frame_behind_head);
  g_test_add_func ("/front/frame-behind-zero", test_frame_behind_zero);
  g_test_add_func ("/front/hostile/large-post", test_large_post);
  g_test_add_func ("/front/hostile/long-head", test_long_head);
  g_test_add_func ("/front/hostile/junk", test_junk);
  g_test_add_func ("/front/hostile/unfinished", test_unfinished);
  g_test_add_func ("/front/listen/beyond-loopback", test_beyond_loopback);
  g_test_add_func ("/front/loopback/hosts", test_loopback_hosts);
  return g_test_run ();
}
