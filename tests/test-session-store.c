/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vts-file.h"
#include "vts-store.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scratch.h"

/* What was logged; GLib has one writer. */
static GString *logged;

static GLogWriterOutput
writer_cb (GLogLevelFlags level, const GLogField *fields, size_t n_fields, void *user_data)
{
  if (!(level & G_LOG_LEVEL_MESSAGE))
    return g_log_writer_default (level, fields, n_fields, user_data);
  for (size_t i = 0; i < n_fields; i++)
    if (strcmp (fields[i].key, "MESSAGE") == 0)
      g_string_append_printf (logged, "%s\n", (const char *) fields[i].value);
  return G_LOG_WRITER_HANDLED;
}

static void
assert_logged (const char *pattern)
{
  if (!g_pattern_match_simple (pattern, logged->str))
    g_error ("not logged: %s, but: %s", pattern, logged->str);
  g_string_truncate (logged, 0);
}

typedef struct {
  char *scratch;   /* owned */
  char *folder;    /* owned, where the store is; not there at first */
  VtsStore *store; /* owned */
} Fixture;

static void
set_up (Fixture *self, const void *data)
{
  self->scratch = g_dir_make_tmp ("session-store-XXXXXX", NULL);
  self->folder = g_build_filename (self->scratch, "config", "tunnels", NULL);
  self->store = vts_store_new (self->folder);
}

static void
tear_down (Fixture *self, const void *data)
{
  vts_store_free (self->store);
  scratch_remove (self->scratch);
  g_free (self->folder);
  g_free (self->scratch);
}

static VtsSettings *
new_settings (const char *name)
{
  VtsSettings *settings = vts_settings_new ("wss://example.org/", NULL);
  g_autoptr(GPtrArray) forwards = g_ptr_array_new ();
  const VtsForwardOptions options = { "example.org", 2, "x-forwarded", TRUE, 86400 };
  g_autoptr(VtsForward) one = vts_forward_new ("9000", "localhost:3000", &options, NULL);
  g_autoptr(VtsForward) two = vts_forward_new ("[::1]:9001", "unix:/run/a;b=c", NULL, NULL);

  g_ptr_array_add (forwards, one);
  g_ptr_array_add (forwards, two);
  g_assert_true (vts_settings_set_name (settings, name, NULL));
  g_assert_true (vts_settings_set_forwards (settings, forwards, NULL));
  settings->autoconnect = TRUE;
  settings->storage = VTS_STORAGE_KEYRING;
  return settings;
}

static void
save (Fixture *self, const char *id)
{
  g_autoptr(VtsSettings) settings = new_settings (id);
  g_autoptr(GError) error = NULL;

  vts_store_save (self->store, id, settings, &error);
  g_assert_no_error (error);
}

static void
write_file (Fixture *self, const char *name, const char *contents, gssize length)
{
  g_autofree char *path = g_build_filename (self->folder, name, NULL);

  g_mkdir_with_parents (self->folder, 0700);
  g_assert_true (g_file_set_contents (path, contents, length, NULL));
}

static gboolean
exists (Fixture *self, const char *name)
{
  g_autofree char *path = g_build_filename (self->folder, name, NULL);
  GStatBuf status;

  return g_lstat (path, &status) == 0;
}

/* What is in the way was set aside, and what is good was loaded. */
static void
assert_set_aside (Fixture *self, const char *name)
{
  g_autofree char *aside = g_strconcat (name, ".damaged-1", NULL);
  g_autoptr(GPtrArray) all = NULL;

  save (self, "good");
  all = vts_store_load (self->store, 256);
  assert_logged ("*left out*damaged-1\n");
  g_assert_cmpuint (all->len, ==, 1);
  g_assert_cmpstr (((VtsStored *) all->pdata[0])->id, ==, "good");
  g_assert_false (exists (self, name));
  g_assert_true (exists (self, aside));
}

static void
test_nothing_there (Fixture *self, const void *data)
{
  g_autoptr(GPtrArray) all = vts_store_load (self->store, 256);

  g_assert_cmpuint (all->len, ==, 0);
  g_assert_true (vts_store_remove (self->store, "none", NULL));
}

static void
test_comes_back (Fixture *self, const void *data)
{
  g_autoptr(VtsSettings) settings = new_settings ("Büro = 1; [x]\\");
  g_autoptr(GPtrArray) all = NULL;
  VtsStored *stored = NULL;

  g_assert_true (vts_store_save (self->store, "b", settings, NULL));
  save (self, "a");
  all = vts_store_load (self->store, 256);
  g_assert_cmpuint (all->len, ==, 2);
  stored = all->pdata[1];
  g_assert_cmpstr (stored->id, ==, "b");
  g_assert_true (vts_settings_equal (stored->settings, settings));
  g_assert_true (vts_store_remove (self->store, "b", NULL));
  g_ptr_array_unref (g_steal_pointer (&all));
  all = vts_store_load (self->store, 256);
  g_assert_cmpuint (all->len, ==, 1);
}

static mode_t
get_mode (const char *path)
{
  GStatBuf status;

  g_assert_cmpint (g_stat (path, &status), ==, 0);
  return status.st_mode & 07777;
}

static void
test_modes (Fixture *self, const void *data)
{
  static const mode_t masks[] = { 0000, 0022, 0277, 0777 };
  g_autofree char *path = g_build_filename (self->folder, "a.tunnel", NULL);

  for (size_t i = 0; i < G_N_ELEMENTS (masks); i++)
    {
      mode_t before = umask (masks[i]);

      save (self, "a");
      umask (before);
      g_assert_cmpint (get_mode (self->folder), ==, 0700);
      g_assert_cmpint (get_mode (path), ==, 0600);
      scratch_remove (self->folder);
    }

  /* What was wider before is narrow afterwards. */
  g_mkdir (self->folder, 0755);
  write_file (self, "a.tunnel", "", 0);
  g_chmod (path, 0666);
  save (self, "a");
  g_assert_cmpint (get_mode (self->folder), ==, 0700);
  g_assert_cmpint (get_mode (path), ==, 0600);
}

static void
test_damaged (Fixture *self, const void *data)
{
  static const char *const cases[] = {
    "",
    "no key file",
    "[Tunnel]\nName=x\n",
    "[Tunnel]\nUri=ftp://x/\n",
    "[Tunnel]\nUri=wss://me:secret@x/\n",
    "[Tunnel]\nUri=wss://x/\nAutoconnect=perhaps\n",
    "[Tunnel]\nUri=wss://x/\nTokenIn=pocket\n",
    "[Tunnel]\nUri=wss://x/\nName=\xff\n",
    "[Tunnel]\nUri=wss://x/\n[Forward 1]\nListen=1\n",
    "[Tunnel]\nUri=wss://x/\n[Forward 1]\nListen=1\nTarget=localhost:1\nProxyProtocol=-1\n",
    "[Tunnel]\nUri=wss://x/\n[Forward 1]\nListen=1\nTarget=localhost:1\nForwarded=x\n",
    "[Tunnel]\nUri=wss://x/\n[Forward 1]\nListen=1\nTarget=localhost:1\nHttp=perhaps\n",
    "[Tunnel]\nUri=wss://x/\n[Forward 1]\nListen=1\nTarget=localhost:1\nHealth=-1\n",
    "[Tunnel]\nUri=wss://x/\n[Forward 1]\nListen=1\nTarget=localhost:1\nHealth=soon\n",
    "[Tunnel]\nUri=wss://x/\n[Forward 1]\nListen=1=2,proxy-protocol=1\nTarget=localhost:1\n",
    "[Tunnel]\nUri=wss://x/\n[Forward 1]\nListen=1\nTarget=localhost:1\nHostHeader=a b\n",
  };

  for (size_t i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      write_file (self, "bad.tunnel", cases[i], -1);
      assert_set_aside (self, "bad.tunnel");
      scratch_remove (self->folder);
    }
}

static void
test_binary (Fixture *self, const void *data)
{
  static const char nul[] = "[Tunnel]\nUri=wss://x/\n\0Name=hidden\n";

  write_file (self, "bad.tunnel", nul, sizeof nul - 1);
  assert_set_aside (self, "bad.tunnel");
}

static void
test_huge (Fixture *self, const void *data)
{
  g_autofree char *huge = g_strnfill (1024 * 1024, '#');

  memcpy (huge, "[Tunnel]\nUri=wss://x/\n", strlen ("[Tunnel]\nUri=wss://x/\n"));
  write_file (self, "bad.tunnel", huge, -1);
  assert_set_aside (self, "bad.tunnel");
}

static void
test_too_many_forwards (Fixture *self, const void *data)
{
  g_autoptr(GString) text = g_string_new ("[Tunnel]\nUri=wss://x/\n");

  for (unsigned int i = 1; i <= VTS_MAX_FORWARDS + 1; i++)
    g_string_append_printf (text, "[Forward %u]\nListen=0\nTarget=localhost:1\n", i);
  write_file (self, "bad.tunnel", text->str, -1);
  assert_set_aside (self, "bad.tunnel");
}

static void
test_no_file_at_all (Fixture *self, const void *data)
{
  g_autofree char *path = g_build_filename (self->folder, "bad.tunnel", NULL);

  g_mkdir_with_parents (self->folder, 0700);
  g_assert_cmpint (g_mkdir (path, 0700), ==, 0);
  assert_set_aside (self, "bad.tunnel");
  scratch_remove (self->folder);

  g_mkdir_with_parents (self->folder, 0700);
  g_assert_cmpint (mkfifo (path, 0600), ==, 0);
  assert_set_aside (self, "bad.tunnel");
  scratch_remove (self->folder);

  g_mkdir_with_parents (self->folder, 0700);
  g_assert_cmpint (symlink ("/dev/zero", path), ==, 0);
  assert_set_aside (self, "bad.tunnel");
  scratch_remove (self->folder);

  write_file (self, "good", "[Tunnel]\nUri=wss://x/\n", -1);
  g_assert_cmpint (symlink ("good", path), ==, 0);
  assert_set_aside (self, "bad.tunnel");
}

static void
test_names (Fixture *self, const void *data)
{
  static const char *const names[] = { ".tunnel",    "..tunnel",           "A.tunnel",
                                       "a b.tunnel", "a\n\x1b[31m.tunnel", "\xff.tunnel",
                                       "a-b.tunnel" };

  for (size_t i = 0; i < G_N_ELEMENTS (names); i++)
    {
      write_file (self, names[i], "[Tunnel]\nUri=wss://x/\n", -1);
      assert_set_aside (self, names[i]);
      scratch_remove (self->folder);
    }
}

/* A file that was set aside is not overwritten by the next one. */
static void
test_all_are_kept (Fixture *self, const void *data)
{
  g_autoptr(GPtrArray) all = NULL;

  write_file (self, "bad.tunnel", "first", -1);
  assert_set_aside (self, "bad.tunnel");
  write_file (self, "bad.tunnel", "second", -1);
  all = vts_store_load (self->store, 256);
  assert_logged ("*damaged-2\n");
  g_assert_true (exists (self, "bad.tunnel.damaged-1"));
  g_assert_true (exists (self, "bad.tunnel.damaged-2"));
}

static void
test_too_many (Fixture *self, const void *data)
{
  g_autoptr(GPtrArray) all = NULL;

  save (self, "a");
  save (self, "b");
  save (self, "c");
  all = vts_store_load (self->store, 2);
  assert_logged ("*more tunnels than 2*\n");
  g_assert_cmpuint (all->len, ==, 2);
  g_assert_true (exists (self, "c.tunnel"));
}

static void
add (const char *path, void (*test) (Fixture *, const void *))
{
  g_test_add (path, Fixture, NULL, set_up, test, tear_down);
}

int
main (int argc, char **argv)
{
  int status;

  g_test_init (&argc, &argv, NULL);
  logged = g_string_new (NULL);
  g_log_set_writer_func (writer_cb, NULL, NULL);
  add ("/session-store/nothing-there", test_nothing_there);
  add ("/session-store/comes-back", test_comes_back);
  add ("/session-store/modes", test_modes);
  add ("/session-store/too-many", test_too_many);
  add ("/session-store/hostile/damaged", test_damaged);
  add ("/session-store/hostile/binary", test_binary);
  add ("/session-store/hostile/huge", test_huge);
  add ("/session-store/hostile/too-many-forwards", test_too_many_forwards);
  add ("/session-store/hostile/no-file", test_no_file_at_all);
  add ("/session-store/hostile/names", test_names);
  add ("/session-store/hostile/all-are-kept", test_all_are_kept);
  status = g_test_run ();
  g_string_free (logged, TRUE);
  return status;
}
