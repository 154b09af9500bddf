/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-tool-client-token.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vt-tool-tunnel-options.h"

#define CREDENTIAL "vtunnel-token"
/* One more than a token may have, and a line's end. */
#define BUFFER_SIZE (MAX_TOKEN + 3)

void
vt_tool_client_token_wipe (char *token)
{
  if (token != NULL)
    explicit_bzero (token, strlen (token));
  g_free (token);
}

static void
set_file_error (const char *path, int error_number, GError **error)
{
  g_autofree char *name = g_filename_display_name (path);

  g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (error_number),
               _ ("%s “%s” cannot be read: %s"), "--token-file", name, g_strerror (error_number));
}

/* A pipe is nobody else's. The group of root is root alone: so a service manager hands over a
 * credential, by an access list whose mask shows as the group's permissions. */
static gboolean
check_private (int fd, const char *path, GError **error)
{
  g_autofree char *name = NULL;
  struct stat status;
  mode_t others = S_IRWXG | S_IRWXO;

  if (fstat (fd, &status) != 0)
    {
      set_file_error (path, errno, error);
      return FALSE;
    }
  if (status.st_uid == 0 && status.st_gid == 0)
    others &= ~(mode_t) S_IRGRP;
  if (!S_ISREG (status.st_mode) || (status.st_mode & others) == 0)
    return TRUE;
  name = g_filename_display_name (path);
  g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_PERM,
               _ ("The token in “%s” is no secret: others can read or change the file (its mode is "
                  "%04o); chmod 600 it"),
               name, (unsigned int) status.st_mode & 07777);
  return FALSE;
}

/* No more than a token's length is taken, however long it is. */
static gboolean
read_text (int fd, const char *path, char *text, GError **error)
{
  size_t length = 0;

  while (length < BUFFER_SIZE - 1)
    {
      ssize_t n = read (fd, text + length, BUFFER_SIZE - 1 - length);

      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0)
        {
          set_file_error (path, errno, error);
          return FALSE;
        }
      if (n == 0)
        break;
      length += (size_t) n;
    }
  text[length] = '\0';
  return TRUE;
}

static gboolean
read_file (const char *path, char *text, GError **error)
{
  int fd = open (path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  gboolean done;

  if (fd < 0)
    {
      set_file_error (path, errno, error);
      return FALSE;
    }
  done = check_private (fd, path, error) && read_text (fd, path, text, error);
  close (fd);
  return done;
}

static gboolean
take_text (const char *name, char *text, char **token, GError **error)
{
  g_strstrip (text);
  if (vt_tool_options_is_token (text))
    {
      *token = g_strdup (text);
      return TRUE;
    }
  g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
               _ ("There is no token in %s: one line of letters, digits and signs is needed"),
               name);
  return FALSE;
}

static gboolean
take_file (const char *path, char **token, GError **error)
{
  g_autofree char *name = g_filename_display_name (path);
  char *text = g_malloc0 (BUFFER_SIZE);
  gboolean done = read_file (path, text, error) && take_text (name, text, token, error);

  explicit_bzero (text, BUFFER_SIZE);
  g_free (text);
  return done;
}

/* NULL where there is none, or one that holds at most a line's end: what a unit sets for those that
 * have no token. */
static char *
find_credential (void)
{
  const char *folder = g_getenv ("CREDENTIALS_DIRECTORY");
  g_autofree char *path = NULL;
  struct stat status;

  if (folder == NULL || folder[0] == '\0')
    return NULL;
  path = g_build_filename (folder, CREDENTIAL, NULL);
  if (stat (path, &status) != 0 || (S_ISREG (status.st_mode) && status.st_size <= 1))
    return NULL;
  return g_steal_pointer (&path);
}

gboolean
vt_tool_client_token_read (const char *file, char **token, GError **error)
{
  const char *variable = g_getenv ("VTUNNEL_TOKEN");
  g_autofree char *credential = NULL;
  char *text;
  gboolean done;

  if (file != NULL)
    return take_file (file, token, error);
  if (variable != NULL && variable[0] != '\0')
    {
      text = g_strdup (variable);
      done = take_text ("$VTUNNEL_TOKEN", text, token, error);
      vt_tool_client_token_wipe (text);
      return done;
    }
  credential = find_credential ();
  return credential == NULL || take_file (credential, token, error);
}
