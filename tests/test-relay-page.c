/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-relay-page-private.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "loopback.h"
#include "relay-fixture.h"
#include "vt-error-private.h"

#define REQUEST "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"

/* Nobody listens at the target. */
static Talker *
connect_to_nothing (RelayFixture *self)
{
  if (self->target_listener >= 0)
    close (self->target_listener);
  self->target_listener = -1;
  return relay_fixture_connect (self);
}

static void
expect_target_end (RelayFixture *self, int code)
{
  RUN_UNTIL (self->target_ends->len == 1);
  g_assert_error ((GError *) self->target_ends->pdata[0], VT_ERROR, code);
}

/* Gives the body. */
static const char *
check_answer (Talker *user, const char *status)
{
  g_autofree char *line = g_strdup_printf ("HTTP/1.1 %s\r\n", status);
  const char *text, *length, *body;

  g_byte_array_append (user->received, (const uint8_t *) "", 1);
  text = (const char *) user->received->data;
  g_assert_true (g_str_has_prefix (text, line));
  g_assert_nonnull (strstr (text, "\r\nConnection: close\r\n"));
  g_assert_nonnull (strstr (text, "\r\nCache-Control: no-store\r\n"));
  length = strstr (text, "\r\nContent-Length: ");
  body = strstr (text, "\r\n\r\n");
  g_assert_nonnull (length);
  g_assert_nonnull (body);
  body += strlen ("\r\n\r\n");
  if (body[0] != '\0')
    g_assert_cmpuint (g_ascii_strtoull (length + strlen ("\r\nContent-Length: "), NULL, 10), ==,
                      strlen (body));
  return body;
}

static void
expect_page (RelayFixture *self, Talker *user)
{
  const char *body;

  talker_listen (user, 65536);
  RUN_UNTIL (user->ended || user->error != 0);
  g_assert_cmpint (user->error, ==, 0);
  body = check_answer (user, "502 Bad Gateway");
  g_assert_true (g_str_has_prefix (body, "<!DOCTYPE html>"));
  g_assert_nonnull (strstr (body, "<h1>502 Bad Gateway</h1>"));
  talker_close (user);
  expect_target_end (self, VT_ERROR_TARGET_REFUSED);
  RUN_UNTIL (self->user_ends->len == 1);
}

static void
test_page (RelayFixture *self, gconstpointer data)
{
  Talker *user;

  vt_forward_set_http (self->forward, TRUE);
  user = connect_to_nothing (self);
  talker_say (user, REQUEST);
  expect_page (self, user);
  g_assert_no_error ((GError *) self->user_ends->pdata[0]);
}

static void
test_implied (RelayFixture *self, gconstpointer data)
{
  Talker *user;

  if (data != NULL)
    vt_forward_set_host_header (self->forward, "a.example");
  else
    vt_forward_set_forwarded_headers (self->forward, VT_FORWARDED_HEADERS_FORWARDED);
  user = connect_to_nothing (self);
  talker_say (user, REQUEST);
  expect_page (self, user);
}

/* In two parts, after empty lines, with more behind it than the page needs; and lines that end as
 * in olden times. */
static void
test_pieces (RelayFixture *self, gconstpointer data)
{
  g_autofree char *body = g_strnfill (100 * 1024, 'x');
  Talker *user;

  vt_forward_set_http (self->forward, TRUE);
  user = connect_to_nothing (self);
  talker_say (user, "\r\n\nPOST / HTTP/1.1\nHost: a");
  RUN_UNTIL (self->target_relays->len == 1);
  g_assert_cmpuint (user->received->len, ==, 0);
  talker_say (user, ".example\nContent-Length: 102400\n\n");
  talker_say (user, body);
  expect_page (self, user);
}

static void
test_head (RelayFixture *self, gconstpointer data)
{
  Talker *user;

  vt_forward_set_http (self->forward, TRUE);
  user = connect_to_nothing (self);
  talker_say (user, "HEAD / HTTP/1.1\r\n\r\n");
  talker_listen (user, 65536);
  RUN_UNTIL (user->ended || user->error != 0);
  g_assert_cmpstr (check_answer (user, "502 Bad Gateway"), ==, "");
}

/* Without the option, whatever the user says. */
static void
test_not_http (RelayFixture *self, gconstpointer data)
{
  Talker *user = connect_to_nothing (self);

  talker_say (user, REQUEST);
  talker_listen (user, 65536);
  RUN_UNTIL (user->error == ECONNRESET);
  expect_target_end (self, VT_ERROR_TARGET_REFUSED);
}

static void
expect_reset (RelayFixture *self, Talker *user)
{
  talker_listen (user, 65536);
  RUN_UNTIL (user->error == ECONNRESET);
  g_assert_cmpuint (user->received->len, ==, 0);
  expect_target_end (self, VT_ERROR_TARGET_REFUSED);
}

static void
test_no_request (RelayFixture *self, gconstpointer data)
{
  Talker *user;

  vt_forward_set_http (self->forward, TRUE);
  user = connect_to_nothing (self);
  talker_say (user, "\x16\x03\x01");
  expect_reset (self, user);
}

static void
test_endless_head (RelayFixture *self, gconstpointer data)
{
  g_autofree char *head = g_strnfill (17 * 1024, 'x');
  Talker *user;

  vt_forward_set_http (self->forward, TRUE);
  user = connect_to_nothing (self);
  talker_say (user, head);
  expect_reset (self, user);
}

/* Nothing is said: it takes 5 s. */
static void
test_silent (RelayFixture *self, gconstpointer data)
{
  Talker *user;

  vt_forward_set_http (self->forward, TRUE);
  user = connect_to_nothing (self);
  talker_say (user, "GET / HTTP/1.1\r\n");
  expect_reset (self, user);
}

/* The user has no more to say, and waits for the answer. */
static void
test_half_closed (RelayFixture *self, gconstpointer data)
{
  Talker *user;

  vt_forward_set_http (self->forward, TRUE);
  user = connect_to_nothing (self);
  talker_say (user, REQUEST);
  talker_end (user);
  expect_page (self, user);
}

static void
test_cut_head (RelayFixture *self, gconstpointer data)
{
  Talker *user;

  vt_forward_set_http (self->forward, TRUE);
  user = connect_to_nothing (self);
  talker_say (user, "GET / HTTP/1.1\r\n");
  talker_end (user);
  talker_listen (user, 65536);
  RUN_UNTIL (user->error == ECONNRESET);
  expect_target_end (self, VT_ERROR_TARGET_REFUSED);
}

/* Whoever ends the client while the page is awaited leaves nothing behind. */
static void
test_freed (RelayFixture *self, gconstpointer data)
{
  Talker *user;

  vt_forward_set_http (self->forward, TRUE);
  user = connect_to_nothing (self);
  talker_say (user, "GET / HTTP/1.1\r\n");
  RUN_UNTIL (self->target_relays->len == 1);
  for (unsigned int i = 0; i < 20; i++)
    g_main_context_iteration (NULL, FALSE);
  vt_relay_free (g_ptr_array_steal_index (self->target_relays, 0), NULL);
  talker_listen (user, 65536);
  RUN_UNTIL (user->error == ECONNRESET);
}

/* What cannot be read may not pass to a target that is told of its users. */
static void
test_unreadable (RelayFixture *self, gconstpointer data)
{
  Talker *user, *target;

  vt_forward_set_forwarded_headers (self->forward, VT_FORWARDED_HEADERS_X_FORWARDED);
  user = relay_fixture_connect (self);
  target = relay_fixture_target (self, 0);
  talker_say (user, REQUEST "GET / HTTP/1.1\r\nX-Forwarded-For : 127.0.0.1\r\n\r\n");
  talker_listen (user, 65536);
  RUN_UNTIL (user->error == ECONNRESET);
  RUN_UNTIL (target->error == ECONNRESET);
  g_byte_array_append (target->received, (const uint8_t *) "", 1);
  g_assert_null (strstr ((const char *) target->received->data, "127.0.0.1"));
  RUN_UNTIL (self->target_ends->len == 1);
  g_assert_error ((GError *) self->target_ends->pdata[0], VT_ERROR, VT_ERROR_CANCELLED);
}

/* Of the page alone: which status it is. */

typedef struct {
  VtRelayPage *page; /* owned, NULL before there is a stream */
  int code;
  gboolean over;
} Answer;

static void
finished_cb (void *user_data)
{
  ((Answer *) user_data)->over = TRUE;
}

static void
stream_opened_cb (VtMuxStream *stream, void *user_data)
{
  Answer *self = user_data;
  g_autoptr(GError) error = g_error_new_literal (VT_ERROR, self->code, "down");

  self->page = vt_relay_page_new (stream, error, finished_cb, self);
}

static void
readable_cb (VtMuxStream *stream, void *user_data)
{
  GByteArray *received = user_data;
  size_t length;
  const uint8_t *data;

  while ((data = vt_mux_stream_peek (stream, &length)) != NULL)
    {
      g_byte_array_append (received, data, (unsigned int) length);
      vt_mux_stream_consume (stream, length);
    }
  if (vt_mux_stream_at_end (stream))
    vt_mux_stream_shutdown (stream);
}

static void
test_status (gconstpointer data)
{
  static const VtMuxStreamHandlers handlers = { .readable = readable_cb };
  Answer self = { .code = GPOINTER_TO_INT (data) };
  Tunnel *tunnel = tunnel_new (NULL, 2);
  g_autoptr(GByteArray) received = g_byte_array_new ();
  g_autoptr(VtMuxStream) stream = NULL;
  size_t space = 0;

  tunnel->stream_opened = stream_opened_cb;
  tunnel->user_data = &self;
  stream = vt_mux_stream_ref (tunnel_open_stream (tunnel));
  vt_mux_stream_set_handlers (stream, &handlers, received);
  memcpy (vt_mux_stream_begin_write (stream, &space), REQUEST, strlen (REQUEST));
  vt_mux_stream_end_write (stream, strlen (REQUEST));
  RUN_UNTIL (self.over);
  g_byte_array_append (received, (const uint8_t *) "", 1);
  g_assert_true (g_str_has_prefix ((const char *) received->data,
                                   self.code == VT_ERROR_TIMED_OUT ? "HTTP/1.1 504 Gateway Timeout"
                                                                   : "HTTP/1.1 502 Bad Gateway"));
  vt_relay_page_free (self.page);
  vt_mux_stream_set_handlers (stream, NULL, NULL);
  tunnel_free (tunnel);
}

static void
add (const char *version, void (*set_up) (RelayFixture *self, gconstpointer data))
{
  const struct {
    const char *name;
    void (*func) (RelayFixture *self, gconstpointer data);
  } tests[] = {
    { "page", test_page },
    { "implied/forwarded", test_implied },
    { "pieces", test_pieces },
    { "head", test_head },
    { "not-http", test_not_http },
    { "no-request", test_no_request },
    { "endless-head", test_endless_head },
    { "freed", test_freed },
    { "unreadable", test_unreadable },
  };

  for (size_t i = 0; i < G_N_ELEMENTS (tests); i++)
    {
      g_autofree char *path = g_strdup_printf ("/relay-page/%s/%s", version, tests[i].name);

      g_test_add (path, RelayFixture, NULL, set_up, tests[i].func, relay_fixture_tear_down);
    }
}

#define ADD_V2(name, data, func)                                                                   \
  g_test_add ("/relay-page/v2/" name, RelayFixture, data, relay_fixture_set_up_v2, func,           \
              relay_fixture_tear_down)

int
main (int argc, char *argv[])
{
  g_autoptr(VtPoller) poller = NULL;

  g_test_init (&argc, &argv, NULL);
  poller = loopback_warm_up ();
  add ("v1", relay_fixture_set_up);
  add ("v2", relay_fixture_set_up_v2);
  ADD_V2 ("implied/host-header", "localhost:1", test_implied);
  ADD_V2 ("silent", NULL, test_silent);
  /* v1 ends both directions at once, and then there is nobody to answer to. */
  ADD_V2 ("half-closed", NULL, test_half_closed);
  ADD_V2 ("cut-head", NULL, test_cut_head);
  g_test_add_data_func ("/relay-page/late", GINT_TO_POINTER (VT_ERROR_TIMED_OUT), test_status);
  g_test_add_data_func ("/relay-page/tls", GINT_TO_POINTER (VT_ERROR_TLS), test_status);
  return g_test_run ();
}
