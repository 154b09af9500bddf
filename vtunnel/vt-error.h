/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#if !defined(VTUNNEL_INSIDE) && !defined(VTUNNEL_COMPILATION)
#error "Only <vtunnel/vtunnel.h> can be included directly."
#endif

#include <gio/gio.h>
#include <vtunnel/vt-version.h>

G_BEGIN_DECLS

#define VT_ERROR (vt_error_quark ())

typedef enum {
  VT_ERROR_FAILED,
  VT_ERROR_PROTOCOL,
  VT_ERROR_ADDRESS_IN_USE,
  VT_ERROR_PERMISSION_DENIED,
  VT_ERROR_INVALID_ARGUMENT,
  VT_ERROR_LIMIT,
  VT_ERROR_TARGET_UNREACHABLE,
  VT_ERROR_TARGET_REFUSED,
  VT_ERROR_CANCELLED,
  VT_ERROR_TIMED_OUT,
  VT_ERROR_SHUTTING_DOWN,
  VT_ERROR_NOT_RESUMED,
  VT_ERROR_NOT_AUTHORISED,
  VT_ERROR_NOT_A_TUNNEL,
  VT_ERROR_TLS,
} VtError;

VT_EXTERN
GQuark vt_error_quark (void);

G_END_DECLS
