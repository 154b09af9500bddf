/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-tool-config-scan.h"

#include <glib/gi18n.h>
#include <string.h>

#include "vt-tool-guess.h"

typedef struct {
  const VtToolConfig *config; /* not owned */
  GPtrArray *faults;          /* not owned */
  GHashTable *groups;         /* owned, set of names of groups */
  GHashTable *keys;           /* owned, set of keys of the group */
  char *group;                /* owned, NULL in one that is not known, or before the first */
  gboolean has_group;         /* one is there, if only one that is not known */
  unsigned int line;
} Scan;

void
vt_tool_config_add_fault (GPtrArray *faults,
                          const char *path,
                          unsigned int line,
                          const char *group,
                          const char *key,
                          char *problem)
{
  g_autofree char *name = g_filename_display_name (path);
  g_autoptr(GString) text = g_string_new (name);

  if (line > 0)
    g_string_append_printf (text, _ (", line %u"), line);
  g_string_append (text, ": ");
  if (group != NULL)
    g_string_append_printf (text, "[%s]%s", group, key != NULL ? " " : ": ");
  if (key != NULL)
    g_string_append_printf (text, "%s: ", key);
  g_string_append (text, problem);
  g_free (problem);
  g_ptr_array_add (faults,
                   g_error_new_literal (G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, text->str));
}

static void
add_fault (Scan *scan, const char *key, char *problem)
{
  vt_tool_config_add_fault (scan->faults, scan->config->path, scan->line, scan->group, key,
                            problem);
}

static gboolean
has_forwards (const VtToolConfig *config)
{
  return vt_tool_config_find (config, VT_TOOL_CONFIG_FORWARD) != NULL;
}

static gboolean
is_forward_group (const char *name)
{
  return g_str_has_prefix (name, VT_TOOL_CONFIG_FORWARD_GROUP)
         && name[strlen (VT_TOOL_CONFIG_FORWARD_GROUP)] != '\0';
}

static char *
describe_unknown_group (const VtToolConfig *config, const char *name)
{
  if (has_forwards (config))
    return g_strdup_printf (
        _ ("there is no group [%s] here; the groups are [%s], and [forward NAME] for each forward"),
        name, config->group);
  return g_strdup_printf (_ ("there is no group [%s] here; the group is [%s]"), name,
                          config->group);
}

static void
scan_group (Scan *scan, char *line)
{
  size_t length = strlen (line);
  const char *name = line + 1;

  scan->has_group = TRUE;
  g_clear_pointer (&scan->group, g_free);
  g_hash_table_remove_all (scan->keys);
  if (line[length - 1] != ']')
    {
      add_fault (scan, NULL, g_strdup (_ ("a group ends with “]”")));
      return;
    }
  line[length - 1] = '\0';
  if (!g_str_equal (name, scan->config->group)
      && !(has_forwards (scan->config) && is_forward_group (name)))
    add_fault (scan, NULL, describe_unknown_group (scan->config, name));
  else if (!g_hash_table_add (scan->groups, g_strdup (name)))
    add_fault (scan, NULL, g_strdup_printf (_ ("the group [%s] is there twice"), name));
  else
    scan->group = g_strdup (name);
}

static char *
describe_unknown_key (const VtToolConfig *config, const char *key)
{
  VtToolGuess guess = VT_TOOL_GUESS_NONE;

  for (size_t i = 0; i < G_N_ELEMENTS (config->tables); i++)
    for (const GOptionEntry *entry = config->tables[i]; entry != NULL && entry->long_name != NULL;
         entry++)
      if (vt_tool_config_find (config, entry->long_name) != NULL)
        vt_tool_guess_look (&guess, key, entry->long_name);
  if (guess.best != NULL)
    return g_strdup_printf (_ ("there is no such key; did you mean “%s”?"), guess.best);
  return g_strdup (_ ("there is no such key; the keys are the long options of the command"));
}

/* What a key of a forward means is the grammar's to know. */
static void
scan_key (Scan *scan, char *line)
{
  char *end = strchr (line, '=');

  if (end == NULL)
    {
      add_fault (scan, NULL,
                 g_strdup (_ ("neither a group, nor a key with a value, nor a comment")));
      return;
    }
  *end = '\0';
  g_strchomp (line);
  /* Of a group that is not known it was said already. */
  if (!scan->has_group)
    add_fault (scan, line,
               g_strdup_printf (_ ("it stands before the first group, [%s]"), scan->config->group));
  if (scan->group == NULL)
    return;
  if (!g_hash_table_add (scan->keys, g_strdup (line)))
    add_fault (scan, line, g_strdup (_ ("it is there twice in its group")));
  else if (g_str_equal (scan->group, scan->config->group)
           && vt_tool_config_find (scan->config, line) == NULL)
    add_fault (scan, line, describe_unknown_key (scan->config, line));
}

static void
scan_line (Scan *scan, char *line)
{
  scan->line++;
  g_strstrip (line);
  if (line[0] == '\0' || line[0] == '#')
    return;
  if (line[0] == '[')
    scan_group (scan, line);
  else
    scan_key (scan, line);
}

void
vt_tool_config_scan (const VtToolConfig *config, const char *text, GPtrArray *faults)
{
  g_auto(GStrv) lines = g_strsplit (text, "\n", -1);
  Scan scan = {
    .config = config,
    .faults = faults,
    .groups = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL),
    .keys = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL),
  };

  for (size_t i = 0; lines[i] != NULL; i++)
    scan_line (&scan, lines[i]);
  g_hash_table_unref (scan.groups);
  g_hash_table_unref (scan.keys);
  g_free (scan.group);
}
