/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <json-glib/json-glib.h>
#include <vtunnel/vtunnel.h>

#include "vt-tool-output.h"

/* What scripts read, on standard output: one JSON object a line, written at once. The schema is in
 * docs/tool.md:
 *
 *   listening          address, port, url
 *   session-opened     server: session, user (where known), address, port, protocol; client: url,
 *                      protocol
 *   session-suspended  server: session; client: error
 *   session-resumed    server: session, address, port; client: url
 *   listening-http     server: address, port, url (where known)
 *   forward-opened     session (server only), address (where known), port, target (client only);
 *                      of host names: names, url
 *   target-down        client: port, target, error
 *   target-up          client: port, target
 *   stream-opened      session (server only), stream, port, user_address, user_port (where known)
 *   stream-closed      as stream-opened, and bytes_sent, bytes_received, error (if it failed)
 *   forward-closed     session, port (server only)
 *   session-closed     session (server only), error (if it failed)
 *   error              code, message; port and target if it is about a forward
 *   closed             the last event of a command that ends in order
 *
 * A member that has nothing to say is left out. `error` inside another event is an object of code
 * and message. */
typedef struct _VtToolEvents VtToolEvents;

/* With `enabled` FALSE nothing is written. `broken` is called, once, when nobody can read any more
 * what is written. */
VtToolEvents *vt_tool_events_new (gboolean enabled, VtToolBrokenFunc broken, void *user_data);
void          vt_tool_events_free (VtToolEvents *self);
/* Whether what is sent is written. */
gboolean vt_tool_events_is_enabled (VtToolEvents *self);

/* An event is begun, filled, and sent. NULL for a text leaves the member out. */
JsonBuilder *vt_tool_event_begin (const char *name);
void         vt_tool_event_add_text (JsonBuilder *event, const char *name, const char *value);
void         vt_tool_event_add_number (JsonBuilder *event, const char *name, guint64 value);
/* Where its users come in: address and port, or names and URL. Unless it is opened, no address and
 * no URL. */
void vt_tool_event_add_forward (JsonBuilder *event, VtForward *forward, gboolean opened);
/* `address` and its port as members of these two names; nothing if it is no internet address. */
void vt_tool_event_add_address (JsonBuilder    *event,
                                const char     *address_name,
                                const char     *port_name,
                                GSocketAddress *address);
/* The member `error`; NULL leaves it out. */
void vt_tool_event_add_error (JsonBuilder *event, const GError *error);
/* `code` and `message` of the event `error` itself. */
void vt_tool_event_add_reason (JsonBuilder *event, const GError *error);
/* Frees the event. */
void vt_tool_events_send (VtToolEvents *self, JsonBuilder *event);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtToolEvents, vt_tool_events_free)
