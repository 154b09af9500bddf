/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "time-skip.h"

#include <vtunnel/vt-error.h>

#include "frame-peer.h"
#include "vt-close-code-private.h"
#include "vt-greeter-private.h"
#include "vt-greeting-private.h"

static const VtControlLimits limits = { 16384, 65536, 262144 };

/* What the owner does in `greeted`. */
typedef enum {
  TAKE,
  REFUSE,
  FREE,
} Answer;

/* A greeter, its owner, and a peer that writes and reads by hand. */
typedef struct {
  VtGreeter *greeter; /* owned, NULL once it was freed or refused */
  VtGate *gate;       /* not owned, watched weakly */
  Peer peer;
  Answer answer;
  unsigned int n_greeted;
  VtControl greeting; /* owned: of what was said */
  GError *error;      /* owned, with which it failed */
  unsigned int code;  /* the same */
  gboolean free_in_failed;
  VtLink *link;      /* owned, once taken */
  GString *messages; /* owned, that came over it */
} Fixture;

static void
message_cb (gboolean text, GBytes *message, void *user_data)
{
  Fixture *self = user_data;

  g_string_append_len (self->messages, g_bytes_get_data (message, NULL),
                       (gssize) g_bytes_get_size (message));
}

static void
nothing_cb (void *user_data)
{
}

static void
closed_cb (unsigned int code, const char *reason, const GError *error, void *user_data)
{
}

static void
take_link (Fixture *self)
{
  const VtLinkHandlers handlers = {
    .message = message_cb,
    .alive = nothing_cb,
    .writable = nothing_cb,
    .closed = closed_cb,
  };

  /* The greeter stays for a while. */
  self->link = vt_greeter_take_link (self->greeter);
  vt_link_set_handlers (self->link, &handlers, self);
}

static void
keep_greeting (Fixture *self, const VtControl *greeting)
{
  self->greeting = *greeting;
  self->greeting.session = g_strdup (greeting->session);
  self->greeting.secret = g_strdup (greeting->secret);
  self->greeting.agent = g_strdup (greeting->agent);
}

static void
greeted_cb (VtGreeter *greeter, const VtControl *greeting, void *user_data)
{
  Fixture *self = user_data;

  g_assert_true (greeter == self->greeter);
  g_assert_no_error (self->error);
  self->n_greeted++;
  keep_greeting (self, greeting);
  if (self->answer == TAKE)
    take_link (self);
  else if (self->answer == REFUSE)
    vt_greeter_refuse (g_steal_pointer (&self->greeter), VT_CLOSE_TRY_AGAIN, "not now");
  else
    g_clear_pointer (&self->greeter, vt_greeter_free);
}

static void
failed_cb (VtGreeter *greeter, unsigned int code, const GError *error, void *user_data)
{
  Fixture *self = user_data;

  g_assert_true (greeter == self->greeter);
  g_assert_cmpuint (self->n_greeted, ==, 0);
  g_assert_no_error (self->error);
  if (self->free_in_failed)
    g_clear_pointer (&self->greeter, vt_greeter_free);
  g_assert_true (error->domain == VT_ERROR);
  self->error = g_error_copy (error);
  self->code = code;
}

static void
begin (Fixture *self, gboolean is_server, const VtResumption *resumption)
{
  const VtGreeterHandlers handlers = { .greeted = greeted_cb, .failed = failed_cb };
  g_autoptr(GIOStream) stream = peer_init (&self->peer, !is_server);
  g_autoptr(GBytes) hello = NULL;
  VtGate *gate = vt_gate_new (stream);

  if (!is_server)
    hello = vt_greeting_new_hello (&limits, resumption);
  self->messages = g_string_new (NULL);
  g_set_weak_pointer (&self->gate, gate);
  self->greeter =
      vt_greeter_new (ws_new (G_IO_STREAM (gate), is_server), gate, hello, NULL, &handlers, self);
}

static void
set_up_server (Fixture *self, const void *data)
{
  begin (self, TRUE, NULL);
}

static void
set_up_client (Fixture *self, const void *data)
{
  begin (self, FALSE, NULL);
}

static void
tear_down (Fixture *self, const void *data)
{
  g_clear_pointer (&self->greeter, vt_greeter_free);
  g_clear_pointer (&self->link, vt_link_free);
  ws_wait (self->gate == NULL);
  g_clear_error (&self->error);
  vt_control_clear (&self->greeting);
  g_string_free (self->messages, TRUE);
  peer_clear (&self->peer);
}

static const char *
get_greeting (Fixture *self)
{
  return self->peer.is_server ? PEER_WELCOME : PEER_HELLO;
}

/* What follows the greeting at once is the next owner's to hear, and so is the time. */
static void
test_taken (Fixture *self, const void *data)
{
  if (self->peer.is_server)
    peer_expect_control (&self->peer, VT_CONTROL_HELLO);
  g_assert_true (peer_is_silent (&self->peer));
  g_assert_cmpuint (self->n_greeted, ==, 0);
  peer_say_text (&self->peer, get_greeting (self));
  peer_say_text (&self->peer, "one");
  peer_say_text (&self->peer, "two");
  ws_wait (self->messages->len == 6);
  g_assert_cmpstr (self->messages->str, ==, "onetwo");
  g_assert_cmpuint (self->n_greeted, ==, 1);
  g_assert_cmpint (self->greeting.type, ==,
                   self->peer.is_server ? VT_CONTROL_WELCOME : VT_CONTROL_HELLO);
  g_assert_cmpuint (self->greeting.limits.window, ==, 16384);
  time_skip (20 * G_TIME_SPAN_SECOND);
  peer_say_text (&self->peer, "three");
  ws_wait (self->messages->len == 11);
  g_assert_true (peer_is_silent (&self->peer));
}

static void
test_hello (Fixture *self, const void *data)
{
  g_auto(VtControl) hello = { 0 };

  peer_read_control (&self->peer, &hello);
  g_assert_cmpint (hello.type, ==, VT_CONTROL_HELLO);
  g_assert_null (hello.session);
  g_assert_null (hello.secret);
  g_assert_cmpmem (&hello.limits, sizeof hello.limits, &limits, sizeof limits);
}

/* What is said of a session that is to go on, both ways. */
static void
test_resumption (void)
{
  static const char welcome[] =
      "{\"type\":\"welcome\",\"session\":\"s\",\"secret\":\"t\","
      "\"resumed\":true,\"received\":7,\"resume_timeout\":60," PEER_LIMITS "}";
  g_auto(VtCredentials) credentials = { g_strdup ("name"), g_strdup ("proof") };
  const VtResumption resumption = { &credentials, 5, 3 };
  g_auto(VtControl) hello = { 0 };
  Fixture self = { 0 };

  begin (&self, FALSE, &resumption);
  peer_read_control (&self.peer, &hello);
  g_assert_cmpstr (hello.session, ==, "name");
  g_assert_cmpstr (hello.secret, ==, "proof");
  g_assert_cmpuint (hello.received, ==, 5);
  g_assert_cmpuint (hello.attempt, ==, 3);
  peer_say_text (&self.peer, welcome);
  ws_wait (self.n_greeted == 1);
  g_assert_true (self.greeting.resumed);
  g_assert_cmpuint (self.greeting.received, ==, 7);
  g_assert_cmpuint (self.greeting.resume_timeout, ==, 60);
  tear_down (&self, NULL);
}

/* 10 s, and whoever did not even greet is not waited for with its goodbye. */
static void
test_silence (Fixture *self, const void *data)
{
  g_autofree char *reason = NULL;

  time_freeze ();
  time_skip (10 * G_TIME_SPAN_SECOND - G_TIME_SPAN_SECOND / 2);
  if (self->peer.is_server)
    peer_expect_control (&self->peer, VT_CONTROL_HELLO);
  g_assert_true (peer_is_silent (&self->peer));
  g_assert_no_error (self->error);
  time_skip (G_TIME_SPAN_SECOND / 2);
  ws_turn (50);
  time_thaw ();
  g_assert_error (self->error, VT_ERROR, VT_ERROR_TIMED_OUT);
  reason = peer_read_goodbye (&self->peer, 1001);
  g_assert_nonnull (strstr (reason, "greet"));
  peer_say_text (&self->peer, get_greeting (self));
  ws_turn (50);
  g_assert_cmpuint (self->n_greeted, ==, 0);
}

/* An owner that lets go of it then; the other side hears why all the same. */
static void
test_free_in_silence (Fixture *self, const void *data)
{
  g_autofree char *reason = NULL;

  self->free_in_failed = TRUE;
  time_skip (10 * G_TIME_SPAN_SECOND);
  ws_wait (self->error != NULL && self->gate == NULL);
  reason = peer_read_goodbye (&self->peer, 1001);
  g_assert_error (self->error, VT_ERROR, VT_ERROR_TIMED_OUT);
  g_assert_null (self->greeter);
}

static void
test_free_early (Fixture *self, const void *data)
{
  peer_say_text (&self->peer, get_greeting (self));
  time_skip (10 * G_TIME_SPAN_SECOND);
  g_clear_pointer (&self->greeter, vt_greeter_free);
  ws_wait (self->gate == NULL);
  g_assert_no_error (self->error);
  g_assert_cmpuint (self->n_greeted, ==, 0);
}

static void
test_free_in_greeted (Fixture *self, const void *data)
{
  self->answer = FREE;
  peer_say_text (&self->peer, get_greeting (self));
  peer_say_text (&self->peer, "more");
  ws_wait (self->gate == NULL);
  g_assert_cmpuint (self->n_greeted, ==, 1);
  g_assert_no_error (self->error);
}

/* It lets the link go in order. `data`: the peer does not answer. */
static void
test_refuse (Fixture *self, const void *data)
{
  g_autofree char *reason = NULL;

  self->answer = REFUSE;
  peer_say_text (&self->peer, PEER_HELLO);
  peer_say_text (&self->peer, "more");
  reason = peer_read_goodbye (&self->peer, VT_CLOSE_TRY_AGAIN);
  g_assert_cmpstr (reason, ==, "not now");
  ws_turn (50);
  g_assert_nonnull (self->gate);
  if (data != NULL)
    time_skip (VT_LINK_CLOSE_DEADLINE);
  else
    peer_say_goodbye (&self->peer, VT_CLOSE_TRY_AGAIN, "");
  ws_wait (self->gate == NULL);
  g_assert_cmpuint (self->n_greeted, ==, 1);
  g_assert_no_error (self->error);
}

/* Who is not wanted whatever it says need not be waited for. */
static void
test_refuse_early (Fixture *self, const void *data)
{
  g_autofree char *reason = NULL;

  vt_greeter_refuse (g_steal_pointer (&self->greeter), 1001, "leaving");
  peer_say_text (&self->peer, PEER_HELLO);
  reason = peer_read_goodbye (&self->peer, 1001);
  g_assert_cmpstr (reason, ==, "leaving");
  peer_say_goodbye (&self->peer, 1001, "");
  ws_wait (self->gate == NULL);
  g_assert_cmpuint (self->n_greeted, ==, 0);
  g_assert_no_error (self->error);
}

typedef struct {
  const char *name;
  const char *bytes;
  size_t length;
  uint8_t first;
} Wrong;

#define WRONG_TEXT(name, text)                                                                     \
  {                                                                                                \
    name, text, sizeof text - 1, PEER_TEXT                                                         \
  }
#define WRONG_BINARY(name, bytes)                                                                  \
  {                                                                                                \
    name, bytes, sizeof bytes - 1, PEER_BINARY                                                     \
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
  WRONG_BINARY ("binary/greeting", PEER_HELLO),
};

#define BAD_LIMITS(window, frame, message)                                                         \
  "{\"type\":\"hello\",\"window\":" window ",\"max_frame\":" frame ",\"max_message\":" message "}"

static const Wrong wrong_for_server[] = {
  WRONG_TEXT ("welcome", PEER_WELCOME),
  WRONG_TEXT ("listen", "{\"type\":\"listen\",\"id\":1}"),
  WRONG_TEXT ("v1", "{\"type\":\"listen\",\"port\":9000}"),
  WRONG_TEXT ("limits/none", "{\"type\":\"hello\"}"),
  WRONG_TEXT ("limits/no-window", BAD_LIMITS ("0", "65536", "262144")),
  WRONG_TEXT ("limits/no-frame", BAD_LIMITS ("16384", "0", "262144")),
  WRONG_TEXT ("limits/large-frame", BAD_LIMITS ("16384", "65525", "65536")),
  WRONG_TEXT ("limits/small-message", BAD_LIMITS ("16384", "1024", "65535")),
  WRONG_TEXT ("limits/large-message", BAD_LIMITS ("16384", "1024", "1048577")),
  WRONG_TEXT ("limits/fraction", BAD_LIMITS ("16384.5", "1024", "65536")),
  WRONG_TEXT ("no-received",
              "{\"type\":\"hello\",\"session\":\"s\",\"secret\":\"t\"," PEER_LIMITS "}"),
  WRONG_TEXT ("no-secret", "{\"type\":\"hello\",\"session\":\"s\",\"received\":0," PEER_LIMITS "}"),
};

static const Wrong wrong_for_client[] = {
  WRONG_TEXT ("hello", PEER_HELLO),
  WRONG_TEXT ("listen-ok", "{\"type\":\"listen_ok\",\"id\":7,\"port\":9000}"),
  WRONG_TEXT ("no-session", "{\"type\":\"welcome\",\"resume_timeout\":0," PEER_LIMITS "}"),
  WRONG_TEXT ("no-limits",
              "{\"type\":\"welcome\",\"session\":\"s\",\"secret\":\"t\",\"resume_timeout\":0}"),
};

/* What follows, though it would have been right, is not looked at. The owner hears of it when the
 * peer has. */
static void
test_wrong (Fixture *self, const void *data)
{
  const Wrong *wrong = data;
  g_autofree char *reason = NULL;

  peer_say (&self->peer, wrong->first, wrong->bytes, wrong->length);
  peer_say_text (&self->peer, get_greeting (self));
  reason = peer_read_goodbye (&self->peer, 1002);
  g_assert_cmpstr (reason, !=, "");
  ws_turn (20);
  g_assert_no_error (self->error);
  peer_say_goodbye (&self->peer, 1002, "");
  shutdown (self->peer.fd, SHUT_WR);
  ws_wait (self->error != NULL);
  g_assert_error (self->error, VT_ERROR, VT_ERROR_PROTOCOL);
  g_assert_cmpstr (self->error->message, ==, reason);
  g_assert_cmpuint (self->n_greeted, ==, 0);
}

static void
test_limits_at_bounds (Fixture *self, const void *data)
{
  peer_say_text (&self->peer, data);
  ws_wait (self->n_greeted == 1);
}

/* What v1 would take. */
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
  ws_wait (self->error != NULL);
  g_assert_error (self->error, VT_ERROR, VT_ERROR_LIMIT);
}

typedef struct {
  const char *name;
  unsigned int code; /* 0: it vanishes */
  int error;
} Goodbye;

static const Goodbye goodbyes[] = {
  { "vanished", 0, VT_ERROR_FAILED },
  { "normal", 1000, VT_ERROR_FAILED },
  { "going-away", 1001, VT_ERROR_SHUTTING_DOWN },
  { "protocol", 1002, VT_ERROR_PROTOCOL },
  { "policy", 1008, VT_ERROR_LIMIT },
  { "try-again", 1013, VT_ERROR_FAILED },
  { "replaced", 4001, VT_ERROR_CANCELLED },
  { "full", 4002, VT_ERROR_LIMIT },
};

/* Why the other side gave up reaches whoever is told. */
static void
test_goodbye (Fixture *self, const void *data)
{
  const Goodbye *goodbye = data;

  self->free_in_failed = TRUE;
  if (goodbye->code != 0)
    peer_say_goodbye (&self->peer, goodbye->code, "so\nthere");
  shutdown (self->peer.fd, goodbye->code != 0 ? SHUT_WR : SHUT_RDWR);
  ws_wait (self->error != NULL);
  g_assert_error (self->error, VT_ERROR, goodbye->error);
  g_assert_cmpuint (self->code, ==, goodbye->code);
  if (goodbye->code != 0 && goodbye->code != 1000 && goodbye->code != 4001)
    g_assert_nonnull (strstr (self->error->message, "so\\nthere"));
}

typedef void (*SetUp) (Fixture *self, const void *data);

static void
add_wrong (const char *side, SetUp set_up, const Wrong *wrong, size_t n)
{
  for (size_t i = 0; i < n; i++)
    {
      g_autofree char *path = g_strdup_printf ("/greeter/wrong/%s/%s", side, wrong[i].name);

      g_test_add (path, Fixture, &wrong[i], set_up, test_wrong, tear_down);
    }
}

static void
add_goodbyes (const char *side, SetUp set_up)
{
  for (size_t i = 0; i < G_N_ELEMENTS (goodbyes); i++)
    {
      g_autofree char *path = g_strdup_printf ("/greeter/goodbye/%s/%s", side, goodbyes[i].name);

      g_test_add (path, Fixture, &goodbyes[i], set_up, test_goodbye, tear_down);
    }
}

static void
add_tables (void)
{
  add_wrong ("server", set_up_server, wrong_for_both, G_N_ELEMENTS (wrong_for_both));
  add_wrong ("server", set_up_server, wrong_for_server, G_N_ELEMENTS (wrong_for_server));
  add_wrong ("client", set_up_client, wrong_for_both, G_N_ELEMENTS (wrong_for_both));
  add_wrong ("client", set_up_client, wrong_for_client, G_N_ELEMENTS (wrong_for_client));
  add_goodbyes ("server", set_up_server);
  add_goodbyes ("client", set_up_client);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  ws_quiet ();
#define ADD(path, side, data, func)                                                                \
  g_test_add ("/greeter/" path, Fixture, data, set_up_##side, func, tear_down)
  ADD ("server/taken", server, NULL, test_taken);
  ADD ("server/silence", server, NULL, test_silence);
  ADD ("server/silence/free", server, NULL, test_free_in_silence);
  ADD ("server/free/early", server, NULL, test_free_early);
  ADD ("server/free/in-greeted", server, NULL, test_free_in_greeted);
  ADD ("server/refuse", server, NULL, test_refuse);
  ADD ("server/refuse/unanswered", server, "", test_refuse);
  ADD ("server/refuse/early", server, NULL, test_refuse_early);
  ADD ("server/limits/least", server, BAD_LIMITS ("1", "1", "65536"), test_limits_at_bounds);
  ADD ("server/limits/most", server, BAD_LIMITS ("4294967295", "1048564", "1048576"),
       test_limits_at_bounds);
  ADD ("server/too-big", server, NULL, test_too_big);
  ADD ("client/taken", client, NULL, test_taken);
  ADD ("client/hello", client, NULL, test_hello);
  ADD ("client/silence", client, NULL, test_silence);
  ADD ("client/silence/free", client, NULL, test_free_in_silence);
  ADD ("client/free/early", client, NULL, test_free_early);
  ADD ("client/free/in-greeted", client, NULL, test_free_in_greeted);
#undef ADD
  g_test_add_func ("/greeter/client/resumption", test_resumption);
  add_tables ();
  return g_test_run ();
}
