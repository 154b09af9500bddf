/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <stdint.h>

#include <glib.h>

/* Lines up to an empty one: the fields of a head, or trailers, of which nothing is looked at but
 * where they end. A line may end with a lone LF (RFC 9112, 2.2), unless they are strict. Begins as
 * all zeros but for that. Pure. */
typedef struct {
  gboolean strict;
  gboolean in_line; /* the line is not an empty one */
  gboolean after_cr;
} VtHttpLines;

typedef enum {
  VT_HTTP_LINES_MORE,
  VT_HTTP_LINES_END,    /* this was the end of the empty line */
  VT_HTTP_LINES_BROKEN, /* the byte cannot stand there */
} VtHttpLinesStep;

static inline VtHttpLinesStep
vt_http_lines_push (VtHttpLines *self, uint8_t byte)
{
  gboolean after_cr = self->after_cr;

  if (byte == '\0' || (after_cr && byte != '\n') || (self->strict && byte == '\n' && !after_cr))
    return VT_HTTP_LINES_BROKEN;
  if (byte == '\n' && !self->in_line)
    return VT_HTTP_LINES_END;
  self->after_cr = byte == '\r';
  if (byte != '\r')
    self->in_line = byte != '\n';
  return VT_HTTP_LINES_MORE;
}
