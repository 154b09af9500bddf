/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <vtunnel/vtunnel.h>

#include "vt-tool-options.h"

#define VT_TOOL_SERVER_N_LIMITS 15

/* The options of `vtunnel-tool server` that say how much there may be of something: each as it was
 * written, NULL where nothing was. */
typedef struct {
  char *texts[VT_TOOL_SERVER_N_LIMITS]; /* owned, nullable */
} VtToolServerLimits;

/* As many entries as there are limits. */
void     vt_tool_server_limits_fill (VtToolServerLimits *self, GOptionEntry *entries);
gboolean vt_tool_server_limits_apply (VtToolServerLimits *self,
                                      VtToolCommon       *common,
                                      VtServer           *server,
                                      GError            **error);
void     vt_tool_server_limits_clear (VtToolServerLimits *self);
