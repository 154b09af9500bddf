/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include <string.h>

#include "fuzz.h"
#include "vt-access-file-private.h"
#include "vt-error.h"

/* The access file: what is refused is told in words that can be shown, and who is let in has a
 * name and a way to show who it is. */

static void
check_entry (const char *name, const VtAccessEntry *entry)
{
  g_assert_cmpstr (entry->name, ==, name);
  g_assert_true (*name != '\0' && strlen (name) <= 32);
  g_assert_true (entry->hashes->len > 0 || entry->certificate);
  g_assert_cmpuint (entry->hashes->len, <=, VT_ACCESS_MAX_TOKENS);
}

static void
check_message (const char *message)
{
  g_assert_true (g_utf8_validate (message, -1, NULL));
  for (; *message != '\0'; message++)
    g_assert_false (g_ascii_iscntrl (*message));
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GHashTable) entries = vt_access_file_parse ((const char *) data, size, &error);
  GHashTableIter iter;
  void *name, *entry;

  if (entries == NULL)
    {
      g_assert_error (error, VT_ERROR, VT_ERROR_INVALID_ARGUMENT);
      check_message (error->message);
      return 0;
    }
  g_hash_table_iter_init (&iter, entries);
  while (g_hash_table_iter_next (&iter, &name, &entry))
    check_entry (name, entry);
  return 0;
}
