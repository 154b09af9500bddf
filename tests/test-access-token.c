/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include <string.h>

#include "vt-access-certificate-private.h"
#include "vt-access-entry-private.h"
#include "vt-authorization-private.h"
#include "vt-secret-private.h"

#define SECRET "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static void
test_new (void)
{
  g_autofree char *token = vt_access_token_new ("alice-2");
  g_autofree char *other = vt_access_token_new ("alice-2");
  g_autofree char *name = vt_access_token_get_name (token);

  g_assert_cmpstr (name, ==, "alice-2");
  g_assert_cmpuint (strlen (token), ==, strlen ("vt_alice-2_") + 43);
  g_assert_cmpstr (token, !=, other);
}

typedef struct {
  const char *text;
  const char *name; /* NULL: it is no token */
} Written;

static const Written tokens[] = {
  { "vt_a_" SECRET, "a" },
  { "vt_0-z_" SECRET, "0-z" },
  { "vt_a__AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "a" },
  { "vt_a_-_________________________________________A", "a" },
  { "vt_abcdefghijklmnopqrstuvwxyz012345_" SECRET, "abcdefghijklmnopqrstuvwxyz012345" },
  { "vt_abcdefghijklmnopqrstuvwxyz0123456_" SECRET, NULL },
  { "vt__" SECRET, NULL },
  { "vt_A_" SECRET, NULL },
  { "vt_\xc3\xa4_" SECRET, NULL },
  { "vt_a_A" SECRET, NULL },
  { "vt_a_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", NULL },
  { "vt_a_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA+", NULL },
  { "vt_a_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA ", NULL },
  { "vt_a" SECRET, NULL },
  { "VT_a_" SECRET, NULL },
  { "vt_", NULL },
  { "vt", NULL },
  { "", NULL },
};

static void
test_names (void)
{
  for (size_t i = 0; i < G_N_ELEMENTS (tokens); i++)
    {
      g_autofree char *name = vt_access_token_get_name (tokens[i].text);

      g_assert_cmpstr (name, ==, tokens[i].name);
    }
}

static void
test_hash (void)
{
  const char *token = "vt_a_" SECRET;
  VtAccessHash hash;
  VtAccessHash again;
  VtAccessHash salted;
  g_autofree char *text = NULL;

  vt_access_hash_init (&hash, token);
  vt_access_hash_init (&salted, token);
  g_assert_false (vt_access_hash_equal (&hash, &salted));
  g_assert_true (vt_access_hash_matches (&salted, token));
  text = vt_access_hash_format (&hash);
  g_assert_true (g_regex_match_simple ("^sha256:[\\w-]{22}:[\\w-]{43}$", text, 0, 0));
  g_assert_true (vt_access_hash_parse (&again, text));
  g_assert_true (vt_access_hash_equal (&hash, &again));
  g_assert_true (vt_access_hash_matches (&again, token));
  g_assert_false (vt_access_hash_matches (&again, "vt_b_" SECRET));
  g_assert_false (vt_access_hash_matches (&again, ""));
  again.digest[31] ^= 1;
  g_assert_false (vt_access_hash_matches (&again, token));
}

/* By another program: HMAC-SHA256 of the token, with the salt as the key. */
static void
test_vector (void)
{
  VtAccessHash hash;

  g_assert_true (vt_access_hash_parse (
      &hash, "sha256:AAECAwQFBgcICQoLDA0ODw:dUy7UFGvOsmuTCYaeqfkp_AL8YHD_d4ofhCgrnNtSOI"));
  g_assert_true (vt_access_hash_matches (&hash, "vt_a_" SECRET));
}

static const char *const bad_hashes[] = {
  "",
  "sha256",
  "sha256:",
  "sha256::",
  "sha256:AAAAAAAAAAAAAAAAAAAAAA:",
  "sha256:AAAAAAAAAAAAAAAAAAAAAA",
  "sha256:AAAAAAAAAAAAAAAAAAAAAA:" SECRET "A",
  "sha256:AAAAAAAAAAAAAAAAAAAAAA:" SECRET ":",
  "sha256:AAAAAAAAAAAAAAAAAAAAAA:" SECRET " ",
  "sha256:AAAAAAAAAAAAAAAAAAAAA:" SECRET,
  "sha256:AAAAAAAAAAAAAAAAAAAAAB:" SECRET,
  "sha256:AAAAAAAAAAAAAAAAAAAAAA:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB",
  "sha256:AAAAAAAAAAAAAAAAAAAAAA:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==",
  "sha256:AAAAAAAAAAAAAAAAAAAAA+:" SECRET,
  "SHA256:AAAAAAAAAAAAAAAAAAAAAA:" SECRET,
  "sha512:AAAAAAAAAAAAAAAAAAAAAA:" SECRET,
  "vt_a_" SECRET,
};

static void
test_bad_hashes (void)
{
  VtAccessHash hash;

  g_assert_true (vt_access_hash_parse (&hash, "sha256:AAAAAAAAAAAAAAAAAAAAAA:" SECRET));
  for (size_t i = 0; i < G_N_ELEMENTS (bad_hashes); i++)
    if (vt_access_hash_parse (&hash, bad_hashes[i]))
      g_error ("Taken: %s", bad_hashes[i]);
}

/* All four are looked at, and those that are not there match nothing. */
static void
test_find (void)
{
  g_autoptr(VtAccessEntry) entry = vt_access_entry_new ("a");
  char *shown[VT_ACCESS_MAX_TOKENS];

  g_assert_null (vt_access_entry_find_hash (NULL, "vt_a_" SECRET));
  for (unsigned int i = 0; i < VT_ACCESS_MAX_TOKENS; i++)
    {
      VtAccessHash hash;

      shown[i] = vt_access_token_new ("a");
      g_assert_null (vt_access_entry_find_hash (entry, shown[i]));
      vt_access_hash_init (&hash, shown[i]);
      g_array_append_val (entry->hashes, hash);
    }
  for (unsigned int i = 0; i < VT_ACCESS_MAX_TOKENS; i++)
    {
      const VtAccessHash *found = vt_access_entry_find_hash (entry, shown[i]);

      g_assert_true (found == &g_array_index (entry->hashes, VtAccessHash, i));
      g_assert_true (vt_access_entry_has_hash (entry, found));
      g_free (shown[i]);
    }
  g_assert_null (vt_access_entry_find_hash (entry, "vt_a_" SECRET));
}

typedef struct {
  const char *value;
  const char *name;
  const char *token; /* NULL: it is none */
} Header;

static const Header headers[] = {
  { "Bearer abc", NULL, "abc" },
  { "bEARER   abc", NULL, "abc" },
  { "Basic YTpi", "a", "b" },
  { "basic YTpiOmM=", "a", "b:c" },
  { "Basic YTo=", "a", "" },
  { "Basic Og==", "", "" },
  { "Bearer", NULL, NULL },
  { "Bearer ", NULL, NULL },
  { "Bearerabc", NULL, NULL },
  { "Basic", NULL, NULL },
  { "Basic ", NULL, NULL },
  { "Basic YWI=", NULL, NULL },
  { "Basic YTpi!", NULL, NULL },
  { "Basic YTp", NULL, NULL },
  { "Basic YTpi====", NULL, NULL },
  { "Basic YT=pi", NULL, NULL },
  { "Basic YQA6Yg==", NULL, NULL },
  { "Digest a", NULL, NULL },
  { "", NULL, NULL },
};

static void
test_authorization (void)
{
  g_autofree char *filler = g_strnfill (2000, 'a');
  g_autofree char *endless = g_strconcat ("Bearer ", filler, NULL);
  char *name;
  char *token;

  for (size_t i = 0; i < G_N_ELEMENTS (headers); i++)
    {
      gboolean good = vt_authorization_parse (headers[i].value, &name, &token);

      g_assert_cmpint (good, ==, headers[i].token != NULL);
      g_assert_cmpstr (name, ==, headers[i].name);
      g_assert_cmpstr (token, ==, headers[i].token);
      g_free (name);
      vt_secret_free (token);
    }
  g_assert_false (vt_authorization_parse (endless, &name, &token));
}

static const struct {
  const char *subject;
  const char *name; /* NULL: it stands for nobody */
} subjects[] = {
  { "CN=alice", "alice" },
  { "cn=alice", "alice" },
  { "CN=a-1,O=Example,C=DE", "a-1" },
  { "O=Example,CN=alice", "alice" },
  { "O=Example+CN=alice,C=DE", "alice" },
  { "O=Ex\\,ample,CN=alice", "alice" },
  { "O=Ex\\,CN=alice", NULL },
  { "O=Ex\\+CN=alice", NULL },
  { "O=Ex\\\\,CN=alice", "alice" },
  { "CN=alice,CN=bob", NULL },
  { "CN=alice+CN=alice", NULL },
  { "CN=Alice", NULL },
  { "CN=alice smith", NULL },
  { "CN=al\\,ice", NULL },
  { "CN=", NULL },
  { "CN", NULL },
  { "XCN=alice", NULL },
  { "O=alice", NULL },
  { "O=a\\", NULL },
  { "", NULL },
  { ",;+", NULL },
};

static void
test_subjects (void)
{
  for (size_t i = 0; i < G_N_ELEMENTS (subjects); i++)
    {
      g_autofree char *name = vt_access_certificate_read_subject (subjects[i].subject);

      g_assert_cmpstr (name, ==, subjects[i].name);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/access-token/new", test_new);
  g_test_add_func ("/access-token/names", test_names);
  g_test_add_func ("/access-token/hash", test_hash);
  g_test_add_func ("/access-token/vector", test_vector);
  g_test_add_func ("/access-token/bad-hashes", test_bad_hashes);
  g_test_add_func ("/access-token/find", test_find);
  g_test_add_func ("/access-token/authorization", test_authorization);
  g_test_add_func ("/access-token/subjects", test_subjects);
  return g_test_run ();
}
