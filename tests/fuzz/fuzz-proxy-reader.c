/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "fuzz.h"
#include "vt-proxy-header-private.h"
#include "vt-proxy-reader-private.h"

/* A header of the PROXY protocol that somebody sent: what is a header is one whatever follows it,
 * and none of what is shorter is; what is none stays none with more. What was read says the same
 * when it is written again. */

static VtProxyReaderResult
read_some (GBytes *bytes, size_t length, VtProxySource *source)
{
  g_autofree uint8_t *copy = g_memdup2 (g_bytes_get_data (bytes, NULL), length);

  return vt_proxy_reader_read (copy, length, source);
}

static void
check_same (GSocketAddress *one, GSocketAddress *other)
{
  g_autofree char *text = g_socket_connectable_to_string (G_SOCKET_CONNECTABLE (one));
  g_autofree char *again = g_socket_connectable_to_string (G_SOCKET_CONNECTABLE (other));

  g_assert_cmpstr (text, ==, again);
}

static void
check_again (const VtProxySource *source, unsigned int version)
{
  g_autoptr(GBytes) header = vt_proxy_header_new (version, source->source, source->destination);
  g_auto(VtProxySource) again = { 0 };

  g_assert_cmpint (read_some (header, g_bytes_get_size (header), &again), ==, VT_PROXY_READER_DONE);
  g_assert_cmpuint (again.length, ==, g_bytes_get_size (header));
  /* A mapped address beside one that is not has no header that says both. */
  if (again.source == NULL)
    return;
  check_same (source->source, again.source);
  check_same (source->destination, again.destination);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  FuzzInput input = { data, size };
  g_autoptr(GBytes) bytes = fuzz_take_rest (&input);
  g_auto(VtProxySource) source = { 0 };
  VtProxyReaderResult result = read_some (bytes, size, &source);
  size_t n_decided = result == VT_PROXY_READER_DONE ? source.length : size;

  g_assert_cmpuint (n_decided, <=, size);
  g_assert_true (result != VT_PROXY_READER_MORE || size < VT_PROXY_READER_MAX_BYTES);
  g_assert_cmpuint (source.length, <=, VT_PROXY_READER_MAX_BYTES);
  for (size_t n = 0; n < n_decided; n++)
    {
      g_auto(VtProxySource) shorter = { 0 };
      VtProxyReaderResult early = read_some (bytes, n, &shorter);

      g_assert_cmpint (early, !=, VT_PROXY_READER_DONE);
      g_assert_true (early == VT_PROXY_READER_MORE || result == VT_PROXY_READER_BAD);
    }
  if (source.source != NULL)
    {
      check_again (&source, 1);
      check_again (&source, 2);
    }
  return 0;
}
