/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-access-file-private.h"

#include <string.h>

#include <glib/gi18n-lib.h>
#include "vt-error.h"

#include "vt-access-file-values-private.h"
#include "vt-text-private.h"

#define GROUP_PREFIX "client "

/* The names in the file, line by line: GKeyFile takes the last of two equal keys, and puts two
 * equal groups together, without a word. */
typedef struct {
  GHashTable *groups; /* owned, set of names of groups */
  GHashTable *keys;   /* owned, set of keys of the group */
  unsigned int line;
} Scan;

static void
set_line_error (const Scan *scan, GError **error, const char *what, const char *text)
{
  g_autofree char *escaped = vt_text_escape (text, -1);

  g_set_error (error, VT_ERROR, VT_ERROR_INVALID_ARGUMENT, _ ("line %u: %s: “%s”"), scan->line,
               what, escaped);
}

static gboolean
scan_group (Scan *scan, char *line, GError **error)
{
  size_t length = strlen (line);
  const char *name = line + 1;

  if (line[length - 1] == ']')
    line[length - 1] = '\0';
  if (!g_str_has_prefix (name, GROUP_PREFIX)
      || !vt_access_name_is_valid (name + strlen (GROUP_PREFIX)))
    {
      set_line_error (scan, error,
                      _ ("a group is [client NAME], where the name is 1 to 32 of a-z, 0-9 and “-”"),
                      name);
      return FALSE;
    }
  if (!g_hash_table_add (scan->groups, g_strdup (name)))
    {
      set_line_error (scan, error, _ ("this group is there twice"), name);
      return FALSE;
    }
  g_hash_table_remove_all (scan->keys);
  return TRUE;
}

static gboolean
scan_key (Scan *scan, char *line, GError **error)
{
  char *end = strchr (line, '=');

  if (end == NULL)
    {
      g_set_error (error, VT_ERROR, VT_ERROR_INVALID_ARGUMENT,
                   _ ("line %u: neither a group, nor a key with a value, nor a comment"),
                   scan->line);
      return FALSE;
    }
  *end = '\0';
  g_strchomp (line);
  if (g_hash_table_size (scan->groups) == 0)
    set_line_error (scan, error, _ ("this key stands before the first group"), line);
  else if (!vt_access_file_is_key (line))
    set_line_error (scan, error, _ ("there is no such key"), line);
  else if (!g_hash_table_add (scan->keys, g_strdup (line)))
    set_line_error (scan, error, _ ("this key is there twice in its group"), line);
  else
    return TRUE;
  return FALSE;
}

static gboolean
scan_lines (Scan *scan, const char *data, GError **error)
{
  g_auto(GStrv) lines = g_strsplit (data, "\n", -1);

  for (size_t i = 0; lines[i] != NULL; i++)
    {
      char *line = g_strstrip (lines[i]);

      scan->line = (unsigned int) i + 1;
      if (*line == '\0' || *line == '#')
        continue;
      if (!(*line == '[' ? scan_group (scan, line, error) : scan_key (scan, line, error)))
        return FALSE;
    }
  return TRUE;
}

static gboolean
check_names (const char *data, GError **error)
{
  Scan scan = {
    .groups = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL),
    .keys = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL),
  };
  gboolean good = scan_lines (&scan, data, error);

  g_hash_table_unref (scan.groups);
  g_hash_table_unref (scan.keys);
  return good;
}

static gboolean
check_text (const char *data, size_t length, GError **error)
{
  if (length > VT_ACCESS_FILE_MAX)
    g_set_error (error, VT_ERROR, VT_ERROR_INVALID_ARGUMENT,
                 _ ("this is too long for an access file: %zu bytes"), length);
  else if (!g_utf8_validate_len (data, length, NULL))
    g_set_error_literal (error, VT_ERROR, VT_ERROR_INVALID_ARGUMENT,
                         _ ("this is no text in UTF-8"));
  else
    return TRUE;
  return FALSE;
}

static GHashTable *
read_entries (GKeyFile *file, GError **error)
{
  g_autoptr(GHashTable) entries =
      g_hash_table_new_full (g_str_hash, g_str_equal, NULL, (GDestroyNotify) vt_access_entry_unref);
  g_auto(GStrv) groups = g_key_file_get_groups (file, NULL);

  for (size_t i = 0; groups[i] != NULL; i++)
    {
      VtAccessEntry *entry = vt_access_entry_new (groups[i] + strlen (GROUP_PREFIX));

      g_hash_table_insert (entries, entry->name, entry);
      if (!vt_access_file_read_entry (file, groups[i], entry, error))
        return NULL;
    }
  return g_steal_pointer (&entries);
}

GHashTable *
vt_access_file_parse (const char *data, size_t length, GError **error)
{
  g_autoptr(GKeyFile) file = g_key_file_new ();
  g_autoptr(GError) reason = NULL;
  g_autofree char *text = NULL;

  if (!check_text (data, length, error))
    return NULL;
  text = g_strndup (data, length);
  if (!check_names (text, error))
    return NULL;
  /* An empty file is one that lets nobody in; GKeyFile would find it faulty. */
  if (length > 0 && !g_key_file_load_from_data (file, text, length, G_KEY_FILE_NONE, &reason))
    {
      g_autofree char *escaped = vt_text_escape (reason->message, -1);

      g_set_error (error, VT_ERROR, VT_ERROR_INVALID_ARGUMENT, _ ("this is no key file: %s"),
                   escaped);
      return NULL;
    }
  return read_entries (file, error);
}
