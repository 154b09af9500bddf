/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-tool-options.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vt-tool-config.h"
#include "vt-tool-log.h"

/* Where systemd puts the credentials of its services. */
#define CREDENTIALS "/run/credentials/"
#define N_COMMON_ENTRIES 7
/* The first ones are of those commands alone that can be configured by a file. */
#define N_CONFIGURED_ENTRIES 3

static void
fill_common_entries (GOptionEntry *entries, VtToolCommon *common)
{
  const GOptionEntry filled[N_COMMON_ENTRIES] = {
    { "config", 'c', 0, G_OPTION_ARG_FILENAME, &common->config,
      N_ ("Take options from this file, too"), N_ ("FILE") },
    { "check-config", 0, 0, G_OPTION_ARG_NONE, &common->check_config,
      N_ ("Say what is wrong with them, and end"), NULL },
    { "json", 'j', 0, G_OPTION_ARG_NONE, &common->json,
      N_ ("Print events for scripts, one JSON object a line"), NULL },
    { "quiet", 'q', 0, G_OPTION_ARG_NONE, &common->quiet, N_ ("Say nothing but errors"), NULL },
    { "verbose", 'v', 0, G_OPTION_ARG_NONE, &common->verbose, N_ ("Say more, with times"), NULL },
    { "help", 'h', 0, G_OPTION_ARG_NONE, &common->help, N_ ("Show this help"), NULL },
    G_OPTION_ENTRY_NULL,
  };

  memcpy (entries, filled, sizeof filled);
}

/* GLib says what was wrong; this adds where to read what would be right. */
static void
add_hint (const VtToolHelp *help, GError **error)
{
  g_autofree char *message = NULL;

  if (error == NULL || *error == NULL)
    return;
  message = g_steal_pointer (&(*error)->message);
  (*error)->message = g_strdup_printf (_ ("%s; see “%s --help”"), message, help->name);
}

/* What is no option: at most one name, behind "--" if it looks like an option. */
static gboolean
take_name (const VtToolHelp *help, VtToolCommon *common, char **argv, GError **error)
{
  char **rest = argv + 1;

  if (rest[0] != NULL && strcmp (rest[0], "--") == 0)
    rest++;
  if (help->operand != VT_TOOL_OPERAND_NONE && rest[0] != NULL)
    {
      common->name = g_locale_to_utf8 (*rest++, -1, NULL, NULL, NULL);
      if (common->name == NULL)
        {
          g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                       _ ("The name is no text in this terminal's encoding"));
          return FALSE;
        }
    }
  if (rest[0] != NULL)
    {
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
                   _ ("Unexpected argument “%s”; see “%s --help”"), rest[0], help->name);
      return FALSE;
    }
  if (common->name != NULL ? common->name[0] == '\0' : help->operand == VT_TOOL_OPERAND_NAME)
    {
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
                   _ ("The name of a tunnel is missing; see “%s --help”"), help->name);
      return FALSE;
    }
  return TRUE;
}

static gboolean
check_common (VtToolCommon *common, GError **error)
{
  if (common->quiet && common->verbose)
    {
      g_set_error_literal (error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
                           _ ("--quiet and --verbose exclude each other: give one of them"));
      return FALSE;
    }
  return TRUE;
}

static void
print_help (GOptionContext *context)
{
  g_autofree char *text = g_option_context_get_help (context, FALSE, NULL);

  vt_tool_print (stdout, text);
}

/* One paragraph is translated when it is shown; of two, each is a text of its own. */
static void
set_description (GOptionContext *context, const VtToolHelp *help)
{
  g_autofree char *both = NULL;

  if (help->more != NULL)
    both = g_strconcat (_ (help->description), "\n\n", _ (help->more), NULL);
  g_option_context_set_description (context, both != NULL ? both : help->description);
}

static gboolean
parse_line (const VtToolHelp *help,
            const GOptionEntry *entries,
            const GOptionEntry *common_entries,
            char **argv,
            VtToolCommon *common,
            GError **error)
{
  g_autoptr(GOptionContext) context = g_option_context_new (help->arguments);
  g_auto(GStrv) rest = g_strdupv (argv);

  g_set_prgname (help->name);
  g_option_context_set_translation_domain (context, GETTEXT_PACKAGE);
  g_option_context_set_help_enabled (context, FALSE);
  g_option_context_set_summary (context, help->summary);
  set_description (context, help);
  g_option_context_add_main_entries (context, entries, GETTEXT_PACKAGE);
  g_option_context_add_main_entries (context, common_entries, GETTEXT_PACKAGE);

  if (!g_option_context_parse_strv (context, &rest, error))
    {
      add_hint (help, error);
      return FALSE;
    }
  if (common->help)
    {
      print_help (context);
      return TRUE;
    }
  return take_name (help, common, rest, error) && check_common (common, error);
}

void
vt_tool_options_apply_log (const VtToolCommon *common)
{
  if (common->quiet)
    vt_tool_log_set_level (VT_TOOL_LOG_QUIET);
  else if (common->verbose)
    vt_tool_log_set_level (VT_TOOL_LOG_VERBOSE);
  else
    vt_tool_log_set_level (VT_TOOL_LOG_NORMAL);
}

gboolean
vt_tool_options_parse (const VtToolHelp *help,
                       const GOptionEntry *entries,
                       char **argv,
                       VtToolCommon *common,
                       GError **error)
{
  GOptionEntry all[N_COMMON_ENTRIES];

  fill_common_entries (all, common);
  if (!parse_line (help, entries, all + N_CONFIGURED_ENTRIES, argv, common, error))
    return FALSE;
  if (!common->help)
    vt_tool_options_apply_log (common);
  return TRUE;
}

/* The file's say on how much is said is one: the command line's, if it has any, is all there is. */
static gboolean
read_config (VtToolConfig *config, VtToolCommon *common, GError **error)
{
  gboolean quiet = common->quiet;
  gboolean verbose = common->verbose;
  g_autoptr(GPtrArray) faults = g_ptr_array_new_with_free_func ((GDestroyNotify) g_error_free);
  gboolean known = vt_tool_config_read (config, common->taken, faults);

  if (quiet || verbose)
    {
      common->quiet = quiet;
      common->verbose = verbose;
    }
  for (unsigned int i = 0; i < faults->len; i++)
    if (!vt_tool_options_note_fault (common, g_error_copy (faults->pdata[i]), error))
      return FALSE;
  common->unread = !known;
  return check_common (common, error);
}

static void
keep_values (const VtToolConfig *config, GHashTable *values)
{
  for (size_t i = 0; i < G_N_ELEMENTS (config->tables); i++)
    for (const GOptionEntry *entry = config->tables[i]; entry->long_name != NULL; entry++)
      {
        char *value = vt_tool_config_dup_value (entry);

        if (value != NULL)
          g_hash_table_insert (values, g_strdup (entry->long_name), value);
      }
}

gboolean
vt_tool_options_parse_configured (const VtToolHelp *help,
                                  const GOptionEntry *entries,
                                  const char *group,
                                  char **argv,
                                  VtToolCommon *common,
                                  GError **error)
{
  GOptionEntry all[N_COMMON_ENTRIES];
  VtToolConfig config = { NULL, group, { entries, all } };

  fill_common_entries (all, common);
  if (!parse_line (help, entries, all, argv, common, error))
    return FALSE;
  if (common->help)
    return TRUE;
  common->group = group;
  common->taken = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  common->values = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  common->faults = g_ptr_array_new_with_free_func ((GDestroyNotify) g_error_free);
  config.path = common->config;
  if (config.path != NULL && !read_config (&config, common, error))
    return FALSE;
  keep_values (&config, common->values);
  return TRUE;
}

void
vt_tool_options_clear_common (VtToolCommon *common)
{
  g_free (common->config);
  g_clear_pointer (&common->taken, g_hash_table_unref);
  g_clear_pointer (&common->values, g_hash_table_unref);
  g_clear_pointer (&common->faults, g_ptr_array_unref);
}

/* "--port “x”: …" is "FILE: [server] port “x”: …" where the option was not on the command line. */
static void
place_fault (const VtToolCommon *common, GError *fault)
{
  g_autofree char *message = NULL;
  g_autofree char *key = NULL;
  g_autofree char *name = NULL;
  size_t length;

  if (common->config == NULL || !g_str_has_prefix (fault->message, "--"))
    return;
  length = strspn (fault->message + 2, G_CSET_a_2_z G_CSET_DIGITS "-");
  key = g_strndup (fault->message + 2, length);
  if (!g_hash_table_contains (common->taken, key))
    return;
  message = g_steal_pointer (&fault->message);
  name = g_filename_display_name (common->config);
  fault->message = g_strdup_printf ("%s: [%s] %s", name, common->group, message + 2);
}

gboolean
vt_tool_options_note_fault (VtToolCommon *common, GError *reason, GError **error)
{
  place_fault (common, reason);
  if (common->unread)
    {
      g_error_free (reason);
      return TRUE;
    }
  if (common->check_config)
    {
      g_ptr_array_add (common->faults, reason);
      return TRUE;
    }
  g_propagate_error (error, reason);
  return FALSE;
}

static gboolean
parse_number (const char *option,
              const char *text,
              unsigned int min,
              unsigned int max,
              guint64 *number,
              GError **error)
{
  if (g_ascii_string_to_unsigned (text, 10, min, max, number, NULL))
    return TRUE;
  g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
               _ ("%s “%s”: a number from %u to %u is needed"), option, text, min, max);
  return FALSE;
}

gboolean
vt_tool_options_port (const char *option,
                      const char *text,
                      guint16 fallback,
                      guint16 *port,
                      GError **error)
{
  guint64 number = fallback;

  if (text != NULL && !parse_number (option, text, 0, G_MAXUINT16, &number, error))
    return FALSE;
  *port = number;
  return TRUE;
}

gboolean
vt_tool_options_set_number (const char *option,
                            const char *text,
                            GObject *object,
                            const char *property,
                            GError **error)
{
  GParamSpec *pspec = g_object_class_find_property (G_OBJECT_GET_CLASS (object), property);
  guint64 number = 0;

  g_assert (G_IS_PARAM_SPEC_UINT (pspec));
  if (text == NULL)
    return TRUE;
  if (!parse_number (option, text, G_PARAM_SPEC_UINT (pspec)->minimum,
                     G_PARAM_SPEC_UINT (pspec)->maximum, &number, error))
    return FALSE;
  g_object_set (object, property, (unsigned int) number, NULL);
  return TRUE;
}

gboolean
vt_tool_options_set_seconds (const char *option,
                             const char *text,
                             GObject *object,
                             const char *property,
                             GError **error)
{
  GParamSpec *pspec = g_object_class_find_property (G_OBJECT_GET_CLASS (object), property);
  double min = G_PARAM_SPEC_DOUBLE (pspec)->minimum;
  double max = G_PARAM_SPEC_DOUBLE (pspec)->maximum;
  char *end = NULL;
  double seconds;

  if (text == NULL)
    return TRUE;
  seconds = g_ascii_strtod (text, &end);
  if (g_ascii_isdigit (text[0]) && *end == '\0' && seconds >= min && seconds <= max)
    {
      g_object_set (object, property, seconds, NULL);
      return TRUE;
    }
  g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
               _ ("%s “%s”: seconds are needed, from %g to %g"), option, text, min, max);
  return FALSE;
}

gboolean
vt_tool_options_check_file (const char *option, const char *path, GError **error)
{
  g_autofree char *name = g_filename_display_name (path);
  struct stat status;
  int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  int problem = errno;

  if (fd >= 0)
    {
      problem = fstat (fd, &status) == 0 && S_ISDIR (status.st_mode) ? EISDIR : 0;
      close (fd);
    }
  if (problem == 0)
    return TRUE;
  g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (problem),
               _ ("%s “%s” cannot be read: %s"), option, name, g_strerror (problem));
  return FALSE;
}

gboolean
vt_tool_options_is_out_of_sight (const VtToolCommon *common, const char *path)
{
  g_autofree char *name = NULL;

  if (!common->check_config || path == NULL || !g_str_has_prefix (path, CREDENTIALS)
      || access (path, R_OK) == 0)
    return FALSE;
  name = g_filename_display_name (path);
  g_message (_ ("“%s” is there only for the service itself, and was not looked at"), name);
  return TRUE;
}
