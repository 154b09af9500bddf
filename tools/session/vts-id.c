/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vts-id.h"

#include <string.h>

#define MAX_LENGTH 64
#define LENGTH 16

gboolean
vts_id_is_valid (const char *id)
{
  size_t length = strlen (id);

  return length >= 1 && length <= MAX_LENGTH
         && strspn (id, G_CSET_a_2_z G_CSET_DIGITS "_") == length;
}

/* The beginning of a UUID has no fixed digit but one. */
char *
vts_id_new (void)
{
  g_autofree char *uuid = g_uuid_string_random ();
  g_auto(GStrv) parts = g_strsplit (uuid, "-", -1);
  char *id = g_strjoinv (NULL, parts);

  id[LENGTH] = '\0';
  return id;
}
