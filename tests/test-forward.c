/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-enum-types.h"
#include "vt-error.h"
#include "vt-forward-private.h"

typedef struct {
  const char *text;
  /* What each of the forwards is written as, separated by spaces; NULL: as `text`. */
  const char *written;
} GoodSpec;

static const GoodSpec good_specs[] = {
  { "9000=localhost:3000" },
  { "9000=3000", "9000=localhost:3000" },
  { "0=localhost:3000" },
  { "65535=localhost:3000" },
  { "127.0.0.1:9000=localhost:3000" },
  { "[::1]:9000=localhost:3000" },
  { "localhost:9000=localhost:3000" },
  { "*:9000=[::1]:3000" },
  { "9000=tls://example.com:443" },
  { "9000=unix:/run/app.sock" },
  { "9000=unix:@app" },
  { "9000=unix:/run/a=b:c d-1" },
  { "9000=unix:/run/a\\,b\\\\c,proxy-protocol=1" },
  { "9000=unix:/run/a\\b", "9000=unix:/run/a\\\\b" },
  { "9000=unix:/run/1-2" },
  { "9000=unix:/run/a:1-2" },
  { "9000=my-host-1:3000" },
  { "9000-9002=localhost:3000-3002",
    "9000=localhost:3000 9001=localhost:3001 9002=localhost:3002" },
  { "9000-9001=3000-3001", "9000=localhost:3000 9001=localhost:3001" },
  { "65534-65535=tls://[::1]:65534-65535", "65534=tls://[::1]:65534 65535=tls://[::1]:65535" },
  { "[::1]:9000-9001=unix:/run/app.sock",
    "[::1]:9000=unix:/run/app.sock [::1]:9001=unix:/run/app.sock" },
  { "9000-9001=3000", "9000=localhost:3000 9001=localhost:3000" },
  { "9000-9000=3000-3000", "9000=localhost:3000" },
  { "9000=3000-3000", "9000=localhost:3000" },
  { "9000=localhost:3000,proxy-protocol=1" },
  { "9000=localhost:3000,host-header=keep,proxy-protocol=2" },
  { "9000=localhost:3000,proxy-protocol=2,host-header=keep",
    "9000=localhost:3000,host-header=keep,proxy-protocol=2" },
  { "9000=localhost:3000,host-header=auto", "9000=localhost:3000" },
  { "9000=localhost:3000,host-header=example.com:8080" },
  { "9000=localhost:3000,host-header=[::1]:8080" },
  { "9000=localhost:3000,host-header=KEEP" },
  { "app.example.com=localhost:3000" },
  { "App.Example.com.=3000,host-header=keep", "app.example.com=localhost:3000,host-header=keep" },
  { "*.dev.example.com,dev.example.com=tls://a.example:443" },
  { "b\303\274cher.example=3000", "xn--bcher-kva.example=localhost:3000" },
  { "http=localhost:3000" },
  { "1.example=localhost:3000" },
  { "9000-9001=3000-3001,host-header=a.example",
    "9000=localhost:3000,host-header=a.example 9001=localhost:3001,host-header=a.example" },
};

typedef struct {
  const char *text;
  const char *part; /* of the message, after the text in quotes */
} BadSpec;

static const BadSpec bad_specs[] = {
  { "99999=localhost:3000", "the port must be between 0 and 65535" },
  { "-1=localhost:3000", "the port must be between 0 and 65535" },
  { "+1=localhost:3000", "the port must be between 0 and 65535" },
  { " 1=localhost:3000", "the port must be between 0 and 65535" },
  { "9000a=localhost:3000", "the port must be between 0 and 65535" },
  { "9000-=localhost:3000", "the port must be between 0 and 65535" },
  { "9000-9001-9002=localhost:3000", "the port must be between 0 and 65535" },
  { "9000-65536=localhost:3000", "the port must be between 0 and 65535" },
  { "9000-70000=3000", "the port must be between 0 and 65535" },
  { "0-1=3000", "cannot begin with 0" },
  { "9001-9000=3000", "must go upwards" },
  { "9000-9001=3001-3000", "must go upwards" },
  { "1000-2024=3000", "at most 1024 ports" },
  { "9000-9002=3000-3001", "of the same length" },
  { "9000=3000-3001", "of the same length" },
  { "a.example=3000-3001", "of the same length" },
  { "a_b.example=3000", "“a_b.example” is neither a port nor a host name" },
  { "a.example,=3000", "“” is neither a port nor a host name" },
  { "a.example,9000=3000", "“9000” is neither a port nor a host name" },
  { "*.*.example=3000", "is neither a port nor a host name" },
  { "*.=3000", "is neither a port nor a host name" },
  { "127.0.0.1=3000", "the port must be between 0 and 65535" },
  { "*=3000", "the port must be between 0 and 65535" },
  { "9000-9001=0-1", "cannot begin with 0" },
  { "", "the target is missing" },
  { "9000", "the target is missing" },
  { "9000:localhost:3000", "the target is missing" },
  { "9000=", "nothing is there" },
  { "=localhost:3000", "the port to listen on is missing" },
  { "127.0.0.1:=3000", "the port to listen on is missing" },
  { ":9000=3000", "the address to listen at" },
  { "::1:9000=3000", "in brackets" },
  { "[127.0.0.1]:9000=3000", "the address to listen at" },
  { "[::1]=3000", "the port is missing" },
  { "[:9000=3000", "is not closed" },
  { "[]:9000=3000", "the address to listen at" },
  { "example.com:9000=3000", "the address to listen at" },
  { "9000=localhost", "the port is missing" },
  { "9000=localhost:0", "between 1 and 65535" },
  { "9000=http://localhost:80", "the only scheme" },
  { "9000=3000,", "“” is no option; the options are host-header=NAME" },
  { "9000=3000,proxy=1", "is no option; the options are host-header=NAME" },
  { "9000=3000,proxy-protocol", "must be 1 or 2" },
  { "9000=3000,Proxy-Protocol=1", "is no option" },
  { "9000=3000,proxy-protocol=", "must be 1 or 2" },
  { "9000=3000,proxy-protocol=3", "must be 1 or 2" },
  { "9000=3000,proxy-protocol=1,proxy-protocol=1", "there twice" },
  { "9000=3000,host-header=auto,host-header=keep", "there twice" },
  { "9000=3000,host-header=", "must be a host name, keep or auto" },
  { "9000=3000,host-header=a b", "must be a host name, keep or auto" },
  { "9000=3000,host-header=a\r\nX: y", "must be a host name, keep or auto" },
  { "9000=unix:/run/a,b", "is no option" },
  { "9000=unix:run", "must be absolute" },
};

static char *
write_all (GPtrArray *forwards)
{
  g_autoptr(GString) all = g_string_new (NULL);

  for (unsigned int i = 0; i < forwards->len; i++)
    {
      g_autofree char *text = vt_forward_to_string (g_ptr_array_index (forwards, i));

      g_string_append_printf (all, "%s%s", i > 0 ? " " : "", text);
    }
  return g_string_free (g_steal_pointer (&all), FALSE);
}

static void
test_good_specs (void)
{
  for (unsigned int i = 0; i < G_N_ELEMENTS (good_specs); i++)
    {
      const GoodSpec *good = &good_specs[i];
      g_autoptr(GError) error = NULL;
      g_autoptr(GPtrArray) forwards = vt_forward_parse (good->text, &error);
      g_autofree char *written = NULL;

      g_assert_no_error (error);
      written = write_all (forwards);
      g_assert_cmpstr (written, ==, good->written != NULL ? good->written : good->text);

      for (unsigned int j = 0; j < forwards->len; j++)
        {
          g_autofree char *once = vt_forward_to_string (g_ptr_array_index (forwards, j));
          g_autoptr(GPtrArray) again = vt_forward_parse (once, &error);
          g_autofree char *twice = NULL;

          g_assert_no_error (error);
          twice = write_all (again);
          g_assert_cmpstr (twice, ==, once);
        }
    }
}

static void
test_bad_specs (void)
{
  for (unsigned int i = 0; i < G_N_ELEMENTS (bad_specs); i++)
    {
      const BadSpec *bad = &bad_specs[i];
      g_autoptr(GError) error = NULL;

      g_assert_null (vt_forward_parse (bad->text, &error));
      g_assert_error (error, VT_ERROR, VT_ERROR_INVALID_ARGUMENT);
      g_assert_true (g_str_has_prefix (error->message, "“"));
      if (strstr (error->message, bad->part) == NULL)
        g_error ("for \"%s\", %s does not speak of \"%s\"", bad->text, error->message, bad->part);
    }
}

static void
test_message (void)
{
  g_autoptr(GError) error = NULL;

  g_assert_null (vt_forward_parse ("99999=localhost:3000", &error));
  g_assert_cmpstr (error->message, ==,
                   "“99999=localhost:3000”: the port must be between 0 and 65535");
}

static void
test_parts_of_spec (void)
{
  g_autoptr(GPtrArray) forwards =
      vt_forward_parse ("[::1]:9000=tls://a.example:443,proxy-protocol=2,host-header=b", NULL);
  VtForward *forward = g_ptr_array_index (forwards, 0);

  g_assert_cmpuint (forwards->len, ==, 1);
  g_assert_cmpstr (vt_forward_get_listen_address (forward), ==, "::1");
  g_assert_cmpuint (vt_forward_get_listen_port (forward), ==, 9000);
  g_assert_cmpstr (vt_target_get_host (vt_forward_get_target (forward)), ==, "a.example");
  g_assert_cmpuint (vt_forward_get_proxy_protocol (forward), ==, 2);
  g_assert_cmpint (vt_forward_get_host_header_mode (forward), ==, VT_HOST_HEADER_REPLACE);
  g_assert_cmpstr (vt_forward_get_host_header (forward), ==, "b");
}

/* The longest range, and what has no target. */
static void
test_edges (void)
{
  g_autoptr(GPtrArray) longest = vt_forward_parse ("1000-2023=64000-65023", NULL);
  g_autoptr(VtForward) bare = vt_forward_new (9000, NULL);
  g_autofree char *last = NULL;
  g_autofree char *left = vt_forward_to_string (bare);

  g_assert_cmpuint (longest->len, ==, 1024);
  last = vt_forward_to_string (g_ptr_array_index (longest, 1023));
  g_assert_cmpstr (last, ==, "2023=localhost:65023");
  g_assert_cmpstr (left, ==, "9000");
}

/* A host that is called as one of the option's words. */
static void
test_host_like_word (void)
{
  static const char *const words[] = { "keep", "auto" };

  for (unsigned int i = 0; i < G_N_ELEMENTS (words); i++)
    {
      g_autoptr(VtTarget) target = vt_target_parse ("3000", NULL);
      g_autoptr(VtForward) forward = vt_forward_new (9000, target);
      g_autofree char *text = NULL;
      g_autoptr(GPtrArray) again = NULL;

      vt_forward_set_host_header (forward, words[i]);
      text = vt_forward_to_string (forward);
      again = vt_forward_parse (text, NULL);
      g_assert_cmpint (vt_forward_get_host_header_mode (g_ptr_array_index (again, 0)), ==,
                       VT_HOST_HEADER_REPLACE);
    }
}

static void
test_construct (void)
{
  g_autoptr(VtTarget) target = vt_target_parse ("3000", NULL);
  g_autoptr(VtForward) forward =
      g_object_new (VT_TYPE_FORWARD, "listen-address", "127.0.0.1", "listen-port", 9000, "target",
                    target, "proxy-protocol", 1, "host-header", "a.example", "host-header-mode",
                    VT_HOST_HEADER_REPLACE, NULL);
  g_autoptr(VtTarget) got = NULL;
  g_autofree char *text = vt_forward_to_string (forward);
  VtForwardState state;
  unsigned int bound;

  g_assert_cmpstr (text, ==,
                   "127.0.0.1:9000=localhost:3000,host-header=a.example,proxy-protocol=1");
  g_object_get (forward, "target", &got, "state", &state, "bound-port", &bound, NULL);
  g_assert_true (got == target);
  g_assert_cmpint (state, ==, VT_FORWARD_STATE_IDLE);
  g_assert_cmpuint (bound, ==, 0);
}

static void
test_remote (void)
{
  g_autoptr(VtForward) forward = vt_forward_new_remote ("*", 9000);
  g_autoptr(VtForward) anywhere = vt_forward_new_remote (NULL, 0);

  g_assert_cmpstr (vt_forward_get_listen_address (forward), ==, "*");
  g_assert_cmpuint (vt_forward_get_listen_port (forward), ==, 9000);
  g_assert_null (vt_forward_get_target (forward));
  g_assert_null (vt_forward_get_listen_address (anywhere));
}

/* Such a forward has no text that could be read as one with a port. */
static void
test_no_port (void)
{
  g_autoptr(VtTarget) target = vt_target_parse ("3000", NULL);
  g_autoptr(VtForward) forward =
      g_object_new (VT_TYPE_FORWARD, "target", target, "listen-port", 9000, "listen-kind",
                    VT_LISTEN_KIND_NONE, "name", "files", NULL);
  g_autoptr(VtForward) remote = vt_forward_new_remote_without_port ("files");
  g_autoptr(VtForward) nameless = vt_forward_new_remote_without_port (NULL);
  g_autofree char *text = vt_forward_to_string (forward);
  g_autofree char *long_name = g_strnfill (256, 'x');
  g_autoptr(GError) error = NULL;

  g_assert_cmpstr (text, ==, "=localhost:3000");
  g_assert_null (vt_forward_parse (text, &error));
  g_assert_error (error, VT_ERROR, VT_ERROR_INVALID_ARGUMENT);
  g_assert_cmpstr (vt_forward_get_name (forward), ==, "files");
  g_assert_cmpint (vt_forward_get_listen_kind (remote), ==, VT_LISTEN_KIND_NONE);
  g_assert_cmpstr (vt_forward_get_name (remote), ==, "files");
  g_assert_null (vt_forward_get_name (nameless));

  g_test_expect_message ("vtunnel", G_LOG_LEVEL_CRITICAL, "*is_name*");
  vt_forward_set_name (remote, long_name);
  g_test_expect_message ("vtunnel", G_LOG_LEVEL_CRITICAL, "*is_name*");
  vt_forward_set_name (remote, "");
  g_test_assert_expected_messages ();
  g_assert_cmpstr (vt_forward_get_name (remote), ==, "files");
  long_name[255] = '\0';
  vt_forward_set_name (remote, long_name);
  g_assert_cmpstr (vt_forward_get_name (remote), ==, long_name);
}

static void
notify_cb (GObject *object, GParamSpec *pspec, GString *names)
{
  g_string_append_printf (names, "%s ", pspec->name);
}

/* What was notified since the last time. */
static void
assert_notified (GString *names, const char *expected)
{
  g_assert_cmpstr (names->str, ==, expected);
  g_string_truncate (names, 0);
}

static void
test_notify (void)
{
  g_autoptr(VtForward) forward = vt_forward_new (9000, NULL);
  g_autoptr(GString) names = g_string_new (NULL);
  g_autoptr(GError) error = g_error_new_literal (VT_ERROR, VT_ERROR_ADDRESS_IN_USE, "taken");

  g_signal_connect (forward, "notify", G_CALLBACK (notify_cb), names);

  vt_forward_set_listen_address (forward, "127.0.0.1");
  assert_notified (names, "listen-address ");
  vt_forward_set_listen_address (forward, "127.0.0.1");
  vt_forward_set_proxy_protocol (forward, 0);
  vt_forward_set_bound_port (forward, 0);
  vt_forward_set_state (forward, VT_FORWARD_STATE_IDLE, NULL);
  vt_forward_set_host_header_mode (forward, VT_HOST_HEADER_AUTO);
  assert_notified (names, "");

  vt_forward_set_listen_kind (forward, VT_LISTEN_KIND_NONE);
  vt_forward_set_listen_kind (forward, VT_LISTEN_KIND_NONE);
  assert_notified (names, "listen-kind ");
  vt_forward_set_name (forward, "a");
  vt_forward_set_name (forward, "a");
  assert_notified (names, "name ");
  vt_forward_set_proxy_protocol (forward, 2);
  assert_notified (names, "proxy-protocol ");
  vt_forward_set_bound_port (forward, 9000);
  assert_notified (names, "bound-port ");
  vt_forward_set_state (forward, VT_FORWARD_STATE_LISTENING, NULL);
  assert_notified (names, "state ");

  vt_forward_set_state (forward, VT_FORWARD_STATE_FAILED, error);
  g_assert_nonnull (strstr (names->str, "state "));
  g_assert_nonnull (strstr (names->str, "error "));
  g_string_truncate (names, 0);
  g_assert_true (vt_forward_get_error (forward) != error);
  g_assert_error (vt_forward_get_error (forward), VT_ERROR, VT_ERROR_ADDRESS_IN_USE);

  /* The same error again, as it is read from the forward. */
  vt_forward_set_state (forward, VT_FORWARD_STATE_FAILED, vt_forward_get_error (forward));
  assert_notified (names, "");
  vt_forward_set_state (forward, VT_FORWARD_STATE_FAILED, NULL);
  assert_notified (names, "error ");
  g_assert_null (vt_forward_get_error (forward));
}

static void
assert_host_header (VtForward *forward, VtHostHeaderMode mode, const char *host)
{
  g_assert_cmpint (vt_forward_get_host_header_mode (forward), ==, mode);
  g_assert_cmpstr (vt_forward_get_host_header (forward), ==, host);
}

/* The two properties never contradict each other, in whichever order they are written. */
static void
test_host_header (void)
{
  g_autoptr(VtForward) forward = vt_forward_new (9000, NULL);
  g_autoptr(VtForward) mode_first =
      g_object_new (VT_TYPE_FORWARD, "host-header-mode", VT_HOST_HEADER_REPLACE, "host-header",
                    "a.example", NULL);
  GObject *object = G_OBJECT (forward);

  assert_host_header (mode_first, VT_HOST_HEADER_REPLACE, "a.example");
  assert_host_header (forward, VT_HOST_HEADER_AUTO, NULL);
  g_object_set (object, "host-header-mode", VT_HOST_HEADER_REPLACE, NULL);
  assert_host_header (forward, VT_HOST_HEADER_AUTO, NULL);
  g_object_set (object, "host-header", "a.example", NULL);
  assert_host_header (forward, VT_HOST_HEADER_REPLACE, "a.example");
  g_object_set (object, "host-header-mode", VT_HOST_HEADER_REPLACE, NULL);
  assert_host_header (forward, VT_HOST_HEADER_REPLACE, "a.example");
  g_object_set (object, "host-header", NULL, NULL);
  assert_host_header (forward, VT_HOST_HEADER_AUTO, NULL);
  g_object_set (object, "host-header-mode", VT_HOST_HEADER_KEEP, NULL);
  assert_host_header (forward, VT_HOST_HEADER_KEEP, NULL);
  g_object_set (object, "host-header", NULL, NULL);
  assert_host_header (forward, VT_HOST_HEADER_KEEP, NULL);
  vt_forward_set_host_header (forward, "b.example:80");
  assert_host_header (forward, VT_HOST_HEADER_REPLACE, "b.example:80");
}

static void
test_hosts (void)
{
  g_autofree char *longest = g_strnfill (255, 'a');
  g_autofree char *longer = g_strnfill (256, 'a');

  g_assert_true (vt_forward_is_host ("example.com"));
  g_assert_true (vt_forward_is_host ("[::1]:80"));
  g_assert_true (vt_forward_is_host (longest));
  g_assert_false (vt_forward_is_host (longer));
  g_assert_false (vt_forward_is_host (""));
  g_assert_false (vt_forward_is_host ("a b"));
  g_assert_false (vt_forward_is_host ("a\n"));
  g_assert_false (vt_forward_is_host ("a\r\nX: y"));
  g_assert_false (vt_forward_is_host ("a/b"));
  g_assert_false (vt_forward_is_host ("a,b"));
  g_assert_false (vt_forward_is_host ("\303\274"));
}

static void
test_claim (void)
{
  g_autoptr(VtForward) forward = vt_forward_new (9000, NULL);
  int first, second;

  g_assert_true (vt_forward_claim (forward, &first));
  g_assert_true (vt_forward_claim (forward, &first));
  g_assert_false (vt_forward_claim (forward, &second));
  g_assert_true (vt_forward_claim (forward, NULL));
  g_assert_true (vt_forward_claim (forward, &second));
  g_assert_false (vt_forward_claim (forward, &first));
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/forward/spec/good", test_good_specs);
  g_test_add_func ("/forward/spec/bad", test_bad_specs);
  g_test_add_func ("/forward/spec/message", test_message);
  g_test_add_func ("/forward/spec/parts", test_parts_of_spec);
  g_test_add_func ("/forward/spec/edges", test_edges);
  g_test_add_func ("/forward/spec/host-like-word", test_host_like_word);
  g_test_add_func ("/forward/properties/construct", test_construct);
  g_test_add_func ("/forward/properties/remote", test_remote);
  g_test_add_func ("/forward/properties/no-port", test_no_port);
  g_test_add_func ("/forward/properties/notify", test_notify);
  g_test_add_func ("/forward/host-header/properties", test_host_header);
  g_test_add_func ("/forward/host-header/hosts", test_hosts);
  g_test_add_func ("/forward/claim", test_claim);
  return g_test_run ();
}
