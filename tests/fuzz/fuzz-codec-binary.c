/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include <string.h>

#include "fuzz.h"
#include "vt-codec-binary-private.h"
#include "vt-error.h"

/* Stream frames of protocol v2: what is read is written again byte for byte, but for a reason or a
 * code that was mended. The first byte chooses the largest frame. */

static void
check_open (const VtBinaryFrame *frame, const uint8_t *bytes)
{
  uint8_t again[VT_BINARY_MAX_OPEN];
  VtBinaryOpen open;
  VtBinaryEntry entry;
  const uint8_t *at;
  size_t length, n_entries = 0;

  vt_codec_binary_read_open (frame, &open);
  length =
      vt_codec_binary_write_open (again, frame->stream, open.listen_id, &open.user, &open.local);
  g_assert_cmpmem (bytes, 8, again, 8);
  g_assert_cmpuint (length + open.entries_length, ==, VT_BINARY_HEADER + frame->length);
  g_assert_cmpint (memcmp (bytes + VT_BINARY_HEADER, again + VT_BINARY_HEADER,
                           length - VT_BINARY_HEADER),
                   ==, 0);
  at = open.entries;
  while (at != NULL
         && vt_codec_binary_next_entry (&at, bytes + VT_BINARY_HEADER + frame->length, &entry))
    n_entries += 4 + entry.length;
  g_assert_cmpuint (n_entries, ==, open.entries_length);
}

static void
check_reset (const VtBinaryFrame *frame, const uint8_t *bytes)
{
  const char *payload = (const char *) frame->payload;
  g_autofree char *reason = NULL;
  g_autofree char *reason_again = NULL;
  uint8_t again[VT_BINARY_MAX_RESET];
  VtBinaryFrame read = { 0 };
  const uint8_t *at = again;
  int code = vt_codec_binary_read_reset (frame, &reason);
  size_t length = vt_codec_binary_write_reset (again, frame->stream, code, reason);

  g_assert_true (g_utf8_validate (reason, -1, NULL));
  g_assert_true (vt_codec_binary_next (&at, again + length, 1, &read, NULL));
  g_assert_true (at == again + length);
  g_assert_cmpint (vt_codec_binary_read_reset (&read, &reason_again), ==, code);
  g_assert_true (g_str_has_prefix (reason, reason_again));
  if (g_utf8_validate (payload + 4, (gssize) frame->length - 4, NULL))
    {
      g_assert_cmpstr (reason, ==, reason_again);
      g_assert_cmpmem (bytes + 16, frame->length - 4, again + 16, length - 16);
    }
}

static void
check_frame (const VtBinaryFrame *frame, const uint8_t *bytes, guint32 max_frame)
{
  uint8_t again[VT_BINARY_CREDIT_SIZE];
  size_t length = VT_BINARY_HEADER;

  g_assert_true (frame->payload == (frame->length > 0 ? bytes + VT_BINARY_HEADER : NULL));
  if (frame->type == VT_BINARY_OPEN)
    check_open (frame, bytes);
  else if (frame->type == VT_BINARY_RESET)
    check_reset (frame, bytes);
  else
    {
      if (frame->type == VT_BINARY_CREDIT)
        length = vt_codec_binary_write_credit (again, frame->stream,
                                               vt_codec_binary_read_credit (frame));
      else if (frame->type == VT_BINARY_DATA)
        vt_codec_binary_write_data_header (again, frame->stream, frame->length);
      else
        vt_codec_binary_write_bare (again, frame->type, frame->stream);
      g_assert_cmpint (memcmp (again, bytes, length), ==, 0);
      g_assert_cmpuint (frame->type == VT_BINARY_DATA ? frame->length : 1, <=, max_frame);
    }
}

static void
check_ack (const uint8_t *message, size_t length, guint64 received)
{
  uint8_t again[VT_BINARY_ACK_SIZE];
  VtBinaryFrame frame;
  const uint8_t *at = message;

  g_assert_cmpmem (again, vt_codec_binary_write_ack (again, received), message, length);
  g_assert_false (vt_codec_binary_next (&at, message + length, 1, &frame, NULL));
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static const guint32 largest[] = { 1, 16, 64 * 1024, G_MAXUINT32 };
  FuzzInput input = { data, size };
  guint32 max_frame = largest[fuzz_take_byte (&input) % G_N_ELEMENTS (largest)];
  g_autoptr(GBytes) message = fuzz_take_rest (&input);
  g_autoptr(GError) error = NULL;
  size_t length;
  const uint8_t *at = g_bytes_get_data (message, &length);
  const uint8_t *end;
  VtBinaryFrame frame;
  guint64 received;

  if (length == 0)
    return 0;
  end = at + length;
  if (vt_codec_binary_read_ack (at, length, &received))
    check_ack (at, length, received);
  while (at < end)
    {
      const uint8_t *before = at;

      if (!vt_codec_binary_next (&at, end, max_frame, &frame, &error))
        {
          g_assert_error (error, VT_ERROR, VT_ERROR_PROTOCOL);
          g_assert_true (at == before);
          return 0;
        }
      g_assert_true (at == before + VT_BINARY_HEADER + frame.length && at <= end);
      check_frame (&frame, before, max_frame);
    }
  return 0;
}
