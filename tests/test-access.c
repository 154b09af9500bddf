/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include <string.h>
#include <sys/stat.h>

#include <glib/gstdio.h>
#include <vtunnel/vt-error.h>

#include "vt-access-private.h"

typedef struct {
  char *folder;     /* owned */
  char *path;       /* owned */
  VtAccess *access; /* owned */
  GString *log;     /* owned: "changed", "failed" */
} Fixture;

static void
changed_cb (VtAccess *access, gpointer user_data)
{
  g_string_append (((Fixture *) user_data)->log, "changed ");
}

static void
failed_cb (VtAccess *access, const GError *error, gpointer user_data)
{
  Fixture *self = user_data;

  g_assert_true (error->domain == VT_ERROR);
  g_assert_nonnull (strstr (error->message, self->path));
  g_string_append (self->log, "failed ");
}

/* The text of a file with one client, and a token of it. */
static char *
make_client (const char *name, const char *rest, char **token)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *hash = NULL;

  *token = vt_access_create_token (name, &hash, &error);
  g_assert_no_error (error);
  return g_strdup_printf ("[client %s]\ntoken=%s\n%s", name, hash, rest);
}

static void
write_file (Fixture *self, const char *text)
{
  g_autoptr(GError) error = NULL;

  g_file_set_contents_full (self->path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600, &error);
  g_assert_no_error (error);
}

static void
open_file (Fixture *self)
{
  g_autoptr(GError) error = NULL;

  self->access = vt_access_new_for_file (self->path, &error);
  g_assert_no_error (error);
  g_signal_connect (self->access, "changed", G_CALLBACK (changed_cb), self);
  g_signal_connect (self->access, "reload-failed", G_CALLBACK (failed_cb), self);
}

static void
set_up (Fixture *self, const void *data)
{
  g_autoptr(GError) error = NULL;

  self->folder = g_dir_make_tmp ("vtunnel-access-XXXXXX", &error);
  g_assert_no_error (error);
  self->path = g_build_filename (self->folder, "access", NULL);
  self->log = g_string_new (NULL);
}

static void
tear_down (Fixture *self, const void *data)
{
  g_assert_finalize_object (self->access);
  g_remove (self->path);
  g_assert_cmpint (g_rmdir (self->folder), ==, 0);
  g_free (self->folder);
  g_free (self->path);
  g_string_free (self->log, TRUE);
}

static gboolean
late_cb (void *user_data)
{
  g_error ("Nothing was told");
  return G_SOURCE_REMOVE;
}

static void
expect (Fixture *self, const char *log)
{
  g_autoptr(GSource) late = g_timeout_source_new_seconds (30);

  g_source_set_callback (late, late_cb, NULL, NULL);
  g_source_attach (late, NULL);
  while (self->log->len == 0)
    g_main_context_iteration (NULL, TRUE);
  g_source_destroy (late);
  g_assert_cmpstr (self->log->str, ==, log);
  g_string_truncate (self->log, 0);
}

static gboolean
is_granted (VtAccess *access, const char *name, const char *token)
{
  g_autoptr(VtAccessGrant) grant = vt_access_check (access, name, token);

  return grant != NULL;
}

static void
test_check (Fixture *self, const void *data)
{
  g_autofree char *token = NULL;
  g_autofree char *other = NULL;
  g_autofree char *text = make_client ("alice", "", &token);
  g_autofree char *old_text = make_client ("alice", "", &other);
  g_autofree char *late = NULL;
  g_autofree char *late_text = make_client ("late", "expires=2020-01-01\n", &late);
  g_autofree char *all = g_strconcat (text, late_text, NULL);
  g_autoptr(GError) error = NULL;
  g_auto(GStrv) names = NULL;

  self->access = vt_access_new_from_data (all, -1, &error);
  g_assert_no_error (error);
  g_assert_true (is_granted (self->access, NULL, token));
  g_assert_true (is_granted (self->access, "alice", token));
  g_assert_false (is_granted (self->access, "late", token));
  g_assert_false (is_granted (self->access, "", token));
  g_assert_false (is_granted (self->access, NULL, other));
  g_assert_false (is_granted (self->access, NULL, late));
  g_assert_false (is_granted (self->access, NULL, ""));
  token[strlen (token) - 1] ^= 1;
  g_assert_false (is_granted (self->access, NULL, token));
  names = vt_access_list_names (self->access);
  g_assert_cmpuint (g_strv_length (names), ==, 2);
  g_assert_cmpstr (names[0], ==, "alice");
  g_assert_null (vt_access_get_path (self->access));
}

static void
test_set_data (Fixture *self, const void *data)
{
  g_autofree char *first = NULL;
  g_autofree char *second = NULL;
  g_autofree char *text = make_client ("alice", "", &first);
  g_autofree char *other_text = make_client ("alice", "", &second);
  g_autoptr(GError) error = NULL;
  g_autoptr(VtAccessGrant) grant = NULL;
  g_autoptr(VtAccessGrant) renewed = NULL;
  g_autofree char *more = g_strconcat (text, "ports=7000\n", NULL);

  self->access = vt_access_new_from_data (text, (gssize) strlen (text), &error);
  g_assert_no_error (error);
  g_signal_connect (self->access, "changed", G_CALLBACK (changed_cb), self);
  grant = vt_access_check (self->access, NULL, first);
  g_assert_true (vt_access_replace (self->access, more, -1, &error));
  g_assert_cmpstr (self->log->str, ==, "changed ");
  renewed = vt_access_renew (self->access, grant);
  g_assert_null (grant->entry->ports);
  g_assert_nonnull (renewed->entry->ports);

  g_assert_false (vt_access_replace (self->access, "junk", -1, &error));
  g_assert_error (error, VT_ERROR, VT_ERROR_INVALID_ARGUMENT);
  g_assert_true (is_granted (self->access, NULL, first));
  g_assert_true (vt_access_replace (self->access, other_text, -1, NULL));
  g_assert_null (vt_access_renew (self->access, grant));
  g_assert_true (vt_access_replace (self->access, "", -1, NULL));
  g_assert_null (vt_access_renew (self->access, grant));
}

static void
test_watched (Fixture *self, const void *data)
{
  g_autofree char *first = NULL;
  g_autofree char *second = NULL;
  g_autofree char *text = make_client ("alice", "", &first);
  g_autofree char *other_text = make_client ("bob", "", &second);

  write_file (self, text);
  open_file (self);
  g_assert_cmpstr (vt_access_get_path (self->access), ==, self->path);
  g_assert_true (is_granted (self->access, NULL, first));
  write_file (self, other_text);
  expect (self, "changed ");
  g_assert_false (is_granted (self->access, NULL, first));
  g_assert_true (is_granted (self->access, NULL, second));

  write_file (self, "[client carol]\n");
  expect (self, "failed ");
  write_file (self, "");
  expect (self, "failed ");
  g_assert_true (is_granted (self->access, NULL, second));
  g_assert_cmpint (g_remove (self->path), ==, 0);
  expect (self, "failed ");
  g_assert_true (is_granted (self->access, NULL, second));
  write_file (self, text);
  expect (self, "changed ");
  g_assert_true (is_granted (self->access, NULL, first));
  write_file (self, "# Nobody\n");
  expect (self, "changed ");
  g_assert_false (is_granted (self->access, NULL, first));
}

/* At once, without waiting for the watch. */
static void
test_reload (Fixture *self, const void *data)
{
  g_autofree char *first = NULL;
  g_autofree char *second = NULL;
  g_autofree char *text = make_client ("alice", "", &first);
  g_autofree char *other_text = make_client ("bob", "", &second);
  g_autoptr(GError) error = NULL;

  write_file (self, text);
  open_file (self);
  write_file (self, other_text);
  g_assert_true (vt_access_reload (self->access, &error));
  g_assert_cmpstr (self->log->str, ==, "changed ");
  g_assert_true (is_granted (self->access, NULL, second));
  write_file (self, "junk");
  g_assert_false (vt_access_reload (self->access, &error));
  g_assert_error (error, VT_ERROR, VT_ERROR_INVALID_ARGUMENT);
  g_assert_true (is_granted (self->access, NULL, second));
}

static void
expect_refusal (Fixture *self, int code, const char *says)
{
  g_autoptr(GError) error = NULL;

  g_assert_null (vt_access_new_for_file (self->path, &error));
  g_assert_error (error, VT_ERROR, code);
  g_assert_nonnull (strstr (error->message, self->path));
  if (strstr (error->message, says) == NULL)
    g_error ("Expected “%s” in “%s”", says, error->message);
}

static void
test_private (Fixture *self, const void *data)
{
  static const unsigned int refused[] = { 0644, 0604, 0602, 0601, 0620, 0660, 0677 };
  static const unsigned int taken[] = { 0600, 0400, 0700 };
  g_autofree char *token = NULL;
  g_autofree char *text = make_client ("alice", "", &token);
  g_autoptr(GError) error = NULL;

  expect_refusal (self, VT_ERROR_FAILED, "No such file");
  write_file (self, text);
  for (size_t i = 0; i < G_N_ELEMENTS (refused); i++)
    {
      g_assert_cmpint (g_chmod (self->path, (int) refused[i]), ==, 0);
      expect_refusal (self, VT_ERROR_PERMISSION_DENIED, "chmod 600");
    }
  for (size_t i = 0; i < G_N_ELEMENTS (taken); i++)
    {
      g_assert_cmpint (g_chmod (self->path, (int) taken[i]), ==, 0);
      g_clear_object (&self->access);
      self->access = vt_access_new_for_file (self->path, &error);
      g_assert_no_error (error);
    }
}

static void
test_no_file (Fixture *self, const void *data)
{
  g_autofree char *token = NULL;
  g_autofree char *text = make_client ("alice", "", &token);
  g_autoptr(GError) error = NULL;

  self->access = vt_access_new_from_data (text, -1, &error);
  g_assert_no_error (error);
  g_assert_cmpint (g_mkdir (self->path, 0700), ==, 0);
  expect_refusal (self, VT_ERROR_INVALID_ARGUMENT, "no regular file");
  g_assert_cmpint (g_rmdir (self->path), ==, 0);
  /* Nobody writes there, and nobody waits for it. */
  g_assert_cmpint (mkfifo (self->path, 0600), ==, 0);
  expect_refusal (self, VT_ERROR_INVALID_ARGUMENT, "no regular file");
}

static void
test_names (void)
{
  static const char *const bad[] = {
    "", "A", "a b", "a_b", "ä", "a/b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
  };

  for (size_t i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr(GError) error = NULL;
      char *hash = NULL;

      g_assert_null (vt_access_create_token (bad[i], &hash, &error));
      g_assert_error (error, VT_ERROR, VT_ERROR_INVALID_ARGUMENT);
      g_assert_null (hash);
    }
}

#define ADD(path, func) g_test_add (path, Fixture, NULL, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("/access/check", test_check);
  ADD ("/access/set-data", test_set_data);
  ADD ("/access/watched", test_watched);
  ADD ("/access/reload", test_reload);
  ADD ("/access/private", test_private);
  ADD ("/access/no-file", test_no_file);
  g_test_add_func ("/access/names", test_names);
  return g_test_run ();
}
