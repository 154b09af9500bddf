/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include <string.h>

#include "fuzz.h"
#include "vt-head-rewriter-private.h"

/* The Host header of requests: how the input is cut makes no difference, a second rewriting is as
 * good as if it had been the only one, and where no host is named nothing changes at all. The first
 * byte says how the input is cut. */

/* No head may grow beyond what is held back. */
#define MAX_BYTES (48 * 1024)

static GBytes *
rewrite (GBytes *input, const char *host, uint8_t kind)
{
  g_autoptr(VtHeadRewriter) rewriter =
      vt_head_rewriter_new (vt_head_changes_new (host, VT_FORWARDED_HEADERS_NONE, NULL));
  GByteArray *output = g_byte_array_new ();
  size_t length;
  const uint8_t *data = g_bytes_get_data (input, &length);
  FuzzCuts cuts;

  fuzz_cuts_init (&cuts, kind);
  while (length > 0)
    {
      size_t size = fuzz_cuts_next (&cuts, length);
      g_autofree uint8_t *piece = g_memdup2 (data, size);

      vt_head_rewriter_push (rewriter, piece, size, output);
      data += size;
      length -= size;
    }
  vt_head_rewriter_flush (rewriter, output);
  return g_byte_array_free_to_bytes (output);
}

static gboolean
names_host (GBytes *input)
{
  size_t length;
  const char *data = g_bytes_get_data (input, &length);

  for (size_t i = 0; i + 4 <= length; i++)
    if (g_ascii_strncasecmp (data + i, "host", 4) == 0)
      return TRUE;
  return FALSE;
}

static void
expect_equal (GBytes *a, GBytes *b)
{
  g_assert_cmpmem (g_bytes_get_data (a, NULL), g_bytes_get_size (a), g_bytes_get_data (b, NULL),
                   g_bytes_get_size (b));
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  FuzzInput input = { data, size };
  uint8_t kind = fuzz_take_byte (&input);
  g_autoptr(GBytes) bytes = fuzz_take_bytes (&input, MAX_BYTES);
  g_autoptr(GBytes) whole = rewrite (bytes, "a.example", 0);
  g_autoptr(GBytes) cut = rewrite (bytes, "a.example", kind);
  g_autoptr(GBytes) other = rewrite (bytes, "other.example:8080", 0);
  g_autoptr(GBytes) twice = NULL;

  expect_equal (whole, cut);
  if (!names_host (bytes))
    expect_equal (whole, bytes);
  if (g_bytes_get_size (other) <= MAX_BYTES)
    {
      twice = rewrite (whole, "other.example:8080", kind);
      expect_equal (twice, other);
    }
  return 0;
}
