/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vts-keys.h"

#include <glib/gi18n.h>
#include <string.h>

#include "vts-error.h"

#define GROUP "Tunnel"
#define KEY_NAME "Name"
#define KEY_URI "Uri"
#define KEY_AUTOCONNECT "Autoconnect"
#define KEY_TOKEN_IN "TokenIn"
#define FORWARD_GROUP "Forward %u"
#define KEY_LISTEN "Listen"
#define KEY_TARGET "Target"
#define KEY_HOST_HEADER "HostHeader"
#define KEY_PROXY_PROTOCOL "ProxyProtocol"
#define KEY_FORWARDED "Forwarded"
#define KEY_HTTP "Http"
#define KEY_HEALTH "Health"

static void
free_forward (void *forward)
{
  vts_forward_free (forward);
}

static void
format_forward (GKeyFile *keys, unsigned int number, const VtsForward *forward)
{
  g_autofree char *group = g_strdup_printf (FORWARD_GROUP, number);

  g_key_file_set_string (keys, group, KEY_LISTEN, forward->listen);
  g_key_file_set_string (keys, group, KEY_TARGET, forward->target);
  if (forward->host_header != NULL)
    g_key_file_set_string (keys, group, KEY_HOST_HEADER, forward->host_header);
  if (forward->proxy_protocol != 0)
    g_key_file_set_integer (keys, group, KEY_PROXY_PROTOCOL, (int) forward->proxy_protocol);
  if (forward->forwarded != NULL)
    g_key_file_set_string (keys, group, KEY_FORWARDED, forward->forwarded);
  if (forward->http)
    g_key_file_set_boolean (keys, group, KEY_HTTP, TRUE);
  if (forward->health != 0)
    g_key_file_set_integer (keys, group, KEY_HEALTH, (int) forward->health);
}

char *
vts_keys_format (const VtsSettings *settings)
{
  g_autoptr(GKeyFile) keys = g_key_file_new ();

  g_key_file_set_string (keys, GROUP, KEY_NAME, settings->name);
  g_key_file_set_string (keys, GROUP, KEY_URI, settings->uri);
  g_key_file_set_boolean (keys, GROUP, KEY_AUTOCONNECT, settings->autoconnect);
  if (settings->storage != VTS_STORAGE_NONE)
    g_key_file_set_string (keys, GROUP, KEY_TOKEN_IN, vts_storage_to_word (settings->storage));
  for (unsigned int i = 0; i < settings->forwards->len; i++)
    format_forward (keys, i + 1, settings->forwards->pdata[i]);
  return g_key_file_to_data (keys, NULL, NULL);
}

/* NULL without an error if it is not there. */
static char *
get_text (GKeyFile *keys, const char *group, const char *key, GError **error)
{
  if (!g_key_file_has_key (keys, group, key, NULL))
    return NULL;
  return g_key_file_get_string (keys, group, key, error);
}

/* FALSE with an error if it is not there. */
static gboolean
get_needed (GKeyFile *keys, const char *group, const char *key, char **text, GError **error)
{
  *text = g_key_file_get_string (keys, group, key, error);
  return *text != NULL;
}

/* 0 if it is not there; what is negative becomes too large. */
static unsigned int
get_number (GKeyFile *keys, const char *group, const char *key, GError **error)
{
  int number;

  if (!g_key_file_has_key (keys, group, key, NULL))
    return 0;
  number = g_key_file_get_integer (keys, group, key, error);
  return number >= 0 ? (unsigned int) number : G_MAXUINT;
}

static VtsForward *
parse_forward (GKeyFile *keys, const char *group, GError **error)
{
  g_autoptr(GError) wrong = NULL;
  g_autofree char *listen = NULL;
  g_autofree char *target = NULL;
  g_autofree char *host_header = NULL;
  g_autofree char *forwarded = NULL;
  VtsForwardOptions options = { 0 };

  if (!get_needed (keys, group, KEY_LISTEN, &listen, error)
      || !get_needed (keys, group, KEY_TARGET, &target, error))
    return NULL;
  options.host_header = host_header = get_text (keys, group, KEY_HOST_HEADER, &wrong);
  if (wrong == NULL)
    options.forwarded = forwarded = get_text (keys, group, KEY_FORWARDED, &wrong);
  if (wrong == NULL)
    options.proxy_protocol = get_number (keys, group, KEY_PROXY_PROTOCOL, &wrong);
  if (wrong == NULL)
    options.health = get_number (keys, group, KEY_HEALTH, &wrong);
  if (wrong == NULL && g_key_file_has_key (keys, group, KEY_HTTP, NULL))
    options.http = g_key_file_get_boolean (keys, group, KEY_HTTP, &wrong);
  if (wrong != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&wrong));
      return NULL;
    }
  return vts_forward_new (listen, target, &options, error);
}

static gboolean
parse_forwards (GKeyFile *keys, VtsSettings *settings, GError **error)
{
  g_autoptr(GPtrArray) forwards = g_ptr_array_new_with_free_func (free_forward);

  /* One more than there may be, which is refused below. */
  for (unsigned int i = 1; i <= VTS_MAX_FORWARDS + 1; i++)
    {
      g_autofree char *group = g_strdup_printf (FORWARD_GROUP, i);
      VtsForward *forward = NULL;

      if (!g_key_file_has_group (keys, group))
        break;
      forward = parse_forward (keys, group, error);
      if (forward == NULL)
        return FALSE;
      g_ptr_array_add (forwards, forward);
    }
  return vts_settings_set_forwards (settings, forwards, error);
}

static gboolean
parse_storage (GKeyFile *keys, VtsSettings *settings, GError **error)
{
  g_autoptr(GError) wrong = NULL;
  g_autofree char *word = get_text (keys, GROUP, KEY_TOKEN_IN, &wrong);

  if (wrong == NULL && word != NULL && !vts_storage_from_word (word, &settings->storage))
    wrong = vts_error_invalid (_ ("TokenIn must be keyring, memory or file"));
  if (wrong == NULL)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&wrong));
  return FALSE;
}

static gboolean
parse_options (GKeyFile *keys, VtsSettings *settings, GError **error)
{
  g_autoptr(GError) wrong = NULL;
  g_autofree char *name = get_text (keys, GROUP, KEY_NAME, &wrong);

  if (wrong == NULL && g_key_file_has_key (keys, GROUP, KEY_AUTOCONNECT, NULL))
    settings->autoconnect = g_key_file_get_boolean (keys, GROUP, KEY_AUTOCONNECT, &wrong);
  if (wrong != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&wrong));
      return FALSE;
    }
  return name == NULL || vts_settings_set_name (settings, name, error);
}

VtsSettings *
vts_keys_parse (const char *contents, size_t length, GError **error)
{
  g_autoptr(GKeyFile) keys = g_key_file_new ();
  g_autoptr(VtsSettings) settings = NULL;
  g_autofree char *uri = NULL;

  if (strlen (contents) != length || !g_utf8_validate (contents, (gssize) length, NULL))
    {
      g_propagate_error (error, vts_error_invalid (_ ("it is no text")));
      return NULL;
    }
  if (!g_key_file_load_from_data (keys, contents, length, G_KEY_FILE_NONE, error)
      || !get_needed (keys, GROUP, KEY_URI, &uri, error))
    return NULL;
  settings = vts_settings_new (uri, error);
  if (settings == NULL || !parse_options (keys, settings, error)
      || !parse_storage (keys, settings, error) || !parse_forwards (keys, settings, error))
    return NULL;
  return g_steal_pointer (&settings);
}
