/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vt-front-private.h"

/* The pages for whoever runs the server: which one is asked for, who may see it, and what the
 * answer looks like. TRUE if the request was answered; else `refusal` says why it may not be, and
 * has no status if the request is for none of them. `is_local`: on a port on loopback that is for
 * pages alone. */
gboolean vt_front_page_serve (SoupServerMessage     *message,
                              gboolean               is_local,
                              const VtFrontPolicy   *policy,
                              const VtFrontHandlers *handlers,
                              void                  *user_data,
                              VtUpgradeVerdict      *refusal);
