/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vts-secrets-file.h"

#include <glib/gi18n.h>
#include <string.h>

#include "vts-error.h"
#include "vts-file.h"
#include "vts-id.h"
#include "vts-settings.h"

struct _VtsSecretsFile {
  GObject parent_instance;
  char *folder; /* owned */
};

static void secrets_init (VtsSecretsInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (VtsSecretsFile,
                               vts_secrets_file,
                               G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (VTS_TYPE_SECRETS, secrets_init))

static void
wipe (void *token)
{
  vts_secrets_wipe (token);
}

static void
fail (GTask *task, const char *reason)
{
  g_task_return_new_error (task, VTUNNEL_SESSION_ERROR, VTUNNEL_SESSION_ERROR_SECRETS_UNAVAILABLE,
                           _ ("The file with the token: %s"), reason);
}

static void
lookup (VtsSecrets *secrets, const char *id, gboolean interactive, GTask *task)
{
  VtsSecretsFile *self = VTS_SECRETS_FILE (secrets);
  g_autofree char *path = g_build_filename (self->folder, id, NULL);
  g_autoptr(GError) error = NULL;
  char *token = NULL;
  size_t length = 0;

  g_assert (vts_id_is_valid (id));
  if (vts_file_read (path, VTS_MAX_TOKEN, &token, &length, &error))
    {
      if (strlen (token) == length && vts_settings_check_token (token, NULL))
        {
          g_task_return_pointer (task, token, wipe);
          return;
        }
      vts_secrets_wipe (token);
      fail (task, _ ("there is no token in it"));
    }
  else if (g_error_matches (error, G_FILE_ERROR, G_FILE_ERROR_NOENT))
    g_task_return_pointer (task, NULL, NULL);
  else
    fail (task, error->message);
}

static void
save (VtsSecrets *secrets, const char *id, const char *label, const char *token, GTask *task)
{
  VtsSecretsFile *self = VTS_SECRETS_FILE (secrets);
  g_autofree char *path = g_build_filename (self->folder, id, NULL);
  g_autoptr(GError) error = NULL;
  gboolean done = FALSE;

  g_assert (vts_id_is_valid (id));
  if (token != NULL)
    done = vts_file_write (path, token, strlen (token), &error);
  else
    done = vts_file_remove (path, &error);
  if (done)
    g_task_return_boolean (task, TRUE);
  else
    fail (task, error->message);
}

static void
vts_secrets_file_finalize (GObject *object)
{
  VtsSecretsFile *self = VTS_SECRETS_FILE (object);

  g_free (self->folder);
  G_OBJECT_CLASS (vts_secrets_file_parent_class)->finalize (object);
}

static void
secrets_init (VtsSecretsInterface *iface)
{
  iface->lookup = lookup;
  iface->save = save;
}

static void
vts_secrets_file_class_init (VtsSecretsFileClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = vts_secrets_file_finalize;
}

static void
vts_secrets_file_init (VtsSecretsFile *self)
{
}

VtsSecretsFile *
vts_secrets_file_new (const char *folder)
{
  VtsSecretsFile *self = g_object_new (VTS_TYPE_SECRETS_FILE, NULL);

  self->folder = g_strdup (folder);
  return self;
}
