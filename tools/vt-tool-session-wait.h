/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vt-tool-session-bus.h"

/* Waits until a tunnel that is being opened is connected, and tells where its forwards listen; or
 * until it has failed, and tells why. `title` is what its user calls it. */
VtToolStatus vt_tool_session_wait (VtToolSession *session, const char *path, const char *title);
