/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include <gio/gunixsocketaddress.h>

#include "vt-error.h"
#include "vt-target-private.h"

typedef struct {
  const char *text;
  VtTargetKind kind;
  const char *name; /* the host, or the path */
  guint16 port;
  const char *written; /* NULL: as `text` */
} GoodTarget;

static const GoodTarget good_targets[] = {
  { "localhost:3000", VT_TARGET_TCP, "localhost", 3000 },
  { "3000", VT_TARGET_TCP, "localhost", 3000, "localhost:3000" },
  { "0080", VT_TARGET_TCP, "localhost", 80, "localhost:80" },
  { "1", VT_TARGET_TCP, "localhost", 1, "localhost:1" },
  { "65535", VT_TARGET_TCP, "localhost", 65535, "localhost:65535" },
  { "192.0.2.1:22", VT_TARGET_TCP, "192.0.2.1", 22 },
  { "[::1]:80", VT_TARGET_TCP, "::1", 80 },
  { "[::ffff:192.0.2.1]:80", VT_TARGET_TCP, "::ffff:192.0.2.1", 80 },
  { "[fe80::1%eth0.7]:80", VT_TARGET_TCP, "fe80::1%eth0.7", 80 },
  { "my_db-1.internal:5432", VT_TARGET_TCP, "my_db-1.internal", 5432 },
  { "example.com.:80", VT_TARGET_TCP, "example.com.", 80 },
  { "3com.example:80", VT_TARGET_TCP, "3com.example", 80 },
  { "b\303\274cher.example:80", VT_TARGET_TCP, "xn--bcher-kva.example", 80,
    "xn--bcher-kva.example:80" },
  { "tls://example.com:443", VT_TARGET_TLS, "example.com", 443 },
  { "tls://[2001:db8::1]:8443", VT_TARGET_TLS, "2001:db8::1", 8443 },
  { "unix:/run/app.sock", VT_TARGET_UNIX, "/run/app.sock" },
  { "unix:/run/with space, comma:and=more", VT_TARGET_UNIX, "/run/with space, comma:and=more" },
  { "unix:@app", VT_TARGET_UNIX, "@app" },
  { "Unix:/Run", VT_TARGET_UNIX, "/Run", .written = "unix:/Run" },
  { "TLS://a:1", VT_TARGET_TLS, "a", 1, "tls://a:1" },
};

typedef struct {
  const char *text;
  const char *part; /* of the message */
} BadTarget;

static const BadTarget bad_targets[] = {
  { "", "nothing is there" },
  { "0", "between 1 and 65535" },
  { "65536", "between 1 and 65535" },
  { "18446744073709551617", "between 1 and 65535" },
  { "localhost", "the port is missing" },
  { "[::1]", "the port is missing" },
  { "tls://example.com", "the port is missing" },
  { "tls://", "the port is missing" },
  { "localhost:", "between 1 and 65535" },
  { "localhost:0", "between 1 and 65535" },
  { "localhost:65536", "between 1 and 65535" },
  { "localhost:+80", "between 1 and 65535" },
  { "localhost:-80", "between 1 and 65535" },
  { "localhost:0x50", "between 1 and 65535" },
  { "localhost:80/", "between 1 and 65535" },
  { "tls://example.com:443/", "between 1 and 65535" },
  { ":80", "the host is missing" },
  { "tls://:443", "the host is missing" },
  { "::1", "in brackets" },
  { "::1:80", "in brackets" },
  { "a:b:80", "in brackets" },
  { "[]:80", "neither a name nor an address" },
  { "[::1:80", "is not closed" },
  { "[192.0.2.1]:80", "neither a name nor an address" },
  { "[fe80::1%]:80", "neither a name nor an address" },
  { "[fe80::1%a/b]:80", "neither a name nor an address" },
  { "::1]:80", "in brackets" },
  { "192.0.2.256:80", "neither a name nor an address" },
  { "127.1:80", "neither a name nor an address" },
  { "example..com:80", "neither a name nor an address" },
  { ".:80", "neither a name nor an address" },
  { "example-.com:80", "neither a name nor an address" },
  { "-example.com:80", "neither a name nor an address" },
  { "user@example.com:80", "neither a name nor an address" },
  { "\343\200\200:80", "neither a name nor an address" },
  { " localhost:80", "a space" },
  { "localhost :80", "a space" },
  { "localhost:80\n", "not plain text" },
  { "local\thost:80", "not plain text" },
  { "localhost\177:80", "not plain text" },
  { "b\374cher:80", "not plain text" },
  { "http://example.com:80", "the only scheme" },
  { "unix:", "must be absolute" },
  { "unix:/", "must be absolute" },
  { "unix:@", "must be absolute" },
  { "unix:app.sock", "must be absolute" },
  { "uniX:93", "must be absolute" },
  { "unix:/run/\n", "not plain text" },
};

static void
test_good (void)
{
  for (unsigned int i = 0; i < G_N_ELEMENTS (good_targets); i++)
    {
      const GoodTarget *good = &good_targets[i];
      g_autoptr(GError) error = NULL;
      g_autoptr(VtTarget) target = vt_target_parse (good->text, &error);
      g_autoptr(VtTarget) again = NULL;
      g_autofree char *written = NULL;
      g_autofree char *twice = NULL;
      gboolean is_unix = good->kind == VT_TARGET_UNIX;

      g_assert_no_error (error);
      g_assert_cmpint (vt_target_get_kind (target), ==, good->kind);
      g_assert_cmpstr (vt_target_get_host (target), ==, is_unix ? NULL : good->name);
      g_assert_cmpstr (vt_target_get_path (target), ==, is_unix ? good->name : NULL);
      g_assert_cmpuint (vt_target_get_port (target), ==, good->port);

      written = vt_target_to_string (target);
      g_assert_cmpstr (written, ==, good->written != NULL ? good->written : good->text);
      again = vt_target_parse (written, &error);
      g_assert_no_error (error);
      twice = vt_target_to_string (again);
      g_assert_cmpstr (twice, ==, written);
    }
}

static void
assert_bad (const char *text, const char *part)
{
  g_autoptr(GError) error = NULL;

  g_assert_null (vt_target_parse (text, &error));
  g_assert_error (error, VT_ERROR, VT_ERROR_INVALID_ARGUMENT);
  g_assert_true (g_utf8_validate (error->message, -1, NULL));
  if (strstr (error->message, part) == NULL
      || strstr (error->message, "HOST:PORT, PORT, unix:/PATH or tls://HOST:PORT") == NULL)
    g_error ("for \"%s\", \"%s\" does not speak of \"%s\"", text, error->message, part);
}

static void
test_bad (void)
{
  for (unsigned int i = 0; i < G_N_ELEMENTS (bad_targets); i++)
    assert_bad (bad_targets[i].text, bad_targets[i].part);
}

/* A label has at most 63 characters, a path 107. */
static void
test_lengths (void)
{
  for (unsigned int length = 60; length < 70; length++)
    {
      g_autofree char *label = g_strnfill (length, 'a');
      g_autofree char *text = g_strconcat (label, ".example:80", NULL);
      g_autoptr(VtTarget) target = vt_target_parse (text, NULL);

      g_assert_true ((target != NULL) == (length <= 63));
    }
  for (unsigned int length = 100; length < 115; length++)
    {
      g_autofree char *name = g_strnfill (length - 1, 'a');
      g_autofree char *path = g_strconcat ("unix:/", name, NULL);
      g_autofree char *abstract = g_strconcat ("unix:@", name, NULL);
      g_autoptr(VtTarget) a = vt_target_parse (path, NULL);
      g_autoptr(VtTarget) b = vt_target_parse (abstract, NULL);

      g_assert_true ((a != NULL) == (length <= 107));
      g_assert_true ((b != NULL) == (length <= 107));
    }
}

/* Whether a name of `length` characters, and then what `end` says, is taken. */
static gboolean
is_taken (size_t length, const char *end)
{
  g_autofree char *name = g_strnfill (length, 'a');
  g_autofree char *text = NULL;
  g_autoptr(VtTarget) target = NULL;

  for (size_t i = 50; i < length; i += 50)
    name[i] = '.';
  text = g_strconcat (name, end, NULL);
  target = vt_target_parse (text, NULL);
  return target != NULL;
}

/* The dot at the end of a name does not count. */
static void
test_long_names (void)
{
  g_assert_true (is_taken (253, ":80"));
  g_assert_true (is_taken (253, ".:80"));
  g_assert_false (is_taken (254, ":80"));
  g_assert_false (is_taken (254, ".:80"));
}

static void
test_shift (void)
{
  g_autoptr(VtTarget) tls = vt_target_parse ("tls://example.com:65530", NULL);
  g_autoptr(VtTarget) socket = vt_target_parse ("unix:/run/app.sock", NULL);
  g_autoptr(VtTarget) last = vt_target_shift (tls, 5);
  g_autofree char *text = vt_target_to_string (last);

  g_assert_cmpstr (text, ==, "tls://example.com:65535");
  g_assert_null (vt_target_shift (tls, 6));
  g_assert_null (vt_target_shift (tls, G_MAXUINT));
  g_assert_null (vt_target_shift (socket, 1));
}

static void
test_connectable (void)
{
  g_autoptr(VtTarget) tcp = vt_target_parse ("[::1]:80", NULL);
  g_autoptr(VtTarget) path = vt_target_parse ("unix:/run/app.sock", NULL);
  g_autoptr(VtTarget) abstract = vt_target_parse ("unix:@app", NULL);
  g_autoptr(GSocketConnectable) a = vt_target_get_connectable (tcp);
  g_autoptr(GSocketConnectable) b = vt_target_get_connectable (path);
  g_autoptr(GSocketConnectable) c = vt_target_get_connectable (abstract);

  g_assert_cmpstr (g_network_address_get_hostname (G_NETWORK_ADDRESS (a)), ==, "::1");
  g_assert_cmpuint (g_network_address_get_port (G_NETWORK_ADDRESS (a)), ==, 80);
  g_assert_cmpstr (g_unix_socket_address_get_path (G_UNIX_SOCKET_ADDRESS (b)), ==, "/run/app.sock");
  g_assert_cmpint (g_unix_socket_address_get_address_type (G_UNIX_SOCKET_ADDRESS (b)), ==,
                   G_UNIX_SOCKET_ADDRESS_PATH);
  g_assert_cmpstr (g_unix_socket_address_get_path (G_UNIX_SOCKET_ADDRESS (c)), ==, "app");
  g_assert_cmpint (g_unix_socket_address_get_address_type (G_UNIX_SOCKET_ADDRESS (c)), ==,
                   G_UNIX_SOCKET_ADDRESS_ABSTRACT);
}

static void
test_boxed (void)
{
  g_autoptr(VtTarget) target = vt_target_parse ("80", NULL);
  VtTarget *copy = g_boxed_copy (VT_TYPE_TARGET, target);

  g_assert_true (copy == target);
  g_boxed_free (VT_TYPE_TARGET, copy);
  g_assert_cmpuint (vt_target_get_port (target), ==, 80);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/target/parse/good", test_good);
  g_test_add_func ("/target/parse/bad", test_bad);
  g_test_add_func ("/target/parse/lengths", test_lengths);
  g_test_add_func ("/target/parse/long-names", test_long_names);
  g_test_add_func ("/target/shift", test_shift);
  g_test_add_func ("/target/connectable", test_connectable);
  g_test_add_func ("/target/boxed", test_boxed);
  return g_test_run ();
}
