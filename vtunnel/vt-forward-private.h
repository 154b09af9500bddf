/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <vtunnel/vt-forward.h>
#include <vtunnel/vt-stream.h>

/* As many as the wire takes. */
#define VT_FORWARD_MAX_HOST_NAMES 64

/* For the server's side, where there is no target: what the client asked for. */
VtForward *vt_forward_new_remote (const char *address, guint16 port);
/* The same, without a port. `name` is nullable, and one that the codec has read. */
VtForward *vt_forward_new_remote_without_port (const char *name);

/* The same, by host names: NULL with VT_ERROR_INVALID_ARGUMENT if they are none. */
VtForward *vt_forward_new_remote_for_names (const char *const *names, GError **error);

/* Each notifies. `error` is copied; NULL clears it. */
void vt_forward_set_state (VtForward *self, VtForwardState state, const GError *error);
void vt_forward_set_bound_port (VtForward *self, guint16 port);
/* What the server says; anything that is no URL of the web counts as nothing. NULL clears it. */
void vt_forward_set_url (VtForward *self, const char *url);

/* A forward belongs to at most one client: the pointer is compared, never followed. FALSE if it
 * belongs to another. NULL sets it free. */
gboolean vt_forward_claim (VtForward *self, gpointer owner);

/* The streams of this forward that are open, for n-streams and the counters. The counters of a
 * stream that is removed stay in the sum. */
void vt_forward_add_stream (VtForward *self, VtStream *stream);
void vt_forward_remove_stream (VtForward *self, VtStream *stream);

/* Whether a text can stand in a Host header: vt_forward_set_host_header () says which can. */
gboolean vt_forward_is_host (const char *text);

/* In seconds. */
#define VT_FORWARD_MAX_HEALTH_INTERVAL 86400

/* Whether the settings say so, each by itself. */
gboolean vt_forward_speaks_http (VtForward *self);

/* What a user's connection to the target has come to, for whoever looks after it; `error` is NULL
 * if it stands. A NULL function ends it. */
typedef void (*VtForwardDialFunc) (const GError *error, void *user_data);

void vt_forward_set_dial_func (VtForward *self, VtForwardDialFunc func, void *user_data);
void vt_forward_note_dial (VtForward *self, const GError *error);

/* Emits `incoming`: TRUE if somebody took the stream. */
gboolean vt_forward_offer (VtForward *self, VtStream *stream);
