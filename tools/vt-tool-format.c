/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-tool-format.h"

#include <glib/gi18n.h>
#include <string.h>

char *
vt_tool_format_bytes (guint64 bytes)
{
  static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB" };
  double value = (double) bytes;
  size_t unit = 0;

  if (bytes < 1000)
    return g_strdup_printf ("%u B", (unsigned int) bytes);
  /* What would be rounded to 1000 is 1.0 of the next unit. */
  for (; value >= 999.5; unit++)
    value /= 1000;
  return g_strdup_printf (value < 9.95 ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

char *
vt_tool_format_rate (guint64 bytes_per_second)
{
  g_autofree char *bytes = vt_tool_format_bytes (bytes_per_second);

  return g_strconcat (bytes, "/s", NULL);
}

char *
vt_tool_format_age (gint64 microseconds)
{
  gint64 age = MAX (microseconds, 0);

  if (age < G_TIME_SPAN_MINUTE)
    return g_strdup_printf (_ ("%u s"), (unsigned int) (age / G_TIME_SPAN_SECOND));
  if (age < G_TIME_SPAN_HOUR)
    return g_strdup_printf (_ ("%u min"), (unsigned int) (age / G_TIME_SPAN_MINUTE));
  if (age < 2 * G_TIME_SPAN_DAY)
    return g_strdup_printf (_ ("%u h"), (unsigned int) (age / G_TIME_SPAN_HOUR));
  return g_strdup_printf (_ ("%u d"), (unsigned int) MIN (age / G_TIME_SPAN_DAY, 99999));
}

char *
vt_tool_format_round_trip (gint64 microseconds)
{
  if (microseconds < 0)
    return NULL;
  if (microseconds < 9950)
    return g_strdup_printf (_ ("%.1f ms"), (double) microseconds / 1000);
  return g_strdup_printf (_ ("%u ms"), (unsigned int) MIN (microseconds / 1000, 99999));
}

static char *
format_time (GDateTime *time, const char *format)
{
  return time != NULL ? g_date_time_format (time, format) : g_strdup ("?");
}

char *
vt_tool_format_time (gint64 real_time)
{
  g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc (real_time / G_TIME_SPAN_SECOND);

  return format_time (time, "%Y-%m-%dT%H:%M:%SZ");
}

char *
vt_tool_format_local_time (gint64 real_time)
{
  g_autoptr(GDateTime) time = NULL;

  if (real_time <= 0)
    return NULL;
  time = g_date_time_new_from_unix_local (real_time / G_TIME_SPAN_SECOND);
  return format_time (time, "%Y-%m-%d %H:%M:%S");
}

const char *
vt_tool_format_state (const char *state)
{
  static const char *const words[][2] = {
    { "inactive", N_ ("inactive") },   { "connecting", N_ ("connecting") },
    { "connected", N_ ("connected") }, { "waiting", N_ ("waiting") },
    { "failed", N_ ("failed") },       { "needs-secrets", N_ ("needs a token") },
    { "idle", N_ ("not requested") },  { "pending", N_ ("requested") },
    { "listening", N_ ("listening") }, { "target-down", N_ ("target down") },
  };

  for (size_t i = 0; i < G_N_ELEMENTS (words); i++)
    {
      if (strcmp (words[i][0], state) == 0)
        return _ (words[i][1]);
    }
  return state;
}

char *
vt_tool_format_code (const char *error_name)
{
  const char *dot = strrchr (error_name, '.');
  const char *word = dot != NULL ? dot + 1 : error_name;
  GString *code = g_string_new (NULL);

  for (const char *at = word; *at != '\0'; at++)
    {
      if (g_ascii_isupper (*at) && at != word)
        g_string_append_c (code, '-');
      g_string_append_c (code, g_ascii_tolower (*at));
    }
  return g_string_free (code, FALSE);
}
