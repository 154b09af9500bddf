/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include <string.h>

#include <gio/gio.h>

#include <vtunnel/vt-error.h>

#include "vt-access-file-private.h"

#define DIGEST "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define HASH "sha256:AAAAAAAAAAAAAAAAAAAAAA:" DIGEST
#define OTHER_HASH "sha256:AAAAAAAAAAAAAAAAAAAAAQ:" DIGEST
#define CLIENT "[client a]\ntoken=" HASH "\n"

static GHashTable *
parse (const char *text)
{
  g_autoptr(GError) error = NULL;
  GHashTable *entries = vt_access_file_parse (text, strlen (text), &error);

  g_assert_no_error (error);
  return entries;
}

/* The one client "a" of a text. */
static VtAccessEntry *
parse_one (const char *text)
{
  g_autoptr(GHashTable) entries = parse (text);
  VtAccessEntry *entry = g_hash_table_lookup (entries, "a");

  g_assert_nonnull (entry);
  return vt_access_entry_ref (entry);
}

static void
test_least (void)
{
  g_autoptr(VtAccessEntry) entry = parse_one (CLIENT);

  g_assert_cmpstr (entry->name, ==, "a");
  g_assert_cmpuint (entry->hashes->len, ==, 1);
  g_assert_null (entry->addresses);
  g_assert_null (entry->ports);
  g_assert_null (entry->host_names);
  g_assert_cmpuint (entry->max_sessions, ==, G_MAXUINT);
  g_assert_cmpuint (entry->max_forwards, ==, G_MAXUINT);
  g_assert_cmpuint (entry->max_streams, ==, G_MAXUINT);
  g_assert_cmpint (entry->expires, ==, G_MAXINT64);
}

static void
test_all (void)
{
  g_autoptr(VtAccessEntry) entry =
      parse_one ("# Clients\n\n  [client b-2]  \r\ntoken = " OTHER_HASH "\n" CLIENT
                 "addresses= * ; ::1;192.0.2.1;localhost;\nports=80,443,9000-9999\n"
                 "host-names=a.example.org;*.example.org\nmax-sessions=2\nmax-forwards=0\n"
                 "max-streams=9\n#ports=1\nexpires=2030-12-31T18:00:00+01:00\n");

  g_assert_cmpuint (g_strv_length (entry->addresses), ==, 4);
  g_assert_cmpstr (entry->addresses[0], ==, "*");
  g_assert_cmpstr (vt_port_ranges_get_text (entry->ports), ==, "80,443,9000-9999");
  g_assert_cmpstr (entry->host_names[1], ==, "*.example.org");
  g_assert_cmpuint (entry->max_sessions, ==, 2);
  g_assert_cmpuint (entry->max_forwards, ==, 0);
  g_assert_cmpuint (entry->max_streams, ==, 9);
  g_assert_cmpint (entry->expires, ==, G_GINT64_CONSTANT (1924966800) * G_USEC_PER_SEC);
}

static void
test_several_tokens (void)
{
  g_autoptr(VtAccessEntry) entry =
      parse_one ("[client a]\ntoken=" HASH ";" OTHER_HASH " ; " HASH ";" HASH ";\n");

  g_assert_cmpuint (entry->hashes->len, ==, 4);
}

static void
test_certificate (void)
{
  g_autoptr(VtAccessEntry) alone = parse_one ("[client a]\ncertificate=true\n");
  g_autoptr(VtAccessEntry) without = parse_one (CLIENT);

  g_assert_true (alone->certificate);
  g_assert_null (vt_access_entry_find_hash (alone, "vt_a_" DIGEST));
  g_assert_false (without->certificate);
}

static void
test_status (void)
{
  g_autoptr(VtAccessEntry) with = parse_one (CLIENT "status=true\n");
  g_autoptr(VtAccessEntry) without = parse_one (CLIENT "status=false\n");
  g_autoptr(VtAccessEntry) silent = parse_one (CLIENT);

  g_assert_true (with->status);
  g_assert_false (without->status);
  g_assert_false (silent->status);
}

static void
test_nobody (void)
{
  static const char *const texts[] = { "", "\n", "# Nobody\n", "\n\n#\n", " " };

  for (size_t i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      g_autoptr(GHashTable) entries = parse (texts[i]);

      g_assert_cmpuint (g_hash_table_size (entries), ==, 0);
    }
}

/* When the day begins, in UTC. */
static void
test_day (void)
{
  g_autoptr(VtAccessEntry) entry = parse_one (CLIENT "expires=2030-12-31\n");

  g_assert_cmpint (entry->expires, ==, G_GINT64_CONSTANT (1924905600) * G_USEC_PER_SEC);
}

typedef struct {
  const char *name;
  const char *text;
  const char *says; /* part of the message */
} Bad;

static const Bad bad[] = {
  { "key/unknown", CLIENT "port=80\n", "line 3: there is no such key: “port”" },
  { "key/case", CLIENT "Ports=80\n", "there is no such key" },
  { "key/locale", CLIENT "ports[de]=80\n", "there is no such key" },
  { "key/twice", CLIENT "ports=80\nports=81\n", "line 4: this key is there twice" },
  { "key/token-twice", CLIENT "token=" HASH "\n", "this key is there twice" },
  { "key/before-group", "token=" HASH "\n", "before the first group" },
  { "key/no-value", CLIENT "ports\n", "line 3: neither" },
  { "group/twice", CLIENT "[client b]\ntoken=" HASH "\n" CLIENT, "line 5: this group is there" },
  { "group/unknown", CLIENT "[server]\n", "line 3: a group is [client NAME]" },
  { "group/capital", "[Client a]\n", "a group is" },
  { "group/no-name", "[client ]\n", "a group is" },
  { "group/name", "[client A]\ntoken=" HASH "\n", "a group is" },
  { "group/blank", "[client a b]\n", "a group is" },
  { "group/long", "[client aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]\n", "a group is" },
  { "group/open", "[client a\ntoken=" HASH "\n", "this is no key file" },
  { "value/backslashes", "[client a]\ntoken=\\A\\\n", "[client a] token: a backslash" },
  { "group/escape", "[client \033[31m]\n", "\\x1b" },
  { "token/missing", "[client a]\nports=80\n", "[client a] token: it is missing" },
  { "token/empty", "[client a]\ntoken=\n", "[client a] token: 1 to 4" },
  { "token/five", "[client a]\ntoken=" HASH ";" HASH ";" HASH ";" HASH ";" HASH "\n", "1 to 4" },
  { "token/bare", "[client a]\ntoken=vt_a_" DIGEST "\n", "a hash is needed" },
  { "token/backslash", "[client a]\ntoken=\\x\n", "backslash" },
  { "certificate/word", CLIENT "certificate=yes\n", "[client a] certificate: “true” or" },
  { "certificate/false", "[client a]\ncertificate=false\n", "[client a] token: it is missing" },
  { "addresses/name", CLIENT "addresses=example.org\n", "“example.org” is no IP address" },
  { "addresses/none", CLIENT "addresses=;\n", "an address is needed" },
  { "addresses/network", CLIENT "addresses=10.0.0.0/8\n", "no IP address" },
  { "addresses/brackets", CLIENT "addresses=[::1]\n", "no IP address" },
  { "ports/none", CLIENT "ports=\n", "[client a] ports: " },
  { "ports/zero", CLIENT "ports=0\n", "[client a] ports: " },
  { "ports/large", CLIENT "ports=65536\n", "[client a] ports: " },
  { "ports/backwards", CLIENT "ports=90-80\n", "[client a] ports: " },
  { "ports/blank", CLIENT "ports=80, 90\n", "[client a] ports: " },
  { "ports/semicolon", CLIENT "ports=80;90\n", "[client a] ports: " },
  { "host-names/capital", CLIENT "host-names=Example.org\n", "no host name" },
  { "host-names/star", CLIENT "host-names=*\n", "no host name" },
  { "host-names/inner", CLIENT "host-names=a.*.org\n", "no host name" },
  { "host-names/dots", CLIENT "host-names=a..org\n", "no host name" },
  { "host-names/dash", CLIENT "host-names=-a.org\n", "no host name" },
  { "max-sessions/word", CLIENT "max-sessions=many\n", "[client a] max-sessions: a number" },
  { "max-sessions/negative", CLIENT "max-sessions=-1\n", "a number from 0" },
  { "max-sessions/large", CLIENT "max-sessions=2147483648\n", "a number" },
  { "max-sessions/empty", CLIENT "max-sessions=\n", "a number" },
  { "max-forwards/fraction", CLIENT "max-forwards=1.5\n", "a number" },
  { "max-streams/zero", CLIENT "max-streams=0\n", "a number from 1" },
  { "expires/word", CLIENT "expires=never\n", "[client a] expires: a time" },
  { "expires/day", CLIENT "expires=2030-02-30\n", "a time" },
  { "expires/empty", CLIENT "expires=\n", "a time" },
  { "utf-8", CLIENT "#\xff\n", "UTF-8" },
};

static void
test_bad (const void *data)
{
  const Bad *one = data;
  g_autoptr(GError) error = NULL;

  g_assert_null (vt_access_file_parse (one->text, strlen (one->text), &error));
  g_assert_error (error, VT_ERROR, VT_ERROR_INVALID_ARGUMENT);
  if (strstr (error->message, one->says) == NULL)
    g_error ("Expected “%s” in “%s”", one->says, error->message);
  /* A token in the place of its hash does not come into a log. */
  g_assert_null (strstr (error->message, DIGEST));
  g_assert_null (strchr (error->message, '\033'));
}

static void
test_nul (void)
{
  static const char text[] = CLIENT "#\0\n";
  g_autoptr(GError) error = NULL;

  g_assert_null (vt_access_file_parse (text, sizeof text - 1, &error));
  g_assert_error (error, VT_ERROR, VT_ERROR_INVALID_ARGUMENT);
}

/* Whatever becomes of a file by one wrong byte, it grants no more than it did: a port beyond those
 * that were given would be one. */
static void
test_one_byte (void)
{
  static const char text[] = CLIENT "addresses=127.0.0.1\nports=7000\nexpires=2030-12-31\n";
  size_t length = sizeof text - 1;

  for (size_t i = 0; i < length; i++)
    for (int byte = 0; byte < 256; byte++)
      {
        g_autofree char *other = g_memdup2 (text, length);
        g_autoptr(GHashTable) entries = NULL;
        VtAccessEntry *entry;

        other[i] = (char) byte;
        entries = vt_access_file_parse (other, length, NULL);
        entry = entries != NULL ? g_hash_table_lookup (entries, "a") : NULL;
        /* A key whose line became a comment is not there. */
        if (entry == NULL || byte == '#')
          continue;
        g_assert_nonnull (entry->ports);
        g_assert_nonnull (entry->addresses);
        g_assert_cmpint (entry->expires, <, G_MAXINT64);
      }
}

static void
test_policy (void)
{
  g_autoptr(VtAccessEntry) least = parse_one (CLIENT);
  g_autoptr(VtAccessEntry) more =
      parse_one (CLIENT "ports=80,65535\naddresses=0.0.0.0;192.0.2.1\n");
  g_autoptr(VtPortRanges) all = vt_port_ranges_parse ("1-5000", NULL);

  for (unsigned int port = 0; port <= G_MAXUINT16; port++)
    {
      g_assert_cmpint (vt_access_entry_allows_port (least, all, (guint16) port), ==,
                       port == 0 || (port >= 1024 && port <= 5000));
      g_assert_cmpint (vt_access_entry_allows_port (more, all, (guint16) port), ==,
                       port == 80 || port == 65535);
    }
  g_assert_cmpstr (vt_access_entry_get_place (least, "*"), ==, "localhost");
  g_assert_cmpstr (vt_access_entry_get_place (least, "127.0.0.7"), ==, "127.0.0.7");
  g_assert_cmpstr (vt_access_entry_get_place (more, "localhost"), ==, "0.0.0.0");
  g_assert_true (vt_access_entry_allows_address (least, "localhost"));
  g_assert_true (vt_access_entry_allows_address (least, "::1"));
  g_assert_false (vt_access_entry_allows_address (least, "0.0.0.0"));
  g_assert_false (vt_access_entry_allows_address (least, "*"));
  g_assert_false (vt_access_entry_allows_address (least, "192.0.2.1"));
  g_assert_true (vt_access_entry_allows_address (more, "192.0.2.7"));
  g_assert_false (vt_access_entry_allows_address (more, "::1"));
  g_assert_false (vt_access_entry_allows_address (more, "*"));
}

/* Each port there is, against what is said in so many words here. */
static void
test_port_sweep (void)
{
  const char *narrow_text = "80,443,1023-1024,8000-8999,65535";
  g_autoptr(VtPortRanges) usual = vt_port_ranges_parse ("1-65535", NULL);
  g_autoptr(VtPortRanges) narrow = vt_port_ranges_parse (narrow_text, NULL);
  g_autofree char *text = g_strdup_printf (CLIENT "ports=%s\n", narrow_text);
  g_autoptr(VtAccessEntry) plain = parse_one (CLIENT);
  g_autoptr(VtAccessEntry) granted = parse_one (text);

  for (unsigned int port = 0; port <= G_MAXUINT16; port++)
    {
      gboolean named = port == 80 || port == 443 || port == 1023 || port == 1024
                       || (port >= 8000 && port < 9000) || port == 65535;

      g_assert_true (vt_port_ranges_contain (usual, port) == (port != 0));
      g_assert_true (vt_port_ranges_contain (narrow, port) == named);
      g_assert_true (vt_access_entry_allows_port (plain, usual, port)
                     == (port == 0 || port >= 1024));
      g_assert_true (vt_access_entry_allows_port (plain, narrow, port)
                     == (port == 0 || (named && port >= 1024)));
      g_assert_true (vt_access_entry_allows_port (granted, usual, port) == named);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/access-file/port-sweep", test_port_sweep);
  g_test_add_func ("/access-file/least", test_least);
  g_test_add_func ("/access-file/all", test_all);
  g_test_add_func ("/access-file/several-tokens", test_several_tokens);
  g_test_add_func ("/access-file/certificate", test_certificate);
  g_test_add_func ("/access-file/status", test_status);
  g_test_add_func ("/access-file/nobody", test_nobody);
  g_test_add_func ("/access-file/day", test_day);
  for (size_t i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autofree char *path = g_strconcat ("/access-file/bad/", bad[i].name, NULL);

      g_test_add_data_func (path, &bad[i], test_bad);
    }
  g_test_add_func ("/access-file/bad/nul", test_nul);
  g_test_add_func ("/access-file/bad/one-byte", test_one_byte);
  g_test_add_func ("/access-file/policy", test_policy);
  return g_test_run ();
}
