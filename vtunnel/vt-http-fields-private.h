/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vt-http-body-private.h"

/* The fields of a head that others will read, too, and should not understand otherwise: read
 * strictly. Lines end with CR LF, there are no folds, and no character that has no place. Pure. */
typedef struct {
  const char *name; /* in the head, as is `value`, without the white space around it */
  size_t      name_length;
  const char *value;
  size_t      value_length;
} VtHttpField;

/* The length of the head that `data` begins with, with its empty line, or 0 if its end is not
 * there. `seen`, which begins as 0, is how much was looked at in vain before. */
size_t vt_http_head_find_end (const uint8_t *data, size_t length, size_t *seen);

/* Reads the line that begins at `*at`, and goes to the next one. FALSE if it is malformed. The head
 * ends at `end` with an empty line, before which the caller stops. */
gboolean vt_http_field_read (const char **at, const char *end, VtHttpField *field);
gboolean vt_http_field_is (const VtHttpField *field, const char *name);

/* What the fields say about how the message goes on. Begins as all zeros. */
typedef struct {
  gboolean has_length;
  gboolean has_coding;
  gboolean ends_chunked; /* the last coding is "chunked" */
  guint64  length;
  gboolean close;      /* of Connection, as the next two */
  gboolean keep_alive;
  gboolean upgrade;
  gboolean has_upgrade; /* there is an Upgrade field */
} VtHttpFraming;

/* FALSE if the field makes it doubtful where the message ends. */
gboolean vt_http_framing_add (VtHttpFraming *self, const VtHttpField *field);
/* Both ways to say a length at once, and a coding in HTTP/1.0, are doubtful, too. */
gboolean vt_http_framing_is_clear (const VtHttpFraming *self, gboolean is_http_1_0);
/* Whether the connection goes on after this message. */
gboolean vt_http_framing_is_persistent (const VtHttpFraming *self, gboolean is_http_1_0);
