/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <vtunnel/vtunnel.h>

#include "vt-tool-options.h"
#include "vt-tool-server-limits.h"

/* What was asked of `vtunnel-tool server`: each as it was written, NULL where nothing was. */
typedef struct {
  VtToolCommon common;
  char        *listen; /* owned, as all below; after parsing never NULL, nor is path */
  char        *port;
  char        *path;
  char        *bind_address;
  char        *allowed_ports;
  char        *http_listen;
  char        *http_port; /* NULL: users do not come by host name */
  char        *http_url;
  char        *allowed_names; /* with commas between */
  char        *proxy_protocol_ports;
  char       **allowed_origins; /* NULL-terminated */
  char        *access;
  char        *client_ca;
  char       **trusted_proxies; /* NULL-terminated */
  char        *tls_certificate;
  char        *tls_key;
  char        *ping_interval;
  char        *ping_timeout;
  char        *resume_timeout;
  char        *grace;
  char        *max_protocol;
  VtToolServerLimits limits;
  char        *status_listen;
  char        *status_address; /* of it, NULL without it */
  gboolean     no_auth;
  guint16      port_number;
  guint16      http_port_number;
  guint16      status_port;
  guint16      grace_seconds;
} VtToolServerOptions;

gboolean vt_tool_server_options_parse (VtToolServerOptions *self, char **argv, GError **error);
/* FALSE if others than this machine would reach the server at `listen`, and nothing says who may
 * come. */
gboolean vt_tool_server_options_check_openness (VtToolServerOptions *self, GError **error);
/* A server that does as was asked, and does not listen yet; NULL if that cannot be. */
VtServer *vt_tool_server_options_make_server (VtToolServerOptions *self, GError **error);
void      vt_tool_server_options_clear (VtToolServerOptions *self);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (VtToolServerOptions, vt_tool_server_options_clear)
