/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-access-reader-private.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include "vt-error.h"

#include "vt-text-private.h"

static void
set_error (GError **error, VtError code, const char *path, const char *what)
{
  g_autofree char *name = g_filename_display_name (path);
  g_autofree char *escaped = vt_text_escape (name, -1);

  g_set_error (error, VT_ERROR, (int) code, _ ("The access file “%s”: %s"), escaped, what);
}

/* What is root's, root alone can give to a group, and to read only: so a service is let in whose
 * user does not stay. An access list, by which a service manager does it, looks like that, too. */
static unsigned int
get_wanted_mode (const struct stat *status)
{
  return status->st_uid == 0 && status->st_gid != 0 ? 0640 : 0600;
}

static gboolean
is_private (const struct stat *status)
{
  unsigned int others = status->st_uid == 0 ? S_IWGRP | S_IXGRP | S_IRWXO : S_IRWXG | S_IRWXO;

  return (status->st_mode & others) == 0;
}

static gboolean
check_status (const char *path, const struct stat *status, size_t max, GError **error)
{
  g_autofree char *mode = NULL;

  if (!S_ISREG (status->st_mode))
    set_error (error, VT_ERROR_INVALID_ARGUMENT, path, _ ("it is no regular file"));
  else if (status->st_uid != geteuid () && status->st_uid != 0)
    set_error (error, VT_ERROR_PERMISSION_DENIED, path,
               _ ("it belongs to another user, who could change it"));
  else if (!is_private (status))
    {
      mode = g_strdup_printf (_ ("others can read or change it (its mode is %04o): chmod %o it"),
                              (unsigned int) status->st_mode & 07777, get_wanted_mode (status));
      set_error (error, VT_ERROR_PERMISSION_DENIED, path, mode);
    }
  else if (status->st_size < 0 || (guint64) status->st_size > max)
    set_error (error, VT_ERROR_INVALID_ARGUMENT, path, _ ("it is too long"));
  else
    return TRUE;
  return FALSE;
}

/* The file may grow or shrink meanwhile. */
static gssize
read_all (int fd, char *data, size_t size)
{
  size_t length = 0;

  while (length < size)
    {
      ssize_t n = read (fd, data + length, size - length);

      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0)
        return -1;
      if (n == 0)
        break;
      length += (size_t) n;
    }
  return (gssize) length;
}

static gboolean
read_open (int fd, const char *path, size_t max, char **data, size_t *length, GError **error)
{
  struct stat status;
  g_autofree char *text = NULL;
  gssize n;

  if (fstat (fd, &status) != 0)
    {
      set_error (error, VT_ERROR_FAILED, path, g_strerror (errno));
      return FALSE;
    }
  if (!check_status (path, &status, max, error))
    return FALSE;
  text = g_malloc ((size_t) status.st_size + 1);
  n = read_all (fd, text, (size_t) status.st_size);
  if (n < 0)
    {
      set_error (error, VT_ERROR_FAILED, path, g_strerror (errno));
      return FALSE;
    }
  text[n] = '\0';
  *data = g_steal_pointer (&text);
  *length = (size_t) n;
  return TRUE;
}

gboolean
vt_access_reader_read (const char *path, size_t max, char **data, size_t *length, GError **error)
{
  /* Not to be held up by a pipe without a writer. */
  int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  gboolean done;

  if (fd < 0)
    {
      set_error (error, errno == EACCES ? VT_ERROR_PERMISSION_DENIED : VT_ERROR_FAILED, path,
                 g_strerror (errno));
      return FALSE;
    }
  done = read_open (fd, path, max, data, length, error);
  close (fd);
  return done;
}
