/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include <string.h>

#include "fuzz.h"
#include "vt-client-hello-private.h"

/* What TLS begins with: what is said of the beginning of it stays true when more comes. */

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  FuzzInput input = { data, size };
  size_t shorter = fuzz_take_16 (&input);
  g_autoptr(GBytes) bytes = fuzz_take_rest (&input);
  size_t length;
  const uint8_t *hello = g_bytes_get_data (bytes, &length);
  g_autofree uint8_t *part = NULL;
  g_autofree char *name = NULL;
  g_autofree char *earlier = NULL;
  VtClientHelloStep step = vt_client_hello_read (hello, length, &name);
  VtClientHelloStep before;

  shorter = MIN (shorter, length);
  part = g_memdup2 (hello, shorter);
  before = vt_client_hello_read (part, shorter, &earlier);
  g_assert_true ((step == VT_CLIENT_HELLO_NAMED) == (name != NULL));
  g_assert_true (name == NULL || strlen (name) > 0);
  if (before == VT_CLIENT_HELLO_MORE)
    return 0;
  g_assert_cmpint (before, ==, step);
  g_assert_cmpstr (earlier, ==, name);
  return 0;
}
