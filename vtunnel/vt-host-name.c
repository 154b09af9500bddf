/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-host-name-private.h"

#include <string.h>

#include <gio/gio.h>
#include <glib/gi18n-lib.h>

#include "vt-error.h"
#include "vt-text-private.h"

#define MAX_NAME 253
#define MAX_LABEL 63
#define WILDCARD "*."

/* The part of a name up to the next dot or the end. */
static gboolean
is_label (const char *label, size_t length)
{
  return length >= 1 && length <= MAX_LABEL && label[0] != '-' && label[length - 1] != '-'
         && strspn (label, G_CSET_a_2_z G_CSET_DIGITS "-") >= length;
}

static gboolean
is_name (const char *text)
{
  const char *label = text;
  const char *dot;

  if (strlen (text) > MAX_NAME)
    return FALSE;
  /* No port can be mistaken for a name of one label. */
  if (strchr (text, '.') == NULL && !g_ascii_isalpha (text[0]))
    return FALSE;
  while ((dot = strchr (label, '.')) != NULL)
    {
      if (!is_label (label, dot - label))
        return FALSE;
      label = dot + 1;
    }
  /* No top-level domain is a number: "127.1" is an address to some programs. */
  return is_label (label, strlen (label)) && strspn (label, G_CSET_DIGITS) < strlen (label);
}

char *
vt_host_name_normalize (const char *text)
{
  size_t length = strlen (text);
  g_autofree char *without_dot = NULL;
  g_autofree char *ascii = NULL;
  g_autofree char *lower = NULL;

  /* The conversion takes its time with long texts. */
  if (length == 0 || length > 4 * MAX_NAME || !g_utf8_validate (text, (gssize) length, NULL))
    return NULL;
  without_dot = g_strndup (text, text[length - 1] == '.' ? length - 1 : length);
  ascii = g_hostname_to_ascii (without_dot);
  if (ascii == NULL)
    return NULL;
  lower = g_ascii_strdown (ascii, -1);
  return is_name (lower) ? g_steal_pointer (&lower) : NULL;
}

char *
vt_host_pattern_normalize (const char *text)
{
  gboolean wildcard = vt_host_pattern_is_wildcard (text);
  g_autofree char *name = vt_host_name_normalize (wildcard ? text + strlen (WILDCARD) : text);

  if (name == NULL || !wildcard)
    return g_steal_pointer (&name);
  /* A label more has to fit. */
  if (strlen (name) > MAX_NAME - 2)
    return NULL;
  return g_strconcat (WILDCARD, name, NULL);
}

char **
vt_host_patterns_normalize (const char *const *texts, GError **error)
{
  g_autoptr(GStrvBuilder) builder = g_strv_builder_new ();

  for (size_t i = 0; texts[i] != NULL; i++)
    {
      g_autofree char *normalized = vt_host_pattern_normalize (texts[i]);
      g_autofree char *escaped = NULL;

      if (normalized != NULL)
        {
          g_strv_builder_add (builder, normalized);
          continue;
        }
      escaped = vt_text_escape (texts[i], -1);
      g_set_error (error, VT_ERROR, VT_ERROR_INVALID_ARGUMENT,
                   _ ("“%s” is no host name, such as a.example.org or *.example.org"), escaped);
      return NULL;
    }
  return g_strv_builder_end (builder);
}

gboolean
vt_host_pattern_is_wildcard (const char *pattern)
{
  return g_str_has_prefix (pattern, WILDCARD);
}

gboolean
vt_host_pattern_covers (const char *pattern, const char *claim)
{
  if (strcmp (pattern, claim) == 0)
    return TRUE;
  /* ".example.org" ends all that is below it, the narrower wildcards too. */
  return vt_host_pattern_is_wildcard (pattern) && strlen (claim) > strlen (pattern) - 1
         && g_str_has_suffix (claim, pattern + 1);
}

static gboolean
is_port (const char *text, size_t length)
{
  return length <= 5 && strspn (text, G_CSET_DIGITS) >= length;
}

/* "[::1]:8080": nobody can have such a name, but it is well-formed. */
static char *
read_bracketed (const char *text)
{
  const char *end = strchr (text, ']');
  g_autofree char *address = end != NULL ? g_strndup (text + 1, end - text - 1) : NULL;

  if (address == NULL || !g_hostname_is_ip_address (address))
    return NULL;
  if (end[1] != '\0' && (end[1] != ':' || !is_port (end + 2, strlen (end + 2))))
    return NULL;
  return g_steal_pointer (&address);
}

char *
vt_host_name_from_authority (const char *text, size_t length)
{
  g_autofree char *host = g_ascii_strdown (text, (gssize) length);
  char *colon;

  if (strlen (host) != length)
    return NULL;
  if (host[0] == '[')
    return read_bracketed (host);
  colon = strchr (host, ':');
  if (colon != NULL && !is_port (colon + 1, strlen (colon + 1)))
    return NULL;
  if (colon != NULL)
    *colon = '\0';
  length = strlen (host);
  if (length > 1 && host[length - 1] == '.')
    host[--length] = '\0';
  /* Names with an underscore cannot be asked for, but a wildcard may stand for them. */
  if (length == 0 || length > MAX_NAME || strspn (host, G_CSET_a_2_z G_CSET_DIGITS "-_.") != length)
    return NULL;
  return g_steal_pointer (&host);
}
