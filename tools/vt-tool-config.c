/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-tool-config.h"

#include <glib/gi18n.h>
#include <string.h>
#include <vtunnel/vtunnel.h>

#include "vt-tool-config-scan.h"

/* No other file is read into memory by mistake. */
#define MAX_FILE (1024 * 1024)

typedef struct {
  const VtToolConfig *config; /* not owned */
  GKeyFile *file;             /* owned */
  char *folder;               /* owned: what relative paths begin at */
  GHashTable *taken;          /* not owned */
  GPtrArray *faults;          /* not owned */
} Reader;

/* These are about the file, or about what is to be done instead of what it is for. */
static gboolean
is_for_the_command_line (const char *name)
{
  static const char *const names[] = { "config", "check-config", "help" };

  for (size_t i = 0; i < G_N_ELEMENTS (names); i++)
    if (strcmp (names[i], name) == 0)
      return TRUE;
  return FALSE;
}

const GOptionEntry *
vt_tool_config_find (const VtToolConfig *config, const char *key)
{
  for (size_t i = 0; i < G_N_ELEMENTS (config->tables); i++)
    for (const GOptionEntry *entry = config->tables[i]; entry != NULL && entry->long_name != NULL;
         entry++)
      if (strcmp (entry->long_name, key) == 0)
        return is_for_the_command_line (key) ? NULL : entry;
  return NULL;
}

static gboolean
is_list (const GOptionEntry *entry)
{
  return entry->arg == G_OPTION_ARG_STRING_ARRAY || entry->arg == G_OPTION_ARG_FILENAME_ARRAY;
}

static gboolean
is_path (const GOptionEntry *entry)
{
  return entry->arg == G_OPTION_ARG_FILENAME || entry->arg == G_OPTION_ARG_FILENAME_ARRAY;
}

static gboolean
has_value (const GOptionEntry *entry)
{
  if (entry->arg == G_OPTION_ARG_NONE)
    return *(gboolean *) entry->arg_data;
  return *(void **) entry->arg_data != NULL;
}

char *
vt_tool_config_dup_value (const GOptionEntry *entry)
{
  if (!has_value (entry))
    return NULL;
  if (entry->arg == G_OPTION_ARG_NONE)
    return g_strdup ("true");
  if (is_list (entry))
    return g_strjoinv ("\n", *(char ***) entry->arg_data);
  return g_strdup (*(char **) entry->arg_data);
}

static void
add_fault (Reader *self, const char *group, const char *key, char *problem)
{
  vt_tool_config_add_fault (self->faults, self->config->path, 0, group, key, problem);
}

/* GLib 2.74 warns of itself where a backslash ends a value that has another fault; and of one that
 * is faulty there is a text as well. */
static char *
read_text (Reader *self, const char *group, const char *key)
{
  g_autoptr(GError) reason = NULL;
  g_autofree char *raw = g_key_file_get_value (self->file, group, key, NULL);
  g_autofree char *text = NULL;

  if (!g_str_has_suffix (raw, "\\"))
    text = g_key_file_get_string (self->file, group, key, &reason);
  if (text != NULL && reason == NULL)
    return g_steal_pointer (&text);
  add_fault (self, group, key,
             g_strdup (_ ("a backslash stands there that means nothing; “\\\\” is one itself")));
  return NULL;
}

static char **
read_list (Reader *self, const char *group, const char *key)
{
  g_autofree char *raw = g_key_file_get_value (self->file, group, key, NULL);
  g_autoptr(GError) reason = NULL;
  g_auto(GStrv) texts = NULL;

  if (!g_str_has_suffix (raw, "\\"))
    texts = g_key_file_get_string_list (self->file, group, key, NULL, &reason);
  if (texts == NULL || reason != NULL)
    {
      add_fault (self, group, key,
                 g_strdup (
                     _ ("a list is needed, with “;” between its items; in one of them, “;” is "
                        "“\\;”, and a backslash “\\\\”")));
      return NULL;
    }
  for (size_t i = 0; texts[i] != NULL; i++)
    g_strstrip (texts[i]);
  return g_steal_pointer (&texts);
}

static char *
resolve (Reader *self, const GOptionEntry *entry, char *text)
{
  char *path;

  if (!is_path (entry) || text[0] == '\0' || g_path_is_absolute (text))
    return text;
  path = g_build_filename (self->folder, text, NULL);
  g_free (text);
  return path;
}

static void
take_switch (Reader *self, const GOptionEntry *entry)
{
  const char *group = self->config->group;
  g_autoptr(GError) reason = NULL;
  gboolean value = g_key_file_get_boolean (self->file, group, entry->long_name, &reason);

  if (reason != NULL)
    add_fault (self, group, entry->long_name, g_strdup (_ ("“true” or “false” is needed")));
  else
    *(gboolean *) entry->arg_data = value;
}

static void
take_list (Reader *self, const GOptionEntry *entry)
{
  char **texts = read_list (self, self->config->group, entry->long_name);

  for (size_t i = 0; texts != NULL && texts[i] != NULL; i++)
    texts[i] = resolve (self, entry, texts[i]);
  if (texts != NULL && texts[0] == NULL)
    g_clear_pointer (&texts, g_strfreev);
  *(char ***) entry->arg_data = texts;
}

static void
take_text (Reader *self, const GOptionEntry *entry)
{
  char *text = read_text (self, self->config->group, entry->long_name);

  if (text != NULL)
    *(char **) entry->arg_data = resolve (self, entry, g_strstrip (text));
}

static void
take (Reader *self, const GOptionEntry *entry)
{
  if (vt_tool_config_find (self->config, entry->long_name) == NULL || has_value (entry)
      || !g_key_file_has_key (self->file, self->config->group, entry->long_name, NULL))
    return;
  if (entry->arg == G_OPTION_ARG_NONE)
    take_switch (self, entry);
  else if (is_list (entry))
    take_list (self, entry);
  else
    take_text (self, entry);
  g_hash_table_add (self->taken, g_strdup (entry->long_name));
}

/* Within a spec, a comma begins an option (docs/tool.md). */
static void
append_escaped (GString *spec, const char *text)
{
  for (const char *at = text; *at != '\0'; at++)
    {
      if (*at == ',' || *at == '\\')
        g_string_append_c (spec, '\\');
      g_string_append_c (spec, *at);
    }
}

static gboolean
append_key (Reader *self, GString *spec, const char *group, const char *key)
{
  g_autofree char *text = read_text (self, group, key);

  if (text == NULL)
    return FALSE;
  append_escaped (spec, g_strstrip (text));
  return TRUE;
}

static gboolean
check_forward_keys (Reader *self, const char *group)
{
  static const char *const needed[] = { "listen", "target" };
  gboolean complete = TRUE;

  for (size_t i = 0; i < G_N_ELEMENTS (needed); i++)
    {
      if (g_key_file_has_key (self->file, group, needed[i], NULL))
        continue;
      add_fault (self, group, needed[i], g_strdup (_ ("it is missing")));
      complete = FALSE;
    }
  return complete;
}

/* The group as --forward would have it: "listen=target", and all other keys behind it. */
static char *
write_spec (Reader *self, const char *group)
{
  g_autoptr(GString) spec = g_string_new (NULL);
  g_auto(GStrv) keys = g_key_file_get_keys (self->file, group, NULL, NULL);
  gboolean complete = check_forward_keys (self, group);

  if (!complete || !append_key (self, spec, group, "listen"))
    return NULL;
  g_string_append_c (spec, '=');
  complete = append_key (self, spec, group, "target");
  for (size_t i = 0; keys[i] != NULL; i++)
    {
      if (strcmp (keys[i], "listen") == 0 || strcmp (keys[i], "target") == 0)
        continue;
      g_string_append_printf (spec, ",%s=", keys[i]);
      complete = append_key (self, spec, group, keys[i]) && complete;
    }
  return complete ? g_string_free (g_steal_pointer (&spec), FALSE) : NULL;
}

static void
take_forward (Reader *self, const char *group, GStrvBuilder *specs)
{
  g_autofree char *spec = write_spec (self, group);
  g_autoptr(GError) reason = NULL;
  g_autoptr(GPtrArray) parsed = spec != NULL ? vt_forward_parse (spec, &reason) : NULL;

  if (parsed != NULL)
    g_strv_builder_add (specs, spec);
  else if (spec != NULL)
    add_fault (self, group, NULL, g_strdup (reason->message));
}

/* Behind those that the option's own key has. */
static void
take_forwards (Reader *self, const GOptionEntry *entry)
{
  g_auto(GStrv) groups = g_key_file_get_groups (self->file, NULL);
  g_autoptr(GStrvBuilder) specs = g_strv_builder_new ();
  char ***value = entry->arg_data;
  char **all;

  if (*value != NULL)
    g_strv_builder_addv (specs, (const char **) *value);
  for (size_t i = 0; groups[i] != NULL; i++)
    if (g_str_has_prefix (groups[i], VT_TOOL_CONFIG_FORWARD_GROUP))
      take_forward (self, groups[i], specs);
  all = g_strv_builder_end (specs);
  g_strfreev (*value);
  *value = all[0] != NULL ? all : NULL;
  if (all[0] == NULL)
    g_strfreev (all);
}

static void
take_all (Reader *self)
{
  const GOptionEntry *forwards = vt_tool_config_find (self->config, VT_TOOL_CONFIG_FORWARD);
  gboolean has_forwards = forwards != NULL && has_value (forwards);

  for (size_t i = 0; i < G_N_ELEMENTS (self->config->tables); i++)
    for (const GOptionEntry *entry = self->config->tables[i];
         entry != NULL && entry->long_name != NULL; entry++)
      take (self, entry);
  /* Those of the command line are in the place of all others. */
  if (forwards != NULL && !has_forwards)
    take_forwards (self, forwards);
}

/* A pipe has no folder and no second reading, but it is a fine file to check. */
static char *
load (const VtToolConfig *config, GPtrArray *faults)
{
  g_autofree char *name = g_filename_display_name (config->path);
  g_autoptr(GError) error = NULL;
  g_autofree char *text = NULL;
  size_t length = 0;

  if (!g_file_get_contents (config->path, &text, &length, &error))
    g_ptr_array_add (faults, g_steal_pointer (&error));
  else if (length > MAX_FILE || strlen (text) != length || !g_utf8_validate (text, length, NULL))
    g_ptr_array_add (faults,
                     g_error_new (G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                                  _ ("%s: this is no key file: UTF-8 text is needed"), name));
  else
    return g_steal_pointer (&text);
  return NULL;
}

gboolean
vt_tool_config_read (const VtToolConfig *config, GHashTable *taken, GPtrArray *faults)
{
  unsigned int n_before = faults->len;
  g_autofree char *text = load (config, faults);
  g_autoptr(GKeyFile) file = g_key_file_new ();
  g_autofree char *folder = g_path_get_dirname (config->path);
  Reader reader = { config, file, folder, taken, faults };
  g_autoptr(GError) error = NULL;

  if (text == NULL)
    return FALSE;
  vt_tool_config_scan (config, text, faults);
  if (g_key_file_load_from_data (file, text, strlen (text), G_KEY_FILE_NONE, &error))
    {
      take_all (&reader);
      return TRUE;
    }
  /* What GLib finds wrong, the scan has found before, and knows the line. */
  if (text[0] != '\0' && faults->len == n_before)
    add_fault (&reader, NULL, NULL, g_strdup (error->message));
  return text[0] == '\0';
}
