/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-codec-control-private.h"

#include <string.h>

#include "vt-error-private.h"
#include "vectors.h"

static JsonNode *vectors;

static const char *const type_names[] = {
  [VT_CONTROL_UNKNOWN] = "",
  [VT_CONTROL_HELLO] = "hello",
  [VT_CONTROL_WELCOME] = "welcome",
  [VT_CONTROL_PING] = "ping",
  [VT_CONTROL_PONG] = "pong",
  [VT_CONTROL_LISTEN] = "listen",
  [VT_CONTROL_LISTEN_OK] = "listen_ok",
  [VT_CONTROL_LISTEN_ERR] = "listen_err",
  [VT_CONTROL_UNLISTEN] = "unlisten",
  [VT_CONTROL_UNLISTEN_OK] = "unlisten_ok",
  [VT_CONTROL_GOAWAY] = "goaway",
};
static const char *const kind_names[] = { "tcp", "http", "none", "unknown" };

static GBytes *
bytes_of (const char *text)
{
  return g_bytes_new (text, strlen (text));
}

static JsonArray *
get_vectors (const char *kind)
{
  JsonObject *root = json_node_get_object (vectors);

  return json_object_get_array_member (json_object_get_object_member (root, "control"), kind);
}

static unsigned int
index_of (const char *const *names, size_t n_names, const char *name)
{
  for (unsigned int i = 0; i < n_names; i++)
    if (g_str_equal (names[i], name))
      return i;
  g_assert_not_reached ();
}

static char *
get_text (JsonObject *vector, const char *name)
{
  return g_strdup (json_object_get_string_member_with_default (vector, name, NULL));
}

static guint32
get_number (JsonObject *vector, const char *name)
{
  return (guint32) json_object_get_int_member_with_default (vector, name, 0);
}

static char **
get_names (JsonObject *vector)
{
  JsonArray *array;
  char **names;

  if (!json_object_has_member (vector, "names"))
    return NULL;
  array = json_object_get_array_member (vector, "names");
  names = g_new0 (char *, json_array_get_length (array) + 1);
  for (unsigned int i = 0; i < json_array_get_length (array); i++)
    names[i] = g_strdup (json_array_get_string_element (array, i));
  return names;
}

static int
get_code (JsonObject *vector)
{
  int code;

  g_assert_true (vt_error_code_from_word (
      json_object_get_string_member_with_default (vector, "code", "failed"), &code));
  return code;
}

static void
expect (JsonObject *vector, VtControl *control)
{
  control->type = (VtControlType) index_of (type_names, G_N_ELEMENTS (type_names),
                                            json_object_get_string_member (vector, "type"));
  control->agent = get_text (vector, "agent");
  control->session = get_text (vector, "session");
  control->secret = get_text (vector, "secret");
  control->received = (guint64) json_object_get_int_member_with_default (vector, "received", 0);
  control->attempt = (guint64) json_object_get_int_member_with_default (vector, "attempt", 0);
  control->resumed = json_object_get_boolean_member_with_default (vector, "resumed", FALSE);
  control->resume_timeout = get_number (vector, "resume_timeout");
  control->limits.window = get_number (vector, "window");
  control->limits.max_frame = get_number (vector, "max_frame");
  control->limits.max_message = get_number (vector, "max_message");
  control->t = json_object_get_int_member_with_default (vector, "t", 0);
  control->id = get_number (vector, "id");
  control->kind =
      (VtControlKind) index_of (kind_names, G_N_ELEMENTS (kind_names),
                                json_object_get_string_member_with_default (vector, "kind", "tcp"));
  control->address = get_text (vector, "address");
  control->port = (guint16) get_number (vector, "port");
  control->names = get_names (vector);
  control->url = get_text (vector, "url");
  control->code = get_code (vector);
  control->error = get_text (vector, "error");
  control->retry_after = get_number (vector, "retry_after");
  control->reason = get_text (vector, "reason");
  control->timeout = get_number (vector, "timeout");
}

static void
assert_same (const VtControl *a, const VtControl *b)
{
  g_assert_cmpstr (type_names[a->type], ==, type_names[b->type]);
  g_assert_cmpstr (a->agent, ==, b->agent);
  g_assert_cmpstr (a->session, ==, b->session);
  g_assert_cmpstr (a->secret, ==, b->secret);
  g_assert_cmpuint (a->received, ==, b->received);
  g_assert_cmpuint (a->attempt, ==, b->attempt);
  g_assert_cmpint (a->resumed, ==, b->resumed);
  g_assert_cmpuint (a->resume_timeout, ==, b->resume_timeout);
  g_assert_cmpuint (a->limits.window, ==, b->limits.window);
  g_assert_cmpuint (a->limits.max_frame, ==, b->limits.max_frame);
  g_assert_cmpuint (a->limits.max_message, ==, b->limits.max_message);
  g_assert_cmpint (a->t, ==, b->t);
  g_assert_cmpuint (a->id, ==, b->id);
  g_assert_cmpint (a->kind, ==, b->kind);
  g_assert_cmpstr (a->address, ==, b->address);
  g_assert_cmpuint (a->port, ==, b->port);
  g_assert_cmpint (a->names == NULL, ==, b->names == NULL);
  if (a->names != NULL)
    g_assert_cmpstrv (a->names, b->names);
  g_assert_cmpstr (a->url, ==, b->url);
  g_assert_cmpint (a->code, ==, b->code);
  g_assert_cmpstr (a->error, ==, b->error);
  g_assert_cmpuint (a->retry_after, ==, b->retry_after);
  g_assert_cmpstr (a->reason, ==, b->reason);
  g_assert_cmpuint (a->timeout, ==, b->timeout);
}

static void
check_read (JsonObject *vector)
{
  g_autoptr(GBytes) text = bytes_of (json_object_get_string_member (vector, "text"));
  g_auto(VtControl) expected = { 0 };
  g_auto(VtControl) decoded = { 0 };
  g_autoptr(GError) error = NULL;

  g_test_message ("%s", json_object_get_string_member (vector, "text"));
  expect (vector, &expected);
  g_assert_true (vt_codec_control_decode (text, VT_JSON_MAX_DEPTH, &decoded, &error));
  g_assert_no_error (error);
  assert_same (&decoded, &expected);
}

static void
assert_encoded (const VtControl *control, const char *text)
{
  g_autoptr(GBytes) encoded = vt_codec_control_encode (control);

  g_assert_cmpmem (g_bytes_get_data (encoded, NULL), g_bytes_get_size (encoded), text,
                   strlen (text));
}

static void
test_vectors_both (void)
{
  JsonArray *both = get_vectors ("both");

  for (unsigned int i = 0; i < json_array_get_length (both); i++)
    {
      JsonObject *vector = json_array_get_object_element (both, i);
      g_auto(VtControl) control = { 0 };

      check_read (vector);
      expect (vector, &control);
      assert_encoded (&control, json_object_get_string_member (vector, "text"));
    }
}

static void
test_vectors_read (void)
{
  JsonArray *read = get_vectors ("read");

  for (unsigned int i = 0; i < json_array_get_length (read); i++)
    check_read (json_array_get_object_element (read, i));
}

static void
check_refused (const char *text, size_t length)
{
  /* Of exactly that size, so that a sanitizer sees who reads beyond it. */
  g_autoptr(GBytes) message = g_bytes_new_take (g_memdup2 (text, length), length);
  g_auto(VtControl) decoded = { .port = 1 };
  g_autoptr(GError) error = NULL;
  VtControl nothing = { 0 };

  g_assert_false (vt_codec_control_decode (message, VT_JSON_MAX_DEPTH, &decoded, &error));
  g_assert_error (error, VT_ERROR, VT_ERROR_PROTOCOL);
  /* It is the reason with which the WebSocket is closed. */
  g_assert_cmpuint (strlen (error->message), <=, 123);
  assert_same (&decoded, &nothing);
}

static void
test_vectors_refused (void)
{
  JsonArray *refused = get_vectors ("refused");

  for (unsigned int i = 0; i < json_array_get_length (refused); i++)
    {
      JsonObject *vector = json_array_get_object_element (refused, i);
      const char *text = json_object_get_string_member (vector, "text");

      g_test_message ("%s: %s", json_object_get_string_member (vector, "why"), text);
      check_refused (text, strlen (text));
    }
}

/* The key that is wrong is named, for those who write another client. */
static void
test_refused_names_key (void)
{
  static const char *const texts[][2] = {
    { "{\"type\":\"unlisten\"}", "id: It is missing" },
    { "{\"type\":\"unlisten\",\"id\":0}", "id: A number is out of range" },
    { "{\"type\":\"goaway\",\"reason\":1}", "reason: A value is of a wrong type" },
  };

  for (unsigned int i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      g_autoptr(GBytes) message = bytes_of (texts[i][0]);
      g_auto(VtControl) decoded = { 0 };
      g_autoptr(GError) error = NULL;

      g_assert_false (vt_codec_control_decode (message, VT_JSON_MAX_DEPTH, &decoded, &error));
      g_assert_cmpstr (error->message, ==, texts[i][1]);
    }
}

static void
test_refused_cut (void)
{
  JsonArray *both = get_vectors ("both");

  for (unsigned int i = 0; i < json_array_get_length (both); i++)
    {
      const char *text =
          json_object_get_string_member (json_array_get_object_element (both, i), "text");

      for (size_t length = 0; length < strlen (text); length++)
        check_refused (text, length);
    }
}

static void
test_refused_nul (void)
{
  static const char whole[] = "{\"type\":\"ping\",\"t\":1}";

  check_refused (whole, sizeof whole);
}

/* Names up to the largest number of them: 64 are taken, 65 are not, and of those only 64 are
 * written. */
static void
check_names (unsigned int n_names, gboolean good)
{
  g_autoptr(GString) text = g_string_new ("{\"type\":\"listen\",\"id\":1,\"names\":[");
  g_autoptr(GBytes) message = NULL;
  g_auto(VtControl) decoded = { 0 };

  for (unsigned int i = 0; i < n_names; i++)
    g_string_append_printf (text, "%s\"n%u\"", i == 0 ? "" : ",", i);
  g_string_append (text, "]}");
  message = bytes_of (text->str);
  g_assert_cmpint (vt_codec_control_decode (message, VT_JSON_MAX_DEPTH, &decoded, NULL), ==, good);
  if (good)
    g_assert_cmpuint (g_strv_length (decoded.names), ==, n_names);
}

static void
test_names_number (void)
{
  VtControl control = { .type = VT_CONTROL_LISTEN, .id = 1 };
  g_autoptr(GBytes) encoded = NULL;
  g_auto(VtControl) decoded = { 0 };
  g_auto(GStrv) names = g_new0 (char *, 66);

  check_names (1, TRUE);
  check_names (64, TRUE);
  check_names (65, FALSE);
  check_names (300, FALSE);

  for (unsigned int i = 0; i < 65; i++)
    names[i] = g_strdup ("n");
  control.names = names;
  encoded = vt_codec_control_encode (&control);
  g_assert_true (vt_codec_control_decode (encoded, VT_JSON_MAX_DEPTH, &decoded, NULL));
  g_assert_cmpuint (g_strv_length (decoded.names), ==, 64);
}

static void
test_encode_mended (void)
{
  g_autofree char *many = g_strnfill (1023, 'x');
  g_autofree char *long_text = g_strconcat (many, "é", NULL);
  g_autofree char *expected = g_strdup_printf ("{\"type\":\"goaway\",\"reason\":\"%s\"}", many);
  VtControl invalid = { .type = VT_CONTROL_GOAWAY, .reason = (char *) "a\xff\xc3(" };
  VtControl long_one = { .type = VT_CONTROL_GOAWAY, .reason = long_text };

  assert_encoded (&invalid, "{\"type\":\"goaway\",\"reason\":\"a\357\277\275\357\277\275(\"}");
  assert_encoded (&long_one, expected);
}

/* The members of other types are left alone, and what is empty is left out. */
static void
test_encode_left_out (void)
{
  char *no_names[] = { NULL };
  VtControl ping = { .type = VT_CONTROL_PING, .id = 7, .port = 1, .reason = (char *) "x" };
  VtControl listen = {
    .type = VT_CONTROL_LISTEN, .id = 1, .address = (char *) "", .names = no_names
  };

  assert_encoded (&ping, "{\"type\":\"ping\",\"t\":0}");
  assert_encoded (&listen, "{\"type\":\"listen\",\"id\":1}");
}

/* All words of the table, and each of them back. */
static void
test_codes (void)
{
  for (int code = VT_ERROR_FAILED; code <= VT_ERROR_TLS; code++)
    {
      VtControl refusal = { .type = VT_CONTROL_LISTEN_ERR, .id = 1, .code = code };
      g_autoptr(GBytes) encoded = vt_codec_control_encode (&refusal);
      g_auto(VtControl) decoded = { 0 };

      g_assert_true (vt_codec_control_decode (encoded, VT_JSON_MAX_DEPTH, &decoded, NULL));
      g_assert_cmpint (decoded.code, ==, code);
    }
}

static void
test_counted (void)
{
  JsonArray *counted = get_vectors ("counted");
  gboolean expected[G_N_ELEMENTS (type_names)] = { FALSE };

  for (unsigned int i = 0; i < json_array_get_length (counted); i++)
    expected[index_of (type_names, G_N_ELEMENTS (type_names),
                       json_array_get_string_element (counted, i))] = TRUE;
  for (unsigned int i = 0; i < G_N_ELEMENTS (type_names); i++)
    g_assert_cmpint (vt_control_is_counted ((VtControlType) i), ==, expected[i]);
}

/* What was damaged at random is refused, or understood and then written in a way that means the
 * same; nothing reads where it should not (which a sanitizer sees), or makes json-glib complain
 * (which is fatal here). */
static void
check_again (const VtControl *control)
{
  g_autoptr(GBytes) encoded = NULL;
  g_auto(VtControl) again = { 0 };

  if (control->type == VT_CONTROL_UNKNOWN || control->kind == VT_CONTROL_KIND_UNKNOWN)
    return;
  encoded = vt_codec_control_encode (control);
  g_assert_true (vt_codec_control_decode (encoded, VT_JSON_MAX_DEPTH, &again, NULL));
  assert_same (&again, control);
}

static gboolean
check_damage (const char *whole)
{
  size_t length = strlen (whole);
  size_t cut =
      g_test_rand_int_range (0, 4) > 0 ? length : (size_t) g_test_rand_int_range (1, (int) length);
  char *damaged = g_memdup2 (whole, cut);
  g_autoptr(GBytes) message = g_bytes_new_take (damaged, cut);
  g_auto(VtControl) decoded = { 0 };

  for (int n = g_test_rand_int_range (1, 4); n > 0; n--)
    damaged[g_test_rand_int_range (0, (int) cut)] =
        g_test_rand_bit () ? whole[g_test_rand_int_range (0, (int) length)]
                           : (char) g_test_rand_int ();
  if (!vt_codec_control_decode (message, VT_JSON_MAX_DEPTH, &decoded, NULL))
    return FALSE;

  check_again (&decoded);
  return TRUE;
}

static void
test_random_damage (void)
{
  JsonArray *both = get_vectors ("both");
  unsigned int n_good = 0;

  for (unsigned int i = 0; i < json_array_get_length (both); i++)
    for (unsigned int n = 0; n < 2000; n++)
      n_good += check_damage (
          json_object_get_string_member (json_array_get_object_element (both, i), "text"));
  g_assert_cmpuint (n_good, >, 0);
}

int
main (int argc, char *argv[])
{
  int status;

  g_test_init (&argc, &argv, NULL);
  vectors = load_vectors ("v2.json");

  g_test_add_func ("/codec-control/vectors/both", test_vectors_both);
  g_test_add_func ("/codec-control/vectors/read", test_vectors_read);
  g_test_add_func ("/codec-control/vectors/refused", test_vectors_refused);
  g_test_add_func ("/codec-control/refused/names-key", test_refused_names_key);
  g_test_add_func ("/codec-control/refused/cut", test_refused_cut);
  g_test_add_func ("/codec-control/refused/nul", test_refused_nul);
  g_test_add_func ("/codec-control/names/number", test_names_number);
  g_test_add_func ("/codec-control/encode/mended", test_encode_mended);
  g_test_add_func ("/codec-control/encode/left-out", test_encode_left_out);
  g_test_add_func ("/codec-control/codes", test_codes);
  g_test_add_func ("/codec-control/counted", test_counted);
  g_test_add_func ("/codec-control/random/damage", test_random_damage);
  status = g_test_run ();

  json_node_unref (vectors);
  return status;
}
