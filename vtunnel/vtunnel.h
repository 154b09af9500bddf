/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#define VTUNNEL_INSIDE

#include <vtunnel/vt-access.h>
#include <vtunnel/vt-client.h>
#include <vtunnel/vt-enum-types.h>
#include <vtunnel/vt-error.h>
#include <vtunnel/vt-forward.h>
#include <vtunnel/vt-server.h>
#include <vtunnel/vt-session.h>
#include <vtunnel/vt-stream.h>
#include <vtunnel/vt-target.h>
#include <vtunnel/vt-version.h>

#undef VTUNNEL_INSIDE
