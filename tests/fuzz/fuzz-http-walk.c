/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include <string.h>

#include "fuzz.h"
#include "vt-host-name-private.h"
#include "vt-http-fields-private.h"
#include "vt-http-request-private.h"
#include "vt-http-response-private.h"

/* Requests and answers of HTTP/1.x that pass by: how they are cut makes no difference to what
 * passes of an answer and where it ends, and what is taken for a request has one host. */

#define MAX_BYTES (80 * 1024)

typedef struct {
  GByteArray *passed; /* owned */
  gboolean broken;
  gboolean done;
  gboolean until_end;
  gboolean switched;
} Walk;

static void
pass (Walk *walk, VtHttpResponse *response, const uint8_t *data, size_t length)
{
  size_t taken;

  while (length > 0 && !response->done && !walk->broken)
    {
      switch (vt_http_response_walk (response, data, length, &taken))
        {
        case VT_HTTP_RESPONSE_PASS:
          g_byte_array_append (walk->passed, data, (unsigned int) taken);
          break;
        case VT_HTTP_RESPONSE_HELD:
          g_byte_array_append (walk->passed, response->held->data, response->held->len);
          g_clear_pointer (&response->held, g_byte_array_unref);
          break;
        case VT_HTTP_RESPONSE_HOLD:
          break;
        case VT_HTTP_RESPONSE_BROKEN:
        default:
          walk->broken = TRUE;
          return;
        }
      g_assert_true (taken >= 1 && taken <= length);
      data += taken;
      length -= taken;
    }
}

static void
walk_all (Walk *walk, GBytes *input, uint8_t flags, uint8_t kind)
{
  VtHttpResponse response = { 0 };
  size_t length;
  const uint8_t *data = g_bytes_get_data (input, &length);
  FuzzCuts cuts;

  walk->passed = g_byte_array_new ();
  vt_http_response_begin (&response, flags & 1, (flags & 2) != 0);
  fuzz_cuts_init (&cuts, kind);
  while (length > 0)
    {
      size_t size = fuzz_cuts_next (&cuts, length);
      g_autofree uint8_t *piece = g_memdup2 (data, size);

      pass (walk, &response, piece, size);
      data += size;
      length -= size;
    }
  walk->done = response.done;
  walk->until_end = response.until_end;
  walk->switched = response.switched;
  vt_http_response_clear (&response);
}

static void
check_response (GBytes *input, uint8_t flags, uint8_t kind)
{
  Walk whole = { 0 }, cut = { 0 };

  walk_all (&whole, input, flags, 0);
  walk_all (&cut, input, flags, kind);
  g_assert_cmpint (whole.broken, ==, cut.broken);
  g_assert_cmpint (whole.done, ==, cut.done);
  g_assert_cmpint (whole.until_end, ==, cut.until_end);
  g_assert_cmpint (whole.switched, ==, cut.switched);
  if (!whole.broken)
    g_assert_cmpmem (whole.passed->data, whole.passed->len, cut.passed->data, cut.passed->len);
  g_assert_cmpmem (g_bytes_get_data (input, NULL), whole.passed->len, whole.passed->data,
                   whole.passed->len);
  g_byte_array_unref (whole.passed);
  g_byte_array_unref (cut.passed);
}

static void
check_request (GBytes *input)
{
  g_auto(VtHttpRequest) request = { 0 };
  size_t length;
  const uint8_t *data = g_bytes_get_data (input, &length);
  size_t seen = 0;
  size_t end = length > 0 ? vt_http_head_find_end (data, length, &seen) : 0;
  g_autofree uint8_t *head = g_memdup2 (data, end);
  g_autofree char *again = NULL;

  if (end == 0)
    return;
  vt_http_request_parse (&request, head, end);
  g_assert_true ((request.status == 0) == (request.host != NULL));
  if (request.host == NULL)
    return;
  g_assert_null (memchr (head, '\0', end));
  g_assert_true (!request.body.chunked || request.body.length == 0);
  if (strchr (request.host, ':') != NULL)
    return;
  again = vt_host_name_from_authority (request.host, strlen (request.host));
  /* A dot at the end that is left of two is taken away, too. */
  g_assert_nonnull (again);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  FuzzInput input = { data, size };
  uint8_t flags = fuzz_take_byte (&input);
  uint8_t kind = fuzz_take_byte (&input);
  g_autoptr(GBytes) bytes = fuzz_take_bytes (&input, MAX_BYTES);

  check_request (bytes);
  check_response (bytes, flags, kind);
  return 0;
}
