/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vts-values.h"

#include <glib/gi18n.h>
#include <string.h>

#include "vts-error.h"
#include "vt-text-private.h"

/* A key that a dictionary may have. */
typedef struct {
  const char *key;
  const char *type;
  GVariant *value; /* owned, NULL if it is not there */
} Entry;

static gboolean
fail (const char *reason, GError **error)
{
  g_propagate_error (error, vts_error_invalid (reason));
  return FALSE;
}

static gboolean
read_entry (Entry *entries, size_t n, const char *key, GVariant *value, GError **error)
{
  g_autofree char *escaped = NULL;

  for (size_t i = 0; i < n; i++)
    {
      if (strcmp (entries[i].key, key) != 0)
        continue;
      if (entries[i].value == NULL
          && g_variant_is_of_type (value, G_VARIANT_TYPE (entries[i].type)))
        {
          entries[i].value = g_variant_ref (value);
          return TRUE;
        }
      g_set_error (error, VTUNNEL_SESSION_ERROR, VTUNNEL_SESSION_ERROR_INVALID_ARGUMENT,
                   _ ("“%s” must be there once, and of the type %s"), key, entries[i].type);
      return FALSE;
    }
  escaped = vt_text_escape (key, -1);
  g_set_error (error, VTUNNEL_SESSION_ERROR, VTUNNEL_SESSION_ERROR_INVALID_ARGUMENT,
               _ ("“%s” is not known"), escaped);
  return FALSE;
}

static void
clear_entries (Entry *entries, size_t n)
{
  for (size_t i = 0; i < n; i++)
    g_clear_pointer (&entries[i].value, g_variant_unref);
}

/* On failure no entry has a value. */
static gboolean
read_dictionary (GVariant *dictionary, Entry *entries, size_t n, GError **error)
{
  GVariantIter iter;
  const char *key = NULL;
  GVariant *value = NULL;

  g_variant_iter_init (&iter, dictionary);
  while (g_variant_iter_next (&iter, "{&sv}", &key, &value))
    {
      gboolean good = read_entry (entries, n, key, value, error);

      g_variant_unref (value);
      if (!good)
        {
          clear_entries (entries, n);
          return FALSE;
        }
    }
  return TRUE;
}

static void
free_forward (void *forward)
{
  vts_forward_free (forward);
}

/* What is there has to say something: 0 is not one of the values. */
static gboolean
get_number (const Entry *entry, unsigned int *number, const char *what, GError **error)
{
  if (entry->value == NULL)
    return TRUE;
  *number = g_variant_get_uint32 (entry->value);
  return *number != 0 || fail (what, error);
}

static const char *
get_text (const Entry *entry)
{
  return entry->value != NULL ? g_variant_get_string (entry->value, NULL) : NULL;
}

static VtsForward *
read_forward (const char *listen, const char *target, GVariant *options, GError **error)
{
  Entry entries[] = {
    { "proxy-protocol", "u", NULL }, { "host-header", "s", NULL }, { "forwarded", "s", NULL },
    { "http", "b", NULL },           { "health", "u", NULL },
  };
  VtsForwardOptions read = { 0 };
  VtsForward *forward = NULL;

  if (!read_dictionary (options, entries, G_N_ELEMENTS (entries), error))
    return NULL;
  read.host_header = get_text (&entries[1]);
  read.forwarded = get_text (&entries[2]);
  read.http = entries[3].value != NULL && g_variant_get_boolean (entries[3].value);
  if (get_number (&entries[0], &read.proxy_protocol, _ ("proxy-protocol must be 1 or 2"), error)
      && get_number (&entries[4], &read.health,
                     _ ("health must be a number of seconds from 1 to 86400"), error))
    forward = vts_forward_new (listen, target, &read, error);
  clear_entries (entries, G_N_ELEMENTS (entries));
  return forward;
}

static gboolean
read_forwards (VtsSettings *settings, GVariant *variant, GError **error)
{
  g_autoptr(GPtrArray) forwards = g_ptr_array_new_with_free_func (free_forward);
  GVariantIter iter;
  const char *listen = NULL;
  const char *target = NULL;
  GVariant *options = NULL;

  g_variant_iter_init (&iter, variant);
  while (forwards->len <= VTS_MAX_FORWARDS
         && g_variant_iter_next (&iter, "(&s&s@a{sv})", &listen, &target, &options))
    {
      VtsForward *forward = read_forward (listen, target, options, error);

      g_variant_unref (options);
      if (forward == NULL)
        return FALSE;
      g_ptr_array_add (forwards, forward);
    }
  return vts_settings_set_forwards (settings, forwards, error);
}

static gboolean
read_lifetime (GVariant *value, VtsLifetime *lifetime, GError **error)
{
  if (value == NULL || vts_lifetime_from_word (g_variant_get_string (value, NULL), lifetime))
    return TRUE;
  return fail (_ ("The lifetime must be caller, session or persistent"), error);
}

VtsSettings *
vts_values_read_new (const char *uri,
                     GVariant *forwards,
                     GVariant *options,
                     VtsOptions *read,
                     GError **error)
{
  g_autoptr(VtsSettings) settings = vts_settings_new (uri, error);
  Entry entries[] = {
    { "name", "s", NULL },
    { "open", "b", NULL },
    { "autoconnect", "b", NULL },
    { "lifetime", "s", NULL },
  };
  gboolean good;

  read->lifetime = VTS_LIFETIME_CALLER;
  if (settings == NULL || !read_forwards (settings, forwards, error)
      || !read_dictionary (options, entries, G_N_ELEMENTS (entries), error))
    return NULL;
  good = (entries[0].value == NULL
          || vts_settings_set_name (settings, g_variant_get_string (entries[0].value, NULL), error))
         && read_lifetime (entries[3].value, &read->lifetime, error);
  read->open = entries[1].value != NULL && g_variant_get_boolean (entries[1].value);
  settings->autoconnect = entries[2].value != NULL && g_variant_get_boolean (entries[2].value);
  clear_entries (entries, G_N_ELEMENTS (entries));
  return good ? g_steal_pointer (&settings) : NULL;
}

VtsSettings *
vts_values_read_changes (const VtsSettings *before, GVariant *changes, GError **error)
{
  g_autoptr(VtsSettings) settings = vts_settings_copy (before);
  Entry entries[] = {
    { "name", "s", NULL },
    { "uri", "s", NULL },
    { "forwards", "a(ssa{sv})", NULL },
    { "autoconnect", "b", NULL },
  };
  gboolean good;

  if (!read_dictionary (changes, entries, G_N_ELEMENTS (entries), error))
    return NULL;
  good =
      (entries[0].value == NULL
       || vts_settings_set_name (settings, g_variant_get_string (entries[0].value, NULL), error))
      && (entries[1].value == NULL
          || vts_settings_set_uri (settings, g_variant_get_string (entries[1].value, NULL), error))
      && (entries[2].value == NULL || read_forwards (settings, entries[2].value, error));
  if (entries[3].value != NULL)
    settings->autoconnect = g_variant_get_boolean (entries[3].value);
  clear_entries (entries, G_N_ELEMENTS (entries));
  return good ? g_steal_pointer (&settings) : NULL;
}

char *
vts_values_read_token (GVariant *secrets, GError **error)
{
  Entry entries[] = { { "token", "s", NULL } };
  char *token = NULL;

  if (!read_dictionary (secrets, entries, G_N_ELEMENTS (entries), error))
    return NULL;
  if (entries[0].value == NULL)
    fail (_ ("There is no token"), error);
  else if (vts_settings_check_token (g_variant_get_string (entries[0].value, NULL), error))
    token = g_variant_dup_string (entries[0].value, NULL);
  clear_entries (entries, G_N_ELEMENTS (entries));
  return token;
}

gboolean
vts_values_read_storage (const char *word, VtsStorage *storage, GError **error)
{
  if (vts_storage_from_word (word, storage) && *storage != VTS_STORAGE_NONE)
    return TRUE;
  return fail (_ ("The storage must be keyring, memory or file"), error);
}

GVariant *
vts_values_write_forwards (const VtsSettings *settings)
{
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE ("a(ssa{sv})"));
  for (unsigned int i = 0; i < settings->forwards->len; i++)
    {
      const VtsForward *forward = settings->forwards->pdata[i];

      g_variant_builder_open (&builder, G_VARIANT_TYPE ("(ssa{sv})"));
      g_variant_builder_add (&builder, "s", forward->listen);
      g_variant_builder_add (&builder, "s", forward->target);
      g_variant_builder_open (&builder, G_VARIANT_TYPE ("a{sv}"));
      if (forward->proxy_protocol != 0)
        g_variant_builder_add (&builder, "{sv}", "proxy-protocol",
                               g_variant_new_uint32 (forward->proxy_protocol));
      if (forward->host_header != NULL)
        g_variant_builder_add (&builder, "{sv}", "host-header",
                               g_variant_new_string (forward->host_header));
      if (forward->forwarded != NULL)
        g_variant_builder_add (&builder, "{sv}", "forwarded",
                               g_variant_new_string (forward->forwarded));
      if (forward->http)
        g_variant_builder_add (&builder, "{sv}", "http", g_variant_new_boolean (TRUE));
      if (forward->health != 0)
        g_variant_builder_add (&builder, "{sv}", "health", g_variant_new_uint32 (forward->health));
      g_variant_builder_close (&builder);
      g_variant_builder_close (&builder);
    }
  return g_variant_builder_end (&builder);
}

GVariant *
vts_values_write_error (const GError *error)
{
  g_autofree char *valid = NULL;

  if (error == NULL)
    return g_variant_new ("(ss)", "", "");
  valid = g_utf8_make_valid (error->message, -1);
  return g_variant_new ("(ss)", vtunnel_session_error_get_name (error), valid);
}
