/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-tool-log.h"

#include <string.h>
#include <unistd.h>

#include "vt-tool-text.h"

#define RED "\033[1;31m"
#define DIM "\033[2m"
#define PLAIN "\033[0m"

/* Where the journal reads along: of what importance the line is (sd-daemon(3)). */
#define JOURNAL_ERROR "<3>"

/* There is one standard error, and GLib has one writer for all threads. */
static VtToolLogLevel log_level = VT_TOOL_LOG_NORMAL;
static gboolean use_colour = FALSE;
static gboolean in_journal = FALSE;

static void
write_line (const char *before, const char *colour, const char *message)
{
  /* The library escapes what a peer says; this is for what comes by any other way. */
  g_autofree char *line = vt_tool_text_clean (message);
  g_autofree char *text = NULL;

  if (!use_colour || colour == NULL)
    text = g_strconcat (before, line, "\n", NULL);
  else if (before[0] != '\0')
    text = g_strconcat (colour, before, PLAIN, line, "\n", NULL);
  else
    text = g_strconcat (colour, line, PLAIN "\n", NULL);
  vt_tool_print (stderr, text);
}

static const char *
find_field (const GLogField *fields, size_t n_fields, const char *key)
{
  for (size_t i = 0; i < n_fields; i++)
    {
      if (strcmp (fields[i].key, key) == 0 && fields[i].length < 0)
        return fields[i].value;
    }
  return NULL;
}

static gboolean
is_dropped (GLogLevelFlags level, const char *domain)
{
  if (level & G_LOG_LEVEL_MESSAGE)
    return log_level == VT_TOOL_LOG_QUIET;
  if (log_level == VT_TOOL_LOG_VERBOSE && g_strcmp0 (domain, G_LOG_DOMAIN) == 0)
    return FALSE;
  return g_log_writer_default_would_drop (level, domain);
}

/* A warning is a mistake of a program, not news for its user: GLib's own writer tells it, and ends
 * the process where G_DEBUG asks for that. */
static GLogWriterOutput
writer_cb (GLogLevelFlags level, const GLogField *fields, size_t n_fields, void *user_data)
{
  const char *domain = find_field (fields, n_fields, "GLIB_DOMAIN");
  const char *message = find_field (fields, n_fields, "MESSAGE");
  g_autoptr(GDateTime) now = NULL;
  g_autofree char *before = NULL;

  if (level & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_WARNING))
    return g_log_writer_default (level, fields, n_fields, user_data);
  if (message == NULL || is_dropped (level, domain))
    return G_LOG_WRITER_HANDLED;

  if (log_level == VT_TOOL_LOG_VERBOSE)
    {
      now = g_date_time_new_now_local ();
      before = g_date_time_format (now, "%H:%M:%S.%f ");
    }
  write_line (before != NULL ? before : "",
              before != NULL || !(level & G_LOG_LEVEL_MESSAGE) ? DIM : NULL, message);
  return G_LOG_WRITER_HANDLED;
}

gboolean
vt_tool_log_wants_colour (int fd)
{
  const char *no_colour = g_getenv ("NO_COLOR");
  const char *term = g_getenv ("TERM");

  if (no_colour != NULL && no_colour[0] != '\0')
    return FALSE;
  return isatty (fd) && term != NULL && strcmp (term, "dumb") != 0;
}

void
vt_tool_log_init (void)
{
  use_colour = vt_tool_log_wants_colour (STDERR_FILENO);
  in_journal = g_log_writer_is_journald (STDERR_FILENO);
  g_log_set_writer_func (writer_cb, NULL, NULL);
}

void
vt_tool_log_set_level (VtToolLogLevel level)
{
  log_level = level;
}

gboolean
vt_tool_log_has_info (void)
{
  return !is_dropped (G_LOG_LEVEL_INFO, G_LOG_DOMAIN);
}

void
vt_tool_log_error (const char *message)
{
  write_line (in_journal ? JOURNAL_ERROR "vtunnel-tool: " : "vtunnel-tool: ", RED, message);
}

void
vt_tool_log_prompt (const char *prompt)
{
  g_autofree char *text = vt_tool_text_clean (prompt);

  vt_tool_print (stderr, text);
}

/* For a terminal that does not know UTF-8. */
static char *
convert (const char *text, const char *charset)
{
  static const char *const nearest[][2] = { { "…", "..." }, { "→", "->" }, { "„", "\"" },
                                            { "“", "\"" },  { "”", "\"" }, { "’", "'" } };
  g_autoptr(GString) plain = g_string_new (text);

  for (size_t i = 0; i < G_N_ELEMENTS (nearest); i++)
    g_string_replace (plain, nearest[i][0], nearest[i][1], 0);
  return g_convert_with_fallback (plain->str, -1, charset, "UTF-8", "?", NULL, NULL, NULL);
}

void
vt_tool_print (FILE *stream, const char *text)
{
  const char *charset = NULL;
  g_autofree char *converted = NULL;

  if (!g_get_charset (&charset))
    converted = convert (text, charset);
  fputs (converted != NULL ? converted : text, stream);
  fflush (stream);
}
