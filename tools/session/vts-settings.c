/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vts-settings.h"

#include <glib/gi18n.h>
#include <string.h>

#include "vts-error.h"

static const char *const storage_words[VTS_N_STORAGES] = {
  [VTS_STORAGE_NONE] = "",
  [VTS_STORAGE_MEMORY] = "memory",
  [VTS_STORAGE_FILE] = "file",
  [VTS_STORAGE_KEYRING] = "keyring",
};

static gboolean
fail (const char *reason, GError **error)
{
  g_propagate_error (error, vts_error_invalid (reason));
  return FALSE;
}

static gboolean
fail_limit (const char *reason, GError **error)
{
  g_set_error_literal (error, VTUNNEL_SESSION_ERROR, VTUNNEL_SESSION_ERROR_LIMIT, reason);
  return FALSE;
}

static void
free_forward (void *forward)
{
  vts_forward_free (forward);
}

static void *
copy_forward (const void *forward, void *user_data)
{
  return vts_forward_copy (forward);
}

/* What can be shown in one line, and read as it stands there. */
static gboolean
is_line (const char *text)
{
  if (!g_utf8_validate (text, -1, NULL))
    return FALSE;
  for (; *text != '\0'; text = g_utf8_next_char (text))
    if (!g_unichar_isprint (g_utf8_get_char (text)))
      return FALSE;
  return TRUE;
}

static gboolean
check_uri (const char *uri, GError **error)
{
  g_autoptr(GUri) parsed = NULL;
  const char *scheme = NULL;

  if (strlen (uri) > VTS_MAX_URI)
    return fail (_ ("The server's address is too long"), error);
  if (is_line (uri) && strpbrk (uri, " \\\"<>") == NULL)
    parsed = g_uri_parse (uri, SOUP_HTTP_URI_FLAGS, NULL);
  scheme = parsed != NULL ? g_uri_get_scheme (parsed) : "";
  if ((strcmp (scheme, "ws") != 0 && strcmp (scheme, "wss") != 0 && strcmp (scheme, "http") != 0
       && strcmp (scheme, "https") != 0)
      || g_uri_get_host (parsed) == NULL || g_uri_get_host (parsed)[0] == '\0')
    return fail (_ ("The server's address must be one such as wss://example.com/"), error);
  if (g_uri_get_userinfo (parsed) != NULL)
    return fail (_ ("There is a user or a password in the server's address, where everybody can "
                    "read it: set a secret instead"),
                 error);
  return TRUE;
}

VtsSettings *
vts_settings_new (const char *uri, GError **error)
{
  g_autoptr(VtsSettings) self = NULL;

  if (!check_uri (uri, error))
    return NULL;
  self = g_new0 (VtsSettings, 1);
  self->name = g_strdup ("");
  self->uri = g_strdup (uri);
  self->forwards = g_ptr_array_new_with_free_func (free_forward);
  return g_steal_pointer (&self);
}

VtsSettings *
vts_settings_copy (const VtsSettings *self)
{
  VtsSettings *copy = g_new0 (VtsSettings, 1);

  copy->name = g_strdup (self->name);
  copy->uri = g_strdup (self->uri);
  copy->forwards = g_ptr_array_copy (self->forwards, copy_forward, NULL);
  copy->autoconnect = self->autoconnect;
  copy->storage = self->storage;
  return copy;
}

void
vts_settings_free (VtsSettings *self)
{
  g_free (self->name);
  g_free (self->uri);
  g_ptr_array_unref (self->forwards);
  g_free (self);
}

gboolean
vts_settings_equal (const VtsSettings *a, const VtsSettings *b)
{
  if (strcmp (a->name, b->name) != 0 || strcmp (a->uri, b->uri) != 0
      || a->autoconnect != b->autoconnect || a->storage != b->storage
      || a->forwards->len != b->forwards->len)
    return FALSE;
  for (unsigned int i = 0; i < a->forwards->len; i++)
    if (!vts_forward_equal (a->forwards->pdata[i], b->forwards->pdata[i]))
      return FALSE;
  return TRUE;
}

gboolean
vts_settings_set_name (VtsSettings *self, const char *name, GError **error)
{
  g_autofree char *own = NULL;

  if (strlen (name) > VTS_MAX_NAME)
    return fail (_ ("The name is too long"), error);
  if (!is_line (name))
    return fail (_ ("The name must be one line of text"), error);
  own = g_strstrip (g_strdup (name));
  g_free (self->name);
  self->name = g_steal_pointer (&own);
  return TRUE;
}

gboolean
vts_settings_set_uri (VtsSettings *self, const char *uri, GError **error)
{
  char *own = NULL;

  if (!check_uri (uri, error))
    return FALSE;
  own = g_strdup (uri);
  g_free (self->uri);
  self->uri = own;
  return TRUE;
}

gboolean
vts_settings_set_forwards (VtsSettings *self, const GPtrArray *forwards, GError **error)
{
  if (forwards->len > VTS_MAX_FORWARDS)
    return fail_limit (_ ("A tunnel has 64 forwards at most"), error);
  for (unsigned int i = 0; i < forwards->len; i++)
    for (unsigned int j = i + 1; j < forwards->len; j++)
      if (vts_forward_collides (forwards->pdata[i], forwards->pdata[j]))
        return fail (_ ("Two forwards are of the same port"), error);
  g_ptr_array_unref (self->forwards);
  self->forwards = g_ptr_array_copy ((GPtrArray *) forwards, copy_forward, NULL);
  g_ptr_array_set_free_func (self->forwards, free_forward);
  return TRUE;
}

const char *
vts_storage_to_word (VtsStorage storage)
{
  return storage_words[storage];
}

gboolean
vts_storage_from_word (const char *word, VtsStorage *storage)
{
  for (size_t i = 0; i < G_N_ELEMENTS (storage_words); i++)
    {
      if (strcmp (word, storage_words[i]) != 0)
        continue;
      *storage = (VtsStorage) i;
      return TRUE;
    }
  return FALSE;
}

gboolean
vts_settings_check_token (const char *token, GError **error)
{
  size_t length = strlen (token);

  if (length > VTS_MAX_TOKEN)
    return fail (_ ("The token is too long"), error);
  for (size_t i = 0; i < length; i++)
    if (!g_ascii_isgraph (token[i]))
      return fail (_ ("The token must be letters, digits and signs, without a space"), error);
  return TRUE;
}
