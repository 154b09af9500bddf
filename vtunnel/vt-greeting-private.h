/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vt-codec-control-private.h"

/* The two messages that a link of protocol v2 begins with. */
GBytes *vt_greeting_new_hello (const VtControlLimits *limits);
/* For a new session, which gets its name and its secret here. NULL with VT_ERROR_FAILED if the
 * kernel has no random numbers. */
GBytes *vt_greeting_new_welcome (const VtControlLimits *limits, GError **error);
/* FALSE with VT_ERROR_PROTOCOL if it is anything else than the message expected. */
gboolean vt_greeting_read (GBytes       *message,
                           gboolean      text,
                           VtControlType expected,
                           VtControl    *greeting,
                           GError      **error);
