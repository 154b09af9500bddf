/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

/* The session service for C programs: proxies for its objects, and its errors. */

#include <vtunnel-session/vtunnel-session-error.h>
#include <vtunnel-session/vtunnel-session-generated.h>
