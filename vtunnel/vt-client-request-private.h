/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <glib.h>

/* What the upgrade request of a client carries beside what the WebSocket needs: header fields and a
 * token. Pure. */
typedef struct _VtClientRequest VtClientRequest;

VtClientRequest *vt_client_request_new (void);
void             vt_client_request_free (VtClientRequest *self);

/* FALSE for what is no header field, and for the fields that the upgrade itself is made of. */
gboolean vt_client_request_is_valid_header (const char *name, const char *value);
/* NULL removes it. */
void vt_client_request_set_header (VtClientRequest *self, const char *name, const char *value);
/* NULL removes it. */
void vt_client_request_set_token (VtClientRequest *self, const char *token);

/* Names and values in turn, each owned by the array. NULL with VT_ERROR_INVALID_ARGUMENT if the
 * token cannot stand in a header. */
GPtrArray *vt_client_request_build (VtClientRequest *self, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtClientRequest, vt_client_request_free)
