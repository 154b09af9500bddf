/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include <string.h>

#include <vtunnel/vtunnel.h>

#include "vt-forward-private.h"

/* All that an option can be; "" is that it is not there. */
static const char *const host_headers[] = { "", ",host-header=auto", ",host-header=keep",
                                            ",host-header=app.example:80", ",host-header=[::1]" };
static const char *const proxy_protocols[] = { "", ",proxy-protocol=1", ",proxy-protocol=2" };
static const char *const forwardeds[] = { "", ",forwarded=x-forwarded", ",forwarded=forwarded",
                                          ",forwarded=both" };
static const char *const https[] = { "", ",http" };
static const char *const healths[] = { "", ",health=1", ",health=86400" };

static const char *const places[] = { "9000=localhost:3000", "[::1]:9000=[::1]:3000",
                                      "[2001:db8::1]:0=[fe80::1%lo]:80",
                                      "*:65535=tls://[2001:db8::2]:443",
                                      "127.0.0.1:1=unix:/run/a\\,b\\\\c=1" };

static const struct {
  const char *const *texts;
  unsigned int n;
} kinds[] = {
  { host_headers, G_N_ELEMENTS (host_headers) },
  { proxy_protocols, G_N_ELEMENTS (proxy_protocols) },
  { forwardeds, G_N_ELEMENTS (forwardeds) },
  { https, G_N_ELEMENTS (https) },
  { healths, G_N_ELEMENTS (healths) },
};

#define N_KINDS G_N_ELEMENTS (kinds)

static VtForward *
parse (const char *text)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) forwards = vt_forward_parse (text, &error);

  g_assert_no_error (error);
  g_assert_cmpuint (forwards->len, ==, 1);
  return g_object_ref (forwards->pdata[0]);
}

static void
check_settings (VtForward *forward, const unsigned int *chosen)
{
  static const VtHostHeaderMode modes[] = { VT_HOST_HEADER_AUTO, VT_HOST_HEADER_AUTO,
                                            VT_HOST_HEADER_KEEP, VT_HOST_HEADER_REPLACE,
                                            VT_HOST_HEADER_REPLACE };
  static const unsigned int intervals[] = { 0, 1, 86400 };
  VtHostHeaderMode mode = modes[chosen[0]];

  g_assert_cmpint (vt_forward_get_host_header_mode (forward), ==, mode);
  g_assert_cmpuint (vt_forward_get_proxy_protocol (forward), ==, chosen[1]);
  /* The flags in the order in which they are counted. */
  g_assert_cmpuint (vt_forward_get_forwarded_headers (forward), ==, chosen[2]);
  g_assert_cmpint (vt_forward_get_http (forward), ==, chosen[3] == 1);
  g_assert_cmpuint (vt_forward_get_health_interval (forward), ==, intervals[chosen[4]]);
  g_assert_cmpint (vt_forward_speaks_http (forward), ==,
                   chosen[3] == 1 || chosen[2] != 0 || mode == VT_HOST_HEADER_REPLACE
                       || vt_forward_get_listen_kind (forward) == VT_LISTEN_KIND_HTTP);
}

/* In this order, and in the opposite one, for the same settings and the same text. */
static void
check_combination (const char *place, const unsigned int *chosen)
{
  g_autoptr(GString) text = g_string_new (place);
  g_autoptr(GString) backwards = g_string_new (place);
  g_autoptr(GString) expected = g_string_new (place);
  g_autofree char *written = NULL;
  g_autofree char *again = NULL;
  g_autoptr(VtForward) forward = NULL;
  g_autoptr(VtForward) other = NULL;

  for (unsigned int i = 0; i < N_KINDS; i++)
    {
      const char *option = kinds[i].texts[chosen[i]];

      g_string_append (text, option);
      g_string_append (backwards, kinds[N_KINDS - 1 - i].texts[chosen[N_KINDS - 1 - i]]);
      if (!g_str_has_suffix (option, "auto"))
        g_string_append (expected, option);
    }
  forward = parse (text->str);
  other = parse (backwards->str);
  check_settings (forward, chosen);
  check_settings (other, chosen);
  written = vt_forward_to_string (forward);
  again = vt_forward_to_string (other);
  g_assert_cmpstr (written, ==, expected->str);
  g_assert_cmpstr (again, ==, expected->str);
}

static gboolean
choose_next (unsigned int *chosen)
{
  for (unsigned int i = 0; i < N_KINDS; i++)
    {
      if (++chosen[i] < kinds[i].n)
        return TRUE;
      chosen[i] = 0;
    }
  return FALSE;
}

static void
test_combinations (void)
{
  unsigned int chosen[N_KINDS] = { 0 };
  unsigned int n = 0;

  do
    {
      for (unsigned int i = 0; i < G_N_ELEMENTS (places); i++)
        check_combination (places[i], chosen);
      n++;
    }
  while (choose_next (chosen));
  g_assert_cmpuint (n, ==, 5 * 3 * 4 * 2 * 3);
}

/* Each forward of a range has them. */
static void
test_range (void)
{
  g_autoptr(GPtrArray) forwards =
      vt_forward_parse ("[::1]:9000-9009=[::1]:3000-3009,proxy-protocol=2,health=5,http", NULL);

  g_assert_nonnull (forwards);
  g_assert_cmpuint (forwards->len, ==, 10);
  for (unsigned int i = 0; i < forwards->len; i++)
    {
      g_autofree char *text = vt_forward_to_string (forwards->pdata[i]);
      g_autofree char *expected =
          g_strdup_printf ("[::1]:%u=[::1]:%u,proxy-protocol=2,http,health=5", 9000 + i, 3000 + i);

      g_assert_cmpstr (text, ==, expected);
    }
}

static void
test_refused (void)
{
  static const struct {
    const char *text;
    const char *part;
  } specs[] = {
    { "9000=1,forwarded", "must be x-forwarded, forwarded or both" },
    { "9000=1,forwarded=", "must be x-forwarded, forwarded or both" },
    { "9000=1,forwarded=none", "must be x-forwarded, forwarded or both" },
    { "9000=1,forwarded=Both", "must be x-forwarded, forwarded or both" },
    { "9000=1,http=yes", "the option http takes no value" },
    { "9000=1,http=", "the option http takes no value" },
    { "9000=1,https", "is no option" },
    { "9000=1,http,http", "the option http is there twice" },
    { "9000=1,health=1,http,health=2", "the option health is there twice" },
    { "9000=1,forwarded=both,forwarded=both", "the option forwarded is there twice" },
    { "9000=1,proxy-protocol", "must be 1 or 2" },
    { "9000=1,host-header", "must be a host name, keep or auto" },
    { "9000=1,health", "from 1 to 86400" },
    { "9000=1,health=", "from 1 to 86400" },
    { "9000=1,health=0", "from 1 to 86400" },
    { "9000=1,health=86401", "from 1 to 86400" },
    { "9000=1,health=4294967297", "from 1 to 86400" },
    { "9000=1,health=-1", "from 1 to 86400" },
    { "9000=1,health=5s", "from 1 to 86400" },
    { "9000=1, http", "is no option" },
    { "9000=1,,http", "is no option" },
    { "[::1:9000=1", "is not closed" },
    { "[::1=1", "is not closed" },
    { "[::1]9000=1", "the port is missing" },
    { "[::1]=1", "the port is missing" },
    { "[::1]:=1", "the port to listen on is missing" },
    { "[::1]:9000:1=1", "the port must be between" },
    { "[fe80::1%lo]:9000=1", "in brackets" },
    { "9000=[::1:80", "is not closed" },
    { "9000=[::1]", "the port is missing" },
    { "9000=[::1]80", "the port is missing" },
    { "9000=::1:80", "in brackets" },
    { "9000=[fe80::1%]:80", "neither a name nor an address" },
    { "9000=[fe80::1%a/b]:80", "neither a name nor an address" },
    { "9000=tls://[::1:80", "is not closed" },
  };

  for (size_t i = 0; i < G_N_ELEMENTS (specs); i++)
    {
      g_autoptr(GError) error = NULL;

      if (vt_forward_parse (specs[i].text, &error) != NULL)
        g_error ("“%s” is taken", specs[i].text);
      g_assert_error (error, VT_ERROR, VT_ERROR_INVALID_ARGUMENT);
      if (strstr (error->message, specs[i].part) == NULL)
        g_error ("%s does not speak of “%s”", error->message, specs[i].part);
    }
}

static void
notify_cb (GObject *object, GParamSpec *pspec, void *user_data)
{
  g_string_append_printf (user_data, "%s ", pspec->name);
}

static void
test_properties (void)
{
  g_autoptr(VtForward) forward =
      g_object_new (VT_TYPE_FORWARD, "forwarded-headers", VT_FORWARDED_HEADERS_FORWARDED, "http",
                    TRUE, "health-interval", 7, NULL);
  g_autoptr(GString) names = g_string_new (NULL);
  VtForwardedHeaders headers;
  gboolean http;
  unsigned int interval;

  g_object_get (forward, "forwarded-headers", &headers, "http", &http, "health-interval", &interval,
                NULL);
  g_assert_cmpuint (headers, ==, VT_FORWARDED_HEADERS_FORWARDED);
  g_assert_true (http);
  g_assert_cmpuint (interval, ==, 7);

  g_signal_connect (forward, "notify", G_CALLBACK (notify_cb), names);
  for (unsigned int i = 0; i < 2; i++)
    {
      vt_forward_set_forwarded_headers (forward, VT_FORWARDED_HEADERS_NONE);
      vt_forward_set_http (forward, FALSE);
      vt_forward_set_health_interval (forward, 86400);
    }
  g_assert_cmpstr (names->str, ==, "forwarded-headers http health-interval ");

  g_test_expect_message ("vtunnel", G_LOG_LEVEL_CRITICAL, "*headers*");
  vt_forward_set_forwarded_headers (forward, 4);
  g_test_expect_message ("vtunnel", G_LOG_LEVEL_CRITICAL, "*interval*");
  vt_forward_set_health_interval (forward, 86401);
  g_test_assert_expected_messages ();
  g_assert_cmpuint (vt_forward_get_health_interval (forward), ==, 86400);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/forward-options/combinations", test_combinations);
  g_test_add_func ("/forward-options/range", test_range);
  g_test_add_func ("/forward-options/refused", test_refused);
  g_test_add_func ("/forward-options/properties", test_properties);
  return g_test_run ();
}
