/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-codec-binary-private.h"

#include <string.h>

#include "vt-error-private.h"
#include "vectors.h"

#define MAX_FRAME 65536

static JsonNode *vectors;

static const char *const type_names[] = {
  "", "open", "opened", "data", "eof", "reset", "credit",
};

/* Of exactly that size, so that a sanitizer sees who reads beyond it; never NULL. */
static uint8_t *
bytes_from_hex (const char *hex, size_t *length)
{
  uint8_t *bytes;

  *length = strlen (hex) / 2;
  bytes = g_malloc (MAX (*length, 1));
  for (size_t i = 0; i < *length; i++)
    bytes[i] =
        (uint8_t) (g_ascii_xdigit_value (hex[2 * i]) << 4 | g_ascii_xdigit_value (hex[2 * i + 1]));
  return bytes;
}

static JsonArray *
get_vectors (const char *group, const char *kind)
{
  JsonObject *root = json_node_get_object (vectors);

  return json_object_get_array_member (json_object_get_object_member (root, group), kind);
}

static guint32
get_number (JsonObject *object, const char *name)
{
  return (guint32) json_object_get_int_member (object, name);
}

static guint64
get_long_number (JsonObject *object, const char *name)
{
  return g_ascii_strtoull (json_object_get_string_member (object, name), NULL, 10);
}

static guint32
get_max_frame (JsonObject *vector)
{
  return (guint32) json_object_get_int_member_with_default (vector, "max_frame", MAX_FRAME);
}

static void
assert_hex (const uint8_t *data, size_t length, const char *hex)
{
  size_t expected_length;
  g_autofree uint8_t *expected = bytes_from_hex (hex, &expected_length);

  g_assert_cmpmem (data, length, expected, expected_length);
}

static void
read_vector_address (JsonObject *vector, VtBinaryAddress *address)
{
  size_t length;
  g_autofree uint8_t *bytes =
      bytes_from_hex (json_object_get_string_member (vector, "address"), &length);

  *address = (VtBinaryAddress){ .family = (uint8_t) get_number (vector, "family"),
                                .port = (guint16) get_number (vector, "port") };
  memcpy (address->bytes, bytes, length);
}

static void
assert_address (const VtBinaryAddress *address, JsonObject *vector)
{
  VtBinaryAddress expected;

  read_vector_address (vector, &expected);
  g_assert_cmpuint (address->family, ==, expected.family);
  g_assert_cmpuint (address->port, ==, expected.port);
  g_assert_cmpmem (address->bytes, 16, expected.bytes, 16);
}

static void
assert_entries (const VtBinaryOpen *open, JsonObject *vector)
{
  JsonArray *entries = json_object_has_member (vector, "entries")
                           ? json_object_get_array_member (vector, "entries")
                           : NULL;
  const uint8_t *at = open->entries;
  VtBinaryEntry entry;

  g_assert_cmpint (entries == NULL, ==, open->entries == NULL);
  if (entries == NULL)
    return;

  for (unsigned int i = 0; i < json_array_get_length (entries); i++)
    {
      JsonObject *expected = json_array_get_object_element (entries, i);

      g_assert_true (
          vt_codec_binary_next_entry (&at, open->entries + open->entries_length, &entry));
      g_assert_cmpuint (entry.type, ==, get_number (expected, "type"));
      assert_hex (entry.value, entry.length, json_object_get_string_member (expected, "value"));
    }
  g_assert_true (at == open->entries + open->entries_length);
  g_assert_false (vt_codec_binary_next_entry (&at, at, &entry));
}

static void
assert_open (const VtBinaryFrame *frame, JsonObject *vector)
{
  VtBinaryOpen open;

  vt_codec_binary_read_open (frame, &open);
  g_assert_cmpuint (open.listen_id, ==, get_number (vector, "listen"));
  assert_address (&open.user, json_object_get_object_member (vector, "user"));
  assert_address (&open.local, json_object_get_object_member (vector, "local"));
  assert_entries (&open, vector);
}

static void
assert_reset (const VtBinaryFrame *frame, JsonObject *vector)
{
  g_autofree char *reason = NULL;
  int code = vt_codec_binary_read_reset (frame, &reason);

  g_assert_cmpstr (vt_error_code_to_word (code), ==,
                   json_object_get_string_member (vector, "code"));
  g_assert_cmpstr (reason, ==, json_object_get_string_member (vector, "reason"));
}

static void
assert_frame (const VtBinaryFrame *frame, JsonObject *vector)
{
  g_assert_cmpstr (type_names[frame->type], ==, json_object_get_string_member (vector, "type"));
  g_assert_cmpuint (frame->stream, ==, get_number (vector, "stream"));
  g_assert_cmpint (frame->length == 0, ==, frame->payload == NULL);
  if (frame->type == VT_BINARY_OPEN)
    assert_open (frame, vector);
  else if (frame->type == VT_BINARY_DATA)
    assert_hex (frame->payload, frame->length, json_object_get_string_member (vector, "data"));
  else if (frame->type == VT_BINARY_RESET)
    assert_reset (frame, vector);
  else if (frame->type == VT_BINARY_CREDIT)
    g_assert_cmpuint (vt_codec_binary_read_credit (frame), ==, get_long_number (vector, "limit"));
  else
    g_assert_cmpuint (frame->length, ==, 0);
}

static size_t
write_vector_open (uint8_t *to, JsonObject *vector)
{
  VtBinaryAddress user, local;

  read_vector_address (json_object_get_object_member (vector, "user"), &user);
  read_vector_address (json_object_get_object_member (vector, "local"), &local);
  return vt_codec_binary_write_open (to, get_number (vector, "stream"),
                                     get_number (vector, "listen"), &user, &local);
}

static size_t
write_vector_data (uint8_t *to, JsonObject *vector)
{
  size_t length;
  g_autofree uint8_t *data =
      bytes_from_hex (json_object_get_string_member (vector, "data"), &length);

  vt_codec_binary_write_data_header (to, get_number (vector, "stream"), (guint32) length);
  memcpy (to + VT_BINARY_HEADER, data, length);
  return VT_BINARY_HEADER + length;
}

static size_t
write_vector_reset (uint8_t *to, JsonObject *vector)
{
  int code;

  g_assert_true (vt_error_code_from_word (json_object_get_string_member (vector, "code"), &code));
  return vt_codec_binary_write_reset (to, get_number (vector, "stream"), code,
                                      json_object_get_string_member (vector, "reason"));
}

static size_t
write_vector (uint8_t *to, JsonObject *vector)
{
  const char *type = json_object_get_string_member (vector, "type");
  guint32 stream = get_number (vector, "stream");

  if (g_str_equal (type, "open"))
    return write_vector_open (to, vector);
  if (g_str_equal (type, "data"))
    return write_vector_data (to, vector);
  if (g_str_equal (type, "reset"))
    return write_vector_reset (to, vector);
  if (g_str_equal (type, "credit"))
    return vt_codec_binary_write_credit (to, stream, get_long_number (vector, "limit"));
  return vt_codec_binary_write_bare (to,
                                     g_str_equal (type, "eof") ? VT_BINARY_EOF : VT_BINARY_OPENED,
                                     stream);
}

static void
check_one (const char *hex, JsonObject *vector)
{
  size_t length;
  g_autofree uint8_t *message = bytes_from_hex (hex, &length);
  const uint8_t *at = message;
  g_autoptr(GError) error = NULL;
  VtBinaryFrame frame;

  g_assert_true (vt_codec_binary_next (&at, message + length, MAX_FRAME, &frame, &error));
  g_assert_no_error (error);
  g_assert_true (at == message + length);
  assert_frame (&frame, vector);
}

static void
test_vectors_both (void)
{
  JsonArray *both = get_vectors ("frames", "both");

  for (unsigned int i = 0; i < json_array_get_length (both); i++)
    {
      JsonObject *vector = json_array_get_object_element (both, i);
      const char *hex = json_object_get_string_member (vector, "hex");
      uint8_t written[VT_BINARY_MAX_RESET];

      g_test_message ("%s", hex);
      check_one (hex, vector);
      assert_hex (written, write_vector (written, vector), hex);
    }
}

static void
check_read (JsonObject *vector)
{
  JsonArray *frames = json_object_get_array_member (vector, "frames");
  size_t length;
  g_autofree uint8_t *message =
      bytes_from_hex (json_object_get_string_member (vector, "hex"), &length);
  const uint8_t *at = message;
  VtBinaryFrame frame;

  for (unsigned int i = 0; i < json_array_get_length (frames); i++)
    {
      g_autoptr(GError) error = NULL;

      g_assert_true (
          vt_codec_binary_next (&at, message + length, get_max_frame (vector), &frame, &error));
      g_assert_no_error (error);
      assert_frame (&frame, json_array_get_object_element (frames, i));
    }
  g_assert_true (at == message + length);
}

static void
test_vectors_read (void)
{
  JsonArray *read = get_vectors ("frames", "read");

  for (unsigned int i = 0; i < json_array_get_length (read); i++)
    {
      JsonObject *vector = json_array_get_object_element (read, i);

      g_test_message ("%s", json_object_get_string_member (vector, "hex"));
      check_read (vector);
    }
}

static void
check_refused (JsonObject *vector)
{
  gint64 n_good = json_object_get_int_member_with_default (vector, "good", 0);
  guint32 max_frame = get_max_frame (vector);
  size_t length;
  g_autofree uint8_t *message =
      bytes_from_hex (json_object_get_string_member (vector, "hex"), &length);
  const uint8_t *at = message, *before;
  g_autoptr(GError) error = NULL;
  VtBinaryFrame frame;

  for (gint64 i = 0; i < n_good; i++)
    g_assert_true (vt_codec_binary_next (&at, message + length, max_frame, &frame, NULL));
  before = at;
  g_assert_false (vt_codec_binary_next (&at, message + length, max_frame, &frame, &error));
  g_assert_error (error, VT_ERROR, VT_ERROR_PROTOCOL);
  g_assert_cmpuint (strlen (error->message), <=, VT_BINARY_MAX_REASON);
  g_assert_true (at == before);
  g_assert_cmpuint (frame.length, ==, 0);
  g_assert_null (frame.payload);
}

static void
test_vectors_refused (void)
{
  JsonArray *refused = get_vectors ("frames", "refused");

  for (unsigned int i = 0; i < json_array_get_length (refused); i++)
    {
      JsonObject *vector = json_array_get_object_element (refused, i);

      g_test_message ("%s: %s", json_object_get_string_member (vector, "why"),
                      json_object_get_string_member (vector, "hex"));
      check_refused (vector);
    }
}

static void
test_acks_both (void)
{
  JsonArray *both = get_vectors ("acks", "both");

  for (unsigned int i = 0; i < json_array_get_length (both); i++)
    {
      JsonObject *vector = json_array_get_object_element (both, i);
      const char *hex = json_object_get_string_member (vector, "hex");
      guint64 expected = get_long_number (vector, "received"), received;
      uint8_t written[VT_BINARY_ACK_SIZE];
      size_t length;
      g_autofree uint8_t *message = bytes_from_hex (hex, &length);

      g_assert_true (vt_codec_binary_read_ack (message, length, &received));
      g_assert_cmpuint (received, ==, expected);
      assert_hex (written, vt_codec_binary_write_ack (written, expected), hex);
      /* Nobody who looks for frames may take it for one. */
      check_refused (vector);
    }
}

static void
test_acks_refused (void)
{
  JsonArray *refused = get_vectors ("acks", "refused");

  for (unsigned int i = 0; i < json_array_get_length (refused); i++)
    {
      JsonObject *vector = json_array_get_object_element (refused, i);
      guint64 received;
      size_t length;
      g_autofree uint8_t *message =
          bytes_from_hex (json_object_get_string_member (vector, "hex"), &length);

      g_test_message ("%s", json_object_get_string_member (vector, "why"));
      g_assert_false (vt_codec_binary_read_ack (message, length, &received));
    }
}

/* A frame of OPEN with all of it, so that each of its bytes is an end at which to stop. */
static uint8_t *
make_long_message (size_t *length)
{
  static const uint8_t entry[] = { 0, 9, 0, 3, 1, 2, 3 };
  VtBinaryAddress user = { 4, 1, { 1, 2, 3, 4 } }, local = { 6, 2, { 5 } };
  uint8_t *message = g_malloc (512);
  size_t at = vt_codec_binary_write_open (message, 1, 1, &user, &local);

  memcpy (message + at, entry, sizeof entry);
  at += sizeof entry;
  message[11] = (uint8_t) (at - VT_BINARY_HEADER);
  at += vt_codec_binary_write_reset (message + at, 1, VT_ERROR_LIMIT, "reason");
  at += vt_codec_binary_write_credit (message + at, 2, 3);
  vt_codec_binary_write_data_header (message + at, 2, 5);
  memset (message + at + VT_BINARY_HEADER, 'x', 5);
  *length = at + VT_BINARY_HEADER + 5;
  return message;
}

/* Walks through all of a message, as the mux does. How many frames there are, -1 if it is bad. */
static int
walk (const uint8_t *message, size_t length)
{
  const uint8_t *at = message, *end = message + length;
  VtBinaryFrame frame;
  int n_frames = 0;

  for (; at < end; n_frames++)
    {
      VtBinaryOpen open;
      VtBinaryEntry entry;
      g_autofree char *reason = NULL;

      if (!vt_codec_binary_next (&at, end, 64, &frame, NULL))
        return -1;
      g_assert_cmpuint (frame.stream, !=, 0);
      g_assert_cmpuint (frame.length, <=, length);
      g_assert_true (frame.payload == NULL || frame.payload + frame.length == at);
      if (frame.type == VT_BINARY_OPEN)
        {
          vt_codec_binary_read_open (&frame, &open);
          for (const uint8_t *e = open.entries, *stop = e + open.entries_length; e < stop;)
            g_assert_true (vt_codec_binary_next_entry (&e, stop, &entry));
        }
      else if (frame.type == VT_BINARY_RESET)
        {
          g_assert_cmpint (vt_codec_binary_read_reset (&frame, &reason), <=, VT_ERROR_NOT_RESUMED);
          g_assert_true (g_utf8_validate (reason, -1, NULL));
        }
      else if (frame.type == VT_BINARY_CREDIT)
        vt_codec_binary_read_credit (&frame);
    }
  return n_frames;
}

static void
test_random_cut (void)
{
  size_t length;
  g_autofree uint8_t *whole = make_long_message (&length);
  int n_whole = 0;

  g_assert_cmpint (walk (whole, length), ==, 4);
  for (size_t cut = 0; cut < length; cut++)
    {
      g_autofree uint8_t *message = g_memdup2 (whole, cut);

      n_whole += walk (message, cut) >= 0;
    }
  /* Cut between the frames it is good. */
  g_assert_cmpint (n_whole, ==, 4);
}

static void
test_random_damage (void)
{
  size_t length;
  g_autofree uint8_t *whole = make_long_message (&length);
  unsigned int n_good = 0, n_rounds = 100000;

  for (unsigned int i = 0; i < n_rounds; i++)
    {
      size_t cut = g_test_rand_bit () ? length : (size_t) g_test_rand_int_range (1, (int) length);
      g_autofree uint8_t *message = g_memdup2 (whole, cut);

      for (int n = g_test_rand_int_range (1, 4); n > 0; n--)
        message[g_test_rand_int_range (0, (int) cut)] =
            (uint8_t) (g_test_rand_bit () ? g_test_rand_int () : g_test_rand_int_range (0, 16));
      n_good += walk (message, cut) >= 0;
    }
  g_assert_cmpuint (n_good, >, 0);
  g_assert_cmpuint (n_good, <, n_rounds);
}

/* What a reason is cut to, and what travels of codes. */
static void
check_reset (int code, const char *reason, int expected_code, const char *expected_reason)
{
  uint8_t written[VT_BINARY_MAX_RESET];
  size_t length = vt_codec_binary_write_reset (written, 1, code, reason);
  const uint8_t *at = written;
  g_autofree char *read = NULL;
  VtBinaryFrame frame;

  g_assert_true (vt_codec_binary_next (&at, written + length, 1, &frame, NULL));
  g_assert_cmpint (vt_codec_binary_read_reset (&frame, &read), ==, expected_code);
  g_assert_cmpstr (read, ==, expected_reason);
}

static void
test_reset_reason (void)
{
  g_autofree char *many = g_strnfill (200, 'x');
  g_autofree char *most = g_strnfill (VT_BINARY_MAX_REASON, 'x');

  check_reset (0, NULL, 0, "");
  check_reset (0, many, 0, most);
  check_reset (0, "a\xffz", 0, "a\357\277\275z");
  for (unsigned int n = 1; n <= 4; n++)
    {
      g_autofree char *start = g_strnfill (VT_BINARY_MAX_REASON - n, 'x');
      g_autofree char *two = g_strconcat (start, "é!", NULL);
      g_autofree char *four = g_strconcat (start, "😀!", NULL);
      g_autofree char *start_two = g_strconcat (start, n < 2 ? "" : n < 3 ? "é" : "é!", NULL);
      g_autofree char *start_four = g_strconcat (start, n < 4 ? "" : "😀", NULL);

      check_reset (0, two, 0, start_two);
      check_reset (0, four, 0, start_four);
    }
}

static void
test_reset_code (void)
{
  for (int code = VT_ERROR_FAILED; code <= VT_ERROR_NOT_RESUMED; code++)
    check_reset (code, "x", code, "x");
  check_reset (VT_ERROR_NOT_AUTHORISED, "x", VT_ERROR_FAILED, "x");
  check_reset (VT_ERROR_TLS, "x", VT_ERROR_FAILED, "x");
  check_reset (-1, "x", VT_ERROR_FAILED, "x");
  check_reset (G_MAXINT, "x", VT_ERROR_FAILED, "x");
}

/* The whole of an IPv6 address fits, and no more than that is announced. */
static void
test_open_largest (void)
{
  VtBinaryAddress address = { .family = 6, .port = G_MAXUINT16 };
  uint8_t written[VT_BINARY_MAX_OPEN];

  g_assert_cmpuint (vt_codec_binary_write_open (written, 1, 1, &address, &address), ==,
                    VT_BINARY_MAX_OPEN);
}

/* As many entries as a message has room for are no more than a walk through them. */
static void
test_open_entries (void)
{
  enum { N_ENTRIES = 1000 };
  VtBinaryAddress none = { 0 };
  uint8_t written[VT_BINARY_HEADER + 10 + 4 * N_ENTRIES] = { 0 };
  size_t length = vt_codec_binary_write_open (written, 1, 1, &none, &none);
  const uint8_t *at = written;
  VtBinaryFrame frame;
  VtBinaryOpen open;
  VtBinaryEntry entry;
  unsigned int n_entries = 0;

  length += 4 * N_ENTRIES;
  written[10] = (uint8_t) ((length - VT_BINARY_HEADER) >> 8);
  written[11] = (uint8_t) (length - VT_BINARY_HEADER);
  g_assert_true (vt_codec_binary_next (&at, written + length, 1, &frame, NULL));
  vt_codec_binary_read_open (&frame, &open);
  at = open.entries;
  while (vt_codec_binary_next_entry (&at, open.entries + open.entries_length, &entry))
    n_entries++;
  g_assert_cmpuint (n_entries, ==, N_ENTRIES);
}

/* Small frames, so that it is the frames that cost. */
static void
test_speed (void)
{
  enum { N_FRAMES = 256, PAYLOAD = 16 };
  uint8_t message[N_FRAMES * (VT_BINARY_HEADER + PAYLOAD)] = { 0 };
  unsigned int n_messages = g_test_perf () ? 100000 : 100;
  guint64 n_bytes = 0;
  double seconds;

  for (unsigned int i = 0; i < N_FRAMES; i++)
    vt_codec_binary_write_data_header (message + i * (VT_BINARY_HEADER + PAYLOAD), i + 1, PAYLOAD);
  g_test_timer_start ();
  for (unsigned int i = 0; i < n_messages; i++)
    for (const uint8_t *at = message; at < message + sizeof message;)
      {
        VtBinaryFrame frame;

        g_assert_true (
            vt_codec_binary_next (&at, message + sizeof message, MAX_FRAME, &frame, NULL));
        n_bytes += frame.length;
      }
  seconds = g_test_timer_elapsed ();
  g_assert_cmpuint (n_bytes, ==, (guint64) n_messages * N_FRAMES * PAYLOAD);
  g_test_minimized_result (seconds * 1e9 / n_messages / N_FRAMES, "%.1f ns a frame",
                           seconds * 1e9 / n_messages / N_FRAMES);
}

int
main (int argc, char *argv[])
{
  int status;

  g_test_init (&argc, &argv, NULL);
  vectors = load_vectors ("v2.json");

  g_test_add_func ("/codec-binary/vectors/both", test_vectors_both);
  g_test_add_func ("/codec-binary/vectors/read", test_vectors_read);
  g_test_add_func ("/codec-binary/vectors/refused", test_vectors_refused);
  g_test_add_func ("/codec-binary/acks/both", test_acks_both);
  g_test_add_func ("/codec-binary/acks/refused", test_acks_refused);
  g_test_add_func ("/codec-binary/reset/reason", test_reset_reason);
  g_test_add_func ("/codec-binary/reset/code", test_reset_code);
  g_test_add_func ("/codec-binary/open/largest", test_open_largest);
  g_test_add_func ("/codec-binary/open/entries", test_open_entries);
  g_test_add_func ("/codec-binary/random/cut", test_random_cut);
  g_test_add_func ("/codec-binary/random/damage", test_random_damage);
  g_test_add_func ("/codec-binary/speed", test_speed);
  status = g_test_run ();

  json_node_unref (vectors);
  return status;
}
