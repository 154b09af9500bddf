/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "time-skip.h"
#include "trunk-end.h"
#include "vt-codec-binary-private.h"
#include "vt-codec-control-private.h"

#define LIMITS "\"window\":16384,\"max_frame\":65536,\"max_message\":262144"
#define HELLO "{\"type\":\"hello\"," LIMITS "}"
#define WELCOME                                                                                    \
  "{\"type\":\"welcome\",\"session\":\"s\",\"secret\":\"t\",\"resume_timeout\":0," LIMITS "}"

#define TEXT 0x81
#define BINARY 0x82
#define CLOSE 0x88

/* A trunk of v2, and a peer that writes and reads by hand. */
typedef struct {
  End end;
  VtMuxRole role;  /* of the trunk */
  int fd;          /* owned: the peer's */
  GByteArray *got; /* owned: what the peer received and did not look at yet */
} Fixture;

static void
set_up_role (Fixture *self, VtMuxRole role, gint64 ping_interval)
{
  g_autoptr(GIOStream) stream = ws_stream_to_fd (&self->fd);

  self->role = role;
  self->got = g_byte_array_new ();
  end_begin (&self->end, stream, role, 2, ping_interval);
}

static void
set_up_server (Fixture *self, const void *data)
{
  set_up_role (self, VT_MUX_SERVER, 0);
}

static void
set_up_client (Fixture *self, const void *data)
{
  set_up_role (self, VT_MUX_CLIENT, 0);
}

/* `data`: "C" if the trunk is the client's. */
static void
set_up_pinging (Fixture *self, const void *data)
{
  set_up_role (self, data != NULL ? VT_MUX_CLIENT : VT_MUX_SERVER, 4 * G_TIME_SPAN_SECOND);
}

static void
tear_down (Fixture *self, const void *data)
{
  end_clear (&self->end);
  close (self->fd);
  g_byte_array_unref (self->got);
}

/* A client's frames are masked, a server's are not. */
static void
say (Fixture *self, uint8_t first, const void *payload, size_t size)
{
  g_autoptr(GByteArray) bytes = g_byte_array_new ();

  ws_add_frame (bytes, first, payload, size);
  if (self->role == VT_MUX_CLIENT)
    {
      g_assert_cmpuint (size, <, 65536);
      bytes->data[1] &= 0x7f;
      g_byte_array_remove_range (bytes, size < 126 ? 2 : 4, 4);
    }
  ws_write_all (self->fd, bytes->data, bytes->len);
}

static void
say_text (Fixture *self, const char *text)
{
  say (self, TEXT, text, strlen (text));
}

static void
say_ack (Fixture *self, guint64 received)
{
  uint8_t frame[VT_BINARY_ACK_SIZE];

  say (self, BINARY, frame, vt_codec_binary_write_ack (frame, received));
}

static size_t
header_size (Fixture *self)
{
  unsigned int length = self->got->len < 2 ? 0 : self->got->data[1] & 0x7f;

  g_assert_cmpuint (length, !=, 127);
  return 2 + (length == 126 ? 2 : 0) + (self->role == VT_MUX_CLIENT ? 4 : 0);
}

static size_t
payload_size (Fixture *self)
{
  const uint8_t *data = self->got->data;
  unsigned int length = data[1] & 0x7f;

  return length == 126 ? (size_t) data[2] << 8 | data[3] : length;
}

static gboolean
has_frame (Fixture *self)
{
  return self->got->len >= header_size (self)
         && self->got->len >= header_size (self) + payload_size (self);
}

/* Takes the next frame, without its mask. `payload` has a NUL behind it. */
static uint8_t
read_frame (Fixture *self, GByteArray *payload)
{
  size_t header = header_size (self);
  uint8_t first;
  size_t size;

  ws_wait (has_frame (self) || !ws_read_some (self->fd, self->got));
  g_assert_true (has_frame (self));
  header = header_size (self);
  size = payload_size (self);
  first = self->got->data[0];
  g_byte_array_set_size (payload, 0);
  for (size_t i = 0; i < size; i++)
    {
      uint8_t mask = self->role == VT_MUX_CLIENT ? self->got->data[header - 4 + i % 4] : 0;
      uint8_t byte = self->got->data[header + i] ^ mask;

      g_byte_array_append (payload, &byte, 1);
    }
  g_byte_array_append (payload, (const uint8_t *) "", 1);
  g_byte_array_remove_range (self->got, 0, header + size);
  return first;
}

static gboolean
is_silent (Fixture *self)
{
  ws_turn (50);
  return ws_read_some (self->fd, self->got) && self->got->len == 0;
}

/* The next control message, whatever it is. */
static void
read_control (Fixture *self, VtControl *control)
{
  g_autoptr(GByteArray) payload = g_byte_array_new ();
  g_autoptr(GBytes) message = NULL;
  g_autoptr(GError) error = NULL;

  g_assert_cmpuint (read_frame (self, payload), ==, TEXT);
  message = g_bytes_new (payload->data, payload->len - 1);
  vt_codec_control_decode (message, control, &error);
  g_assert_no_error (error);
}

static void
expect_control (Fixture *self, VtControlType type)
{
  g_auto(VtControl) control = { 0 };

  read_control (self, &control);
  g_assert_cmpint (control.type, ==, type);
}

/* Up to the goodbye; gives its reason. */
static char *
read_goodbye (Fixture *self, unsigned int code)
{
  g_autoptr(GByteArray) payload = g_byte_array_new ();

  while (read_frame (self, payload) != CLOSE)
    continue;
  g_assert_cmpuint (payload->len, >=, 3);
  g_assert_cmpuint (payload->data[0] << 8 | payload->data[1], ==, code);
  return g_strdup ((const char *) payload->data + 2);
}

/* The trunk has refused what the peer did, which hears why and answers; nothing else was told. */
static void
expect_refused (Fixture *self, const char *heard)
{
  g_autofree char *reason = read_goodbye (self, 1002);

  g_assert_cmpstr (reason, !=, "");
  g_assert_null (vt_trunk_get_mux (self->end.trunk));
  say (self, CLOSE, "\x03\xea", 2);
  shutdown (self->fd, SHUT_WR);
  ws_wait (strchr (self->end.heard->str, 'c') != NULL);
  g_assert_cmpstr (self->end.heard->str, ==, heard);
  g_assert_error (self->end.error, VT_ERROR, VT_ERROR_PROTOCOL);
  g_assert_cmpstr (self->end.error->message, ==, reason);
}

/* Greets, and takes what comes at once. */
static void
greet (Fixture *self)
{
  if (self->role == VT_MUX_CLIENT)
    expect_control (self, VT_CONTROL_HELLO);
  say_text (self, self->role == VT_MUX_CLIENT ? WELCOME : HELLO);
  if (self->role == VT_MUX_SERVER)
    expect_control (self, VT_CONTROL_WELCOME);
  expect_control (self, VT_CONTROL_PING);
  ws_wait (vt_trunk_is_ready (self->end.trunk));
  g_assert_cmpstr (self->end.heard->str, ==, "r");
}

static void
test_server_waits (Fixture *self, const void *data)
{
  g_assert_true (is_silent (self));
  g_assert_false (vt_trunk_is_ready (self->end.trunk));
  greet (self);
}

/* All else that was wanted until then leaves after the welcome. */
static void
test_client_waits (Fixture *self, const void *data)
{
  const VtMuxListen listen = { .port = 9000 };
  g_auto(VtControl) hello = { 0 };
  g_auto(VtControl) request = { 0 };

  vt_mux_listen (vt_trunk_get_mux (self->end.trunk), 7, &listen);
  read_control (self, &hello);
  g_assert_cmpint (hello.type, ==, VT_CONTROL_HELLO);
  g_assert_null (hello.session);
  g_assert_cmpuint (hello.limits.window, ==, VT_CONTROL_WINDOW);
  g_assert_cmpuint (hello.limits.max_frame, ==, VT_CONTROL_OUR_FRAME);
  g_assert_cmpuint (hello.limits.max_message, ==, VT_CONTROL_OUR_MESSAGE);
  g_assert_true (is_silent (self));
  g_assert_false (vt_trunk_is_ready (self->end.trunk));
  say_text (self, WELCOME);
  expect_control (self, VT_CONTROL_PING);
  read_control (self, &request);
  g_assert_cmpint (request.type, ==, VT_CONTROL_LISTEN);
  g_assert_cmpuint (request.id, ==, 7);
  g_assert_true (is_silent (self));
  g_assert_cmpstr (self->end.heard->str, ==, "r");
}

/* Nor does a ping leave before both have greeted, though its time has come. */
static void
test_no_ping (Fixture *self, const void *data)
{
  if (self->role == VT_MUX_CLIENT)
    expect_control (self, VT_CONTROL_HELLO);
  time_skip (5 * G_TIME_SPAN_SECOND);
  g_assert_true (is_silent (self));
  g_assert_cmpstr (self->end.heard->str, ==, "");
}

/* 10 s, and whoever did not even greet is not waited for with its goodbye. */
static void
test_silence (Fixture *self, const void *data)
{
  g_autofree char *reason = NULL;

  time_freeze ();
  time_skip (10 * G_TIME_SPAN_SECOND - G_TIME_SPAN_SECOND / 2);
  if (self->role == VT_MUX_CLIENT)
    expect_control (self, VT_CONTROL_HELLO);
  g_assert_true (is_silent (self));
  g_assert_cmpstr (self->end.heard->str, ==, "");
  time_skip (G_TIME_SPAN_SECOND / 2);
  ws_turn (50);
  time_thaw ();
  g_assert_cmpstr (self->end.heard->str, ==, "c");
  reason = read_goodbye (self, 1001);
  g_assert_nonnull (strstr (reason, "greet"));
  g_assert_error (self->end.error, VT_ERROR, VT_ERROR_TIMED_OUT);
}

/* Whoever closes at that very moment has the last word. */
static void
test_close_in_silence (Fixture *self, const void *data)
{
  g_autofree char *reason = NULL;

  time_skip (10 * G_TIME_SPAN_SECOND);
  vt_trunk_close (self->end.trunk, 1000, "never mind");
  reason = read_goodbye (self, 1000);
  g_assert_cmpstr (reason, ==, "never mind");
  say (self, CLOSE, "\x03\xe8", 2);
  shutdown (self->fd, SHUT_WR);
  ws_wait (strchr (self->end.heard->str, 'c') != NULL);
  g_assert_no_error (self->end.error);
}

static void
test_free_in_silence (Fixture *self, const void *data)
{
  time_skip (10 * G_TIME_SPAN_SECOND);
  g_clear_pointer (&self->end.trunk, vt_trunk_free);
  ws_wait (self->end.gate == NULL);
  g_assert_cmpstr (self->end.heard->str, ==, "");
}

typedef struct {
  const char *name;
  const char *bytes;
  size_t length;
  uint8_t first;
} Wrong;

#define WRONG_TEXT(name, text)                                                                     \
  {                                                                                                \
    name, text, sizeof text - 1, TEXT                                                              \
  }
#define WRONG_BINARY(name, bytes)                                                                  \
  {                                                                                                \
    name, bytes, sizeof bytes - 1, BINARY                                                          \
  }

/* In the place of a greeting, for either side. */
static const Wrong wrong_for_both[] = {
  WRONG_TEXT ("ping", "{\"type\":\"ping\",\"t\":1}"),
  WRONG_TEXT ("unknown", "{\"type\":\"later\"}"),
  WRONG_TEXT ("no-type", "{}"),
  WRONG_TEXT ("no-json", "hello"),
  WRONG_TEXT ("empty", ""),
  WRONG_BINARY ("binary/empty", ""),
  WRONG_BINARY ("binary/eof", "\4\0\0\0\0\0\0\1\0\0\0\0"),
  WRONG_BINARY ("binary/ack", "\7\0\0\0\0\0\0\0\0\0\0\x8\0\0\0\0\0\0\0\0"),
  WRONG_BINARY ("binary/greeting", HELLO),
};

#define BAD_LIMITS(window, frame, message)                                                         \
  "{\"type\":\"hello\",\"window\":" window ",\"max_frame\":" frame ",\"max_message\":" message "}"

static const Wrong wrong_for_server[] = {
  WRONG_TEXT ("welcome", WELCOME),
  WRONG_TEXT ("listen", "{\"type\":\"listen\",\"id\":1}"),
  WRONG_TEXT ("v1", "{\"type\":\"listen\",\"port\":9000}"),
  WRONG_TEXT ("limits/none", "{\"type\":\"hello\"}"),
  WRONG_TEXT ("limits/no-window", BAD_LIMITS ("0", "65536", "262144")),
  WRONG_TEXT ("limits/no-frame", BAD_LIMITS ("16384", "0", "262144")),
  WRONG_TEXT ("limits/large-frame", BAD_LIMITS ("16384", "65525", "65536")),
  WRONG_TEXT ("limits/small-message", BAD_LIMITS ("16384", "1024", "65535")),
  WRONG_TEXT ("limits/large-message", BAD_LIMITS ("16384", "1024", "1048577")),
  WRONG_TEXT ("limits/fraction", BAD_LIMITS ("16384.5", "1024", "65536")),
};

static const Wrong wrong_for_client[] = {
  WRONG_TEXT ("hello", HELLO),
  WRONG_TEXT ("listen-ok", "{\"type\":\"listen_ok\",\"id\":7,\"port\":9000}"),
  WRONG_TEXT ("no-session", "{\"type\":\"welcome\",\"resume_timeout\":0," LIMITS "}"),
  WRONG_TEXT ("no-limits",
              "{\"type\":\"welcome\",\"session\":\"s\",\"secret\":\"t\",\"resume_timeout\":0}"),
};

/* What follows, though it would have been right, is not looked at. */
static void
test_wrong (Fixture *self, const void *data)
{
  const Wrong *wrong = data;

  say (self, wrong->first, wrong->bytes, wrong->length);
  say_text (self, self->role == VT_MUX_CLIENT ? WELCOME : HELLO);
  expect_refused (self, "c");
  g_assert_false (vt_trunk_is_ready (self->end.trunk));
}

static void
test_limits_at_bounds (Fixture *self, const void *data)
{
  say_text (self, data);
  expect_control (self, VT_CONTROL_WELCOME);
  ws_wait (vt_trunk_is_ready (self->end.trunk));
}

/* `data`: the second greeting. */
static void
test_greeting_again (Fixture *self, const void *data)
{
  greet (self);
  say_text (self, data);
  expect_refused (self, "rc");
}

static void
expect_token (const char *token)
{
  g_assert_cmpuint (strlen (token), ==, 22);
  g_assert_cmpuint (
      strspn (token, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"), ==, 22);
}

/* 128 bits each, and nothing that was there before. */
static void
test_tokens (void)
{
  g_autoptr(GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  for (unsigned int i = 0; i < 20; i++)
    {
      Fixture peer = { 0 };
      g_auto(VtControl) welcome = { 0 };

      set_up_server (&peer, NULL);
      say_text (&peer, HELLO);
      read_control (&peer, &welcome);
      g_assert_cmpint (welcome.type, ==, VT_CONTROL_WELCOME);
      g_assert_false (welcome.resumed);
      g_assert_cmpuint (welcome.resume_timeout, ==, 0);
      expect_token (welcome.session);
      expect_token (welcome.secret);
      g_assert_true (g_hash_table_add (seen, g_strdup (welcome.session)));
      g_assert_true (g_hash_table_add (seen, g_strdup (welcome.secret)));
      tear_down (&peer, NULL);
    }
}

/* Two ports are open: two messages of the trunk's own count. */
static void
open_ports (Fixture *self)
{
  greet (self);
  say_text (self, "{\"type\":\"listen\",\"id\":1,\"port\":1}");
  say_text (self, "{\"type\":\"listen\",\"id\":2,\"port\":2}");
  expect_control (self, VT_CONTROL_LISTEN_OK);
  expect_control (self, VT_CONTROL_LISTEN_OK);
}

/* Greetings, pings and what acknowledges are not counted; what nobody knows is. */
static void
test_acknowledges (Fixture *self, const void *data)
{
  g_autoptr(GByteArray) payload = g_byte_array_new ();
  guint64 received = 0;

  open_ports (self);
  say_text (self, "{\"type\":\"ping\",\"t\":1}");
  say_text (self, "{\"type\":\"later\"}");
  say_ack (self, 1);
  expect_control (self, VT_CONTROL_PONG);
  time_skip (100 * G_TIME_SPAN_MILLISECOND);
  g_assert_cmpuint (read_frame (self, payload), ==, BINARY);
  g_assert_true (vt_codec_binary_read_ack (payload->data, payload->len - 1, &received));
  g_assert_cmpuint (received, ==, 3);
  g_assert_true (is_silent (self));
  g_assert_cmpstr (self->end.heard->str, ==, "rqq");
}

static void
test_ack_of_the_future (Fixture *self, const void *data)
{
  open_ports (self);
  say_ack (self, 2);
  ws_turn (50);
  g_assert_cmpstr (self->end.heard->str, ==, "rqq");
  say_ack (self, 3);
  expect_refused (self, "rqqc");
}

static void
test_ack_taken_back (Fixture *self, const void *data)
{
  open_ports (self);
  say_ack (self, 2);
  say_ack (self, 2);
  say_ack (self, 1);
  expect_refused (self, "rqqc");
}

/* It has to be alone in its message. */
static void
test_ack_in_company (Fixture *self, const void *data)
{
  uint8_t frames[2 * VT_BINARY_ACK_SIZE];

  open_ports (self);
  vt_codec_binary_write_ack (frames, 1);
  vt_codec_binary_write_ack (frames + VT_BINARY_ACK_SIZE, 2);
  say (self, BINARY, frames, sizeof frames);
  expect_refused (self, "rqqc");
}

/* What v1 would take is too much, before the greeting and after it. */
static void
test_too_big (Fixture *self, const void *data)
{
  g_autofree char *payload = g_strnfill (VT_CONTROL_OUR_MESSAGE + 1, ' ');
  g_autofree char *reason = NULL;
  g_autoptr(GByteArray) bytes = g_byte_array_new ();

  if (data != NULL)
    greet (self);
  ws_add_frame (bytes, TEXT, payload, VT_CONTROL_OUR_MESSAGE + 1);
  ws_write_all (self->fd, bytes->data, 1000);
  reason = read_goodbye (self, 1009);
  shutdown (self->fd, SHUT_WR);
  ws_wait (self->end.error != NULL);
  g_assert_error (self->end.error, VT_ERROR, VT_ERROR_LIMIT);
}

/* Why the other side gave up reaches whoever is told of the end, before the greeting too. */
static void
test_reason (Fixture *self, const void *data)
{
  static const char goodbye[] = "\x03\xeawindow: too\nsmall";

  if (data != NULL)
    greet (self);
  say (self, CLOSE, goodbye, sizeof goodbye - 1);
  shutdown (self->fd, SHUT_WR);
  ws_wait (strchr (self->end.heard->str, 'c') != NULL);
  g_assert_cmpstr (self->end.heard->str, ==, data != NULL ? "rc" : "c");
  g_assert_error (self->end.error, VT_ERROR, VT_ERROR_PROTOCOL);
  g_assert_nonnull (strstr (self->end.error->message, "window: too\\nsmall"));
}

static void
test_vanishes (Fixture *self, const void *data)
{
  shutdown (self->fd, SHUT_RDWR);
  ws_wait (strchr (self->end.heard->str, 'c') != NULL);
  g_assert_cmpstr (self->end.heard->str, ==, "c");
  g_assert_error (self->end.error, VT_ERROR, VT_ERROR_FAILED);
}

typedef void (*SetUp) (Fixture *self, const void *data);

static void
add_wrong (const char *side, SetUp set_up, const Wrong *wrong, size_t n)
{
  for (size_t i = 0; i < n; i++)
    {
      g_autofree char *path = g_strdup_printf ("/trunk/peer/wrong/%s/%s", side, wrong[i].name);

      g_test_add (path, Fixture, &wrong[i], set_up, test_wrong, tear_down);
    }
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  ws_quiet ();
#define ADD(path, side, data, func)                                                                \
  g_test_add ("/trunk/peer/" path, Fixture, data, set_up_##side, func, tear_down)
  ADD ("server/waits", server, NULL, test_server_waits);
  ADD ("server/silence", server, NULL, test_silence);
  ADD ("server/silence/close", server, NULL, test_close_in_silence);
  ADD ("server/silence/free", server, NULL, test_free_in_silence);
  ADD ("server/greeting-again", server, HELLO, test_greeting_again);
  ADD ("server/limits/least", server, BAD_LIMITS ("1", "1", "65536"), test_limits_at_bounds);
  ADD ("server/limits/most", server, BAD_LIMITS ("4294967295", "1048564", "1048576"),
       test_limits_at_bounds);
  ADD ("server/too-big", server, "", test_too_big);
  ADD ("server/too-big/early", server, NULL, test_too_big);
  ADD ("server/reason", server, "", test_reason);
  ADD ("server/reason/early", server, NULL, test_reason);
  ADD ("server/vanishes", server, NULL, test_vanishes);
  ADD ("client/waits", client, NULL, test_client_waits);
  ADD ("client/silence", client, NULL, test_silence);
  ADD ("client/greeting-again", client, WELCOME, test_greeting_again);
  ADD ("client/reason", client, "", test_reason);
  ADD ("client/reason/early", client, NULL, test_reason);
  ADD ("client/vanishes", client, NULL, test_vanishes);
  ADD ("server/no-ping", pinging, NULL, test_no_ping);
  ADD ("client/no-ping", pinging, "C", test_no_ping);
  ADD ("ack/sent", server, NULL, test_acknowledges);
  ADD ("ack/of-the-future", server, NULL, test_ack_of_the_future);
  ADD ("ack/taken-back", server, NULL, test_ack_taken_back);
  ADD ("ack/in-company", server, NULL, test_ack_in_company);
#undef ADD
  add_wrong ("server", set_up_server, wrong_for_both, G_N_ELEMENTS (wrong_for_both));
  add_wrong ("server", set_up_server, wrong_for_server, G_N_ELEMENTS (wrong_for_server));
  add_wrong ("client", set_up_client, wrong_for_both, G_N_ELEMENTS (wrong_for_both));
  add_wrong ("client", set_up_client, wrong_for_client, G_N_ELEMENTS (wrong_for_client));
  g_test_add_func ("/trunk/peer/server/tokens", test_tokens);
  return g_test_run ();
}
