/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "fuzz.h"
#include "vt-codec-json-private.h"
#include "vt-error.h"

/* Messages of protocol v1: what is read, written and read again is the same. */

static void
expect_equal (const VtJsonMessage *a, const VtJsonMessage *b)
{
  g_assert_cmpint (a->type, ==, b->type);
  g_assert_cmpuint (a->port, ==, b->port);
  g_assert_cmpuint (a->stream_id, ==, b->stream_id);
  g_assert_true ((a->data == NULL) == (b->data == NULL));
  g_assert_true (a->data == NULL || g_bytes_equal (a->data, b->data));
  g_assert_cmpstr (a->error, ==, b->error);
}

static void
check (const VtJsonMessage *decoded)
{
  g_auto(VtJsonMessage) again = { 0 };
  g_autoptr(GBytes) first = vt_codec_json_encode (decoded);
  g_autoptr(GBytes) second = NULL;

  g_assert_true (decoded->error == NULL || g_utf8_validate (decoded->error, -1, NULL));
  g_assert_true (decoded->data == NULL || g_bytes_get_size (decoded->data) > 0);
  g_assert_true (vt_codec_json_decode (first, VT_JSON_MAX_DEPTH, &again, NULL));
  expect_equal (decoded, &again);
  second = vt_codec_json_encode (&again);
  g_assert_true (g_bytes_equal (first, second));
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr(GBytes) message = g_bytes_new (data, size);
  g_auto(VtJsonMessage) decoded = { 0 };
  g_autoptr(GError) error = NULL;

  if (vt_codec_json_decode (message, VT_JSON_MAX_DEPTH, &decoded, &error))
    check (&decoded);
  else
    g_assert_error (error, VT_ERROR, VT_ERROR_PROTOCOL);
  return 0;
}
