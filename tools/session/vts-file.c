/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vts-file.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static gboolean
fail (const char *reason, GError **error)
{
  g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_FAILED, reason);
  return FALSE;
}

static gboolean
fail_errno (int number, GError **error)
{
  g_set_error_literal (error, G_FILE_ERROR, g_file_error_from_errno (number), g_strerror (number));
  return FALSE;
}

static gboolean
check_kind (int fd, size_t max, GError **error)
{
  struct stat status;

  if (fstat (fd, &status) != 0)
    return fail_errno (errno, error);
  if (!S_ISREG (status.st_mode))
    return fail (_ ("it is no regular file"), error);
  if (status.st_uid != geteuid ())
    return fail (_ ("it belongs to another user"), error);
  if ((guint64) status.st_size > max)
    return fail (_ ("it is too large"), error);
  return TRUE;
}

/* It may grow meanwhile. */
static gboolean
read_all (int fd, size_t max, GString *into, GError **error)
{
  char piece[4096];
  ssize_t n;

  while ((n = read (fd, piece, sizeof piece)) != 0)
    {
      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0)
        return fail_errno (errno, error);
      if (into->len + (size_t) n > max)
        return fail (_ ("it is too large"), error);
      g_string_append_len (into, piece, n);
    }
  explicit_bzero (piece, sizeof piece);
  return TRUE;
}

gboolean
vts_file_read (const char *path, size_t max, char **contents, size_t *length, GError **error)
{
  g_autoptr(GString) all = g_string_sized_new (max < 4096 ? max + 1 : 4096);
  gboolean done;
  /* Neither a FIFO nor a device shall hold anything up. */
  int fd = open (path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

  if (fd < 0)
    return errno == ELOOP ? fail (_ ("it is a symbolic link"), error) : fail_errno (errno, error);
  done = check_kind (fd, max, error) && read_all (fd, max, all, error);
  close (fd);
  if (!done)
    return FALSE;
  *length = all->len;
  *contents = g_string_free (g_steal_pointer (&all), FALSE);
  return TRUE;
}

/* The folder itself, and what is above it, which the user may have opened to others on purpose. */
static gboolean
make_folder (const char *folder, GError **error)
{
  mode_t umask_before = umask (0077);
  int status = g_mkdir_with_parents (folder, 0700);
  int number = errno;
  struct stat is;

  umask (umask_before);
  if (status != 0)
    return fail_errno (number, error);
  if (stat (folder, &is) != 0 || ((is.st_mode & 0777) != 0700 && chmod (folder, 0700) != 0))
    return fail_errno (errno, error);
  return TRUE;
}

gboolean
vts_file_write (const char *path, const char *contents, size_t length, GError **error)
{
  g_autofree char *folder = g_path_get_dirname (path);
  mode_t umask_before;
  gboolean done;

  if (!make_folder (folder, error))
    return FALSE;
  umask_before = umask (0077);
  done = g_file_set_contents_full (path, contents, (gssize) length,
                                   G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE,
                                   0600, error);
  umask (umask_before);
  return done;
}

gboolean
vts_file_remove (const char *path, GError **error)
{
  if (g_unlink (path) != 0 && errno != ENOENT)
    return fail_errno (errno, error);
  return TRUE;
}
