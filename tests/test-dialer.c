/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "descriptors.h"
#include "dialer-fixture.h"

static void
test_upgrade (DialFixture *self, const void *data)
{
  g_autoptr(RawLink) link = NULL;

  dial_fixture_start (self);
  link = raw_server_wait_upgrade (self->server);
  RAW_WAIT (self->done);
  g_assert_no_error (self->error);
  dial_fixture_expect_outcome (self, FALSE, 0);
  g_assert_cmpint (soup_websocket_connection_get_state (self->connection), ==,
                   SOUP_WEBSOCKET_STATE_OPEN);
  g_assert_null (soup_websocket_connection_get_extensions (self->connection));

  raw_link_send_text (link, "there");
  RAW_WAIT (self->messages->len > 0);
  g_assert_cmpstr (self->messages->str, ==, "there\n");
  soup_websocket_connection_send_text (self->connection, "and back");
  raw_link_expect_text (link, "and back");

  vt_link_close (self->link, 1000, NULL);
  g_assert_cmpuint (raw_link_read_close (link), ==, 1000);
  RAW_WAIT (raw_link_is_ended (link));
  g_clear_pointer (&link, raw_link_free);
  RAW_WAIT (self->closed);
}

static void
test_upgrade_tail (DialFixture *self, const void *data)
{
  dial_fixture_start (self);
  dial_fixture_check_tail (self, raw_server_wait_link (self->server), GPOINTER_TO_SIZE (data));
}

/* Nothing may be read before somebody listens, however long that takes. */
static void
late_cb (GObject *source, GAsyncResult *result, void *user_data)
{
  GAsyncResult **late = user_data;

  *late = g_object_ref (result);
}

static void
test_upgrade_late (DialFixture *self, const void *data)
{
  const VtDialRequest request = { .session = self->session, .uri = self->uri };
  g_autoptr(GBytes) tail = raw_frame_new (1, "early", 5);
  g_autoptr(GAsyncResult) late = NULL;
  g_autoptr(RawLink) link = NULL;
  g_autofree char *head = NULL;

  vt_dialer_dial_async (&request, NULL, late_cb, &late);
  link = raw_server_wait_link (self->server);
  head = raw_link_read_head (link);
  raw_link_upgrade (link, head, tail);
  RAW_WAIT (late != NULL);
  raw_link_send_text (link, "and more");
  raw_settle ();
  dial_fixture_dialed_cb (NULL, late, self);
  g_assert_no_error (self->error);
  RAW_WAIT (self->messages->len >= strlen ("early\nand more\n"));
  g_assert_cmpstr (self->messages->str, ==, "early\nand more\n");
}

/* Nobody fetches what was dialled. */
static void
test_upgrade_forgotten (DialFixture *self, const void *data)
{
  const VtDialRequest request = { .session = self->session, .uri = self->uri };
  GAsyncResult *late = NULL;
  g_autoptr(RawLink) link = NULL;

  vt_dialer_dial_async (&request, NULL, late_cb, &late);
  link = raw_server_wait_upgrade (self->server);
  RAW_WAIT (late != NULL);
  g_clear_object (&late);
  RAW_WAIT (raw_link_is_ended (link));
}

static void
test_request (DialFixture *self, const void *data)
{
  g_autoptr(RawLink) link = NULL;
  g_autofree char *head = NULL;

  soup_session_add_feature_by_type (self->session, SOUP_TYPE_WEBSOCKET_EXTENSION_MANAGER);
  self->headers = g_ptr_array_new ();
  g_ptr_array_add (self->headers, (char *) "X-Colour");
  g_ptr_array_add (self->headers, (char *) "green");
  g_ptr_array_add (self->headers, (char *) "Authorization");
  g_ptr_array_add (self->headers, (char *) "Bearer secret");
  dial_fixture_start (self);
  link = raw_server_wait_link (self->server);
  head = raw_link_read_head (link);
  g_assert_true (g_str_has_prefix (head, "GET / HTTP/1.1\r\n"));
  g_assert_nonnull (strstr (head, "\r\nX-Colour: green\r\n"));
  g_assert_nonnull (strstr (head, "\r\nAuthorization: Bearer secret\r\n"));
  g_assert_null (strstr (head, "Origin"));
  g_assert_null (strstr (head, "Sec-WebSocket-Extensions"));
  g_assert_null (strstr (head, "Sec-WebSocket-Protocol"));
  raw_link_upgrade (link, head, NULL);
  RAW_WAIT (self->done);
  g_assert_no_error (self->error);
}

static const char *const subprotocols[] = { "new", NULL };

/* Offers a subprotocol, which the server answers with `selected`. */
static void
offer (DialFixture *self, const char *selected)
{
  g_autoptr(RawLink) link = NULL;
  g_autofree char *head = NULL;

  self->subprotocols = subprotocols;
  dial_fixture_start (self);
  link = raw_server_wait_link (self->server);
  head = raw_link_read_head (link);
  g_assert_nonnull (strstr (head, "\r\nSec-WebSocket-Protocol: new\r\n"));
  raw_link_upgrade_to (link, head, selected, NULL);
  RAW_WAIT (self->done);
}

static void
test_offer (DialFixture *self, const void *data)
{
  const char *selected = data;

  offer (self, selected);
  g_assert_no_error (self->error);
  g_assert_cmpstr (soup_websocket_connection_get_protocol (self->connection), ==, selected);
}

static void
test_offer_misunderstood (DialFixture *self, const void *data)
{
  offer (self, data);
  dial_fixture_expect_error (self, VT_ERROR_NOT_A_TUNNEL, "unsupported protocol");
}

/* Whoever answers so would speak something else. */
static void
test_offer_nothing (DialFixture *self, const void *data)
{
  g_autoptr(RawLink) link = NULL;
  g_autofree char *head = NULL;

  dial_fixture_start (self);
  link = raw_server_wait_link (self->server);
  head = raw_link_read_head (link);
  raw_link_upgrade_to (link, head, "new", NULL);
  dial_fixture_expect_error (self, VT_ERROR_NOT_A_TUNNEL, "unsupported protocol");
}

static const struct {
  const char *name;
  const char *answer;
  int code;
  const char *part;
  gboolean hopeless;
} answers[] = {
  { "ok", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", VT_ERROR_NOT_A_TUNNEL,
    "/: the server answered 200 OK: no WebSocket there", TRUE },
  { "ok-without-end", "HTTP/1.1 200 OK\r\n\r\ndata: for ever", VT_ERROR_NOT_A_TUNNEL,
    "the server answered 200 OK", TRUE },
  { "bad-request", "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", VT_ERROR_NOT_A_TUNNEL,
    "400 Bad Request", TRUE },
  { "unauthorised", "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n",
    VT_ERROR_NOT_AUTHORISED, "401 Unauthorized", TRUE },
  { "challenge",
    "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n",
    VT_ERROR_NOT_AUTHORISED, "401 Unauthorized", TRUE },
  { "forbidden", "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", VT_ERROR_NOT_AUTHORISED,
    "403 Forbidden", TRUE },
  { "not-found", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", VT_ERROR_NOT_A_TUNNEL,
    "404 Not Found: no WebSocket there", TRUE },
  { "redirect",
    "HTTP/1.1 302 Found\r\nLocation: http://other.example/\"x\r\nContent-Length: 0\r\n\r\n",
    VT_ERROR_NOT_A_TUNNEL, "points to http://other.example/\\\"x, which is not followed", TRUE },
  { "proxy", "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
    VT_ERROR_NOT_AUTHORISED, "proxy", TRUE },
  { "phrase", "HTTP/1.1 500 \x1b[31mred\r\nContent-Length: 0\r\n\r\n", VT_ERROR_FAILED, "500 \\",
    FALSE },
  { "wrong-key",
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: AAAA\r\n\r\n",
    VT_ERROR_NOT_A_TUNNEL, "no WebSocket there", FALSE },
  { "extension-not-offered",
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Accept: AAAA\r\n\r\n",
    VT_ERROR_NOT_A_TUNNEL, "no WebSocket there", FALSE },
  { "not-http", "SSH-2.0-OpenSSH_9.2\r\n\r\n", VT_ERROR_NOT_A_TUNNEL, "no WebSocket there", FALSE },
};

static void
test_answer (DialFixture *self, const void *data)
{
  size_t i = GPOINTER_TO_SIZE (data);
  g_autoptr(RawLink) link = NULL;
  g_autofree char *head = NULL;

  dial_fixture_start (self);
  link = raw_server_wait_link (self->server);
  head = raw_link_read_head (link);
  raw_link_send (link, answers[i].answer, strlen (answers[i].answer));
  dial_fixture_expect_error (self, answers[i].code, answers[i].part);
  dial_fixture_expect_outcome (self, answers[i].hopeless, 0);
  /* libsoup may keep a connection that was answered in full for the next request. */
  soup_session_abort (self->session);
  RAW_WAIT (raw_link_is_ended (link));
}

static void
test_answer_none (DialFixture *self, const void *data)
{
  g_autofree char *host = g_strdup_printf ("127.0.0.1:%u: ", raw_server_get_port (self->server));
  RawLink *link;

  dial_fixture_start (self);
  link = raw_server_wait_link (self->server);
  g_free (raw_link_read_head (link));
  raw_link_free (link);
  dial_fixture_expect_error (self, VT_ERROR_FAILED, host);
  dial_fixture_expect_outcome (self, FALSE, 0);
}

static char *
complete (const char *request)
{
  const char *key = strstr (request, "Sec-WebSocket-Key: ") + strlen ("Sec-WebSocket-Key: ");
  g_autofree char *salted = g_strdup_printf ("%.24s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
  g_autoptr(GChecksum) checksum = g_checksum_new (G_CHECKSUM_SHA1);
  uint8_t digest[20];
  size_t length = sizeof digest;
  g_autofree char *accept = NULL;

  g_checksum_update (checksum, (const guchar *) salted, -1);
  g_checksum_get_digest (checksum, digest, &length);
  accept = g_base64_encode (digest, length);
  return g_strdup_printf ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                          "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n"
                          "Sec-WebSocket-Protocol: new\r\n\r\n",
                          accept);
}

/* A connection that ends within the answer is no tunnel to anybody, nor does it tell that there is
 * none: waiting may mend it. */
static void
test_answer_cut (void)
{
  size_t length = 1;

  for (size_t i = 0; i < length; i++)
    {
      DialFixture fixture = { .subprotocols = subprotocols };
      g_autofree char *head = NULL;
      g_autofree char *answer = NULL;
      RawLink *link;

      dial_fixture_set_up (&fixture, NULL);
      dial_fixture_start (&fixture);
      link = raw_server_wait_link (fixture.server);
      head = raw_link_read_head (link);
      answer = complete (head);
      length = strlen (answer);
      raw_link_send (link, answer, i);
      raw_link_free (link);
      RAW_WAIT (fixture.done);
      g_assert_nonnull (fixture.error);
      dial_fixture_expect_outcome (&fixture, FALSE, 0);
      dial_fixture_tear_down (&fixture, NULL);
    }
}

static void
test_refused (DialFixture *self, const void *data)
{
  g_autofree char *host = g_strdup_printf ("127.0.0.1:%u: ", raw_server_get_port (self->server));

  g_clear_pointer (&self->server, raw_server_free);
  dial_fixture_start (self);
  dial_fixture_expect_error (self, VT_ERROR_FAILED, host);
  dial_fixture_expect_outcome (self, FALSE, 0);
}

static void
test_cancel_before (DialFixture *self, const void *data)
{
  g_cancellable_cancel (self->cancellable);
  dial_fixture_start (self);
  RAW_WAIT (self->done);
  g_assert_error (self->error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

static void
test_cancel_connecting (DialFixture *self, const void *data)
{
  dial_fixture_start (self);
  g_main_context_iteration (NULL, FALSE);
  g_cancellable_cancel (self->cancellable);
  RAW_WAIT (self->done);
  g_assert_error (self->error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

static void
test_cancel_waiting (DialFixture *self, const void *data)
{
  const char *some = data;
  g_autoptr(RawLink) link = NULL;
  g_autofree char *head = NULL;

  dial_fixture_start (self);
  link = raw_server_wait_link (self->server);
  head = raw_link_read_head (link);
  raw_link_send (link, some, strlen (some));
  raw_settle ();
  g_assert_false (self->done);
  g_cancellable_cancel (self->cancellable);
  RAW_WAIT (self->done);
  g_assert_error (self->error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  RAW_WAIT (raw_link_is_ended (link));
}

/* Cancelled when all is done but the fetching. */
static void
test_cancel_after (DialFixture *self, const void *data)
{
  const VtDialRequest request = { .session = self->session, .uri = self->uri };
  g_autoptr(GAsyncResult) late = NULL;
  g_autoptr(RawLink) link = NULL;

  vt_dialer_dial_async (&request, self->cancellable, late_cb, &late);
  link = raw_server_wait_upgrade (self->server);
  RAW_WAIT (late != NULL);
  g_cancellable_cancel (self->cancellable);
  dial_fixture_dialed_cb (NULL, late, self);
  g_assert_error (self->error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_object (&late);
  RAW_WAIT (raw_link_is_ended (link));
}

static void
test_address (DialFixture *self, const void *data)
{
  g_free (self->uri);
  self->uri = g_strdup (data);
  dial_fixture_start (self);
  dial_fixture_expect_error (self, VT_ERROR_INVALID_ARGUMENT, "wss://");
  dial_fixture_expect_outcome (self, TRUE, 0);
  g_assert_null (strstr (self->error->message, "hush"));
}

static void
test_address_secret (DialFixture *self, const void *data)
{
  self->headers = g_ptr_array_new ();
  g_ptr_array_add (self->headers, (char *) "authorization");
  g_ptr_array_add (self->headers, (char *) "Bearer hush");
  test_address (self, data);
}

static void
test_address_http (DialFixture *self, const void *data)
{
  g_autoptr(RawLink) link = NULL;

  g_free (self->uri);
  self->uri = raw_server_get_uri (self->server, "http");
  dial_fixture_start (self);
  link = raw_server_wait_upgrade (self->server);
  RAW_WAIT (self->done);
  g_assert_no_error (self->error);
}

/* Whatever was dialled, no descriptor is left. */
static void
test_descriptors (void)
{
  unsigned int before = 0;

  for (unsigned int i = 0; i < 3; i++)
    {
      DialFixture fixture = { 0 };

      dial_fixture_set_up (&fixture, NULL);
      test_upgrade_tail (&fixture, GSIZE_TO_POINTER (10));
      dial_fixture_tear_down (&fixture, NULL);
      fixture = (DialFixture){ 0 };
      dial_fixture_set_up (&fixture, NULL);
      test_cancel_waiting (&fixture, "");
      dial_fixture_tear_down (&fixture, NULL);
      if (i == 0)
        before = raw_count_descriptors ();
    }
  g_assert_cmpuint (raw_count_descriptors (), ==, before);
}

/* A link that is lost when the process has none left: GLib would abort. */
static void
test_descriptors_none (DialFixture *self, const void *data)
{
  struct rlimit limit;
  VtGate *gate;

  test_upgrade_tail (self, GSIZE_TO_POINTER (10));
  gate = g_steal_pointer (&self->gate);
  g_clear_pointer (&self->link, vt_link_free);
  g_clear_object (&self->connection);
  raw_settle ();
  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &limit), ==, 0);
  set_limit (0);
  g_object_add_weak_pointer (G_OBJECT (gate), (void **) &gate);
  g_object_unref (gate);
  set_limit (limit.rlim_cur);
  g_assert_null (gate);
}

#define ADD(path, data, func)                                                                      \
  g_test_add (path, DialFixture, data, dial_fixture_set_up, func, dial_fixture_tear_down)

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  ADD ("/dialer/upgrade/both-ways", NULL, test_upgrade);
  ADD ("/dialer/upgrade/tail", GSIZE_TO_POINTER (5), test_upgrade_tail);
  ADD ("/dialer/upgrade/long-tail", GSIZE_TO_POINTER (60000), test_upgrade_tail);
  ADD ("/dialer/upgrade/late", NULL, test_upgrade_late);
  ADD ("/dialer/upgrade/forgotten", NULL, test_upgrade_forgotten);
  ADD ("/dialer/request", NULL, test_request);
  ADD ("/dialer/offer/selected", "new", test_offer);
  ADD ("/dialer/offer/ignored", NULL, test_offer);
  ADD ("/dialer/offer/other-selected", "old", test_offer_misunderstood);
  ADD ("/dialer/offer/two-selected", "new, old", test_offer_misunderstood);
  ADD ("/dialer/offer/nothing", NULL, test_offer_nothing);
  for (size_t i = 0; i < G_N_ELEMENTS (answers); i++)
    {
      g_autofree char *path = g_strdup_printf ("/dialer/answer/%s", answers[i].name);

      ADD (path, GSIZE_TO_POINTER (i), test_answer);
    }
  ADD ("/dialer/answer/none", NULL, test_answer_none);
  g_test_add_func ("/dialer/answer/cut", test_answer_cut);
  ADD ("/dialer/refused", NULL, test_refused);
  ADD ("/dialer/cancel/before", NULL, test_cancel_before);
  ADD ("/dialer/cancel/connecting", NULL, test_cancel_connecting);
  ADD ("/dialer/cancel/waiting", "", test_cancel_waiting);
  ADD ("/dialer/cancel/half-a-head", "HTTP/1.1 101 Switching\r\nUpgr", test_cancel_waiting);
  ADD ("/dialer/cancel/after", NULL, test_cancel_after);
  ADD ("/dialer/address/none", "", test_address);
  ADD ("/dialer/address/relative", "/path", test_address);
  ADD ("/dialer/address/scheme", "ftp://127.0.0.1/", test_address);
  ADD ("/dialer/address/no-host", "ws:///path", test_address);
  ADD ("/dialer/address/port", "ws://127.0.0.1:hush/", test_address);
  ADD ("/dialer/address/password", "ws://me:hush@192.0.2.1/", test_address);
  ADD ("/dialer/address/token", "ws://192.0.2.1/", test_address_secret);
  ADD ("/dialer/address/token-to-name", "http://localhost.example.org/", test_address_secret);
  ADD ("/dialer/address/http", NULL, test_address_http);
  g_test_add_func ("/dialer/descriptors", test_descriptors);
  ADD ("/dialer/descriptors/none", NULL, test_descriptors_none);
  return g_test_run ();
}
