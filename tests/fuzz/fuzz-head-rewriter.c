/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include <string.h>

#include "fuzz.h"
#include "vt-head-rewriter-private.h"

/* The heads of requests: how the input is cut makes no difference; a second Host is as good as if it
 * had been the only one, and where no host is named nothing changes at all. Where the user is told
 * of, it is the last word on that in every head. The first byte says how the input is cut. */

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

#define USER "192.0.2.77"

/* NULL if the connection is broken. */
static GBytes *
forward (GBytes *input, VtForwardedHeaders headers, uint8_t kind)
{
  g_autoptr(GSocketAddress) user = g_inet_socket_address_new_from_string (USER, 1);
  g_autoptr(VtHeadRewriter) rewriter =
      vt_head_rewriter_new (vt_head_changes_new (NULL, headers, user));
  g_autoptr(GByteArray) output = g_byte_array_new ();
  gboolean good = TRUE;
  size_t length;
  const uint8_t *data = g_bytes_get_data (input, &length);
  FuzzCuts cuts;

  fuzz_cuts_init (&cuts, kind);
  while (length > 0)
    {
      size_t size = fuzz_cuts_next (&cuts, length);
      g_autofree uint8_t *piece = g_memdup2 (data, size);

      good = vt_head_rewriter_push (rewriter, piece, size, output);
      data += size;
      length -= size;
    }
  vt_head_rewriter_flush (rewriter, output);
  return good ? g_byte_array_free_to_bytes (g_steal_pointer (&output)) : NULL;
}

static gboolean
ends_line (const char *line, const char *suffix)
{
  size_t length = strcspn (line, "\r\n");

  return length >= strlen (suffix)
         && strncmp (line + length - strlen (suffix), suffix, strlen (suffix)) == 0;
}

/* Of the first head, if one came to its end. */
static void
check_head (GBytes *output)
{
  size_t length;
  const char *data = g_bytes_get_data (output, &length);
  g_autofree char *text = length > 0 ? g_strndup (data, length) : g_strdup ("");
  const char *line = text + strspn (text, "\r\n");
  unsigned int n = 0;

  if (line[0] == '\0')
    return;
  while ((line = strchr (line, '\n')) != NULL && line[1] != '\r' && line[1] != '\n')
    {
      line++;
      g_assert_true (g_ascii_strncasecmp (line, "X_Forwarded_For:", 16) != 0);
      if (g_ascii_strncasecmp (line, "X-Forwarded-For:", 16) != 0)
        continue;
      g_assert_true (ends_line (line, USER));
      n++;
    }
  g_assert_cmpuint (n, ==, 1);
}

static void
expect_same (GBytes *a, GBytes *b)
{
  g_assert_true ((a == NULL) == (b == NULL));
  if (a != NULL)
    g_assert_true (g_bytes_equal (a, b));
}

static void
check_forwarded (GBytes *input, uint8_t kind)
{
  const VtForwardedHeaders both = VT_FORWARDED_HEADERS_X_FORWARDED | VT_FORWARDED_HEADERS_FORWARDED;
  g_autoptr(GBytes) whole = forward (input, both, 0);
  g_autoptr(GBytes) cut = forward (input, both, kind);

  expect_same (whole, cut);
  if (whole != NULL)
    check_head (whole);
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
  check_forwarded (bytes, kind);
  if (!names_host (bytes))
    expect_equal (whole, bytes);
  if (g_bytes_get_size (other) <= MAX_BYTES)
    {
      twice = rewrite (whole, "other.example:8080", kind);
      expect_equal (twice, other);
    }
  return 0;
}
