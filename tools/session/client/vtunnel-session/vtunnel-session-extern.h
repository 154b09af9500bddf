/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <glib.h>

#if defined(__GNUC__)
#define VTUNNEL_SESSION_EXTERN __attribute__ ((visibility ("default"))) extern
#else
#define VTUNNEL_SESSION_EXTERN extern
#endif
