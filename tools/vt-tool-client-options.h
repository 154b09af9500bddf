/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <vtunnel/vtunnel.h>

#include "vt-tool-options.h"

/* What was asked of `vtunnel-tool client`: each as it was written, NULL where nothing was. */
typedef struct {
  VtToolCommon common;
  char        *server;        /* owned, as all below; never NULL after parsing */
  char       **forwards;      /* NULL-terminated */
  char       **headers;       /* NULL-terminated */
  char       **pins;          /* NULL-terminated */
  char        *tls_certificate;
  char        *tls_key;
  char        *token_file;
  char        *tls_ca;
  char        *ping_interval;
  char        *ping_timeout;
  char        *max_protocol;
  char        *reconnect_min;
  char        *reconnect_max;
  gboolean     keep_going;
  gboolean     no_reconnect;
  gboolean     retry_first;
  gboolean     has_server;    /* one that can be used */
  GPtrArray   *parsed;        /* of VtForward: what `forwards` says, ranges spread out */
} VtToolClientOptions;

gboolean vt_tool_client_options_parse (VtToolClientOptions *self, char **argv, GError **error);
/* A client that is as was asked, and is not open yet; NULL if that cannot be. */
VtClient *vt_tool_client_options_make_client (VtToolClientOptions *self, GError **error);
/* What can be written to a client, but not read of it: the token, which is read again, and the
 * headers, in the place of those that it had. FALSE if nothing has changed. */
gboolean  vt_tool_client_options_renew_secrets (VtToolClientOptions       *self,
                                                const VtToolClientOptions *former,
                                                VtClient                  *client,
                                                GError                   **error);
void      vt_tool_client_options_clear (VtToolClientOptions *self);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (VtToolClientOptions, vt_tool_client_options_clear)
