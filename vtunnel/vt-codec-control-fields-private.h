/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vt-codec-control-private.h"

/* Which keys there are, what they hold, and which of them each control message has: the tables
 * that reading and writing share. The order is that in which they are written. */
typedef enum {
  VT_CONTROL_AGENT,
  VT_CONTROL_SESSION,
  VT_CONTROL_SECRET,
  VT_CONTROL_RESUMED,
  VT_CONTROL_RECEIVED,
  VT_CONTROL_ATTEMPT,
  VT_CONTROL_RESUME_TIMEOUT,
  VT_CONTROL_WINDOW_LIMIT,
  VT_CONTROL_FRAME_LIMIT,
  VT_CONTROL_MESSAGE_LIMIT,
  VT_CONTROL_T,
  VT_CONTROL_ID,
  VT_CONTROL_LISTEN_KIND,
  VT_CONTROL_ADDRESS,
  VT_CONTROL_PORT,
  VT_CONTROL_NAMES,
  VT_CONTROL_URL,
  VT_CONTROL_CODE,
  VT_CONTROL_ERROR,
  VT_CONTROL_RETRY_AFTER,
  VT_CONTROL_REASON,
  VT_CONTROL_TIMEOUT,
  VT_CONTROL_N_FIELDS,
} VtControlKey;

typedef enum {
  VT_FORM_TEXT,    /* char *, of at most `max` bytes */
  VT_FORM_INTEGER, /* of `size` bytes, from `min` to `max` */
  VT_FORM_FLAG,    /* gboolean */
  VT_FORM_KIND,    /* VtControlKind, by its word */
  VT_FORM_CODE,    /* int of VtError, by its word */
  VT_FORM_NAMES,   /* char **, each of 1 to `max` bytes */
} VtControlForm;

typedef struct {
  const char   *name; /* static */
  VtControlForm form;
  size_t        offset; /* in VtControl */
  size_t        size;
  gint64        min;
  gint64        max;
} VtControlField;

#define VT_CONTROL_MAX_NAMES 64

extern const VtControlField vt_control_fields[VT_CONTROL_N_FIELDS];

const char   *vt_control_type_to_name (VtControlType type);
VtControlType vt_control_type_from_name (const char *name);
const char   *vt_control_kind_to_name (VtControlKind kind);
VtControlKind vt_control_kind_from_name (const char *name);

/* A bit (1 << key) for each key that a message of the type can have. */
guint32 vt_control_get_possible (VtControlType type);
/* For each that this message cannot do without, `session` and `resumed` being known. */
guint32 vt_control_get_required (const VtControl *control);
