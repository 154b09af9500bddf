/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <vtunnel-session/vtunnel-session.h>

#include "vt-tool-options.h"
#include "vt-tool-session-error.h"
#include "vt-tool-session-tunnel.h"

#define VT_TOOL_SESSION_MANAGER OBJECT_PATH "/Manager"
#define VT_TOOL_SESSION_TUNNEL_INTERFACE BUS_NAME ".Tunnel"

/* The session service as a command meets it that asks once, and waits for the answer: the service
 * is started if it is not running. Errors are of VT_TOOL_ERROR. */
typedef struct {
  GDBusConnection       *bus;     /* owned */
  VtunnelSessionManager *manager; /* owned */
  int                    timeout; /* milliseconds, for each answer */
} VtToolSession;

/* The options of each command that asks the service. */
typedef struct {
  VtToolCommon common;
  char        *timeout; /* owned, NULL if it is not given */
} VtToolSessionOptions;

/* The entry of --timeout. */
GOptionEntry vt_tool_session_timeout_entry (VtToolSessionOptions *self);
void vt_tool_session_options_clear (VtToolSessionOptions *self);

gboolean vt_tool_session_open (VtToolSession              *self,
                               const VtToolSessionOptions *options,
                               GError                    **error);
void     vt_tool_session_clear (VtToolSession *self);

/* The tunnel that an id, or a name, stands for; new. With `watch`, its properties are there, and
 * their changes are followed. */
VtunnelSessionTunnel *vt_tool_session_find (VtToolSession *self,
                                            const char    *name,
                                            gboolean       watch,
                                            GError       **error);
/* The same for a path. */
VtunnelSessionTunnel *vt_tool_session_get (VtToolSession *self,
                                           const char    *path,
                                           gboolean       watch,
                                           GError       **error);

/* All tunnels, of VtToolTunnel, in order; new. */
GPtrArray *vt_tool_session_list (VtToolSession *self, GError **error);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (VtToolSession, vt_tool_session_clear)
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (VtToolSessionOptions, vt_tool_session_options_clear)
