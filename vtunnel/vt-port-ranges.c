/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-port-ranges-private.h"

#include <string.h>

#include <glib/gi18n-lib.h>
#include "vt-error.h"

#include "vt-text-private.h"

typedef struct {
  guint16 first;
  guint16 last;
} Range;

struct _VtPortRanges {
  char *text;     /* owned */
  GArray *ranges; /* owned, of Range */
};

static gboolean
parse_range (const char *text, Range *range)
{
  g_auto(GStrv) ends = g_strsplit (text, "-", 3);
  unsigned int n = g_strv_length (ends);

  if (n < 1 || n > 2)
    return FALSE;
  return vt_text_read_port (ends[0], 1, &range->first)
         && vt_text_read_port (ends[n - 1], 1, &range->last) && range->first <= range->last;
}

VtPortRanges *
vt_port_ranges_parse (const char *text, GError **error)
{
  g_autoptr(VtPortRanges) self = g_new0 (VtPortRanges, 1);
  g_auto(GStrv) parts = g_strsplit (text, ",", -1);

  self->text = g_strdup (text);
  self->ranges = g_array_new (FALSE, FALSE, sizeof (Range));
  for (size_t i = 0; parts[i] != NULL; i++)
    {
      Range range;

      if (!parse_range (parts[i], &range))
        {
          g_autofree char *escaped = vt_text_escape (parts[i], -1);

          g_set_error (error, VT_ERROR, VT_ERROR_INVALID_ARGUMENT,
                       _ ("“%s” is no port and no range of ports, such as 8080 or 1024-65535"),
                       escaped);
          return NULL;
        }
      g_array_append_val (self->ranges, range);
    }
  if (self->ranges->len == 0)
    {
      g_set_error_literal (error, VT_ERROR, VT_ERROR_INVALID_ARGUMENT, _ ("No ports are given"));
      return NULL;
    }
  return g_steal_pointer (&self);
}

void
vt_port_ranges_free (VtPortRanges *self)
{
  g_free (self->text);
  g_array_unref (self->ranges);
  g_free (self);
}

gboolean
vt_port_ranges_contain (VtPortRanges *self, guint16 port)
{
  for (unsigned int i = 0; i < self->ranges->len; i++)
    {
      const Range *range = &g_array_index (self->ranges, Range, i);

      if (range->first <= port && port <= range->last)
        return TRUE;
    }
  return FALSE;
}

const char *
vt_port_ranges_get_text (VtPortRanges *self)
{
  return self->text;
}
