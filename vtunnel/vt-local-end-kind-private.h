/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vt-local-end-private.h"

/* What the kinds of local ends have in common. */
typedef struct {
  gssize (*read) (VtLocalEnd *self, void *buffer, size_t size, GError **error);
  gssize (*write) (VtLocalEnd *self, const void *data, size_t length, GError **error);
  gssize (*get_unsent) (VtLocalEnd *self);
  void (*set_condition) (VtLocalEnd *self, GIOCondition condition);
  void (*shutdown_write) (VtLocalEnd *self);
  void (*close) (VtLocalEnd *self);
  void (*reset) (VtLocalEnd *self);
} VtLocalEndKind;

struct _VtLocalEnd {
  const VtLocalEndKind *kind;
  VtLocalEndFunc        func;
  void                 *user_data; /* the caller's */
  gboolean              is_last;
};

/* How long an end that is closed goes on reading what still comes. */
#define VT_LOCAL_END_LINGER (5 * G_TIME_SPAN_SECOND)
