/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <gio/gio.h>

/* Whether g_network_monitor_get_default () can be called without waiting for others. If not, makes
 * `source` ready when it can be (g_source_set_ready_time ()); until then it is remembered. In any
 * thread. */
gboolean vt_network_monitor_is_near (GSource *source);
/* Forgets the source, if it is remembered. */
void     vt_network_monitor_forget (GSource *source);
