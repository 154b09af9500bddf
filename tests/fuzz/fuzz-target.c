/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include <string.h>

#include "fuzz.h"
#include "vt-error.h"
#include "vt-forward-private.h"
#include "vt-target-private.h"

/* What people write as a target or a forward: what is taken is written in a form that is read
 * again as the same. */

static void
check_target (const char *text)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(VtTarget) target = vt_target_parse (text, &error);
  g_autoptr(VtTarget) again = NULL;
  g_autoptr(GSocketConnectable) connectable = NULL;
  g_autofree char *written = NULL;
  g_autofree char *rewritten = NULL;

  if (target == NULL)
    {
      g_assert_error (error, VT_ERROR, VT_ERROR_INVALID_ARGUMENT);
      g_assert_true (g_utf8_validate (error->message, -1, NULL));
      return;
    }
  written = vt_target_to_string (target);
  again = vt_target_parse (written, &error);
  g_assert_no_error (error);
  rewritten = vt_target_to_string (again);
  g_assert_cmpstr (written, ==, rewritten);
  g_assert_cmpint (vt_target_get_kind (target), ==, vt_target_get_kind (again));
  g_assert_cmpstr (vt_target_get_host (target), ==, vt_target_get_host (again));
  g_assert_cmpstr (vt_target_get_path (target), ==, vt_target_get_path (again));
  g_assert_cmpuint (vt_target_get_port (target), ==, vt_target_get_port (again));
  connectable = vt_target_get_connectable (target);
  g_assert_nonnull (connectable);
}

static void
check_forward (VtForward *forward)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *written = vt_forward_to_string (forward);
  g_autofree char *rewritten = NULL;
  g_autoptr(GPtrArray) again = vt_forward_parse (written, &error);
  VtForward *first = NULL;

  g_assert_no_error (error);
  g_assert_cmpuint (again->len, ==, 1);
  first = again->pdata[0];
  rewritten = vt_forward_to_string (first);
  g_assert_cmpstr (written, ==, rewritten);
  g_assert_cmpuint (vt_forward_get_listen_port (forward), ==, vt_forward_get_listen_port (first));
  g_assert_cmpint (vt_forward_get_host_header_mode (forward), ==,
                   vt_forward_get_host_header_mode (first));
  g_assert_cmpuint (vt_forward_get_proxy_protocol (forward), ==,
                    vt_forward_get_proxy_protocol (first));
  g_assert_cmpuint (vt_forward_get_forwarded_headers (forward), ==,
                    vt_forward_get_forwarded_headers (first));
  g_assert_cmpint (vt_forward_get_http (forward), ==, vt_forward_get_http (first));
  g_assert_cmpuint (vt_forward_get_health_interval (forward), ==,
                    vt_forward_get_health_interval (first));
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autofree char *text = g_strndup ((const char *) data, size);
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) forwards = NULL;

  check_target (text);
  forwards = vt_forward_parse (text, &error);
  if (forwards == NULL)
    {
      g_assert_error (error, VT_ERROR, VT_ERROR_INVALID_ARGUMENT);
      g_assert_true (g_utf8_validate (error->message, -1, NULL));
      return 0;
    }
  g_assert_cmpuint (forwards->len, >=, 1);
  g_assert_cmpuint (forwards->len, <=, 1024);
  check_forward (forwards->pdata[0]);
  check_forward (forwards->pdata[forwards->len - 1]);
  return 0;
}
