/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vt-report-private.h"

#define VT_METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* The report in the text format of Prometheus, version 0.0.4; new. `by_session`: with series for
 * each session as well, of which there may be thousands, and ever new ones. */
char *vt_metrics_write (const VtReport *report, gboolean by_session);
