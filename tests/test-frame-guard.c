/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-frame-guard-private.h"

#include <string.h>

#include "vt-frame-walk-private.h"

#define FIN 0x80
#define TEXT 0x1
#define BINARY 0x2
#define PONG 0xa

static const VtFrameLimits wide = { .max_message = G_MAXUINT64 / 2, .max_control_rate = 1000 };

/* Appends one frame; the payload is as long as `size` says, whatever the form of the length. */
static void
add_frame (GByteArray *bytes, uint8_t first, unsigned int form, gboolean masked, guint64 size)
{
  uint8_t mask = masked ? 0x80 : 0;
  unsigned int n_bytes = form == 127 ? 8 : form == 126 ? 2 : 0;
  g_autofree uint8_t *payload = g_malloc0 (size + 1);

  g_byte_array_append (bytes, &first, 1);
  g_byte_array_append (bytes, &(uint8_t){ mask | (n_bytes > 0 ? form : size) }, 1);
  for (unsigned int i = n_bytes; i > 0; i--)
    g_byte_array_append (bytes, &(uint8_t){ size >> (8 * (i - 1)) & 0xff }, 1);
  if (masked)
    g_byte_array_append (bytes, (const uint8_t *) "\x81\x82\x83\x84", 4);
  memset (payload, 0x89, size);
  g_byte_array_append (bytes, payload, size);
}

static size_t
inspect (VtFrameGuard *guard, const GByteArray *bytes, gint64 now, unsigned int *code)
{
  VtFrameVerdict verdict;
  size_t passed = vt_frame_guard_inspect (guard, bytes->data, bytes->len, now, &verdict);

  *code = verdict.close_code;
  g_assert_true ((*code == 0) == (verdict.reason == NULL));
  g_assert_cmpuint (verdict.payload, ==, 0);
  return passed;
}

/* Every form of a length, at every cut, and then a frame that is too large: the walk must not lose
 * its place anywhere, and the cut must not matter. */
static void
test_forms (void)
{
  VtFrameLimits limits = { .max_message = 70000, .max_control_rate = 10 };
  g_autoptr(GByteArray) bytes = g_byte_array_new ();
  size_t good = 0;

  add_frame (bytes, FIN | TEXT, 0, FALSE, 0);
  add_frame (bytes, FIN | TEXT, 0, TRUE, 125);
  add_frame (bytes, FIN | VT_FRAME_PING, 0, TRUE, 0);
  add_frame (bytes, FIN | BINARY, 126, TRUE, 126);
  add_frame (bytes, FIN | BINARY, 127, FALSE, 300);
  add_frame (bytes, BINARY, 126, TRUE, 200);
  add_frame (bytes, FIN | PONG, 0, FALSE, 5);
  add_frame (bytes, FIN, 127, TRUE, 10);
  good = bytes->len;
  add_frame (bytes, FIN | TEXT, 127, TRUE, 70001);

  for (size_t cut = 0; cut <= good + 14; cut++)
    {
      g_autoptr(VtFrameGuard) guard = vt_frame_guard_new (&limits);
      VtFrameVerdict verdict;
      size_t passed = vt_frame_guard_inspect (guard, bytes->data, cut, 0, &verdict);

      if (verdict.close_code == 0)
        {
          g_assert_cmpuint (passed, ==, cut);
          passed +=
              vt_frame_guard_inspect (guard, bytes->data + cut, bytes->len - cut, 0, &verdict);
        }
      g_assert_cmpuint (verdict.close_code, ==, 1009);
      /* Of the bad frame only what had gone before its header was whole. */
      g_assert_cmpuint (passed, ==, cut > good && cut < good + 14 ? cut : good);
      g_assert_cmpuint (vt_frame_guard_get_n_pings (guard), ==, 1);
    }
}

static void
test_byte_by_byte (void)
{
  g_autoptr(VtFrameGuard) guard = vt_frame_guard_new (&wide);
  g_autoptr(GByteArray) bytes = g_byte_array_new ();
  VtFrameVerdict verdict;

  add_frame (bytes, TEXT, 127, TRUE, 66000);
  add_frame (bytes, FIN | VT_FRAME_PING, 0, TRUE, 3);
  add_frame (bytes, FIN, 126, TRUE, 1000);
  add_frame (bytes, FIN | VT_FRAME_PING, 0, FALSE, 0);
  for (size_t i = 0; i < bytes->len; i++)
    g_assert_cmpuint (vt_frame_guard_inspect (guard, bytes->data + i, 1, 0, &verdict), ==, 1);
  g_assert_cmpuint (verdict.close_code, ==, 0);
  g_assert_cmpuint (vt_frame_guard_get_n_pings (guard), ==, 2);
}

/* From a client, a close frame that is not masked is a proxy's; with a size of its own, or from a
 * server, it is left to libsoup. */
static void
test_goodbye_of_a_proxy (void)
{
  for (unsigned int i = 0; i < 8; i++)
    {
      gboolean by_client = (i & 1) != 0;
      gboolean masked = (i & 2) != 0;
      guint64 size = (i & 4) != 0 ? 3 : 2;
      VtFrameLimits limits = { .max_message = 1000, .max_control_rate = 10, .masked = by_client };
      g_autoptr(VtFrameGuard) guard = vt_frame_guard_new (&limits);
      g_autoptr(GByteArray) bytes = g_byte_array_new ();
      gboolean found = by_client && !masked && size == 2;
      unsigned int code = 0;

      add_frame (bytes, FIN | TEXT, 0, by_client, 9);
      size_t first = bytes->len;
      add_frame (bytes, FIN | VT_FRAME_CLOSE, 0, masked, size);
      g_assert_cmpuint (inspect (guard, bytes, 0, &code), ==, found ? first : bytes->len);
      g_assert_cmpuint (code, ==, found ? 1001 : 0);
    }
}

/* The limit holds for the whole of a message, whatever comes between its fragments. */
static void
test_total (void)
{
  VtFrameLimits limits = { .max_message = 1000, .max_control_rate = 10 };
  g_autoptr(VtFrameGuard) guard = vt_frame_guard_new (&limits);
  g_autoptr(GByteArray) bytes = g_byte_array_new ();
  unsigned int code = 0;
  size_t good = 0;

  add_frame (bytes, FIN | TEXT, 126, TRUE, 1000);
  add_frame (bytes, TEXT, 126, TRUE, 600);
  add_frame (bytes, FIN | VT_FRAME_PING, 0, TRUE, 100);
  add_frame (bytes, FIN, 126, TRUE, 400);
  add_frame (bytes, TEXT, 126, TRUE, 600);
  add_frame (bytes, FIN | VT_FRAME_PING, 0, TRUE, 100);
  good = bytes->len;
  add_frame (bytes, FIN, 126, TRUE, 401);
  g_assert_cmpuint (inspect (guard, bytes, 0, &code), ==, good);
  g_assert_cmpuint (code, ==, 1009);

  /* It has spoken. */
  g_byte_array_set_size (bytes, 0);
  add_frame (bytes, FIN | TEXT, 0, TRUE, 1);
  g_assert_cmpuint (inspect (guard, bytes, 0, &code), ==, 0);
  g_assert_cmpuint (code, ==, 1009);
}

static void
test_huge (void)
{
  VtFrameLimits limits = { .max_message = 1000, .max_control_rate = 10 };
  const uint8_t frames[] = { 0x01, 0x05, 1,    2,    3,    4,    5,    0x80, 0x7f,
                             0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
  g_autoptr(VtFrameGuard) guard = vt_frame_guard_new (&limits);
  VtFrameVerdict verdict;

  g_assert_cmpuint (vt_frame_guard_inspect (guard, frames, sizeof frames, 0, &verdict), ==, 7);
  g_assert_cmpuint (verdict.close_code, ==, 1009);
}

static void
test_fragments (void)
{
  VtFrameLimits limits = { .max_message = 1024 * 1024, .max_control_rate = 10 };
  g_autoptr(VtFrameGuard) guard = vt_frame_guard_new (&limits);
  g_autoptr(GByteArray) bytes = g_byte_array_new ();
  unsigned int code = 0;
  size_t passed = 0;

  add_frame (bytes, TEXT, 0, TRUE, 0);
  g_assert_cmpuint (inspect (guard, bytes, 0, &code), ==, bytes->len);
  g_byte_array_set_size (bytes, 0);
  add_frame (bytes, 0, 0, TRUE, 0);
  while (code == 0 && passed < 100000)
    passed += inspect (guard, bytes, 0, &code);
  g_assert_cmpuint (code, ==, 1008);
  /* With the one that began the message. */
  g_assert_cmpuint (passed, ==, (1024 - 1) * bytes->len);
}

/* What the Go programs send: a whole megabyte in pieces of 4 KiB, again and again. */
static void
test_go_fragments (void)
{
  VtFrameLimits limits = { .max_message = 1024 * 1024, .max_control_rate = 10 };
  g_autoptr(VtFrameGuard) guard = vt_frame_guard_new (&limits);
  g_autoptr(GByteArray) bytes = g_byte_array_new ();
  unsigned int code = 0;

  add_frame (bytes, TEXT, 126, TRUE, 4096);
  for (unsigned int i = 0; i < 254; i++)
    add_frame (bytes, 0, 126, TRUE, 4096);
  add_frame (bytes, FIN, 126, TRUE, 4096);
  for (unsigned int i = 0; i < 5; i++)
    {
      g_assert_cmpuint (inspect (guard, bytes, 0, &code), ==, bytes->len);
      g_assert_cmpuint (code, ==, 0);
    }
}

static void
test_control_rate (void)
{
  VtFrameLimits limits = { .max_message = 1000, .max_control_rate = 3 };
  g_autoptr(VtFrameGuard) guard = vt_frame_guard_new (&limits);
  g_autoptr(GByteArray) bytes = g_byte_array_new ();
  unsigned int code = 0;
  const gint64 good[] = { 0,       500000,  999999,  1000000, 1500000,
                          1999999, 2000000, 5000000, 5000000, 5000000 };

  add_frame (bytes, FIN | VT_FRAME_PING, 0, TRUE, 7);
  for (size_t i = 0; i < G_N_ELEMENTS (good); i++)
    {
      g_assert_cmpuint (inspect (guard, bytes, good[i], &code), ==, bytes->len);
      g_assert_cmpuint (code, ==, 0);
    }
  g_assert_cmpuint (inspect (guard, bytes, 5999999, &code), ==, 0);
  g_assert_cmpuint (code, ==, 1008);
}

/* Data is not counted as control. */
static void
test_control_size (void)
{
  const uint8_t kinds[] = { 0x8, 0x9, PONG };
  unsigned int code;

  for (size_t i = 0; i < G_N_ELEMENTS (kinds); i++)
    for (guint64 size = 124; size < 130; size++)
      {
        g_autoptr(VtFrameGuard) guard = vt_frame_guard_new (&wide);
        g_autoptr(GByteArray) bytes = g_byte_array_new ();

        add_frame (bytes, FIN | kinds[i], size > 125 ? 126 : 0, TRUE, size);
        g_assert_cmpuint (inspect (guard, bytes, 0, &code), ==, size > 125 ? 0 : bytes->len);
        g_assert_cmpuint (code, ==, size > 125 ? 1002 : 0);
      }
}

static void
test_many_messages (void)
{
  VtFrameLimits limits = { .max_message = 1000, .max_control_rate = 1 };
  g_autoptr(VtFrameGuard) guard = vt_frame_guard_new (&limits);
  g_autoptr(GByteArray) bytes = g_byte_array_new ();
  unsigned int code = 0;

  for (unsigned int i = 0; i < 5000; i++)
    add_frame (bytes, FIN | TEXT, 0, TRUE, 5);
  g_assert_cmpuint (inspect (guard, bytes, 0, &code), ==, bytes->len);
  g_assert_cmpuint (code, ==, 0);
}

/* After these frames, is the next one simply the next message? */
static void
test_intricate (void)
{
  static const struct {
    uint8_t frames[5];
    gboolean intricate;
  } cases[] = {
    { { FIN | BINARY, FIN | TEXT, FIN | VT_FRAME_PING }, FALSE },
    { { BINARY }, TRUE },
    { { BINARY, FIN | VT_FRAME_PING }, TRUE },
    { { BINARY, FIN | BINARY }, TRUE },
    { { TEXT, FIN }, FALSE },
    { { TEXT, FIN | BINARY, FIN }, TRUE },
    { { TEXT, FIN | BINARY, FIN, FIN | BINARY }, TRUE },
    { { FIN | VT_FRAME_CLOSE }, TRUE },
    { { FIN | VT_FRAME_CLOSE, FIN | BINARY }, TRUE },
  };

  for (size_t i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr(VtFrameGuard) guard = vt_frame_guard_new (&wide);
      g_autoptr(GByteArray) bytes = g_byte_array_new ();
      unsigned int code = 0;

      for (const uint8_t *first = cases[i].frames; *first != 0; first++)
        add_frame (bytes, *first, 0, TRUE, 5);
      g_assert_cmpuint (inspect (guard, bytes, 0, &code), ==, bytes->len);
      g_assert_cmpint (vt_frame_guard_is_intricate (guard), ==, cases[i].intricate);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/frame-guard/walk/forms", test_forms);
  g_test_add_func ("/frame-guard/walk/byte-by-byte", test_byte_by_byte);
  g_test_add_func ("/frame-guard/control/goodbye-of-a-proxy", test_goodbye_of_a_proxy);
  g_test_add_func ("/frame-guard/message/total", test_total);
  g_test_add_func ("/frame-guard/message/huge", test_huge);
  g_test_add_func ("/frame-guard/message/fragments", test_fragments);
  g_test_add_func ("/frame-guard/message/go-fragments", test_go_fragments);
  g_test_add_func ("/frame-guard/message/many", test_many_messages);
  g_test_add_func ("/frame-guard/intricate", test_intricate);
  g_test_add_func ("/frame-guard/control/rate", test_control_rate);
  g_test_add_func ("/frame-guard/control/size", test_control_size);
  return g_test_run ();
}
