/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vt-report-private.h"

#define VT_STATUS_PAGE_TYPE "text/html; charset=utf-8"
/* It needs nothing but the style within it, and no other page may frame it. */
#define VT_STATUS_PAGE_POLICY                                                                      \
  "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "           \
  "frame-ancestors 'none'"

/* The report as a page of HTML for whoever runs the server; new. All that others have said is
 * escaped in it. */
char *vt_status_page_write (const VtReport *report);
