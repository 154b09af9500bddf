/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-codec-json-private.h"

#include <string.h>

#include "vt-error-private.h"
#include "vt-json-guard-private.h"
#include "vectors.h"

static JsonNode *vectors;

static const struct {
  const char *name;
  VtJsonType type;
} types[] = {
  { "", VT_JSON_UNKNOWN },
  { "listen", VT_JSON_LISTEN },
  { "listen_ok", VT_JSON_LISTEN_OK },
  { "listen_err", VT_JSON_LISTEN_ERR },
  { "unlisten", VT_JSON_UNLISTEN },
  { "connect", VT_JSON_CONNECT },
  { "data", VT_JSON_DATA },
  { "close", VT_JSON_CLOSE },
  { "ping", VT_JSON_PING },
  { "pong", VT_JSON_PONG },
};

static GBytes *
bytes_of (const char *text)
{
  return g_bytes_new (text, strlen (text));
}

static GBytes *
bytes_from_hex (const char *hex)
{
  GByteArray *bytes = g_byte_array_new ();

  for (; *hex != '\0'; hex += 2)
    {
      uint8_t byte = (uint8_t) (g_ascii_xdigit_value (hex[0]) << 4 | g_ascii_xdigit_value (hex[1]));

      g_byte_array_append (bytes, &byte, 1);
    }
  return g_byte_array_free_to_bytes (bytes);
}

static VtJsonType
type_from_name (const char *name)
{
  for (unsigned int i = 0; i < G_N_ELEMENTS (types); i++)
    if (g_str_equal (types[i].name, name))
      return types[i].type;
  g_assert_not_reached ();
}

static void
expect (JsonObject *vector, VtJsonMessage *message)
{
  const char *hex = json_object_get_string_member_with_default (vector, "data", NULL);

  message->type = type_from_name (json_object_get_string_member (vector, "type"));
  message->port = (guint16) json_object_get_int_member_with_default (vector, "port", 0);
  message->stream_id = (guint32) json_object_get_int_member_with_default (vector, "stream_id", 0);
  message->data = hex == NULL ? NULL : bytes_from_hex (hex);
  message->error = g_strdup (json_object_get_string_member_with_default (vector, "error", NULL));
}

static void
assert_same (const VtJsonMessage *a, const VtJsonMessage *b)
{
  g_assert_cmpint (a->type, ==, b->type);
  g_assert_cmpuint (a->port, ==, b->port);
  g_assert_cmpuint (a->stream_id, ==, b->stream_id);
  g_assert_cmpstr (a->error, ==, b->error);
  g_assert_cmpint (a->data == NULL, ==, b->data == NULL);
  if (a->data != NULL)
    g_assert_cmpmem (g_bytes_get_data (a->data, NULL), g_bytes_get_size (a->data),
                     g_bytes_get_data (b->data, NULL), g_bytes_get_size (b->data));
}

static JsonArray *
get_vectors (const char *kind)
{
  return json_object_get_array_member (json_node_get_object (vectors), kind);
}

static void
check_read (JsonObject *vector)
{
  g_autoptr(GBytes) text = bytes_of (json_object_get_string_member (vector, "text"));
  g_auto(VtJsonMessage) expected = { 0 };
  g_auto(VtJsonMessage) decoded = { 0 };
  g_autoptr(GError) error = NULL;

  g_test_message ("%s", json_object_get_string_member (vector, "text"));
  expect (vector, &expected);
  g_assert_true (vt_codec_json_decode (text, VT_JSON_MAX_DEPTH, &decoded, &error));
  g_assert_no_error (error);
  assert_same (&decoded, &expected);
}

static void
check_written (JsonObject *vector)
{
  const char *text = json_object_get_string_member (vector, "text");
  g_auto(VtJsonMessage) message = { 0 };
  g_autoptr(GBytes) encoded = NULL;

  expect (vector, &message);
  encoded = vt_codec_json_encode (&message);
  g_assert_cmpmem (g_bytes_get_data (encoded, NULL), g_bytes_get_size (encoded), text,
                   strlen (text));
}

static void
test_vectors_both (void)
{
  JsonArray *both = get_vectors ("both");

  for (unsigned int i = 0; i < json_array_get_length (both); i++)
    {
      check_read (json_array_get_object_element (both, i));
      check_written (json_array_get_object_element (both, i));
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
check_refused (GBytes *text)
{
  g_auto(VtJsonMessage) decoded = { .port = 1 };
  g_autoptr(GError) error = NULL;

  g_assert_false (vt_codec_json_decode (text, VT_JSON_MAX_DEPTH, &decoded, &error));
  g_assert_error (error, VT_ERROR, VT_ERROR_PROTOCOL);
  g_assert_null (decoded.data);
  g_assert_null (decoded.error);
  g_assert_cmpuint (decoded.port, ==, 0);
}

static void
test_vectors_refused (void)
{
  JsonArray *refused = get_vectors ("refused");

  for (unsigned int i = 0; i < json_array_get_length (refused); i++)
    {
      JsonObject *vector = json_array_get_object_element (refused, i);
      g_autoptr(GBytes) text = bytes_of (json_object_get_string_member (vector, "text"));

      g_test_message ("%s", json_object_get_string_member (vector, "text"));
      check_refused (text);
    }
}

/* What the file of vectors cannot hold. */
static void
test_refused_nul (void)
{
  static const char *const texts[] = { "\0{}", "{}\0", "{\"a\":\"\0\"}", "{\"type\0\":\"ping\"}" };
  static const size_t lengths[] = { 3, 3, 9, 16 };

  for (unsigned int i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      g_autoptr(GBytes) text = g_bytes_new_static (texts[i], lengths[i]);

      check_refused (text);
    }
}

/* Every beginning of a good message is refused, and nothing beyond its end is looked at. */
static void
test_refused_cut (void)
{
  static const char whole[] = "{\"type\":\"data\",\"a\":[1.5e3,{\"b\":\"\\u00e9\\n\"}],"
                              "\"stream_id\":12,\"data\":\"aGk=\"} ";

  for (size_t length = 0; length < strlen (whole) - 1; length++)
    {
      g_autoptr(GBytes) text = g_bytes_new_take (g_memdup2 (whole, length), length);

      check_refused (text);
    }
}

static void
test_refused_deep (void)
{
  g_autoptr(GString) deep = g_string_new ("{\"a\":");
  g_autoptr(GBytes) text = NULL;

  for (unsigned int i = 0; i < 500000; i++)
    g_string_append (deep, i % 2 == 0 ? "[" : "{\"b\":");
  text = g_bytes_new (deep->str, deep->len);
  check_refused (text);
}

static void
test_error_mended (void)
{
  g_autoptr(GBytes) text =
      bytes_of ("{\"type\":\"listen_err\",\"error\":\"a\xff\xc3(\xe2\x82z\"}");
  g_autoptr(GBytes) encoded = NULL;
  g_auto(VtJsonMessage) decoded = { 0 };
  VtJsonMessage invalid = { .type = VT_JSON_LISTEN_ERR, .error = (char *) "a\xff\xc3(" };
  static const char escaped[] = "{\"type\":\"listen_err\",\"error\":\"a\\ufffd\\ufffd(\"}";

  g_assert_true (vt_codec_json_decode (text, VT_JSON_MAX_DEPTH, &decoded, NULL));
  g_assert_cmpstr (decoded.error, ==, "a\357\277\275\357\277\275(\357\277\275\357\277\275z");

  encoded = vt_codec_json_encode (&invalid);
  g_assert_cmpmem (g_bytes_get_data (encoded, NULL), g_bytes_get_size (encoded), escaped,
                   strlen (escaped));
}

/* Against GLib's encoder, for all lengths around the groups of three and for the longest. */
static void
check_data (const uint8_t *data, size_t length)
{
  g_autofree char *base64 = g_base64_encode (data, length);
  g_autofree char *expected =
      g_strdup_printf ("{\"type\":\"data\",\"stream_id\":77,\"data\":\"%s\"}", base64);
  g_autoptr(GBytes) encoded = vt_codec_json_encode_data (77, data, length);
  g_auto(VtJsonMessage) decoded = { 0 };

  g_assert_cmpmem (g_bytes_get_data (encoded, NULL), g_bytes_get_size (encoded), expected,
                   strlen (expected));
  g_assert_true (vt_codec_json_decode (encoded, VT_JSON_MAX_DEPTH, &decoded, NULL));
  g_assert_cmpint (decoded.type, ==, VT_JSON_DATA);
  g_assert_cmpuint (decoded.stream_id, ==, 77);
  g_assert_cmpmem (g_bytes_get_data (decoded.data, NULL), g_bytes_get_size (decoded.data), data,
                   length);
}

static void
test_data_lengths (void)
{
  g_autofree uint8_t *data = g_malloc (VT_JSON_MAX_DATA);

  for (size_t i = 0; i < VT_JSON_MAX_DATA; i++)
    data[i] = (uint8_t) g_test_rand_int ();
  for (size_t length = 1; length < 200; length++)
    check_data (data, length);
  for (size_t length = VT_JSON_MAX_DATA - 4; length <= VT_JSON_MAX_DATA; length++)
    check_data (data, length);
}

/* Each character by itself at each place of a string, as it stands there and behind a backslash. */
static void
test_string_characters (void)
{
  for (unsigned int place = 0; place < 20; place++)
    for (unsigned int c = 1; c < 256; c++)
      {
        char string[] = "xxxxxxxxxxxxxxxxxxxx";
        g_autofree char *plain = NULL, *escaped = NULL;
        g_autoptr(GBytes) plain_text = NULL, escaped_text = NULL;
        g_auto(VtJsonMessage) decoded = { 0 };

        string[place] = (char) c;
        plain = g_strdup_printf ("{\"a\":\"%s\"}", string);
        plain_text = bytes_of (plain);
        g_assert_cmpint (vt_codec_json_decode (plain_text, VT_JSON_MAX_DEPTH, &decoded, NULL), ==,
                         c >= 0x20 && c != '"' && c != '\\');
        escaped = g_strdup_printf ("{\"a\":\"%.*s\\%s\"}", (int) place, string, string + place);
        escaped_text = bytes_of (escaped);
        g_assert_cmpint (vt_codec_json_decode (escaped_text, VT_JSON_MAX_DEPTH, &decoded, NULL), ==,
                         strchr ("\"\\/bfnrt", (int) c) != NULL);
      }
}

/* Each character that is not of the alphabet is refused at each place of the last groups. */
static void
test_data_alphabet (void)
{
  static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

  for (unsigned int place = 0; place < 12; place++)
    for (unsigned int c = 1; c < 256; c++)
      {
        char base64[] = "AAAAAAAAAAAA";
        g_autofree char *message = NULL;
        g_autoptr(GBytes) text = NULL;
        g_auto(VtJsonMessage) decoded = { 0 };
        gboolean good = strchr (alphabet, (int) c) != NULL || (c == '=' && place == 11);

        base64[place] = (char) c;
        message = g_strdup_printf ("{\"type\":\"data\",\"data\":\"%s\"}", base64);
        text = bytes_of (message);
        g_assert_cmpint (vt_codec_json_decode (text, VT_JSON_MAX_DEPTH, &decoded, NULL), ==, good);
      }
}

/* A space in front changes nothing in what a message means, but keeps it off the fast path. */
static void
check_both_ways (GBytes *text)
{
  size_t length;
  const char *plain = g_bytes_get_data (text, &length);
  char *spaced = g_malloc (length + 1);
  g_autoptr(GBytes) other = g_bytes_new_take (spaced, length + 1);
  g_auto(VtJsonMessage) decoded = { 0 };
  g_auto(VtJsonMessage) expected = { 0 };

  spaced[0] = ' ';
  memcpy (spaced + 1, plain, length);
  g_assert_cmpint (vt_codec_json_decode (text, VT_JSON_MAX_DEPTH, &decoded, NULL), ==,
                   vt_codec_json_decode (other, VT_JSON_MAX_DEPTH, &expected, NULL));
  assert_same (&decoded, &expected);
  if (decoded.error != NULL)
    g_assert_true (g_utf8_validate (decoded.error, -1, NULL));
}

static void
test_ways_agree (void)
{
  static const char *const ids[] = {
    "",           "0",
    "1",          "01",
    "-1",         "+1",
    " 1",         "1 ",
    "4294967295", "4294967296",
    "8589934593", "1e1",
    "1.0",        "1x",
    "x",          "null",
    "\"1\"",      "[1]",
    "1,\"a\":2",  "0x10",
    "1/**/",      "18446744073709551617",
  };
  static const char *const rest[] = {
    ",\"data\":\"aGk=\"}",
    ",\"data\":\"aGk=\"",
    ",\"data\":\"aGk=}",
    ",\"data\":\"aGk=\"}}",
    ",\"data\":\"aGk=\"} ",
    ",\"data\":\"aGk=\"},\"}",
    ",\"data\":\"aGk=\",\"port\":1}",
    ",\"data\":\"aGk=\",\"data\":\"aGk=\"}",
    ",\"data\":\"aGk=\",\"data\":\"\"}",
    ",\"data\":\"aGk=\",\"data\":\"AAA\"}",
    ",\"data\":\"a\\u0047k=\"}",
    ",\"data\":\"aGk=\\n\"}",
    ",\"data\":\"aGk=\\\"}",
    ",\"data\":\"aGk\"}",
    ",\"data\":\"aG k\"}",
    ",\"data\":\"\"}",
    ",\"data\":\"}",
    ",\"data\":\"=\"}",
    ",\"data\":null}",
    ",\"Data\":\"aGk=\"}",
    ", \"data\":\"aGk=\"}",
    "}",
    "",
  };

  for (unsigned int i = 0; i < G_N_ELEMENTS (ids); i++)
    for (unsigned int j = 0; j < G_N_ELEMENTS (rest); j++)
      {
        g_autofree char *message =
            g_strdup_printf ("{\"type\":\"data\",\"stream_id\":%s%s", ids[i], rest[j]);
        g_autoptr(GBytes) text = bytes_of (message);

        g_test_message ("%s", message);
        check_both_ways (text);
      }
}

/* A message that was damaged at random is understood or refused, and never reads or writes where
 * it should not (which a sanitizer sees), nor makes json-glib complain (which is fatal here). */
static void
check_damage (const char *whole)
{
  size_t size = strlen (whole) + 1;

  for (unsigned int i = 0; i < 50000; i++)
    {
      size_t length =
          g_test_rand_bit () ? size - 1 : (size_t) g_test_rand_int_range (1, (gint32) size);
      char *damaged = g_memdup2 (whole, length);
      g_autoptr(GBytes) text = g_bytes_new_take (damaged, length);

      for (int n = g_test_rand_int_range (1, 4); n > 0; n--)
        damaged[g_test_rand_int_range (0, (gint32) length)] =
            g_test_rand_bit () ? whole[g_test_rand_int_range (0, (gint32) size - 1)]
                               : (char) g_test_rand_int ();
      check_both_ways (text);
    }
}

static void
test_random_damage (void)
{
  check_damage ("{\"type\":\"data\",\"stream_id\":12,\"data\":\"aGVs\\nbG8=\","
                "\"x\":[{\"y\":\"\\ud83d\\ude00\"},-1.5e+3,null,true],\"error\":\"é\"}");
  check_damage ("{\"type\":\"data\",\"stream_id\":4294967295,\"data\":\"aGVsbG8=\"}");
}

/* What json-glib would take, in a value. The guard alone is asked: what it lets pass here that is
 * no JSON either, json-glib refuses. */
static const struct {
  const char *value;
  gboolean good;
} guard_values[] = {
  { "0", TRUE },
  { "-0", TRUE },
  { "10", TRUE },
  { "999999999999999999", TRUE },
  { "-999999999999999999", TRUE },
  { "1000000000000000000", FALSE },
  { "0.5", TRUE },
  { "1.25e+10", TRUE },
  { "1E-5", TRUE },
  { "0.1234567890123456789012", TRUE },
  { "00", FALSE },
  { "017", FALSE },
  { "-01", FALSE },
  { "0x1f", FALSE },
  { "0b1", FALSE },
  { "$1f", FALSE },
  { "+1", FALSE },
  { "- 1", FALSE },
  { "-", FALSE },
  { ".5", FALSE },
  { "1.", FALSE },
  { "1.e5", FALSE },
  { "1e", FALSE },
  { "1e+", FALSE },
  { "1_0", FALSE },
  { "NaN", FALSE },
  { "Infinity", FALSE },
  { "-Infinity", FALSE },
  { "True", FALSE },
  { "nul", FALSE },
  { "var", FALSE },
  { "'a'", FALSE },
  { "// a\n1", FALSE },
  { "/* a */ 1", FALSE },
  { "# a\n1", FALSE },
  { "1;", FALSE },
  { "1\f", FALSE },
  { "\302\2401", FALSE },
  { "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"", TRUE },
  { "\"//'/*\177\303\251\"", TRUE },
  { "\"\\ud83d\\ude00\"", TRUE },
  { "\"\\uD800\\uDC00\\uDBFF\\uDFFF\\uD7FF\\uE000\"", TRUE },
  { "\"\\ud83d\"", FALSE },
  { "\"\\ude00\\ud83d\"", FALSE },
  { "\"\\ud83d\\n\"", FALSE },
  { "\"\\ud83d\\u0041\"", FALSE },
  { "\"\\u0000\"", FALSE },
  { "\"\\u00g0\"", FALSE },
  { "\"\\u00\"", FALSE },
  { "\"\\U00e9\"", FALSE },
  { "\"\\0\"", FALSE },
  { "\"\\x41\"", FALSE },
  { "\"\\'\"", FALSE },
  { "\"\t\"", FALSE },
  { "\"\n\"", FALSE },
  { "\"\001\"", FALSE },
};

static void
test_guard_values (void)
{
  for (unsigned int i = 0; i < G_N_ELEMENTS (guard_values); i++)
    {
      g_autofree char *text = g_strdup_printf ("{\"a\":[%s]}", guard_values[i].value);

      g_test_message ("%s", guard_values[i].value);
      g_assert_cmpint (vt_json_guard_find_problem (text, strlen (text), VT_JSON_MAX_DEPTH) == NULL,
                       ==, guard_values[i].good);
    }
}

static void
test_guard_whole (void)
{
  static const char *const refused[] = {
    "var a = {}", "var a = {};", "{};", "{}{}", "{},", "{}]", "\357\273\277{}", "}", "]{", "-{}",
  };

  for (unsigned int i = 0; i < G_N_ELEMENTS (refused); i++)
    g_assert_nonnull (
        vt_json_guard_find_problem (refused[i], strlen (refused[i]), VT_JSON_MAX_DEPTH));
}

/* json-glib takes a time that grows with the square of the number of members. */
static void
test_guard_many (void)
{
  g_autoptr(GString) many = g_string_new ("{\"type\":\"ping\"");
  g_autoptr(GBytes) text = NULL, more = NULL;
  g_auto(VtJsonMessage) decoded = { 0 };

  for (unsigned int i = 0; i < VT_JSON_MAX_COMMAS; i++)
    g_string_append_printf (many, ",\"%u\":\",,\"", i / 2);
  g_string_append_c (many, '}');
  text = g_bytes_new (many->str, many->len);
  g_assert_true (vt_codec_json_decode (text, VT_JSON_MAX_DEPTH, &decoded, NULL));
  g_assert_cmpint (decoded.type, ==, VT_JSON_PING);

  g_string_insert (many, 1, "\"a\":1,");
  more = g_bytes_new (many->str, many->len);
  check_refused (more);
}

static void
test_speed (void)
{
  g_autofree uint8_t *data = g_malloc0 (VT_JSON_MAX_DATA);
  unsigned int n_messages = g_test_perf () ? 32768 : 64;
  double seconds, speed;

  g_test_timer_start ();
  for (unsigned int i = 0; i < n_messages; i++)
    {
      g_autoptr(GBytes) encoded = vt_codec_json_encode_data (1, data, VT_JSON_MAX_DATA);
      g_auto(VtJsonMessage) decoded = { 0 };

      g_assert_true (vt_codec_json_decode (encoded, VT_JSON_MAX_DEPTH, &decoded, NULL));
    }
  seconds = g_test_timer_elapsed ();
  speed = n_messages * (double) VT_JSON_MAX_DATA / 1e6 / seconds;
  g_test_maximized_result (speed, "%.0f MB/s encoded and decoded", speed);
}

int
main (int argc, char *argv[])
{
  int status;

  g_test_init (&argc, &argv, NULL);
  vectors = load_vectors ("v1.json");

  g_test_add_func ("/codec-json/vectors/both", test_vectors_both);
  g_test_add_func ("/codec-json/vectors/read", test_vectors_read);
  g_test_add_func ("/codec-json/vectors/refused", test_vectors_refused);
  g_test_add_func ("/codec-json/refused/nul", test_refused_nul);
  g_test_add_func ("/codec-json/refused/cut", test_refused_cut);
  g_test_add_func ("/codec-json/refused/deep", test_refused_deep);
  g_test_add_func ("/codec-json/string/characters", test_string_characters);
  g_test_add_func ("/codec-json/error/mended", test_error_mended);
  g_test_add_func ("/codec-json/data/lengths", test_data_lengths);
  g_test_add_func ("/codec-json/data/alphabet", test_data_alphabet);
  g_test_add_func ("/codec-json/ways/agree", test_ways_agree);
  g_test_add_func ("/codec-json/random/damage", test_random_damage);
  g_test_add_func ("/codec-json/guard/values", test_guard_values);
  g_test_add_func ("/codec-json/guard/whole", test_guard_whole);
  g_test_add_func ("/codec-json/guard/many", test_guard_many);
  g_test_add_func ("/codec-json/speed", test_speed);
  status = g_test_run ();

  json_node_unref (vectors);
  return status;
}
