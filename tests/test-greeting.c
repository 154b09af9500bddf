/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-greeting-private.h"

#include <string.h>

#include <vtunnel/vt-error.h>

#define ALPHABET "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

static const VtControlLimits limits = { 16384, 65536, 262144 };

/* 128 bits: 21 characters of 6, and one of the four that have 2. */
static void
expect_token (const char *token)
{
  g_assert_cmpuint (strlen (token), ==, 22);
  g_assert_cmpuint (strspn (token, ALPHABET), ==, 22);
  g_assert_nonnull (strchr ("AQgw", token[21]));
}

/* Nothing that was there before, and all of the alphabet. */
static void
test_tokens (void)
{
  g_autoptr(GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autoptr(GHashTable) letters = g_hash_table_new (NULL, NULL);

  for (unsigned int i = 0; i < 200; i++)
    {
      g_auto(VtCredentials) credentials = { 0 };
      g_autoptr(GError) error = NULL;

      g_assert_true (vt_credentials_init (&credentials, &error));
      g_assert_no_error (error);
      expect_token (credentials.session);
      expect_token (credentials.secret);
      g_assert_true (g_hash_table_add (seen, g_strdup (credentials.session)));
      g_assert_true (g_hash_table_add (seen, g_strdup (credentials.secret)));
      for (const char *at = credentials.secret; *at != '\0'; at++)
        g_hash_table_add (letters, GINT_TO_POINTER (*at));
    }
  g_assert_cmpuint (g_hash_table_size (letters), ==, 64);
}

static void
test_copy_and_clear (void)
{
  VtCredentials credentials = { 0 };
  char session[] = "name", secret[] = "proof";

  vt_credentials_clear (&credentials);
  vt_credentials_copy (&credentials, session, secret);
  session[0] = secret[0] = '!';
  g_assert_cmpstr (credentials.session, ==, "name");
  g_assert_cmpstr (credentials.secret, ==, "proof");
  vt_credentials_clear (&credentials);
  g_assert_null (credentials.session);
  g_assert_null (credentials.secret);
  vt_credentials_clear (&credentials);
}

typedef struct {
  const char *session;
  const char *secret;
  gboolean matches;
} Given;

#define SESSION "AAAAAAAAAAAAAAAAAAAAAA"
#define SECRET "_-_-_-_-_-_-_-_-_-_-_w"

static const Given given[] = {
  { SESSION, SECRET, TRUE },
  { SESSION, "", FALSE },
  { "", SECRET, FALSE },
  { "", "", FALSE },
  /* The other one's, and each other's. */
  { SECRET, SESSION, FALSE },
  { SESSION, SESSION, FALSE },
  { SECRET, SECRET, FALSE },
  /* One place differs: the first, the last, by one bit. */
  { SESSION, "x-_-_-_-_-_-_-_-_-_-_w", FALSE },
  { SESSION, "_-_-_-_-_-_-_-_-_-_-_A", FALSE },
  { SESSION, "_-_-_-_-_-_-_-_-_-_-_v", FALSE },
  { "BAAAAAAAAAAAAAAAAAAAAA", SECRET, FALSE },
  { "AAAAAAAAAAAAAAAAAAAAAQ", SECRET, FALSE },
  /* Differences that take each other away. */
  { SESSION, "-__-_-_-_-_-_-_-_-_-_w", FALSE },
  /* Too short, too long, as UTF-8. */
  { SESSION, "_-_-_-_-_-_-_-_-_-_-_", FALSE },
  { SESSION, SECRET "w", FALSE },
  { SESSION, SECRET SECRET, FALSE },
  { SESSION "A", SECRET, FALSE },
  { "AAAAAAAAAAAAAAAAAAAAA", SECRET, FALSE },
  { SESSION, "_-_-_-_-_-_-_-_-_-_-\xc3\xbf", FALSE },
};

static void
test_match (void)
{
  g_auto(VtCredentials) credentials = { 0 };

  vt_credentials_copy (&credentials, SESSION, SECRET);
  for (size_t i = 0; i < G_N_ELEMENTS (given); i++)
    {
      g_test_message ("%s, %s", given[i].session, given[i].secret);
      g_assert_cmpint (vt_credentials_match (&credentials, given[i].session, given[i].secret), ==,
                       given[i].matches);
    }
}

static void
read_back (GBytes *message, VtControlType expected, VtControl *control)
{
  g_autoptr(GError) error = NULL;

  vt_greeting_read (message, TRUE, VT_JSON_MAX_DEPTH, expected, control, &error);
  g_assert_no_error (error);
  g_assert_cmpint (control->type, ==, expected);
  g_assert_cmpmem (&control->limits, sizeof limits, &limits, sizeof limits);
}

static void
test_hello (void)
{
  g_auto(VtCredentials) credentials = { g_strdup ("name"), g_strdup ("proof") };
  const VtResumption resumption = { &credentials, 5, 3 };
  g_autoptr(GBytes) new = vt_greeting_new_hello (&limits, NULL);
  g_autoptr(GBytes) again = vt_greeting_new_hello (&limits, &resumption);
  g_auto(VtControl) hello = { 0 };
  g_auto(VtControl) resuming = { 0 };

  read_back (new, VT_CONTROL_HELLO, &hello);
  g_assert_true (g_str_has_prefix (hello.agent, "libvtunnel/"));
  g_assert_null (hello.session);
  g_assert_null (hello.secret);
  read_back (again, VT_CONTROL_HELLO, &resuming);
  g_assert_cmpstr (resuming.session, ==, "name");
  g_assert_cmpstr (resuming.secret, ==, "proof");
  g_assert_cmpuint (resuming.received, ==, 5);
  g_assert_cmpuint (resuming.attempt, ==, 3);
}

static void
test_welcome (void)
{
  g_auto(VtCredentials) credentials = { g_strdup ("name"), g_strdup ("proof") };
  const VtResumption resumption = { &credentials, 5, 0 };
  g_autoptr(GBytes) new = vt_greeting_new_welcome (&limits, &resumption, FALSE, 60);
  g_autoptr(GBytes) again = vt_greeting_new_welcome (&limits, &resumption, TRUE, 4294967295);
  g_auto(VtControl) welcome = { 0 };
  g_auto(VtControl) resumed = { 0 };

  read_back (new, VT_CONTROL_WELCOME, &welcome);
  g_assert_cmpstr (welcome.session, ==, "name");
  g_assert_cmpstr (welcome.secret, ==, "proof");
  g_assert_false (welcome.resumed);
  g_assert_cmpuint (welcome.received, ==, 0);
  g_assert_cmpuint (welcome.resume_timeout, ==, 60);
  read_back (again, VT_CONTROL_WELCOME, &resumed);
  g_assert_true (resumed.resumed);
  g_assert_cmpuint (resumed.received, ==, 5);
  g_assert_cmpuint (resumed.resume_timeout, ==, 4294967295);
}

static void
test_read_wrong (void)
{
  g_autoptr(GBytes) hello = vt_greeting_new_hello (&limits, NULL);
  g_autoptr(GBytes) garbage = g_bytes_new_static ("garbage", 7);
  const struct {
    GBytes *message;
    gboolean text;
    VtControlType expected;
  } wrong[] = {
    { hello, FALSE, VT_CONTROL_HELLO },
    { hello, TRUE, VT_CONTROL_WELCOME },
    { garbage, TRUE, VT_CONTROL_HELLO },
    { garbage, FALSE, VT_CONTROL_HELLO },
  };

  for (size_t i = 0; i < G_N_ELEMENTS (wrong); i++)
    {
      g_auto(VtControl) control = { 0 };
      g_autoptr(GError) error = NULL;

      g_assert_false (vt_greeting_read (wrong[i].message, wrong[i].text, VT_JSON_MAX_DEPTH,
                                        wrong[i].expected, &control, &error));
      g_assert_error (error, VT_ERROR, VT_ERROR_PROTOCOL);
    }
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/greeting/credentials/tokens", test_tokens);
  g_test_add_func ("/greeting/credentials/copy-and-clear", test_copy_and_clear);
  g_test_add_func ("/greeting/credentials/match", test_match);
  g_test_add_func ("/greeting/hello", test_hello);
  g_test_add_func ("/greeting/welcome", test_welcome);
  g_test_add_func ("/greeting/read-wrong", test_read_wrong);
  return g_test_run ();
}
