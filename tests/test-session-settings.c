/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vts-error.h"
#include "vts-settings.h"

#include <string.h>

static void
free_forward (void *forward)
{
  vts_forward_free (forward);
}

static VtsForward *
new_forward (const char *listen, const char *target)
{
  g_autoptr(GError) error = NULL;
  VtsForward *forward = vts_forward_new (listen, target, NULL, &error);

  g_assert_no_error (error);
  return forward;
}

static void
test_forwards_are_normal (void)
{
  static const char *const cases[][4] = {
    { "9000", "localhost:3000", "9000", "localhost:3000" },
    { "0", "3000", "0", "localhost:3000" },
    { "127.0.0.1:9000", "unix:/run/app.sock", "127.0.0.1:9000", "unix:/run/app.sock" },
    { "[::1]:9000", "tls://example.org:443", "[::1]:9000", "tls://example.org:443" },
    { "App.example.org", "3000", "app.example.org", "localhost:3000" },
    { "*.a-b.example.org,a.example", "3000", "*.a-b.example.org,a.example", "localhost:3000" },
    { "*:9000", "unix:/run/a,proxy-protocol=2", "*:9000", "unix:/run/a,proxy-protocol=2" },
  };

  for (size_t i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr(VtsForward) forward = new_forward (cases[i][0], cases[i][1]);
      g_autoptr(VtForward) made = vts_forward_make (forward);
      g_autofree char *target = vt_target_to_string (vt_forward_get_target (made));
      g_autofree char *written = vt_forward_to_string (made);

      g_assert_true (g_str_has_prefix (written, cases[i][2]));
      g_assert_cmpstr (forward->listen, ==, cases[i][2]);
      g_assert_cmpstr (forward->target, ==, cases[i][3]);
      g_assert_cmpstr (target, ==, cases[i][3]);
      g_assert_cmpuint (vt_forward_get_proxy_protocol (made), ==, 0);
      g_assert_cmpint (vt_forward_get_host_header_mode (made), ==, VT_HOST_HEADER_AUTO);
    }
}

static void
test_forwards_take_options (void)
{
  const VtsForwardOptions options = { "example.org", 2, "both", TRUE, 30 };
  g_autoptr(GError) error = NULL;
  g_autoptr(VtsForward) forward = vts_forward_new ("127.0.0.1:1", "localhost:2", &options, &error);
  g_autoptr(VtForward) made = NULL;

  g_assert_no_error (error);
  made = vts_forward_make (forward);
  g_assert_cmpstr (vt_forward_get_listen_address (made), ==, "127.0.0.1");
  g_assert_cmpuint (vt_forward_get_listen_port (made), ==, 1);
  g_assert_cmpstr (vt_forward_get_host_header (made), ==, "example.org");
  g_assert_cmpuint (vt_forward_get_proxy_protocol (made), ==, 2);
  g_assert_cmpuint (vt_forward_get_forwarded_headers (made), ==,
                    VT_FORWARDED_HEADERS_X_FORWARDED | VT_FORWARDED_HEADERS_FORWARDED);
  g_assert_true (vt_forward_get_http (made));
  g_assert_cmpuint (vt_forward_get_health_interval (made), ==, 30);
}

static void
test_nothing_is_smuggled (void)
{
  static const char *const listens[] = {
    "",
    "9000=localhost:1",
    "9000=1,proxy-protocol=2",
    "9000-9009",
    "example.org,9000",
    "example.org,",
    "*.*.example.org",
    "9000,host-header=x",
    "70000",
    "example.org:9000",
    " 9000",
    "9000\n",
    "9000=",
    "\xff:9000",
    "::1:9000",
  };
  static const char *const targets[] = { "",       "localhost",  "localhost:1,proxy-protocol=2",
                                         ":1",     "1-2",        "localhost:1\nx",
                                         "\xff:1", "unix:run/x", "tls://a" };
  static const VtsForwardOptions wrong[] = {
    { .proxy_protocol = 3 },    { .forwarded = "" },       { .forwarded = "both,http" },
    { .forwarded = "neither" }, { .forwarded = "both\n" }, { .health = 86401 },
  };
  static const char *const hosts[] = { "", "a b", "a,proxy-protocol=2", "a\r\nX: y", "é", "a/b" };

  for (size_t i = 0; i < G_N_ELEMENTS (listens); i++)
    g_assert_null (vts_forward_new (listens[i], "localhost:1", NULL, NULL));
  for (size_t i = 0; i < G_N_ELEMENTS (targets); i++)
    {
      g_autoptr(GError) error = NULL;

      g_assert_null (vts_forward_new ("1", targets[i], NULL, &error));
      g_assert_error (error, VTUNNEL_SESSION_ERROR, VTUNNEL_SESSION_ERROR_INVALID_ARGUMENT);
    }
  for (size_t i = 0; i < G_N_ELEMENTS (hosts); i++)
    g_assert_null (vts_forward_new ("1", "localhost:1",
                                    &(VtsForwardOptions){ .host_header = hosts[i] }, NULL));
  for (size_t i = 0; i < G_N_ELEMENTS (wrong); i++)
    g_assert_null (vts_forward_new ("1", "localhost:1", &wrong[i], NULL));
}

static void
test_forwards_are_bounded (void)
{
  g_autofree char *text = g_strnfill (1024 * 1024, '1');

  g_assert_null (vts_forward_new (text, "localhost:1", NULL, NULL));
  g_assert_null (vts_forward_new ("1", text, NULL, NULL));
  g_assert_null (
      vts_forward_new ("1", "localhost:1", &(VtsForwardOptions){ .host_header = text }, NULL));
}

static void
test_uris (void)
{
  static const char *const good[] = { "ws://localhost:3001/", "wss://example.org/tunnel?team=blue",
                                      "https://example.org", "http://[::1]:80/" };
  static const char *const bad[] = {
    "",          "example.org",       "ftp://example.org/", "ws://",
    "wss:///x",  "wss://me:pw@host/", "wss://token@host/",  "ws://\xff/",
    "ws://a b/", "file:///etc/passwd"
  };
  g_autofree char *filler = g_strnfill (VTS_MAX_URI, 'a');
  g_autofree char *huge = g_strconcat ("ws://host/", filler, NULL);

  for (size_t i = 0; i < G_N_ELEMENTS (good); i++)
    {
      g_autoptr(VtsSettings) settings = vts_settings_new (good[i], NULL);

      g_assert_nonnull (settings);
    }
  for (size_t i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr(GError) error = NULL;
      g_autofree char *escaped = g_strescape (bad[i], NULL);

      g_test_message ("%s", escaped);
      g_assert_null (vts_settings_new (bad[i], &error));
      g_assert_error (error, VTUNNEL_SESSION_ERROR, VTUNNEL_SESSION_ERROR_INVALID_ARGUMENT);
    }
  g_assert_null (vts_settings_new (huge, NULL));
}

static void
test_names (void)
{
  g_autoptr(VtsSettings) settings = vts_settings_new ("ws://localhost/", NULL);
  g_autofree char *huge = g_strnfill (VTS_MAX_NAME + 1, 'a');

  g_assert_true (vts_settings_set_name (settings, " Büro ", NULL));
  g_assert_cmpstr (settings->name, ==, "Büro");
  g_assert_false (vts_settings_set_name (settings, "two\nlines", NULL));
  g_assert_false (vts_settings_set_name (settings, "\xff", NULL));
  g_assert_false (vts_settings_set_name (settings, "turned \xe2\x80\xae round", NULL));
  g_assert_false (vts_settings_set_name (settings, huge, NULL));
  g_assert_cmpstr (settings->name, ==, "Büro");
}

static void
test_too_many_forwards (void)
{
  g_autoptr(VtsSettings) settings = vts_settings_new ("ws://localhost/", NULL);
  g_autoptr(GPtrArray) forwards = g_ptr_array_new_with_free_func (free_forward);
  g_autoptr(GError) error = NULL;

  for (unsigned int i = 0; i < VTS_MAX_FORWARDS; i++)
    g_ptr_array_add (forwards, new_forward ("0", "localhost:1"));
  g_assert_true (vts_settings_set_forwards (settings, forwards, NULL));
  g_ptr_array_add (forwards, new_forward ("0", "localhost:1"));
  g_assert_false (vts_settings_set_forwards (settings, forwards, &error));
  g_assert_error (error, VTUNNEL_SESSION_ERROR, VTUNNEL_SESSION_ERROR_LIMIT);
  g_assert_cmpuint (settings->forwards->len, ==, VTS_MAX_FORWARDS);
}

static void
test_one_port_twice (void)
{
  g_autoptr(VtsSettings) settings = vts_settings_new ("ws://localhost/", NULL);
  g_autoptr(GPtrArray) forwards = g_ptr_array_new_with_free_func (free_forward);

  g_ptr_array_add (forwards, new_forward ("9000", "localhost:1"));
  g_ptr_array_add (forwards, new_forward ("127.0.0.1:9000", "localhost:1"));
  g_assert_true (vts_settings_set_forwards (settings, forwards, NULL));
  g_ptr_array_add (forwards, new_forward ("9000", "localhost:2"));
  g_assert_false (vts_settings_set_forwards (settings, forwards, NULL));
}

static void
test_copies_are_equal (void)
{
  g_autoptr(VtsSettings) settings = vts_settings_new ("ws://localhost/", NULL);
  g_autoptr(GPtrArray) forwards = g_ptr_array_new_with_free_func (free_forward);
  g_autoptr(VtsSettings) copy = NULL;

  g_ptr_array_add (forwards, new_forward ("9000", "localhost:1"));
  g_assert_true (vts_settings_set_forwards (settings, forwards, NULL));
  copy = vts_settings_copy (settings);
  g_assert_true (vts_settings_equal (settings, copy));
  copy->autoconnect = TRUE;
  g_assert_false (vts_settings_equal (settings, copy));
  copy->autoconnect = FALSE;
  g_assert_true (vts_settings_set_name (copy, "another", NULL));
  g_assert_false (vts_settings_equal (settings, copy));
  g_assert_true (vts_settings_set_name (copy, "", NULL));
  g_ptr_array_set_size (forwards, 0);
  g_assert_true (vts_settings_set_forwards (copy, forwards, NULL));
  g_assert_false (vts_settings_equal (settings, copy));
}

static void
test_tokens (void)
{
  g_autofree char *huge = g_strnfill (VTS_MAX_TOKEN + 1, 'a');

  g_assert_true (vts_settings_check_token ("aB3-._~+/=", NULL));
  g_assert_false (vts_settings_check_token ("two words", NULL));
  g_assert_false (vts_settings_check_token ("a\r\nX: y", NULL));
  g_assert_false (vts_settings_check_token ("é", NULL));
  g_assert_false (vts_settings_check_token (huge, NULL));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/session-settings/forwards/normal", test_forwards_are_normal);
  g_test_add_func ("/session-settings/forwards/options", test_forwards_take_options);
  g_test_add_func ("/session-settings/forwards/smuggled", test_nothing_is_smuggled);
  g_test_add_func ("/session-settings/forwards/bounded", test_forwards_are_bounded);
  g_test_add_func ("/session-settings/forwards/too-many", test_too_many_forwards);
  g_test_add_func ("/session-settings/forwards/one-port-twice", test_one_port_twice);
  g_test_add_func ("/session-settings/uris", test_uris);
  g_test_add_func ("/session-settings/names", test_names);
  g_test_add_func ("/session-settings/copies", test_copies_are_equal);
  g_test_add_func ("/session-settings/tokens", test_tokens);
  return g_test_run ();
}
