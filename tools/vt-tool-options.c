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

#include "vt-tool-log.h"

static void
add_common_entries (GOptionContext *context, VtToolCommon *common, gboolean has_json)
{
  const GOptionEntry entries[] = {
    { "json", 'j', has_json ? 0 : G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_NONE, &common->json,
      N_ ("Print events for scripts, one JSON object a line"), NULL },
    { "quiet", 'q', 0, G_OPTION_ARG_NONE, &common->quiet, N_ ("Say nothing but errors"), NULL },
    { "verbose", 'v', 0, G_OPTION_ARG_NONE, &common->verbose, N_ ("Say more, with times"), NULL },
    { "help", 'h', 0, G_OPTION_ARG_NONE, &common->help, N_ ("Show this help"), NULL },
    G_OPTION_ENTRY_NULL,
  };

  g_option_context_add_main_entries (context, has_json ? entries : entries + 1, GETTEXT_PACKAGE);
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
check_common (const VtToolHelp *help, VtToolCommon *common, char **argv, GError **error)
{
  if (!take_name (help, common, argv, error))
    return FALSE;
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

gboolean
vt_tool_options_parse (const VtToolHelp *help,
                       const GOptionEntry *entries,
                       gboolean has_json,
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
  add_common_entries (context, common, has_json);

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
  if (!check_common (help, common, rest, error))
    return FALSE;
  if (common->quiet)
    vt_tool_log_set_level (VT_TOOL_LOG_QUIET);
  if (common->verbose)
    vt_tool_log_set_level (VT_TOOL_LOG_VERBOSE);
  return TRUE;
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
