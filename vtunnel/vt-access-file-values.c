/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-access-file-values-private.h"

#include <string.h>

#include <gio/gio.h>
#include <glib/gi18n-lib.h>
#include "vt-error.h"

#include "vt-host-name-private.h"
#include "vt-text-private.h"

/* Says what is wrong with a value: a message in the language of people, which the caller puts
 * behind the group and the key. */
typedef gboolean (*Reader) (VtAccessEntry *entry, const char *text, char **problem);

static char **
split (const char *text)
{
  g_auto(GStrv) parts = g_strsplit (text, ";", -1);
  g_autoptr(GStrvBuilder) builder = g_strv_builder_new ();

  for (size_t i = 0; parts[i] != NULL; i++)
    if (*g_strstrip (parts[i]) != '\0')
      g_strv_builder_add (builder, parts[i]);
  return g_strv_builder_end (builder);
}

/* What is in the file stays out of the message: a token that was put there in the place of its hash
 * would come into a log. */
static gboolean
read_token (VtAccessEntry *entry, const char *text, char **problem)
{
  g_auto(GStrv) parts = split (text);
  unsigned int n_parts = g_strv_length (parts);

  if (n_parts < 1 || n_parts > VT_ACCESS_MAX_TOKENS)
    {
      *problem = g_strdup_printf (_ ("1 to %u hashes are needed, with “;” between them"),
                                  VT_ACCESS_MAX_TOKENS);
      return FALSE;
    }
  for (unsigned int i = 0; i < n_parts; i++)
    {
      VtAccessHash hash;

      if (!vt_access_hash_parse (&hash, parts[i]))
        {
          *problem = g_strdup (_ ("a hash is needed, such as “vtunnel-tool token” writes it"));
          return FALSE;
        }
      g_array_append_val (entry->hashes, hash);
    }
  return TRUE;
}

static gboolean
read_switch (const char *text, gboolean *value, char **problem)
{
  *value = g_str_equal (text, "true");
  if (*value || g_str_equal (text, "false"))
    return TRUE;
  *problem = g_strdup (_ ("“true” or “false” is needed"));
  return FALSE;
}

static gboolean
read_certificate (VtAccessEntry *entry, const char *text, char **problem)
{
  return read_switch (text, &entry->certificate, problem);
}

static gboolean
read_status (VtAccessEntry *entry, const char *text, char **problem)
{
  return read_switch (text, &entry->status, problem);
}

static gboolean
read_addresses (VtAccessEntry *entry, const char *text, char **problem)
{
  entry->addresses = split (text);
  for (size_t i = 0; entry->addresses[i] != NULL; i++)
    {
      const char *address = entry->addresses[i];
      g_autoptr(GInetAddress) literal = g_inet_address_new_from_string (address);

      if (literal == NULL && !g_str_equal (address, "localhost") && !g_str_equal (address, "*"))
        {
          g_autofree char *escaped = vt_text_escape (address, -1);

          *problem =
              g_strdup_printf (_ ("“%s” is no IP address, nor “localhost”, nor “*”"), escaped);
          return FALSE;
        }
    }
  if (entry->addresses[0] != NULL)
    return TRUE;
  *problem = g_strdup (_ ("an address is needed"));
  return FALSE;
}

static gboolean
read_ports (VtAccessEntry *entry, const char *text, char **problem)
{
  g_autoptr(GError) error = NULL;

  entry->ports = vt_port_ranges_parse (text, &error);
  if (entry->ports == NULL)
    *problem = g_strdup (error->message);
  return entry->ports != NULL;
}

/* "example.org", or "*.example.org" for all names below it. */
static gboolean
is_pattern (const char *text)
{
  g_autofree char *normalized = vt_host_pattern_normalize (text);

  return g_strcmp0 (normalized, text) == 0;
}

static gboolean
read_host_names (VtAccessEntry *entry, const char *text, char **problem)
{
  entry->host_names = split (text);
  for (size_t i = 0; entry->host_names[i] != NULL; i++)
    if (!is_pattern (entry->host_names[i]))
      {
        g_autofree char *escaped = vt_text_escape (entry->host_names[i], -1);

        *problem = g_strdup_printf (
            _ ("“%s” is no host name in small letters, such as a.example.org or *.example.org"),
            escaped);
        return FALSE;
      }
  return TRUE;
}

static gboolean
read_number (const char *text, unsigned int min, unsigned int *number, char **problem)
{
  guint64 value;

  if (!g_ascii_string_to_unsigned (text, 10, min, G_MAXINT32, &value, NULL))
    {
      *problem =
          g_strdup_printf (_ ("a number from %u to %u is needed"), min, (unsigned int) G_MAXINT32);
      return FALSE;
    }
  *number = (unsigned int) value;
  return TRUE;
}

static gboolean
read_max_sessions (VtAccessEntry *entry, const char *text, char **problem)
{
  return read_number (text, 0, &entry->max_sessions, problem);
}

static gboolean
read_max_forwards (VtAccessEntry *entry, const char *text, char **problem)
{
  return read_number (text, 0, &entry->max_forwards, problem);
}

static gboolean
read_max_streams (VtAccessEntry *entry, const char *text, char **problem)
{
  return read_number (text, 1, &entry->max_streams, problem);
}

/* A day alone ends where it begins: the earlier of what could be meant. */
static gboolean
read_expires (VtAccessEntry *entry, const char *text, char **problem)
{
  g_autofree char *full =
      strlen (text) == strlen ("2030-12-31") ? g_strconcat (text, "T00:00:00Z", NULL) : NULL;
  g_autoptr(GTimeZone) utc = g_time_zone_new_utc ();
  g_autoptr(GDateTime) time = g_date_time_new_from_iso8601 (full != NULL ? full : text, utc);

  if (time == NULL)
    {
      *problem = g_strdup (_ ("a time is needed, such as 2030-12-31 or 2030-12-31T18:00:00Z"));
      return FALSE;
    }
  entry->expires = g_date_time_to_unix (time) * G_USEC_PER_SEC;
  return TRUE;
}

static const struct {
  const char *key;
  Reader read;
} keys[] = {
  { "token", read_token },
  { "certificate", read_certificate },
  { "addresses", read_addresses },
  { "ports", read_ports },
  { "host-names", read_host_names },
  { "max-sessions", read_max_sessions },
  { "max-forwards", read_max_forwards },
  { "max-streams", read_max_streams },
  { "expires", read_expires },
  { "status", read_status },
};

gboolean
vt_access_file_is_key (const char *key)
{
  for (size_t i = 0; i < G_N_ELEMENTS (keys); i++)
    if (g_str_equal (keys[i].key, key))
      return TRUE;
  return FALSE;
}

static gboolean
read_key (GKeyFile *file, const char *group, size_t index, VtAccessEntry *entry, GError **error)
{
  const char *key = keys[index].key;
  g_autoptr(GError) reason = NULL;
  g_autofree char *raw = NULL;
  g_autofree char *text = NULL;
  g_autofree char *problem = NULL;

  if (!g_key_file_has_key (file, group, key, NULL))
    return TRUE;
  raw = g_key_file_get_value (file, group, key, NULL);
  /* GLib 2.74 warns of itself where one is at the end of a value that has another fault. */
  if (!g_str_has_suffix (raw, "\\"))
    text = g_key_file_get_string (file, group, key, &reason);
  /* Of one that is faulty there is a text as well. */
  if (text == NULL || reason != NULL)
    problem = g_strdup (_ ("a backslash stands there that means nothing"));
  else if (keys[index].read (entry, g_strstrip (text), &problem))
    return TRUE;
  g_set_error (error, VT_ERROR, VT_ERROR_INVALID_ARGUMENT, "[%s] %s: %s", group, key, problem);
  return FALSE;
}

gboolean
vt_access_file_read_entry (GKeyFile *file, const char *group, VtAccessEntry *entry, GError **error)
{
  for (size_t i = 0; i < G_N_ELEMENTS (keys); i++)
    if (!read_key (file, group, i, entry, error))
      return FALSE;
  if (entry->hashes->len > 0 || entry->certificate)
    return TRUE;
  g_set_error (error, VT_ERROR, VT_ERROR_INVALID_ARGUMENT, "[%s] token: %s", group,
               _ ("it is missing"));
  return FALSE;
}
