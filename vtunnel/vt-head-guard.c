/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-head-guard-private.h"

#include <string.h>

void
vt_head_guard_init (VtHeadGuard *self, size_t max_head)
{
  *self = (VtHeadGuard){ .max_head = max_head };
}

static gboolean
line_begins_with (VtHeadGuard *self, const char *name)
{
  size_t length = strlen (name);

  return self->line_length >= length && g_ascii_strncasecmp (self->line, name, length) == 0;
}

static void
end_line (VtHeadGuard *self)
{
  /* libsoup ends a line at LF, with or without CR before it. */
  gboolean empty = self->line_length == 0 || (self->line_length == 1 && self->line[0] == '\r');

  if (line_begins_with (self, "content-length") || line_begins_with (self, "transfer-encoding"))
    self->has_body = TRUE;
  /* Empty lines before a request are allowed, and are no request. */
  if (empty && self->begun)
    self->complete = TRUE;
  if (!empty)
    self->begun = TRUE;
  self->line_length = 0;
}

static void
take (VtHeadGuard *self, char byte)
{
  if (byte == '\n')
    end_line (self);
  else if (self->line_length < sizeof self->line)
    self->line[self->line_length++] = byte;
}

size_t
vt_head_guard_inspect (VtHeadGuard *self, const uint8_t *data, size_t length)
{
  size_t seen = 0;

  while (seen < length && !self->too_long && (!self->complete || self->has_body))
    {
      if (self->size++ == self->max_head)
        {
          self->too_long = TRUE;
          break;
        }
      if (!self->complete)
        take (self, (char) data[seen]);
      seen++;
    }
  return seen;
}

void
vt_head_guard_next (VtHeadGuard *self)
{
  /* Where a body ends is not known here, so what follows one is not looked at any more. */
  if (self->complete && !self->has_body)
    vt_head_guard_init (self, self->max_head);
}
